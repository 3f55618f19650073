# SPDX-License-Identifier: Apache-2.0
"""A mail relay on loopback, for tests/process/mail.sh: STARTTLS unless MODE is "plain", nobody served when it is "closed", a login, and an answer by recipient. Each mail
becomes a file in FOLDER, the envelope in its first line; every command is a line of FOLDER/log."""
import base64
import os
import socketserver
import ssl
import sys
import threading

FOLDER, CERTIFICATE, KEY, MODE = sys.argv[1:5]
LOGIN = base64.b64encode(b"\0relay-user\0relay secret").decode()
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERTIFICATE, KEY)
lock = threading.Lock()


def note(line):
    with lock, open(FOLDER + "/log", "a") as log:
        log.write(line + "\n")


class Handler(socketserver.BaseRequestHandler):
    def say(self, line):
        self.stream.write((line + "\r\n").encode())
        self.stream.flush()

    def open(self, connection):
        self.connection = connection
        self.stream = connection.makefile("rwb")

    def handle(self):
        self.open(self.request)
        self.say("554 nobody is served now" if MODE == "closed" else "220 relay.example ESMTP")
        encrypted = known = False
        sender = recipient = ""
        while True:
            line = self.stream.readline().decode().rstrip("\r\n")
            if not line:
                return
            note(line if not line.startswith("AUTH") else "AUTH")
            verb = line.split(" ", 1)[0].upper()
            if verb == "EHLO":
                offers = ["relay.example", "AUTH PLAIN"] if encrypted else ["relay.example"] + (["STARTTLS"] if MODE != "plain" else ["AUTH PLAIN"])
                for at, offer in enumerate(offers):
                    self.say("250%s%s" % (" " if at + 1 == len(offers) else "-", offer))
            elif verb == "STARTTLS":
                self.say("220 go on")
                self.open(context.wrap_socket(self.connection, server_side=True))
                encrypted = True
            elif verb == "AUTH":
                self.say("334 ")
                known = line == "AUTH PLAIN" and self.stream.readline().decode().strip() == LOGIN
                self.say("235 welcome" if known else "535 no")
            elif verb == "MAIL":
                sender = line
                self.say("250 ok" if known and encrypted else "530 who are you")
            elif verb == "RCPT":
                recipient = line
                self.say({"<gone@": "550 gone", "<full@": "452 full"}.get(line.split(":", 1)[1][:6], "250 ok"))
            elif verb == "DATA":
                self.say("354 go on")
                lines = []
                while (data := self.stream.readline()) not in (b".\r\n", b""):
                    lines.append(data[1:] if data.startswith(b"..") else data)
                with lock:
                    number = len(os.listdir(FOLDER))
                    with open("%s/%d.mail" % (FOLDER, number), "wb") as file:
                        file.write((sender + " " + recipient + "\n").encode() + b"".join(lines))
                self.say("250 taken")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("500 what")


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


server = Server(("127.0.0.1", 0), Handler)
with open(FOLDER + "/port.new", "w") as file:
    file.write(str(server.server_address[1]))
os.rename(FOLDER + "/port.new", FOLDER + "/port")
server.serve_forever()
