#!/usr/bin/env bash
# aegis-verify: what it says and with which status it ends, for bundles and proofs of the vectors.
#   tests/unit/verify.sh PROGRAM
set -euo pipefail
verify=$(readlink -f "$1")
cd "$(dirname "$0")/../.."
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
failed=0
is() {
  if [ "$2" = "$3" ]; then echo "ok $1"; else
    printf 'not ok %s\n  wanted: %s\n  got: %s\n' "$1" "$3" "$2"
    failed=1
  fi
}
# run ARGUMENT ...: output and status in $output and $status.
run() {
  status=0
  output=$("$verify" "$@" 2>&1) || status=$?
}
python3 - "$place" << 'PYTHON'
import json, sys
for name, bundle in zip(("all", "tenant", "hollow"), json.load(open("tests/vectors/bundle_v1.json"))["bundle"]):
    open(f"{sys.argv[1]}/{name}.bundle", "w").write("".join(line + "\n" for line in bundle["lines"]))
    open(f"{sys.argv[1]}/{name}.kept", "w").write(bundle["kept"] + "\n")
    open(f"{sys.argv[1]}/{name}.statement", "w").write(bundle["statement"] + "\n")
checkpoint = json.load(open("tests/vectors/checkpoint_v1.json"))
for name in ("vkey", "entry"):
    open(f"{sys.argv[1]}/{name}", "w").write(checkpoint[name])
open(f"{sys.argv[1]}/proof", "w", encoding="utf-8").write(checkpoint["proof_file"])
receipt = json.load(open("tests/vectors/receipt_v1.json"))
open(f"{sys.argv[1]}/receipt", "w", encoding="utf-8").write(receipt["receipt"])
open(f"{sys.argv[1]}/receipt.vkey", "w").write(receipt["vkey"])
for n, case in enumerate(receipt["refused"]):
    open(f"{sys.argv[1]}/refused.{n}", "w", encoding="utf-8").write(case["receipt"])
PYTHON

run bundle "$place/all.bundle"
is "bundle: status" "$status" 0
is "bundle: says ok" "$(grep -c '^result  *ok' <<< "$output")" 1
is "bundle: the head to keep" "$(tail -n 1 <<< "$output")" "$(cat "$place/all.kept")"
run bundle - --head "$place/all.kept" --keep "$place/kept" < "$place/all.bundle"
is "bundle: from standard input, with the kept head" "$status" 0
is "bundle: keeps the head" "$(cat "$place/kept")" "$(cat "$place/all.kept")"
echo "what was kept" > "$place/kept-before"
(ulimit -f 0; "$verify" bundle "$place/all.bundle" --keep "$place/kept-before" > /dev/null 2>&1) || true
is "bundle: a head that cannot be written leaves the one before" "$(cat "$place/kept-before")" "what was kept"
run bundle "$place/all.bundle" --keep "$place/kept-before"
is "bundle: one that can replaces it" "$(cat "$place/kept-before"; find "$place" -name '*.new')" "$(cat "$place/all.kept")"
run bundle "$place/all.bundle" --seal-hash "$(cut -d ' ' -f 4 "$place/all.kept")"
is "bundle: with the hash of a seal" "$status" 0
run bundle "$place/all.bundle"
is "bundle: statement" "$(sed -n 's/^statement  *//p' <<< "$output")" "$(cat "$place/all.statement")"
run bundle "$place/all.bundle" --seal-hash "$(printf '%064d' 1)" --keep "$place/not-kept"
is "bundle: no statement of a bad one" "$(grep -c '^statement' <<< "$output" || true)" 0
is "bundle: with another hash" "$status $(grep -c 'no seal has the hash that was kept' <<< "$output")" "1 1"
is "bundle: keeps nothing of a bad one" "$(find "$place" -name not-kept)" ""
echo "seal 3 hash $(printf '%064d' 1)" > "$place/later"
run bundle "$place/all.bundle" --head "$place/later"
is "bundle: older than the kept head" "$status $(grep -c 'an older state was restored' <<< "$output")" "1 1"
run bundle "$place/tenant.bundle" --tenant 018f2b6c-7d8e-7f00-91a2-b3c4d5e6f708 --json
is "tenant: status" "$status" 0
is "tenant: JSON" "$(python3 -c 'import json, sys; d = json.load(sys.stdin); print(d["result"], d["tenant"], d["entries"], len(d["details"]), d["keep"].count("log "))' <<< "$output")" \
  "ok 018f2b6c-7d8e-7f00-91a2-b3c4d5e6f708 3 0 1"
run bundle "$place/tenant.bundle" --tenant 00000000-0000-0000-0000-0000000000aa --json
is "tenant: another's, as JSON" "$status $(python3 -c 'import json, sys; d = json.load(sys.stdin); print(d["result"], d["details"][0]["where"], d["keep"])' <<< "$output")" \
  "1 findings header None"
run bundle "$place/hollow.bundle"
is "beginning cut: status" "$status" 0
is "beginning cut: who, when, how far" "$(grep '^cut ' <<< "$output")" \
  "cut          the log of tenant 018f2b6c-7d8e-7f00-91a2-b3c4d5e6f708 below leaf 2, at 2025-11-24T16:00:00Z, asked for by olga, agreed to by otto: seven years are over (its leaf 3 says so)"
is "beginning cut: statement" "$(sed -n 's/^statement  *//p' <<< "$output")" "$(cat "$place/hollow.statement")"
run bundle "$place/hollow.bundle" --json
is "beginning cut: JSON" "$(python3 -c 'import json, sys; d = json.load(sys.stdin); print([c["size"] for c in d["cuts"]], d["cuts"][0]["approved_by"], d["statement"])' <<< "$output")" \
  "[2] otto $(cat "$place/hollow.statement")"
head -n 4 "$place/all.bundle" > "$place/cut"
run bundle "$place/cut"
is "cut: status and place" "$status $(head -n 1 <<< "$output")" "2 aegis-verify: \"$place/cut\", line 4: the file ends before the end of the bundle"
run bundle "$place/none"
is "no such file" "$status" 2
run bundle "$place/all.bundle" --head /dev/null
is "an empty file of heads" "$status" 2
run bundle "$place/all.bundle" --seal-hash 00
is "not a hash" "$status" 2
run
is "no command" "$status" 2
run bundle --help
is "help" "$status" 0

key=$(cat "$place/vkey")
run proof "$place/proof" --key "$key" --entry-hex "$(cat "$place/entry")"
is "proof: ok" "$status ${output%% *}" "0 ok:"
run proof "$place/proof" --key "$key" --entry-hex 40414244
is "proof: of another entry" "$status $output" "1 finding: the checkpoint does not cover this entry"
run proof "$place/proof" --key "$key" --entry-hex 40414243 --origin other
is "proof: of another log" "$status ${output%%,*}" "1 finding: it is a checkpoint of another log"
run proof "$place/proof" --key "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW" --entry-hex 40414243
is "proof: not signed by the key" "$status $output" '1 finding: the checkpoint is not signed by "PeterNeumann"'
sed 's/^8$/9/' "$place/proof" > "$place/changed"
run proof "$place/changed" --key "$key" --entry-hex 40414243
is "proof: a changed checkpoint" "$status $output" '1 finding: the signature of "aegis.example/ledger" does not verify'
printf '@ABC' > "$place/body"
run proof "$place/proof" --key "$key" --entry "$place/body" --json
is "proof: from a file, as JSON" "$status $(python3 -c 'import json, sys; d = json.load(sys.stdin); print(d["result"], d["index"], d["size"])' <<< "$output")" "0 ok 5 8"
run proof "$place/all.bundle" --key "$key" --entry-hex 40414243
is "proof: not a proof" "$status" 2
run proof "$place/proof" --key "$key"
is "proof: no entry" "$status" 2
run proof "$place/proof" --key nonsense --entry-hex 40414243
is "proof: not a key" "$status" 2

# Whoever gives the key of a witness has not named a log: the witness signs those of others too.
python3 - "$place" << 'PYTHON'
import json, sys
sys.path.insert(0, "tests/independent")
import aegis_cipher, aegis_note as n
seed, name = bytes(range(0x40, 0x60)), "witness.example"
vector = json.load(open("tests/vectors/checkpoint_v1.json"))
head, note = vector["proof_file"].split("\n\n", 1)
text = note[:note.rindex("\n\n") + 1]
open(f"{sys.argv[1]}/witnessed", "w", encoding="utf-8").write(head + "\n\n" + n.signed_note(text, name, seed))
open(f"{sys.argv[1]}/witness.vkey", "w").write(n.note_key(name, 1, aegis_cipher.ed25519_sign(seed, b"")[0]))
PYTHON
witness=$(cat "$place/witness.vkey")
run proof "$place/witnessed" --key "$witness" --entry-hex 40414243
is "proof: a witness's key names no log" "$status ${output%%,*}" '1 finding: it is a checkpoint of log "aegis.example/ledger"'
run proof "$place/witnessed" --key "$witness" --entry-hex 40414243 --origin aegis.example/ledger
is "proof: with the log named" "$status ${output%% *}" "0 ok:"

# Witnesses: both seeds are those of the vectors.
python3 - "$place" << 'PYTHON'
import json, sys
sys.path.insert(0, "tests/independent")
import aegis_note as n
place = sys.argv[1]
v = json.load(open("tests/vectors/cosignature_v1.json"))
proof = json.load(open("tests/vectors/checkpoint_v1.json"))["proof_file"]
text = proof.split("\n\n")[1] + "\n"
one, two = (n.cosignature_line(text, vkey.split("+")[0], bytes.fromhex(seed), 1764000000) for vkey, seed in zip(v["vkeys"], v["seeds"]))
forged = n.cosignature_line(text.replace("8", "9", 1), v["vkeys"][1].split("+")[0], bytes.fromhex(v["seeds"][1]), 1764000000)
for name, lines in (("one", one), ("both", one + two), ("forged", one + forged)):
    open(f"{place}/cosigned-{name}", "w", encoding="utf-8").write(proof + lines)
name, kind, public = (n.read_note_key(v["vkeys"][0])[i] for i in (0, 2, 3))
for number, vkey in enumerate(v["vkeys"] + [n.note_key("witness.example/alias", kind, public)]):
    open(f"{place}/witness.{number}", "w").write(vkey)
log = n.read_note_key(open(f"{place}/vkey").read())
open(f"{place}/witness.log", "w").write(n.note_key("witness.example/log", n.COSIGNATURE, log[3]))
PYTHON
one=$(cat "$place/witness.0")
two=$(cat "$place/witness.1")
# demanded FILE OPTION ...: status and the first line.
demanded() {
  run proof "$place/cosigned-$1" --key "$key" --entry-hex 40414243 "${@:2}"
  head -n 1 <<< "$status $output"
}
is "witnesses: both" "$(demanded both --witness "$one" --witness "$two")" \
  '0 ok: the entry is leaf 5 of log "aegis.example/ledger" at size 8, signed by every key given, cosigned by "witness.example/one" at 2025-11-24T16:00:00Z, "witness.example/two" at 2025-11-24T16:00:00Z'
is "witnesses: one of two is not all" "$(demanded one --witness "$one" --witness "$two")" \
  '1 finding: the checkpoint is cosigned by 1 of 2 witnesses; not by "witness.example/two"'
is "witnesses: one of two is a quorum of one" "$(demanded one --witness "$one" --witness "$two" --quorum 1 | cut -c -25)" "0 ok: the entry is leaf 5"
is "witnesses: none" "$(run proof "$place/proof" --key "$key" --entry-hex 40414243 --witness "$one"; echo "$status $output")" \
  '1 finding: the checkpoint is cosigned by 0 of 1 witnesses; not by "witness.example/one"'
is "witnesses: a forged one is no missing one" "$(demanded forged --witness "$one" --witness "$two" --quorum 1)" \
  '1 finding: the cosignature of a witness does not verify'
is "witnesses: one key under two names" "$(demanded one --witness "$one" --witness "$(cat "$place/witness.2")")" \
  '2 aegis-verify: "witness.example/alias" and "witness.example/one" are one key'
is "witnesses: the log's own key" "$(demanded one --witness "$(cat "$place/witness.log")")" '2 aegis-verify: "witness.example/log" has the key of the log'
is "witnesses: a key of a log" "$(demanded one --witness "$key")" '2 aegis-verify: "aegis.example/ledger" is the key of a log, not of a witness'
is "witnesses: more than there are" "$(demanded one --witness "$one" --quorum 2)" '2 aegis-verify: a quorum of 2 of 1 witnesses cannot be met'
is "witnesses: a quorum of none" "$(demanded one --witness "$one" --quorum 0 | cut -c 1)" "2"
is "witnesses: JSON" "$(run proof "$place/cosigned-both" --key "$key" --entry-hex 40414243 --witness "$two" --json; python3 -c 'import json, sys; print(json.load(sys.stdin)["cosigned"])' <<< "$output")" \
  'cosigned by "witness.example/two" at 2025-11-24T16:00:00Z'
sed '1,/^$/d' "$place/cosigned-one" > "$place/checkpoint-one"
run bundle "$place/all.bundle" --checkpoint "$place/checkpoint-one" --key "$key" --witness "$one" --witness "$two"
is "witnesses: a bundle's checkpoint that one did not cosign" "$status $(grep -c 'is cosigned by 1 of 2 witnesses' <<< "$output")" "2 1"
run bundle "$place/all.bundle" --checkpoint "$place/checkpoint-one" --key "$key" --witness "$one"
is "witnesses: a bundle's checkpoint that they cosigned is compared" "$status $(grep -c 'compared  *with the signed and cosigned checkpoints' <<< "$output")" "1 1"
run bundle "$place/all.bundle" --witness "$one"
is "witnesses: without a checkpoint" "$status" 2

# What a script did not fill in, or gave without what it belongs to, must not make a check go away.
for option in --tenant --log --origin --entry --entry-hex; do
  run proof "$place/receipt" --key "$(cat "$place/receipt.vkey")" "$option" ""
  is "an empty $option" "$status" 2
done
for option in --tenant --origin --keep --head --checkpoint --key --seal-hash --witness --quorum; do
  run bundle "$place/all.bundle" "$option" ""
  is "an empty $option of a bundle" "$status" 2
done
run bundle "$place/all.bundle" --key "$key"
is "a key without a checkpoint" "$status" 2
run bundle "$place/all.bundle" --origin aegis.example/ledger
is "an origin without a checkpoint" "$status" 2

# A file that never ends does not fill the memory, and a folder is none.
head -c 20000000 /dev/zero | tr '\0' y > "$place/long"
run bundle "$place/all.bundle" --checkpoint "$place/long" --key "$key"
is "a checkpoint that is too long" "$status $(grep -c 'has more than 1048577 bytes in one piece' <<< "$output")" "2 1"
run bundle "$place/all.bundle" --head "$place/long"
is "a head that is too long" "$status $(grep -c 'has more than 4096 bytes in one piece' <<< "$output")" "2 1"
run proof "$place" --key "$key" --entry-hex 40414243
is "a folder" "$status $(grep -c 'could not read' <<< "$output")" "2 1"
printf '%s' "$(cat "$place/all.bundle")" > "$place/unended"
run bundle "$place/unended"
is "a last line without an end" "$status $(grep -c 'the last line has no end' <<< "$output")" "2 1"
# What is shown of a file cannot steer the terminal: CSI as one character, and a right-to-left override.
python3 - "$place/witnessed" << 'PYTHON'
import sys
text = open(sys.argv[1], encoding="utf-8").read()
open(sys.argv[1], "w", encoding="utf-8").write(text.replace("aegis.example/ledger", "a\u009b2Jb\u202ec", 1))
PYTHON
run proof "$place/witnessed" --key "$key" --entry-hex 40414243 --origin other
is "steering characters" "$status $output" '1 finding: it is a checkpoint of another log, "a?2Jb?c"'

key=$(cat "$place/receipt.vkey") tenant=018f2b6c-7d8e-7f00-91a2-b3c4d5e6f708
log=2dfac52f762f31d9513dfd9f2d214d626c0c8029017ecc37c8bfbe1f304ca7e6
run proof "$place/receipt" --key "$key" --origin aegis.example/shop --tenant "$tenant" --log "${log^^}"
is "receipt: status" "$status" 0
is "receipt: what the entry says" "$(grep -E '^(time|event|user|target_|result)' <<< "$output" | tr -s ' ' | cut -d : -f 1-3)" \
  "time 2025-11-24T16:00:00.000003Z
event invoice.sent
user 00112233-4455-6677-8899-aabbccddeeff
target_kind invoice
target_id 43
result ok: the entry is in the ledger, as every key given has signed"
run proof - --key "$key" --json < "$place/receipt"
is "receipt: as JSON" "$status $(python3 -c 'import json, sys; d = json.load(sys.stdin); print(d["result"], d["leaf"], d["log_size"], d["entry"]["target_id"], d["entry"]["detail"]["total"], d["entry"]["session"])' <<< "$output")" \
  "0 ok 3 5 43 129900 None"
run proof "$place/receipt" --key "$key" --tenant 018f2b6c-7d8e-7f00-91a2-b3c4d5e6f709
is "receipt: for another tenant" "$status $output" "1 finding: it is an entry of another tenant, $tenant"
run proof "$place/receipt" --key "$key" --log "${log/2d/2e}"
is "receipt: for another log" "$status $output" "1 finding: it is an entry of another log, $log"
run proof "$place/receipt" --key "$key" --log 2d
is "receipt: not a log" "$status" 2
run proof "$place/receipt" --key "$(cat "$place/vkey")"
is "receipt: a key of another name" "$status ${output%%;*}" '1 finding: the checkpoint is not signed by "aegis.example/ledger"'
run proof "$place/receipt" --key "$key" --entry-hex 40414243
is "receipt: an entry that is given counts" "$status $output" "1 finding: the checkpoint does not cover this entry"
run proof "$place/receipt" --key "$key" --entry-hex "61656769732f686561642f31${log}0000000000000005$(python3 -c 'import json; print(json.load(open("tests/vectors/receipt_v1.json"))["log_root"])')"
is "receipt: a C2SP reader that has the head" "$status ${output%%,*}" '0 ok: the entry is leaf 4 of log "aegis.example/shop" at size 6'
accepted=0
for file in "$place"/refused.*; do
  run proof "$file" --key "$key" --json
  if [ "$status" = 0 ] || grep -q '"entry"' <<< "$output"; then accepted=$((accepted + 1)); fi
done
is "receipt: everything in the vectors that must be refused is, and no entry is shown" "$accepted" 0

# What anchors keep: checkpoints of the log of the bundle, and a time stamp of the vectors.
python3 - "$place" << 'PYTHON'
import json, os, sys
sys.dont_write_bytecode = True
sys.path.insert(0, "tests/independent")
import aegis_anchor as a
import aegis_format as f
import aegis_note as n
import aegis_proof as p
from published import MASTER, ROOT
place, origin = sys.argv[1], "aegis.example/ledger"
heads = [f.read_seal(body) for body, _ in p.read_bundle(open(place + "/all.bundle", "rb").read())[1]]
for folder in ("worm", "forked", "odd"):
    os.mkdir("%s/%s" % (place, folder))
def put(folder, size, root, seed=ROOT, log=origin, name=None):
    note = n.signed_note(n.checkpoint(log, size, root), log, seed).encode()
    with open("%s/%s/%s" % (place, folder, name or a.anchor_name(note)), "wb") as file:
        file.write(note)
for fields in heads:
    put("worm", fields["root_size"], fields["root"])
put("worm", 1, bytes(32), log="somebody.example/else")
put("forked", heads[-1]["root_size"], bytes(range(32)))
put("odd", 3, bytes(32), MASTER)
vectors = json.load(open("tests/vectors/anchor_v1.json"))
for name in ("authority", "other_authority", "response"):
    open("%s/%s" % (place, name), "wb").write(bytes.fromhex(vectors[name]))
open(place + "/stamped", "w", encoding="utf-8").write(vectors["cosigned"])
put("odd", 3, bytes(32), name=vectors["name"].replace("3.ch", "4.ch"))
for number, case in enumerate(vectors["refused"]):
    open("%s/refused-stamp.%d" % (place, number), "wb").write(bytes.fromhex(case["response"]))
print(len(heads), file=open(place + "/heads", "w"))
PYTHON
key=$(cat "$place/vkey")
run anchor "$place/worm" --key "$key" --bundle "$place/all.bundle"
is "anchor: a folder, and the bundle" "$status $(sed -nE 's/^anchored +([0-9]+) .*/\1/p' <<< "$output") $(sed -n 's/^result  *//p' <<< "$output")" \
  "0 $(cat "$place/heads") ok: the log's key signed each, and they are one history, that of the bundle"
run anchor "$place/forked" --key "$key"
is "anchor: alone it is compared with nothing" "$status $(sed -n 's/^compared  *//p' <<< "$output")" "0 with nothing"
run anchor "$place/forked" --key "$key" --bundle "$place/all.bundle"
is "anchor: another history than the bundle's" "$status $(grep -c '^finding .*is not the one that the checkpoint signs' <<< "$output")" "1 1"
run anchor "$place/worm" "$place/forked" --key "$key"
is "anchor: two histories" "$status $(grep -c '^finding .*the log has two histories$' <<< "$output")" "1 1"
run anchor "$place/odd" --key "$key" --json
is "anchor: another's signature, and a wrong name" "$status $(python3 -c 'import json, sys; r = json.loads(sys.argv[1]); print(r["findings"], sorted(d["what"] for d in r["details"]))' "$output")" \
  "1 2 ['it is not signed by \"aegis.example/ledger\"', 'its name says another log or another size']"
run anchor "$place/stamped" --key "$key" --stamp "$place/response" --authority "$place/authority"
is "anchor: a time stamp, cosigned or not" "$status $(grep -cE '^stamped +at 2026-11-28T16:49:57Z, stamp 02$' <<< "$output")" "0 1"
run anchor "$place/stamped" --key "$key" --stamp "$place/response" --authority "$place/other_authority"
is "anchor: a stamp of no authority that is trusted" "$status $(grep -c 'the time stamp is not of an authority that is trusted' <<< "$output")" "1 1"
run anchor "$place/forked"/* --key "$key" --stamp "$place/response" --authority "$place/authority"
is "anchor: a stamp of another checkpoint" "$status $(grep -c 'the time stamp is over something else' <<< "$output")" "1 1"
run anchor "$place/worm" --key "$key" --stamp "$place/response" --authority "$place/authority"
is "anchor: a stamp is about one" "$status" 2
run anchor "$place/stamped" --key "$key" --stamp "$place/response"
is "anchor: a stamp without authorities" "$status" 2
run anchor "$place/stamped" --key "$key" --stamp "$place/response" --authority "$place/response"
is "anchor: authorities that are none" "$status" 2
run anchor "$place/odd" --key "$key" --origin example.org/none
is "anchor: nothing of the log" "$status" 2
exit "$failed"
