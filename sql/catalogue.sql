-- The catalogue says what may be recorded, by whom and with which details; nothing else enters the ledger.
\set VERBOSITY terse

-- allows: an application declares a type, twice in the same form, and records it
SELECT aegis.declare_event('parcel.sent', 'a parcel left the house', '{"weight": "clear required", "fragile": "clear", "note": "clear", "recipient": "personal"}');
SELECT aegis.declare_event('parcel.sent', 'a parcel left the house', '{"weight": "clear required", "fragile": "clear", "note": "clear", "recipient": "personal"}');
SELECT aegis.record('parcel.sent', 'parcel', '7', detail => '{"weight": 1200, "fragile": true, "note": null}');
SELECT aegis.record('parcel.sent', outcome => 'failure', detail => '{"weight": -1.50}');
SELECT count(*) AS declarations FROM aegis.entry
 WHERE position('event.declared'::bytea IN body) > 0 AND position('parcel.sent'::bytea IN body) > 0;
SELECT count(*) AS recorded FROM aegis.entry WHERE position('parcel.sent'::bytea IN body) > 0;

-- allows: a type declared and recorded in one transaction; rolled back, it is unknown again
BEGIN;
SELECT aegis.declare_event('parcel.lost', 'a parcel was lost');
SELECT aegis.record('parcel.lost');
ROLLBACK;
SELECT aegis.record('parcel.lost');

-- refuses: undeclared types, types of Aegis itself, undeclared and missing details, nested values
SELECT aegis.record('no.such_event');
SELECT aegis.record('auth.sign_in');
SELECT aegis.record('row.changed');
SELECT aegis.record('parcel.sent', detail => '{"weight": 1, "colour": "red"}');
SELECT aegis.record('parcel.sent');
SELECT aegis.record('parcel.sent', detail => '{"weight": null}');
SELECT aegis.record('parcel.sent', detail => '{"weight": {"unit": "g"}}');
SELECT aegis.record('parcel.sent', detail => '[1]');
SELECT aegis.record('parcel.sent', outcome => 'maybe', detail => '{"weight": 1}');
SELECT aegis.record(NULL);
SELECT aegis.record('parcel.sent', outcome => NULL);
SELECT count(*) AS recorded FROM aegis.entry WHERE position('parcel.sent'::bytea IN body) > 0;

-- refuses: of Aegis itself, too, a detail that is not declared, and an entry without one that is required
SET ROLE aegis_owner;
SELECT aegis.record_tenant_event('tenant.created', NULL, 'tenant', 'x', '{"slug": "x", "region": "EU", "colour": "red"}');
SELECT aegis.record_tenant_event('tenant.created', NULL, 'tenant', 'x', '{"slug": "x"}');
SELECT aegis.record_tenant_event('tenant.created', NULL, 'tenant', 'x', '{}');
RESET ROLE;

-- refuses: declarations in Aegis's families, in another form, with unknown classes
SELECT aegis.declare_event('auth.invented', 'x');
SELECT aegis.declare_event('parcel.sent', 'a parcel left the house', '{"weight": "clear"}');
SELECT aegis.declare_event('parcel.moved', 'x', '{"weight": "secret"}');
SELECT aegis.declare_event('parcel.moved', 'x', '{"weight": {"class": "clear"}}');
SELECT aegis.declare_event('parcel.moved', 'x', '["weight"]');
SELECT aegis.declare_event('Parcel', 'x');
SELECT aegis.declare_event('parcel.moved', '');
CREATE ROLE regress_catalogue_nobody;
SET ROLE regress_catalogue_nobody;
SELECT aegis.declare_event('parcel.moved', 'x');
RESET ROLE;
DROP ROLE regress_catalogue_nobody;

-- refuses: every family in which Aegis writes; in two an extension's script may declare, as the reference application's does
CREATE FUNCTION regress_is_open(family text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  PERFORM aegis.declare_event(family || '.invented', 'x');
  RETURN true;
EXCEPTION WHEN reserved_name THEN
  RETURN false;
END $$;
BEGIN;
SELECT f.family AS open FROM (SELECT DISTINCT split_part(name, '.', 1) AS family FROM aegis.event_type WHERE writer = 'c') f WHERE regress_is_open(f.family) ORDER BY 1;
ROLLBACK;
DROP FUNCTION regress_is_open;

-- survives: every type of Aegis is in its page
SELECT name, writer FROM aegis.event_type WHERE by_extension ORDER BY name COLLATE "C";
