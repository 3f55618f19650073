-- What a person is given who asks for their data: the columns whose class says so, in clear.

SELECT aegis.declare_event('privacy.export.created', 'the data of a subject was put together for the subject', '{"values": "clear required"}');

-- Classes are for operators and auditors to see; which columns of a check are given away is no secret.
CREATE FUNCTION aegis_app.kyc_exported_columns() RETURNS TABLE (relation name, subject name, column_name name, sealed boolean)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT r.relname, CASE r.relname WHEN 'kyc_subject' THEN 'id' ELSE 'subject_id' END::name, c.column_name, c.sealed
      FROM aegis.classification c JOIN pg_class r ON r.oid = c.relation
     WHERE c.schema = 'aegis_app'::regnamespace AND c.retention = 'kyc' AND c.exported AND r.relname <> 'kyc_document_content'
     ORDER BY r.relname, c.column_name $$;
COMMENT ON FUNCTION aegis_app.kyc_exported_columns() IS 'columns whose class says that a person who asks for their data gets them; files are fetched one by one';

CREATE FUNCTION aegis_app.export_kyc_subject(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET datestyle = ISO AS $$
DECLARE
  s      aegis_app.kyc_subject;
  place  record;
  found  jsonb;
  result jsonb := '{}';
BEGIN
  PERFORM aegis_app.require_rank(3, 'export the data of a subject');
  PERFORM aegis.require_step_up();
  s := aegis_app.kyc_subject_of(request, false);
  IF s.erased_at IS NOT NULL THEN
    RETURN aegis_app.problem(410, 'gone', 'The subject was erased');
  END IF;
  FOR place IN SELECT c.relation, c.subject, string_agg(format(CASE WHEN c.sealed THEN '%1$L, aegis.reveal(r.%1$I, r)' ELSE '%1$L, r.%1$I' END, c.column_name), ', ') AS columns
                 FROM aegis_app.kyc_exported_columns() c GROUP BY c.relation, c.subject ORDER BY c.relation LOOP
    EXECUTE format('SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(%s))), ''[]'') FROM aegis_app.%I r WHERE r.tenant_id = $1 AND r.%I = $2',
                   place.columns, place.relation, place.subject) INTO found USING s.tenant_id, s.id;
    result := result || jsonb_build_object(place.relation, found);
  END LOOP;
  PERFORM aegis_app.record_kyc('privacy.export.created', 'kyc_subject', s.id, s.id, jsonb_build_object('values',
    (SELECT count(*) FROM jsonb_each(result) t, jsonb_array_elements(t.value) e, jsonb_object_keys(e.value) k)));
  RETURN aegis_app.ok(jsonb_build_object('subject_id', s.id, 'made_at', now(), 'files', (SELECT coalesce(jsonb_agg(d.id ORDER BY d.uploaded_at, d.id), '[]')
    FROM aegis_app.kyc_document d WHERE d.tenant_id = s.tenant_id AND d.subject_id = s.id), 'data', result));
END $$;
COMMENT ON FUNCTION aegis_app.export_kyc_subject(aegis.request) IS 'POST /api/kyc/subjects/{id}/exports: recorded';
