# SPDX-License-Identifier: Apache-2.0
"""Signed requests for tests/vectors/http_signature_v1.json. The secret is that of RFC 9421, appendix B.1.5."""
import base64
import copy

import aegis_http as http

SECRET = base64.b64decode("uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==")
PARAMETERS = ';created=1618884473;nonce="b3k2pp5k7z-50gnwp.yemd";keyid="test-shared-secret"'
BODY = b'{"hello": "world"}'
DIGEST = ["content-digest", http.digest(BODY)]
COVERED = '("@method" "@target-uri" "content-digest")'


def request(method="POST", target="/foo?param=Value&Pet=dog", content=BODY, fields=(DIGEST,), authority="example.com"):
    return {"method": method, "scheme": "https", "authority": authority, "target": target,
            "fields": [list(f) for f in fields], "content": content}


def signed(message, text, label="sig1"):
    items, parameters = http.Reader("x=" + text).dictionary()["x"]
    base = http.base(message, items, parameters)
    value = http.spelled(http.mac(SECRET, base))
    message["fields"] += [["signature-input", label + "=" + text], ["signature", label + "=" + value]]
    return message, base


def http_signature_v1():
    published = request(fields=[["date", "Tue, 20 Apr 2021 02:07:55 GMT"], ["content-type", "application/json"]])
    items, parameters = http.Reader('x=("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"').dictionary()["x"]
    base = http.base(published, items, parameters)
    valid = []
    for name, message, text in (
            ("target URI", request(), COVERED + PARAMETERS),
            ("parts of the target", request(), '("@method" "@path" "@query" "@authority" "content-digest")' + PARAMETERS),
            ("everything that may be", request(fields=[DIGEST, ["x-a", "1"], ["x-a", "2"]]),
             '( "x-a"  "@method" "@scheme" "@request-target" "content-digest" "@target-uri" )'
             + PARAMETERS + ';expires=1618884533; alg="hmac-sha256";tag="aegis"'),
            ("no content", request("GET", "/", b"", (), "Example.com:443"), '("@method" "@target-uri")' + PARAMETERS),
            ("another port", request("DELETE", "/a/%7Eb", b"", (), "localhost:8443"), '("@target-uri" "@method")' + PARAMETERS)):
        message, made = signed(message, text)
        valid.append({"name": name, "request": message, "base": made})
    good = signed(request(), COVERED + PARAMETERS)[0]

    def changed(**parts):
        return {**copy.deepcopy(good), **parts}

    def resigned(text, **parts):
        return signed(request(**parts), text)[0]
    refused = [
        ("another method", changed(method="PUT")), ("another authority", changed(authority="example.org")),
        ("another path", changed(target="/fop?param=Value&Pet=dog")), ("another query", changed(target="/foo?param=value&Pet=dog")),
        ("another body", changed(content=BODY + b" ")), ("no body", changed(content=b"")),
        ("digest of another body", resigned(COVERED + PARAMETERS, fields=[["content-digest", http.digest(b"x")]])),
        ("no digest", resigned('("@method" "@target-uri")' + PARAMETERS, fields=[])),
        ("digest not covered", resigned('("@method" "@target-uri")' + PARAMETERS)),
        ("no method", resigned('("@target-uri" "content-digest")' + PARAMETERS)),
        ("no target", resigned('("@method" "content-digest")' + PARAMETERS)),
        ("no authority", resigned('("@method" "@path" "@query" "content-digest")' + PARAMETERS)),
        ("no time", resigned(COVERED + PARAMETERS.replace(";created=1618884473", ""))),
        ("no nonce", resigned(COVERED + PARAMETERS.replace(';nonce="b3k2pp5k7z-50gnwp.yemd"', ""))),
        ("short nonce", resigned(COVERED + PARAMETERS.replace("b3k2pp5k7z-50gnwp.yemd", "b3k2pp5k7z-50gn"))),
        ("no key", resigned(COVERED + PARAMETERS.replace(';keyid="test-shared-secret"', ""))),
        ("another algorithm", resigned(COVERED + PARAMETERS + ';alg="ed25519"')),
        ("another use", resigned(COVERED + PARAMETERS + ';tag="other"')),
        ("unknown parameter", resigned(COVERED + PARAMETERS + ";extra")),
        ("parameter twice", {**good, "fields": [DIGEST, ["signature-input", "sig1=" + COVERED + PARAMETERS + ";created=1618884473"], good["fields"][2]]}),
        ("two signatures", {**good, "fields": good["fields"] + [["signature-input", "b=" + COVERED + PARAMETERS],
                                                                ["signature", good["fields"][2][1].replace("sig1", "b")]]}),
        ("another label", {**good, "fields": good["fields"][:2] + [["signature", good["fields"][2][1].replace("sig1", "sig2")]]}),
        ("no signature", {**good, "fields": good["fields"][:2]}), ("not signed", request())]
    outbound = [{"request": r, "fields": http.outbound(r, "billing.1", SECRET, 1618884473, "b3k2pp5k7z-50gnwp.yemd")}
                for r in (request(fields=()), request("GET", "/", b"", (), "127.0.0.1:8080"))]
    outbound[1]["request"]["scheme"] = "http"
    outbound[1]["fields"] = http.outbound(outbound[1]["request"], "billing.1", SECRET, 1618884473, "b3k2pp5k7z-50gnwp.yemd")
    outbound += [{"request": r, "caller": caller, "fields": http.outbound(r, "billing.1", SECRET, 1618884473, "b3k2pp5k7z-50gnwp.yemd", caller)}
                 for r, caller in ((request(fields=()), 'tenant="018f2b6c-7d8e-7f00-91a2-b3c4d5e6f708", user="018f2b6c-7d8e-7f00-91a2-b3c4d5e6f709", rank=3, request="r-1"'),
                                   (request("GET", "/a?b=c", b"", ()), 'tenant="018f2b6c-7d8e-7f00-91a2-b3c4d5e6f708", service="018f2b6c-7d8e-7f00-91a2-b3c4d5e6f70a", rank=1'))]
    return {"outbound": outbound, "secret": SECRET, "published": {"request": published, "base": base, "signature": http.spelled(http.mac(SECRET, base))},
            "valid": valid, "refused": [{"name": n, "request": r} for n, r in refused]}
