-- Keeps DDL from leaving holes in guarded schemas: looked at when the transaction ends. docs/ddl_guard.md.

CREATE TABLE aegis.guarded_schema (
  schema name NOT NULL PRIMARY KEY,
  mode   text NOT NULL CHECK (mode IN ('refuse', 'repair'))
);
-- By name: pg_upgrade lets no number of a schema through. So a guarded schema keeps its name.
COMMENT ON TABLE aegis.guarded_schema IS 'schemas in which DDL may leave no hole, and whether one is refused or repaired';
SELECT pg_catalog.pg_extension_config_dump('aegis.guarded_schema', '');

-- A row stands for a transaction with DDL that is still to be looked at; none is ever committed.
CREATE UNLOGGED TABLE aegis.ddl_pending (transaction xid8 NOT NULL PRIMARY KEY);
COMMENT ON TABLE aegis.ddl_pending IS 'the own transaction, while its DDL is to be looked at';
SELECT pg_catalog.pg_extension_config_dump('aegis.ddl_pending', 'WHERE false');

CREATE FUNCTION aegis.record_guard(event text, target_kind text, target text, key text, value text) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_record_guard' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.record_guard(text, text, text, text, text) IS 'writes an entry of the guard of DDL';

CREATE FUNCTION aegis.refuse_ddl(schema text, object text, finding text, problems text, fixes text) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_refuse_ddl' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.refuse_ddl(text, text, text, text, text) IS
  'ends the transaction with an error, and leaves an entry that its rollback does not take away';

CREATE FUNCTION aegis.run_as_table_owner(relation regclass, statement text) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_run_as_table_owner' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.run_as_table_owner(regclass, text) IS 'runs a repair with the rights of the owner of what is repaired';

-- What counts as a hole: the findings of coverage that are high, a table that somebody forgot to protect, and a view
-- that lends the rights of its owner.
CREATE FUNCTION aegis.schema_holes()
  RETURNS TABLE (schema name, mode text, object_kind text, object text, finding text, problem text, fix text)
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT g.schema, g.mode, f.object_kind, f.object, f.finding, f.problem, f.fix
    FROM (SELECT * FROM aegis.coverage_table() UNION ALL
          SELECT * FROM aegis.coverage_view() UNION ALL
          SELECT * FROM aegis.coverage_code() UNION ALL
          SELECT * FROM aegis.coverage_grant() UNION ALL
          SELECT * FROM aegis.coverage_sealed() UNION ALL
          SELECT * FROM aegis.coverage_classification()) f
    JOIN pg_namespace n ON n.oid = f.namespace
    JOIN aegis.guarded_schema g ON g.schema = n.nspname
   WHERE f.severity = 'high' OR f.finding IN ('table-unprotected', 'view-not-invoker')
   -- Protection first: a grant on a table that is protected by then is no hole.
   ORDER BY f.finding <> 'table-unprotected', f.object, f.finding
$$;
COMMENT ON FUNCTION aegis.schema_holes() IS 'holes in guarded schemas, in the order in which they are repaired';

-- Views are repaired by a setting and tables by protection and what belongs to it. Nothing that somebody made is
-- taken away again: that is for a person, so it is refused.
CREATE FUNCTION aegis.check_ddl() RETURNS trigger
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
  holes jsonb;  -- of one look: it takes its time
  hole record;
  failure text;
  hint text;
  tried text[] := '{}';
BEGIN
  -- The row stays until the end, so that repairs do not call for another look.
  LOOP
    SELECT jsonb_agg(h) INTO holes FROM aegis.schema_holes() h;
    SELECT * INTO hole
      FROM jsonb_to_recordset(holes) AS h(schema text, mode text, object_kind text, object text, finding text, problem text, fix text)
     WHERE h.object || h.problem <> ALL (tried) AND h.mode = 'repair' AND h.object_kind IN ('table', 'view') AND h.fix !~ '^(REVOKE|ALTER TABLE .* (NO INHERIT|DETACH PARTITION)) ' LIMIT 1;
    EXIT WHEN NOT FOUND;
    tried := tried || (hole.object || hole.problem);
    BEGIN
      PERFORM aegis.run_as_table_owner(hole.object::regclass, hole.fix);
      PERFORM aegis.record_guard('ddl.repaired', hole.object_kind, hole.object, 'finding', hole.finding);
    EXCEPTION WHEN OTHERS THEN
      GET STACKED DIAGNOSTICS failure = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
      PERFORM aegis.refuse_ddl(hole.schema, hole.object, hole.finding,
        format('%s: %s; the repair failed: %s', hole.object, hole.problem, failure), coalesce(nullif(hint, ''), hole.fix));
    END;
  END LOOP;
  SELECT (array_agg(h.schema))[1] AS schema, (array_agg(h.object))[1] AS object, (array_agg(h.finding))[1] AS finding,
         string_agg(format('%s: %s', h.object, h.problem), E'\n') AS problems,
         string_agg(h.fix || ';', E'\n') AS fixes
    INTO hole
    FROM jsonb_to_recordset(holes) AS h(schema text, object text, finding text, problem text, fix text);
  IF hole.object IS NOT NULL THEN
    PERFORM aegis.refuse_ddl(hole.schema, hole.object, hole.finding, hole.problems, coalesce(hole.fixes, ''));
  END IF;
  DELETE FROM aegis.ddl_pending WHERE transaction = NEW.transaction;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION aegis.check_ddl() IS 'looks at the holes that the transaction would leave; repairs or refuses them';

CREATE CONSTRAINT TRIGGER check_ddl AFTER INSERT ON aegis.ddl_pending DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION aegis.check_ddl();
-- session_replication_role must not silence it.
ALTER TABLE aegis.ddl_pending ENABLE ALWAYS TRIGGER check_ddl;

CREATE FUNCTION aegis.is_own_ddl() RETURNS boolean AS 'MODULE_PATHNAME', 'aegis_is_own_ddl' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.is_own_ddl() IS 'whether a function of Aegis runs the DDL: it writes an entry of its own';

-- The table that a catalog row belongs to; NULL for what belongs to none.
CREATE FUNCTION aegis.table_of(class oid, object oid) RETURNS oid
  LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE class
    WHEN 'pg_class'::regclass THEN coalesce((SELECT i.indrelid FROM pg_index i WHERE i.indexrelid = object), object)
    WHEN 'pg_trigger'::regclass THEN (SELECT t.tgrelid FROM pg_trigger t WHERE t.oid = object)
    WHEN 'pg_policy'::regclass THEN (SELECT p.polrelid FROM pg_policy p WHERE p.oid = object)
    WHEN 'pg_rewrite'::regclass THEN (SELECT r.ev_class FROM pg_rewrite r WHERE r.oid = object)
    WHEN 'pg_constraint'::regclass THEN (SELECT c.conrelid FROM pg_constraint c WHERE c.oid = object)
    WHEN 'pg_attrdef'::regclass THEN (SELECT d.adrelid FROM pg_attrdef d WHERE d.oid = object)
  END
$$;
COMMENT ON FUNCTION aegis.table_of(oid, oid) IS 'the table that an index, trigger, policy, rule, constraint or default belongs to';

CREATE FUNCTION aegis.is_watched_table(relation oid) RETURNS boolean
  LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT EXISTS (SELECT FROM (SELECT relation UNION SELECT a::oid FROM pg_partition_ancestors(relation) a) r(oid)
                  WHERE r.oid IN (SELECT t.relation FROM aegis.audited_table t) OR r.oid IN (SELECT p.relation FROM aegis.protected_table p)
                     OR r.oid IN (SELECT p.relation FROM aegis.protected_part p))
$$;
COMMENT ON FUNCTION aegis.is_watched_table(oid) IS 'whether a table, or one that it is a partition of, is protected or captured';

-- Names and command tags only: the text of a statement may hold values. What the script of an extension does is that
-- extension's; the statement that ran the script is recorded.
CREATE FUNCTION aegis.record_ddl(event text, tag text) RETURNS void
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
  done record;
BEGIN
  IF aegis.is_own_ddl() THEN
    RETURN;
  END IF;
  IF event = 'sql_drop' THEN
    FOR done IN
      SELECT d.object_type, d.object_identity FROM pg_event_trigger_dropped_objects() d
       WHERE NOT d.is_temporary
         AND (d.schema_name = 'aegis' AND d.original OR d.object_type = 'extension' AND d.original
              OR d.classid = 'pg_class'::regclass AND aegis.is_watched_table(d.objid)
              OR d.original AND d.classid IN ('pg_trigger'::regclass, 'pg_policy'::regclass, 'pg_rewrite'::regclass, 'pg_constraint'::regclass)
                 AND aegis.is_watched_table((SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                                              WHERE n.nspname = d.address_names[1] AND c.relname = d.address_names[2])))
    LOOP
      PERFORM aegis.record_guard('ddl.changed', done.object_type, done.object_identity, 'statement', tag);
    END LOOP;
    RETURN;
  END IF;
  FOR done IN
    SELECT DISTINCT c.command_tag, c.object_type, c.object_identity FROM pg_event_trigger_ddl_commands() c
     WHERE NOT c.in_extension AND c.object_identity IS NOT NULL
       AND (c.schema_name = 'aegis' OR c.object_type = 'extension' OR aegis.is_watched_table(aegis.table_of(c.classid, c.objid)))
     ORDER BY 3, 1
  LOOP
    PERFORM aegis.record_guard('ddl.changed', done.object_type, done.object_identity, 'statement', done.command_tag);
  END LOOP;
END $$;
COMMENT ON FUNCTION aegis.record_ddl(text, text) IS 'writes an entry for each object of Aegis, or of a protected or captured table, that a statement changed';

CREATE FUNCTION aegis.note_ddl() RETURNS event_trigger
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  -- A restore makes tables first and protects them later.
  IF aegis.coverage_setting('aegis.restore_mode') = 'on' THEN
    RETURN;
  END IF;
  PERFORM aegis.record_ddl(TG_EVENT, TG_TAG);
  -- What an extension had answered goes with it; when it is made again, it registers its routes again.
  IF TG_EVENT = 'sql_drop' THEN
    DELETE FROM aegis.route r USING pg_event_trigger_dropped_objects() d
     WHERE r.by_extension AND d.classid = 'pg_proc'::regclass AND d.address_names[1] = r.handler_schema AND d.address_names[2] = r.handler;
  END IF;
  IF NOT EXISTS (SELECT FROM aegis.guarded_schema) THEN
    RETURN;
  END IF;
  IF TG_EVENT = 'sql_drop' THEN
    DELETE FROM aegis.guarded_schema g
     USING pg_event_trigger_dropped_objects() d WHERE d.classid = 'pg_namespace'::regclass AND g.schema = d.object_name;
    IF NOT EXISTS (SELECT FROM pg_event_trigger_dropped_objects() d WHERE NOT d.is_temporary) THEN
      RETURN;
    END IF;
  -- Grants, policies and the like name no schema.
  ELSIF TG_TAG = 'ALTER SCHEMA' AND EXISTS (SELECT FROM aegis.guarded_schema g WHERE to_regnamespace(quote_ident(g.schema)) IS NULL) THEN
    RAISE EXCEPTION USING ERRCODE = 'object_in_use', MESSAGE = 'a guarded schema cannot be renamed',
      HINT = 'Run aegis.guard_schema(''…'', ''off'') first, and guard it again under its new name.';
  ELSIF NOT EXISTS (SELECT FROM pg_event_trigger_ddl_commands() c LEFT JOIN pg_namespace n ON n.nspname = c.schema_name
                     WHERE c.schema_name IS NULL OR n.nspname IN (SELECT g.schema FROM aegis.guarded_schema g)) THEN
    RETURN;
  END IF;
  INSERT INTO aegis.ddl_pending VALUES (pg_current_xact_id()) ON CONFLICT DO NOTHING;
END $$;
COMMENT ON FUNCTION aegis.note_ddl() IS 'event trigger: records what was changed, and has the holes of guarded schemas looked at when the transaction ends';

CREATE FUNCTION aegis.guard_schema(schema regnamespace, mode text DEFAULT 'refuse') RETURNS void
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  named name := (SELECT n.nspname FROM pg_namespace n WHERE n.oid = guard_schema.schema);
BEGIN
  IF schema IS NULL OR mode IS NULL OR mode NOT IN ('refuse', 'repair', 'off') THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('invalid mode "%s"', mode),
      HINT = 'Valid modes are refuse, repair and off.';
  END IF;
  IF schema IN ('aegis'::regnamespace, 'information_schema'::regnamespace) OR schema::text ~ '^"?pg_' THEN
    RAISE EXCEPTION USING ERRCODE = 'wrong_object_type', MESSAGE = format('schema "%s" belongs to the system', schema);
  END IF;
  IF mode = 'off' THEN
    DELETE FROM aegis.guarded_schema g WHERE g.schema = named;
    IF NOT FOUND THEN
      RETURN;
    END IF;
  ELSE
    INSERT INTO aegis.guarded_schema AS g VALUES (named, mode)
      ON CONFLICT ON CONSTRAINT guarded_schema_pkey DO UPDATE SET mode = EXCLUDED.mode WHERE g.mode <> EXCLUDED.mode;
    IF NOT FOUND THEN
      RETURN;
    END IF;
    INSERT INTO aegis.ddl_pending VALUES (pg_current_xact_id()) ON CONFLICT DO NOTHING;
  END IF;
  PERFORM aegis.record_guard('schema.guarded', 'schema', schema::text, 'mode', mode);
END $$;
COMMENT ON FUNCTION aegis.guard_schema(regnamespace, text) IS
  'from the end of this transaction DDL may leave no hole in the schema: it is refused or repaired; off ends that; recorded';
