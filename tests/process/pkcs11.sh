#!/usr/bin/env bash
# Master keys that a token's key unwraps, with SoftHSM as the token: made, served, rotated by a reload; every fault has a
# reason and an exit status of its own, and a reload that meets one keeps the keys it had. What the token wraps, the
# second implementation opens, and the other way round.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

module=/usr/lib/softhsm/libsofthsm2.so
if [ ! -e "$module" ]; then
  echo "not ok pkcs11: $module is missing; apt-get install softhsm2"
  exit 1
fi
program=$place/aegis-pkcs11
as_server sh -c 'cat > "$0" && chmod 0700 "$0"' "$program" < "$(built aegis-pkcs11)"
keygen=$(built aegis-keygen)
make_cluster
preload

as_server mkdir "$place/tokens"
printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' "$place/tokens" | as_server tee "$place/softhsm2.conf" > /dev/null
with_token() { as_server env "SOFTHSM2_CONF=$place/softhsm2.conf" "$@"; }
with_token softhsm2-util --init-token --free --label aegis --pin 271828 --so-pin 314159 > /dev/null
as_server sh -c 'umask 0277; echo 271828 > "$0/pin"; echo 999999 > "$0/wrong"; : > "$0/empty"' "$place"

usual=(--module "$module" --token aegis --pin-file "$place/pin")
pkcs11() { with_token "$program" "$@" 2>&1 || echo "exit $?"; }
# refuses NAME STATUS REASON ARGUMENT ...
refuses() {
  local name=$1 status=$2 reason=$3
  shift 3
  says "$name" "$(pkcs11 "$@")" "^aegis-pkcs11: $reason" '^hint: ' "^exit $status\$"
}

# By hand.
refuses "no key in the token" 7 'the token has no AES key "aegis"' "${usual[@]}" --create "$place/wrapped"
is "nothing was written" "$(ls "$place/wrapped" 2> /dev/null || true)" ""
is "a key of the token" "$(pkcs11 "${usual[@]}" --make-key)" 'made AES-256 key "aegis" in token "aegis"'
refuses "a second of its name" 7 'the token has an AES key "aegis" already' "${usual[@]}" --make-key
said=$(pkcs11 "${usual[@]}" --create "$place/wrapped")
says "version 1" "$said" '^wrote .*/wrapped, wrapped by key "aegis" of token "aegis"$' '^version 1, check value [0-9a-f]{16}, active$'
is "mode" "$(stat -c %a "$place/wrapped")" "600"
with_token "$program" "${usual[@]}" "$place/wrapped" > "$place/opened" 2> "$place/complaints"
is "it prints the key, and nothing else" "$(grep -cE '^1:[0-9a-f]{64}$' "$place/opened") $(wc -l < "$place/opened") $(wc -c < "$place/complaints")" "1 1 0"
is "the same key by its check value" "$("$keygen" --check "$place/opened")" "$(grep '^version' <<< "$said")"
is "check" "$(pkcs11 "${usual[@]}" --check "$place/wrapped")" "$(grep '^version' <<< "$said")"
digits=$(sed -n 's/^1://p' "$place/opened")
is "the file does not hold it" "$(grep -cF "$digits" "$place/wrapped" || true)" "0"
refuses "never overwrites" 1 'file ".*/wrapped" exists and is not overwritten' "${usual[@]}" --create "$place/wrapped"

# Faults.
other() { # OPTION VALUE: the usual arguments with one changed
  local changed=("${usual[@]}") i
  for i in 0 2 4; do if [ "${changed[i]}" = "$1" ]; then changed[i + 1]=$2; fi; done
  printf '%s\n' "${changed[@]}"
}
fault() { # NAME STATUS REASON OPTION VALUE
  local arguments
  mapfile -t arguments < <(other "$4" "$5")
  refuses "$1" "$2" "$3" "${arguments[@]}" "$place/wrapped"
}
fault "module missing" 2 'could not open module ".*/none": No such file' --module "$place/none"
fault "module that is none" 2 "could not load module \".*/wrapped\": .*" --module "$place/wrapped"
fault "token missing" 3 'there is no token "other" among the [12] that the module has' --token other
fault "PIN file missing" 4 'could not open PIN file ".*/none": No such file' --pin-file "$place/none"
fault "PIN file is a folder" 4 "PIN file \"$place\" is not a regular file" --pin-file "$place"
as_server sh -c 'cp "$0/pin" "$0/shown" && chmod 0644 "$0/shown"' "$place"
fault "PIN file readable by others" 4 'PIN file ".*/shown" can be read by others' --pin-file "$place/shown"
if [ "$(id -u)" = 0 ]; then
  echo 271828 > "$place/foreign"
  fault "PIN file of somebody else" 4 'PIN file ".*/foreign" is not owned by the user' --pin-file "$place/foreign"
else
  echo "skip PIN file of somebody else (needs root)"
fi
fault "PIN file empty" 4 'PIN file ".*/empty" has no first line' --pin-file "$place/empty"
fault "PIN wrong" 5 'the token refuses the PIN' --pin-file "$place/wrong"
refuses "another key named" 7 'the token has no AES key "none"' "${usual[@]}" --key none "$place/wrapped"
refuses "file missing" 8 'could not open ".*/nowhere": No such file' "${usual[@]}" "$place/nowhere"
damage() { # NAME PATTERN SED-SCRIPT
  as_server sh -c 'sed -E "$1" "$0/wrapped" > "$0/damaged"' "$place" "$3"
  refuses "$1" 8 "$2" "${usual[@]}" "$place/damaged"
}
damage "a digit lost" '".*/damaged", line 3: a wrapped key does not have 120' 's/^(1:.*).$/\1/'
damage "the ciphertext changed" 'version 1 does not open' '/^1:.{40}0/{s/^(1:.{40})./\11/;b}; s/^(1:.{40})./\10/'
damage "another version's number" 'version 2 does not open' 's/^1:/2:/'
damage "no line" '".*/damaged": the key provider delivers no key' '/^1:/d'
says "no file named" "$(pkcs11 "${usual[@]}")" '^aegis-pkcs11: no file is named' '^exit 1$'
says "help" "$(pkcs11 --help)" '^  --pin-file ' '^Exit status: 0'
if grep -rqsE '271828|999999' <(pkcs11 "$(other --pin-file "$place/wrong")" "$place/wrapped"); then is "the PIN is not shown" "shown" ""; fi

# The second implementation and the program read each other.
python3 -c 'import sys; sys.stdout.buffer.write(bytes(range(0x40, 0x60)))' | as_server tee "$place/known.bin" > /dev/null
with_token softhsm2-util --import "$place/known.bin" --aes --token aegis --label known --id 0b --pin 271828 > /dev/null
printf '1:%s\n' "$digits" | as_server sh -c 'umask 0277; cat > "$0/plain"' "$place"
says "an existing key file" "$(pkcs11 "${usual[@]}" --key known --create "$place/theirs" --from "$place/plain")" '^wrote ' '^version 1, check value'
is "wrapped by the token, opened by the second implementation" \
  "$(python3 tests/independent/wrapped_keyring.py open "$place/known.bin" < "$place/theirs")" "1:$digits"
python3 tests/independent/wrapped_keyring.py wrap "$place/known.bin" 7 < "$place/plain" | as_server tee "$place/ours" > /dev/null
is "wrapped by the second implementation, opened by the token" \
  "$(with_token "$program" "${usual[@]}" --key known "$place/ours" 2> /dev/null)" "7:$digits"

# The server.
command="command:/usr/bin/env SOFTHSM2_CONF=$place/softhsm2.conf $program ${usual[*]} $place/wrapped"
settings "aegis.key_provider = '$command'"
must_start
query_database=postgres query "CREATE DATABASE test" > /dev/null
query_database="test"
query "CREATE EXTENSION aegis" > /dev/null
tenant=$(query "SELECT aegis.create_tenant('hsm', 'Hsm')")
query "CREATE TABLE t (tenant_id uuid NOT NULL, id int, note text);
  SELECT aegis.encrypt_column('t', 'note', 'pkcs11.note')" > /dev/null
query "INSERT INTO t VALUES ('$tenant', 1, 'Zanzibar-4711')" > /dev/null
state() { query "SELECT string_agg(format('%s %s %s', version, state, root_keys > 0), ', ' ORDER BY version) FROM aegis.key_status()"; }
verified() { query "SELECT count(*) FILTER (WHERE outcome = 'ok'), count(*) FILTER (WHERE outcome <> 'ok') FROM aegis.verify_keys()"; }
is "served" "$(state)" "1 active t"
is "the same key again" "$(query "SELECT check_value FROM aegis.key_status()")" "$(sed -nE 's/^version 1, check value ([0-9a-f]+).*/\1/p' <<< "$said")"
stop
must_start
is "restarted" "$(state)" "1 active t"
is "every key opens what it sealed" "$(verified | cut -d'|' -f2)" "0"

pkcs11 "${usual[@]}" --next "$place/wrapped" > /dev/null
as_server "$bin/pg_ctl" reload -s -D "$cluster"
second() { [ "$(query "SELECT count(*) FROM aegis.provided_keys()")" = 2 ]; }
if within 20 second; then echo "ok version 2 by a reload"; else is "version 2 by a reload" "$(state)" "2 versions"; fi
must_have_worker
job=$(query "SELECT aegis.rotate_master_key('test')")
query "SELECT aegis.wait_job($job, '1 minute')" > /dev/null
is "rotated" "$(state)" "1 previous f, 2 active t"
is "rotated: every key opens what it sealed" "$(verified | cut -d'|' -f2)" "0"

# A wrong PIN at a reload: nothing is lost, and the reason is where one looks.
as_server sh -c 'cp -p "$0/pin" "$0/right"; rm -f "$0/pin"; cp -p "$0/wrong" "$0/pin"' "$place"
as_server "$bin/pg_ctl" reload -s -D "$cluster"
failed_reload() { [ -n "$(query "SELECT DISTINCT fault FROM aegis.key_status()")" ]; }
within 20 failed_reload || true
is "wrong PIN: status" "$(query "SELECT DISTINCT fault FROM aegis.key_status()")" 'key command "/usr/bin/env" failed with exit code 5'
says "wrong PIN: log" "$(as_server cat "$log")" '^aegis-pkcs11: the token refuses the PIN$' \
  'WARNING:  key command "/usr/bin/env" failed with exit code 5' 'DETAIL:  The keys that were loaded before stay in use\.'
is "wrong PIN: the keys stay" "$(state)" "1 previous f, 2 active t"
query "INSERT INTO t VALUES ('$tenant', 2, 'Zanzibar-4712')" > /dev/null
is "wrong PIN: values are sealed and opened" "$(verified | cut -d'|' -f2)" "0"
stop
must_start
says "wrong PIN at start" "$(query "INSERT INTO t VALUES ('$tenant', 3, 'Zanzibar-4713')" || true)" 'ERROR:  master key is not available' 'failed with exit code 5'
as_server sh -c 'rm -f "$0/pin"; cp -p "$0/right" "$0/pin"' "$place"
as_server "$bin/pg_ctl" reload -s -D "$cluster"
mended() { [ "$(state)" = "1 previous f, 2 active t" ]; }
if within 20 mended; then echo "ok mended by a reload"; else is "mended by a reload" "$(state)" "2 active"; fi
is "no key and no PIN in the log" "$(as_server grep -cE "$digits|271828|999999" "$log" || true)" "0"
finish
