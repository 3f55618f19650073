-- What the status page shows comes from rows that operators write, and each change of them is recorded.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE ROLE regress_status_operator LOGIN IN ROLE aegis_operator;
CREATE ROLE regress_status_gateway LOGIN IN ROLE aegis_gateway;

-- allows: an operator says what holds; it can be changed and taken back
SET SESSION AUTHORIZATION regress_status_operator;
SELECT aegis.set_slo('Availability', '99.9 % a month'), aegis.set_slo('Answers', '95 % within 300 ms');
SELECT aegis.set_slo('Availability', '99.9 % a month', '99.97 % in October'), aegis.set_slo('Answers', NULL);
SELECT aegis.set_subprocessor('Example Hosting Ltd', 'machines and networks', 'United Kingdom', '2026-01-01');
SELECT aegis.set_incident('Sign-ins were slow', 'A busy machine.', 'minor', now() - interval '2 hours', now() - interval '1 hour') AS first \gset
SELECT aegis.set_incident('No mail', 'The relay is away.', 'major') AS second \gset
SELECT aegis.set_incident('Long ago', 'Forgotten by now.', 'minor', now() - interval '92 days', now() - interval '91 days') > 0 AS third;
SELECT aegis.set_incident('No mail went out', 'The relay was away for a while.', 'major', NULL, now(), :second) = :second AS same;
-- refuses: what is no severity, an end before the beginning, an incident that does not exist
SELECT aegis.set_incident('x', 'x', 'terrible');
SELECT aegis.set_incident('x', 'x', 'minor', now(), now() - interval '1 day');
SELECT aegis.set_incident('x', 'x', incident => 999999);
SELECT aegis.set_subprocessor('x', 'y');
-- survives: more said than can be recorded of what is taken away
SELECT aegis.set_slo('Nobody', NULL, repeat('ä', 100000)) \g /dev/null
SELECT aegis.set_subprocessor('Nobody', NULL, repeat('ä', 100000)) \g /dev/null
RESET SESSION AUTHORIZATION;

-- allows: the gateway asks for all of it
\c - regress_status_gateway
SELECT jsonb_path_query_array(s, '$.components[*].name') AS components, s -> 'slos' AS slos, s -> 'subprocessors' AS subprocessors FROM aegis.status() s;
SELECT i ->> 'title' AS title, i ->> 'severity' AS severity, i ->> 'ended_at' IS NOT NULL AS over FROM aegis.status() s, jsonb_array_elements(s -> 'incidents') i;
SELECT count(*) FROM aegis.incident;
SELECT aegis.set_slo('Availability', '1 %');
\c - :superuser
SET client_min_messages = warning;
SELECT target_kind, count(*) FROM aegis.audit_log WHERE event = 'status.changed' GROUP BY 1 ORDER BY 1;
DELETE FROM aegis.slo;
DELETE FROM aegis.subprocessor;
DELETE FROM aegis.incident;
DROP ROLE regress_status_operator, regress_status_gateway;
