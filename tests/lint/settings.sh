#!/usr/bin/env bash
# docs/gateway.md marks as live what the gateway takes up on SIGHUP, all of it and nothing else, and its table and the example
# name every setting.
set -euo pipefail
cd "$(dirname "$0")/../.."
python3 - << 'PYTHON'
import re, sys

def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()

source = read("server/config.cpp") + read("server/database_config.cpp") + read("server/sentry.cpp")
settings = {f"{section}.{key}" for section, key in re.findall(r'\{"([a-z]+)", "([a-z_]+)", &', source)}
live = set(re.findall(r'"([a-z_.]+)"', re.search(r"kLive\[\] = \{(.*?)\};", source, re.S).group(1)))
listed, marked = set(), set()
table = read("docs/gateway.md").split("| setting | default | range | live | meaning |\n", 1)[1].split("\n\n", 1)[0]
for line in table.splitlines()[1:]:
    first, _, _, mark, _ = line.strip("|").split("|", 4)
    section = ""
    for name in re.findall(r"`([a-z_]*\.[a-z_]+)`", first):
        section = name.split(".")[0] or section
        listed.add(f"{section}.{name.split('.')[1]}")
        if mark.strip() == "yes":
            marked.add(f"{section}.{name.split('.')[1]}")
example, section = set(), ""
for line in read("server/aegis-server.toml.example").splitlines():
    head, entry = re.match(r"\[([a-z]+)\]", line), re.match(r"(?:# )?([a-z_]+) = ", line)
    section = head.group(1) if head else section
    if entry:
        example.add(f"{section}.{entry.group(1)}")
found = [f"{name} is no setting" for name in sorted(live - settings)]
found += [f"docs/gateway.md does not list {name}" for name in sorted(settings - listed)]
found += [f"{name} is live in one of docs/gateway.md and server/config.cpp" for name in sorted(live ^ marked)]
found += [f"the example does not name {name}" for name in sorted(settings - example - {"replica.host"})]
print("\n".join(found), end="\n" if found else "")
sys.exit(1 if found or len(settings) < 40 else 0)
PYTHON
