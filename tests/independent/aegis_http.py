# SPDX-License-Identifier: Apache-2.0
"""http-signature-v1, written a second time from docs/format/http-signature-v1.md and RFC 8941, 9421 and 9530."""
import base64
import hashlib
import hmac
import re

from aegis_format import Refused

KEY = re.compile(r"[a-z*][a-z0-9_.*-]*")
NUMBER = re.compile(r"-?(?:[0-9]{1,12}\.[0-9]{1,3}|[0-9]{1,15})(?![0-9.])")
STRING = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
TOKEN = re.compile(r"[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*")
BYTES = re.compile(r":([A-Za-z0-9+/]*={0,2}):")


class Token(str):
    """A token, which is no string."""


class Reader:
    def __init__(self, text):
        self.text, self.at = text, 0

    def match(self, pattern):
        found = pattern.match(self.text, self.at)
        if not found:
            raise Refused("not a structured field")
        self.at = found.end()
        return found

    def take(self, mark):
        if self.text[self.at:self.at + 1] != mark:
            return False
        self.at += 1
        return True

    def skip(self, blanks):
        while self.at < len(self.text) and self.text[self.at] in blanks:
            self.at += 1

    def bare(self):
        first = self.text[self.at:self.at + 1]
        if first == '"':
            return re.sub(r"\\(.)", r"\1", self.match(STRING).group(1))
        if first == ":":
            digits = self.match(BYTES).group(1)
            try:
                value = base64.b64decode(digits, validate=True)
            except ValueError as error:
                raise Refused("base64") from error
            if base64.b64encode(value).decode() != digits:
                raise Refused("base64 with loose ends")
            return value
        if first == "?":
            self.at += 1
            return self.match(re.compile("[01]")).group() == "1"
        if first == "-" or first.isdigit():
            text = self.match(NUMBER).group()
            return float(text) if "." in text else int(text)
        return Token(self.match(TOKEN).group())

    def parameters(self):
        found = {}
        while self.take(";"):
            self.skip(" ")
            key = self.match(KEY).group()
            if key in found:
                raise Refused("a parameter twice")
            found[key] = self.bare() if self.take("=") else True
        return found

    def item(self):
        return self.bare(), self.parameters()

    def inner_list(self):
        items = []
        self.skip(" ")
        while not self.take(")"):
            items.append(self.item())
            if self.text[self.at:self.at + 1] not in (" ", ")"):
                raise Refused("a list")
            self.skip(" ")
        return items, self.parameters()

    def dictionary(self):
        found = {}
        self.skip(" ")
        while self.at < len(self.text):
            key = self.match(KEY).group()
            if key in found:
                raise Refused("a key twice")
            if not self.take("="):
                found[key] = (True, self.parameters())
            else:
                found[key] = self.inner_list() if self.take("(") else self.item()
            self.skip(" \t")
            if self.at == len(self.text):
                break
            if not self.take(","):
                raise Refused("no comma")
            self.skip(" \t")
            if self.at == len(self.text):
                raise Refused("a comma at the end")
        return found


def spelled(value):
    if value is True or value is False:
        return "?1" if value else "?0"
    if isinstance(value, Token):
        return str(value)
    if isinstance(value, bytes):
        return ":" + base64.b64encode(value).decode() + ":"
    if isinstance(value, str):
        return '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'
    if isinstance(value, float):
        return re.sub(r"(\.[0-9]+?)0+$", r"\1", "%.3f" % (value + 0.0))
    return str(value)


def spelled_parameters(parameters):
    return "".join(";" + k + ("" if v is True else "=" + spelled(v)) for k, v in parameters.items())


def spelled_list(items, parameters):
    return "(" + " ".join(spelled(v) + spelled_parameters(p) for v, p in items) + ")" + spelled_parameters(parameters)


def digest(content):
    return "sha-256=:" + base64.b64encode(hashlib.sha256(content).digest()).decode() + ":"


def component(request, name):
    path, mark, query = request["target"].partition("?")
    scheme, authority = request["scheme"].lower(), request["authority"].lower()
    authority = re.sub(":443$" if scheme == "https" else ":80$", "", authority)
    derived = {"@method": request["method"], "@scheme": scheme, "@authority": authority,
               "@request-target": request["target"], "@path": path or "/", "@query": "?" + query,
               "@target-uri": scheme + "://" + authority + request["target"]}
    if name in derived:
        value = derived[name]
    else:
        values = [v.strip(" \t") for n, v in request["fields"] if n == name]
        if not values:
            raise Refused("a component is missing")
        value = ", ".join(values)
    if not re.fullmatch("[\t -~]*", value):
        raise Refused("another character")
    return value


def base(request, items, parameters):
    names = [value for value, _ in items]
    for value, own in items:
        if isinstance(value, Token) or not isinstance(value, str) or own:
            raise Refused("a component")
    if len(set(names)) != len(names):
        raise Refused("a component twice")
    lines = ['"%s": %s\n' % (name, component(request, name)) for name in names]
    return "".join(lines) + '"@signature-params": ' + spelled_list(items, parameters)


def field(request, name):
    return component(request, name)


def check_digest(text, content):
    found = Reader(text).dictionary()
    known = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}
    counted = [k for k in found if k in known]
    if not counted:
        raise Refused("no digest")
    for key in counted:
        if found[key][0] != known[key](content).digest():
            raise Refused("another digest")


def read(request):
    """(items, parameters, signature) of the only signature, when it is of the profile."""
    texts = [field(request, name) for name in ("signature-input", "signature")]
    if any(len(text) > 8192 for text in texts):
        raise Refused("too long")
    inputs, values = (Reader(text).dictionary() for text in texts)
    if len(inputs) != 1 or list(inputs) != list(values):
        raise Refused("not one signature")
    (items, parameters), = inputs.values()
    (value, own), = values.values()
    if not isinstance(items, list) or not isinstance(value, bytes) or len(value) != 32 or own:
        raise Refused("a signature of another form")
    if set(parameters) - {"created", "expires", "nonce", "keyid", "alg", "tag"}:
        raise Refused("a parameter")
    for key, pattern in (("alg", "hmac-sha256"), ("tag", "aegis"), ("keyid", "[A-Za-z0-9._-]{1,64}"),
                         ("nonce", "[A-Za-z0-9._~+/=-]{16,64}")):
        given = parameters.get(key, None if key in ("keyid", "nonce") else pattern)
        if isinstance(given, Token) or not isinstance(given, str) or not re.fullmatch(pattern, given):
            raise Refused(key)
    for key in ("created", "expires"):
        given = parameters.get(key, None if key == "created" else 1)
        if type(given) is not int or given <= 0:
            raise Refused(key)
    covered = {name for name, _ in items}
    if "@method" not in covered or not ("@target-uri" in covered or {"@authority", "@path", "@query"} <= covered):
        raise Refused("method and target are not covered")
    has_digest = any(name == "content-digest" for name, _ in request["fields"])
    if has_digest != ("content-digest" in covered) or (request["content"] and not has_digest):
        raise Refused("the digest is not covered")
    if has_digest:
        check_digest(field(request, "content-digest"), request["content"])
    return items, parameters, value


def outbound(request, key, secret, created, nonce, caller=None):
    """The fields that Aegis adds to a request that leaves it, for a caller or for itself."""
    fields = [["aegis-caller", caller]] if caller else []
    fields += [["content-digest", digest(request["content"])]] if request["content"] else []
    names = ["@method", "@target-uri"] + [name for name, _ in fields]
    items = [(name, {}) for name in names]
    parameters = {"created": created, "nonce": nonce, "keyid": key, "alg": "hmac-sha256", "tag": "aegis-outbound"}
    text = base({**request, "fields": fields}, items, parameters)
    return fields + [["signature-input", "aegis=" + spelled_list(items, parameters)], ["signature", "aegis=" + spelled(mac(secret, text))]]


def mac(secret, text):
    return hmac.new(secret, text.encode("ascii"), hashlib.sha256).digest()


def verify(request, secret):
    """The parameters of a request that the secret has signed."""
    items, parameters, value = read(request)
    if not hmac.compare_digest(mac(secret, base(request, items, parameters)), value):
        raise Refused("the signature does not verify")
    return parameters
