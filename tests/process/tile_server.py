#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The log of a tenant of a throw-away cluster over HTTP, asked for tile by tile, as the gateway's addresses answer.

    tile_server.py PSQL SOCKET_FOLDER LOGIN UUID      prints the port; below /all-gone no entry is given out
"""
import http.server
import subprocess
import sys

psql, folder, login, tenant = sys.argv[1:]


def ask(call):
    done = subprocess.run([psql, "-XAtq", "-v", "VERBOSITY=sqlstate", "-h", folder, "-U", login, "-d", "postgres", "-c", "SELECT " + call],
                          capture_output=True, text=True)
    return done.stdout[:-1], done.stderr


class Tiles(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        all_gone = self.path.startswith("/all-gone/")
        path = self.path.removeprefix("/all-gone").removeprefix("/")
        if path == "receipt":
            text, error = ask("aegis.log_receipt('%s')" % tenant)
            body = text.encode()
        elif all_gone and "entries" in path:
            body, error = b"", "AG022"
        else:
            text, error = ask("encode(aegis.log_tile('%s', '%s'), 'hex')" % (tenant, path))
            body = bytes.fromhex(text)
        self.send_response(410 if "AG022" in error else 500 if error else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Tiles)
print(server.server_port, flush=True)
server.serve_forever()
