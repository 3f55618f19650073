#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Opens the values of live.person with nothing but docs/format/, the master keys and the tables of keys.

    live_subject.py --psql PROGRAM --socket FOLDER --keyring FILE [--moved]

Prints a line for each value: its row, its column, and its plaintext or "closed". With --moved, whether a value opens where it
does not belong: in another row, for another person, without either.
"""
import argparse
import os
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import aegis_format as f  # noqa: E402
from aegis_format import Refused  # noqa: E402
from live_database import Database  # noqa: E402
from live_keys import SUBJECT_KEYS, Keys, People, read_provider, uuid_bytes  # noqa: E402


def outcome(people, envelope, subject, row):
    try:
        return people.open(envelope, subject, row).decode()
    except Refused:
        return "closed"


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--psql", "--socket", "--keyring"):
        options.add_argument(name, required=True)
    options.add_argument("--moved", action="store_true")
    options = options.parse_args()
    database = Database(options.psql, options.socket)
    with open(options.keyring, encoding="ascii") as file:
        masters = read_provider(file.read())
    keys = Keys(masters, database.rows(
        "SELECT tenant_id, kind, epoch, master_version, suite, encode(salt, 'hex') AS salt, encode(wrapped, 'hex') AS wrapped"
        " FROM aegis.tenant_key WHERE wrapped IS NOT NULL AND tenant_id <> '00000000-0000-0000-0000-000000000000'"))
    wrapped = database.rows(SUBJECT_KEYS)
    for tenant, number, person, *values in database.copy("(SELECT tenant_id, id, person, mail::text, secret::text FROM live.person ORDER BY id)"):
        people = People(keys, uuid_bytes(tenant), [row for row in wrapped if row["tenant_id"] == tenant])
        subject, row = f.encode_subject("text", person), [uuid_bytes(tenant), struct.pack(">q", int(number))]
        places = [(subject, row, "")]
        if options.moved:
            places = [(subject, [row[0], struct.pack(">q", int(number) + 1)], " in another row"), (subject, [], " in no row"),
                      (f.encode_subject("text", "somebody else"), row, " of another person"), (b"", row, " of nobody")]
        for column, armored in zip(("mail", "secret"), values):
            for whose, where, name in places:
                if column == "mail" and where is row:
                    where = []                # bound to the person only
                elif column == "mail" and name:
                    continue
                print("%s %s%s: %s" % (number, column, name, outcome(people, f.from_armor(armored), whose, where)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
