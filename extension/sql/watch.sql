-- Roles, memberships, grants and settings, as the ledger last saw them: what is different now becomes an entry. docs/watch.md.

CREATE TABLE aegis.watched (
  kind   text NOT NULL CHECK (kind IN ('role', 'membership', 'role setting', 'file setting', 'grant', 'event trigger')),
  key    text NOT NULL,
  object text NOT NULL,
  state  text NOT NULL,
  PRIMARY KEY (kind, key)
);
COMMENT ON TABLE aegis.watched IS 'roles, memberships, grants and settings as the newest entries about them say';
-- They belong to this cluster: a restored database takes them down anew.
SELECT pg_catalog.pg_extension_config_dump('aegis.watched', 'WHERE false');

CREATE FUNCTION aegis.file_settings() RETURNS text[] AS 'MODULE_PATHNAME', 'aegis_file_settings' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.file_settings() IS 'name and value, in turns, of what the configuration files set, the last line of each name';

CREATE FUNCTION aegis.watched_password(role oid) RETURNS text
  AS 'MODULE_PATHNAME', 'aegis_watched_password' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.watched_password(oid) IS 'tells one stored password verifier of a role from another; NULL when it has none';

CREATE FUNCTION aegis.is_own_role_change(role oid) RETURNS boolean
  AS 'MODULE_PATHNAME', 'aegis_is_own_role_change' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.is_own_role_change(oid) IS 'whether this transaction wrote the row of a role';

CREATE FUNCTION aegis.is_own_transaction(writer xid) RETURNS boolean
  AS 'MODULE_PATHNAME', 'aegis_is_own_transaction' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.is_own_transaction(xid) IS 'whether a row was written by this transaction';

-- Those of Aegis, and those of the server that its rules, its capture or its storage rest on.
CREATE FUNCTION aegis.is_watched_setting(name text) RETURNS boolean
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN lower(name) ~ '^aegis[.]' OR lower(name) IN (
  'allow_system_table_mods', 'archive_command', 'archive_mode', 'default_transaction_read_only', 'event_triggers', 'fsync',
  'full_page_writes', 'hba_file', 'ident_file', 'ignore_checksum_failure', 'ignore_system_indexes', 'listen_addresses',
  'local_preload_libraries', 'log_parameter_max_length', 'log_parameter_max_length_on_error', 'log_statement', 'password_encryption',
  'role', 'row_security', 'search_path', 'session_authorization', 'session_preload_libraries', 'session_replication_role',
  'shared_preload_libraries', 'ssl', 'ssl_min_protocol_version', 'synchronous_commit', 'wal_level', 'zero_damaged_pages');
COMMENT ON FUNCTION aegis.is_watched_setting(text) IS 'whether a change of a setting becomes an entry';

-- Commands may hold a secret: their kind is shown, and what tells one from another.
CREATE FUNCTION aegis.watched_value(name text, value text) RETURNS text
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN lower(name) IN ('aegis.key_provider', 'archive_command') AND value <> ''
            THEN format('%s (sha256 %s)', CASE WHEN value ~ '^(file|command|env):' THEN split_part(value, ':', 1) ELSE 'command' END,
                        left(encode(sha256(convert_to(value, 'UTF8')), 'hex'), 8))
            ELSE value END;
COMMENT ON FUNCTION aegis.watched_value(text, text) IS 'a value of a setting as an entry may show it';

CREATE FUNCTION aegis.watched_acl(acl aclitem[], owner oid) RETURNS text
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT concat_ws('; ', 'owner: ' || owner::regrole, string_agg(g.grantee || ': ' || g.rights, '; ' ORDER BY g.grantee COLLATE "C"))
    FROM (SELECT CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS grantee,
                 string_agg(a.privilege_type || CASE WHEN a.is_grantable THEN ' with grant option' ELSE '' END, ', ' ORDER BY a.privilege_type) AS rights
            FROM aclexplode(acl) a WHERE a.grantee <> owner GROUP BY a.grantee) g
$$;
COMMENT ON FUNCTION aegis.watched_acl(aclitem[], oid) IS 'the owner of an object, and what others may do, by grantee';

-- What is so now. own: this transaction made it so; only asked where other databases may change the same.
CREATE FUNCTION aegis.watched_now(kinds text[]) RETURNS TABLE (kind text, key text, object text, state text, own boolean)
  LANGUAGE sql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
  SELECT 'role', r.oid::text, r.rolname::text,
         concat_ws(', ', r.rolname, CASE WHEN r.rolsuper THEN 'superuser' END, CASE WHEN r.rolcreaterole THEN 'createrole' END,
                   CASE WHEN r.rolcreatedb THEN 'createdb' END, CASE WHEN r.rolcanlogin THEN 'login' END,
                   CASE WHEN r.rolreplication THEN 'replication' END, CASE WHEN r.rolbypassrls THEN 'bypassrls' END,
                   CASE WHEN NOT r.rolinherit THEN 'noinherit' END,
                   CASE WHEN r.rolconnlimit <> -1 THEN 'connection limit ' || r.rolconnlimit END,
                   'valid until ' || to_char(r.rolvaliduntil AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'),
                   'password ' || aegis.watched_password(r.oid)),
         aegis.is_own_role_change(r.oid)
    FROM pg_roles r WHERE 'role' = ANY (kinds)
  UNION ALL
  SELECT 'membership', m.member || ' ' || m.roleid, m.member::regrole || ' in ' || m.roleid::regrole,
         string_agg(CASE WHEN m.admin_option THEN 'with admin option' ELSE 'member' END, ', '), bool_or(aegis.is_own_transaction(m.xmin))
    FROM pg_auth_members m WHERE 'membership' = ANY (kinds) GROUP BY m.member, m.roleid
  UNION ALL
  SELECT 'role setting', s.setdatabase || ' ' || s.setrole || ' ' || v.name,
         concat_ws(' ', v.name, CASE WHEN s.setrole <> 0 THEN 'of role ' || s.setrole::regrole END, 'in database ' || quote_ident(d.datname)),
         aegis.watched_value(v.name, v.value), aegis.is_own_transaction(s.xmin)
    FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = s.setdatabase
   CROSS JOIN LATERAL unnest(s.setconfig) c
   CROSS JOIN LATERAL (SELECT split_part(c, '=', 1) AS name, substr(c, strpos(c, '=') + 1) AS value) v
   WHERE 'role setting' = ANY (kinds) AND aegis.is_watched_setting(v.name)
  UNION ALL
  SELECT 'file setting', lower(f.pair[1]), lower(f.pair[1]), aegis.watched_value(f.pair[1], f.pair[2]), NULL
    FROM (SELECT ARRAY[a.settings[i], a.settings[i + 1]] AS pair
            FROM (SELECT aegis.file_settings() AS settings WHERE 'file setting' = ANY (kinds)) a, generate_series(1, cardinality(a.settings), 2) i) f
   WHERE aegis.is_watched_setting(f.pair[1])
  UNION ALL
  SELECT 'grant', 'relation ' || c.oid, CASE c.relkind WHEN 'v' THEN 'view ' WHEN 'S' THEN 'sequence ' ELSE 'table ' END || c.oid::regclass,
         concat_ws('; ', aegis.watched_acl(c.relacl, c.relowner),
                   (SELECT string_agg(format('%s of column %I', g, a.attname), '; ' ORDER BY a.attnum, n)
                      FROM pg_attribute a, string_to_table(aegis.watched_acl(a.attacl, c.relowner), '; ') WITH ORDINALITY AS t(g, n)
                     WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL AND NOT a.attisdropped AND n > 1)), NULL
    FROM pg_class c
   WHERE 'grant' = ANY (kinds) AND c.relkind IN ('r', 'p', 'v', 'S')
     AND (c.relnamespace = 'aegis'::regnamespace OR c.oid IN (SELECT t.relation FROM aegis.audited_table t)
          OR c.oid IN (SELECT p.relation FROM aegis.protected_table p) OR c.oid IN (SELECT p.relation FROM aegis.protected_part p))
  UNION ALL
  SELECT 'grant', 'routine ' || p.oid, 'routine ' || p.oid::regprocedure, aegis.watched_acl(coalesce(p.proacl, acldefault('f', p.proowner)), p.proowner), NULL
    FROM pg_proc p WHERE 'grant' = ANY (kinds) AND p.pronamespace = 'aegis'::regnamespace
  UNION ALL
  SELECT 'grant', 'schema ' || n.oid, 'schema ' || n.oid::regnamespace, aegis.watched_acl(n.nspacl, n.nspowner), NULL
    FROM pg_namespace n
   WHERE 'grant' = ANY (kinds)
     AND (n.nspname = 'aegis' OR n.oid IN (SELECT c.relnamespace FROM aegis.protected_table p JOIN pg_class c ON c.oid = p.relation))
  UNION ALL
  SELECT 'grant', 'database ' || d.oid, 'database ' || quote_ident(d.datname), aegis.watched_acl(coalesce(d.datacl, acldefault('d', d.datdba)), d.datdba), NULL
    FROM pg_database d WHERE 'grant' = ANY (kinds) AND d.datname = current_database()
  UNION ALL
  SELECT 'grant', 'default ' || a.oid,
         format('default of role %s for %s', a.defaclrole::regrole, CASE a.defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions'
                                                                         WHEN 'T' THEN 'types' ELSE 'schemas' END)
         || CASE WHEN a.defaclnamespace <> 0 THEN ' in schema ' || a.defaclnamespace::regnamespace ELSE '' END,
         aegis.watched_acl(a.defaclacl, a.defaclrole), NULL
    FROM pg_default_acl a WHERE 'grant' = ANY (kinds)
  UNION ALL
  SELECT 'event trigger', e.evtname::text, e.evtname::text,
         format('%s, %s', CASE e.evtenabled WHEN 'A' THEN 'always' WHEN 'O' THEN 'enabled' WHEN 'R' THEN 'replica' ELSE 'disabled' END, e.evtfoid::regproc), NULL
    FROM pg_event_trigger e WHERE 'event trigger' = ANY (kinds) AND e.evtname ~ '^aegis_'
$$;
COMMENT ON FUNCTION aegis.watched_now(text[]) IS 'roles, memberships, grants and settings as they are now';

CREATE FUNCTION aegis.record_watch(event text, target_kind text, target text, before text, after text, how text) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_record_watch' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.record_watch(text, text, text, text, text, text) IS 'writes an entry of what is watched';

-- Items of a list of grants that the other list does not have.
CREATE FUNCTION aegis.watched_difference(list text, other text) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT string_agg(i, '; ') FROM string_to_table(list, '; ') i WHERE i <> ALL (string_to_array(coalesce(other, ''), '; ')) AND i <> ''
$$;
COMMENT ON FUNCTION aegis.watched_difference(text, text) IS 'what one list of grants has and the other does not';

-- What tells verifiers apart stays here: one without a salt would let a guess be confirmed.
CREATE FUNCTION aegis.watched_words(state text, before text) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN regexp_replace(state, ', password [0-9a-f]{8}$',
  CASE WHEN substring(before, ', password [0-9a-f]{8}$') <> substring(state, ', password [0-9a-f]{8}$') THEN ', password changed' ELSE ', password' END);
COMMENT ON FUNCTION aegis.watched_words(text, text) IS 'a state as an entry may say it';

-- In the transaction of a statement only what that transaction did; what others did elsewhere is the worker's to find. Each row is
-- changed before its entry is written: of two who find the same, one writes it.
CREATE FUNCTION aegis.record_watched(kinds text[], by_statement boolean) RETURNS integer
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
  seen record;
  recorded integer := 0;
BEGIN
  IF NOT EXISTS (SELECT FROM aegis.watched w WHERE w.kind = 'role') THEN
    INSERT INTO aegis.watched AS w (kind, key, object, state)
      SELECT n.kind, n.key, n.object, n.state
        FROM aegis.watched_now(ARRAY['role', 'membership', 'role setting', 'file setting', 'grant', 'event trigger']) n ON CONFLICT DO NOTHING;
    PERFORM aegis.record_watch('audit.watch_begun', 'watch',
      encode(sha256(convert_to((SELECT string_agg(concat_ws(' ', w.kind, w.object, aegis.watched_words(w.state, NULL)), E'\n' ORDER BY w.kind COLLATE "C", w.object COLLATE "C") FROM aegis.watched w), 'UTF8')), 'hex'),
      NULL, (SELECT string_agg(format('%s: %s', c.kind, c.count), ', ' ORDER BY c.kind) FROM (SELECT w.kind, count(*) FROM aegis.watched w GROUP BY 1) c), 'first seen');
    RETURN 1;
  END IF;
  FOR seen IN
    SELECT coalesce(n.kind, w.kind) AS kind, coalesce(n.key, w.key) AS key, coalesce(n.object, w.object) AS object,
           w.state AS before, n.state AS after, n.own
      FROM aegis.watched_now(record_watched.kinds) n
      FULL JOIN (SELECT * FROM aegis.watched x WHERE x.kind = ANY (record_watched.kinds)) w ON w.kind = n.kind AND w.key = n.key
     WHERE w.state IS DISTINCT FROM n.state
     ORDER BY array_position(ARRAY['role', 'membership'], coalesce(n.kind, w.kind)) NULLS LAST, coalesce(n.object, w.object) COLLATE "C"
  LOOP
    CONTINUE WHEN by_statement AND NOT coalesce(seen.own, true);
    IF seen.after IS NULL THEN
      DELETE FROM aegis.watched w WHERE w.kind = seen.kind AND w.key = seen.key;
    ELSIF seen.before IS NULL THEN
      INSERT INTO aegis.watched VALUES (seen.kind, seen.key, seen.object, seen.after) ON CONFLICT DO NOTHING;
    ELSE
      UPDATE aegis.watched w SET state = seen.after, object = seen.object WHERE w.kind = seen.kind AND w.key = seen.key AND w.state = seen.before;
    END IF;
    CONTINUE WHEN NOT FOUND;
    -- A table that is gone took its grants with it; one that is new to Aegis has been given none since.
    CONTINUE WHEN seen.kind = 'grant' AND (seen.after IS NULL OR (seen.before IS NULL AND (NOT by_statement OR strpos(seen.after, '; ') = 0)));
    PERFORM aegis.record_watch(
      CASE seen.kind WHEN 'role' THEN 'role.changed' WHEN 'membership' THEN 'role.membership_changed' WHEN 'grant' THEN 'grant.changed'
                     ELSE 'setting.changed' END,
      CASE seen.kind WHEN 'role setting' THEN 'setting' WHEN 'file setting' THEN 'setting' WHEN 'grant' THEN split_part(seen.object, ' ', 1) ELSE seen.kind END,
      CASE seen.kind WHEN 'grant' THEN substr(seen.object, strpos(seen.object, ' ') + 1)
                     WHEN 'file setting' THEN seen.object || ' in the files'
                     ELSE seen.object END,
      CASE seen.kind WHEN 'grant' THEN aegis.watched_difference(seen.before, seen.after) ELSE aegis.watched_words(seen.before, NULL) END,
      CASE seen.kind WHEN 'grant' THEN aegis.watched_difference(seen.after, seen.before) ELSE aegis.watched_words(seen.after, seen.before) END,
      CASE WHEN NOT by_statement THEN 'found' WHEN seen.kind = 'grant' AND seen.before IS NULL AND seen.object !~ '^default' THEN 'first seen' ELSE 'statement' END);
    recorded := recorded + 1;
  END LOOP;
  RETURN recorded;
END $$;
COMMENT ON FUNCTION aegis.record_watched(text[], boolean) IS 'writes an entry for everything watched that is not as the newest entry about it says';
