-- Every declared type of event is written by something that a test does, and nothing else is written: this test is the last, looks at
-- what all others left in the ledger, and means nothing alone. tests/lint/events.sh checks what no database can tell.
\set VERBOSITY terse
CREATE TEMP TABLE written AS
SELECT d.event, count(*) AS entries FROM aegis.entry e, aegis.decode_entry(e.body) d
 -- sql/charge.sql opens charges of any name for this user, who never was: no path of the product.
 WHERE d.user_id IS DISTINCT FROM '22222222-2222-4222-8222-222222222222'
 GROUP BY 1;

-- allows: what is declared; of these types a test of another suite has the entry looked for, as tests/events.txt says
SELECT t.name AS elsewhere FROM aegis.event_type t
 WHERE t.by_extension AND NOT EXISTS (SELECT FROM written w WHERE w.event = t.name) ORDER BY t.name COLLATE "C";

-- refuses: everything else
SELECT w.event AS undeclared FROM written w WHERE NOT EXISTS (SELECT FROM aegis.event_type t WHERE t.name = w.event) ORDER BY 1;

-- survives: there is something to look at
SELECT count(*) > 200 AS types, sum(entries) > 10000 AS entries FROM written;
