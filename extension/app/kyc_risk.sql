-- Risk of a relationship: five factors, the rating and level of care that follow, and a reasoned departure from it.

CREATE TABLE aegis_app.kyc_risk (
  tenant_id   uuid NOT NULL DEFAULT aegis.tenant_id(),
  id          uuid NOT NULL DEFAULT gen_random_uuid(),
  subject_id  uuid NOT NULL,
  model       smallint NOT NULL DEFAULT 1,
  customer    smallint NOT NULL CHECK (customer >= 1 AND customer <= 3),
  geography   smallint NOT NULL CHECK (geography >= 1 AND geography <= 3),
  product     smallint NOT NULL CHECK (product >= 1 AND product <= 3),
  channel     smallint NOT NULL CHECK (channel >= 1 AND channel <= 3),
  transactions smallint NOT NULL CHECK (transactions >= 1 AND transactions <= 3),
  computed    text NOT NULL CHECK (computed IN ('low', 'medium', 'high', 'prohibited')),
  rating      text NOT NULL CHECK (rating IN ('low', 'medium', 'high', 'prohibited')),
  level       text NOT NULL CHECK (level IN ('sdd', 'cdd', 'edd')),
  rationale   aegis.sealed_text,
  rated_by    uuid,
  rated_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  restricted  boolean NOT NULL DEFAULT false,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, subject_id) REFERENCES aegis_app.kyc_subject (tenant_id, id),
  CHECK (rating = computed OR rationale IS NOT NULL),
  -- What is prohibited stays so, whoever finds a reason.
  CHECK (computed <> 'prohibited' OR rating = 'prohibited')
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.kyc_risk', '');
COMMENT ON TABLE aegis_app.kyc_risk IS 'ratings of risk, of which the newest counts; factors from 1 (low) to 3 (high)';
COMMENT ON COLUMN aegis_app.kyc_risk.level IS 'simplified, customary or enhanced due diligence';

SELECT aegis.protect_table('aegis_app.kyc_risk', parent => 'aegis_app.kyc_subject');
SELECT aegis.encrypt_column('aegis_app.kyc_risk', 'rationale', 'kyc_risk.rationale', 'aegis.sealed_text', 'full', subject => 'subject_id', row_bound => true);
CREATE TRIGGER refuse_card_data BEFORE INSERT OR UPDATE ON aegis_app.kyc_risk FOR EACH ROW EXECUTE FUNCTION aegis.refuse_card_data('rationale');
CREATE INDEX kyc_risk_subject ON aegis_app.kyc_risk (tenant_id, subject_id, rated_at DESC);

SELECT aegis.declare_event('kyc.risk.rated', 'the risk of a subject was rated',
                           '{"subject": "clear required", "model": "clear required", "rating": "clear required", "level": "clear required"}');
SELECT aegis.declare_event('kyc.risk.overridden', 'somebody rated a subject otherwise than the factors say',
                           '{"subject": "clear required", "model": "clear required", "computed": "clear required", "rating": "clear required", "level": "clear required"}');

-- The one highest factor counts. A hit on a list of sanctions that two people confirmed is prohibited, any other such hit high.
CREATE FUNCTION aegis_app.kyc_computed_rating(subject uuid, factors smallint[]) RETURNS text
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  BEGIN ATOMIC
    SELECT CASE WHEN bool_or(c.kind = 'sanctions') THEN 'prohibited' WHEN count(c.kind) > 0 THEN 'high'
                ELSE (ARRAY['low', 'medium', 'high'])[(SELECT max(f) FROM unnest(factors) f)] END
      FROM aegis_app.kyc_match m JOIN aegis_app.kyc_screening c ON c.tenant_id = m.tenant_id AND c.id = m.screening_id
     WHERE m.tenant_id = aegis.tenant_id() AND m.subject_id = subject AND m.disposition = 'true_match' AND m.confirmed_at IS NOT NULL;
  END;
COMMENT ON FUNCTION aegis_app.kyc_computed_rating(uuid, smallint[]) IS 'the rating that follows from factors and from confirmed hits';

CREATE FUNCTION aegis_app.guard_kyc_risk() RETURNS trigger
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT aegis_app.kyc_person_acts() THEN
    RETURN NEW;
  END IF;
  NEW.model := 1;
  NEW.computed := aegis_app.kyc_computed_rating(NEW.subject_id, ARRAY[NEW.customer, NEW.geography, NEW.product, NEW.channel, NEW.transactions]);
  NEW.rating := coalesce(NEW.rating, NEW.computed);
  NEW.level := CASE WHEN NEW.rating IN ('high', 'prohibited') THEN 'edd' ELSE coalesce(NEW.level, 'cdd') END;
  IF NEW.level = 'sdd' AND NEW.rating <> 'low' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'simplified due diligence is for low risk only';
  END IF;
  IF NEW.rating <> NEW.computed THEN
    PERFORM aegis_app.require_rank(3, 'rate otherwise than the factors say');
  END IF;
  NEW.rated_by := aegis.user_id();
  NEW.rated_at := clock_timestamp();
  RETURN NEW;
END $$;
COMMENT ON FUNCTION aegis_app.guard_kyc_risk() IS 'computes the rating of the factors, and asks rank 3 for another';
CREATE TRIGGER guard BEFORE INSERT ON aegis_app.kyc_risk FOR EACH ROW EXECUTE FUNCTION aegis_app.guard_kyc_risk();

CREATE FUNCTION aegis_app.kyc_current_risk(s aegis_app.kyc_subject) RETURNS aegis_app.kyc_risk
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  BEGIN ATOMIC
    SELECT r.* FROM aegis_app.kyc_risk r WHERE r.tenant_id = s.tenant_id AND r.subject_id = s.id ORDER BY r.rated_at DESC, r.id DESC LIMIT 1;
  END;
COMMENT ON FUNCTION aegis_app.kyc_current_risk(aegis_app.kyc_subject) IS 'the newest rating of a subject';

CREATE FUNCTION aegis_app.kyc_risk_json(r aegis_app.kyc_risk, readable boolean) RETURNS jsonb
  LANGUAGE sql STABLE
  RETURN CASE WHEN r.id IS NOT NULL THEN jsonb_build_object('rating', r.rating, 'computed', r.computed, 'level', r.level, 'model', r.model,
    'factors', jsonb_build_object('customer', r.customer, 'geography', r.geography, 'product', r.product, 'channel', r.channel, 'transactions', r.transactions),
    'rationale', CASE WHEN readable THEN aegis.legible(r.rationale, r) END, 'rated_by', r.rated_by, 'rated_at', r.rated_at) END;
COMMENT ON FUNCTION aegis_app.kyc_risk_json(aegis_app.kyc_risk, boolean) IS 'a rating; why it departs from the factors only where the subject was not erased';

CREATE FUNCTION aegis_app.rate_kyc_risk(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  b jsonb := request.body;
  s aegis_app.kyc_subject := aegis_app.kyc_subject_of(request, true);
  f jsonb := b -> 'factors';
  r aegis_app.kyc_risk;
BEGIN
  INSERT INTO aegis_app.kyc_risk (subject_id, customer, geography, product, channel, transactions, rating, level, rationale)
  VALUES (s.id, aegis_app.integer_field(f, 'customer', 1, 3), aegis_app.integer_field(f, 'geography', 1, 3), aegis_app.integer_field(f, 'product', 1, 3),
          aegis_app.integer_field(f, 'channel', 1, 3), aegis_app.integer_field(f, 'transactions', 1, 3),
          aegis_app.text_field(b, 'rating', 20, false), aegis_app.text_field(b, 'level', 3, false), aegis_app.text_field(b, 'rationale', 2000, false))
  RETURNING * INTO r;
  PERFORM aegis_app.record_kyc(CASE WHEN r.rating = r.computed THEN 'kyc.risk.rated' ELSE 'kyc.risk.overridden' END, 'kyc_risk', r.id, s.id,
    jsonb_build_object('model', r.model, 'rating', r.rating, 'level', r.level)
              || CASE WHEN r.rating = r.computed THEN '{}' ELSE jsonb_build_object('computed', r.computed) END);
  RETURN aegis_app.ok(aegis_app.kyc_risk_json(r, true), 201);
END $$;
COMMENT ON FUNCTION aegis_app.rate_kyc_risk(aegis.request) IS 'POST /api/kyc/subjects/{id}/risk {factors, rating?, level?, rationale?}';
