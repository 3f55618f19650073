#!/usr/bin/env bash
# An application seals a value with the installed libaegis before the database sees it: the database takes it,
# finds it and reveals it. Two operators let the key of the field go; what they did is recorded.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

keygen=$(built aegis-keygen)
make_target aegis_client
cmake --install "$build" --component client --prefix "$place/prefix" > /dev/null
library=$(dirname "$(find "$place/prefix" -name libaegis.so)")
is "installed" "$(cd "$place/prefix" && find . \( -type f -o -type l \) -printf '%f\n' | sort | tr '\n' ' ')" "aegis.h aegis.pc libaegis.so libaegis.so.1 libaegis.so.1.0 "
is "exported symbols, all of the header and no other" "$(nm -D --defined-only "$library/libaegis.so" | sed -n 's/.* T //p' | sed 's/@@AEGIS_1$//' | sort)" \
  "$(grep -oE '\baegis_[a-z_]+\(' client/aegis.h | tr -d '(' | grep -v 'export_field_key' | sort -u)"
export PKG_CONFIG_PATH=$library/pkgconfig
# shellcheck disable=SC2046 # flags
cc -std=c99 -pedantic -Wall -Wextra -Werror -o "$place/store" client/examples/store.c \
  $(pkg-config --cflags --libs aegis libpq) "-Wl,-rpath,$library"
is "the example is built with the installed header" "$(test -x "$place/store" && echo built)" "built"
# The header of a C++ program too.
echo '#include <aegis.h>
int main() { return aegis_version() / 1000 == AEGIS_VERSION_MAJOR ? 0 : 1; }' > "$place/version.cpp"
# shellcheck disable=SC2046 # flags
c++ -Wall -Wextra -Werror -o "$place/version" "$place/version.cpp" $(pkg-config --cflags --libs aegis) "-Wl,-rpath,$library"
is "the header serves C++, and its version is the library's" "$("$place/version" && echo same)" "same"
chmod -R a+rX "$place"

make_cluster
preload
settings "log_statement = 'all'"
must_start
query "CREATE EXTENSION aegis" > /dev/null
must_have_worker
query "CREATE ROLE olga LOGIN IN ROLE aegis_operator; CREATE ROLE otto LOGIN IN ROLE aegis_operator;
CREATE TABLE patient (tenant_id uuid NOT NULL, id bigint GENERATED ALWAYS AS IDENTITY, email text, PRIMARY KEY (tenant_id, id));
SELECT aegis.encrypt_column('patient', 'email', 'patient.email', 'aegis.sealed_email', 'email');
SELECT aegis.protect_table('patient'); GRANT SELECT, INSERT, UPDATE ON patient TO olga;
SELECT aegis.set_reveal_policy('patient.email', 0::smallint, 'full')" > /dev/null
tenant=$(query "SELECT aegis.create_tenant('acme', 'Acme')")

public=$(as_server "$keygen" --client-key "$place/app.key" 2> /dev/null)
# export_key: asks, agrees, and prints the sealed key.
export_key() {
  local request
  request=$(as_role olga -c "SELECT aegis.request_tenant_action('export_field_key', '$tenant', 'acme', 'the shop seals', 'patient.email:$public')")
  as_role otto -c "SELECT aegis.approve_tenant_action($request, 'acme')" > /dev/null
  as_role olga -c "SELECT aegis.export_field_key($request, 'acme')"
}
store() { as_server env PGHOST="$place" PGUSER=olga PGDATABASE=postgres "$place/store" "$place/app.key" "$1" "$tenant" "$2" 2>&1; }
export_key | as_server tee "$place/sealed" > /dev/null
says "the exported key is sealed" "$(cat "$place/sealed")" '^AF1\.[A-Za-z0-9_-]{192}$'

is "the application stores, finds and opens" "$(store "$place/sealed" 'Ada.Lovelace@Example.org')" "stored and found: Ada.Lovelace@Example.org"
read_back="BEGIN; SELECT aegis.assume_tenant('$tenant', 'test', 'T-1'); "
is "the database reveals it" "$(as_role olga -c "$read_back SELECT aegis.reveal(email) FROM patient; COMMIT" | tail -n 1)" "Ada.Lovelace@Example.org"
is "the database finds it by plaintext" "$(as_role olga -c "$read_back SELECT count(*) FROM patient WHERE email = 'ada.lovelace@example.org'; COMMIT" | tail -n 1)" "1"
is "no statement had the plaintext" "$(as_server grep -c 'Lovelace@Example.org' "$log" || true)" "0"
is "all values open under their key" "$(query "SELECT outcome, items FROM aegis.verify_fields('patient')")" "ok|1"
is "the export is recorded" "$(query "SELECT count(*) FROM aegis.audit_log WHERE event = 'key.field_exported' AND target_id = 'patient.email' AND detail ->> 'recipient' = '$public' AND detail ->> 'approved_by' = 'otto'")" "1"

# The tenant's key moves on: what the application seals under the old one is taken and sealed anew.
job=$(as_role olga -c "SELECT job FROM aegis.rotate_tenant_key('$tenant', 'yearly', committing => true)")
query "SELECT aegis.wait_job($job, '60 s')" > /dev/null
says "with the old key it stores, but cannot open what the database sealed anew" "$(store "$place/sealed" 'grace@example.org' || true)" "store: open: sealed under another epoch of the tenant's key"
export_key | as_server tee "$place/sealed_next" > /dev/null
is "with the next key, which commits, it goes on" "$(store "$place/sealed_next" 'grace@example.org')" "stored and found: grace@example.org"
is "everything stands under the newest key" "$(query "SELECT aegis.key_epoch(email), count(*) FROM patient GROUP BY 1")" "2|2"

# Nobody else opens the exported key.
as_server "$keygen" --client-key "$place/stranger.key" > /dev/null 2>&1
says "for another application it does not open" "$(as_server "$place/store" "$place/stranger.key" "$place/sealed" "$tenant" 'x@y' 2>&1 || true)" "store: key: cannot be opened"
finish
