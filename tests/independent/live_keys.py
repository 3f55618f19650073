# SPDX-License-Identifier: Apache-2.0
"""The keys of a live database, derived from the provider's text and aegis.tenant_key alone (keys-v1)."""
import re

import aegis_format as f
from aegis_format import Refused

NIL = bytes(16)
SUBJECT_KEYS = "SELECT tenant_id, encode(name, 'hex') AS name, generation, epoch, encode(wrapped, 'hex') AS wrapped FROM aegis.subject_key"
TOKENS = {"sealed_email": f.normalise_email, "sealed_keyword": f.normalise_keyword}     # what a search key is of, by the type


def read_provider(text):
    """{version: master secret}"""
    keys = {}
    for line in text.split("\n"):
        line = line.strip(" \t\r")
        if line == "" or line.startswith("#"):
            continue
        found = re.fullmatch(r"([1-9][0-9]*):([0-9a-fA-F]{64})", line)
        if not found or int(found[1]) > 2147483647 or int(found[1]) in keys:
            raise Refused("line of the provider")
        key = bytes.fromhex(found[2])
        if len(set(key)) == 1:
            raise Refused("key of equal bytes")
        keys[int(found[1])] = key
    if not 1 <= len(keys) <= 8:
        raise Refused("number of keys")
    return keys


def uuid_bytes(text):
    return NIL if text is None else bytes.fromhex(text.replace("-", ""))


class Keys:
    def __init__(self, masters, rows, wrapped=()):
        """rows: those of aegis.tenant_key; wrapped: those of aegis.subject_key."""
        self.roots = {}
        self.suites = {}
        self.versions = set()
        for row in rows:
            self.versions.add(row["master_version"])
            root = f.unwrap_root(masters[row["master_version"]], row["master_version"], bytes.fromhex(row["salt"]),
                                 self.in_info(uuid_bytes(row["tenant_id"])), row["epoch"], bytes.fromhex(row["wrapped"]), row["suite"])
            self.suites[uuid_bytes(row["tenant_id"]), row["kind"], row["epoch"]] = row["suite"]
            self.roots[uuid_bytes(row["tenant_id"]), row["kind"], row["epoch"]] = root
        self.people = {tenant: People(self, tenant, [row for row in wrapped if uuid_bytes(row["tenant_id"]) == tenant])
                       for tenant in {uuid_bytes(row["tenant_id"]) for row in wrapped}}

    @staticmethod
    def in_info(tenant):
        """The system's own keys are derived without a tenant; its rows have the nil UUID."""
        return b"" if tenant == NIL else tenant

    def newest(self, tenant, kind):
        return max((epoch for t, k, epoch in self.roots if t == tenant and k == kind), default=0)

    def derived(self, tenant, kind, purpose, epoch, reference):
        root = self.roots.get((tenant, kind, epoch))
        if root is None:
            raise Refused("no such root")
        return f.derive_key(root, b"", purpose, self.in_info(tenant), epoch, reference)

    def field(self, tenant, epoch, reference):
        return self.derived(tenant, "root", "encrypt", epoch, reference)

    def audit(self, tenant, epoch):
        return self.derived(tenant, "root", "audit", epoch, 0)

    def token(self, tenant, type_name, normalised):
        epoch = self.newest(tenant, "index")
        return f.search_token(self.derived(tenant, "index", "blind_index", epoch, f.type_reference(type_name)), normalised)

    def login(self, tenant, email):
        key = self.derived(tenant, "index", "login", self.newest(tenant, "index"), 0)
        return f.hmac_sha256(key, f.normalise_email(email))

    # --- values ---------------------------------------------------------------------------------

    def open_value(self, envelope, tenant, field_name, type_name, subject=b"", row=()):
        """Plaintext of a column's value. What does not belong there is refused, its token included."""
        header, token, _, _ = f.parse_envelope(envelope)
        reference = f.field_reference(field_name)
        if header[4:12] != f.tenant_tag(tenant) or header[16:20] != reference.to_bytes(4, "big"):
            raise Refused("of another tenant or field")
        if bool(token) != (type_name in TOKENS):
            raise Refused("token")
        plaintext = self.open_image(envelope, tenant, subject, row)
        if token and token != self.token(tenant, type_name, TOKENS[type_name](plaintext)):
            raise Refused("token of another value")
        return plaintext

    def suite(self, tenant, epoch):
        return self.suites[tenant, "root", epoch]

    def open_image(self, envelope, tenant, subject=b"", row=()):
        """Plaintext of an envelope in a ledger entry: of a field, or personal data (field 0)."""
        if subject:
            return self.people[tenant].open(envelope, subject, row)
        header = f.parse_envelope(envelope)[0]
        epoch, reference = int.from_bytes(header[12:16], "big"), int.from_bytes(header[16:20], "big")
        key = self.field(tenant, epoch, reference) if reference else self.audit(tenant, epoch)
        return f.open_envelope(key, envelope, tenant, b"", row, self.suite(tenant, epoch))

    def seal_value(self, plaintext, tenant, field_name, searchable, nonce):
        epoch, reference = self.newest(tenant, "root"), f.field_reference(field_name)
        token = self.token(tenant, "sealed_email", f.normalise_email(plaintext)) if searchable else b""
        return f.seal_envelope(self.field(tenant, epoch, reference), 1, f.TOKEN if searchable else 0, tenant, b"", [],
                               epoch, reference, token, nonce, plaintext, self.suite(tenant, epoch))


class People:
    """The keys of the people of one tenant, from aegis.subject_key."""

    def __init__(self, keys, tenant, rows):
        self.keys, self.tenant, self.roots = keys, tenant, {}
        newest = {}
        for row in rows:
            if row["generation"] >= newest.get(row["name"], {"generation": 0})["generation"]:
                newest[row["name"]] = row
        for name, row in newest.items():
            if row["wrapped"] is not None:
                kek = f.subject_kek(keys.roots[tenant, "root", row["epoch"]], tenant, row["epoch"])
                self.roots[name] = f.unwrap_subject(kek, bytes.fromhex(name), row["generation"], bytes.fromhex(row["wrapped"]))

    def key(self, subject, epoch, reference):
        name = f.subject_name(self.keys.roots[self.tenant, "root", 1], self.tenant, subject).hex()
        if name not in self.roots:
            raise Refused("no key of this person")
        return f.subject_field_key(self.keys.roots[self.tenant, "root", epoch], self.roots[name], self.tenant, epoch, reference)

    def open(self, envelope, subject, row):
        header = f.parse_envelope(envelope)[0]
        epoch, reference = int.from_bytes(header[12:16], "big"), int.from_bytes(header[16:20], "big")
        key = self.key(subject, epoch, reference) if subject else self.keys.field(self.tenant, epoch, reference)
        return f.open_envelope(key, envelope, self.tenant, subject, row, self.keys.suite(self.tenant, epoch))
