-- Issuers of tokens: identity providers, their keys, and whom their claims stand for. docs/issuer.md.

CREATE TABLE aegis.issuer (
  id                 uuid        PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
  name               text        NOT NULL CHECK (name ~ '^[a-z][a-z0-9_-]{0,47}$'),
  issuer             text        COLLATE "C" NOT NULL CHECK (pg_catalog.octet_length(issuer) BETWEEN 1 AND 255),
  preset             text        NOT NULL CHECK (preset IN ('oidc', 'clerk')),
  types              text[]      NOT NULL,
  audiences          text[]      NOT NULL,
  parties            text[]      NOT NULL,
  organisation_claim text[]      NOT NULL,
  role_claim         text[]      NOT NULL,
  skew               interval    NOT NULL CHECK (skew BETWEEN '0 s' AND '60 s'),
  refresh            interval    NOT NULL CHECK (refresh BETWEEN '1 s' AND '1 hour'),
  key_lifetime       interval    NOT NULL CHECK (key_lifetime BETWEEN '5 min' AND '7 days'),
  destination        text,
  jwks_path          text        NOT NULL,
  created_at         timestamptz NOT NULL DEFAULT pg_catalog.now(),
  retired_at         timestamptz,
  CHECK (pg_catalog.cardinality(audiences) + pg_catalog.cardinality(parties) > 0)
);
SELECT pg_catalog.pg_extension_config_dump('aegis.issuer', '');
CREATE UNIQUE INDEX issuer_name ON aegis.issuer (name) WHERE retired_at IS NULL;
CREATE UNIQUE INDEX issuer_address ON aegis.issuer (issuer) WHERE retired_at IS NULL;
COMMENT ON TABLE aegis.issuer IS 'whose tokens are taken, for whom they must be meant, and which claims say what';
COMMENT ON COLUMN aegis.issuer.issuer IS 'the claim iss, exactly';
COMMENT ON COLUMN aegis.issuer.destination IS 'where aegis-agent fetches the keys; null: only pinned ones count';
COMMENT ON COLUMN aegis.issuer.refresh IS 'how long after a question for keys the next one may be asked';

CREATE TABLE aegis.issuer_key (
  issuer_id    uuid        NOT NULL REFERENCES aegis.issuer (id),
  kid          text        COLLATE "C" NOT NULL CHECK (kid ~ '^[A-Za-z0-9._~-]{1,128}$'),
  algorithm    text        NOT NULL CHECK (algorithm IN ('RS256', 'PS256', 'ES256', 'EdDSA')),
  jwk          text        NOT NULL,
  thumbprint   text        NOT NULL,
  first_seen   timestamptz NOT NULL DEFAULT pg_catalog.now(),
  expires_at   timestamptz,
  PRIMARY KEY (issuer_id, kid)
);
SELECT pg_catalog.pg_extension_config_dump('aegis.issuer_key', '');
COMMENT ON TABLE aegis.issuer_key IS 'public keys of issuers, as RFC 7638 writes them; only the agent''s answers and operators write here';
COMMENT ON COLUMN aegis.issuer_key.expires_at IS 'when it counts no more unless it is seen again; null: an operator pinned it';

CREATE TABLE aegis.issuer_fetch (
  issuer_id  uuid        PRIMARY KEY REFERENCES aegis.issuer (id),
  job        bigint,
  asked_at   timestamptz,
  fetched_at timestamptz
);
SELECT pg_catalog.pg_extension_config_dump('aegis.issuer_fetch', '');
COMMENT ON TABLE aegis.issuer_fetch IS 'the outbound job that fetches the keys of an issuer next, and when it last did';

CREATE TABLE aegis.issuer_tenant (
  issuer_id    uuid NOT NULL REFERENCES aegis.issuer (id),
  organisation text COLLATE "C" NOT NULL CHECK (pg_catalog.octet_length(organisation) <= 128),
  tenant_id    uuid NOT NULL REFERENCES aegis.tenant (id),
  PRIMARY KEY (issuer_id, organisation)
);
SELECT pg_catalog.pg_extension_config_dump('aegis.issuer_tenant', '');
CREATE INDEX issuer_tenant_tenant ON aegis.issuer_tenant (tenant_id);
COMMENT ON TABLE aegis.issuer_tenant IS 'which tenant an organisation of an issuer is; the empty one: of tokens that name none';

CREATE TABLE aegis.issuer_role (
  issuer_id uuid     NOT NULL REFERENCES aegis.issuer (id),
  role      text     COLLATE "C" NOT NULL CHECK (pg_catalog.octet_length(role) BETWEEN 1 AND 128),
  rank      smallint NOT NULL CHECK (rank BETWEEN 1 AND 4),
  PRIMARY KEY (issuer_id, role)
);
SELECT pg_catalog.pg_extension_config_dump('aegis.issuer_role', '');
COMMENT ON TABLE aegis.issuer_role IS 'the highest rank that a role of an issuer gives; *: every token';

CREATE TABLE aegis.issuer_user (
  issuer_id uuid        NOT NULL REFERENCES aegis.issuer (id),
  tenant_id uuid        NOT NULL,
  subject   text        COLLATE "C" NOT NULL CHECK (pg_catalog.octet_length(subject) BETWEEN 1 AND 255),
  user_id   uuid        NOT NULL,
  linked_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
  PRIMARY KEY (issuer_id, tenant_id, subject),
  FOREIGN KEY (tenant_id, user_id) REFERENCES aegis.user (tenant_id, id)
);
SELECT pg_catalog.pg_extension_config_dump('aegis.issuer_user', '');
CREATE INDEX issuer_user_user ON aegis.issuer_user (tenant_id, user_id);
COMMENT ON TABLE aegis.issuer_user IS 'which user a subject of an issuer is, in each tenant; never by e-mail address';

CREATE VIEW aegis.issuers AS
  SELECT i.name, i.issuer, i.preset, i.types, i.audiences, i.parties, i.organisation_claim, i.role_claim, i.destination, i.jwks_path,
         (SELECT pg_catalog.count(*) FROM aegis.issuer_key k
           WHERE k.issuer_id = i.id AND (k.expires_at IS NULL OR k.expires_at > pg_catalog.now())) AS keys,
         f.asked_at, f.fetched_at, o.state AS fetching, o.error AS fault, i.created_at, i.retired_at
    FROM aegis.issuer i LEFT JOIN aegis.issuer_fetch f ON f.issuer_id = i.id LEFT JOIN aegis.outbox o ON o.id = f.job;
COMMENT ON VIEW aegis.issuers IS 'issuers, how many keys of theirs count now, and how the fetching of keys stands';

CREATE VIEW aegis.issuer_keys AS
  SELECT i.name, k.kid, k.algorithm, k.thumbprint, k.expires_at IS NULL AS pinned, k.first_seen, k.expires_at
    FROM aegis.issuer i JOIN aegis.issuer_key k ON k.issuer_id = i.id;
COMMENT ON VIEW aegis.issuer_keys IS 'keys of issuers, by RFC 7638 thumbprint';

CREATE VIEW aegis.issuer_mappings AS
  SELECT i.name, 'tenant' AS kind, m.organisation AS claim, m.tenant_id, NULL::smallint AS rank FROM aegis.issuer i JOIN aegis.issuer_tenant m ON m.issuer_id = i.id
  UNION ALL
  SELECT i.name, 'role', r.role, NULL, r.rank FROM aegis.issuer i JOIN aegis.issuer_role r ON r.issuer_id = i.id;
COMMENT ON VIEW aegis.issuer_mappings IS 'what organisations and roles of issuers stand for';

CREATE FUNCTION aegis.read_jwks(jwks bytea) RETURNS text[]
  AS 'MODULE_PATHNAME', 'aegis_read_jwks' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.read_jwks(bytea) IS 'the keys of a set that can verify: id, algorithm, key and thumbprint of each, one behind the other; for Aegis alone';

CREATE FUNCTION aegis.read_jwk(jwk text) RETURNS text[]
  AS 'MODULE_PATHNAME', 'aegis_read_jwk' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.read_jwk(text) IS 'the same of one key, which must be able to verify; for Aegis alone';

CREATE FUNCTION aegis.check_issuer_list(list text[], what text) RETURNS void
  LANGUAGE plpgsql IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF list IS NULL OR array_ndims(list) > 1 OR cardinality(list) > 16 OR array_position(list, NULL) IS NOT NULL OR array_position(list, '') IS NOT NULL
     OR octet_length(array_to_string(list, ' ')) > 400 THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('%s must be a list of at most 16 texts', what),
      DETAIL = 'Together they have at most 400 bytes, and none is empty.';
  END IF;
END $$;
COMMENT ON FUNCTION aegis.check_issuer_list(text[], text) IS 'refuses a list of an issuer that is none; for Aegis alone';

CREATE FUNCTION aegis.require_issuer(name text) RETURNS aegis.issuer
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  known aegis.issuer;
BEGIN
  SELECT i.* INTO known FROM aegis.issuer i WHERE i.name = require_issuer.name AND i.retired_at IS NULL FOR NO KEY UPDATE;
  IF known.id IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = format('issuer "%s" does not exist', coalesce(name, 'null')),
      HINT = 'aegis.issuers lists the issuers and when they were retired.';
  END IF;
  RETURN known;
END $$;
COMMENT ON FUNCTION aegis.require_issuer(text) IS 'an issuer in use, locked; for Aegis alone';

CREATE FUNCTION aegis.queue_jwks(known aegis.issuer, due timestamptz) RETURNS bigint
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN aegis.queue_outbound('jwks', convert_to(jsonb_build_object('method', 'GET', 'path', known.jwks_path,
           'headers', '{"Accept": "application/jwk-set+json, application/json"}'::jsonb,
           'accept', '[200]'::jsonb, 'answer_bytes', 65536)::text, 'UTF8'),
           destination => known.destination, target => known.name, not_before => due, expires_at => due + interval '1 day');
END $$;
COMMENT ON FUNCTION aegis.queue_jwks(aegis.issuer, timestamptz) IS 'queues the fetching of the keys of an issuer; for Aegis alone';

-- Whoever waits for a row here would make a stranger's token wait for it too.
CREATE FUNCTION aegis.ask_jwks(issuer uuid) RETURNS boolean
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  known aegis.issuer;
  f     aegis.issuer_fetch;
BEGIN
  SELECT i.* INTO known FROM aegis.issuer i WHERE i.id = ask_jwks.issuer AND i.retired_at IS NULL AND i.destination IS NOT NULL;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  SELECT t.* INTO f FROM aegis.issuer_fetch t
   WHERE t.issuer_id = known.id AND (t.asked_at IS NULL OR t.asked_at <= clock_timestamp() - known.refresh) FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  UPDATE aegis.outbox o SET not_before = clock_timestamp()
   WHERE o.id = (SELECT w.id FROM aegis.outbox w WHERE w.id = f.job AND w.state = 'waiting' FOR UPDATE SKIP LOCKED);
  IF FOUND THEN
    PERFORM pg_notify('aegis_outbox', '');
  ELSIF NOT EXISTS (SELECT FROM aegis.outbox o WHERE o.id = f.job AND o.state IN ('waiting', 'claimed')) THEN
    f.job := aegis.queue_jwks(known, clock_timestamp());
  END IF;
  UPDATE aegis.issuer_fetch t SET asked_at = clock_timestamp(), job = f.job WHERE t.issuer_id = known.id;
  RETURN true;
END $$;
COMMENT ON FUNCTION aegis.ask_jwks(uuid) IS 'has the keys of an issuer fetched now, unless somebody asked just before; for Aegis alone';

CREATE FUNCTION aegis.note_issuer_key(known aegis.issuer, event text, kid text, algorithm text, thumbprint text, before text DEFAULT NULL) RETURNS void
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM aegis.record_tenant_event(event, NULL, 'issuer', known.name,
    jsonb_strip_nulls(jsonb_build_object('kid', kid, 'algorithm', algorithm, 'thumbprint', thumbprint, 'thumbprint_before', before)));
END $$;
COMMENT ON FUNCTION aegis.note_issuer_key(aegis.issuer, text, text, text, text, text) IS 'records what became of a key of an issuer; for Aegis alone';

CREATE FUNCTION aegis.take_jwks(job aegis.outbox, answer bytea, detail jsonb) RETURNS text
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  f     aegis.issuer_fetch;
  known aegis.issuer;
  had   aegis.issuer_key;
  read  text[];
  kids  text[] := '{}';
  until timestamptz;
BEGIN
  SELECT t.* INTO f FROM aegis.issuer_fetch t WHERE t.job = take_jwks.job.id FOR UPDATE;
  SELECT i.* INTO known FROM aegis.issuer i WHERE i.id = f.issuer_id AND i.retired_at IS NULL;
  IF known.id IS NULL THEN
    RETURN 'not asked any more';
  END IF;
  read := aegis.read_jwks(coalesce(answer, ''));
  -- A set without one is a fault of the issuer's; what is known counts until it expires.
  IF cardinality(read) = 0 THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'the set of keys holds none that can verify';
  END IF;
  until := clock_timestamp() + known.key_lifetime;
  FOR i IN 1 .. cardinality(read) BY 4 LOOP
    kids := kids || read[i];
    SELECT k.* INTO had FROM aegis.issuer_key k WHERE k.issuer_id = known.id AND k.kid = read[i];
    IF had.kid IS NULL THEN
      INSERT INTO aegis.issuer_key (issuer_id, kid, algorithm, jwk, thumbprint, expires_at)
        VALUES (known.id, read[i], read[i + 1], read[i + 2], read[i + 3], until);
      PERFORM aegis.note_issuer_key(known, 'issuer.key_added', read[i], read[i + 1], read[i + 3]);
    ELSIF had.expires_at IS NULL THEN
      CONTINUE;  -- what an operator pinned, no answer changes
    ELSIF had.algorithm = read[i + 1] AND had.thumbprint = read[i + 3] THEN
      UPDATE aegis.issuer_key k SET expires_at = until WHERE k.issuer_id = known.id AND k.kid = read[i];
    ELSE
      UPDATE aegis.issuer_key k SET algorithm = read[i + 1], jwk = read[i + 2], thumbprint = read[i + 3], first_seen = clock_timestamp(), expires_at = until
       WHERE k.issuer_id = known.id AND k.kid = read[i];
      PERFORM aegis.note_issuer_key(known, 'issuer.key_changed', read[i], read[i + 1], read[i + 3], had.thumbprint);
    END IF;
  END LOOP;
  -- An issuer that rotates lists the old key until its last token is over; one that withdraws a key means it.
  FOR had IN DELETE FROM aegis.issuer_key k WHERE k.issuer_id = known.id AND k.expires_at IS NOT NULL AND k.kid <> ALL (kids) RETURNING k.* LOOP
    PERFORM aegis.note_issuer_key(known, 'issuer.key_removed', had.kid, had.algorithm, had.thumbprint);
  END LOOP;
  UPDATE aegis.issuer_fetch t SET fetched_at = clock_timestamp(), job = aegis.queue_jwks(known, clock_timestamp() + least(known.key_lifetime / 4, interval '1 hour'))
   WHERE t.issuer_id = known.id;
  RETURN format('%s keys', cardinality(kids));
END $$;
COMMENT ON FUNCTION aegis.take_jwks(aegis.outbox, bytea, jsonb) IS
  'takes the keys that an issuer publishes, records what changed, and queues the next look; for the outbox';

INSERT INTO aegis.outbox_kind VALUES
  ('jwks', 'the keys that an issuer of tokens publishes', 'http', 'aegis.take_jwks',
   false, 100, '2 s', '5 min', '1 day', true);

CREATE FUNCTION aegis.check_issuer(i aegis.issuer) RETURNS void
  LANGUAGE plpgsql STABLE CALLED ON NULL INPUT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF i.name IS NULL OR i.name !~ '^[a-z][a-z0-9_-]{0,47}$' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('"%s" cannot be the name of an issuer', coalesce(i.name, 'null')),
      HINT = 'It begins with a letter and consists of up to 48 of a-z, 0-9, "_" and "-".';
  END IF;
  IF i.issuer IS NULL OR octet_length(i.issuer) > 255
     OR i.issuer !~ '^(https://[a-z0-9.-]+|http://(localhost|127[.]0[.]0[.]1|\[::1\]))(:[1-9][0-9]{0,4})?(/[!-"$->@-~]*)?$' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'issuer must be an https address without query and fragment',
      HINT = 'Write it exactly as the claim "iss" of its tokens has it.';
  END IF;
  IF i.preset IS NULL OR i.preset NOT IN ('oidc', 'clerk') THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'preset of an issuer is not known', HINT = 'There are: oidc, clerk.';
  END IF;
  PERFORM aegis.check_issuer_list(i.audiences, 'audiences'), aegis.check_issuer_list(i.parties, 'parties'), aegis.check_issuer_list(i.types, 'types'),
          aegis.check_issuer_list(i.organisation_claim, 'organisation_claim'), aegis.check_issuer_list(i.role_claim, 'role_claim');
  IF cardinality(i.parties) = 0 AND (i.preset = 'clerk' OR cardinality(i.audiences) = 0) THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
      MESSAGE = CASE i.preset WHEN 'clerk' THEN 'parties must be given' ELSE 'audiences or parties must be given' END,
      DETAIL = 'Otherwise tokens that the issuer gave for others would be taken.';
  END IF;
  IF cardinality(i.types) = 0 THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'types must name one type at least';
  END IF;
  IF i.preset = 'clerk' AND cardinality(i.organisation_claim) + cardinality(i.role_claim) > 0 THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'the preset says itself which claims hold organisation and role';
  END IF;
  IF i.skew IS NULL OR i.skew NOT BETWEEN '0 s' AND '60 s' OR i.refresh IS NULL OR i.refresh NOT BETWEEN '1 s' AND '1 hour'
     OR i.key_lifetime IS NULL OR i.key_lifetime NOT BETWEEN '5 min' AND '7 days' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'skew, refresh or key_lifetime is out of range',
      HINT = 'They are 0 to 60 seconds, 1 second to 1 hour, 5 minutes to 7 days.';
  END IF;
  IF i.destination IS NOT NULL AND NOT EXISTS (SELECT FROM aegis.destination d WHERE d.name = i.destination AND d.transport = 'http') THEN
    RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('destination "%s" is not registered', i.destination),
      HINT = 'SELECT aegis.register_destination(NAME, ''https://HOST'') first.';
  END IF;
  IF i.jwks_path IS NULL OR i.jwks_path !~ '^(/[A-Za-z0-9_.~-]+)*$' OR i.jwks_path ~ '/[.][.]?(/|$)' OR octet_length(i.jwks_path) > 200 THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'jwks_path must be a path below the destination',
      HINT = 'As "/.well-known/jwks.json", or empty.';
  END IF;
END $$;
COMMENT ON FUNCTION aegis.check_issuer(aegis.issuer) IS 'refuses what cannot be an issuer; for Aegis alone';

CREATE FUNCTION aegis.note_issuer(event text, i aegis.issuer) RETURNS void
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM aegis.record_tenant_event(event, NULL, 'issuer', i.name,
    jsonb_strip_nulls(jsonb_build_object('issuer', i.issuer, 'preset', i.preset, 'audiences', array_to_string(i.audiences, ' '),
      'parties', array_to_string(i.parties, ' '), 'types', array_to_string(i.types, ' '), 'destination', i.destination, 'jwks_path', i.jwks_path)));
END $$;
COMMENT ON FUNCTION aegis.note_issuer(text, aegis.issuer) IS 'records what an issuer is now; for Aegis alone';

CREATE FUNCTION aegis.register_issuer(name text, issuer text, preset text DEFAULT 'oidc', audiences text[] DEFAULT '{}', parties text[] DEFAULT '{}',
                                      destination text DEFAULT NULL, jwks_path text DEFAULT '', organisation_claim text[] DEFAULT '{}',
                                      role_claim text[] DEFAULT '{}', types text[] DEFAULT NULL, skew interval DEFAULT '5 s',
                                      refresh interval DEFAULT '30 s', key_lifetime interval DEFAULT '1 day') RETURNS void
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  made aegis.issuer;
BEGIN
  made.id := gen_random_uuid();
  made.name := name;
  made.issuer := issuer;
  made.preset := preset;
  made.types := coalesce(types, CASE preset WHEN 'clerk' THEN '{JWT}' ELSE '{at+jwt}' END::text[]);
  made.audiences := audiences;
  made.parties := parties;
  made.organisation_claim := organisation_claim;
  made.role_claim := role_claim;
  made.skew := skew;
  made.refresh := refresh;
  made.key_lifetime := key_lifetime;
  made.destination := destination;
  made.jwks_path := jwks_path;
  made.created_at := clock_timestamp();
  PERFORM aegis.check_issuer(made);
  -- The code that reads it takes it for seconds alone.
  made.skew := make_interval(secs => extract(epoch FROM skew)::float8);
  INSERT INTO aegis.issuer SELECT made.* ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'duplicate_object', MESSAGE = format('issuer "%s", or one of this address, is registered already', name),
      HINT = 'aegis.set_issuer() changes it, aegis.retire_issuer() takes it out of use.';
  END IF;
  INSERT INTO aegis.issuer_fetch (issuer_id) VALUES (made.id);
  PERFORM aegis.ask_jwks(made.id), aegis.note_issuer('issuer.registered', made);
END $$;
COMMENT ON FUNCTION aegis.register_issuer(text, text, text, text[], text[], text, text, text[], text[], text[], interval, interval, interval) IS
  'has tokens of an identity provider taken that are meant for one of the audiences or parties; for operators; recorded';

CREATE FUNCTION aegis.set_issuer(name text, audiences text[] DEFAULT NULL, parties text[] DEFAULT NULL, destination text DEFAULT NULL, jwks_path text DEFAULT NULL,
                                 organisation_claim text[] DEFAULT NULL, role_claim text[] DEFAULT NULL, types text[] DEFAULT NULL) RETURNS void
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  known aegis.issuer;
BEGIN
  known := aegis.require_issuer(name);
  known.audiences := coalesce(audiences, known.audiences);
  known.parties := coalesce(parties, known.parties);
  known.destination := coalesce(destination, known.destination);
  known.jwks_path := coalesce(jwks_path, known.jwks_path);
  known.organisation_claim := coalesce(organisation_claim, known.organisation_claim);
  known.role_claim := coalesce(role_claim, known.role_claim);
  known.types := coalesce(types, known.types);
  PERFORM aegis.check_issuer(known);
  UPDATE aegis.issuer i SET audiences = known.audiences, parties = known.parties, destination = known.destination, jwks_path = known.jwks_path,
         organisation_claim = known.organisation_claim, role_claim = known.role_claim, types = known.types WHERE i.id = known.id;
  PERFORM aegis.note_issuer('issuer.changed', known);
END $$;
COMMENT ON FUNCTION aegis.set_issuer(text, text[], text[], text, text, text[], text[], text[]) IS
  'changes for whom tokens of an issuer must be meant and what its claims say; null: as it is; for operators; recorded';

CREATE FUNCTION aegis.retire_issuer(name text, reason text) RETURNS void
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  known aegis.issuer;
BEGIN
  PERFORM aegis.check_outbound_reason(reason);
  known := aegis.require_issuer(name);
  UPDATE aegis.issuer i SET retired_at = clock_timestamp() WHERE i.id = known.id;
  UPDATE aegis.session s SET ended_at = clock_timestamp(), end_reason = 'issuer' WHERE s.issuer_id = known.id AND s.ended_at IS NULL;
  PERFORM aegis.record_tenant_event('issuer.retired', NULL, 'issuer', name, jsonb_build_object('reason', reason));
END $$;
COMMENT ON FUNCTION aegis.retire_issuer(text, text) IS 'takes no tokens of an issuer any more, for good, and ends the sessions that they began; for operators; recorded';

CREATE FUNCTION aegis.refresh_issuer(name text) RETURNS boolean
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN aegis.ask_jwks((aegis.require_issuer(name)).id);
END $$;
COMMENT ON FUNCTION aegis.refresh_issuer(text) IS 'has the keys of an issuer fetched now; false when somebody asked just before, or all are pinned; for operators';

CREATE FUNCTION aegis.pin_issuer_key(name text, jwk text) RETURNS text
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  known aegis.issuer;
  read  CONSTANT text[] := aegis.read_jwk(jwk);
BEGIN
  known := aegis.require_issuer(name);
  INSERT INTO aegis.issuer_key (issuer_id, kid, algorithm, jwk, thumbprint) VALUES (known.id, read[1], read[2], read[3], read[4])
    ON CONFLICT (issuer_id, kid) DO UPDATE SET algorithm = excluded.algorithm, jwk = excluded.jwk, thumbprint = excluded.thumbprint,
                                               first_seen = excluded.first_seen, expires_at = NULL;
  PERFORM aegis.note_issuer_key(known, 'issuer.key_pinned', read[1], read[2], read[4]);
  RETURN read[4];
END $$;
COMMENT ON FUNCTION aegis.pin_issuer_key(text, text) IS
  'has a key of an issuer count, a JWK with an id, whatever the issuer publishes; its RFC 7638 thumbprint; for operators; recorded';

CREATE FUNCTION aegis.drop_issuer_key(name text, kid text) RETURNS void
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  known aegis.issuer;
  gone  aegis.issuer_key;
BEGIN
  known := aegis.require_issuer(name);
  DELETE FROM aegis.issuer_key k WHERE k.issuer_id = known.id AND k.kid = drop_issuer_key.kid RETURNING k.* INTO gone;
  IF gone.kid IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = format('issuer "%s" has no key "%s"', name, kid), HINT = 'aegis.issuer_keys lists them.';
  END IF;
  PERFORM aegis.note_issuer_key(known, 'issuer.key_removed', gone.kid, gone.algorithm, gone.thumbprint);
END $$;
COMMENT ON FUNCTION aegis.drop_issuer_key(text, text) IS
  'has a key of an issuer count no more; one that the issuer still publishes comes back with the next look; for operators; recorded';

CREATE FUNCTION aegis.map_issuer_tenant(name text, organisation text, tenant uuid) RETURNS void
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  known  aegis.issuer;
  before uuid;
BEGIN
  IF organisation IS NULL OR octet_length(organisation) > 128 THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'organisation must have at most 128 bytes',
      HINT = 'The empty one stands for tokens that name none.';
  END IF;
  known := aegis.require_issuer(name);
  IF tenant IS NOT NULL AND NOT EXISTS (SELECT FROM aegis.tenant t WHERE t.id = tenant AND t.status IN ('active', 'suspended')) THEN
    RAISE EXCEPTION USING ERRCODE = 'AG008', MESSAGE = 'tenant does not exist';
  END IF;
  DELETE FROM aegis.issuer_tenant m WHERE m.issuer_id = known.id AND m.organisation = map_issuer_tenant.organisation RETURNING m.tenant_id INTO before;
  IF tenant IS NOT NULL THEN
    INSERT INTO aegis.issuer_tenant VALUES (known.id, map_issuer_tenant.organisation, map_issuer_tenant.tenant);
  END IF;
  IF before IS NOT NULL AND before IS DISTINCT FROM tenant THEN
    PERFORM aegis.record_tenant_event('issuer.tenant_unmapped', before, 'issuer', name, jsonb_build_object('organisation', organisation));
  END IF;
  IF tenant IS NOT NULL AND tenant IS DISTINCT FROM before THEN
    PERFORM aegis.record_tenant_event('issuer.tenant_mapped', tenant, 'issuer', name, jsonb_build_object('organisation', organisation));
  END IF;
END $$;
COMMENT ON FUNCTION aegis.map_issuer_tenant(text, text, uuid) IS
  'says which tenant an organisation of an issuer is; null: none; for operators; recorded';

CREATE FUNCTION aegis.map_issuer_role(name text, role text, rank smallint) RETURNS void
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  known aegis.issuer;
BEGIN
  IF role IS NULL OR octet_length(role) NOT BETWEEN 1 AND 128 OR rank NOT BETWEEN 1 AND 4 THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'role must have 1 to 128 bytes, and rank be between 1 and 4',
      HINT = 'The role * stands for every token; a null rank takes a role back.';
  END IF;
  known := aegis.require_issuer(name);
  DELETE FROM aegis.issuer_role r WHERE r.issuer_id = known.id AND r.role = map_issuer_role.role;
  IF rank IS NOT NULL THEN
    IF (SELECT count(*) FROM aegis.issuer_role r WHERE r.issuer_id = known.id) >= 64 THEN
      RAISE EXCEPTION USING ERRCODE = 'program_limit_exceeded', MESSAGE = 'an issuer has at most 64 mapped roles';
    END IF;
    INSERT INTO aegis.issuer_role VALUES (known.id, map_issuer_role.role, map_issuer_role.rank);
  END IF;
  PERFORM aegis.record_tenant_event('issuer.role_mapped', NULL, 'issuer', name, jsonb_build_object('role', role, 'rank', coalesce(rank, 0)));
END $$;
COMMENT ON FUNCTION aegis.map_issuer_role(text, text, smallint) IS
  'says which rank a role of an issuer gives at most, never more than the user''s own; null: none; for operators; recorded';

CREATE FUNCTION aegis.link_issuer_user(name text, subject text, user_id uuid) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_link_issuer_user' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.link_issuer_user(text, text, uuid) IS
  'says which user of the context''s tenant a subject of an issuer is; for admins and operators; recorded';

CREATE FUNCTION aegis.unlink_issuer_user(name text, subject text) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_unlink_issuer_user' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.unlink_issuer_user(text, text) IS
  'takes that back, and ends the session of the user that a token began; for admins and operators; recorded';
