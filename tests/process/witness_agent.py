#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Carries the questions for witnesses as aegis-agent does, from the outbox of a throw-away cluster to witnesses that listen
somewhere else than their registered addresses say.

    witness_agent.py PSQL SOCKET_FOLDER USER once|loop NAME=ADDRESS ...

once: one round, and what became of each. loop: until it is stopped, for two minutes at most.
"""
import base64
import json
import os
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from witness_client import ask  # noqa: E402


def rows(psql, folder, user, statement):
    done = subprocess.run([psql, "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", folder, "-U", user, "-d", "postgres", "-c", statement],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return [line for line in done.stdout.split("\n") if line]


def round_trip(database, addresses):
    said = []
    claimed = rows(*database, "SELECT json_build_object('id', id, 'lease', lease, 'at', destination, 'payload', convert_from(payload, 'UTF8')::json)"
                   " FROM aegis.claim_outbound(ARRAY['witness'], 10)")
    for job in map(json.loads, claimed):
        payload = job["payload"]
        try:
            status, body, _ = ask(addresses[job["at"]], payload["method"], payload["path"], base64.b64decode(payload["body"]))
        except (OSError, KeyError, ValueError):  # nobody listens there
            status, body = 0, b""
        outcome = "'delivered', '\\x%s', '{\"status\": %d}'" % (body.hex(), status) if status in payload["accept"] \
            else "'retry', NULL, '{\"error\": \"unreachable\"}'"
        became = rows(*database, "SELECT aegis.finish_outbound(%d, '%s', %s)" % (job["id"], job["lease"], outcome))[0]
        said.append("%s %d %s" % (job["at"], status, became))
    return said


def main():
    psql, folder, user, how, *pairs = sys.argv[1:]
    addresses = dict(pair.split("=", 1) for pair in pairs)
    if how == "once":
        print("\n".join(round_trip((psql, folder, user), addresses)))
        return
    # A round is never broken off: what it claimed would be nobody's until its lease ends.
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    end = time.monotonic() + 120
    while time.monotonic() < end and not stopping:
        if not round_trip((psql, folder, user), addresses):
            time.sleep(0.05)


if __name__ == "__main__":
    main()
