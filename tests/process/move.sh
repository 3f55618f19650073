#!/usr/bin/env bash
# A tenant moves from one region to another and is erased where it was: two clusters with keys of their own. What was exported is
# what arrives; hostile and interrupted files change nothing; nothing that stayed behind opens; nobody else notices.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh
. tests/regions.sh

verify=$(built aegis-verify)
rows() { query "SELECT md5(string_agg(t::text, E'\n' ORDER BY t::text)) FROM (SELECT to_jsonb(h) FROM t.house h WHERE tenant_id = '$1' UNION ALL SELECT to_jsonb(r) FROM t.room r WHERE tenant_id = '$1' UNION ALL SELECT to_jsonb(u) FROM aegis.user u WHERE tenant_id = '$1' UNION ALL SELECT to_jsonb(m) FROM aegis.team m WHERE tenant_id = '$1') t"; }

begin_regions "CREATE ROLE maker; CREATE SCHEMA t AUTHORIZATION maker; GRANT USAGE ON SCHEMA aegis TO maker; GRANT USAGE ON SCHEMA t TO aegis_operator;
  CREATE TABLE t.house (tenant_id uuid NOT NULL, id int, street aegis.sealed_text, mail aegis.sealed_email, rent numeric(12,3), seen timestamptz, tags text[],
    more jsonb, raw bytea, span interval, weight float8, twice numeric GENERATED ALWAYS AS (rent * 2) STORED, PRIMARY KEY (tenant_id, id));
  CREATE TABLE t.room (tenant_id uuid NOT NULL, id bigint GENERATED ALWAYS AS IDENTITY, house int NOT NULL, PRIMARY KEY (tenant_id, id), FOREIGN KEY (tenant_id, house) REFERENCES t.house);
  CREATE TABLE t.guest (tenant_id uuid NOT NULL, id int, person bigint, name aegis.sealed_text, PRIMARY KEY (tenant_id, id));
  ALTER TABLE t.house OWNER TO maker; ALTER TABLE t.room OWNER TO maker; ALTER TABLE t.guest OWNER TO maker;
  SELECT aegis.encrypt_column('t.guest', 'name', 't.guest_name', subject => 'person', row_bound => true);
  SELECT aegis.set_reveal_policy('t.guest_name', 0::smallint, 'full'); SELECT aegis.protect_table('t.guest'); GRANT SELECT ON t.guest TO aegis_operator;
  SELECT aegis.encrypt_column('t.house', 'street', 't.street', 'aegis.sealed_text', 'full'); SELECT aegis.encrypt_column('t.house', 'mail', 't.mail', 'aegis.sealed_email', 'email');
  SELECT aegis.set_reveal_policy('t.street', 0::smallint, 'full');
  SELECT aegis.protect_table('t.house'); SELECT aegis.protect_table('t.room', parent => 't.house');
  GRANT SELECT ON t.house, t.room TO aegis_operator"

at UK
tenant=$(query "SELECT aegis.create_tenant('orchid', 'Orchid Böoks')" -U olga)
other=$(query "SELECT aegis.create_tenant('other', 'Other')" -U olga)
fill() {
  query "BEGIN; SELECT aegis.assume_tenant('$1', 'set up', 'T-1', false); SELECT aegis.create_user('ada@example.test', 'Ada', 4::smallint, NULL, 'plum quartz lantern 47 river');
    SELECT aegis.create_team('South'); SET LOCAL ROLE maker;
    INSERT INTO t.house (id, street, mail, rent, seen, tags, more, raw, span, weight)
      SELECT n, 'Lilac Lane ' || n, 'm' || n || '@example.test', n / 7.0, now() + n * interval '1 s', ARRAY['a,b', NULL, E'q\"\\\\' || n], jsonb_build_object('n', n, 'é', E'\\n'), decode(md5(n::text), 'hex'), n * interval '1 h', n / 3.0
        FROM generate_series(1, $2) n;
    INSERT INTO t.room (house) SELECT n FROM generate_series(1, $2) n; COMMIT" > /dev/null
}
fill "$tenant" "${ROWS:-1500}"
fill "$other" 20
query "BEGIN; SELECT aegis.assume_tenant('$tenant', 'set up', 'T-1', false); SET LOCAL ROLE maker;
  INSERT INTO t.guest (id, person, name) VALUES (1, 7, 'guest seven'), (2, 8, 'guest eight'); COMMIT" > /dev/null
query "SELECT aegis.shred_subject('$tenant', 8::bigint, 'art. 17')" -U olga > /dev/null
query "UPDATE t.house SET street = NULL, raw = '', tags = '{}' WHERE tenant_id = '$tenant' AND id = 1" > /dev/null
before_other=$(rows "$other")
before=$(rows "$tenant")

# While it is at work it can be exported, and nobody takes it in.
at SG
early_key=$(query "SELECT aegis.import_key()" -U olga)
at UK
query "SELECT aegis.wait_sealed('60 s')" > /dev/null
number=$(asked export "'$early_key'")
query "COPY (SELECT aegis.export_tenant($number, 'orchid')) TO STDOUT" -U olga > "$files/early"
query "SELECT aegis.suspend_tenant('$tenant', 'moves')" -U olga > /dev/null
query "SELECT aegis.wait_sealed('60 s')" > /dev/null

at SG
key=$(query "SELECT aegis.import_key()" -U olga)
wrong_key="XX:${key#*:}"
at UK
number=$(asked export "'$wrong_key'")
query "COPY (SELECT aegis.export_tenant($number, 'orchid')) TO STDOUT" -U olga > "$files/elsewhere"
# An export whose process dies leaves its request open.
number=$(asked export "'$key'")
printf "SELECT 'pid', pg_backend_pid();\nCOPY (SELECT aegis.export_tenant(%s, 'orchid'), pg_sleep(0.01)) TO STDOUT;\n" "$number" | as_role olga > "$files/killed" 2>&1 &
killed() { grep -q '^pid|' "$files/killed" && [ "$(query "SELECT state FROM pg_stat_activity WHERE pid = $(sed -n 's/^pid|//p' "$files/killed")")" = active ]; }
within 30 killed
kill -9 "$(sed -n 's/^pid|//p' "$files/killed")"
wait
within 60 query "SELECT 1"
is "an export that was killed leaves its request open" "$(query "SELECT state FROM aegis.tenant_requests WHERE id = $number")" approved
query "COPY (SELECT aegis.export_tenant($number, 'orchid')) TO STDOUT" -U olga > "$files/orchid"
chain=$(query "SELECT result FROM aegis.tenant_request WHERE id = $number")

says "aegis-verify reads the file" "$("$verify" tenant "$files/orchid" --tenant "$tenant" --chain "$chain" 2>&1)" '^result +ok' "^chain +$chain\$" '^table +t.house, ' '^for +region "SG"'
says "the independent reader reads it" "$(python3 tests/independent/aegis_tenant.py "$files/orchid" 2>&1)" "^chain $chain\$" "^table t.house ${ROWS:-1500}\$"
is "the ledger of the source names the chain" "$(query "SELECT detail ->> 'chain' FROM aegis.audit_log WHERE event = 'tenant.exported' AND tenant_id = '$tenant' AND detail ? 'chain' ORDER BY seq DESC LIMIT 1")" "$chain"
python3 - "$files/orchid" "$other" << 'PY'
import base64, sys, uuid
other = uuid.UUID(sys.argv[2])
found = any(other.bytes in record or str(other).encode() in record for record in map(base64.b64decode, open(sys.argv[1], "rb")))
print("not ok" if found else "ok", "nothing of another tenant is in the file")
PY

# Hostile files, each with the chain that it really has, so that only its content speaks against it.
python3 - "$files" << 'PY'
import base64, sys
sys.path.insert(0, "tests/independent")
import aegis_format as f, aegis_proof as p, aegis_tenant as t
folder = sys.argv[1]
records = [f.cbor_read(base64.b64decode(line)) for line in open(folder + "/orchid", "rb").read().splitlines()]

def write(name, changed, rechain=True):
    own, rows, tables, total, running, out = bytes(32), 0, 0, 0, bytes(32), []
    for r in changed:
        if rechain and r[0] == t.TABLE:
            own, rows, tables = bytes(32), 0, tables + 1
        elif rechain and r[0] == t.ROW:
            own, rows, total = p.chain(own, f.cbor(r)), rows + 1, total + 1
        elif rechain and r[0] == t.TABLE_END:
            r = [r[0], rows, own]
        elif rechain and r[0] == t.END:
            r = [r[0], sum(c[0] == t.KEY for c in changed), tables, total, sum(c[0] == t.LEDGER for c in changed), running]
        data = f.cbor(r)
        if r[0] != t.END:
            running = p.chain(running, data)
        out.append(base64.b64encode(data))
    open(f"{folder}/{name}", "wb").write(b"\n".join(out) + b"\n")
    open(f"{folder}/{name}.chain", "w").write(running.hex())

def edited(change):
    copy = [list(r) for r in records]
    change(copy)
    return copy

def first(copy, kind, nth=0):
    return [i for i, r in enumerate(copy) if r[0] == kind][nth]

def house(copy):
    return next(i for i, r in enumerate(copy) if r[:2] == [t.TABLE, "t.house"])

def swap_tenant(copy):
    copy[0][3] = bytes(16)
def foreign_row(copy):
    i = max(i for i, r in enumerate(copy) if r[0] == t.ROW)
    row = list(copy[i][1]); row[0] = "00000000-0000-4000-8000-00000000000f"; copy[i] = [t.ROW, row]
def other_root(copy):
    a, b = first(copy, t.KEY), first(copy, t.KEY, 1); copy[a][3:], copy[b][3:] = copy[b][3:], copy[a][3:]
def retyped(copy):
    i = house(copy); copy[i][2] = ["integer" if c == "numeric(12,3)" else c for c in copy[i][2]]
def other_table(copy):
    copy[house(copy)][1] = "pg_catalog.pg_authid"
def injected(copy):
    copy[house(copy)][1] = 't.house; DROP TABLE t.house; --'
def orphan(copy):
    i = max(i for i, r in enumerate(copy) if r[0] == t.ROW); row = list(copy[i][1]); row[2] = "999999"; copy[i] = [t.ROW, row]
def tampered_ledger(copy):
    i = [i for i, r in enumerate(copy) if r[0] == t.LEDGER and len(r[1]) > 200][0]; b = bytearray(copy[i][1]); b[-1] ^= 1; copy[i][1] = bytes(b)
def moved_envelope(copy):
    rows = [i for i, r in enumerate(copy) if r[0] == t.ROW and len(r[1]) > 10]
    row = list(copy[rows[5]][1]); row[2] = row[3]; copy[rows[5]] = [t.ROW, row]
def wide(copy):
    i = max(i for i, r in enumerate(copy) if r[0] == t.ROW); copy[i] = [t.ROW, copy[i][1] + ["x"]]
for change in (swap_tenant, foreign_row, other_root, retyped, other_table, injected, orphan, tampered_ledger, moved_envelope, wide):
    write(change.__name__, edited(change))
write("cut", records[:-1])
write("without_key", [r for r in records if r[:2] != [t.KEY, "index"]])
lines = open(folder + "/orchid", "rb").read().splitlines(keepends=True)
flip = bytearray(lines[len(lines) // 2]); flip[9] = ord("A") if flip[9] != ord("A") else ord("B"); lines[len(lines) // 2] = bytes(flip)
open(folder + "/flipped", "wb").write(b"".join(lines))
PY
chmod -R a+rX "$files"
at SG
untouched() { query "SELECT (SELECT count(*) FROM aegis.tenant), (SELECT count(*) FROM aegis.tenant_key WHERE tenant_id = '$tenant'), (SELECT count(*) FROM t.house), (SELECT count(*) FROM aegis.user), (SELECT count(*) FROM aegis.import_key WHERE used_at IS NOT NULL)"; }
refuses() {
  local name=$1 file=$2 with=$3
  shift 3
  says "refuses $name" "$(take "$files/$file" "$with" || true)" "$@"
  is "and takes nothing of it ($name)" "$(untouched)" "0|0|0|0|0"
}
early_chain=$(python3 tests/independent/aegis_tenant.py "$files/early" | sed -n 's/^chain //p')
refuses "a tenant that was at work" early "$early_chain" 'was not suspended'
refuses "a file for another region" elsewhere "$(python3 tests/independent/aegis_tenant.py "$files/elsewhere" | sed -n 's/^chain //p')" 'belongs to region "XX", this is "SG"' 'cluster of region "XX"'
refuses "another chain" orchid "$(printf '%064d' 0)" 'the chain of the exported tenant is another'
refuses "a flipped character" flipped "$chain" 'cannot be (read|taken in)'
refuses "a file without its end" cut "$(cat "$files/cut.chain")" 'its end is missing'
refuses "a file without a key" without_key "$(cat "$files/without_key.chain")" 'cannot be read'
refuses "another tenant in the header" swap_tenant "$(cat "$files/swap_tenant.chain")" 'cannot be opened'
refuses "swapped keys" other_root "$(cat "$files/other_root.chain")" 'cannot be opened'
refuses "a row of another tenant" foreign_row "$(cat "$files/foreign_row.chain")" 'belongs to another tenant'
refuses "another type" retyped "$(cat "$files/retyped.chain")" 'column rent of t.house is integer in the file and numeric\(12,3\) here'
refuses "a table that is not protected" other_table "$(cat "$files/other_table.chain")" 'pg_catalog.pg_authid is not a protected table here'
refuses "a name that is SQL" injected "$(cat "$files/injected.chain")" 'is not a protected table here'
refuses "a row without its parent" orphan "$(cat "$files/orphan.chain")" 'has no parent'
refuses "a log that was changed" tampered_ledger "$(cat "$files/tampered_ledger.chain")" 'does not verify'
refuses "a sealed value of another field" moved_envelope "$(cat "$files/moved_envelope.chain")" 'ERROR'
refuses "a row of another width" wide "$(cat "$files/wide.chain")" 'cannot be read'
query "ALTER TABLE t.house ADD COLUMN extra text" > /dev/null
refuses "a table with another column" orchid "$chain" 'column extra of t.house is not in the file'
query "ALTER TABLE t.house DROP COLUMN extra" > /dev/null
python3 - "$files" << 'PY'
import sys
sys.path.insert(0, "tests/independent")
import aegis_format as f, aegis_hpke as h, aegis_tenant as t
bundle = t.read(open(sys.argv[1] + "/orchid", "rb").read())
try:
    t.open_keys(bundle, bytes(range(32)))
    print("not ok the keys open for nobody else")
except f.Refused:
    print("ok the keys open for nobody else")
PY

# An import whose process dies leaves nothing, and is done again.
printf 'SELECT %s, pg_backend_pid();\nCREATE TEMP TABLE lines (n bigint GENERATED ALWAYS AS IDENTITY, line text);\n\\copy lines (line) FROM %s\nSELECT aegis.import_tenant(%s, %s), pg_sleep(60);\n' "'pid'" "'$files/orchid'" "'lines'" "'$chain'" | as_role olga > "$files/killed" 2>&1 &
killed() { grep -q '^pid|' "$files/killed" && query "SELECT wait_event FROM pg_stat_activity WHERE pid = $(sed -n 's/^pid|//p' "$files/killed")" | grep -q PgSleep; }
within 120 killed
kill -9 "$(sed -n 's/^pid|//p' "$files/killed")"
wait
within 60 query "SELECT 1"
is "an import that was killed leaves nothing" "$(untouched)" "0|0|0|0|0"
within 60 query "SELECT 1 / alive::int FROM aegis.worker_status()"
is "imports, and leaves no context behind" "$(take "$files/orchid" "$chain"; echo .)" "$tenant

."
is "what arrived is what was sent" "$(rows "$tenant")" "$before"
refuses_again() { says "refuses $1" "$(take "$files/$2" "$3" || true)" "$4"; }
refuses_again "the same file again" orchid "$chain" 'another recipient'
refuses_again "an old file" early "$early_chain" 'was not suspended|another recipient|here already'
query "SELECT aegis.wait_sealed('60 s')" > /dev/null
at SG
is "the first entry of the tenant names its source" "$(query "SELECT leaf, event, detail ->> 'chain' = '$chain', detail ->> 'region', detail ->> 'rows' FROM aegis.audit_log WHERE tenant_id = '$tenant' ORDER BY leaf LIMIT 1")" "0|tenant.imported|t|UK|$((2 * ${ROWS:-1500} + 9))"
is "no row was captured again" "$(query "SELECT count(*) FROM aegis.audit_log WHERE tenant_id = '$tenant' AND event = 'row.changed'")" 0
query "SELECT aegis.reactivate_tenant('$tenant', 'has arrived')" -U olga > /dev/null
is "signs in with the password of before" "$(query "SELECT outcome FROM aegis.sign_in('orchid', 'ADA@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL)")" success
is "opens what was sealed at the source" "$(query "BEGIN; SELECT aegis.assume_tenant('$tenant', 'look', 'T-2'); SELECT aegis.reveal(street) FROM t.house WHERE mail = 'm7@example.test'; COMMIT" -U olga | grep .)" "Lilac Lane 7"
is "a person's value opens, an erased person's does not" "$(query "SELECT items, detail FROM aegis.verify_fields('t.guest') ORDER BY 2")" $'1|values of erased data subjects, which nobody opens\n1|values open'
is "and is known as erased" "$(query "SELECT count(*) FROM aegis.shred_status() WHERE subject = aegis.subject_name('$tenant', 8::bigint)" -U olga)" 1
# Numbers that a table gives itself go on behind those that came.
says "and new rows get new numbers" "$(query "BEGIN; SELECT aegis.assume_tenant('$tenant', 'work', 'T-3', false); SET LOCAL ROLE maker; INSERT INTO t.room (house) VALUES (1) RETURNING 'room ' || id; ROLLBACK")" "^room $((${ROWS:-1500} + 1))\$"
sign 64
receipt() { query "SELECT aegis.receipt('$tenant', $1)" -U auditor | sed '$d'; }
receipt 0 > "$files/arrived"
says "the receipt of the arrival" "$("$verify" proof "$files/arrived" --key "$(key_of SG 64)" --tenant "$tenant" 2>&1)" '^result +ok' '^event +tenant.imported$'
receipt 1 > "$files/second"

# A tenant whose values commit to their key, suite 02, arrives as one, and what it seals there does too.
suites() { query "SELECT string_agg(DISTINCT get_byte(decode(translate(substr(street::text, 4, 8), '-_', '+/'), 'base64'), 1)::text, ',') FROM t.house WHERE tenant_id = '$beech'"; }
at SG
beech_key=$(query "SELECT aegis.import_key()" -U olga)
at UK
beech=$(query "SELECT aegis.create_tenant('beech', 'Beech')" -U olga)
fill "$beech" 5
is "before it commits, its values are of suite 1" "$(suites)" 1
job=$(query "SELECT job FROM aegis.rotate_tenant_key('$beech', 'must commit', true)" -U olga)
is "they become ones of suite 2" "$(query "SELECT aegis.wait_job($job, '60 s')" -U olga; suites)" $'done\n2'
query "SELECT aegis.suspend_tenant('$beech', 'moves')" -U olga > /dev/null
query "SELECT aegis.wait_sealed('60 s')" > /dev/null
number=$(query "SELECT aegis.request_tenant_action('export', '$beech', 'beech', 'for the test', '$beech_key')" -U olga)
query "SELECT aegis.approve_tenant_action($number, 'beech')" -U otto > /dev/null
query "COPY (SELECT aegis.export_tenant($number, 'beech')) TO STDOUT" -U olga > "$files/beech"
beech_chain=$(query "SELECT result FROM aegis.tenant_request WHERE id = $number")
says "aegis-verify reads its file" "$("$verify" tenant "$files/beech" --tenant "$beech" --chain "$beech_chain" 2>&1)" '^result +ok'
says "and so does the independent reader" "$(python3 tests/independent/aegis_tenant.py "$files/beech" 2>&1)" "^chain $beech_chain\$"
at SG
is "it is imported" "$(take "$files/beech" "$beech_chain" | grep .)" "$beech"
is "with the suite of each root" "$(query "SELECT string_agg(kind || ' ' || epoch || ' ' || suite, ', ' ORDER BY kind DESC, epoch) FROM aegis.tenant_key WHERE tenant_id = '$beech'")" "root 1 1, root 2 2, index 1 1"
query "SELECT aegis.reactivate_tenant('$beech', 'has arrived')" -U olga > /dev/null
query "BEGIN; SELECT aegis.assume_tenant('$beech', 'work', 'T-4', false); SET LOCAL ROLE maker; INSERT INTO t.house (id, street, mail) VALUES (6, 'Lilac Lane 6', 'm6@example.test'); COMMIT" > /dev/null
is "new values commit there as well" "$(suites)" 2
is "old and new ones are found and open" "$(query "BEGIN; SELECT aegis.assume_tenant('$beech', 'look', 'T-5'); SELECT aegis.reveal(street) FROM t.house WHERE mail IN ('m5@example.test', 'M6@example.test') ORDER BY id; COMMIT" -U olga | grep Lane)" $'Lilac Lane 5\nLilac Lane 6'
is "and every key of it opens what it should" "$(query "SELECT count(*) FROM aegis.verify_keys() WHERE tenant_id = '$beech' AND outcome <> 'ok'")" 0

# The source believes the receipt, and nothing else.
at UK
number=$(asked move "'SG:$(key_of SG 64)'")
another=$(asked move "'SG:$(key_of SG 65)'")
ends() { query "SELECT aegis.move_tenant($1, 'orchid', \$r\$$(cat "$2")
\$r\$)" -U olga; }
says "refuses a receipt of another entry" "$(ends "$number" "$files/second" || true)" 'not that of the first entry'
says "refuses another key" "$(ends "$another" "$files/arrived" || true)" ERROR
sed 's/^index .*/index 0/' "$files/arrived" > "$files/forged"
sed -i '2s/AB/AC/' "$files/forged"
says "refuses a changed receipt" "$(ends "$number" "$files/forged" || true)" ERROR
ends "$number" "$files/arrived" > /dev/null
is "the tenant moved" "$(query "SELECT status, moved_to FROM aegis.tenants() WHERE slug = 'orchid'")" "moved|SG"
is "the ledger says where, to which ledger, and who asked and agreed" "$(query "SELECT outcome, target_id = '$tenant', detail ->> 'region', length(detail ->> 'chain'), detail ->> 'requested_by' <> (detail ->> 'approved_by') FROM aegis.audit_log WHERE event = 'tenant.moved'")" 'success|t|SG|64|t'
answer=$(query "SELECT status, body FROM aegis.handle('POST', '/api/session', ARRAY['host', 'a.test', 'content-type', 'application/json'], '{\"tenant\": \"orchid\", \"email\": \"ada@example.test\", \"password\": \"x\"}'::bytea, NULL, 'r1')" -U gateway)
is "sign-in answers that it is gone" "${answer%%|*}" 410
says "and where it is" "$(python3 -c 'import sys; print(bytes.fromhex(sys.argv[1].split("x")[-1]).decode())' "$answer")" 'urn:aegis:problem:moved' 'moved to region \\"SG\\"'
is "nobody reactivates it" "$(query "SELECT aegis.reactivate_tenant('$tenant', 'x')" -U olga | grep -c 'moved to region "SG"')" 1

# Erasure of what stayed behind: a session that has the key in its memory, the files, the master key in hand.
query "SELECT kind, epoch, master_version, encode(salt, 'hex'), encode(wrapped, 'hex') FROM aegis.tenant_key WHERE tenant_id = '$tenant'" > "$files/wrapped"
query "SELECT aegis.armor(street) FROM t.house WHERE tenant_id = '$tenant' AND id = 7" > "$files/armor"
mkfifo "$files/pipe"
as_server "$bin/psql" -XAtq -h "$place" -U postgres -d postgres < "$files/pipe" > "$files/holder" 2>&1 &
holder=$!
exec 3> "$files/pipe"
printf "SELECT aegis.seal_text('x', (SELECT reference FROM aegis.field WHERE name = 't.street'), '%s') IS NOT NULL;\n" "$tenant" >&3
within 30 grep -q t "$files/holder"
# A transaction that sees the keys as they were would keep them in the new file.
mkfifo "$files/old_pipe"
as_server "$bin/psql" -XAtq -h "$place" -U postgres -d postgres < "$files/old_pipe" > "$files/old" 2>&1 &
exec 4> "$files/old_pipe"
printf "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 'sees';\n" >&4
within 30 grep -q sees "$files/old"
number=$(asked erase NULL)
job=$(query "SELECT aegis.erase_tenant($number, 'orchid')" -U olga)
printf "SELECT aegis.seal_text('x', (SELECT reference FROM aegis.field WHERE name = 't.street'), '%s') IS NOT NULL;\n\\q\n" "$tenant" >&3
exec 3>&-
wait "$holder"
says "a session that had the key has it no more" "$(tail -n 2 "$files/holder")" 'the key was destroyed'
gone() { [ "$(query "SELECT count(*) FROM t.house WHERE tenant_id = '$tenant'")" = 0 ]; }
within 60 gone
sleep 2
is "while an old transaction sees the keys, nobody says that they are gone" "$(query "SELECT j.state, s.state FROM aegis.jobs j, aegis.shred_status() s WHERE j.id = $job AND s.subject IS NULL")" "running|in files"
printf "COMMIT;\n\\q\n" >&4
exec 4>&-
is "the job is done" "$(query "SELECT aegis.wait_job($job, '120 s')" -U olga)" "done"
is "nothing is left" "$(query "SELECT (SELECT count(*) FROM t.house WHERE tenant_id = '$tenant'), (SELECT count(*) FROM t.room WHERE tenant_id = '$tenant'), (SELECT count(*) FROM aegis.user WHERE tenant_id = '$tenant'), (SELECT count(*) FROM aegis.session WHERE tenant_id = '$tenant'), (SELECT count(*) FROM aegis.tenant_key WHERE tenant_id = '$tenant' AND wrapped IS NOT NULL)")" "0|0|0|0|0"
is "the other tenant is as it was" "$(rows "$other")" "$before_other"
query "VACUUM" > /dev/null
query "CHECKPOINT" > /dev/null
python3 - "$files" "$cluster" "$tenant" "$(query "SELECT encode(salt, 'hex') FROM aegis.tenant_key WHERE tenant_id = '$other' AND kind = 'root'")" "$(query "SELECT encode(wrapped, 'hex') FROM aegis.tenant_key WHERE tenant_id = '$other' AND kind = 'root'")" << 'PY'
import os, sys, uuid
sys.path.insert(0, "tests/independent")
import aegis_format as f
folder, cluster, tenant, salt, wrapped = sys.argv[1:]
master, tenant = bytes.fromhex("%064d" % 7), uuid.UUID(tenant).bytes
lines = [line.split("|") for line in open(folder + "/wrapped").read().split()]
armor = f.from_armor(open(folder + "/armor").read().strip())
def opens(salt, wrapped, epoch):
    try:
        root = f.unwrap_root(master, 1, bytes.fromhex(salt), tenant, epoch, bytes.fromhex(wrapped))
        field = f.derive_key(root, b"", "encrypt", tenant, epoch, f.field_reference("t.street"))
        return f.open_envelope(field, armor, tenant, b"", [])
    except Exception:
        return None
kept = {line[0]: opens(line[3], line[4], int(line[1])) for line in lines}
print("ok" if b"Lilac Lane 7" in (kept["root"] or b"") else "not ok", "what was there before opens with the master key: the test can see keys")
print("ok" if opens(salt, wrapped, 1) is None else "not ok", "the root of another tenant opens nothing of it")
bytes_of = [bytes.fromhex(line[4]) for line in lines]
hits = [os.path.join(at, name) for at, _, names in os.walk(os.path.join(cluster, "base")) for name in names
        if any(b in open(os.path.join(at, name), "rb").read() for b in bytes_of)]
print("ok" if not hits else "not ok", "no file of the database holds a wrapped root of it", *hits)
PY
is "shred_status says so" "$(query "SELECT slug, state FROM aegis.shred_status()" -U auditor)" "orchid|destroyed"
is "the ledger verifies" "$(query "SELECT aegis.wait_sealed('60 s'); SELECT count(*) FROM aegis.verify_ledger() WHERE outcome = 'finding'" | tail -n 1)" 0
sign 96
query "SELECT aegis.erasure_certificate('$tenant')" -U auditor | sed '$d' > "$files/certificate"
says "the certificate verifies offline" "$("$verify" proof "$files/certificate" --key "$(key_of UK 96)" --tenant "$tenant" 2>&1)" '^result +ok' '^event +tenant.erased$' "\"rows\": $((2 * ${ROWS:-1500} + 2))"
says "and by the independent reader" "$(python3 tests/independent/aegis_receipt.py "$files/certificate" "$(key_of UK 96)" "UK.example/postgres" 2>&1)" 'tenant.erased'
says "it still says where the tenant is" "$(query "SELECT outcome FROM aegis.sign_in('orchid', 'ada@example.test', 'x', NULL, NULL, NULL)" || true)" 'moved to region "SG"'
at SG
is "the target goes on" "$(query "BEGIN; SELECT aegis.assume_tenant('$tenant', 'look', 'T-2'); SELECT aegis.reveal(street) FROM t.house WHERE id = 9; COMMIT" -U olga | grep .)" "Lilac Lane 9"
is "and its ledger verifies" "$(query "SELECT aegis.wait_sealed('60 s'); SELECT count(*) FROM aegis.verify_ledger() WHERE outcome = 'finding'" | tail -n 1)" 0
finish
