# SPDX-License-Identifier: Apache-2.0
"""Stands between sqlsmith and the server, on a socket of its own, so that nothing of this is in the server.

sqlsmith loads the catalogs in its first two connections and sends statements in the third, each in a transaction of its own.
The first go through as the superuser, so that statements name everything there is. In the third the login is the one that
is tested, BEGIN also takes the context, and every message that the server sends is searched."""
import os
import re
import socket
import struct
import threading

from memory import EVERY

LOADING = 2    # connections
# sqlsmith takes anyrange for a type of values, and picks functions as often as the catalog has them: what it loads is narrowed.
POLYMORPHIC = b"'{2276,2277,2283,2776,3500,3831,4537,4538,5077,5078,5079,5080}'::oid[]"
NARROW = [(b" from pg_proc where prorettype", b" from pg_proc where not proargtypes::oid[] || prorettype && " + POLYMORPHIC +
           b" and (pronamespace <> 11 or oid::int % %d = 0) and prorettype"),
          (b" from pg_catalog.pg_operator where 0", b" from pg_catalog.pg_operator where not array[oprleft, oprright, oprresult] && " + POLYMORPHIC +
           b" and (oprnamespace <> 11 or oid::int % %d = 0) and 0")]
OWN_TABLES = (b" from information_schema.tables", b" from information_schema.tables where table_schema <> 'aegis'")
PREPARATION = re.compile(rb"set (statement_timeout|client_min_messages|application_name)\b", re.I)


class Watch:
    """What the server sent in the tested connection."""

    def __init__(self, needles, memory):
        self.memory = memory
        self.needles = {needle.lower(): kind for kind, group in needles.items() for needle in group}
        self.pattern = re.compile(b"|".join(re.escape(n) for n in sorted(self.needles, key=len, reverse=True)))
        self.statements = self.messages = self.backends = 0
        self.found = []            # (kind, type of message, statement)
        self.kinds = {}            # kind -> how many messages held it
        self.outcomes = {}         # SQLSTATE or "rows" or "no rows" -> how many statements
        self.internal = []         # (message, statement) of XX000 that Aegis raised
        self.pid = None
        self.lost = None

    def search(self, kind, payload, statement):
        for mark in set(self.pattern.findall(payload.lower())):
            of = self.needles[mark]
            self.kinds[of] = self.kinds.get(of, 0) + 1
            if len(self.found) < 1000:
                self.found.append((of, chr(kind[0]), statement))


class Proxy:
    """Serves one sqlsmith at a time: with Proxy(...) as proxy: start sqlsmith with host=proxy.folder."""

    def __init__(self, server, folder, login, begin, watch, whole):
        self.server, self.folder, self.login, self.begin, self.watch = server, folder, login, begin, watch
        # All relations, functions and operators; otherwise none of the schema aegis, all of which are refused,
        # and of the server's own functions and operators one in four.
        self.every, self.narrow = (1, NARROW) if whole else (4, [*NARROW, OWN_TABLES])
        self.connections = 0
        self.threads = []

    def __enter__(self):
        os.makedirs(self.folder, exist_ok=True)
        path = os.path.join(self.folder, ".s.PGSQL.5432")
        if os.path.exists(path):
            os.unlink(path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(4)
        self.accepter = threading.Thread(target=self.accept, daemon=True)
        self.accepter.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.accepter.join(10)
        for thread in self.threads:
            thread.join(10)

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self.serve, args=(client, self.connections > LOADING), daemon=True)
            thread.start()
            self.threads.append(thread)

    def serve(self, client, tested):
        server = socket.socket(socket.AF_UNIX)
        server.connect(os.path.join(self.server, ".s.PGSQL.5432"))
        length = struct.unpack("!I", exactly(client, 4))[0]
        startup = exactly(client, length - 4)
        parameters = startup[4:].rstrip(b"\0").split(b"\0")
        given = dict(zip(parameters[::2], parameters[1::2]))
        given[b"user"] = self.login.encode() if tested else b"postgres"
        packet = startup[:4] + b"".join(k + b"\0" + v + b"\0" for k, v in given.items()) + b"\0"
        server.sendall(struct.pack("!I", len(packet) + 4) + packet)
        try:
            self.converse(client, server) if tested else self.load(client, server)
        finally:
            client.close()
            server.close()

    def load(self, client, server):
        """Answers go back unread; they are as large as the catalogs."""
        def back():
            while data := server.recv(1 << 16):
                client.sendall(data)
            client.shutdown(socket.SHUT_WR)
        thread = threading.Thread(target=back, daemon=True)
        thread.start()
        try:
            while kind := client.recv(1):
                body = exactly(client, struct.unpack("!I", exactly(client, 4))[0] - 4)
                for wide, narrow in self.narrow:
                    body = body.replace(wide, narrow.replace(b"%d", b"%d" % self.every))
                server.sendall(kind + struct.pack("!I", len(body) + 4) + body)
            server.shutdown(socket.SHUT_WR)
        except OSError:
            pass    # the server has closed it after the client's good-bye
        thread.join(10)

    def converse(self, client, server):
        """Question and answer, as sqlsmith works; each answer is searched before it goes on."""
        watch = self.watch
        watch.backends += 1
        stream = server.makefile("rb")
        question = b""
        counted = False
        try:
            while True:
                self.answer(stream, client, question, counted)
                kind = client.recv(1)
                if kind in (b"", b"X"):
                    server.sendall(b"X\0\0\0\4")
                    return
                body = exactly(client, struct.unpack("!I", exactly(client, 4))[0] - 4)
                question = body.rstrip(b"\0")
                text = question.strip().rstrip(b";").upper()
                counted = kind == b"Q" and text not in (b"BEGIN", b"ROLLBACK") and not PREPARATION.match(question)
                if text == b"BEGIN" and self.begin:
                    body = b"BEGIN; " + self.begin.encode() + b"\0"
                elif PREPARATION.match(question):  # the login's settings hold, and notices are wanted
                    body = b"RESET client_min_messages\0"
                if counted:
                    watch.statements += 1
                    if watch.statements % EVERY == 0:
                        watch.memory.sample(watch.pid, watch.statements)
                server.sendall(kind + struct.pack("!I", len(body) + 4) + body)
        except (OSError, EOFError) as error:
            if watch.lost is None:
                watch.lost = "%s after statement %d: %s" % (error, watch.statements, question.decode(errors="replace"))

    def answer(self, stream, client, question, counted):
        watch = self.watch
        outcome, rows = None, 0
        out = []
        while True:
            kind = stream.read(1)
            if not kind:
                raise EOFError("the server closed the connection")
            size = stream.read(4)
            payload = stream.read(struct.unpack("!I", size)[0] - 4)
            watch.messages += 1
            out.append(kind + size + payload)
            if kind == b"K":
                watch.pid = struct.unpack("!I", payload[:4])[0]
            elif kind == b"D":
                rows += 1
            elif kind == b"E":
                fields = {part[:1]: part[1:].decode(errors="replace") for part in payload.split(b"\0") if part}
                outcome = fields.get(b"C", "?")
                if outcome == "XX000" and fields.get(b"F", "").endswith(".cpp"):  # the server's own are C
                    watch.internal.append((fields.get(b"M"), question.decode(errors="replace")))
            watch.search(kind, payload, question.decode(errors="replace"))
            if kind == b"Z":
                break
        if counted:
            outcome = outcome or ("rows" if rows else "no rows")
            watch.outcomes[outcome] = watch.outcomes.get(outcome, 0) + 1
        client.sendall(b"".join(out))


def exactly(connection, count):
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise EOFError("the client closed the connection")
        data += more
    return data
