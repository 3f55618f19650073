"""Where card numbers turn up: each context takes the digits and gives a text that holds them."""
import base64, json, urllib.parse


def grouped(number, separator):
    """As cards are printed: 4-6-5 and 4-6-4 for 15 and 14 digits, fours for all others."""
    sizes = {15: (4, 6, 5), 14: (4, 6, 4)}.get(len(number), (4,) * 5)
    parts, at = [], 0
    for size in sizes:
        if number[at:at + size]:
            parts.append(number[at:at + size])
        at += size
    return separator.join(parts)


def foreign(number, zero):
    return "".join(chr(zero + int(digit)) for digit in number)


def tlv(tag, value):
    return tag + format(len(value) // 2, "02x") + value


def padded(nibbles):
    return nibbles + "F" * (len(nibbles) % 2)


CONTEXTS = {
    "bare": lambda n: n,
    "sentence": lambda n: f"Please charge {n} again, thank you.",
    "quoted": lambda n: f"number '{n}'",
    "parentheses": lambda n: f"my card ({n})",
    "json string": lambda n: json.dumps({"message": n}),
    "json inside a sentence": lambda n: json.dumps({"message": f"paid with {n} today"}),
    "json key": lambda n: json.dumps({n: True}),
    "json number": lambda n: '{"value": %s}' % n,
    "json float": lambda n: '{"value": %s.0}' % n,
    "json exponent": lambda n: '{"value": %s.%se%d}' % (n[0], n[1:], len(n) - 1),
    "json array": lambda n: json.dumps(["a", [1, {"b": n}]]),
    "json escapes": lambda n: '{"value": "%s"}' % "".join("\\u%04x" % ord(c) for c in n),
    "json in json": lambda n: json.dumps({"body": json.dumps({"a": n})}),
    "json in json in json": lambda n: json.dumps({"b": json.dumps({"b": json.dumps({"a": n})})}),
    "json parts in an array": lambda n: json.dumps({"digits": grouped(n, " ").split()}),
    "json parts in fields": lambda n: json.dumps({f"part{i}": part for i, part in enumerate(grouped(n, " ").split())}),
    "json digits in an array": lambda n: json.dumps([int(c) for c in n]),
    "spaces": lambda n: grouped(n, " "),
    "double spaces": lambda n: grouped(n, "  "),
    "hyphens": lambda n: grouped(n, "-"),
    "hyphens with spaces": lambda n: grouped(n, " - "),
    "dots": lambda n: grouped(n, "."),
    "underscores": lambda n: grouped(n, "_"),
    "slashes": lambda n: grouped(n, "/"),
    "commas": lambda n: grouped(n, ","),
    "stars": lambda n: grouped(n, "*"),
    "tabs": lambda n: grouped(n, "\t"),
    "line ends": lambda n: grouped(n, "\n"),
    "wrapped line": lambda n: f"the card {n[:7]}\r\n{n[7:]} was used",
    "soft line end": lambda n: f"the card {n[:5]}=\r\n{n[5:]} was used",
    "no-break space": lambda n: grouped(n, "\u00a0"),
    "narrow space": lambda n: grouped(n, "\u202f"),
    "figure space": lambda n: grouped(n, "\u2007"),
    "ideographic space": lambda n: grouped(n, "\u3000"),
    "no-break hyphen": lambda n: grouped(n, "\u2011"),
    "en dash": lambda n: grouped(n, "\u2013"),
    "minus": lambda n: grouped(n, "\u2212"),
    "middle dot": lambda n: grouped(n, "\u00b7"),
    "zero-width space": lambda n: grouped(n, "\u200b"),
    "zero-width everywhere": lambda n: "\u200d".join(n),
    "soft hyphen": lambda n: grouped(n, "\u00ad"),
    "byte order mark": lambda n: n[:6] + "\ufeff" + n[6:],
    "single digits": lambda n: " ".join(n),
    "full-width": lambda n: foreign(n, 0xFF10),
    "arabic-indic": lambda n: foreign(n, 0x0660),
    "devanagari": lambda n: foreign(n, 0x0966),
    "mathematical": lambda n: foreign(n, 0x1D7CE),
    "mixed scripts": lambda n: n[:5] + foreign(n[5:], 0xFF10),
    "glued to words": lambda n: f"card{n}exp",
    "glued with underscore": lambda n: f"pan_{n}",
    "log line": lambda n: f"2026-11-28 12:59:07.123 UTC [4711] ERROR: payment failed for {n} at gateway",
    "url query": lambda n: f"https://shop.example/pay?number={n}&lang=en",
    "url path": lambda n: f"https://shop.example/cards/{n}/verify",
    "percent-encoded spaces": lambda n: grouped(n, "%20"),
    "percent-encoded digits": lambda n: "".join("%%%02X" % ord(c) for c in n),
    "percent-encoded twice": lambda n: urllib.parse.quote(urllib.parse.quote(grouped(n, " "))),
    "plus signs": lambda n: f"q={grouped(n, '+')}",
    "form body": lambda n: urllib.parse.urlencode({"card[number]": n, "amount": 12}),
    "xml element": lambda n: f"<payment><value>{n}</value></payment>",
    "xml attribute": lambda n: f'<payment value="{n}"/>',
    "character references": lambda n: "".join(f"&#{ord(c)};" for c in n),
    "hexadecimal references": lambda n: "".join(f"&#x{ord(c):x};" for c in n),
    "html no-break spaces": lambda n: grouped(n, "&nbsp;"),
    "html split by tags": lambda n: f"<p>{n[:6]}<b>{n[6:9]}</b>{n[9:]}</p>",
    "base64": lambda n: base64.b64encode(n.encode()).decode(),
    "base64 of json": lambda n: base64.b64encode(json.dumps({"a": n}).encode()).decode(),
    "base64url in json": lambda n: json.dumps({"t": base64.urlsafe_b64encode(f"x={n}&y=1".encode()).decode().rstrip("=")}),
    "base64 of base64": lambda n: base64.b64encode(base64.b64encode(n.encode())).decode(),
    "hexadecimal": lambda n: n.encode().hex(),
    "hexadecimal as a json number": lambda n: '{"value": %s}' % n.encode().hex(),
    "hexadecimal with prefix": lambda n: "0x" + n.encode().hex().upper(),
    "bytea of a log": lambda n: "parameters: $1 = '\\x" + json.dumps({"a": n}).encode().hex() + "'",
    "leading zeros": lambda n: "0000" + n,
    "track 1": lambda n: f"%B{n}^DOE/JOHN^29122010000000000000?",
    "track 1 without sentinels": lambda n: f"B{n}^DOE/JOHN^2912201000",
    "track 1 percent-encoded": lambda n: urllib.parse.quote(f"%B{n}^DOE/JOHN^29122010000000000000?"),
    "track 2": lambda n: f";{n}=29122010000012300000?",
    "track 2 without sentinels": lambda n: f"{n}=29122010000012300000",
    "track 2 of ISO 8583": lambda n: f"{n}D29122010000012300000",
    "emv 57": lambda n: tlv("57", padded(f"{n}D29122010000012300")).upper(),
    "emv 5A": lambda n: (tlv("5A", padded(n)) + "5F2403291231" + "9F02060000000010009F1A020826").upper(),
    "emv in base64": lambda n: base64.b64encode(bytes.fromhex(tlv("70", tlv("5A", padded(n)) + "5F2403291231"))).decode(),
    "with expiry and code": lambda n: f"{n} 12/29 123",
    "dump": lambda n: f"{n}|12|29|123|John Doe",
}
