-- Coverage of the server: what gets into logs, which walls stand, what a crash or an old release costs.

-- The judgement is apart from the values, so that it can be asked about a server that is not this one.
CREATE FUNCTION aegis.coverage_settings(settings jsonb)
  RETURNS TABLE (namespace oid, severity text, object_kind text, object text, finding text, problem text, fix text)
  LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  WITH texts AS (  -- whether texts of statements reach the log at all
    SELECT settings->>'log_statement' <> 'none' OR (settings->>'log_min_duration_statement') <> '-1'
           OR ((settings->>'log_min_duration_sample') <> '-1' AND (settings->>'log_statement_sample_rate')::float8 > 0)
           OR (settings->>'log_transaction_sample_rate')::float8 > 0 AS logged
  )
  SELECT NULL::oid, w.severity, 'setting', w.name, w.finding, w.problem, w.fix
    FROM texts CROSS JOIN LATERAL (VALUES
      (settings->>'log_parameter_max_length' <> '0', CASE WHEN texts.logged THEN 'high' ELSE 'medium' END, 'log_parameter_max_length',
       'log-parameters', 'parameters of statements, passwords among them, are logged with the statement',
       'ALTER SYSTEM SET log_parameter_max_length = 0'),
      (settings->>'log_parameter_max_length_on_error' <> '0', 'high', 'log_parameter_max_length_on_error',
       'log-parameters-on-error', 'parameters of statements that fail, passwords among them, are logged',
       'ALTER SYSTEM SET log_parameter_max_length_on_error = 0'),
      (settings->>'log_statement' IN ('mod', 'all'), 'medium', 'log_statement',
       'log-statement', 'the log holds statements with the literals in them',
       'ALTER SYSTEM SET log_statement = ''none'''),
      (settings->>'log_min_duration_statement' <> '-1', 'medium', 'log_min_duration_statement',
       'log-duration', 'the log holds slow statements with the literals in them',
       'ALTER SYSTEM SET log_min_duration_statement = -1'),
      (settings->>'log_min_duration_sample' <> '-1' AND (settings->>'log_statement_sample_rate')::float8 > 0, 'medium', 'log_min_duration_sample',
       'log-sample', 'the log holds a sample of statements with the literals in them',
       'ALTER SYSTEM SET log_min_duration_sample = -1'),
      ((settings->>'log_transaction_sample_rate')::float8 > 0, 'medium', 'log_transaction_sample_rate',
       'log-transactions', 'the log holds a sample of transactions with the literals in them',
       'ALTER SYSTEM SET log_transaction_sample_rate = 0'),
      (settings->>'auto_explain.log_min_duration' <> '-1', 'medium', 'auto_explain.log_min_duration',
       'auto-explain', 'plans with literals and the sizes of other tenants get into the log',
       'ALTER SYSTEM SET auto_explain.log_min_duration = -1'),
      ((settings->>'track_activity_query_size')::integer > 8192, 'low', 'track_activity_query_size',
       'activity-size', 'long texts of statements, with the literals in them, stand in pg_stat_activity',
       'ALTER SYSTEM SET track_activity_query_size = 1024'),
      (NOT 'aegis' = ANY (string_to_array(replace(replace(settings->>'shared_preload_libraries', ' ', ''), '"', ''), ',')), 'high', 'shared_preload_libraries',
       'preload-missing', 'aegis is not loaded at server start, so none of its walls stands; name it in the configuration file and restart', NULL),
      (settings->>'aegis.restore_mode' = 'on', 'high', 'aegis.restore_mode',
       'restore-mode', 'ledger tables may be written and nothing is recorded; switch it off in the configuration file and restart', NULL),
      (settings->>'aegis.key_provider' LIKE 'env:%', CASE settings->>'aegis.environment' WHEN 'development' THEN 'low' ELSE 'high' END, 'aegis.key_provider',
       'key-in-environment', 'the master keys come from an environment variable, which whatever started the server keeps; this is for development only, use file:PATH or command:PATH ARG', NULL),
      (settings->>'fsync' = 'off', 'high', 'fsync',
       'fsync-off', 'a crash loses rows and entries that were acknowledged, and may ruin the tables',
       'ALTER SYSTEM SET fsync = on'),
      (settings->>'full_page_writes' = 'off', 'high', 'full_page_writes',
       'full-page-writes-off', 'a crash may leave half-written pages',
       'ALTER SYSTEM SET full_page_writes = on'),
      (settings->>'synchronous_commit' = 'off', 'medium', 'synchronous_commit',
       'synchronous-commit-off', 'a crash loses the last transactions that were acknowledged, with their entries',
       'ALTER SYSTEM SET synchronous_commit = on'),
      (settings->>'zero_damaged_pages' = 'on' OR settings->>'ignore_checksum_failure' = 'on', 'medium', 'zero_damaged_pages',
       'damage-ignored', 'damaged pages are read as if nothing had happened; reset zero_damaged_pages and ignore_checksum_failure', NULL),
      (settings->>'password_encryption' <> 'scram-sha-256', 'medium', 'password_encryption',
       'password-md5', 'passwords of logins are kept as MD5 hashes',
       'ALTER SYSTEM SET password_encryption = ''scram-sha-256'''),
      ((settings->>'server_version_num')::integer < (settings->>'minimum_version_num')::integer, 'high', 'server_version',
       'server-version', 'older minor releases have known row-security leaks; update PostgreSQL to its newest minor release', NULL)
    ) AS w(wrong, severity, name, finding, problem, fix)
   WHERE w.wrong
  UNION ALL
  SELECT NULL, 'high', 'setting', 'aegis.' || w, 'wall-off', 'a wall is switched off; switch it on in the configuration file and restart', NULL
    FROM unnest(ARRAY['restrictive_wall', 'default_deny', 'statement_guard', 'function_guard', 'ledger_guard']) w
   WHERE settings->>('aegis.' || w) = 'off'
$$;
COMMENT ON FUNCTION aegis.coverage_settings(jsonb) IS 'coverage: what is wrong with settings of a server, given by name';

CREATE FUNCTION aegis.coverage_server()
  RETURNS TABLE (namespace oid, severity text, object_kind text, object text, finding text, problem text, fix text)
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  WITH name (name) AS (SELECT unnest(ARRAY[
    'log_parameter_max_length', 'log_parameter_max_length_on_error', 'log_statement', 'log_min_duration_statement',
    'log_min_duration_sample', 'log_statement_sample_rate', 'log_transaction_sample_rate', 'auto_explain.log_min_duration',
    'track_activity_query_size', 'shared_preload_libraries', 'aegis.restrictive_wall', 'aegis.default_deny', 'aegis.statement_guard',
    'aegis.function_guard', 'aegis.ledger_guard', 'aegis.restore_mode', 'fsync', 'full_page_writes', 'synchronous_commit',
    'aegis.key_provider', 'aegis.environment', 'zero_damaged_pages', 'ignore_checksum_failure', 'password_encryption', 'server_version_num', 'minimum_version_num']))
  SELECT s.* FROM (SELECT jsonb_object_agg(n.name, aegis.coverage_setting(n.name)) FROM name n) AS current(settings)
   CROSS JOIN LATERAL aegis.coverage_settings(current.settings) s
  UNION ALL
  -- Roles and databases may have settings of their own.
  SELECT NULL, s.severity, 'setting', format('%s of %s', s.object, o.whose), s.finding, s.problem, o.reset || s.object
    FROM pg_db_role_setting d
    LEFT JOIN pg_database b ON b.oid = d.setdatabase
    CROSS JOIN LATERAL (SELECT concat_ws(' in ', CASE WHEN d.setrole <> 0 THEN 'role ' || d.setrole::regrole END, 'database ' || b.datname),
           CASE WHEN d.setrole = 0 THEN 'ALTER DATABASE ' || quote_ident(b.datname)
                ELSE 'ALTER ROLE ' || d.setrole::regrole || coalesce(' IN DATABASE ' || quote_ident(b.datname), '') END || ' RESET ') AS o(whose, reset)
    CROSS JOIN LATERAL unnest(d.setconfig) AS c(line)
    CROSS JOIN LATERAL aegis.coverage_settings(jsonb_build_object('log_statement', 'none', 'log_min_duration_statement', '-1')
           || jsonb_build_object(split_part(c.line, '=', 1), substr(c.line, strpos(c.line, '=') + 1))) s
   WHERE split_part(c.line, '=', 1) IN (SELECT name FROM name)
     AND (d.setdatabase = 0 OR b.datname = current_database())
$$;
COMMENT ON FUNCTION aegis.coverage_server() IS 'coverage: settings of the server, its databases and roles';
