# SPDX-License-Identifier: Apache-2.0
"""What a driver does that psql does not: statements in the extended protocol, portals that are read bit by bit.

context_clock.py PLACE TOKEN: prints ok or not ok for each."""
import struct
import sys
import time

sys.path.insert(0, "tests/attacks")
import wire

place, token = sys.argv[1:]


def say(name, good, got=None):
    print("ok " + name if good else "not ok %s\n  got: %r" % (name, got))


def begin():
    session = wire.Session(place, "member")
    session.run("BEGIN")
    session.run("SELECT aegis.authenticate('%s')" % token)
    return session


SLOW = "SELECT count(*) FROM generate_series(1, 2000000000)"

# Opening a portal and running it are two messages, and PostgreSQL stops its clock in between.
session = begin()
session.prepare("slow", SLOW)
start = time.monotonic()
answer = session.execute("slow")
say("the extended protocol has the statement timeout", answer.state == "57014", answer.state)
session.close()

# The clock of one statement does not run on into the next.
session = begin()
session.prepare("quick", "SELECT 1")
states = []
for _ in range(4):
    time.sleep(0.3)
    states.append(session.execute("quick").state)
say("a statement is not cut off by the time of one before", states == [""] * 4, states)
session.run("ROLLBACK")


def part(session, rows):
    """Some rows of the portal "bits", which stays open."""
    session.send(b"E", b"bits\0" + struct.pack("!i", rows))
    session.send(b"S")
    return session.read()


session.run("SET application_name = 'portal'")
session.run("BEGIN")
session.run("SELECT aegis.authenticate('%s')" % token)
session.prepare("rows", "SELECT body FROM note, generate_series(1, 10)")
session.send(b"B", b"bits\0rows\0" + struct.pack("!hhh", 0, 0, 0))
session.send(b"S")
session.read()
first = part(session, 2)
say("a portal gives rows while the context lasts", len(first.rows) == 2, first.state)
time.sleep(2.2)
answer = part(session, 2)
say("and none after", answer.state == "AG002" and not answer.rows, (answer.state, answer.rows))
session.close()
