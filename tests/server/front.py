#!/usr/bin/env python3
"""Behind HAProxy and nginx, which read requests in their own way: each that they pass on is one for the gateway too, and
whoever comes next on the same connection gets the answer to his own."""
import os
import re
import shutil
import socket
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from fixture import Client, Cluster, Gateway, Report, free_port  # noqa: E402
from fixture.process import as_user, environment, folder, write  # noqa: E402
from fixture.report import equal, until  # noqa: E402
from probes import PROBES  # noqa: E402

PATIENCE = 0.2    # seconds of silence after which a front has said what it has to say

# One connection to the gateway for all clients, so that what one leaves behind meets the next.
HAPROXY = """
global
  maxconn 50
defaults
  mode http
  timeout connect 5s
  timeout client 10s
  timeout server 10s
  timeout http-request 5s
  option http-keep-alive
  http-reuse always
  log stdout format raw local0
  log-format "front %s %ST %HM"
frontend front
  bind 127.0.0.1:{port}
  default_backend gateway
backend gateway
  server behind 127.0.0.1:{gateway} ssl verify required ca-file {certificate} sni str(localhost) verifyhost localhost maxconn 1 pool-max-conn 1
"""
NGINX = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error;
events {{ worker_connections 50; }}
http {{
  log_format front 'front $upstream_addr $status $request_method';
  access_log {folder}/access front;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream behind {{ server 127.0.0.1:{gateway}; keepalive 1; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass https://behind;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host localhost;
      proxy_ssl_protocols TLSv1.3;
      proxy_ssl_name localhost;
      proxy_ssl_server_name on;
      proxy_ssl_verify on;
      proxy_ssl_trusted_certificate {certificate};
      proxy_next_upstream off;
    }}
  }}
}}
"""


class Front:
    """A proxy of somebody else's in front of a gateway; with it, what it says it passed on."""

    def __init__(self, name, gateway):
        self.name = name
        self.folder = folder(name)
        self.port = free_port()
        text = (HAPROXY if name == "haproxy" else NGINX).format(port=self.port, gateway=gateway.port, certificate=gateway.certificate,
                                                                folder=self.folder)
        self.config = os.path.join(self.folder, "config")
        write(self.config, text)
        self.log = os.path.join(self.folder, "access" if name == "nginx" else "out")
        self.process = None

    def __enter__(self):
        command = ["haproxy", "-db", "-f", self.config] if self.name == "haproxy" else ["nginx", "-c", self.config, "-p", self.folder]
        with open(os.path.join(self.folder, "out"), "w", encoding="utf-8") as out:
            self.process = subprocess.Popen(as_user([shutil.which(command[0], path=os.environ["PATH"] + ":/usr/sbin"), *command[1:]]),
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd="/", env=environment())
        until(self.listens, 10, f"{self.name} listens")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def listens(self):
        if self.process.poll() is not None:
            with open(os.path.join(self.folder, "out"), encoding="utf-8", errors="replace") as file:
                raise RuntimeError(f"{self.name} ended: {file.read()}")
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    def passed_on(self):
        """Requests that the log says went to the gateway."""
        with open(self.log, encoding="utf-8", errors="replace") as file:
            lines = re.findall(r"front (\S+) (\d+) ", file.read())
        return sum(1 for server, _ in lines if server not in ("-", "<NOSRV>"))

    def send(self, data, patience=PATIENCE):
        """What comes back, until it is silent for so many seconds or closes."""
        received = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as stream:
            stream.sendall(data)
            stream.settimeout(patience)
            try:
                while more := stream.recv(65536):
                    received += more
            except (socket.timeout, ConnectionResetError):
                pass
        return received


def ask(front, number):
    """An honest request; its answer carries its own number."""
    name = f"honest-{number}"
    answer = front.send(f"GET /api/health HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: {name}\r\nConnection: close\r\n\r\n".encode(), 15)
    head = answer.partition(b"\r\n\r\n")[0].decode("latin-1").lower()
    equal(answer.count(b"HTTP/1.1 "), 1, "answers")
    assert head.startswith("http/1.1 200 ") and f"x-request-id: {name}" in head, head


def received(gateway):
    return sum(1 for line in gateway.lines() if line["event"] == "request")


def behind(report, name, gateway):
    with Front(name, gateway) as front:
        with report.test(f"{name}/an honest request"):
            ask(front, 0)
        for number, (probe, data, _, _) in enumerate(PROBES, 1):
            with report.test(f"{name}/{probe}"):
                front.send(data)
                ask(front, number)
        with report.test(f"{name}/as many for the gateway as were passed on"):
            until(lambda: front.passed_on() >= len(PROBES) // 2, 10, "the log of the front")
            deadline = time.monotonic() + 5
            while received(gateway) != front.passed_on() and time.monotonic() < deadline:
                time.sleep(0.1)
            equal(received(gateway), front.passed_on(), "requests")


def main():
    report = Report("front")
    with Cluster() as cluster:
        for name in ("haproxy", "nginx"):
            if shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin") is None:
                print(f"skip front/{name} ({name} is not installed: ./aegis check does that)")
                report.count += 1
                continue
            with Gateway(cluster) as gateway:
                behind(report, name, gateway)
                with report.test(f"{name}/the gateway still serves"):
                    client = Client(gateway)
                    equal(client.request("GET", "/api/health").status, 200, "status")
                    client.close()
    report.finish()


if __name__ == "__main__":
    main()
