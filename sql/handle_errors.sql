-- Whatever goes wrong in a request is one answer with a stable type and a status; it undoes the
-- handler's work only, says nothing about tables, and interrupts a handler that takes too long.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE ROLE regress_errors_gateway LOGIN;
GRANT aegis_gateway TO regress_errors_gateway;
CREATE SCHEMA regress_errors;
GRANT USAGE ON SCHEMA regress_errors TO aegis_member;
CREATE FUNCTION regress_errors.fail(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = request.query ->> 'code', MESSAGE = 'message', HINT = 'Hint.';
END $$;
CREATE FUNCTION regress_errors.run(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  EXECUTE request.body ->> 'sql';
  RETURN aegis.respond(204);
END $$;
CREATE FUNCTION regress_errors.answer(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN ROW((request.body ->> 'status')::int, request.body -> 'headers', request.body -> 'body', (request.body ->> 'file')::bytea);
END $$;
CREATE FUNCTION regress_errors.spin(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$ BEGIN LOOP END LOOP; END $$;
CREATE FUNCTION regress_errors.large(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis.respond(200, file => convert_to(repeat('x', (request.query ->> 'bytes')::int), 'UTF8'));
END $$;
CREATE FUNCTION regress_errors.nothing(request aegis.request) RETURNS aegis.response
  LANGUAGE sql SET search_path = pg_catalog, pg_temp AS 'SELECT NULL::aegis.response';
SELECT aegis.register_route('GET', '/regress/errors/fail', 'regress_errors.fail(aegis.request)', public => true),
       aegis.register_route('POST', '/regress/errors/run', 'regress_errors.run(aegis.request)', public => true),
       aegis.register_route('POST', '/regress/errors/answer', 'regress_errors.answer(aegis.request)', public => true, body_limit => 400),
       aegis.register_route('GET', '/regress/errors/spin', 'regress_errors.spin(aegis.request)', public => true),
       aegis.register_route('GET', '/regress/errors/large', 'regress_errors.large(aegis.request)', public => true),
       aegis.register_route('GET', '/regress/errors/nothing', 'regress_errors.nothing(aegis.request)', public => true);

\c - regress_errors_gateway
\set ask 'SELECT h.status, encode(h.body, ''escape'') AS body FROM aegis.handle('
\set json ', ARRAY[''content-type'', ''application/json''], decode('
\set peer ', ''escape''), ''198.51.100.7'', ''r-1'') h'
\set nobody ', NULL, NULL, ''198.51.100.7'', ''r-1'') h'

-- the table of errors
SELECT c.code, h.status, b ->> 'type' AS type, b ? 'detail' AS detail, b ->> 'code' = c.code AS same_code
  FROM (VALUES ('AG001'), ('AG003'), ('AG004'), ('AG005'), ('AG006'), ('AG007'), ('AG008'), ('AG009'), ('AG010'), ('AG011'), ('AG012'),
               ('AG013'), ('AG014'), ('AG015'), ('AG016'), ('AG017'), ('AG020'), ('P0001'), ('P0002'), ('22023'), ('22P02'), ('23502'), ('23503'), ('23505'),
               ('23514'), ('25006'), ('28000'), ('42501'), ('42P01'), ('40001'), ('40P01'), ('53100'), ('53300'), ('54000'), ('55000'),
               ('55P03'), ('57P03'), ('58030'), ('XX000'), ('0A000')) AS c(code),
       LATERAL aegis.handle('GET', '/regress/errors/fail?code=' || c.code :nobody,
       LATERAL (SELECT encode(h.body, 'escape')::jsonb) AS j(b);
:ask 'GET', '/regress/errors/fail?code=22023' :nobody;
:ask 'GET', '/regress/errors/fail?code=23505' :nobody;
:ask 'GET', '/regress/errors/fail?code=XX000' :nobody;
SELECT h.headers FROM aegis.handle('GET', '/regress/errors/fail?code=40001' :nobody;
SELECT h.headers FROM aegis.handle('GET', '/regress/errors/fail?code=AG016' :nobody;

-- refuses: targets that can be read in two ways
:ask 'GET', '' :nobody;
:ask 'GET', 'regress' :nobody;
:ask 'GET', '/regress//errors' :nobody;
:ask 'GET', '/regress/errors/' :nobody;
:ask 'GET', '/regress/../errors' :nobody;
:ask 'GET', '/regress/%2e%2e/errors' :nobody;
:ask 'GET', '/regress%2ferrors' :nobody;
:ask 'GET', '/regress/a%00' :nobody;
:ask 'GET', '/regress/a%0a' :nobody;
:ask 'GET', '/regress/%zz' :nobody;
:ask 'GET', '/regress/%4' :nobody;
:ask 'GET', '/regress/%ff' :nobody;
:ask 'GET', '/regress/a b' :nobody;
:ask 'GET', '/regress/errors/fail?code=22023&code=22P02' :nobody;
:ask 'GET', '/regress/errors/fail?code=%ff' :nobody;
SELECT h.status FROM aegis.handle('GET', '/' || repeat('a/', 20) || 'a' :nobody;
SELECT h.status FROM aegis.handle('GET', '/' || repeat('a', 9000) :nobody;
-- refuses: unknown methods, NULLs, headers that are no pairs
SELECT h.status, h.headers FROM aegis.handle('TRACE', '/regress/errors/fail' :nobody;
SELECT h.status FROM aegis.handle(NULL, NULL, NULL, NULL, NULL, NULL) h;
:ask 'GET', '/regress/errors/fail', ARRAY['a'], NULL, NULL, NULL) h;
:ask 'GET', '/regress/errors/fail', ARRAY['a', NULL], NULL, NULL, NULL) h;

-- refuses: bodies that are not strict JSON of the declared type and size
:ask 'POST', '/regress/errors/answer' :json '{' :peer;
:ask 'POST', '/regress/errors/answer' :json '{"status": 204, "status": 205}' :peer;
:ask 'POST', '/regress/errors/answer' :json '{"status": 204, "body": {"a": [{"b": 1, "b": 1}]}}' :peer;
:ask 'POST', '/regress/errors/answer' :json '{"status": 204, "body": {"\\u0061": 1, "a": 1}}' :peer;
:ask 'POST', '/regress/errors/answer' :json '{"a": "\\u0000"}' :peer;
:ask 'POST', '/regress/errors/answer' :json repeat('[', 100) || repeat(']', 100) :peer;
:ask 'POST', '/regress/errors/answer' :json repeat(' ', 401) :peer;
:ask 'POST', '/regress/errors/answer', ARRAY['content-type', 'application/json'], '\xff'::bytea, NULL, 'r-1') h;
:ask 'POST', '/regress/errors/answer', ARRAY['content-type', 'application/jsonx'], decode('{}' :peer;
:ask 'POST', '/regress/errors/answer', NULL, decode('{}' :peer;
:ask 'GET', '/regress/errors/fail' :json '{}' :peer;
-- refuses: numbers whose text is far longer than they are; allows those that every reader knows
:ask 'POST', '/regress/errors/answer' :json '{"status": 200, "body": 1e309}' :peer;
:ask 'POST', '/regress/errors/answer' :json '{"status": 200, "body": [[1e131071]]}' :peer;
:ask 'POST', '/regress/errors/answer' :json '{"status": 200, "body": {"a": -1E-99999999999999999999}}' :peer;
SELECT h.status, length(h.body) FROM aegis.handle('POST', '/regress/errors/answer' :json '{"status": 200, "body": 1e+308}' :peer;
:ask 'POST', '/regress/errors/answer' :json '{"status": 200, "body": ["1e999999", -1.5e-3]}' :peer;
-- refuses: a zero byte
:ask 'POST', '/regress/errors/answer' :json '{"status": 204}\000{}' :peer;
-- allows: one key in two objects; no body at all
:ask 'POST', '/regress/errors/answer' :json '{"status": 200, "body": [{"a": 1}, {"a": 1}]}' :peer;
:ask 'POST', '/regress/errors/answer' :nobody;

-- refuses: answers that cannot be sent
:ask 'POST', '/regress/errors/answer' :json '{"status": 199}' :peer;
:ask 'POST', '/regress/errors/answer' :json '{"status": 200, "headers": {"set-cookie": "a=b"}}' :peer;
:ask 'POST', '/regress/errors/answer' :json '{"status": 200, "headers": {"etag": "a\\r\\nb"}}' :peer;
:ask 'POST', '/regress/errors/answer' :json '{"status": 200, "headers": {"content-type": "text/html"}}' :peer;
:ask 'POST', '/regress/errors/answer' :json '{"status": 200, "headers": [1]}' :peer;
:ask 'POST', '/regress/errors/answer' :json '{"status": 204, "body": 1}' :peer;
-- refuses: files that are pages, that have a body, or a name that could be read in two ways
:ask 'POST', '/regress/errors/answer' :json '{"status": 200, "file": "a", "body": 1}' :peer;
:ask 'POST', '/regress/errors/answer' :json '{"status": 204, "file": "a"}' :peer;
:ask 'POST', '/regress/errors/answer' :json '{"status": 200, "body": 1, "headers": {"content-type": "text/csv"}}' :peer;
:ask 'POST', '/regress/errors/answer' :json '{"status": 200, "body": 1, "headers": {"content-disposition": "attachment"}}' :peer;
:ask 'POST', '/regress/errors/answer' :json '{"status": 200, "headers": {"content-disposition": "attachment"}}' :peer;
:ask 'POST', '/regress/errors/answer' :json '{"status": 200, "headers": {"content-type": "text/csv"}}' :peer;
SELECT t.type, h.status
  FROM (VALUES ('text/html'), ('text/html; charset=utf-8'), ('TEXT/HTML'), ('image/svg+xml'), ('application/xhtml+xml'), ('text/xml'), ('text/javascript'),
               ('text/plain'), ('text/plain; charset=utf-7'), ('text/plain; charset=utf-8;'), ('text/csv, text/html'), ('application/json'),
               ('multipart/x-mixed-replace'), (''), (' text/csv'), ('text/csv'), ('text/plain; charset=utf-8'), ('application/pdf'),
               ('application/octet-stream')) AS t(type),
       LATERAL aegis.handle('POST', '/regress/errors/answer' :json '{"status": 200, "file": "<script>", "headers": {"content-type": "' || t.type || '"}}' :peer;
SELECT t.name, h.status
  FROM (VALUES ('attachment; filename="a.bundle"'), ('attachment; filename="A-1_b.csv"'), ('attachment; filename="' || repeat('a', 128) || '"'),
               ('attachment; filename="' || repeat('a', 129) || '"'), ('attachment; filename=""'), ('attachment; filename="'), ('attachment'), ('inline'),
               ('inline; filename="a.html"'), ('attachment; filename="../a"'), ('attachment; filename=".profile"'), ('attachment; filename="a/b"'),
               ('attachment; filename="a b"'), ('attachment; filename="a\\b"'), ('attachment; filename="a"b"'), ('attachment; filename="a"; filename*=UTF-8''b"'),
               ('attachment; filename="a%0ab"'), ('attachment; filename="a\r\nset-cookie: b"'), ('Attachment; filename="a"'), ('attachment;filename="a"'),
               ('attachment; filename=a'), ('attachment; filename="é"')) AS t(name),
       LATERAL aegis.handle('POST', '/regress/errors/answer' :json
         '{"status": 200, "file": "a", "headers": {"content-disposition": "' || replace(replace(t.name, '\', '\\'), '"', '\\"') || '"}}' :peer;
-- refuses: text that is not UTF-8
:ask 'POST', '/regress/errors/answer' :json '{"status": 200, "file": "\\\\377", "headers": {"content-type": "text/plain; charset=utf-8"}}' :peer;
-- allows: a file as it is; what is not plain text, a browser saves
\set files 'SELECT h.status, h.headers, encode(h.body, ''escape'') AS body FROM aegis.handle('
:files 'POST', '/regress/errors/answer' :json '{"status": 200, "file": "a,b", "headers": {"content-type": "text/csv"}}' :peer;
:files 'POST', '/regress/errors/answer' :json '{"status": 200, "file": "a,b", "headers": {"content-type": "text/plain; charset=utf-8"}}' :peer;
:files 'POST', '/regress/errors/answer' :json '{"status": 200, "file": ""}' :peer;
:files 'POST', '/regress/errors/answer' :json '{"status": 200, "file": "a", "headers": {"content-disposition": "attachment; filename=\\"a-1.bundle\\""}}' :peer;
SELECT h.status, h.headers, h.body FROM aegis.handle('HEAD', '/regress/errors/large?bytes=1' :nobody;
-- a file has 16 MB at most
SELECT h.status, length(h.body) FROM aegis.handle('GET', '/regress/errors/large?bytes=16777216' :nobody;
SELECT h.status FROM aegis.handle('GET', '/regress/errors/large?bytes=16777217' :nobody;
:ask 'GET', '/regress/errors/nothing' :nobody;

-- refuses: handlers that reach beyond a member: roles, settings of the session, other relations, transactions
:ask 'POST', '/regress/errors/run' :json '{"sql": "SET ROLE aegis_owner"}' :peer;
:ask 'POST', '/regress/errors/run' :json '{"sql": "SET SESSION AUTHORIZATION DEFAULT"}' :peer;
:ask 'POST', '/regress/errors/run' :json '{"sql": "SELECT * FROM aegis.session"}' :peer;
:ask 'POST', '/regress/errors/run' :json '{"sql": "COMMIT"}' :peer;
:ask 'POST', '/regress/errors/run' :json '{"sql": "SELECT aegis.handle(NULL, NULL, NULL, NULL, NULL, NULL)"}' :peer;
:ask 'POST', '/regress/errors/run' :json '{"sql": "CREATE TABLE regress_errors.t ()"}' :peer;

-- interrupts: a handler that takes too long, and only that
\c - :superuser
SET client_min_messages = warning;
ALTER SYSTEM SET aegis.request_timeout = '200ms';
SELECT pg_reload_conf();
SELECT pg_sleep(1);
\c - regress_errors_gateway
:ask 'GET', '/regress/errors/spin' :nobody;
:ask 'POST', '/regress/errors/run' :json '{"sql": "SELECT 1"}' :peer;
\c - :superuser
SET client_min_messages = warning;
ALTER SYSTEM RESET aegis.request_timeout;
SELECT pg_reload_conf();
SELECT pg_sleep(1);
-- a cancel from outside is not swallowed
\c - regress_errors_gateway
SET statement_timeout = '200ms';
:ask 'GET', '/regress/errors/spin' :nobody;
RESET statement_timeout;

\c - :superuser
SET client_min_messages = warning;
SELECT count(aegis.drop_route(r.method, r.path)) FROM aegis.route r WHERE r.path LIKE '/regress/errors%';
DROP SCHEMA regress_errors CASCADE;
DROP ROLE regress_errors_gateway;
