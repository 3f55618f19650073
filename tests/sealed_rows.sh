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
    SECURITY LABEL FOR aegis ON COLUMN shop.person.email IS 'pii; retention=contact'; SECURITY LABEL FOR aegis ON COLUMN shop.person.note IS 'pii_special; export=no';
    SELECT aegis.set_reveal_policy(f, 0::smallint, 'full') FROM unnest(ARRAY['person.email', 'person.note']) f;
    SELECT aegis.create_sealed_type('shop.iban', 'alnum', 'last4');
    CREATE TABLE shop.kind (tenant_id uuid, id int, b bytea, j jsonb, n numeric, d date, t timestamptz, k text, p text, i text, PRIMARY KEY (tenant_id, id));
    SELECT aegis.protect_table('shop.kind', created_by => false, team => false);
    SELECT aegis.encrypt_column('shop.kind', c, 'kind.' || c, t) FROM (VALUES ('b'::name, 'aegis.sealed_bytea'::regtype), ('j', 'aegis.sealed_jsonb'), ('n', 'aegis.sealed_numeric'),
      ('d', 'aegis.sealed_date'), ('t', 'aegis.sealed_timestamptz'), ('k', 'aegis.sealed_keyword'), ('p', 'aegis.sealed_phone'), ('i', 'shop.iban')) v (c, t);
    SELECT aegis.set_reveal_policy('kind.' || c, 0::smallint, 'full') FROM unnest(ARRAY['b', 'j', 'n', 'd', 't', 'k', 'p', 'i']) c;
    CREATE VIEW shop.eleven WITH (security_invoker) AS SELECT id FROM shop.kind WHERE p = '0049 171 000 0011'::text::aegis.sealed_phone AND i OPERATOR(shop.<>) 'AT2'::text;
    GRANT USAGE ON SCHEMA shop TO operator, auditor; GRANT ALL ON shop.person, shop.kind, shop.eleven TO operator;
    SELECT aegis.create_tenant(t, t) FROM unnest(ARRAY['one', 'two']) t" > /dev/null
  local tenant
  for tenant in one two; do
    inside "$tenant" "INSERT INTO shop.person (id, email, note) SELECT n, 'Zwartkop-' || n || '@$tenant.example', 'zwartkop of $tenant, ' || n FROM generate_series(1, 20) n;
      INSERT INTO shop.kind (id, b, j, n, d, t, k, p, i) SELECT n, convert_to('zwartkop ' || n, 'UTF8'), jsonb_build_object('zwartkop', n), n + 0.50, DATE '2000-01-01' + n, TIMESTAMPTZ '2000-01-01 00:00:00.25+00' + n * INTERVAL '1 day',
        'Zwartkop ' || n, '+4917100000' || n, 'DE89 Zwartkop ' || n FROM generate_series(10, 14) n" > /dev/null
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
rows() {
  query "COPY (SELECT tenant_id, id, email, note FROM shop.person ORDER BY tenant_id, id) TO STDOUT"
  query "COPY (SELECT * FROM shop.kind ORDER BY tenant_id, id) TO STDOUT"
}

# classes: the columns that have one, as somebody who may not look at rows sees them.
classes() { as_role auditor -c "SELECT column_name, class, retention, exported FROM aegis.classification WHERE relation = 'shop.person'::regclass AND field IS NOT NULL ORDER BY 1"; }
labelled=$'email|pii|contact|t\nnote|pii_special||f'

# opened TENANT: how many rows there are, how many open as what was sealed, and how many a search finds.
opened() {
  inside "$1" "SELECT count(*), count(*) FILTER (WHERE aegis.reveal(email) ~ ('^Zwartkop-' || id || '@$1.example')), count(*) FILTER (WHERE aegis.reveal(note) ~ 'zwartkop of $1, '),
    count(*) FILTER (WHERE email = 'zwartkop-7@$1.example') FROM shop.person"
}

# kinds TENANT: the same for the other types; a search in each of the three that can be searched, and a view that asks for a constant.
kinds() {
  inside "$1" "SET LOCAL search_path = shop; SELECT count(*), count(*) FILTER (WHERE aegis.reveal(b) = convert_to('zwartkop ' || id, 'UTF8') AND aegis.reveal(j) = jsonb_build_object('zwartkop', id) AND aegis.reveal(n)::text = id || '.50'
      AND aegis.reveal(d) = DATE '2000-01-01' + id AND aegis.reveal(t) = TIMESTAMPTZ '2000-01-01 00:00:00.25+00' + id * INTERVAL '1 day' AND aegis.reveal(k) = 'Zwartkop ' || id AND aegis.reveal(p) = '+4917100000' || id
      AND aegis.reveal(i) = 'DE89 Zwartkop ' || id), count(*) FILTER (WHERE k = 'Zwartkop 11'), count(*) FILTER (WHERE p = '0049 171 000 0011'), count(*) FILTER (WHERE i = 'de89-ZWARTKOP-11'),
      (SELECT count(*) FROM eleven) FROM kind"
}

# shows NAME FILE ...: ok when the files hold the open word and no plaintext of a sealed column.
shows() {
  local name=$1
  shift
  is "$name shows what is open, and no plaintext" \
    "$(grep -rlaiq 'in-the-open' "$@" && echo open; grep -rlai 'zwartkop' "$@")" "open"
}
