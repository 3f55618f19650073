-- Documents of a check: what they are, who looked at them, and the bytes, sealed for their subject and their row.

CREATE TABLE aegis_app.kyc_document (
  tenant_id   uuid NOT NULL DEFAULT aegis.tenant_id(),
  id          uuid NOT NULL DEFAULT gen_random_uuid(),
  subject_id  uuid NOT NULL,
  type        text NOT NULL CHECK (type IN ('passport', 'national_id', 'driving_licence', 'residence_permit', 'utility_bill', 'bank_statement',
                                            'incorporation', 'register_extract', 'trust_deed', 'source_of_funds', 'other')),
  country     text CHECK (country ~ '^[A-Z]{2}$'),
  number      aegis.sealed_text,
  issued_on   date,
  expires_on  date CHECK (expires_on >= issued_on),
  file_name   aegis.sealed_text,
  media_type  text NOT NULL CHECK (media_type IN ('application/pdf', 'image/jpeg', 'image/png')),
  size_bytes  integer NOT NULL CHECK (size_bytes > 0 AND size_bytes <= 5242880),
  state       text NOT NULL DEFAULT 'uploaded' CHECK (state IN ('uploaded', 'verified', 'rejected')),
  method      text CHECK (method IN ('in_person', 'certified_copy', 'video', 'chip', 'provider', 'register')),
  remark      aegis.sealed_text,
  uploaded_by uuid,
  uploaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  judged_by   uuid,
  judged_at   timestamptz,
  restricted  boolean NOT NULL DEFAULT false,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, subject_id) REFERENCES aegis_app.kyc_subject (tenant_id, id),
  CHECK ((state = 'uploaded') = (judged_at IS NULL)),
  CHECK ((state = 'verified') = (method IS NOT NULL))
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.kyc_document', '');
COMMENT ON TABLE aegis_app.kyc_document IS 'documents of a check, without their bytes';
COMMENT ON COLUMN aegis_app.kyc_document.media_type IS 'what the bytes are by their own beginning and end, never what a client says';
COMMENT ON COLUMN aegis_app.kyc_document.method IS 'how it was verified';

-- Apart, because the ledger keeps every change of a captured table, and would keep every file once more.
CREATE TABLE aegis_app.kyc_document_content (
  tenant_id   uuid NOT NULL DEFAULT aegis.tenant_id(),
  document_id uuid NOT NULL,
  subject_id  uuid NOT NULL,
  content     aegis.sealed_bytea NOT NULL,
  restricted  boolean NOT NULL DEFAULT false,
  PRIMARY KEY (tenant_id, document_id),
  FOREIGN KEY (tenant_id, document_id) REFERENCES aegis_app.kyc_document (tenant_id, id)
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.kyc_document_content', '');
COMMENT ON TABLE aegis_app.kyc_document_content IS 'the bytes of documents; not captured by the ledger, which has an entry for each upload, download and judgement';

SELECT aegis.protect_table('aegis_app.kyc_document', parent => 'aegis_app.kyc_subject');
SELECT aegis.protect_table('aegis_app.kyc_document_content', parent => 'aegis_app.kyc_document');
SELECT aegis.unaudit_table('aegis_app.kyc_document_content');
SELECT aegis.encrypt_column('aegis_app.kyc_document', 'number', 'kyc_document.number', 'aegis.sealed_text', 'last4', 'masked', subject => 'subject_id', row_bound => true);
SELECT aegis.set_reveal_policy('kyc_document.number', r::smallint, 'full') FROM pg_catalog.generate_series(3, 4) r;
SELECT aegis.encrypt_column('aegis_app.kyc_document', 'file_name', 'kyc_document.file_name', 'aegis.sealed_text', 'full', subject => 'subject_id', row_bound => true);
SELECT aegis.encrypt_column('aegis_app.kyc_document', 'remark', 'kyc_document.remark', 'aegis.sealed_text', 'full', subject => 'subject_id', row_bound => true);
SELECT aegis.encrypt_column('aegis_app.kyc_document_content', 'content', 'kyc_document.content', 'aegis.sealed_bytea', 'full', subject => 'subject_id', row_bound => true);

CREATE TRIGGER refuse_card_data BEFORE INSERT OR UPDATE ON aegis_app.kyc_document FOR EACH ROW EXECUTE FUNCTION aegis.refuse_card_data('file_name', 'remark');
CREATE INDEX kyc_document_subject ON aegis_app.kyc_document (tenant_id, subject_id);

SELECT aegis.declare_event('kyc.document.uploaded', 'a document came to a check',
                           '{"subject": "clear required", "type": "clear required", "media_type": "clear required", "size_bytes": "clear required"}');
SELECT aegis.declare_event('kyc.document.downloaded', 'somebody took a document of a check away',
                           '{"subject": "clear required", "type": "clear required"}');
SELECT aegis.declare_event('kyc.document.verified', 'somebody found a document of a check genuine',
                           '{"subject": "clear required", "type": "clear required", "method": "clear required"}');
SELECT aegis.declare_event('kyc.document.rejected', 'somebody rejected a document of a check',
                           '{"subject": "clear required", "type": "clear required"}');

-- Both ends are asked for: what goes on behind the end of a picture, or before the beginning of a PDF, is another file's.
CREATE FUNCTION aegis_app.media_type(content bytea) RETURNS text
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN CASE
    WHEN substr(content, 1, 8) = '\x89504e470d0a1a0a'::bytea AND substr(content, 13, 4) = '\x49484452'::bytea
         AND substr(content, length(content) - 11) = '\x0000000049454e44ae426082'::bytea THEN 'image/png'
    WHEN substr(content, 1, 3) = '\xffd8ff'::bytea AND substr(content, length(content) - 1) = '\xffd9'::bytea THEN 'image/jpeg'
    -- "%PDF-" 1 or 2, and "%%EOF" in the last line, which editors follow by a few blanks.
    WHEN substr(content, 1, 6) IN ('\x255044462d31'::bytea, '\x255044462d32'::bytea) AND length(content) > 32
         AND position('\x2525454f46'::bytea IN substr(content, length(content) - 15)) > 0 THEN 'application/pdf' END;
COMMENT ON FUNCTION aegis_app.media_type(bytea) IS 'image/png, image/jpeg or application/pdf by the first and last bytes; NULL for anything else';

CREATE FUNCTION aegis_app.guard_kyc_document() RETURNS trigger
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT aegis_app.kyc_person_acts() THEN
    RETURN NEW;
  END IF;
  IF TG_OP = 'INSERT' THEN
    NEW.state := 'uploaded';
    NEW.uploaded_by := aegis.user_id();
    NEW.uploaded_at := clock_timestamp();
    RETURN NEW;
  END IF;
  IF OLD.state <> 'uploaded' THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('the document is %s already', OLD.state),
      HINT = 'Upload it again to have it judged again.';
  END IF;
  NEW.judged_by := aegis.user_id();
  NEW.judged_at := clock_timestamp();
  RETURN NEW;
END $$;
COMMENT ON FUNCTION aegis_app.guard_kyc_document() IS 'says who uploaded and who judged a document, and lets it be judged once';
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OF state, method, remark ON aegis_app.kyc_document FOR EACH ROW EXECUTE FUNCTION aegis_app.guard_kyc_document();

CREATE FUNCTION aegis_app.guard_kyc_content() RETURNS trigger
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF aegis_app.kyc_person_acts() AND NOT EXISTS (SELECT FROM aegis_app.kyc_document d
       WHERE d.tenant_id = aegis.tenant_id() AND d.id = NEW.document_id AND d.subject_id = NEW.subject_id) THEN
    RAISE EXCEPTION USING ERRCODE = 'foreign_key_violation', MESSAGE = 'the bytes belong to no document of this subject';
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION aegis_app.guard_kyc_content() IS 'refuses bytes for another subject than that of their document';
CREATE TRIGGER guard BEFORE INSERT ON aegis_app.kyc_document_content FOR EACH ROW EXECUTE FUNCTION aegis_app.guard_kyc_content();

CREATE FUNCTION aegis_app.kyc_document_json(d aegis_app.kyc_document, readable boolean, masked boolean DEFAULT false) RETURNS jsonb
  LANGUAGE sql STABLE
  RETURN jsonb_build_object('id', d.id, 'type', d.type, 'country', d.country, 'issued_on', d.issued_on, 'expires_on', d.expires_on,
    'media_type', d.media_type, 'size_bytes', d.size_bytes, 'state', d.state, 'method', d.method,
    'uploaded_by', d.uploaded_by, 'uploaded_at', d.uploaded_at, 'judged_by', d.judged_by, 'judged_at', d.judged_at,
    'number', CASE WHEN readable AND masked THEN aegis.masked(d.number, d) WHEN readable THEN aegis.legible(d.number, d) END, 'file_name', CASE WHEN readable THEN aegis.legible(d.file_name, d) END,
    'remark', CASE WHEN readable THEN aegis.legible(d.remark, d) END);
COMMENT ON FUNCTION aegis_app.kyc_document_json(aegis_app.kyc_document, boolean, boolean) IS
  'a document without its bytes; what is sealed only where the subject was not erased, and its number as a mask where that is asked for';

CREATE FUNCTION aegis_app.kyc_documents(s aegis_app.kyc_subject, masked boolean) RETURNS jsonb
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  BEGIN ATOMIC
    SELECT coalesce(jsonb_agg(aegis_app.kyc_document_json(d, s.erased_at IS NULL, masked) ORDER BY d.uploaded_at, d.id), '[]')
      FROM aegis_app.kyc_document d WHERE d.tenant_id = s.tenant_id AND d.subject_id = s.id;
  END;
COMMENT ON FUNCTION aegis_app.kyc_documents(aegis_app.kyc_subject, boolean) IS 'the documents of a subject, oldest first';

CREATE FUNCTION aegis_app.upload_kyc_document(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  b       jsonb := request.body;
  s       aegis_app.kyc_subject := aegis_app.kyc_subject_of(request, true);
  content bytea;
  kind    text;
  d       aegis_app.kyc_document;
BEGIN
  IF jsonb_typeof(b -> 'content') IS DISTINCT FROM 'string' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'field "content" must be a file in base64';
  ELSIF length(b ->> 'content') > 7100000 THEN
    RETURN aegis_app.problem(413, 'body-too-large', 'The document is too large', 'At most 5 MB are taken.');
  END IF;
  content := decode(b ->> 'content', 'base64');
  IF length(content) > 5242880 THEN
    RETURN aegis_app.problem(413, 'body-too-large', 'The document is too large', 'At most 5 MB are taken.');
  END IF;
  kind := aegis_app.media_type(content);
  IF kind IS NULL THEN
    RETURN aegis_app.problem(422, 'unknown-file', 'The file is no document', 'PDF, JPEG and PNG are taken, whole and with nothing behind their end.');
  END IF;
  INSERT INTO aegis_app.kyc_document (subject_id, type, country, number, issued_on, expires_on, file_name, media_type, size_bytes)
  VALUES (s.id, aegis_app.text_field(b, 'type', 30), aegis_app.text_field(b, 'country', 2, false), aegis_app.kyc_number(aegis_app.text_field(b, 'number', 40, false)),
          aegis_app.date_field(b, 'issued_on'), aegis_app.date_field(b, 'expires_on'), aegis_app.text_field(b, 'file_name', 200, false), kind, length(content))
  RETURNING * INTO d;
  INSERT INTO aegis_app.kyc_document_content (document_id, subject_id, content) VALUES (d.id, s.id, content);
  PERFORM aegis_app.record_kyc('kyc.document.uploaded', 'kyc_document', d.id, s.id,
                               jsonb_build_object('type', d.type, 'media_type', d.media_type, 'size_bytes', d.size_bytes));
  RETURN aegis_app.ok(aegis_app.kyc_document_json(d, true), 201, jsonb_build_object('location', '/api/kyc/documents/' || d.id));
END $$;
COMMENT ON FUNCTION aegis_app.upload_kyc_document(aegis.request) IS 'POST /api/kyc/subjects/{id}/documents {type, content, country?, number?, issued_on?, expires_on?, file_name?}';

CREATE FUNCTION aegis_app.kyc_document_of(request aegis.request) RETURNS aegis_app.kyc_document
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  d aegis_app.kyc_document;
BEGIN
  SELECT * INTO d FROM aegis_app.kyc_document r WHERE r.tenant_id = aegis.tenant_id() AND r.id = aegis_app.uuid_of(request.params ->> 'id');
  IF d.id IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = 'no such document';
  END IF;
  RETURN d;
END $$;
COMMENT ON FUNCTION aegis_app.kyc_document_of(aegis.request) IS 'the document that a request names; raises no_data_found where the caller sees none';

-- As a file to be saved: the bytes are a stranger's, and no page of ours shows them.
CREATE FUNCTION aegis_app.get_kyc_content(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  d    aegis_app.kyc_document := aegis_app.kyc_document_of(request);
  file bytea;
BEGIN
  SELECT aegis.reveal(c.content, c)::bytea INTO file FROM aegis_app.kyc_document_content c WHERE c.tenant_id = d.tenant_id AND c.document_id = d.id;
  IF file IS NULL THEN
    RETURN aegis_app.problem(410, 'gone', 'The document was erased');
  END IF;
  -- A request that reads writes to the ledger alone.
  PERFORM aegis.record('kyc.document.downloaded', 'kyc_document', d.id::text, detail => jsonb_build_object('subject', d.subject_id, 'type', d.type));
  RETURN ROW(200, jsonb_build_object('content-type', 'application/octet-stream', 'content-disposition',
    format('attachment; filename="%s.%s"', d.id, CASE d.media_type WHEN 'application/pdf' THEN 'pdf' WHEN 'image/png' THEN 'png' ELSE 'jpg' END)), NULL, file)::aegis.response;
END $$;
COMMENT ON FUNCTION aegis_app.get_kyc_content(aegis.request) IS 'GET /api/kyc/documents/{id}/content: recorded';

CREATE FUNCTION aegis_app.judge_kyc_document(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  b jsonb := request.body;
  d aegis_app.kyc_document := aegis_app.kyc_document_of(request);
  genuine boolean := aegis_app.choice_field(b, 'state', '{verified,rejected}', NULL) = 'verified';
BEGIN
  IF genuine IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'field "state" is required';
  END IF;
  UPDATE aegis_app.kyc_document r
     SET state = CASE WHEN genuine THEN 'verified' ELSE 'rejected' END, remark = aegis_app.text_field(b, 'remark', 2000, NOT genuine),
         method = CASE WHEN genuine THEN aegis_app.text_field(b, 'method', 30) END
   WHERE r.tenant_id = d.tenant_id AND r.id = d.id RETURNING * INTO d;
  PERFORM aegis_app.record_kyc(CASE WHEN genuine THEN 'kyc.document.verified' ELSE 'kyc.document.rejected' END, 'kyc_document', d.id, d.subject_id,
                               jsonb_strip_nulls(jsonb_build_object('type', d.type, 'method', d.method)));
  RETURN aegis_app.ok(aegis_app.kyc_document_json(d, true));
END $$;
COMMENT ON FUNCTION aegis_app.judge_kyc_document(aegis.request) IS 'POST /api/kyc/documents/{id}/judgement {state, method?, remark?}';
