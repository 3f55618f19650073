#!/usr/bin/env python3
"""Asks the gateway for its health over TLS, its certificate checked.

    scripts/lib/health.py PORT CERTIFICATE

Prints the answer; fails when there is none or it is not "ok".
"""
import http.client
import ssl
import sys

port, certificate = int(sys.argv[1]), sys.argv[2]
try:
    tls = ssl.create_default_context(cafile=certificate)
    connection = http.client.HTTPSConnection("localhost", port, timeout=5, context=tls)
    connection.request("GET", "/api/health")
    response = connection.getresponse()
    print(response.status, response.read().decode(errors="replace").strip())
except (OSError, http.client.HTTPException) as problem:
    sys.exit(f"no answer on port {port}: {problem}")
if response.status != 200:
    sys.exit(1)
