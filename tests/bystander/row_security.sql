-- Tables of several tenants under policies of their own, with the very column that Aegis looks for.
CREATE ROLE rs_owner;
CREATE ROLE rs_alice;
CREATE ROLE rs_bob;
CREATE ROLE rs_past BYPASSRLS;
CREATE SCHEMA rs AUTHORIZATION rs_owner;
GRANT USAGE ON SCHEMA rs TO rs_alice, rs_bob, rs_past;
SET search_path = rs;
SET ROLE rs_owner;
CREATE FUNCTION leak(text) RETURNS bool COST 0.0000001 LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'leak %', $1; RETURN true; END $$;
CREATE TABLE account (tenant_id uuid, id int, owner name, body text, PRIMARY KEY (tenant_id, id));
CREATE TABLE document (tenant_id uuid, id int, account int, created_by uuid, team_ord bigint, body text, PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, account) REFERENCES account ON DELETE CASCADE);
GRANT ALL ON ALL TABLES IN SCHEMA rs TO rs_alice, rs_bob, rs_past;
INSERT INTO account SELECT ('00000000-0000-0000-0000-00000000000' || n % 2)::uuid, n, CASE n % 2 WHEN 0 THEN 'rs_alice' ELSE 'rs_bob' END, 'account ' || n
  FROM generate_series(1, 6) n;
ALTER TABLE account ENABLE ROW LEVEL SECURITY;
ALTER TABLE document ENABLE ROW LEVEL SECURITY;
ALTER TABLE document FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON account USING (owner = current_user);
CREATE POLICY by_setting ON document USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY small ON document AS RESTRICTIVE FOR INSERT TO rs_alice, rs_bob WITH CHECK (id < 100);
\d account
\d+ document
SELECT * FROM account ORDER BY id;
SELECT * FROM document;
SET ROLE rs_alice;
SELECT * FROM account WHERE leak(body) ORDER BY id;
SELECT * FROM document;
INSERT INTO document VALUES ('00000000-0000-0000-0000-000000000000', 1, 2, NULL, 1, 'refused');
SET app.tenant = '00000000-0000-0000-0000-000000000000';
INSERT INTO document VALUES ('00000000-0000-0000-0000-000000000000', 1, 2, NULL, 1, 'one'), ('00000000-0000-0000-0000-000000000000', 2, 4, NULL, 1, 'two')
  RETURNING *;
INSERT INTO document VALUES ('00000000-0000-0000-0000-000000000000', 100, 2, NULL, 1, 'too large');
INSERT INTO document VALUES ('00000000-0000-0000-0000-000000000001', 3, 1, NULL, 1, 'of another');
INSERT INTO document VALUES ('00000000-0000-0000-0000-000000000000', 1, 2) ON CONFLICT (tenant_id, id) DO UPDATE SET body = 'upsert' RETURNING body;
MERGE INTO document d USING (VALUES (1), (7)) v (id) ON d.id = v.id WHEN MATCHED THEN UPDATE SET body = 'merged'
  WHEN NOT MATCHED THEN INSERT VALUES ('00000000-0000-0000-0000-000000000000', v.id, 2, NULL, NULL, 'new');
SELECT id, body FROM document ORDER BY id;
UPDATE document SET tenant_id = '00000000-0000-0000-0000-000000000001';
COPY document TO STDOUT;
EXPLAIN (COSTS OFF) SELECT * FROM document WHERE leak(body);
EXPLAIN (COSTS OFF, VERBOSE) SELECT * FROM account JOIN document USING (tenant_id) WHERE leak(account.body);
PREPARE p AS SELECT count(*) FROM document;
EXECUTE p;
SET ROLE rs_bob;
EXECUTE p;
SELECT id FROM account ORDER BY id;
DELETE FROM account WHERE true RETURNING id;
SET row_security = off;
SELECT * FROM account;
RESET row_security;
SET ROLE rs_past;
SELECT count(*) FROM document;
SELECT count(*) FROM account;
-- A MERGE of somebody who may write and not read.
RESET ROLE;
CREATE ROLE rs_writer;
GRANT USAGE ON SCHEMA rs TO rs_writer;
GRANT INSERT, UPDATE ON document TO rs_writer;
SET ROLE rs_writer;
MERGE INTO document d USING (VALUES (8)) v (id) ON false WHEN NOT MATCHED THEN INSERT VALUES ('00000000-0000-0000-0000-000000000000', v.id);
MERGE INTO document d USING (VALUES (8)) v (id) ON true WHEN MATCHED THEN UPDATE SET body = 'blind';
RESET ROLE;
-- Views and functions across roles.
SET ROLE rs_owner;
CREATE VIEW through AS SELECT * FROM account;
CREATE VIEW invoker WITH (security_invoker) AS SELECT * FROM account;
CREATE VIEW barrier WITH (security_barrier) AS SELECT * FROM account WHERE id > 2;
CREATE FUNCTION definer() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM rs.account';
GRANT SELECT ON through, invoker, barrier TO rs_alice;
SET ROLE rs_alice;
SELECT count(*) FROM through;
SELECT count(*) FROM invoker;
SELECT id FROM barrier WHERE leak(body) ORDER BY id;
SELECT definer();
UPDATE invoker SET body = body || '!' WHERE id = 2 RETURNING *;
SET ROLE rs_owner;
ALTER POLICY own ON account TO rs_bob;
ALTER POLICY own ON account RENAME TO owned;
ALTER TABLE document NO FORCE ROW LEVEL SECURITY;
SELECT id FROM document ORDER BY id;
ALTER TABLE document DISABLE ROW LEVEL SECURITY;
DROP POLICY small ON document;
SELECT polname, polcmd, polpermissive, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid) FROM pg_policy ORDER BY 1;
-- Partitions, each with a policy or none.
CREATE TABLE event (tenant_id uuid, at date, body text) PARTITION BY RANGE (at);
CREATE TABLE event_2024 PARTITION OF event FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE event_2025 PARTITION OF event FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
ALTER TABLE event ENABLE ROW LEVEL SECURITY;
CREATE POLICY e ON event USING (body <> 'secret');
GRANT ALL ON event, event_2024 TO rs_alice;
INSERT INTO event SELECT '00000000-0000-0000-0000-000000000000', d::date, CASE WHEN extract(month FROM d) > 6 THEN 'secret' ELSE 'open' END
  FROM generate_series('2024-01-15'::timestamptz, '2025-12-15', '1 month') d;
SET ROLE rs_alice;
SELECT body, count(*) FROM event GROUP BY 1 ORDER BY 1;
SELECT body, count(*) FROM event_2024 GROUP BY 1 ORDER BY 1;
UPDATE event SET body = 'secret' WHERE at < '2024-03-01';
DELETE FROM event WHERE leak(body) AND at < '2024-03-01';
RESET ROLE;
SET SESSION AUTHORIZATION rs_bob;
SELECT current_user, session_user, count(*) FROM account;
RESET SESSION AUTHORIZATION;
DROP OWNED BY rs_alice;
