-- Routes lead to SECURITY INVOKER functions of one shape, are changed by operators only, and every
-- change is recorded.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE ROLE regress_route_operator LOGIN;
GRANT aegis_operator TO regress_route_operator;
CREATE ROLE regress_route_gateway LOGIN;
GRANT aegis_gateway TO regress_route_gateway;
CREATE ROLE regress_route_member LOGIN;
GRANT aegis_member TO regress_route_member;
CREATE SCHEMA regress_route;
GRANT USAGE ON SCHEMA regress_route TO PUBLIC;
CREATE FUNCTION regress_route.ok(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ BEGIN RETURN aegis.respond(200, request.params); END $$;
CREATE FUNCTION regress_route.definer(request aegis.request) RETURNS aegis.response SECURITY DEFINER
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ BEGIN RETURN aegis.respond(200); END $$;
CREATE FUNCTION regress_route.hidden(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ BEGIN RETURN aegis.respond(200); END $$;
REVOKE ALL ON FUNCTION regress_route.hidden(aegis.request) FROM PUBLIC;
CREATE FUNCTION regress_route.shape(request text) RETURNS text LANGUAGE sql AS 'SELECT request';

-- allows: an operator registers, replaces and drops
\c - regress_route_operator
SET client_min_messages = warning;
SELECT aegis.register_route('GET', '/regress/route/{id}', 'regress_route.ok(aegis.request)', public => true, summary => 'One');
SELECT aegis.register_route('GET', '/regress/route/{id}', 'regress_route.ok(aegis.request)', public => true, body_limit => 10);
SELECT aegis.register_route('GET', '/regress/route/first', 'regress_route.ok(aegis.request)', public => true);
SELECT aegis.register_route('POST', '/regress/route', 'regress_route.ok(aegis.request)', 3::smallint, withheld => true);
SELECT * FROM aegis.routes() WHERE path LIKE '/regress/route%' OR path = '/api/session';

-- refuses: to let a withheld route become known by a word that is left out; allows it once it was dropped
SELECT aegis.register_route('POST', '/regress/route', 'regress_route.ok(aegis.request)', 3::smallint);
SELECT aegis.register_route('POST', '/regress/route', 'regress_route.ok(aegis.request)', 3::smallint, withheld => NULL);
SELECT aegis.register_route('POST', '/regress/route', 'regress_route.ok(aegis.request)', 2::smallint, withheld => true);
SELECT withheld FROM aegis.routes() WHERE path = '/regress/route';
SELECT aegis.drop_route('POST', '/regress/route');
SELECT aegis.register_route('POST', '/regress/route', 'regress_route.ok(aegis.request)', 3::smallint);
SELECT withheld FROM aegis.routes() WHERE path = '/regress/route';

-- refuses: a standby for what is not public, or writes; this is none
SELECT aegis.register_route('GET', '/regress/route/late', 'regress_route.ok(aegis.request)', replica_ok => true);
SELECT aegis.register_route('POST', '/regress/route/late', 'regress_route.ok(aegis.request)', public => true, replica_ok => true);
SELECT aegis.register_route('GET', '/regress/route/late', 'regress_route.ok(aegis.request)', public => true, replica_ok => true, event => 'a.b');
SELECT * FROM aegis.replica_state();

-- refuses: an event that Aegis alone writes, which callers would forge then, and one that nobody declared
SELECT aegis.register_route('GET', '/regress/route/forged', 'regress_route.ok(aegis.request)', event => 'auth.sign_in');
SELECT aegis.register_route('GET', '/regress/route/forged', 'regress_route.ok(aegis.request)', event => 'regress_route.undeclared');

-- refuses: paths that are no templates, two names for one parameter's place, built-in paths
SELECT aegis.register_route('GET', 'regress', 'regress_route.ok(aegis.request)');
SELECT aegis.register_route('GET', '/regress//x', 'regress_route.ok(aegis.request)');
SELECT aegis.register_route('GET', '/regress/', 'regress_route.ok(aegis.request)');
SELECT aegis.register_route('GET', '/regress/../x', 'regress_route.ok(aegis.request)');
SELECT aegis.register_route('GET', '/regress/{ID}', 'regress_route.ok(aegis.request)');
SELECT aegis.register_route('GET', '/regress/{id', 'regress_route.ok(aegis.request)');
SELECT aegis.register_route('GET', '/regress/%41', 'regress_route.ok(aegis.request)');
SELECT aegis.register_route('GET', '/regress/route/{other}', 'regress_route.ok(aegis.request)');
SELECT aegis.register_route('GET', '/api/session', 'regress_route.ok(aegis.request)');
SELECT aegis.register_route('TRACE', '/regress/x', 'regress_route.ok(aegis.request)');
SELECT aegis.register_route('GET', '/regress/x', 'regress_route.ok(aegis.request)', 5::smallint);
SELECT aegis.register_route('GET', NULL, 'regress_route.ok(aegis.request)');
-- refuses: functions that would run with other rights, that members may not call, of another shape
\set VERBOSITY default
SELECT aegis.register_route('GET', '/regress/x', 'regress_route.definer(aegis.request)');
SELECT aegis.register_route('GET', '/regress/x', 'regress_route.hidden(aegis.request)');
SELECT aegis.register_route('GET', '/regress/x', 'regress_route.shape(text)');
\set VERBOSITY terse
SELECT aegis.drop_route('GET', '/regress/none');
-- refuses: the table itself
INSERT INTO aegis.route SELECT * FROM aegis.route;
-- refuses: members and the gateway
\c - regress_route_member
SELECT aegis.register_route('GET', '/regress/x', 'regress_route.ok(aegis.request)');
\c - regress_route_gateway
SELECT aegis.register_route('GET', '/regress/x', 'regress_route.ok(aegis.request)');
SELECT aegis.drop_route('GET', '/regress/route/{id}');

-- allows: the gateway reads its copy and is told about changes
SELECT count(*) AS regress FROM aegis.routes() WHERE path LIKE '/regress/route%';
\set ask 'SELECT h.status, encode(h.body, ''escape'') AS body FROM aegis.handle('
\set rest ', NULL, NULL, ''198.51.100.7'', ''r-1'') h'
-- a literal wins over a parameter; the parameter is decoded once
:ask 'GET', '/regress/route/first' :rest;
:ask 'GET', '/regress/route/a%2520b' :rest;
:ask 'HEAD', '/regress/route/second' :rest;
:ask 'PUT', '/regress/route/second' :rest;
:ask 'GET', '/regress/route' :rest;
:ask 'GET', '/regress/nowhere' :rest;

-- survives: a handler that changed its nature after it was registered is not run
\c - :superuser
SET client_min_messages = warning;
ALTER FUNCTION regress_route.ok(aegis.request) SECURITY DEFINER;
\c - regress_route_gateway
:ask 'GET', '/regress/route/first' :rest;
\c - :superuser
SET client_min_messages = warning;
ALTER FUNCTION regress_route.ok(aegis.request) SECURITY INVOKER;
-- the same for a process that has run it: whom it runs for, what it is and whose it is, also when that is undone
\set asked 'SELECT h.status FROM aegis.handle(''GET'', ''/regress/route/first'', NULL, NULL, ''198.51.100.7'', ''r-1'') h;'
:asked
ALTER FUNCTION regress_route.ok(aegis.request) SECURITY DEFINER;
:asked
ALTER FUNCTION regress_route.ok(aegis.request) SECURITY INVOKER;
:asked
REVOKE EXECUTE ON FUNCTION regress_route.ok(aegis.request) FROM PUBLIC;
:asked
GRANT EXECUTE ON FUNCTION regress_route.ok(aegis.request) TO aegis_member;
:asked
REVOKE EXECUTE ON FUNCTION regress_route.ok(aegis.request) FROM aegis_member;
GRANT EXECUTE ON FUNCTION regress_route.ok(aegis.request) TO PUBLIC;
CREATE ROLE regress_route_owner;
GRANT CREATE ON SCHEMA regress_route TO regress_route_owner;
ALTER FUNCTION regress_route.ok(aegis.request) OWNER TO regress_route_owner;
:asked
GRANT aegis_gateway TO regress_route_owner;
:asked
REVOKE aegis_gateway FROM regress_route_owner;
:asked
ALTER FUNCTION regress_route.ok(aegis.request) OWNER TO :superuser;
DROP OWNED BY regress_route_owner;
DROP ROLE regress_route_owner;
-- survives: a handler that is dropped, and one that is made again under its name
SELECT pg_get_functiondef('regress_route.ok(aegis.request)'::regprocedure) AS definition \gset
DROP FUNCTION regress_route.ok(aegis.request);
\c - regress_route_gateway
:ask 'GET', '/regress/route/first' :rest;
\c - :superuser
SET client_min_messages = warning;
:definition;
GRANT EXECUTE ON FUNCTION regress_route.ok(aegis.request) TO aegis_member;
-- survives: a dropped route is gone for a backend that had it in its copy
\c - regress_route_gateway
:ask 'GET', '/regress/route/first' :rest;
\c - :superuser
SET client_min_messages = warning;
SELECT aegis.drop_route('GET', '/regress/route/first'), aegis.drop_route('GET', '/regress/route/{id}'),
       aegis.drop_route('POST', '/regress/route');
\c - regress_route_gateway
:ask 'GET', '/regress/route/first' :rest;
\c - :superuser
SET client_min_messages = warning;
SELECT e.event, (SELECT count(*) FROM aegis.entry r WHERE position(convert_to(e.event, 'UTF8') IN r.body) > 0
                    AND position(convert_to('/regress/route', 'UTF8') IN r.body) > 0) AS entries
  FROM (VALUES ('route.registered'), ('route.dropped')) AS e(event);

DROP SCHEMA regress_route CASCADE;
DROP ROLE regress_route_operator, regress_route_gateway, regress_route_member;
