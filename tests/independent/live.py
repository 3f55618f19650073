#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads a live database with nothing but docs/format/, the master keys and what SQL gives, and compares.

    live.py --psql PROGRAM --socket FOLDER --keyring FILE --vkey KEY --verify PROGRAM

The database is a throw-away one with aegis and aegis_app: it is filled first. Prints ok and not ok lines.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import aegis_format as f  # noqa: E402
import aegis_note as n  # noqa: E402
from live_database import Database, Report  # noqa: E402
from live_fill import Fill  # noqa: E402
from live_keys import SUBJECT_KEYS, Keys, read_provider  # noqa: E402
from live_ledger import SNAPSHOT, Ledger  # noqa: E402
from live_proof import Proofs  # noqa: E402
from live_reverse import Reverse  # noqa: E402
from live_sealed import Sealed  # noqa: E402


def read_keys(database, keyring, report):
    with open(keyring, encoding="ascii") as file:
        masters = read_provider(file.read())
    rows = database.rows("SELECT tenant_id, kind, epoch, master_version, encode(salt, 'hex') AS salt, encode(wrapped, 'hex') AS wrapped, suite"
                         " FROM aegis.tenant_key WHERE state = 'active'")
    keys = Keys(masters, [dict(row, tenant_id=None if row["tenant_id"] == "00000000-0000-0000-0000-000000000000" else row["tenant_id"]) for row in rows],
                database.rows(SUBJECT_KEYS))
    keys.masters = masters
    findings = [] if len(keys.versions) > 1 else ["all roots are wrapped under one master key"]
    report.result("root keys of every tenant open under the master keys", findings, len(rows))
    known = {row["version"]: row["check_value"] for row in database.rows("SELECT version, encode(check_value, 'hex') AS check_value FROM aegis.master_key")}
    report.result("check values of the master keys agree",
                  ["version %d" % v for v, value in known.items() if f.check_value(masters[v], v).hex() != value], len(known))
    return keys


def check_bundles(database, options, ledger, report, tenants):
    """Exports are read here and by aegis-verify, against the first and the newest checkpoint: both must come to the same
    verdict and head."""
    notes = database.rows("SELECT note FROM aegis.checkpoint WHERE number IN (SELECT min(number) FROM aegis.checkpoint UNION"
                          " SELECT max(number) FROM aegis.checkpoint WHERE size <= %d) ORDER BY number" % len(ledger.root_log))
    roots = [n.read_checkpoint(n.read_note(row["note"].encode())[0])[1:] for row in notes]
    with tempfile.TemporaryDirectory() as folder:
        for tenant in [None] + tenants:
            name = "the bundle of %s" % (tenant or "the whole ledger")
            text = "".join(line + "\n" for line in database.script(
                "COPY (SELECT aegis.export_ledger(%s)) TO STDOUT;" % ("'%s'" % tenant if tenant else ""), "auditor")).encode()
            head = ledger.check_bundle(report, text, name, tenant, roots)
            path = os.path.join(folder, "bundle")
            with open(path, "wb") as file:
                file.write(text)
            command = [options.verify, "bundle", path, "--json", "--key", options.vkey] + (["--tenant", tenant] if tenant else [])
            for i, row in enumerate(notes):
                with open("%s.%d" % (path, i), "w", encoding="utf-8") as file:
                    file.write(row["note"])
                command += ["--checkpoint", "%s.%d" % (path, i)]
            done = subprocess.run(command, capture_output=True, check=False)
            said = json.loads(done.stdout)
            mine = {"result": "ok", "findings": 0, "head": head}
            theirs = {"result": said["result"], "findings": said["findings"], "head": "seal %d hash %s" % (said["newest_seal"], said["newest_hash"])}
            report.result("aegis-verify says the same of " + name, [] if mine == theirs else ["%r" % theirs], said["entries"])


def verdict_of(verify, vkey, receipt):
    """Exit status of aegis-verify: 0 holds, 1 does not, 2 is none."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(receipt)
        file.flush()
        done = subprocess.run([verify, "proof", file.name, "--key", vkey, "--origin", vkey.split("+", maxsplit=1)[0]], capture_output=True, check=False)
    return done.returncode


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--psql", "--socket", "--keyring", "--vkey", "--verify"):
        options.add_argument(name, required=True)
    options = options.parse_args()
    database, report = Database(options.psql, options.socket), Report()
    fill = Fill(database)
    fill.fill()
    tenants = list(fill.tenants.values())

    keys = read_keys(database, options.keyring, report)
    sealed = Sealed(database, keys, report)
    sealed.check_columns(tenants)
    sealed.check_users(fill)
    reverse = Reverse(database, keys, report, tenants[1])
    reverse.check_opened()
    reverse.check_changed()
    reverse.check_refused_rows()
    reverse.check_roots()

    # The tables that are replayed rest from here on; reveals and exports go on writing entries.
    database.value("SELECT aegis.wait_checkpoint('60 s')")
    ledger = Ledger(json.loads(line) for line in database.script(SNAPSHOT))
    ledger.check_entries(report)
    ledger.check_audit_log(report)
    ledger.check_seals(report)
    proofs = Proofs(database, ledger, report)
    proofs.check_cache()
    proofs.check_proofs()
    proofs.check_checkpoints(options.vkey)
    proofs.check_receipts(options.vkey, lambda receipt: verdict_of(options.verify, options.vkey, receipt))
    parts = sealed.open_parts(ledger)
    sealed.check_parts(parts, fill)
    sealed.check_images(parts)
    reverse.check_bodies(varied_bodies(ledger))
    check_bundles(database, options, ledger, report, tenants)
    return 1 if report.failed else 0


def varied_bodies(ledger):
    """The shortest body of each event type and, of changes of rows, of each table."""
    chosen = {}
    for entry in ledger.entries.values():
        m = f.read_entry(entry["bytes"])
        kind = (m[3], m.get(11, {}).get(0), m.get(11, {}).get(1))
        if kind not in chosen or len(entry["bytes"]) < len(chosen[kind]):
            chosen[kind] = entry["bytes"]
    return [body for body in chosen.values() if len(body) < 400]


if __name__ == "__main__":
    sys.exit(main())
