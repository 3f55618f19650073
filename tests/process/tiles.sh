#!/usr/bin/env bash
# Whole logs as C2SP tiles: aegis-verify fsck hashes them again, from a folder and over HTTP, and names whatever was changed in
# them. A second reader in Python derives the root from the same files.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh
. tests/signed.sh

verify=$(built aegis-verify)
make_cluster
preload
begin_signer test.example/ledger
served=
files=$(mktemp -d)
finished() {
  if [ -n "$served" ]; then { kill -KILL "$served" && wait "$served"; } 2> /dev/null || true; fi
  rm -rf "$files"
  end_signer
}
trap finished EXIT
must_start
query "CREATE EXTENSION aegis" > /dev/null
query "SELECT aegis.declare_event('tile.done', 'for the test of tiles')" > /dev/null
query "SELECT count(aegis.record('tile.done', 'thing', n::text)) FROM generate_series(1, 70000) n" > /dev/null
for _ in 1 2 3; do query "SELECT aegis.record('tile.done')" > /dev/null && query "SELECT aegis.wait_sealed('20 s')" > /dev/null; done
query "SELECT aegis.wait_checkpoint('30 s')" > /dev/null
folder() { python3 tests/process/tile_folder.py "$bin/psql" "$place" "$@"; }
root_size=$(folder "$files/root" root)
size=$(folder "$files/log" system)
fsck() { "$verify" fsck "$@" --key "$vkey" 2>&1 || echo "exit $?"; }

says "the root log" "$(fsck "$files/root")" "^checkpoint +size $root_size," "^read .* $root_size entries" '^result +ok: every hash follows from the entries'
says "a log of more than one level of tiles" "$(fsck "$files/log" --tenant-log)" "^checkpoint +size $size," "^read +$(find "$files/log/tile" -type f -not -path '*/entries/*' | wc -l) tiles, $size entries" '^result +ok'
says "hashes alone" "$(fsck "$files/log" --tenant-log --hashes-only)" ' 0 entries' '^result +ok: every hash follows; entries were not read'
says "progress" "$(fsck "$files/log" --tenant-log --progress)" "^aegis-verify: $size of $size leaves"
says "JSON" "$(fsck "$files/log" --tenant-log --json)" "\"result\": \"ok\", .*\"size\": $size, .*\"findings\": 0"
is "a second reader finds the same root" "$(python3 - "$files/root" << 'PYTHON'
import sys
sys.path[:0] = ["tests/independent", "tests/process"]
import aegis_format as f, aegis_note as n
from tile_folder import paths
folder = sys.argv[1]
_, size, root = n.read_checkpoint(n.read_note(open(folder + "/checkpoint", "rb").read())[0])
leaves = b"".join(open(folder + "/" + path, "rb").read() for path in paths(size) if path.startswith("tile/0/"))
leaves = [leaves[at:at + 32] for at in range(0, len(leaves), 32)]
bundles = b"".join(open(folder + "/" + path, "rb").read() for path in paths(size) if path.startswith("tile/entries/"))
entries = []
while bundles:
    length = int.from_bytes(bundles[:2], "big")
    entries.append(bundles[2:2 + length])
    bundles = bundles[2 + length:]
print(f.merkle_root(leaves) == root, [f.merkle_leaf(e) for e in entries] == leaves)
PYTHON
)" "True True"

# flip FILE OFFSET: one bit of it, and back the next time.
flip() { python3 -c 'import sys; p, at = sys.argv[1], int(sys.argv[2]); d = bytearray(open(p, "rb").read()); d[at] ^= 1; open(p, "wb").write(d)' "$files/$1" "$2"; }
changed() {
  flip "$2" "$3"
  says "$1" "$(fsck "$files/log" --tenant-log)" "$4" '^result +[0-9]+ findings' '^exit 1$'
  flip "$2" "$3"
}
changed "a byte of an entry" log/tile/entries/007 30 '^finding +leaf 1792: its entry is not what its hash is of'
changed "the length of an entry" log/tile/entries/007 1 '^finding +tile/entries/007: a bundle of entries'
changed "a leaf hash" log/tile/0/007 33 '^finding +tile of level 1, hash 7: the tile below it'
changed "a hash of the level above" log/tile/1/000 65 '^finding +tile of level 1, hash 2: '
changed "a hash of the highest level" log/tile/2/000.p/1 0 '^finding +tile of level 2, hash 0: '
flip log/tile/0/007 33
says "a leaf hash names the leaf too" "$(fsck "$files/log" --tenant-log)" '^finding +leaf 1793: its entry is not what its hash is of' '^finding +the log: its leaves do not lead to the root that was signed'
flip log/tile/0/007 33
mv "$files/log/tile/0/003" "$files/kept"
says "a tile that is missing" "$(fsck "$files/log" --tenant-log)" '^finding +tile/0/003: it could not be read: ' '^result +1 findings' '^exit 1$'
cp "$files/log/tile/0/004" "$files/log/tile/0/003"
says "another in its place" "$(fsck "$files/log" --tenant-log)" '^finding +leaf 768: ' '^finding +tile of level 1, hash 3: '
head -c 8191 "$files/kept" > "$files/log/tile/0/003"
says "one that is cut" "$(fsck "$files/log" --tenant-log)" '^finding +tile/0/003: it has 8191 bytes, not 8192'
{ cat "$files/kept" && echo more; } > "$files/log/tile/0/003"
says "one that is longer" "$(fsck "$files/log" --tenant-log)" '^finding +tile/0/003: it could not be read: .*too long'
mv "$files/kept" "$files/log/tile/0/003"
mv "$files/log/tile" "$files/gone"
says "a log that went away" "$(fsck "$files/log" --tenant-log)" '^aegis-verify: the log cannot be read any more' '^exit 2$'
mv "$files/gone" "$files/log/tile"
flip root/checkpoint 20
says "a checkpoint that was changed" "$(fsck "$files/root")" '^aegis-verify: ' '^exit 2$'
flip root/checkpoint 20
flip log/receipt 200
says "a receipt that was changed" "$(fsck "$files/log" --tenant-log)" '^exit 2$'
flip log/receipt 200
says "the wrong key" "$("$verify" fsck "$files/root" --key 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW' 2>&1 || echo "exit $?")" 'not signed by "PeterNeumann"' '^exit 2$'
says "a witness that did not cosign" "$(fsck "$files/root" --witness 'witness.example/one+2152e6a7+BM0Us3+VbpUxlP9/tzs9gdzFYdYadTgJS3w+GmQ+5fOq')" 'cosigned by 0 of 1 witnesses' '^exit 2$'
says "no folder" "$(fsck "$files/none")" 'is neither a folder nor https' '^exit 2$'
says "no plain http elsewhere" "$(fsck http://example.com/log)" 'is neither a folder nor https' '^exit 2$'
says "also where only the user's name is that of loopback" "$(fsck http://localhost:80@127.0.0.1:1/log)" 'is neither a folder nor https' '^exit 2$'

# Over HTTP.
python3 -u -c '
import functools, http.server, sys
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1]))
print(server.server_port, flush=True)
server.serve_forever()' "$files" > "$files/port" 2> /dev/null &
served=$!
within 10 test -s "$files/port"
address=http://127.0.0.1:$(cat "$files/port")
says "over HTTP" "$(fsck "$address/root/")" "^read .* $root_size entries" '^result +ok'
mv "$files/root/tile/0" "$files/root/tile/other"
says "over HTTP, what is missing" "$(fsck "$address/root")" '^finding +tile/0/000.*: it could not be read: the answer was 404' '^exit 1$'
says "a token is not sent in the clear" "$(fsck "$address/root" --token-file "$files/port")" 'a token is sent over TLS only' '^exit 2$'
finish
