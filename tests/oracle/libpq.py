# SPDX-License-Identifier: Apache-2.0
"""Just enough of libpq: psql of this version cannot prepare statements of the protocol, nor keep a session per login."""
import ctypes
import ctypes.util

pq = ctypes.CDLL(ctypes.util.find_library("pq") or "libpq.so.5")
POINTERS = ("PQconnectdb", "PQexec", "PQprepare", "PQexecPrepared", "PQgetResult")
TEXTS = ("PQerrorMessage", "PQresultErrorField", "PQgetvalue", "PQcmdTuples", "PQresultErrorMessage")
for name in POINTERS:
    getattr(pq, name).restype = ctypes.c_void_p
for name in TEXTS:
    getattr(pq, name).restype = ctypes.c_char_p
NOTICE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p)
pq.PQsetNoticeProcessor.argtypes = [ctypes.c_void_p, NOTICE, ctypes.c_void_p]
COMMAND_OK, TUPLES_OK, COPY_OUT, COPY_IN = 1, 2, 3, 4


class Refused(Exception):
    """The server's answer was an error."""

    def __init__(self, state, message):
        super().__init__("%s: %s" % (state, message))
        self.state, self.message = state, message


class Session:
    def __init__(self, socket, user, database="postgres"):
        self.connection = ctypes.c_void_p(pq.PQconnectdb(("host=%s user=%s dbname=%s" % (socket, user, database)).encode()))
        if pq.PQstatus(self.connection) != 0:
            message = pq.PQerrorMessage(self.connection).decode().strip()
            self.close()
            raise Refused("08006", message)
        self.notices = []
        self.affected = 0
        self.prepared = {}
        self.keep = NOTICE(lambda _, text: self.notices.append(text.decode().strip()))
        pq.PQsetNoticeProcessor(self.connection, self.keep, None)

    def close(self):
        if self.connection:
            pq.PQfinish(self.connection)
            self.connection = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def take(self, result):
        """Rows of a result as lists of text."""
        result = ctypes.c_void_p(result)
        try:
            status = pq.PQresultStatus(result)
            if status == TUPLES_OK or status == COMMAND_OK:
                self.affected = int(pq.PQcmdTuples(result) or 0)
                return [[None if pq.PQgetisnull(result, r, c) else pq.PQgetvalue(result, r, c).decode() for c in range(pq.PQnfields(result))]
                        for r in range(pq.PQntuples(result))]
            if status == COPY_OUT:
                return [line.split("\t") for line in self.copied()]
            if status == COPY_IN:
                return None
            state = pq.PQresultErrorField(result, ord("C"))
            text = pq.PQresultErrorField(result, ord("M")) or pq.PQerrorMessage(self.connection)
            raise Refused((state or b"08006").decode(), text.decode().strip())
        finally:
            pq.PQclear(result)

    def copied(self):
        lines, buffer = [], ctypes.c_char_p()
        while (size := pq.PQgetCopyData(self.connection, ctypes.byref(buffer), 0)) > 0:
            lines.append(ctypes.string_at(buffer, size).decode().rstrip("\n"))
            pq.PQfreemem(buffer)
        while last := pq.PQgetResult(self.connection):
            self.take(last)
        return lines

    def run(self, sql):
        """Rows of the last of the statements."""
        return self.take(pq.PQexec(self.connection, sql.encode()))

    def value(self, sql):
        return self.run(sql)[0][0]

    def execute(self, sql, *values):
        """As a prepared statement of the protocol, which stays for the rest of the session, as a driver's do."""
        if sql not in self.prepared:
            name = b"s%d" % len(self.prepared)
            self.take(pq.PQprepare(self.connection, name, sql.encode(), 0, None))
            self.prepared[sql] = name
        given = (ctypes.c_char_p * len(values))(*[v.encode() for v in values])
        return self.take(pq.PQexecPrepared(self.connection, self.prepared[sql], len(values), given, None, None, 0))

    def attempt(self, call):
        """What call() gives, undone; the error as a Refused. Inside a transaction."""
        self.run("SAVEPOINT attempt")
        try:
            return call()
        except Refused as refused:
            return refused
        finally:
            self.run("ROLLBACK TO attempt; RELEASE attempt")
