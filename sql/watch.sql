-- Roles, memberships, grants and settings leave an entry when they change, by whatever way; no password and no statement is in it.
\set VERBOSITY terse
CREATE FUNCTION regress_entries(after bigint) RETURNS TABLE (event text, target_kind text, target_id text, detail jsonb) LANGUAGE sql AS $$
  SELECT l.event, l.target_kind, l.target_id, l.detail FROM aegis.audit_log l
   WHERE l.seq > regress_entries.after AND (l.event ~ '^(role|grant)[.]' OR l.event = 'setting.changed') ORDER BY l.seq
$$;
CREATE FUNCTION regress_wait(what text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  found boolean;
BEGIN
  FOR i IN 1 .. 400 LOOP
    EXECUTE 'SELECT ' || what INTO found;
    IF found THEN RETURN true; END IF;
    PERFORM pg_sleep(0.05);
  END LOOP;
  RETURN false;
END $$;
-- The first look takes everything down.
SELECT regress_wait('EXISTS (SELECT FROM aegis.audit_log WHERE event = ''audit.watch_begun'')');
SELECT outcome, target_kind, target_id ~ '^[0-9a-f]{64}$' AS digest, detail ->> 'how' AS how, detail ->> 'after' ~ 'grant: \d+, .*role: \d+' AS counts
  FROM aegis.audit_log WHERE event = 'audit.watch_begun';
SELECT max(seq) AS start FROM aegis.entry \gset

-- allows: roles
CREATE ROLE regress_watch_a LOGIN PASSWORD 'mortar';
ALTER ROLE regress_watch_a PASSWORD 'pestle';
ALTER ROLE regress_watch_a CREATEDB CONNECTION LIMIT 3 VALID UNTIL '2030-01-01 00:00:00+00';
ALTER ROLE regress_watch_a RENAME TO regress_watch_b;
CREATE ROLE regress_watch_c IN ROLE aegis_auditor;
GRANT aegis_operator TO regress_watch_b WITH ADMIN OPTION;
GRANT aegis_operator TO regress_watch_b;
REVOKE ADMIN OPTION FOR aegis_operator FROM regress_watch_b;
REVOKE aegis_operator FROM regress_watch_b;
ALTER GROUP aegis_auditor DROP USER regress_watch_c;
SELECT event, target_kind, target_id, detail FROM regress_entries(:start);
SELECT count(*) AS passwords FROM aegis.entry WHERE body::text ~ encode('mortar', 'hex') OR body::text ~ encode('pestle', 'hex');
SELECT count(*) AS verifiers FROM aegis.entry e, aegis.watched w
 WHERE w.kind = 'role' AND e.seq > :start AND position(convert_to(substring(w.state, 'password ([0-9a-f]{8})'), 'UTF8') IN e.body) > 0;
SELECT max(seq) AS start FROM aegis.entry \gset

-- allows: settings of roles, of databases and of the server, when Aegis rests on them
ALTER ROLE regress_watch_b SET row_security = off;
ALTER ROLE regress_watch_b SET work_mem = '1MB';
ALTER ROLE regress_watch_b IN DATABASE contrib_regression SET session_replication_role = replica;
ALTER DATABASE contrib_regression SET aegis.pooler = 'transaction';
ALTER DATABASE contrib_regression SET aegis.pooler = 'tracking';
ALTER DATABASE contrib_regression RESET aegis.pooler;
ALTER ROLE regress_watch_b RESET ALL;
ALTER SYSTEM SET aegis.lock_failures = 7;
ALTER SYSTEM SET aegis.key_provider = 'command:/bin/keys --token hunter2';
ALTER SYSTEM SET work_mem = '5MB';
SELECT event, target_kind, target_id, regexp_replace(detail::text, 'sha256 [0-9a-f]{8}', 'sha256 …', 'g') AS detail FROM regress_entries(:start);
ALTER SYSTEM RESET aegis.lock_failures;
ALTER SYSTEM RESET aegis.key_provider;
ALTER SYSTEM RESET work_mem;
SELECT count(*) AS tokens FROM aegis.entry WHERE position('hunter2'::bytea IN body) > 0;
SELECT max(seq) AS start FROM aegis.entry \gset

-- allows: grants on what Aegis is, protects or captures, and on nothing else
CREATE SCHEMA regress_watch;
CREATE TABLE regress_watch.captured (id int PRIMARY KEY, note text);
CREATE TABLE regress_watch.plain (id int PRIMARY KEY);
SELECT aegis.audit_table('regress_watch.captured');
GRANT SELECT, UPDATE (note) ON regress_watch.captured TO regress_watch_b;
REVOKE SELECT ON regress_watch.captured FROM regress_watch_b;
GRANT ALL ON regress_watch.plain TO PUBLIC;
GRANT SELECT ON aegis.entry TO regress_watch_b WITH GRANT OPTION;
REVOKE SELECT ON aegis.entry FROM regress_watch_b;
GRANT EXECUTE ON FUNCTION aegis.create_tenant(text, text, text) TO regress_watch_b;
REVOKE EXECUTE ON FUNCTION aegis.create_tenant(text, text, text) FROM regress_watch_b;
ALTER TABLE regress_watch.captured OWNER TO regress_watch_b;
ALTER TABLE regress_watch.captured OWNER TO CURRENT_USER;
ALTER DEFAULT PRIVILEGES IN SCHEMA regress_watch GRANT SELECT ON TABLES TO regress_watch_b;
SELECT event, target_kind, target_id, replace(detail::text, current_user, 'me') AS detail FROM regress_entries(:start);
SELECT max(seq) AS start FROM aegis.entry \gset

-- allows: one transaction, one look: what it leaves is what is said; who did it stands beside it
BEGIN;
CREATE ROLE regress_watch_d;
DROP ROLE regress_watch_d;
SAVEPOINT s;
CREATE ROLE regress_watch_e;
ROLLBACK TO s;
ALTER ROLE regress_watch_b NOLOGIN;
COMMIT;
BEGIN;
ALTER ROLE regress_watch_b SUPERUSER;
ROLLBACK;
SELECT event, target_id, detail ->> 'after' AS after, "session_user" = session_user AS by_me FROM aegis.audit_log WHERE seq > :start AND event ~ '^(role|grant|setting)[.]' ORDER BY seq;
SELECT max(seq) AS start FROM aegis.entry \gset

-- survives: another database, where nobody looks
CREATE DATABASE regress_watch_elsewhere;
SELECT current_database() AS here \gset
\c regress_watch_elsewhere
CREATE ROLE regress_watch_f LOGIN;
GRANT aegis_operator TO regress_watch_f;
ALTER ROLE regress_watch_f SET row_security = off;
\c :here
SELECT regress_wait('(SELECT count(*) = 3 FROM aegis.audit_log WHERE detail ->> ''how'' = ''found'' AND target_id ~ ''regress_watch_f'')');
SELECT event, target_id, detail FROM regress_entries(:start) WHERE target_id ~ 'regress_watch_f' ORDER BY event, target_id;
DROP DATABASE regress_watch_elsewhere;
-- and what was found by the worker is not said again by the next statement
SELECT max(seq) AS start FROM aegis.entry \gset
DROP ROLE regress_watch_f;
SELECT event, target_id, detail FROM regress_entries(:start);

-- refuses: to forget what was seen, for everyone
DELETE FROM aegis.watched;
UPDATE aegis.watched SET state = '';
TRUNCATE aegis.watched;
ALTER TABLE aegis.watched ADD COLUMN other int;
CREATE OR REPLACE FUNCTION aegis.watched_now(kinds text[]) RETURNS TABLE (kind text, key text, object text, state text, own boolean) LANGUAGE sql AS 'SELECT NULL, NULL, NULL, NULL, NULL WHERE false';
GRANT aegis_auditor TO regress_watch_c;
SET ROLE regress_watch_c;
SELECT aegis.record_watched('{role}', false);
SELECT count(*) FROM aegis.watched;
SELECT aegis.file_settings();
SELECT aegis.watched_password(10);
RESET ROLE;
SELECT aegis.declare_event('role.changed_by_app', 'mine', '{}');
SELECT aegis.record('role.changed');

DROP SCHEMA regress_watch CASCADE;
DROP OWNED BY regress_watch_b, regress_watch_c;
DROP ROLE regress_watch_b, regress_watch_c;
DROP FUNCTION regress_entries(bigint), regress_wait(text);
