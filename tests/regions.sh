# shellcheck shell=bash
# Two clusters of two regions, UK and SG, for tests of moves; sourced after tests/cluster.sh.
#
#   begin_regions SQL    makes and starts both, with the extension, operators, an auditor and a gateway's login; runs the SQL in each
#   at REGION            what follows is about the cluster of that region
#   asked ACTION ARG     the number of a request of the operator olga about $tenant, called $slug, that otto approved
#   take FILE CHAIN      imports a file, and says what context is left
#   sign SEED            signs the newest head of the ledger with a published test key, whose public half key_of REGION SEED prints
#   $files               a folder for what goes from one to the other

slug=orchid
files=$(mktemp -d)
chmod 755 "$files"
base=$place

at() { region=$1 place=$base/$1 cluster=$base/$1/data log=$base/$1/log; }
end_both() {
  for region in UK SG; do at "$region"; as_server "$bin/pg_ctl" stop -s -m immediate -D "$cluster" > /dev/null 2>&1 || true; done
  rm -rf "$base" "$files"
}
trap end_both EXIT
asked() {
  local number
  number=$(query "SELECT aegis.request_tenant_action('$1', '$tenant', '$slug', 'for the test', $2)" -U olga)
  query "SELECT aegis.approve_tenant_action($number, '$slug')" -U otto > /dev/null
  echo "$number"
}
take() { printf 'CREATE TEMP TABLE lines (n bigint GENERATED ALWAYS AS IDENTITY, line text);\n\\copy lines (line) FROM %s\nBEGIN;\nSELECT aegis.import_tenant(%s, %s);\nSELECT aegis.tenant_id();\nCOMMIT;\n' "'$1'" "'lines'" "'$2'" | as_role olga; }
sign() {
  local size root seal seed=$1
  query "SELECT aegis.wait_sealed('60 s')" > /dev/null
  read -r seal size root < <(query "SELECT number, root_size, encode(root, 'hex') FROM aegis.seal ORDER BY number DESC LIMIT 1" -F ' ')
  python3 - "$region.example/postgres" "$size" "$root" "$seed" > "$files/note" << 'PY'
import sys
sys.path.insert(0, "tests/independent")
import aegis_note as n
seed = bytes(range(int(sys.argv[4]), int(sys.argv[4]) + 32))
sys.stdout.write(n.signed_note(n.checkpoint(sys.argv[1], int(sys.argv[2]), bytes.fromhex(sys.argv[3])), sys.argv[1], seed))
PY
  query "SELECT tamper(format('INSERT INTO aegis.checkpoint VALUES ((SELECT coalesce(max(number), 0) + 1 FROM aegis.checkpoint), $seal, $size, %L, now(), %L)', '\\x$root'::bytea, \$note\$$(cat "$files/note")
\$note\$))" > /dev/null
}
key_of() {
  python3 -c 'import sys; sys.path.insert(0, "tests/independent"); import aegis_cipher, aegis_note as n
print(n.note_key(sys.argv[1], 1, aegis_cipher.ed25519_sign(bytes(range(int(sys.argv[2]), int(sys.argv[2]) + 32)), b"")[0]))' "$1.example/postgres" "$2"
}
begin_regions() {
  local each
  for each in UK SG; do
    at "$each"
    as_server mkdir "$place"
    make_cluster
    preload
    settings "aegis.region = '$each'"
    if [ "$each" = SG ]; then
      as_server rm -f "$place/keyring"
      as_server sh -c 'umask 0277; printf "1:%064d\n" 8 > "$0"' "$place/keyring"
    fi
    must_start
    query "CREATE EXTENSION aegis; CREATE ROLE olga LOGIN IN ROLE aegis_operator; CREATE ROLE otto LOGIN IN ROLE aegis_operator;
      CREATE ROLE auditor LOGIN IN ROLE aegis_auditor; CREATE ROLE gateway LOGIN IN ROLE aegis_gateway; GRANT TEMP ON DATABASE postgres TO olga;
      CREATE FUNCTION tamper(statement text) RETURNS bigint AS '\$libdir/aegis', 'aegis_test_tamper' LANGUAGE C STRICT" > /dev/null
    query "$1" > /dev/null
  done
}
