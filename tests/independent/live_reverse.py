# SPDX-License-Identifier: Apache-2.0
"""The other way round: what this program seals, the database opens; and what is changed, both refuse."""
import os

import aegis_format as f
from aegis_format import Refused
from live_database import Failed, literal
from live_keys import uuid_bytes
from live_ledger import decoded

# What a statement says to a value: its plaintext, or the class of error.
ATTEMPTS = r"""
CREATE FUNCTION live.try_reveal(armored text, searchable boolean) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  IF searchable THEN RETURN 'opened ' || aegis.reveal(armored::aegis.sealed_email); END IF;
  RETURN 'opened ' || aegis.reveal(armored::aegis.sealed_text);
EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE;
END $$;
CREATE FUNCTION live.try_decode(body bytea) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
  RETURN (SELECT to_jsonb(d) - 'time' || jsonb_build_object('unix_micros', (extract(epoch FROM d."time") * 1000000)::bigint) FROM aegis.decode_entry(body) d);
EXCEPTION WHEN OTHERS THEN RETURN to_jsonb(SQLSTATE);
END $$;
"""
PLAINTEXTS = ["", "from the second reader", "Zo\u00eb \u5c71\u7530 \U0001F600\n\ttab", "x" * 70000, "A1 is not armor"]
MAILS = ["Second.Reader@Example.ORG", " zo\u00eb@\u00dcber.example ", "a@b"]
REFUSALS = ("22P02", "22023", "AG003", "AG005", "AG004")  # 22023: it says that it is bound to its row


class Reverse:
    def __init__(self, database, keys, report, tenant):
        self.database, self.keys, self.report, self.tenant = database, keys, report, tenant
        self.assumed = "BEGIN; DO $$ BEGIN PERFORM aegis.assume_tenant('%s', 'compare', 'T-4', read_only => false); END $$;" % tenant
        database.script(ATTEMPTS)

    def seal(self, text, searchable):
        return self.keys.seal_value(text.encode(), uuid_bytes(self.tenant), "live.mail" if searchable else "live.secret", searchable, os.urandom(24))

    def check_opened(self):
        """Stored as ciphertext through the trigger, then revealed; addresses are found by what was sealed elsewhere."""
        rows = [(1000 + i, None, text) for i, text in enumerate(PLAINTEXTS)] + [(2000 + i, mail, None) for i, mail in enumerate(MAILS)]
        insert = "".join("INSERT INTO live.record (id, mail, secret) VALUES (%d, %s, %s);\n" % (
            number, literal(mail and f.armor(self.seal(mail, True))), literal(None if text is None else f.armor(self.seal(text, False))))
            for number, mail, text in rows)
        self.database.script(self.assumed + insert + "COMMIT;")
        got = {row["id"]: (row["mail"], row["secret"]) for row in self.database.rows(
            "SELECT id, aegis.reveal(mail) AS mail, aegis.reveal(secret) AS secret FROM live.record WHERE id >= 1000 AND tenant_id = '%s'" % self.tenant,
            before=self.assumed)}
        self.report.result("envelopes made by this program are stored, and aegis.reveal opens them",
                           ["%d: %r" % (number, got.get(number)) for number, mail, text in rows if got.get(number) != (mail, text)], len(rows))
        findings = []
        for number, mail, _ in rows:
            if mail is None:
                continue
            spelled = "  %s\n" % "".join(c.upper() if c.isascii() else c for c in mail.strip())
            found = self.database.rows("SELECT id FROM live.record WHERE mail = %s AND tenant_id = '%s'" % (literal(spelled), self.tenant),
                                       before=self.assumed)
            if [row["id"] for row in found] != [number]:
                findings.append("%r finds %r" % (spelled, found))
        self.report.result("equality finds them: blind-index tokens agree", findings, len(MAILS))

    def opens(self, envelope, searchable):
        try:
            return self.keys.open_value(envelope, uuid_bytes(self.tenant), *(("live.mail", "sealed_email") if searchable else ("live.secret", "sealed_text")))
        except Refused:
            return None

    def check_changed(self):
        """Every byte of two envelopes, changed in two ways; cut, grown; of another tenant, field or token."""
        for searchable in (True, False):
            good = self.seal("changed@example.org", searchable)
            other = self.seal("other@example.org", searchable)
            tries = [("as sealed", good)]
            for at in range(len(good)):
                for bit in (0x01, 0x80):
                    tries.append(("byte %d" % at, good[:at] + bytes([good[at] ^ bit]) + good[at + 1:]))
            tries += [("cut by %d" % n, good[:-n]) for n in (1, 16, 17, 40)] + [("grown", good + b"\0"), ("stripped", f.strip_token(good))]
            tries.append(("another's token", other[:36] + good[36:] if searchable else other[:44] + good[44:]))
            tries.append(("header of another field", self.keys.seal_value(b"changed@example.org", uuid_bytes(self.tenant), "customer.email", searchable, os.urandom(24))))
            values = ", ".join("(%d, %s)" % (i, literal(f.armor(envelope))) for i, (_, envelope) in enumerate(tries))
            said = {row["i"]: row["said"] for row in self.database.rows(
                "SELECT i, live.try_reveal(armored, %s) AS said FROM (VALUES %s) v (i, armored)" % (searchable, values), before=self.assumed)}
            findings = []
            for i, (name, envelope) in enumerate(tries):
                mine = self.opens(envelope, searchable)
                # A value whose token was cut out is refused where one is expected; that it opens under
                # the field that its header names is what reveal is for.
                if name == "header of another field":
                    wanted = said[i].startswith("opened ") and mine is None
                elif i == 0 or (name == "stripped" and not searchable):
                    wanted = mine == b"changed@example.org" and said[i] == "opened changed@example.org"
                else:
                    wanted = mine is None and said[i] in REFUSALS
                if not wanted:
                    findings.append("%s: %r here, %s there" % (name, mine, said[i]))
            self.report.result("a changed envelope is refused by both, %s" % ("searchable" if searchable else "opaque"), findings, len(tries))

    def check_roots(self):
        """A changed row of aegis.tenant_key opens for neither."""
        row = self.database.rows("SELECT kind, epoch, master_version, encode(salt, 'hex') AS salt, encode(wrapped, 'hex') AS wrapped"
                                 " FROM aegis.tenant_key WHERE tenant_id = '%s' AND kind = 'root'" % self.tenant)[0]
        salt, wrapped = bytes.fromhex(row["salt"]), bytes.fromhex(row["wrapped"])
        armored = f.armor(self.seal("under a root", False))
        masters, findings, count = self.keys.masters, [], 0
        for column, value, at in [("wrapped", wrapped, at) for at in (0, 23, 24, 55, 56, 71)] + [("salt", salt, at) for at in (0, 31)]:
            changed = value[:at] + bytes([value[at] ^ 1]) + value[at + 1:]
            count += 1
            try:
                f.unwrap_root(masters[row["master_version"]], row["master_version"], changed if column == "salt" else salt,
                              uuid_bytes(self.tenant), row["epoch"], changed if column == "wrapped" else wrapped)
                findings.append("%s, byte %d: opens here" % (column, at))
            except Refused:
                pass
            update = "UPDATE aegis.tenant_key SET %s = %s WHERE tenant_id = '%s' AND kind = 'root';" % (column, literal(changed), self.tenant)
            said = self.database.script("BEGIN; %s SELECT aegis.assume_tenant('%s', 'compare', 'T-5', read_only => false) \\g /dev/null\n"
                                        "SELECT live.try_reveal('%s', false); ROLLBACK;\n" % (update, self.tenant, armored))[-1]
            if said != "AG003":
                findings.append("%s, byte %d: %s there" % (column, at, said))
        self.report.result("a changed root key opens for neither", findings, count)

    def check_bodies(self, bodies):
        """Entry bodies with one byte changed: both refuse, or both read the same."""
        tries = []
        for body in bodies:
            for at in range(len(body)):
                for bit in (0x01, 0x20, 0x80):
                    tries.append(body[:at] + bytes([body[at] ^ bit]) + body[at + 1:])
        tries = list(dict.fromkeys(tries))
        findings, refused = [], 0
        for start in range(0, len(tries), 2000):
            part = tries[start:start + 2000]
            values = ", ".join("(%d, %s)" % (i, literal(body)) for i, body in enumerate(part))
            for row in self.database.rows("SELECT i, live.try_decode(body) AS said FROM (VALUES %s) v (i, body)" % values):
                try:
                    mine = decoded(part[row["i"]])
                except Refused:
                    mine = None
                    refused += 1
                difference = self.difference(mine, row["said"])
                if difference:
                    findings.append("%s in %s" % (difference, part[row["i"]].hex()))
        if not 0 < refused < len(tries):
            findings.append("%d of %d refused" % (refused, len(tries)))
        self.report.result("entry bodies with a changed byte are refused by both, or read alike", findings, len(tries))

    @staticmethod
    def difference(mine, said):
        """Between what was read here and there; None when both refused, or read alike."""
        if mine is None or isinstance(said, str):
            return None if mine is None and isinstance(said, str) else "refused %s only" % ("here" if mine is None else "there")
        return next(("%s: %r here, %r there" % (name, mine[name], said[name]) for name in mine if mine[name] != said[name]), None)

    def check_refused_rows(self):
        """A changed envelope does not reach a table either."""
        good = self.seal("row@example.org", True)
        findings, places = [], {"tenant tag": 4, "epoch": 15, "field": 19, "token": 20, "nonce": 36, "ciphertext": 60, "tag": len(good) - 1}
        for name, at in places.items():
            changed = good[:at] + bytes([good[at] ^ 1]) + good[at + 1:]
            try:
                self.database.script(self.assumed + "INSERT INTO live.record (id, mail) VALUES (3000, '%s'); COMMIT;" % f.armor(changed))
                findings.append(name + ": was stored")
            except Failed as failed:
                if "ERROR" not in str(failed):
                    findings.append("%s: %s" % (name, failed))
        self.report.result("a changed envelope is not stored", findings, len(places))
