#!/usr/bin/env bash
# One person is erased: from the commit on nothing opens that person's values, not even a second reader that has the master
# key and every table of keys; the file of keys holds the wrapped key no more; everybody else's values open; the ledger
# verifies, and the certificate does where there is no database.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh
. tests/signed.sh

verify=$(built aegis-verify)
make_cluster
as_server rm -f "$place/keyring"
echo 1:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f | as_server sh -c 'umask 0277; cat > "$0"' "$place/keyring"
preload
settings "aegis.seal_interval = '10ms'" "autovacuum = off" "max_prepared_transactions = 2"
begin_signer subjects.example
must_start
query "CREATE EXTENSION aegis; CREATE ROLE operator LOGIN IN ROLE aegis_operator; CREATE ROLE auditor LOGIN IN ROLE aegis_auditor;
  CREATE SCHEMA live; GRANT USAGE ON SCHEMA live TO operator;
  CREATE TABLE live.person (tenant_id uuid, id bigint, person text, mail text, secret text, PRIMARY KEY (tenant_id, id));
  SELECT aegis.protect_table('live.person');
  SELECT aegis.encrypt_column('live.person', 'mail', 'live.mail', 'aegis.sealed_email', 'email', subject => 'person');
  SELECT aegis.encrypt_column('live.person', 'secret', 'live.secret', subject => 'person', row_bound => true);
  SELECT aegis.set_reveal_policy('live.mail', 0::smallint, 'full');
  GRANT SELECT, INSERT, UPDATE ON live.person TO operator" > /dev/null
tenant=$(query "SELECT aegis.create_tenant('acme', 'Acme')")
other=$(query "SELECT aegis.create_tenant('other', 'Other')")
as_role operator > /dev/null << SQL
BEGIN;
SELECT aegis.assume_tenant('$tenant', 'test', 'T-1', false);
INSERT INTO live.person (id, person, mail, secret) VALUES (1, 'ann', 'ann@example.org', 'of ann'), (2, 'Zoë', 'zoe@example.org', 'of Zoë');
COMMIT;
BEGIN;
SELECT aegis.assume_tenant('$other', 'test', 'T-1', false);
INSERT INTO live.person (id, person, mail, secret) VALUES (3, 'ann', 'ann@example.org', 'of another ann');
COMMIT;
SQL
reader() { python3 tests/independent/live_subject.py --psql "$bin/psql" --socket "$place" --keyring "$place/keyring" "$@"; }
all="1 mail: ann@example.org
1 secret: of ann
2 mail: zoe@example.org
2 secret: of Zoë
3 mail: ann@example.org
3 secret: of another ann"
is "the second reader opens every value" "$(reader)" "$all"
moved=$(reader --moved)
is "and none where it does not belong" "$(grep -vc ': closed$' <<< "$moved") of $(wc -l <<< "$moved")" "0 of 18"

# A session that has the keys in its cache, and the file of the table.
mkfifo "$place/pipe"
as_server "$bin/psql" -XAtq -h "$place" -d postgres -U operator < "$place/pipe" > "$place/seen" 2>&1 &
exec 3> "$place/pipe"
printf "%s\n" "BEGIN; SELECT aegis.assume_tenant('$tenant', 'test', 'T-2');" "SELECT aegis.reveal(p.mail, p) FROM live.person p ORDER BY id;" \
  "SELECT 'first look';" >&3
within 20 grep -q 'first look' "$place/seen" || { echo "not ok the other session looks"; exit 1; }
wrapped=$(query "SELECT encode(wrapped, 'hex') FROM aegis.subject_key WHERE tenant_id = '$tenant' AND encode(name, 'hex') = aegis.subject_name('$tenant', 'ann'::text)")
# in_files: in which files of tables the wrapped key stands.
in_files() {
  query "CHECKPOINT" > /dev/null
  python3 - "$cluster/base" "$1" << 'PY'
import os, sys
found = 0
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        with open(os.path.join(folder, name), "rb") as file:
            found += bytes.fromhex(sys.argv[2]) in file.read()
print(found)
PY
}
is "the wrapped key lies in a file" "$(in_files "$wrapped")" 1

job=$(as_role operator -c "SELECT aegis.shred_subject('$tenant', 'ann'::text, 'erasure, request 1')")
is "at once nothing of that person opens, with the master key in hand" "$(reader | sed -n 1,4p)" "1 mail: closed
1 secret: closed
2 mail: zoe@example.org
2 secret: of Zoë"
is "another tenant's person of the same name is another" "$(reader | sed -n 5,6p)" "3 mail: ann@example.org
3 secret: of another ann"
printf "%s\n" "SAVEPOINT s; SELECT aegis.reveal(p.mail, p) FROM live.person p WHERE id = 1;" "ROLLBACK TO s; SELECT aegis.reveal(p.mail, p) FROM live.person p WHERE id = 2;" \
  "SELECT 'second look'; COMMIT;" >&3
within 20 grep -q 'second look' "$place/seen" || { echo "not ok the other session looks again"; exit 1; }
exec 3>&-
wait "$(jobs -p | tail -1)" 2> /dev/null || true
says "a session that had the key does not open it either" "$(sed -n '/first look/,$p' "$place/seen")" 'the key of the data subject was destroyed' '^zoe@example.org$'
is "the job ends" "$(as_role operator -c "SELECT aegis.wait_job($job, '60 s')")" "done"
is "no file of a table holds the wrapped key" "$(in_files "$wrapped")" 0
is "what is left is destroyed" "$(query "SELECT string_agg(state, ',') FROM aegis.shred_status()")" destroyed
says "values of the erased are counted, all others open" "$(query "SELECT outcome, items, detail FROM aegis.verify_fields('live.person') ORDER BY tenant_id, column_name, items")" \
  '^ok\|1\|values of erased' '^ok\|1\|values open'
is "nothing is a finding" "$(query "SELECT count(*) FROM aegis.verify_fields('live.person') WHERE outcome = 'finding'")" 0

query "SELECT aegis.wait_sealed('60 s')" > /dev/null
is "the ledger verifies" "$(query "SELECT count(*) FROM aegis.verify_ledger() WHERE outcome = 'finding'")" 0
# A key that is made in a transaction which is prepared is no key yet, for the session that made it either.
prepared=$(as_role postgres -v ON_ERROR_STOP=0 << SQL
BEGIN;
INSERT INTO live.person (tenant_id, id, person, secret) VALUES ('$tenant', 10, 'cara', 'undone');
PREPARE TRANSACTION 'cara';
SET lock_timeout = '100ms';
INSERT INTO live.person (tenant_id, id, person, secret) VALUES ('$tenant', 11, 'cara', 'waits');
ROLLBACK PREPARED 'cara';
INSERT INTO live.person (tenant_id, id, person, secret) VALUES ('$tenant', 12, 'cara', 'opens') RETURNING id;
SQL
)
is "the next transaction waits for the key of a prepared one" "$(grep -cE 'lock timeout|^12$' <<< "$prepared")" 2
is "what was written meanwhile opens" "$(query "SELECT count(*) FROM aegis.verify_fields('live.person') WHERE outcome = 'finding'")" 0

certificate() { as_role auditor -c "SELECT aegis.erasure_certificate('$tenant', 'ann'::text)"; }
within 30 certificate || { echo "not ok a certificate"; exit 1; }
certificate > "$place/erased.tlog-proof"
name=$(as_role auditor -c "SELECT aegis.subject_name('$tenant', 'ann'::text)")
says "the certificate holds without the database" "$("$verify" proof "$place/erased.tlog-proof" --key "$vkey" --tenant "$tenant" 2>&1)" \
  '^result +ok' '^event +subject.erased$' "^target_id +$name\$"
says "and not for another tenant" "$("$verify" proof "$place/erased.tlog-proof" --key "$vkey" --tenant "$other" 2>&1 || true)" 'not ok|result +(failed|finding|refused)|tenant'
finish
