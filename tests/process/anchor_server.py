# SPDX-License-Identifier: Apache-2.0
"""Where checkpoints are anchored, for tests/process/anchor.sh: on loopback, a store that takes a name once (PUT, GET below /store),
and a time stamp authority (POST /tsa) that is OpenSSL's own `openssl ts` in a folder with its keys.

    anchor_server.py FOLDER PORT_FILE [CERTIFICATE KEY]

Files in FOLDER say how it behaves: `lose` loses the next answer of the store, `busy` says 503, `other` stamps with another authority.
"""
import http.server
import os
import ssl
import subprocess
import sys

FOLDER, PORT = sys.argv[1:3]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", kind="text/plain"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def place(self):
        return os.path.join(FOLDER, "store", os.path.basename(self.path))

    def do_PUT(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if os.path.exists(os.path.join(FOLDER, "busy")):
            self.answer(503)
            return
        if self.headers.get("If-None-Match") != "*":
            self.answer(428)
            return
        try:
            with open(self.place(), "xb") as file:
                file.write(body)
        except FileExistsError:
            self.answer(412)
            return
        lost = os.path.join(FOLDER, "lose")
        if os.path.exists(lost):
            os.remove(lost)
            self.connection.close()
            return
        self.answer(201)

    def do_GET(self):
        try:
            with open(self.place(), "rb") as file:
                self.answer(200, file.read())
        except OSError:
            self.answer(404)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Content-Type") != "application/timestamp-query":
            self.answer(415)
            return
        who = "two" if os.path.exists(os.path.join(FOLDER, "other")) else "one"
        with open(os.path.join(FOLDER, "query"), "wb") as file:
            file.write(body)
        subprocess.run(["openssl", "ts", "-reply", "-config", "ts.cnf", "-queryfile", "query", "-signer", who + ".pem", "-inkey", who + ".key",
                        "-out", "reply"], cwd=FOLDER, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        with open(os.path.join(FOLDER, "reply"), "rb") as file:
            self.answer(200, file.read(), "application/timestamp-reply")


server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
if len(sys.argv) > 3:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(sys.argv[3], sys.argv[4])
    server.socket = context.wrap_socket(server.socket, server_side=True)
with open(PORT + ".new", "w", encoding="ascii") as file:
    file.write(str(server.server_port))
os.rename(PORT + ".new", PORT)
server.serve_forever()
