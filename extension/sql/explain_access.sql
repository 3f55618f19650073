-- Why a user sees a row, or does not, step by step. docs/explain_access.md.

-- What the policies compare a row with, for one user of the tenant of the context. Nobody but an admin may ask, and
-- an operator, who has an admin's rank: what somebody below sees is no business of their equals.
CREATE FUNCTION aegis.access_facts(target regclass, user_id uuid, OUT protected boolean, OUT by_creator boolean, OUT by_team boolean,
    OUT tenant_active boolean, OUT user_found boolean, OUT user_active boolean, OUT rank smallint, OUT team text,
    OUT team_ord bigint, OUT last_ord bigint) RETURNS record
  LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  tenant uuid := aegis.require_tenant();
BEGIN
  IF aegis.rank() IS DISTINCT FROM 4 THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = 'only an admin may ask what a user sees';
  END IF;
  SELECT true, p.created_by, p.team INTO protected, by_creator, by_team
    FROM aegis.protected_table p
    JOIN pg_class c ON c.oid = target AND c.relrowsecurity AND c.relforcerowsecurity
   WHERE p.relation = coalesce((SELECT o.root FROM aegis.protected_part o WHERE o.relation = target), target);
  protected := coalesce(protected, false);
  SELECT t.status = 'active' INTO tenant_active FROM aegis.tenant t WHERE t.id = tenant;
  SELECT true, u.status = 'active', u.rank, m.name, m.ord, m.last_ord
    INTO user_found, user_active, access_facts.rank, team, team_ord, access_facts.last_ord
    FROM aegis.user u JOIN aegis.team m ON m.tenant_id = u.tenant_id AND m.id = u.team_id
   WHERE u.tenant_id = tenant AND u.id = access_facts.user_id;
  user_found := coalesce(user_found, false);
END $$;
COMMENT ON FUNCTION aegis.access_facts(regclass, uuid) IS
  'what decides whether a user of the tenant of the context sees rows of a table; for its admins';

-- Finds the row as the caller: row security and the walls hold here as in any statement, and what they do not show is
-- not told apart from what does not exist. The tenant is named all the same, for those whom row security does not bind.
CREATE FUNCTION aegis.row_facts(target regclass, key jsonb, by_creator boolean, by_team boolean,
                               OUT row_found boolean, OUT creator uuid, OUT team_ord bigint) RETURNS record
  LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  names     text[];
  condition text;
BEGIN
  SELECT array_agg(a.attname::text ORDER BY a.attnum),
         string_agg(format(' AND t.%I = ($1 ->> %L)::%s', a.attname, a.attname, format_type(a.atttypid, a.atttypmod)), ''
                    ORDER BY a.attnum)
    INTO names, condition
    FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
   WHERE i.indrelid = target AND i.indisprimary AND (a.attname <> 'tenant_id' OR key ? 'tenant_id');
  IF names IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = format('table %s has no primary key by which a row could be found', target);
  ELSIF jsonb_typeof(key) <> 'object' OR NOT key ?& names OR EXISTS (SELECT FROM jsonb_object_keys(key) k WHERE k <> ALL (names)) THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'key must be an object of the columns of the primary key',
      HINT = format('The columns are %s; tenant_id may be left out.', array_to_string(names, ', '));
  END IF;
  EXECUTE format('SELECT true, %s, %s FROM %s t WHERE t.tenant_id = aegis.require_tenant()%s',
                 CASE WHEN by_creator THEN 't.created_by' ELSE 'NULL::uuid' END,
                 CASE WHEN by_team THEN 't.team_ord' ELSE 'NULL::bigint' END, target, condition)
    INTO row_found, creator, team_ord USING key;
  row_found := coalesce(row_found, false);
END $$;
COMMENT ON FUNCTION aegis.row_facts(regclass, jsonb, boolean, boolean) IS
  'creator and team of a row of a protected table in the tenant of the context; part of aegis.explain_access';

CREATE FUNCTION aegis.explain_access(target regclass, key jsonb, user_id uuid DEFAULT NULL,
                                     OUT step integer, OUT passed boolean, OUT explanation text) RETURNS SETOF record
  LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 7 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  nobody    CONSTANT uuid := '00000000-0000-0000-0000-000000000000';
  who       uuid := coalesce(explain_access.user_id, aegis.user_id());
  facts     record;
  found_row record;
  allowed   text;
  others    text;
  row_team  text;
  sees      boolean;
BEGIN
  facts := aegis.access_facts(target, who);
  IF target IS NULL OR key IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'target and key must not be null';
  ELSIF who IS NOT NULL AND NOT facts.user_found THEN
    RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = 'user does not exist';
  END IF;

  step := 1;
  passed := facts.protected;
  explanation := format(CASE WHEN passed THEN 'table %s is protected' ELSE 'table %s is not protected, so no tenant session may use it' END,
                        target);
  RETURN NEXT;
  sees := passed;

  IF sees THEN
    step := 2;
    SELECT string_agg(p.command, ', ' ORDER BY p.place) INTO allowed
      FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) WITH ORDINALITY p(command, place)
     WHERE has_table_privilege('aegis_member', target, p.command)
        OR (p.command <> 'DELETE' AND has_any_column_privilege('aegis_member', target, p.command));
    passed := allowed LIKE 'SELECT%' AND has_schema_privilege('aegis_member',
                (SELECT c.relnamespace FROM pg_class c WHERE c.oid = target), 'USAGE') IS TRUE;
    passed := coalesce(passed, false);
    explanation := CASE
      WHEN passed THEN format('role aegis_member may %s', allowed)
      WHEN allowed LIKE 'SELECT%' THEN 'role aegis_member may not use the schema of the table'
      ELSE 'role aegis_member may not SELECT from the table' END;
    RETURN NEXT;
    sees := passed;
  END IF;

  IF sees THEN
    step := 3;
    passed := facts.tenant_active AND (who IS NULL OR facts.user_active);
    explanation := CASE
      WHEN who IS NULL THEN 'an operator has the rank admin and no team'
      ELSE format('the user has the rank %s in team "%s"',
                  (ARRAY['user', 'team lead', 'manager', 'admin'])[facts.rank], facts.team) END
      || CASE WHEN who IS NOT NULL AND NOT facts.user_active THEN ', but is deactivated' ELSE '' END
      || CASE WHEN facts.tenant_active THEN '' ELSE ', but the tenant is suspended' END;
    -- Who looks while the tenant is suspended sees what there is.
    passed := passed OR who IS NULL;
    RETURN NEXT;
    sees := passed;

    step := 4;
    found_row := aegis.row_facts(target, key, facts.by_creator, facts.by_team);
    passed := found_row.row_found;
    explanation := CASE WHEN passed THEN 'the row exists in your tenant' ELSE 'no such row in your tenant' END;
    RETURN NEXT;
    sees := sees AND passed;

    IF passed THEN
      step := 5;
      SELECT format('"%s"', t.name) INTO row_team FROM aegis.teams() t WHERE t.ord = found_row.team_ord;
      row_team := coalesce('the row belongs to team ' || row_team, 'the row belongs to no team');
      passed := true;
      IF NOT facts.by_team THEN
        explanation := 'rows of this table have no team';
      ELSIF who IS NULL OR facts.rank IN (1, 4) THEN
        explanation := row_team || '; the rank reaches every team';
      ELSIF facts.rank = 3 THEN
        passed := found_row.team_ord BETWEEN facts.team_ord AND facts.last_ord;
        explanation := format('%s; the rank reaches "%s" and the teams below it', row_team, facts.team);
      ELSE
        passed := found_row.team_ord = facts.team_ord;
        explanation := format('%s; the rank reaches "%s" only', row_team, facts.team);
      END IF;
      RETURN NEXT;
      sees := sees AND passed;

      step := 6;
      passed := true;
      explanation := CASE WHEN found_row.creator = who THEN 'the user created the row'
                          WHEN found_row.creator = nobody THEN 'nobody of the tenant created the row'
                          ELSE format('user %s created the row', found_row.creator) END;
      IF NOT facts.by_creator THEN
        explanation := 'rows of this table have no creator';
      ELSIF who IS NULL OR facts.rank > 1 THEN
        explanation := explanation || '; the rank reaches rows of everybody';
      ELSE
        passed := found_row.creator = who;
        explanation := explanation || '; the rank reaches own rows only';
      END IF;
      RETURN NEXT;
      sees := sees AND passed;

      SELECT string_agg(format('"%s"', p.polname), ', ' ORDER BY p.polname) INTO others
        FROM pg_policy p
       WHERE p.polrelid = target AND p.polcmd IN ('r', '*') AND p.polname <> 'aegis_select';
      IF others IS NOT NULL THEN
        step := 7;
        passed := NULL;
        explanation := format('the table has policies of its own, which are not judged here: %s', others);
        RETURN NEXT;
      END IF;
    END IF;
  END IF;

  step := 8;
  passed := sees;
  explanation := CASE WHEN sees THEN 'the user sees the row' ELSE 'the user does not see the row' END;
  RETURN NEXT;
END $$;
COMMENT ON FUNCTION aegis.explain_access(regclass, jsonb, uuid) IS
  'why a user of the tenant of the context sees a row or not, step by step; key names the columns of the primary key. For its admins';
