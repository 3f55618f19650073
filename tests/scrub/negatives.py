"""What is no card number and looks like one: each class gives `count` texts from a fixed seed."""
import random, string, uuid


def _digits(r, count, first=None):
    return (first or "") + "".join(r.choice("0123456789") for _ in range(count - len(first or "")))


def classes(count, seed=7):
    r = random.Random(seed)
    hexadecimal = lambda n: "".join(r.choice("0123456789abcdef") for _ in range(n))
    stamp = lambda: r.randrange(1_500_000_000, 1_900_000_000)
    phone = lambda: "+" + str(r.choice((1, 33, 44, 49, 55, 62, 65, 852, 971))) + _digits(r, r.choice((9, 10)))
    base62 = lambda n: "".join(r.choice(string.ascii_letters + string.digits) for _ in range(n))
    iso = lambda: f"2026-{r.randrange(1, 13):02}-{r.randrange(1, 29):02}T{r.randrange(24):02}:{r.randrange(60):02}:{r.randrange(60):02}.{r.randrange(10**6):06}Z"
    makers = {
        "random 16 digits": lambda: _digits(r, 16),
        "uuid": lambda: str(uuid.UUID(int=r.getrandbits(128))),
        "uuid without hyphens": lambda: hexadecimal(32),
        "sha-1": lambda: hexadecimal(40),
        "sha-256": lambda: hexadecimal(64),
        "sha-512": lambda: hexadecimal(128),
        "iso timestamp": iso,
        "seconds": lambda: str(stamp()),
        "milliseconds": lambda: str(stamp() * 1000 + r.randrange(1000)),
        "microseconds": lambda: str(stamp() * 10**6 + r.randrange(10**6)),
        "nanoseconds": lambda: str(stamp() * 10**9 + r.randrange(10**9)),
        "compact timestamp": lambda: f"2026{r.randrange(1, 13):02}{r.randrange(1, 29):02}{r.randrange(24):02}{r.randrange(60):02}{r.randrange(60):02}",
        "stripe id": lambda: r.choice(("evt", "ch", "pi", "cs_test")) + "_" + base62(24),
        "base64 of bytes": lambda: base62(44) + "=",
        "iban": lambda: _iban(r),
        "phone": phone,
        "ip addresses": lambda: ", ".join(".".join(str(r.randrange(256)) for _ in range(4)) for _ in range(3)),
        "coordinates": lambda: f"{r.uniform(-90, 90):.7f},{r.uniform(-180, 180):.7f}",
        "amounts": lambda: " ".join(f"{r.randrange(10**5)}.{r.randrange(100):02}" for _ in range(4)),
        "fraction": lambda: repr(r.random()),
        "acquirer reference": lambda: _digits(r, 23, "7"),
        "adyen reference": lambda: _digits(r, 16, "8"),
    }
    # Many of those whose share is compared with a bound that is near.
    return {name: [make() for _ in range(count * (10 if name == "random 16 digits" else 1))] for name, make in makers.items()}


# Classes that stay almost untouched, and those whose share is only bounded: every tenth number has a
# fitting check digit, and two of five sixteen-digit numbers begin as cards do.
STRICT = ["uuid", "uuid without hyphens", "sha-1", "sha-256", "sha-512", "iso timestamp", "seconds", "milliseconds", "microseconds",
          "nanoseconds", "compact timestamp"]
CLEAN = ["iban", "acquirer reference", "fraction", "ip addresses"]


def _iban(r):
    country, length = r.choice((("GB", 22), ("DE", 22), ("FR", 27), ("CH", 21), ("NL", 18)))
    bank = "".join(r.choice(string.ascii_uppercase) for _ in range(4)) if country in ("GB", "NL") else _digits(r, 4)
    body = bank + _digits(r, length - 8)
    value = int("".join(str(int(c, 36)) for c in body + country + "00"))
    whole = f"{country}{98 - value % 97:02}{body}"
    return " ".join(whole[i:i + 4] for i in range(0, len(whole), 4))
