# SPDX-License-Identifier: Apache-2.0
"""The logs of copies of a database as tiles over HTTP, as the gateway's addresses answer, and what aegis-verify fsck says of them.

Below /DATABASE lie root, and log/TENANT for each tenant and for the system.
"""
import http.server
import os
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "oracle"))

from libpq import Refused, Session  # noqa: E402

TENANTS = ("one", "two", "three")


def answer(folder, path):
    """(status, body)"""
    database, log, *rest = path.strip("/").split("/")
    if log == "root":
        file, head, tile = "/".join(rest), "coalesce(aegis.witnessed_checkpoint(), aegis.latest_checkpoint())", "aegis.root_tile('%s')"
    else:
        tenant = "(SELECT id FROM aegis.tenant WHERE slug = '%s')" % rest[0]
        file, head, tile = "/".join(rest[1:]), f"aegis.log_receipt({tenant})", f"aegis.log_tile({tenant}, '%s')"
    value = f"convert_to({head}, 'UTF8')" if file in ("checkpoint", "receipt") else tile % file
    try:
        with Session(folder, "postgres", database) as session:
            text = session.value(f"SELECT encode({value}, 'hex')")
    except Refused as refused:
        return 410 if refused.state == "AG022" else 500, b""
    return (404, b"") if text is None else (200, bytes.fromhex(text))


def serve(folder):
    """The address of a server that lives as long as this process."""
    class Tiles(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            status, body = answer(folder, self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Tiles)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def fsck(verify, address, database, key):
    """What is wrong with the root log and those of the tenants and the system, or None."""
    said = ""
    for log in ("root", *(f"log/{tenant}" for tenant in (*TENANTS, "system"))):
        done = subprocess.run([verify, "fsck", f"{address}/{database}/{log}", "--key", key] + (["--tenant-log"] if log != "root" else []),
                              capture_output=True, text=True)
        if done.returncode:
            said += f"{log}: {done.stdout}{done.stderr}"
    return said or None
