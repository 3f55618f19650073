# SPDX-License-Identifier: Apache-2.0
"""The protocol of PostgreSQL as it is on the wire: what a client can learn is exactly these bytes, so these are compared."""
import socket
import struct

READY, ERROR, NOTICE, ROW, DONE, NOTIFY, COPY_IN, COPY_DATA = b"Z", b"E", b"N", b"D", b"C", b"A", b"G", b"d"


class Refused(Exception):
    """The server's answer was an error."""

    def __init__(self, answer):
        self.answer, self.state, self.message = answer, answer.state, answer.message
        super().__init__("%s: %s" % (self.state, self.message))


class Answer:
    """Everything that the server said to one request, in order, as (kind, bytes)."""

    def __init__(self, messages):
        self.messages = messages

    @staticmethod
    def fields(body):
        return {part[:1].decode(): part[1:].decode() for part in body.split(b"\0") if part}

    @property
    def raw(self):
        return b"".join(kind + body for kind, body in self.messages)

    @property
    def error(self):
        """Of the first error, its fields by letter; empty without one."""
        return next((self.fields(body) for kind, body in self.messages if kind == ERROR), {})

    @property
    def state(self):
        return self.error.get("C", "")

    @property
    def message(self):
        return self.error.get("M", "")

    @property
    def notices(self):
        return [self.fields(body)["M"] for kind, body in self.messages if kind == NOTICE]

    @property
    def notifications(self):
        return [body[4:].split(b"\0")[:2] for kind, body in self.messages if kind == NOTIFY]

    @property
    def tags(self):
        return [body.rstrip(b"\0").decode() for kind, body in self.messages if kind == DONE]

    @property
    def rows(self):
        return [row(body) for kind, body in self.messages if kind == ROW]

    @property
    def copied(self):
        return [body.decode().rstrip("\n").split("\t") for kind, body in self.messages if kind == COPY_DATA]


def row(body):
    values, at = [], 2
    for _ in range(struct.unpack_from("!h", body)[0]):
        size = struct.unpack_from("!i", body, at)[0]
        at += 4
        values.append(None if size < 0 else body[at:at + size].decode())
        at += max(size, 0)
    return values


def text(value):
    return value.encode() + b"\0"


class Session:
    """A connection by socket, with any parameters in its first packet."""

    def __init__(self, place, user, database="postgres", port=5432, **startup):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect("%s/.s.PGSQL.%d" % (place, port))
        given = {"user": user, "database": database, **startup}
        body = struct.pack("!i", 3 << 16) + b"".join(text(k) + text(v) for k, v in given.items()) + b"\0"
        self.socket.sendall(struct.pack("!i", len(body) + 4) + body)
        self.buffer = b""
        self.ready = b"I"
        self.hello = self.read()
        if self.hello.state:
            self.close()
            raise Refused(self.hello)

    def close(self):
        self.socket.close()

    def take(self, size):
        while len(self.buffer) < size:
            more = self.socket.recv(65536)
            if not more:
                raise ConnectionError("the server closed the connection")
            self.buffer += more
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def read(self):
        """Until the server is ready again, or has closed the connection with an error."""
        messages = []
        while True:
            try:
                kind, size = struct.unpack("!ci", self.take(5))
                body = self.take(size - 4)
            except ConnectionError:
                if any(kind == ERROR for kind, _ in messages):
                    return Answer(messages)
                raise
            messages.append((kind, body))
            if kind == READY:
                self.ready = body
                return Answer(messages)
            if kind == COPY_IN:  # nothing is copied in
                self.send(b"f", text("nothing to copy"))

    def send(self, kind, body=b""):
        self.socket.sendall(kind + struct.pack("!i", len(body) + 4) + body)

    def ask(self, sql):
        """The whole answer to a simple query, an error among them."""
        self.send(b"Q", text(sql))
        return self.read()

    def prepare(self, name, sql):
        self.send(b"P", text(name) + text(sql) + b"\0\0")
        self.send(b"S")
        return self.read()

    def bind(self, name, values, portal, rows):
        bound = b"".join(struct.pack("!i", len(v.encode())) + v.encode() for v in values)
        self.send(b"B", text(portal) + text(name) + struct.pack("!hh", 0, len(values)) + bound + b"\0\0")
        self.send(b"D", b"P" + text(portal))
        return self.more(portal, rows)

    def execute(self, name, *values):
        """The whole answer to a statement that was prepared by the protocol, described first, as drivers do."""
        return self.bind(name, values, "", 0)

    def once(self, name, sql, *values, portal="", rows=0):
        """Prepares and executes in one go; a number of rows leaves the portal open for more."""
        self.send(b"P", text(name) + text(sql) + b"\0\0")
        return self.bind(name, values, portal, rows)

    def more(self, portal, rows=0):
        self.send(b"E", text(portal) + struct.pack("!i", rows))
        self.send(b"S")
        return self.read()

    def run(self, sql):
        """Rows; raises Refused."""
        answer = self.ask(sql)
        if answer.state:
            raise Refused(answer)
        return answer.rows or answer.copied

    def value(self, sql):
        return self.run(sql)[0][0]

    def state(self, sql):
        """The SQLSTATE of a statement, "" for success; inside a transaction it is undone either way."""
        inside = self.ready != b"I"
        if inside:
            self.run("SAVEPOINT attempt")
        answer = self.ask(sql)
        if inside:
            self.ask("ROLLBACK TO attempt; RELEASE attempt")
        elif self.ready != b"I":
            self.ask("ROLLBACK")
        return answer.state
