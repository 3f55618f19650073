-- The verified context: getters for policies and defaults. docs/context.md.
--
-- Those that policies compare with rows read a value that is there, which costs less than the comparison. At the cost that
-- PostgreSQL assumes for a function, five calls for every row make it begin parallel workers for what one process reads in less time.

CREATE FUNCTION aegis.tenant_id() RETURNS uuid
  AS 'MODULE_PATHNAME', 'aegis_tenant_id' LANGUAGE C STABLE LEAKPROOF PARALLEL SAFE COST 0.1;
COMMENT ON FUNCTION aegis.tenant_id() IS 'tenant of the current context, NULL when none is set';

CREATE FUNCTION aegis.user_id() RETURNS uuid
  AS 'MODULE_PATHNAME', 'aegis_user_id' LANGUAGE C STABLE LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION aegis.user_id() IS 'user of the current context, NULL when none is set or no user acts';

CREATE FUNCTION aegis.session_id() RETURNS uuid
  AS 'MODULE_PATHNAME', 'aegis_session_id' LANGUAGE C STABLE LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION aegis.session_id() IS 'session of the current context, NULL when none';

CREATE FUNCTION aegis.service_id() RETURNS uuid
  AS 'MODULE_PATHNAME', 'aegis_service_id' LANGUAGE C STABLE LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION aegis.service_id() IS 'service of the current context, NULL when none acts';

CREATE FUNCTION aegis.user_lo() RETURNS uuid
  AS 'MODULE_PATHNAME', 'aegis_user_lo' LANGUAGE C STABLE LEAKPROOF PARALLEL SAFE COST 0.1;
COMMENT ON FUNCTION aegis.user_lo() IS 'lower bound of the users whose rows are visible';

CREATE FUNCTION aegis.user_hi() RETURNS uuid
  AS 'MODULE_PATHNAME', 'aegis_user_hi' LANGUAGE C STABLE LEAKPROOF PARALLEL SAFE COST 0.1;
COMMENT ON FUNCTION aegis.user_hi() IS 'upper bound of the users whose rows are visible';

CREATE FUNCTION aegis.team_ord() RETURNS bigint
  AS 'MODULE_PATHNAME', 'aegis_team_ord' LANGUAGE C STABLE LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION aegis.team_ord() IS 'number of the team that new rows belong to';

CREATE FUNCTION aegis.team_lo() RETURNS bigint
  AS 'MODULE_PATHNAME', 'aegis_team_lo' LANGUAGE C STABLE LEAKPROOF PARALLEL SAFE COST 0.1;
COMMENT ON FUNCTION aegis.team_lo() IS 'lower bound of the teams whose rows are visible';

CREATE FUNCTION aegis.team_hi() RETURNS bigint
  AS 'MODULE_PATHNAME', 'aegis_team_hi' LANGUAGE C STABLE LEAKPROOF PARALLEL SAFE COST 0.1;
COMMENT ON FUNCTION aegis.team_hi() IS 'upper bound of the teams whose rows are visible';

CREATE FUNCTION aegis.rank() RETURNS smallint
  AS 'MODULE_PATHNAME', 'aegis_rank' LANGUAGE C STABLE LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION aegis.rank() IS 'rank of the current context: 1 user, 2 team lead, 3 manager, 4 admin';

CREATE FUNCTION aegis.auth_method() RETURNS text
  AS 'MODULE_PATHNAME', 'aegis_auth_method' LANGUAGE C STABLE LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION aegis.auth_method() IS 'way by which the current context was set';

CREATE FUNCTION aegis.request_id() RETURNS text
  AS 'MODULE_PATHNAME', 'aegis_request_id' LANGUAGE C STABLE LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION aegis.request_id() IS 'request id of the current context';

CREATE FUNCTION aegis.client_ip() RETURNS text
  AS 'MODULE_PATHNAME', 'aegis_client_ip' LANGUAGE C STABLE LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION aegis.client_ip() IS 'address of the client as the gateway reported it';

CREATE FUNCTION aegis.require_tenant() RETURNS uuid
  AS 'MODULE_PATHNAME', 'aegis_require_tenant' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION aegis.require_tenant() IS 'tenant of the current context; an error AG001 when none is set';
