# SPDX-License-Identifier: Apache-2.0
"""The other side of outbound calls, for tests/process/agent.sh: HTTPS on loopback, well behaved or not by path. Writes one line for
each request into LOG and its port into PORT."""
import http.server
import os
import ssl
import sys
import time

LOG, PORT, CERTIFICATE, KEY, VERSION = sys.argv[1:6]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with open(LOG, "a") as log:
            log.write("%s %s %s %s %s\n" % (self.command, self.path, self.headers.get("Idempotency-Key"), self.headers.get("X-Test"), body.decode()))
        kind = self.path.rsplit("/", 1)[1]
        if kind == "redirect":
            self.answer(302, Location="https://localhost/elsewhere")
        elif kind == "slow":
            time.sleep(4)
            self.answer(200, b"late")
        elif kind == "drip":  # a byte at a time, for ever
            self.send_response(200)
            self.end_headers()
            for _ in range(100):
                self.wfile.write(b"x")
                time.sleep(0.2)
        elif kind == "huge":
            self.answer(200, b"x" * 3000000)
        elif kind == "headers":
            self.answer(200, b"x", **{"X%d" % i: "y" * 1000 for i in range(90)})
        elif kind == "busy":
            self.answer(503, Retry_After="77")
        elif kind == "missing":
            self.answer(404)
        else:
            self.answer(200, b"well done", Content_Type="text/plain")

    do_POST = do_PUT = do_GET


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERTIFICATE, KEY)
context.minimum_version = ssl.TLSVersion.TLSv1_2
context.maximum_version = ssl.TLSVersion.TLSv1_2 if VERSION == "1.2" else ssl.TLSVersion.TLSv1_3
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
with open(PORT + ".new", "w") as file:
    file.write(str(server.server_address[1]))
os.rename(PORT + ".new", PORT)
server.serve_forever()
