-- What is kept of a payment, and what keeps card data out of each place; docs/what-we-never-store.md is written from this output by
-- scripts/never_store.py.
\set VERBOSITY terse
SET client_min_messages = warning;
\pset format unaligned
\pset tuples_only on
\pset fieldsep ' | '
-- Columns whose names mean card data, in both schemas.
CREATE VIEW pg_temp.prohibited AS
SELECT format('%s.%s', a.attrelid::regclass, a.attname) AS "column" FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
 WHERE c.relkind IN ('r', 'p', 'v', 'm') AND c.relnamespace::regnamespace::text IN ('aegis', 'aegis_app') AND a.attnum > 0 AND NOT a.attisdropped
   AND EXISTS (SELECT FROM aegis.scrub_findings(jsonb_build_object(a.attname, 'x')));
SELECT 'columns' AS what, count(*) FROM pg_temp.prohibited;
-- The look sees one when there is one.
BEGIN;
CREATE TABLE aegis_app.pays (id integer, card_number text, cvv text, exp_month integer, expiry date, track2 bytea, pin_block text, cardholder_name text, card_bin text, last_four text);
SELECT "column" FROM pg_temp.prohibited ORDER BY 1;
ROLLBACK;
-- What stands where of a provider's message and of a payment, and what keeps card data out of it.
SELECT 'kept' AS what, t.name, a.attname, format_type(a.atttypid, a.atttypmod),
       CASE WHEN bool_or(pg_get_constraintdef(k.oid) ~ 'is_free_of_card_data') THEN 'the verifier judges it'
            WHEN bool_or(pg_get_constraintdef(k.oid) ~ 'ANY') THEN 'a list of words'
            WHEN bool_or(pg_get_constraintdef(k.oid) ~ '~') THEN 'a form that has no room for a card number'
            WHEN bool_or(pg_get_constraintdef(k.oid) ~ 'octet_length') THEN 'a keyed digest'
            WHEN a.atttypid IN ('uuid'::regtype, 'boolean'::regtype, 'timestamptz'::regtype, 'integer'::regtype) THEN 'its type has no room for a card number'
            WHEN a.attname IN ('team_ord', 'outbound_id') THEN 'a number of Aegis'' own'
            WHEN a.atttypid = 'bigint'::regtype AND a.attname LIKE '%\_minor' THEN 'an amount'
            WHEN EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = a.attrelid AND g.tgfoid = 'aegis.refuse_card_data'::regproc
                            AND encode(g.tgargs, 'escape') LIKE '%' || a.attname || '%') THEN 'refused before it is sealed'
            WHEN t.name = 'checkout' AND a.attname = 'hand_off' THEN 'sealed; where a page is, which nobody has filled in yet'
            ELSE 'NOTHING' END
  FROM unnest('{webhook_event,checkout,payment,payment_effect,held_event,refund}'::text[]) WITH ORDINALITY t (name, number)
  JOIN pg_attribute a ON a.attrelid = ('aegis_app.' || t.name)::regclass
  LEFT JOIN pg_constraint k ON k.conrelid = a.attrelid AND k.contype = 'c' AND k.conkey = ARRAY[a.attnum]
 WHERE a.attnum > 0 AND NOT a.attisdropped GROUP BY t.number, t.name, a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod ORDER BY t.number, a.attnum;
-- The fields of each provider's message that are kept at all.
SELECT 'field' AS what, f.provider, f.event, array_to_string(f.path, '/'), f.grammar FROM aegis.payload_field f WHERE f.by_extension
 ORDER BY f.provider, f.event COLLATE "C", array_to_string(f.path, '/') COLLATE "C";
