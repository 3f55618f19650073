#!/usr/bin/env bash
# aegis-breached makes the list that the server reads: sorted, without repetitions, as the format says.
#   tests/unit/breached.sh PROGRAM
set -euo pipefail
program=$1
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
failed=0
is() {
  if [ "$2" = "$3" ]; then echo "ok $1"; else
    printf 'not ok %s\n  wanted: %s\n  got: %s\n' "$1" "$3" "$2"
    failed=1
  fi
}
hash() { printf %s "$1" | sha1sum | cut -d' ' -f1; }
# has LIST PASSWORD: a reader of its own, written from docs/format/breached-v1.md.
has() {
  python3 - "$1" "$2" << 'PYTHON'
import hashlib, struct, sys
data = open(sys.argv[1], "rb").read()
wanted = hashlib.sha1(sys.argv[2].encode()).digest()
assert data[:8] == b"AEGISBP1"
count, = struct.unpack(">Q", data[8:16])
index = struct.unpack(">65537Q", data[16:16 + 65537 * 8])
assert index[0] == 0 and index[65536] == count and list(index) == sorted(index)
entries = data[16 + 65537 * 8:]
assert len(entries) == 6 * count
bucket = wanted[0] << 8 | wanted[1]
inside = [entries[6 * i:6 * i + 6] for i in range(index[bucket], index[bucket + 1])]
assert inside == sorted(set(inside))
print("yes" if wanted[2:8] in inside else "no")
PYTHON
}

{ hash monkey | tr a-f A-F; echo "$(hash dragon):17"; printf '%s:3\r\n' "$(hash sunshine)"; echo; hash monkey; } > "$place/hashes"
is "says how many" "$("$program" "$place/list" "$place/hashes")" "3 passwords in \"$place/list\""
is "upper case" "$(has "$place/list" monkey)" yes
is "with a count" "$(has "$place/list" dragon)" yes
is "with a carriage return" "$(has "$place/list" sunshine)" yes
is "another" "$(has "$place/list" shadow)" no
"$program" --least 10 "$place/list" "$place/hashes" > /dev/null
is "seldom ones are left out" "$(has "$place/list" sunshine) $(has "$place/list" dragon)" "no yes"
printf 'shadow\nmaster key\n' | "$program" --clear "$place/list" > /dev/null
is "passwords in clear" "$(has "$place/list" "master key") $(has "$place/list" dragon)" "yes no"
vectors=$(dirname "$0")/../vectors/breached_v1.json
PYTHONUTF8=1 python3 -c 'import json, sys; print("\n".join(case["password"] for case in json.load(open(sys.argv[1]))["passwords"]))' "$vectors" |
  "$program" --clear "$place/list" > /dev/null
is "the frozen list" "$(sha256sum < "$place/list" | cut -d' ' -f1)" "$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["sha256"])' "$vectors")"
seq 1 20000 | "$program" --clear "$place/list" > /dev/null
is "many" "$(has "$place/list" 1) $(has "$place/list" 20000) $(has "$place/list" 20001)" "yes yes no"

before=$(sha1sum < "$place/list")
is "refuses what is no hash" "$({ hash a; echo nonsense; } | "$program" "$place/list" 2>&1 || echo "exit $?")" "aegis-breached: standard input:2 is not a SHA-1 hash
hint: A line is HASH or HASH:COUNT; with --clear it is a password.
exit 1"
is "refuses nothing at all" "$("$program" "$place/list" < /dev/null 2>&1 || echo "exit $?")" "aegis-breached: the lists are empty
hint: An empty list would refuse nothing.
exit 1"
is "leaves the list as it was" "$(sha1sum < "$place/list")" "$before"
is "no list that is missing" "$("$program" "$place/list" "$place/none" 2>&1 || echo "exit $?")" "aegis-breached: could not open \"$place/none\": No such file or directory
exit 1"
is "leaves nothing beside it" "$(ls "$place")" "hashes
list"
exit "$failed"
