#!/usr/bin/env bash
# Links between the documents lead somewhere, anchors included; pages that sources name exist.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck disable=SC2046 # names without spaces
python3 - $(find . -name '*.md' -not -path './.aegis/*' -not -path '*/node_modules/*') << 'PYTHON'
import os, re, sys

def anchors(path):
    text = re.sub(r"```.*?```", "", open(path).read(), flags=re.S)
    return {re.sub(r"[^\w\- ]", "", h.strip().lower()).replace(" ", "-") for h in re.findall(r"^#+ (.*)$", text, re.M)}

found = 0
for path in sys.argv[1:]:
    text = re.sub(r"```.*?```", "", open(path).read(), flags=re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        full = os.path.normpath(os.path.join(os.path.dirname(path), file)) if file else path
        if not os.path.exists(full) or (anchor and full.endswith(".md") and anchor not in anchors(full)):
            print(f"{path}: {target} leads nowhere")
            found = 1
for top in ("extension", "server", "scripts", "sql", "tests"):
    for folder, _, names in os.walk(top):
        for name in names:
            if not name.endswith((".cpp", ".hpp", ".sql", ".sh", ".py", ".txt")):
                continue
            path = os.path.join(folder, name)
            for page in re.findall(r"\bdocs/[a-z0-9_/-]+\.md\b", open(path).read()):
                if not os.path.exists(page):
                    print(f"{path}: {page} does not exist")
                    found = 1
sys.exit(found)
PYTHON
