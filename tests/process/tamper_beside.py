#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Answers for a witness, a folder and a time stamp authority what a ledger asks of them, so that there is something to tamper with.

    tamper_beside.py FOLDER DATABASE

The keys are published, for tests only: the witness's stands in tests/vectors/cosignature_v1.json; the authority is OpenSSL's own, in
FOLDER (tsa.cnf, tsa.pem, tsa.key). Ends when the anchors `folder` and `stamp`, and the witness `one` if it is registered, have the newest checkpoint; the
witness `two` and the anchor `store` always answer that they do not know the path.
"""
import base64
import json
import os
import subprocess
import sys
import time

sys.dont_write_bytecode = True
here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(here, "..", "independent"), os.path.join(here, "..", "oracle")]

import aegis_note as note  # noqa: E402
from libpq import Session  # noqa: E402

SEED = bytes(range(0x80, 0xa0))
NAME = "witness.example/one"
BEHIND = (f"SELECT count(*) < 2 + (SELECT count(*) FROM aegis.witness WHERE name = '{NAME}') FROM (SELECT checkpoint FROM aegis.cosignature UNION ALL SELECT checkpoint FROM aegis.anchor_receipt) r"
          " WHERE checkpoint = (SELECT max(number) FROM aegis.checkpoint)")


def cosign(body):
    """What a witness says to an add-checkpoint; it believes everything."""
    text = body.split(b"\n\n", 1)[1].split(b"\n\n", 1)[0].decode() + "\n"
    return note.cosignature_line(text, NAME, SEED, int(time.time())).encode()


def stamp(folder, body):
    with open(os.path.join(folder, "query"), "wb") as file:
        file.write(body)
    subprocess.run(["openssl", "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query", "-signer", "tsa.pem", "-inkey", "tsa.key", "-out", "reply"],
                   cwd=folder, capture_output=True, check=True)
    with open(os.path.join(folder, "reply"), "rb") as file:
        return file.read()


def answer(folder, destination, body):
    """(status, answer)"""
    if destination == "one":
        return 200, cosign(body)
    if destination == "stamp":
        return 200, stamp(folder, body)
    if destination == "folder":
        return None, b""
    return 404, b""


def main(folder, database):
    session = Session(folder, "postgres", database)
    end = time.monotonic() + 60
    while session.value(BEHIND) == "t":
        if time.monotonic() > end:
            sys.exit(f"not ok what lies beside the ledger: {session.run('SELECT name, standing, fault FROM aegis.witness UNION ALL SELECT name, standing, fault FROM aegis.anchor')}")
        claimed = session.run("SELECT id, lease, destination, convert_from(payload, 'UTF8') FROM aegis.claim_outbound(ARRAY['witness', 'anchor', 'anchor_file'], 10)")
        for job, lease, destination, payload in claimed:
            status, said = answer(folder, destination, base64.b64decode(json.loads(payload)["body"]))
            detail = "{}" if status is None else json.dumps({"status": status})
            session.run(f"SELECT aegis.finish_outbound({job}, '{lease}', 'delivered', '\\x{said.hex()}', '{detail}')")
        if not claimed:
            time.sleep(0.02)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
