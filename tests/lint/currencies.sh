#!/usr/bin/env bash
# The console and the database know the same currencies, with the same decimals.
set -euo pipefail
cd "$(dirname "$0")/../.."
python3 - << 'PYTHON'
import re, sys

sql = open("extension/app/money.sql", encoding="utf-8").read()
js = open("server/console/money.js", encoding="utf-8").read()
literal = r"""((?:['"][A-Z ]+['"][\s+]*)+)"""
words = lambda text: " ".join(re.findall(r"['\"]([A-Z ]+)['\"]", text)).split()
stored = {int(exponent): words(codes) for exponent, codes in re.findall(r"\((\d), " + literal + r"\)", sql)}
shown = {int(exponent): words(codes) for exponent, codes in re.findall(r"(\d): " + literal, js[js.index("const EXPONENTS"):])}
shown[2] = words(re.search(r"const HUNDREDTHS = " + literal + ";", js).group(1))
if sorted(stored) != [0, 2, 3, 4] or sum(map(len, stored.values())) < 150:
    sys.exit("extension/app/money.sql: the list of currencies is not where it was")
if stored != shown:
    for exponent in stored:
        print(f"with {exponent} decimals, only in money.sql: {sorted(set(stored[exponent]) - set(shown.get(exponent, [])))}, "
              f"only in money.js: {sorted(set(shown.get(exponent, [])) - set(stored[exponent]))}")
    sys.exit(1)
PYTHON
