# SPDX-License-Identifier: Apache-2.0
"""Sealed values of a live database: columns, parts of ledger entries, and what the images of rows add up to."""
import datetime

import aegis_format as f
from aegis_format import Refused
from live_database import literal
from live_keys import NIL, uuid_bytes
from live_ledger import is_envelope

# Whose a value is, and the columns of the primary key that it is bound to; every one of them is a uuid.
COLUMNS = """
SELECT c.oid::regclass::text AS relation, a.attname AS column, d.name AS field, t.typname AS type, d.subject_column AS subject,
       CASE WHEN d.row_key IS NOT NULL THEN (SELECT array_agg(k.attname ORDER BY array_position(i.indkey::int2[], k.attnum)) FROM pg_index i
         JOIN pg_attribute k ON k.attrelid = i.indrelid AND k.attnum = ANY (i.indkey) WHERE i.indrelid = c.oid AND i.indisprimary) END AS row
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_type t ON t.oid = a.atttypid
  LEFT JOIN aegis.field d ON d.relation = c.oid AND d.column_name = a.attname
 WHERE t.typnamespace = 'aegis'::regnamespace AND t.typname LIKE 'sealed\\_%' AND t.typtype = 'b' AND c.relkind = 'r' AND NOT a.attisdropped
 ORDER BY 1, 2"""

# SQL that shows a column as entry-v1 puts it into an image.
FORMS = {"bool": "{0}", "int2": "{0}", "int4": "{0}", "int8": "{0}", "oid": "{0}::bigint", "uuid": "'\\x' || replace({0}::text, '-', '')", "bytea": "'\\x' || encode({0}, 'hex')",
         "date": "CASE WHEN isfinite({0}) THEN to_jsonb({0} - '1970-01-01'::date) ELSE to_jsonb({0}::text) END",
         "timestamptz": "CASE WHEN isfinite({0}) THEN to_jsonb((extract(epoch FROM {0}) * 1000000)::bigint) ELSE to_jsonb({0}::text) END",
         "timestamp": "CASE WHEN isfinite({0}) THEN to_jsonb((extract(epoch FROM {0}) * 1000000)::bigint) ELSE to_jsonb({0}::text) END"}
AS_IS, AS_TEXT = ("text", "varchar", "bpchar", "name"), ("json", "jsonb", "numeric")


# Of which aegis.reveal gives nothing to anybody: the code that checks them opens them.
CREDENTIALS = {"user.totp_secret", "provider_account.credential"}


def shown(column, plaintext):
    """A plaintext as row_to_json() shows what aegis.reveal gives."""
    if column["type"] == "sealed_bytea":
        return "\\x" + plaintext.hex()
    if column["type"] == "sealed_date":
        return str(datetime.date(2000, 1, 1) + datetime.timedelta(days=int.from_bytes(plaintext, "big", signed=True)))
    return plaintext.decode()


def bond(column, value_of):
    """Subject and row parts of a column's value; value_of(column) gives the 16 bytes that stand there."""
    subject = f.encode_subject("uuid", value_of(column["subject"])) if column["subject"] else b""
    return subject, [value_of(name) for name in column["row"] or ()]


class Sealed:
    def __init__(self, database, keys, report):
        self.database, self.keys, self.report = database, keys, report
        self.columns = database.rows(COLUMNS)
        self.fields = {f.field_reference(row["field"]): row for row in self.columns if row["field"]}

    def check_columns(self, tenants):
        """Every value of every sealed column, opened from what COPY gives, against aegis.reveal in the tenant's context."""
        findings = ["%s.%s is no field" % (c["relation"], c["column"]) for c in self.columns if not c["field"]]
        opened = {}
        for column in self.columns:
            bound = sorted({column["subject"], *(column["row"] or ())} - {None})
            query = "(SELECT {} FROM %(relation)s WHERE %(column)s IS NOT NULL)".format(", ".join(["tenant_id", "ctid", "%(column)s::text"] + bound)) % column
            binary = self.database.copy_binary("(SELECT tenant_id, %(column)s FROM %(relation)s WHERE %(column)s IS NOT NULL)" % column)
            for (tenant, place, armored, *values), (_, raw) in zip(self.database.copy(query), binary):
                where = "%s.%s of %s at %s" % (column["relation"], column["column"], tenant, place)
                try:
                    envelope = f.from_armor(armored)
                    bonds = bond(column, dict(zip(bound, map(uuid_bytes, values))).get)
                    plaintext = self.keys.open_value(envelope, uuid_bytes(tenant), column["field"], column["type"], *bonds)
                    opened[tenant, column["relation"], column["column"], place] = shown(column, plaintext)
                    if raw != envelope:
                        findings.append(where + ": COPY in binary form gives other bytes")
                except Refused as refused:
                    findings.append("%s: %s" % (where, refused))
        revealed = {}
        for tenant in tenants:
            before = "BEGIN; DO $$ BEGIN PERFORM aegis.assume_tenant('%s', 'compare', 'T-3'); END $$;" % tenant
            for column in (c for c in self.columns if c["field"] not in CREDENTIALS):
                value = "r.%(column)s, r" if column["subject"] or column["row"] else "r.%(column)s"
                query = ("SELECT r.ctid::text AS place, aegis.reveal({}) AS text FROM %(relation)s r WHERE tenant_id = '{}' AND %(column)s IS NOT NULL"
                         % column).format(value % column, tenant)
                for row in self.database.rows(query, before=before):
                    revealed[tenant, column["relation"], column["column"], row["place"]] = row["text"]
        hidden = {(c["relation"], c["column"]) for c in self.columns if c["field"] in CREDENTIALS}
        findings += ["%s: opened %r, revealed %r" % (key, opened.get(key), revealed.get(key))
                     for key in sorted(set(opened) | set(revealed)) if opened.get(key) != revealed.get(key) and key[1:3] not in hidden]
        self.report.result("every sealed value of every column opens to what aegis.reveal gives", findings, len(opened))
        self.opened = opened
        kinds = {(relation, column) for _, relation, column, _ in opened}
        self.report.result("no sealed column was left empty", ["%(relation)s.%(column)s" % c for c in self.columns
                                                                if (c["relation"], c["column"]) not in kinds], len(self.columns))

    def check_users(self, fill):
        rows = self.database.rows("SELECT tenant_id, encode(login, 'hex') AS login FROM aegis.user")
        stored = {(row["tenant_id"], row["login"]) for row in rows}
        wanted = {(fill.tenants[slug], self.keys.login(uuid_bytes(fill.tenants[slug]), mail.encode()).hex()) for slug, mail in fill.logins}
        self.report.result("look-up values of sign-in names agree", ["%r" % (v,) for v in stored ^ wanted], len(rows))
        hashes = {row["hash"] for row in self.database.rows("SELECT encode(token_hash, 'hex') AS hash FROM aegis.session")}
        findings = []
        for _, token in fill.tokens:
            f.read_session_token(token)
            if f.session_token_hash(token).hex() not in hashes:
                findings.append("a token's hash is not stored")
        self.report.result("session tokens have their shape, and their hashes are those stored", findings, len(fill.tokens))

    # --- parts of entries -----------------------------------------------------------------------

    def open_parts(self, ledger):
        """Opens every envelope in every entry: {seq: {"origin": .., "detail": {..}, "rest": {..}}}, bodies parsed."""
        findings, out, rows, count = [], {}, {}, 0
        for seq, entry in ledger.entries.items():
            m = f.read_entry(entry["bytes"])
            tenant = m.get(2, NIL)
            parts = out.setdefault(seq, {"body": m})

            def opened(envelope, what, values=None):
                nonlocal count
                count += 1
                header = f.parse_envelope(envelope)[0]
                reference = int.from_bytes(header[16:20], "big")
                if header[3] & (f.TOKEN | f.TOKEN_REMOVED) == f.TOKEN or (reference == 0) != (values is None) or (reference != 0 and reference not in self.fields):
                    findings.append("entry %d, %s: flags %d, field %08x" % (seq, what, header[3], reference))
                if values is None:
                    return self.keys.open_image(envelope, tenant)
                # Of the tenant of the row: what is withheld stands in the log of the system.
                return self.keys.open_image(envelope, values["tenant_id"], *bond(self.fields[reference], values.__getitem__))
            try:
                if 8 in m:
                    parts["origin"] = f.read_origin(opened(m[8], "origin"))
                parts["detail"] = {k: f.cbor_read(opened(v, k)) if is_envelope(v) else v for k, v in m.get(10, {}).items()}
                image = m.get(11, {})
                if 5 in image:
                    parts["rest"] = f.cbor_read(opened(image[5], "rest of the image"))
                # An update has the columns that changed; whose the row is, the image before it says.
                row = rows.pop((image.get(0), tuple(sorted(image.get(2, {}).items()))), {}) | image.get(2, {})
                for side in (3, 4):
                    row = row | {column: value for column, value in image.get(side, {}).items() if not is_envelope(value)}
                    for column, value in image.get(side, {}).items():
                        if is_envelope(value):
                            opened(value, column, row)
                if image.get(1) in ("I", "U"):
                    rows[image[0], tuple(sorted((column, row[column]) for column in image.get(2, {})))] = row
            except Refused as refused:
                findings.append("entry %d: %s" % (seq, refused))
        self.report.result("every sealed part of every entry opens", findings, count)
        return out

    def check_parts(self, parts, fill):
        findings, seen = [], set()
        for seq, part in parts.items():
            request = part["body"].get(7)
            if request in fill.origins:
                seen.add(request)
                ip, agent = fill.origins[request]
                # By a Unix socket; what the worker wrote of another session, which it notes, has no name of its program.
                own = {} if "note" in part["detail"] and part["body"][3] != "live.noted" else {"application_name": "psql"}
                if part.get("origin") != {"ip": ip, "user_agent": agent, **own}:
                    findings.append("entry %d of %s: origin %r" % (seq, request, part.get("origin")))
        findings += ["no entry of " + request for request in set(fill.origins) - seen]
        self.report.result("address and program of every request are those that were given", findings, len(seen))
        findings, found = [], 0
        for seq, part in parts.items():
            if part["body"][3] == "live.noted":
                found += 1
                clear, personal = fill.notes[part["body"][9][1]]
                if part["detail"] != {**clear, **personal} or any(not is_envelope(part["body"][10][k]) for k in personal):
                    findings.append("entry %d: %r" % (seq, part["detail"]))
        self.report.result("details in clear and personal ones are those that were given", findings + (
            [] if found == len(fill.notes) else ["%d of %d" % (found, len(fill.notes))]), found)

    # --- images of rows ---------------------------------------------------------------------------

    def replay(self, parts):
        """{relation: {key: row}} after all images in order, values as SQL shows them."""
        tables, findings = {}, []
        for seq, part in sorted(parts.items()):
            image = part["body"].get(11)
            if image is None:
                continue
            table = tables.setdefault(image[0], {})
            if image[1] == "T":
                table.clear()
                continue
            key = tuple(sorted((k, plain(v)) for k, v in image[2].items()))
            rest = part.get("rest", {})
            old = {**image.get(3, {}), **rest.get(3, {})}
            new = {**image.get(4, {}), **rest.get(4, {})}
            row = table.pop(key, None)
            if (row is None) != (image[1] == "I"):
                findings.append("entry %d: the row %s" % (seq, "is missing" if row is None else "is there already"))
                continue
            row = row or dict(key)
            wrong = [c for c, v in old.items() if row.get(c) != plain(v)] if image[1] != "I" else list(old)
            if image[1] == "D" and {c for c, v in row.items() if v is not None} - set(dict(key)) != set(old):
                wrong.append("columns of a deleted row")
            if wrong:
                findings.append("entry %d: before the change %s" % (seq, ", ".join(wrong)))
            if image[1] != "D":
                row.update((c, plain(v)) for c, v in new.items())
                table[tuple((k, row[k]) for k, _ in key)] = row
        self.report.result("images of rows follow from each other", findings, len(tables))
        return tables

    def check_images(self, parts):
        """The images of a table's rows, one after the other, give the table as it is."""
        tables, findings, compared = self.replay(parts), [], 0
        for (relation,) in self.database.copy("(SELECT relation::text FROM aegis.audited_table)"):
            columns = self.database.rows(
                "SELECT a.attname AS name, coalesce(b.typname, t.typname) AS type, t.typtype AS kind, coalesce(b.typsend, t.typsend)::text AS send"
                " FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type b ON b.oid = t.typbasetype"
                " WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped" % literal(relation))
            shown = ", ".join("%s AS \"%s\"" % (form(c).format('"%s"' % c["name"]), c["name"]) for c in columns)
            stored = self.database.rows("SELECT %s FROM %s" % (shown, relation), before="SET TIME ZONE 'UTC'; SET extra_float_digits = 0;")
            sealed = {c["name"] for c in columns if c["type"].startswith("sealed_")}
            for row in stored:
                for name in sealed & set(row):
                    if row[name] is not None:
                        row[name] = plain(f.strip_token(f.from_armor(row[name])))
            rows = sorted(repr(sorted((k, v) for k, v in row.items() if v is not None)) for row in stored)
            images = sorted(repr(sorted((k, v) for k, v in row.items() if v is not None)) for row in tables.get(relation, {}).values())
            findings += ["%s: stored %s" % (relation, r) for r in rows if r not in images]
            findings += ["%s: from images %s" % (relation, r) for r in images if r not in rows]
            compared += len(rows)
        self.report.result("audited tables are what the images in the ledger add up to, column by column", findings, compared)


def form(column):
    if column["kind"] == "e" or column["type"].startswith("sealed_"):
        return "{0}::text"
    if column["type"] in AS_IS:    # a cast to text would cut the blanks of char(n)
        return "{0}"
    if column["type"] in AS_TEXT:
        return "{0}::text"
    if column["type"] in FORMS:
        return FORMS[column["type"]]
    return "'\\x' || encode(%s({0}), 'hex')" % column["send"]


def plain(value):
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    return value
