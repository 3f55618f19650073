#!/usr/bin/env python3
"""Tokens for sql/issuer.sql, signed now with the RSA key that RFC 7515 publishes in appendix A.2, and the sets of keys that go
with them. Written from the RFCs: it shares nothing with the code that verifies. Prints a JSON object of names and texts."""
import base64
import hashlib
import hmac
import json
import time

N = ("ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOW"
     "vG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9k"
     "G4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ")
D = ("Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKV"
     "RUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoF"
     "aFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ")
CANONICAL = '{"e":"AQAB","kty":"RSA","n":"%s"}' % N
SHA256_PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")  # RFC 8017 section 9.2
NOW = int(time.time())


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(text):
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")


def rsa_sign(message):
    digest = SHA256_PREFIX + hashlib.sha256(message).digest()
    padded = b"\0\1" + b"\xff" * (256 - len(digest) - 3) + b"\0" + digest
    return pow(int.from_bytes(padded, "big"), number(D), number(N)).to_bytes(256, "big")


def token(header, claims, sign=rsa_sign):
    message = encode(header.encode()) + "." + encode(claims.encode())
    return message + "." + encode(sign(message.encode()))


def made(header=None, sign=rsa_sign, base=None, **claims):
    head = {"alg": "RS256", "kid": "rsa-1", "typ": "at+jwt", **(header or {})}
    body = {"iss": "https://issuer.example.test", "aud": "aegis-api", "sub": "alice", "sid": "s1", "org": "acme", "roles": ["boss"],
            "iat": NOW - 10, "exp": NOW + 3600} if base is None else dict(base)
    body.update(claims)
    return token(json.dumps(head), json.dumps({name: value for name, value in body.items() if value is not None}), sign)


def forged(text):
    at = text.rindex(".") + 9
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1:]


def jwks(*kids):
    return json.dumps({"keys": [{"kty": "RSA", "kid": kid, "alg": "RS256", "use": "sig", "n": N, "e": "AQAB"} for kid in kids]
                               + [{"kty": "oct", "kid": "not-for-us", "k": "AAAA"}]})


CLERK = {"iss": "https://clerk.example.test", "azp": "https://app.example.test", "sub": "user_1", "sid": "sess_1", "iat": NOW - 5, "nbf": NOW - 15,
         "exp": NOW + 600}
JWT = {"typ": "JWT"}
GOOD = made()
HEADER, CLAIMS, _ = GOOD.split(".")

print(json.dumps({
    "jwks_1": jwks("rsa-1"), "jwks_2": jwks("rsa-1", "rsa-2"), "jwks_3": jwks("rsa-2"), "jwks_empty": jwks(),
    "jwks_twice": jwks("rsa-1", "rsa-1"), "jwks_other": json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "rsa-2",
                                                                    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}),
    "jwk_pin": json.dumps({"kty": "RSA", "kid": "rsa-1", "n": N, "e": "AQAB"}),
    "jwk_private": json.dumps({"kty": "RSA", "kid": "rsa-1", "n": N, "e": "AQAB", "d": D}),
    "jwk_small": json.dumps({"kty": "RSA", "kid": "rsa-1", "n": N[:172], "e": "AQAB"}),
    # What is taken.
    "good": GOOD, "again": made(jti="2"), "reader": made(roles=["reader"]), "second": made(sid="s2"), "third": made(sid="s3"), "fourth": made(sid="s4"),
    "rotated": made({"kid": "rsa-2"}, sid="s6"), "mfa": made(sid="s5", amr=["pwd", "mfa"], auth_time=NOW - 30),
    "bob": made(sub="bob", sid="b1", roles=["reader"]), "bob_fresh": made(sub="bob", sid="b2"),
    "clerk_1": made(JWT, base=CLERK, org_id="org_9", org_role="org:admin"),
    "clerk_2": made(JWT, base=CLERK, v=2, o={"id": "org_9", "rol": "admin", "slg": "acme"}, fva=[1, -1], sts="active"),
    # What nobody signed.
    "forged": forged(GOOD),
    "none": encode(b'{"alg":"none","kid":"rsa-1","typ":"at+jwt"}') + "." + CLAIMS + ".AAAA",
    "unsigned": encode(b'{"alg":"none","kid":"rsa-1","typ":"at+jwt"}') + "." + CLAIMS + ".",
    "public_as_secret": made({"alg": "HS256"}, lambda m: hmac.new(CANONICAL.encode(), m, "sha256").digest()),
    "public_under_rs256": made(sign=lambda m: hmac.new(CANONICAL.encode(), m, "sha256").digest()),
    "swapped": HEADER + "." + made(sub="bob").split(".")[1] + "." + GOOD.split(".")[2],
    "unknown_kid": made({"kid": "rsa-9"}), "path_kid": made({"kid": "../../rsa-1"}), "sql_kid": made({"kid": "rsa-1' or 1=1 --"}),
    "no_kid": token('{"alg":"RS256","typ":"at+jwt"}', "{}"), "crit": made({"crit": ["exp"]}),
    "own_key": made({"kid": "rsa-9", "jwk": {"kty": "RSA", "n": N, "e": "AQAB"}, "jku": "https://evil.example.test/jwks"}),
    "twice": token('{"alg":"RS256","kid":"rsa-1","typ":"at+jwt"}', '{"iss":"https://issuer.example.test","sub":"alice","sub":"bob"}'),
    "long": made(x="x" * 8000), "other_issuer": made(iss="https://other.example.test"), "unknown_issuer": made(iss="https://evil.example.test"),
    "slash_issuer": made(iss="https://issuer.example.test/"),
    # What the issuer signed, and is not for us.
    "id_token": made(JWT), "logout": made({"typ": "logout+jwt"}), "audience": made(aud="other-api"), "no_audience": made(aud=None),
    "expired": made(iat=NOW - 7200, exp=NOW - 60), "future": made(iat=NOW + 600), "early": made(nbf=NOW + 600), "endless": made(exp=NOW + 90000),
    "no_exp": made(exp=None), "text_exp": made(exp=str(NOW + 3600)), "no_sid": made(sid=None), "no_sub": made(sub=None),
    "actor": made(act={"sub": "support"}), "no_role": made(roles=["stranger"], sid="r1"), "no_org": made(org=None), "foreign_org": made(org="globex"),
    "nobody": made(sub="nobody"),
    "clerk_azp": made(JWT, base=CLERK, azp="https://evil.example.test", org_id="org_9", org_role="org:admin"),
    "clerk_no_azp": made(JWT, base=CLERK, azp=None, org_id="org_9", org_role="org:admin"),
    "clerk_template": made(JWT, base=CLERK, sid=None, org_id="org_9", org_role="org:admin"),
    "clerk_aud": made(JWT, base=CLERK, aud="convex", org_id="org_9", org_role="org:admin"),
    "clerk_pending": made(JWT, base=CLERK, v=2, o={"id": "org_9", "rol": "admin"}, sts="pending"),
    "clerk_no_org": made(JWT, base=CLERK)}))
