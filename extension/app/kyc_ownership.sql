-- Who owns and controls a company: direct shares, and through them the people who own it in the end.

CREATE TABLE aegis_app.kyc_owner (
  tenant_id  uuid NOT NULL DEFAULT aegis.tenant_id(),
  company_id uuid NOT NULL,
  owner_id   uuid NOT NULL,
  control    text NOT NULL DEFAULT 'shares' CHECK (control IN ('shares', 'votes', 'board', 'other')),
  share_bps  integer NOT NULL DEFAULT 0 CHECK (share_bps >= 0 AND share_bps <= 10000),
  recorded_by uuid,
  recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  restricted boolean NOT NULL DEFAULT false,
  PRIMARY KEY (tenant_id, company_id, owner_id, control),
  -- The first decides to whom a row belongs.
  FOREIGN KEY (tenant_id, company_id) REFERENCES aegis_app.kyc_subject (tenant_id, id),
  FOREIGN KEY (tenant_id, owner_id) REFERENCES aegis_app.kyc_subject (tenant_id, id),
  CHECK (company_id <> owner_id)
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.kyc_owner', '');
COMMENT ON TABLE aegis_app.kyc_owner IS 'direct owners of companies, in hundredths of a per cent; each owner is a subject of its own';

SELECT aegis.protect_table('aegis_app.kyc_owner', parent => 'aegis_app.kyc_subject');
CREATE INDEX kyc_owner_owner ON aegis_app.kyc_owner (tenant_id, owner_id);

SELECT aegis.declare_event('kyc.ownership.changed', 'a direct owner of a company was recorded or taken away',
                           '{"owner": "clear required", "control": "clear", "share_bps": "clear"}');

CREATE FUNCTION aegis_app.guard_kyc_owner() RETURNS trigger
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT aegis_app.kyc_person_acts() THEN
    RETURN coalesce(NEW, OLD);
  END IF;
  IF TG_OP = 'DELETE' THEN
    RETURN OLD;
  END IF;
  -- Under the company's row, so that two at once do not give away more than there is.
  PERFORM aegis_app.require_new_snapshots();
  PERFORM FROM aegis_app.kyc_subject s WHERE s.tenant_id = aegis.tenant_id() AND s.id = NEW.company_id AND s.kind <> 'person' FOR UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'a person has no owners';
  END IF;
  IF NEW.share_bps + (SELECT coalesce(sum(o.share_bps), 0) FROM aegis_app.kyc_owner o
                       WHERE o.tenant_id = aegis.tenant_id() AND o.company_id = NEW.company_id AND o.control = NEW.control AND o.owner_id <> NEW.owner_id) > 10000 THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'the owners would have more than the whole';
  END IF;
  NEW.recorded_by := aegis.user_id();
  NEW.recorded_at := clock_timestamp();
  RETURN NEW;
END $$;
COMMENT ON FUNCTION aegis_app.guard_kyc_owner() IS 'keeps the shares of a company to a hundred per cent';
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OF share_bps, control OR DELETE ON aegis_app.kyc_owner FOR EACH ROW EXECUTE FUNCTION aegis_app.guard_kyc_owner();

-- Shares multiply along a chain and add up over chains; whoever controls a company otherwise than by shares controls all of it, and so
-- do, each for their part, the owners of that one. Chains that come back to where they were end there. An owner that the caller does
-- not see counts like a person: nobody must be hidden from a decision by whose they are, or because their data is restricted.
CREATE FUNCTION aegis_app.kyc_beneficial_owners(company uuid, threshold_bps integer DEFAULT 2500)
  RETURNS TABLE (owner_id uuid, share_bps integer, control text[])
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  BEGIN ATOMIC
    WITH RECURSIVE chain (owner_id, control, share, seen) AS (
      SELECT o.owner_id, o.control, o.share_bps::numeric / 10000, ARRAY[o.company_id, o.owner_id]
        FROM aegis_app.kyc_owner o WHERE o.tenant_id = aegis.tenant_id() AND o.company_id = company
      UNION ALL
      SELECT o.owner_id, o.control, CASE WHEN c.control IN ('board', 'other') THEN 1 ELSE c.share END * o.share_bps / 10000, c.seen || o.owner_id
        FROM chain c JOIN aegis_app.kyc_owner o ON o.tenant_id = aegis.tenant_id() AND o.company_id = c.owner_id
       WHERE NOT o.owner_id = ANY (c.seen) AND cardinality(c.seen) < 12)
    SELECT c.owner_id, round(10000 * max(c.share))::integer, array_agg(DISTINCT c.control ORDER BY c.control)
      FROM (SELECT n.owner_id, n.control, least(1, sum(n.share) OVER (PARTITION BY n.owner_id, n.control)) AS share FROM chain n) c
      LEFT JOIN aegis_app.kyc_subject s ON s.tenant_id = aegis.tenant_id() AND s.id = c.owner_id
     WHERE s.kind = 'person' OR s.id IS NULL
     GROUP BY c.owner_id
    HAVING round(10000 * max(c.share)) >= threshold_bps OR bool_or(c.control IN ('board', 'other'))
     ORDER BY 2 DESC, 1;
  END;
COMMENT ON FUNCTION aegis_app.kyc_beneficial_owners(uuid, integer) IS
  'people who own at least the threshold of a company (25 per cent) over at most ten companies between, or control it otherwise';

CREATE FUNCTION aegis_app.put_kyc_owner(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  b       jsonb := request.body;
  company aegis_app.kyc_subject := aegis_app.kyc_subject_of(request, true);
  owner   uuid := aegis_app.uuid_field(b, 'owner_id');
  means   text := aegis_app.choice_field(b, 'control', '{shares,votes,board,other}', 'shares');
  share   integer := aegis_app.integer_field(b, 'share_bps', 0, 10000, 0);
BEGIN
  IF NOT EXISTS (SELECT FROM aegis_app.kyc_subject s WHERE s.tenant_id = company.tenant_id AND s.id = owner) THEN
    RETURN aegis_app.problem(422, 'unknown-owner', 'The owner is no subject that you see');
  END IF;
  INSERT INTO aegis_app.kyc_owner AS o (company_id, owner_id, control, share_bps) VALUES (company.id, owner, means, share)
    ON CONFLICT (tenant_id, company_id, owner_id, control) DO UPDATE SET share_bps = excluded.share_bps;
  PERFORM aegis_app.record_kyc('kyc.ownership.changed', 'kyc_subject', company.id, company.id, jsonb_build_object('owner', owner, 'control', means, 'share_bps', share));
  RETURN aegis_app.ok(NULL, 204);
END $$;
COMMENT ON FUNCTION aegis_app.put_kyc_owner(aegis.request) IS 'PUT /api/kyc/subjects/{id}/owners {owner_id, control?, share_bps?}';

CREATE FUNCTION aegis_app.delete_kyc_owner(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  company aegis_app.kyc_subject := aegis_app.kyc_subject_of(request, true);
  gone    record;
BEGIN
  DELETE FROM aegis_app.kyc_owner o
   WHERE o.tenant_id = company.tenant_id AND o.company_id = company.id AND o.owner_id = aegis_app.uuid_of(request.params ->> 'owner')
  RETURNING o.owner_id INTO gone;
  IF gone.owner_id IS NULL THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such owner');
  END IF;
  PERFORM aegis_app.record_kyc('kyc.ownership.changed', 'kyc_subject', company.id, company.id, jsonb_build_object('owner', gone.owner_id));
  RETURN aegis_app.ok(NULL, 204);
END $$;
COMMENT ON FUNCTION aegis_app.delete_kyc_owner(aegis.request) IS 'DELETE /api/kyc/subjects/{id}/owners/{owner}';

CREATE FUNCTION aegis_app.kyc_owners(s aegis_app.kyc_subject) RETURNS jsonb
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  BEGIN ATOMIC
    SELECT jsonb_build_object(
      'direct', (SELECT coalesce(jsonb_agg(jsonb_build_object('owner_id', o.owner_id, 'name', aegis_app.kyc_name(w), 'control', o.control, 'share_bps', o.share_bps)
                                           ORDER BY o.share_bps DESC, o.owner_id), '[]')
                   FROM aegis_app.kyc_owner o LEFT JOIN aegis_app.kyc_subject w ON w.tenant_id = o.tenant_id AND w.id = o.owner_id
                  WHERE o.tenant_id = s.tenant_id AND o.company_id = s.id),
      'beneficial', (SELECT coalesce(jsonb_agg(jsonb_build_object('owner_id', u.owner_id, 'name', aegis_app.kyc_name(w), 'share_bps', u.share_bps, 'control', to_jsonb(u.control)) ORDER BY u.share_bps DESC, u.owner_id), '[]')
                       FROM aegis_app.kyc_beneficial_owners(s.id) u LEFT JOIN aegis_app.kyc_subject w ON w.tenant_id = s.tenant_id AND w.id = u.owner_id));
  END;
COMMENT ON FUNCTION aegis_app.kyc_owners(aegis_app.kyc_subject) IS 'direct owners of a company, and the people who own it in the end';
