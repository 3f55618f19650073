# SPDX-License-Identifier: Apache-2.0
"""Verifies a request that Aegis signed with aegis.sign_request(), or forwarded for a caller. Copy it; it needs the standard library only.

The form is docs/format/http-signature-v1.md, "Requests that leave". It is read exactly: whatever is spelled otherwise
did not come from Aegis."""
import base64
import hashlib
import hmac
import re
import time

WINDOW = 300  # seconds that clocks may differ, either way
INPUT = re.compile(r'aegis=(\("@method" "@target-uri"( "aegis-caller")?( "content-digest")?\)'
                   r';created=([0-9]{1,15});nonce="([A-Za-z0-9._~+/=-]{16,64})";keyid="([A-Za-z0-9._-]{1,64})"'
                   r';alg="hmac-sha256";tag="aegis-outbound")')
SIGNATURE = re.compile(r"aegis=:([A-Za-z0-9+/]{43}=):")


class Nonces:
    """Nonces in the memory of one process. Several processes need a shared place that adds and tests in one step.

    What it forgets when it starts must not be accepted: requests older than the start plus the window are refused."""

    def __init__(self, now=None):
        self.since = time.time() if now is None else now
        self.seen = {}

    def is_new(self, key, created, now):
        if created <= self.since + WINDOW:
            return False
        self.seen = {k: until for k, until in self.seen.items() if until >= now}
        if key in self.seen:
            return False
        self.seen[key] = created + WINDOW
        return True


def verify_request(method, url, headers, body, secrets, nonces, now=None):
    """True when the request came from Aegis, and for the first time. What the field aegis-caller says is then true; without
    the field it came from Aegis itself, for nobody.

    method, url   as received; url with scheme and host as the service is called by Aegis, path and query not decoded
    headers       dict with names in lower case
    body          bytes, b"" for none
    secrets       dict of key id to secret (bytes, decoded from base64); two while a secret is being replaced
    nonces        Nonces(), kept for the life of the process"""
    now = time.time() if now is None else now
    given = INPUT.fullmatch(headers.get("signature-input", ""))
    signature = SIGNATURE.fullmatch(headers.get("signature", ""))
    if not given or not signature:
        return False
    parameters, covers_caller, covers_digest, created, nonce, key_id = given.groups()
    if bool(covers_caller) != ("aegis-caller" in headers):
        return False
    digest = "sha-256=:%s:" % base64.b64encode(hashlib.sha256(body).digest()).decode()
    if bool(covers_digest) != bool(body) or (body and headers.get("content-digest") != digest):
        return False
    base = '"@method": %s\n"@target-uri": %s\n' % (method, url)
    if covers_caller:
        base += '"aegis-caller": %s\n' % headers["aegis-caller"]
    if body:
        base += '"content-digest": %s\n' % digest
    base += '"@signature-params": ' + parameters
    wanted = hmac.new(secrets.get(key_id, b""), base.encode(), hashlib.sha256).digest()
    matches = hmac.compare_digest(wanted, base64.b64decode(signature.group(1)))
    if not matches or key_id not in secrets or abs(int(created) - now) > WINDOW:
        return False
    return nonces.is_new((key_id, nonce), int(created), now)
