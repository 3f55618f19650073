#!/usr/bin/env bash
# aegis-keygen makes key files that the server accepts and never overwrites one.
#   tests/unit/keygen.sh PROGRAM
set -euo pipefail
keygen=$1
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
failed=0
is() {
  if [ "$2" = "$3" ]; then echo "ok $1"; else
    printf 'not ok %s\n  wanted: %s\n  got: %s\n' "$1" "$3" "$2"
    failed=1
  fi
}

output=$("$keygen" "$place/key")
is "mode" "$(stat -c %a "$place/key")" "600"
is "one key" "$(grep -cE '^1:[0-9a-f]{64}$' "$place/key")" "1"
is "check value" "$(grep -cE '^master key version 1, check value [0-9a-f]{16}$' <<< "$output")" "1"
is "no key in the output" "$(grep -cF "$(sed -n 's/^1://p' "$place/key")" <<< "$output" || true)" "0"
"$keygen" "$place/other" > /dev/null
is "keys differ" "$(sed -n 's/^1://p' "$place/key" "$place/other" | sort -u | wc -l)" "2"

before=$(cat "$place/key")
is "refuses to overwrite" "$("$keygen" "$place/key" 2>&1 || echo "exit $?")" "aegis-keygen: file \"$place/key\" exists and is not overwritten
hint: Use --next to add a version to it, or choose another name.
exit 1"
is "nothing was overwritten" "$(cat "$place/key")" "$before"

"$keygen" --next "$place/key" > /dev/null
is "next: the old key stays" "$(head -n 2 "$place/key")" "$before"
is "next: a second version" "$(grep -cE '^2:[0-9a-f]{64}$' "$place/key")" "1"
is "next: mode" "$(stat -c %a "$place/key")" "600"
is "next: nothing else left" "$(ls "$place")" "key
other"
for _ in 3 4 5 6 7 8; do "$keygen" --next "$place/key" > /dev/null; done
is "at most eight versions" "$("$keygen" --next "$place/key" 2>&1 | head -n 1 || true)" "aegis-keygen: \"$place/key\" already has 8 versions"
is "eight are left" "$(grep -c '^[0-9]' "$place/key")" "8"

"$keygen" "$place/copy" > "$place/said"
check=$(sed -n 's/^master key version 1, //p' "$place/said")
is "check: the value that was printed when it was made" "$("$keygen" --check "$place/copy")" "version 1, $check, active"
"$keygen" --next "$place/copy" > "$place/said"
next=$(sed -n 's/^master key version 2, //p' "$place/said")
is "check: all versions" "$("$keygen" --check - < "$place/copy")" "version 1, $check
version 2, $next, active"
is "check: the published test key" "$(printf '1:%s\n' 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f | "$keygen" --check -)" "version 1, check value a087904ceb2e1d2a, active"
sed 's/^2:./2:/' "$place/copy" > "$place/damaged"
is "check: a damaged copy" "$("$keygen" --check "$place/damaged" 2>&1 || echo "exit $?")" "aegis-keygen: \"$place/damaged\", line 4: a key does not have 64 hexadecimal digits
hint: Each line is version:64 hex digits.
exit 1"
is "check: nothing is written" "$("$keygen" --check "$place/none" > /dev/null 2>&1 || echo "exit $?"; ls "$place/none" 2> /dev/null)" "exit 1"
is "check: with --next" "$("$keygen" --check --next "$place/copy" > /dev/null 2>&1 || echo refused)" "refused"

tenant=018f2b6c-7d8e-7f00-91a2-b3c4d5e6f708
for=UK:3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d
sealed=$("$keygen" --tenant-key "$place/own" --tenant "$tenant" --for "$for" 2> "$place/said")
is "tenant key: sealed, one line" "$(grep -cE '^AT1\.[A-Za-z0-9_-]{150}$' <<< "$sealed")" "1"
is "tenant key: mode" "$(stat -c %a "$place/own")" "600"
is "tenant key: the file says its check value" "$(grep -oE 'check value [0-9a-f]{16}' "$place/own")" "$(grep -oE 'check value [0-9a-f]{16}' "$place/said")"
is "tenant key: not in what is printed" "$(cat "$place/said" - <<< "$sealed" | grep -cF "$(tail -n 1 "$place/own")" || true)" "0"
is "tenant key: never over another" "$("$keygen" --tenant-key "$place/own" --tenant "$tenant" --for "$for" > /dev/null 2>&1 || echo "exit $?")" "exit 1"
tail -n 1 "$place/own" | "$keygen" --tenant-key "$place/again" --tenant "$tenant" --for "$for" --stdin 2> "$place/said_again" > /dev/null
is "tenant key: the same key from standard input" "$(cat "$place/again")" "$(cat "$place/own")"
is "tenant key: not random" "$(printf '%064d\n' 0 | "$keygen" --tenant-key "$place/zero" --tenant "$tenant" --for "$for" --stdin 2>&1 | head -n 1; ls "$place/zero" 2> /dev/null)" "aegis-keygen: the standard input is not a random key of 64 hexadecimal digits"
is "tenant key: no tenant" "$("$keygen" --tenant-key "$place/none" --for "$for" 2>&1 | head -n 1)" "aegis-keygen: --tenant is not the id of a tenant"
is "tenant key: no public key" "$("$keygen" --tenant-key "$place/none" --tenant "$tenant" --for UK:00 2>&1 | head -n 1)" "aegis-keygen: --for is not a public key"
is "tenant key: a public key of nobody" "$("$keygen" --tenant-key "$place/none" --tenant "$tenant" --for "$(printf '%064d' 0)" 2>&1 | head -n 1)" "aegis-keygen: --for is not a public key"
public=$("$keygen" --client-key "$place/client" 2> /dev/null)
is "client key: public, one line" "$(grep -cE '^[0-9a-f]{64}$' <<< "$public")" "1"
is "client key: private, one line" "$(grep -cE '^[0-9a-f]{64}$' "$place/client") $(stat -c %a "$place/client")" "1 600"
is "client key: two keys" "$(grep -cF "$public" "$place/client" || true)" "0"
is "its options alone" "$("$keygen" "$place/none" --for "$for" > /dev/null 2>&1 || echo refused)" "refused"

echo "1:00" > "$place/bad"
is "next: malformed file" "$("$keygen" --next "$place/bad" 2>&1 | tail -n 1)" "hint: Each line is version:64 hex digits."
is "next: it stays as it was" "$(cat "$place/bad")" "1:00"
is "relative path" "$("$keygen" key 2>&1 | head -n 1)" 'aegis-keygen: "key" is not an absolute path'
is "missing folder" "$("$keygen" "$place/none/key" > /dev/null 2>&1 || echo "exit $?")" "exit 1"
is "help" "$("$keygen" --help | head -n 1)" "Makes a master key for Aegis."
exit "$failed"
