#!/usr/bin/env bash
# Every fault of a key provider that appears on a reload: its reason is in the log and in aegis.key_status(), the
# keys that were loaded before stay, nothing of what was read is shown, and no command outlives its time.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

make_cluster
preload
secret=c0ffee5ec2e7c0ffee5ec2e7c0ffee5ec2e7c0ffee5ec2e7c0ffee5ec2e7c0ff

# new_file NAME MODE: what stands on standard input, as a file of the server's user.
new_file() { as_server sh -c 'rm -f "$0" && cat > "$0" && chmod "$1" "$0"' "$place/$1" "$2"; }
# read_again SETTING: reloads with this provider, and waits until the launcher has said what came of it.
told() { as_server tail -n +"$((before + 1))" "$log" | grep -qE '(WARNING|ERROR): '; }
read_again() {
  before=$(as_server sh -c 'wc -l < "$0"' "$log")
  settings "aegis.key_provider = '$1'"
  as_server "$bin/pg_ctl" reload -s -D "$cluster"
}
# refuses NAME SETTING REASON HINT
refuses() {
  read_again "$2"
  within 20 told || true
  says "$1" "$(as_server tail -n +"$((before + 1))" "$log")" "WARNING:  $3\$" \
    'DETAIL:  The keys that were loaded before stay in use\.' "HINT:  $4"
  says "$1: status" "$(query 'SELECT state, fault FROM aegis.key_status()')" "^active\|$3\$"
}

must_start
query "CREATE EXTENSION aegis" > /dev/null
query "SELECT aegis.create_tenant('faults', 'Faults')" > /dev/null

# Files.
refuses "no path" "file:" 'key file "" is not an absolute path' 'Write file: and an absolute path\.'
refuses "missing file" "file:$place/none" "key file \"$place/none\" does not exist" 'Create a key file with aegis-keygen'
as_server ln -s "$place/nowhere" "$place/dangling"
refuses "link to nothing" "file:$place/dangling" "key file \"$place/dangling\" does not exist" 'Create a key file'
as_server ln -s "$place/round" "$place/round"
refuses "link to itself" "file:$place/round" "could not open key file \"$place/round\": Too many levels of symbolic links" 'Create a key file'
refuses "folder" "file:$place" "key file \"$place\" is not a regular file" 'Create a key file'
as_server mkfifo -m 0600 "$place/fifo"
refuses "named pipe, which would block" "file:$place/fifo" "key file \"$place/fifo\" is not a regular file" 'Create a key file'
refuses "device" "file:/dev/null" 'key file "/dev/null" is not a regular file' 'Create a key file'
echo "1:$secret" | new_file group 0640
refuses "mode" "file:$place/group" "key file \"$place/group\" has mode 0640, allowed are 0400 and 0600" 'Run chmod 0400 on the file\.'
if [ "$(id -u)" = 0 ]; then
  echo "1:$secret" > "$place/foreign"
  chmod 0444 "$place/foreign"
  refuses "owner" "file:$place/foreign" "key file \"$place/foreign\" is not owned by the user that runs the server" 'Give the file to the user that runs the server'
  chmod 0400 "$place/foreign"
  refuses "no right to read" "file:$place/foreign" "could not open key file \"$place/foreign\": Permission denied" 'The user that runs the server must own the file'
  install -d -m 0700 "$place/closed"
  refuses "no right to enter the folder" "file:$place/closed/key" "could not open key file \"$place/closed/key\": Permission denied" 'The user that runs the server must own the file'
else
  echo "skip owner (needs root)"
fi
{ echo "1:$secret"; head -c 16384 /dev/zero | tr '\0' '#'; } | new_file long 0600
refuses "too long" "file:$place/long" "key file \"$place/long\" is longer than 16384 bytes" 'Create a key file'

# Texts. A fault names its line and nothing of it.
text() { refuses "text: $1" "file:$place/text" "key provider delivered no valid keyring: $2" 'Each line is version:64 hex digits'; }
new_file text 0600 < /dev/null
text "empty" 'the key provider delivers no key'
printf '# a remark\n\n' | new_file text 0600
text "no key" 'the key provider delivers no key'
printf '1:%s\n\n2:%s\n' "$secret" "${secret#c}" | new_file text 0600
text "a digit is missing" 'line 3: a key does not have 64 hexadecimal digits'
printf '1:%sg\n' "${secret%?}" | new_file text 0600
text "no digit" 'line 1: .*hex.*'
printf '1:%s\0\n' "$secret" | new_file text 0600
text "NUL" 'line 1: a key line holds a byte that is no printable ASCII'
printf '# \xc3\xa9\n\xff\xfe1:%s\n' "$secret" | new_file text 0600
text "not UTF-8, after a remark that is" 'line 2: a key line holds a byte that is no printable ASCII'
printf '1:%s\n1:%s\n' "$secret" "$secret" | new_file text 0600
text "a version twice" 'line 2: a key version is given twice'
printf '0:%s\n' "$secret" | new_file text 0600
text "version 0" 'line 1: a key version is not a number of 1 or more without leading zeros'
printf '2147483648:%s\n' "$secret" | new_file text 0600
text "version too large" 'line 1: a key version is too large'
echo "$secret" | new_file text 0600
text "no version" 'line 1: a key line is not "version:64 hexadecimal digits"'
printf '1:%064d\n' 0 | new_file text 0600
text "a key of zeros" 'line 1: a key repeats one byte and cannot be random'
for n in 1 2 3 4 5 6 7 8 9; do echo "$n:$secret"; done | new_file text 0600
text "nine versions" 'line 9: the key provider delivers more than 8 versions'

# Commands.
script() { { echo '#!/bin/sh'; cat; } | new_file command "${1:-0700}"; }
runs_badly() { refuses "command: $1" "command:$place/command${4:-}" "$2" "$3"; }
byhand='Run the command by hand'
refuses "command: no path" "command:" 'key command "" does not begin with an absolute path' 'Write command: and an absolute path'
refuses "command: no absolute path" "command:sh -c x" 'key command "sh" does not begin with an absolute path' 'Write command: and an absolute path'
refuses "command: missing" "command:$place/none" "could not run key command \"$place/none\": No such file or directory" 'Check that the file exists'
refuses "command: folder" "command:$place" "key command \"$place\" is not a regular file" 'Name the program itself\.'
echo "exit 0" | script 0600
runs_badly "not executable" "could not run key command \"$place/command\": Permission denied" 'Check that the file exists and is executable'
echo "exit 0" | script 0775
runs_badly "others can change it" "key command \"$place/command\" has mode 0775, so that others than its owner can change it" 'Run chmod go-w on the program\.'
if [ "$(id -u)" = 0 ]; then
  printf '#!/bin/sh\nexit 0\n' > "$place/theirs"
  chmod 0755 "$place/theirs"
  chown nobody "$place/theirs"
  refuses "command: owner" "command:$place/theirs" "key command \"$place/theirs\" is owned by neither root nor the user that runs the server" 'Give the program to root'
else
  echo "skip command: owner (needs root)"
fi
head -c 64 /dev/zero | new_file command 0700
runs_badly "no program" "could not run key command \"$place/command\": Exec format error" 'Check that the file exists and is executable'
echo "echo 1:$secret; exit 7" | script
runs_badly "exit code" "key command \"$place/command\" failed with exit code 7" "$byhand"
echo "echo 1:$secret; kill -SEGV \$\$" | script
runs_badly "signal" "key command \"$place/command\" was ended by signal 11" "$byhand"
echo "exit 0" | script
runs_badly "no output" 'key provider delivered no valid keyring: the key provider delivers no key' 'Each line is version:64 hex digits'
echo "while :; do echo '# $secret'; done" | script
runs_badly "endless output" "key command \"$place/command\" printed more than 16384 bytes" "$byhand"
words=$(printf ' %s' $(seq 40))
runs_badly "too many words" 'key command has more than 32 words' 'Put the arguments into a script\.' "$words"
runs_badly "too long" 'key command is longer than 1023 bytes' 'Put the arguments into a script\.' " $(printf '%01024d' 0)"
# Its children hold its output open after it has ended; they go with it.
echo "sh -c 'echo \$\$ > $place/child; exec sleep 600' & sleep 1; exit 0" | script
runs_badly "children that stay" "key command \"$place/command\" did not finish within 10 seconds" "$byhand"
# Nobody may be there to reap it.
child=$(as_server cat "$place/child")
ended() { ! grep -qs "^State:[[:space:]][^ZX]" "/proc/$child/status"; }
if within 5 ended; then echo "ok children were ended"; else is "children were ended" "alive" "gone"; fi

# Unknown, and variables.
refuses "unknown provider" "vault:x" 'aegis\.key_provider names no known provider' 'Valid forms are file:PATH, command:PATH ARG\.\.\. and env:NAME\.'
refuses "variable" "env:AEGIS_TEST_KEY" 'environment variable "AEGIS_TEST_KEY" can be read at server start only' 'Restart the server with the variable set'

is "no key was shown" "$(as_server grep -ci "$(cut -c1-16 <<< "$secret")" "$log" || true)" "0"

# Several versions at once: the highest is active, and one that goes is told of.
printf '3:%s\n1:%064d\n# \xc3\xa9\r\n\t2:%s \r\n' "$secret" 7 "$(tr c d <<< "$secret")" | new_file three 0400
read_again "file:$place/three"
three() { [ "$(query 'SELECT count(*) FROM aegis.provided_keys()')" = 3 ]; }
if within 20 three; then echo "ok three versions"; else is "three versions" "no" "yes"; fi
query "SELECT aegis.create_tenant('newer', 'Newer')" > /dev/null
is "the highest is active" "$(query "SELECT string_agg(format('%s %s %s', version, state, root_keys > 0), ', ' ORDER BY version) FROM aegis.key_status()")" \
  "1 previous t, 2 unregistered f, 3 active t"
read_again "file:$place/keyring"
within 20 told || true
says "versions that go are told of" "$(as_server tail -n +"$((before + 1))" "$log")" \
  'WARNING:  the key provider no longer delivers master key version 2' 'WARNING:  the key provider no longer delivers master key version 3'
finish
