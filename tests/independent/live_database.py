# SPDX-License-Identifier: Apache-2.0
"""What the live checks get from a database: psql's output and nothing else. And how they report."""
import json
import struct
import subprocess


class Failed(Exception):
    """psql ended with an error."""


class Database:
    def __init__(self, psql, socket, name="postgres"):
        self.command = [psql, "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", socket, "-d", name]

    def script(self, text, role="postgres"):
        """Lines that the script printed."""
        done = subprocess.run(self.command + ["-U", role], input=text.encode(), capture_output=True, check=False)
        if done.returncode != 0:
            raise Failed(done.stderr.decode(errors="replace").strip())
        lines = done.stdout.decode().split("\n")
        return lines[:-1]

    def rows(self, query, role="postgres", before=""):
        """Rows as dictionaries; before: statements that print nothing, in the same session."""
        return [json.loads(line) for line in
                self.script("%s\nSELECT pg_catalog.row_to_json(q) FROM (%s) q;\n" % (before, query), role)]

    def value(self, query, role="postgres"):
        lines = self.script(query + ";\n", role)
        return lines[-1] if lines else None

    def copy(self, what):
        """Rows of COPY ... TO STDOUT in text form, NULL as None."""
        return [[from_copy(field) for field in line.split("\t")] for line in self.script("COPY %s TO STDOUT;\n" % what)]

    def copy_binary(self, what):
        """Rows of the same in binary form."""
        done = subprocess.run(self.command + ["-U", "postgres", "-c", "COPY %s TO STDOUT (FORMAT binary)" % what],
                              capture_output=True, check=True)
        return from_copy_binary(done.stdout)


ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def from_copy(field):
    if field == "\\N":
        return None
    out, at = [], 0
    while at < len(field):
        if field[at] == "\\":
            at += 1
            out.append(ESCAPES.get(field[at], field[at]))
        else:
            out.append(field[at])
        at += 1
    return "".join(out)


def from_copy_binary(data):
    assert data[:11] == b"PGCOPY\n\xff\r\n\x00"
    at = 19 + struct.unpack(">I", data[15:19])[0]
    rows = []
    while True:
        count, = struct.unpack(">h", data[at:at + 2])
        at += 2
        if count < 0:
            return rows
        row = []
        for _ in range(count):
            size, = struct.unpack(">i", data[at:at + 4])
            at += 4
            row.append(None if size < 0 else data[at:at + size])
            at += max(size, 0)
        rows.append(row)


def literal(value):
    """An SQL literal of a text or bytes, NULL for None."""
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return "'\\x%s'::bytea" % value.hex()
    return "'%s'" % value.replace("'", "''")


class Report:
    """Lines "ok NAME" and "not ok NAME" with what was found. A check that looked at nothing has failed."""

    def __init__(self):
        self.failed = 0

    def result(self, name, findings, looked_at):
        findings = list(findings)
        if looked_at == 0:
            findings.append("nothing was compared")
        print("%s %s (%d)" % ("not ok" if findings else "ok", name, looked_at))
        for finding in findings[:8]:
            print("  " + finding[:400])
        if len(findings) > 8:
            print("  and %d more" % (len(findings) - 8))
        self.failed += bool(findings)
