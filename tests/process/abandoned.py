#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Guesses passwords as the gateway's login, and ends each guess in a way that would take it back.

    abandoned.py SOCKET      the cluster has both extensions, and logins "gateway" and "operator" """
import json
import os
import socket
import struct
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "attacks"))
from wire import Session, text  # noqa: E402

PASSWORD = "seven-quiet-otters-dance-91"
PEOPLE = """
BEGIN;
SELECT aegis.assume_tenant((SELECT id FROM aegis.tenants()), 'test of guesses', 'TEST-1', read_only => false);
INSERT INTO public.people SELECT n, aegis.create_user('user' || n || '@guess.example', 'User ' || n, 1::smallint, NULL, '%s')
  FROM generate_series(%d, %d) n;
COMMIT;
"""
ITERATIONS = 20  # of a hash that takes long enough to be met in the midst of it
CALLS = {
    "aegis.sign_in": "SELECT {shown} FROM aegis.sign_in('guess', '{email}', '{password}', NULL, NULL, '{mark}')",
    "aegis.handle": "SELECT {shown} FROM aegis.handle('POST', '/api/session', ARRAY['content-type', 'application/json'], '\\x{body}', '127.0.0.1', '{mark}')",
}
# Fails on what it is told: the length of the outcome's word, and the status.
UNDOING = {("aegis.sign_in", "wrong"): "1 / (length(outcome) - 6)", ("aegis.sign_in", "right"): "1 / (length(outcome) - 7)",
           ("aegis.handle", "wrong"): "1 / (status - 401)", ("aegis.handle", "right"): "1 / (status - 201)"}
# What is left of it: failures that count, live sessions, and entries.
LEFT = """
SELECT u.failed_count, (SELECT count(*) FROM aegis.session s WHERE s.user_id = u.id AND s.ended_at IS NULL),
       coalesce((SELECT string_agg(event, ' ' ORDER BY seq) FROM aegis.audit_log WHERE request_id = '%s'), '')
  FROM aegis.user u JOIN public.people p ON p.user_id = u.id WHERE p.n = %d
"""
BROKEN = "SELECT 1 / (SELECT 0)"


def wait(condition, what, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("never came: " + what)
        time.sleep(0.01)


class Keyed(Session):
    """With what it takes to cancel."""

    @property
    def key(self):
        return next(struct.unpack("!ii", body) for kind, body in self.hello.messages if kind == b"K")

    def cancel(self):
        with socket.socket(socket.AF_UNIX) as other:
            other.connect(self.socket.getpeername())
            other.sendall(struct.pack("!iiii", 16, 80877102, *self.key))
            other.recv(1)  # the end: it was delivered


class Guess:
    """One statement of the gateway's, which guesses the password of somebody whom nobody guessed before."""

    def __init__(self, place, root, number, call, kind):
        self.root, self.mark, self.number = root, "guess-%d" % number, number
        email, password = "user%d@guess.example" % number, PASSWORD if kind == "right" else "wrong"
        body = json.dumps({"tenant": "guess", "email": email, "password": password}).encode().hex()

        def statement(shown):
            return CALLS[call].format(shown=shown, email=email, password=password, body=body, mark=self.mark)
        self.sql, self.undoing = statement("*"), statement(UNDOING[call, kind])
        self.session = Keyed(place, "gateway")

    def begin(self):
        """Until the attempt is charged, which is before the hash."""
        self.session.send(b"Q", text(self.sql))
        wait(lambda: self.root.value("SELECT charges_open > 0 FROM aegis.worker_status()") == "t", "the charge")

    def parts(self, sql, rows=0):
        """Parse, bind and execute, without the end of the pipeline."""
        self.session.send(b"P", text("") + text(sql) + b"\0\0")
        self.session.send(b"B", text("") + text("") + struct.pack("!hhh", 0, 0, 0))
        self.session.send(b"E", text("") + struct.pack("!i", rows))

    def left(self):
        wait(lambda: self.root.value("SELECT count(*) FROM pg_stat_activity WHERE usename = 'gateway' AND state <> 'idle'") == "0", "its end")
        wait(lambda: self.root.value("SELECT alive AND charges_open = 0 AND charges_waiting = 0 FROM aegis.worker_status()") == "t", "its entry")
        return self.root.run(LEFT % (self.mark, self.number))[0]


# Each ends one guess; the SQLSTATE that the client saw, where it stayed to see one.

def timed_out(guess):
    """On a busy machine the time may be over before anything is looked at: then it has more."""
    for wait_for in (50, 100, 200, 400):
        guess.session.run("SET statement_timeout = %d" % wait_for)
        state = guess.session.ask(guess.sql).state
        if state != "57014" or guess.left() != NOTHING:
            return state


def cancelled(guess):
    guess.begin()
    guess.session.cancel()
    return guess.session.read().state


def terminated(guess):
    guess.begin()
    guess.root.run("SELECT pg_terminate_backend(%d, 10000)" % guess.session.key[0])


def disconnected(guess):
    guess.begin()
    guess.session.close()


def undone_by_its_own_statement(guess):
    return guess.session.ask(guess.undoing).state


def in_one_message_with_others(guess):
    return guess.session.ask(guess.sql + "; " + BROKEN).state


def in_a_pipeline(guess):
    guess.parts(guess.sql)
    guess.parts(BROKEN)
    guess.session.send(b"S")
    return guess.session.read().state


def in_a_pipeline_behind_others(guess):
    guess.parts("SELECT 1")
    guess.parts(guess.sql)
    guess.parts(BROKEN)
    guess.session.send(b"S")
    return guess.session.read().state


def one_row_of_a_portal(guess):
    """The portal stays open, so that nothing was committed when what follows breaks."""
    guess.parts(guess.sql, rows=1)
    guess.parts(BROKEN)
    guess.session.send(b"S")
    return guess.session.read().state


def one_row_and_gone(guess):
    """The answer is read, and then the connection goes before the end of the pipeline."""
    guess.parts(guess.sql, rows=1)
    guess.session.send(b"H")
    while guess.session.take(1) != b"D":
        guess.session.take(struct.unpack("!i", guess.session.take(4))[0] - 4)
    guess.session.close()


ABANDONED, FAILED, NOTHING = ["1", "0", "auth.sign_in_abandoned"], ["1", "0", "auth.sign_in_failed"], ["0", "0", ""]
# What the client may see, and what may be left: the attempt that counts, or nothing of one that was refused before it looked.
WAYS = {timed_out: ("57014", [ABANDONED]), cancelled: ("57014", [ABANDONED]), terminated: (None, [ABANDONED]), disconnected: (None, [ABANDONED, FAILED]),
        undone_by_its_own_statement: ("22012", [ABANDONED]), in_one_message_with_others: ("25001", [NOTHING]), in_a_pipeline: ("22012", [FAILED]),
        in_a_pipeline_behind_others: ("25001", [NOTHING]), one_row_of_a_portal: ("22012", [ABANDONED]), one_row_and_gone: (None, [ABANDONED])}
# A right password is no session then, whatever was read of it.
RIGHT = (cancelled, undone_by_its_own_statement, one_row_and_gone)


def main(place):
    root, operator, failed = Session(place, "postgres"), Session(place, "operator"), False
    cases = [(way, call, "wrong") for way in WAYS for call in CALLS] + [(way, call, "right") for way in RIGHT for call in CALLS]
    root.run("CREATE TABLE public.people (n int, user_id uuid); GRANT INSERT ON public.people TO operator")
    operator.run("SELECT aegis.create_tenant('guess', 'Guess')")
    operator.run(PEOPLE % (PASSWORD, 1, len(cases)))
    # Everybody gets the slow hash of one of them.
    root.run("ALTER SYSTEM SET aegis.password_iterations = %d" % ITERATIONS)
    root.run("SELECT pg_reload_conf()")
    wait(lambda: operator.value("SHOW aegis.password_iterations") == str(ITERATIONS), "the setting")
    operator.run(PEOPLE % (PASSWORD, 0, 0))
    root.run("UPDATE aegis.user SET password_hash = (SELECT u.password_hash FROM aegis.user u JOIN public.people p ON p.user_id = u.id WHERE p.n = 0)")
    for number, (way, call, kind) in enumerate(cases, 1):
        guess = Guess(place, root, number, call, kind)
        seen, (state, wanted) = way(guess), WAYS[way]
        left = guess.left()
        guess.session.close()
        wrong = seen != state or left not in wanted
        failed = failed or wrong
        print("%sok abandoned/%s, %s by %s" % ("not " if wrong else "", way.__name__.replace("_", " "), kind, call), flush=True)
        if wrong:
            print("  saw %s, wanted %s; left %s, wanted %s" % (seen, state, left, wanted))
    return failed


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1]) else 0)
