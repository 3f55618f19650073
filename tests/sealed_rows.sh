# shellcheck shell=bash
# Sourced after tests/cluster.sh: sealed rows of two tenants, what a copy of them must still be able to do, and a look for
# plaintext in whatever holds a copy.

# fill: in the database that queries go to. Plaintexts hold the word zwartkop, an open table the word in-the-open.
fill() {
  query "CREATE EXTENSION aegis; CREATE ROLE operator LOGIN IN ROLE aegis_operator; CREATE ROLE auditor LOGIN IN ROLE aegis_auditor;
    CREATE TABLE open_note (id int PRIMARY KEY, note text); INSERT INTO open_note VALUES (1, 'said in-the-open');
    CREATE SCHEMA shop;
    CREATE TABLE shop.person (tenant_id uuid, id int, email text, note text, PRIMARY KEY (tenant_id, id));
    SELECT aegis.protect_table('shop.person', created_by => false, team => false);
    SELECT aegis.encrypt_column('shop.person', 'email', 'person.email', 'aegis.sealed_email', 'email');
    SELECT aegis.encrypt_column('shop.person', 'note', 'person.note');
    SELECT aegis.set_reveal_policy(f, 0::smallint, 'full') FROM unnest(ARRAY['person.email', 'person.note']) f;
    GRANT USAGE ON SCHEMA shop TO operator, auditor; GRANT ALL ON shop.person TO operator;
    SELECT aegis.create_tenant(t, t) FROM unnest(ARRAY['one', 'two']) t" > /dev/null
  local tenant
  for tenant in one two; do
    inside "$tenant" "INSERT INTO shop.person (id, email, note) SELECT n, 'Zwartkop-' || n || '@$tenant.example', 'zwartkop of $tenant, ' || n FROM generate_series(1, 20) n" > /dev/null
  done
}

# inside TENANT SQL: as an operator in the tenant's context; the answer, or the error with its SQLSTATE.
inside() {
  as_role operator -v VERBOSITY=verbose << SQL | sed '/^LOCATION/d'
BEGIN;
SELECT aegis.assume_tenant((SELECT id FROM aegis.tenants() WHERE slug = '$1'), 'copies', 'a test', read_only => false) \g /dev/null
$2;
COMMIT;
SQL
}

# rows: every row with its envelopes, as they are stored.
rows() { query "COPY (SELECT tenant_id, id, email, note FROM shop.person ORDER BY tenant_id, id) TO STDOUT"; }

# opened TENANT: how many rows there are, how many open as what was sealed, and how many a search finds.
opened() {
  inside "$1" "SELECT count(*), count(*) FILTER (WHERE aegis.reveal(email) ~ ('^Zwartkop-' || id || '@$1.example')), count(*) FILTER (WHERE aegis.reveal(note) ~ 'zwartkop of $1, '),
    count(*) FILTER (WHERE email = 'zwartkop-7@$1.example') FROM shop.person"
}

# shows NAME FILE ...: ok when the files hold the open word and no plaintext of a sealed column.
shows() {
  local name=$1
  shift
  is "$name shows what is open, and no plaintext" \
    "$(grep -rlaiq 'in-the-open' "$@" && echo open; grep -rlai 'zwartkop' "$@")" "open"
}
