-- Paying by a link: whoever has the link of an invoice begins a checkout for what is due, without an account. docs/invoice_pay.md.

-- Of attempts, those of the invoice of the link; of accounts, what payers are offered.
CREATE POLICY link_alone ON aegis_app.checkout AS RESTRICTIVE
  USING (aegis.auth_method() IS DISTINCT FROM 'link' OR invoice_id = aegis.link_target());
CREATE POLICY link_alone ON aegis_app.provider_account AS RESTRICTIVE
  USING (aegis.auth_method() IS DISTINCT FROM 'link' OR offered AND disabled_at IS NULL);

-- As aegis_owner, for what providers take is nobody's to read.
CREATE FUNCTION aegis_app.payer_account(i aegis_app.invoice) RETURNS uuid
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  due bigint := aegis_app.payable_minor(i);
BEGIN
  IF due = 0 THEN
    RETURN NULL;
  END IF;
  RETURN (SELECT a.id FROM aegis_app.provider_account a JOIN aegis.payment_provider p ON p.name = a.provider
           WHERE a.tenant_id = aegis.tenant_id() AND a.offered AND a.disabled_at IS NULL AND (p.names_currency OR a.currency = i.currency)
             AND aegis_app.provider_amount(a.provider, i.currency, due) IS NOT NULL
           ORDER BY a.currency <> i.currency, a.created_at, a.id LIMIT 1);
END $$;
COMMENT ON FUNCTION aegis_app.payer_account(aegis_app.invoice) IS
  'where a payer begins to pay an invoice: the oldest account that is offered, first those of its currency; NULL when nothing is due, or none takes it';

-- As aegis_owner, for nobody may write checkouts; in the context of a link, which names the invoice.
CREATE FUNCTION aegis_app.start_by_link(OUT made aegis_app.checkout, OUT refusal text)
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  i        aegis_app.invoice;
  begun    aegis_app.checkout;
  account  uuid;
  attempts record;
  step     record;
BEGIN
  -- Two clicks wait here for each other.
  SELECT * INTO i FROM aegis_app.invoice v WHERE v.tenant_id = aegis.tenant_id() AND v.id = aegis.link_target() AND v.number IS NOT NULL FOR UPDATE;
  IF NOT FOUND THEN
    refusal := 'not-found';
    RETURN;
  END IF;
  SELECT * INTO begun FROM aegis_app.checkout c WHERE c.tenant_id = i.tenant_id AND c.invoice_id = i.id AND c.ended_at IS NULL;
  -- Who does not need an account to ask must not have a provider called as often as one likes.
  SELECT count(*) FILTER (WHERE c.created_at > clock_timestamp() - interval '1 hour') AS of_hour, count(*) AS of_day INTO attempts
    FROM aegis_app.checkout c WHERE c.tenant_id = i.tenant_id AND c.invoice_id = i.id AND c.created_at > clock_timestamp() - interval '1 day';
  IF begun.id IS NULL AND (attempts.of_hour >= 5 OR attempts.of_day >= 20) THEN
    refusal := 'too-many-attempts';
    RETURN;
  END IF;
  -- A page that is there already is gone on with, if it is at an account that payers are offered.
  SELECT a.id INTO account FROM aegis_app.provider_account a WHERE a.tenant_id = i.tenant_id AND a.id = begun.account_id;
  account := coalesce(account, aegis_app.payer_account(i));
  IF account IS NULL AND aegis_app.payable_minor(i) > 0 THEN
    refusal := 'not-payable-here';
    RETURN;
  END IF;
  step := aegis_app.start_checkout(i.id, account, false);
  made := step.made;
  refusal := CASE WHEN aegis_app.payable_minor(i) = 0 THEN 'nothing-due'
                  WHEN step.refusal IN ('unknown-account', 'other-currency', 'amount-not-payable') THEN 'not-payable-here' ELSE step.refusal END;
END $$;
COMMENT ON FUNCTION aegis_app.start_by_link() IS 'the live checkout of the invoice of the current link, or a new one; or why there is none';

-- What a payer is told of an attempt: nothing of accounts, nor who began it.
CREATE FUNCTION aegis_app.attempt_json(c aegis_app.checkout) RETURNS jsonb
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$ SELECT jsonb_build_object('status', j -> 'status', 'provider', j -> 'provider', 'amount_minor', j -> 'amount_minor', 'currency', j -> 'currency',
                                  'expires_at', j -> 'expires_at', 'go', j -> 'go')
          FROM (SELECT aegis_app.checkout_json(c) AS j OFFSET 0) s $$;
COMMENT ON FUNCTION aegis_app.attempt_json(aegis_app.checkout) IS 'an attempt to pay, as a payer sees it';

CREATE FUNCTION aegis_app.pay_invoice(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  step record := aegis_app.start_by_link();
BEGIN
  RETURN CASE step.refusal
    WHEN 'not-found' THEN aegis_app.problem(404, 'not-found', 'No such invoice')
    WHEN 'nothing-due' THEN aegis_app.problem(409, 'nothing-due', 'Nothing is to be paid of this invoice')
    WHEN 'not-payable-here' THEN aegis_app.problem(409, 'not-payable-here', 'This invoice cannot be paid here', 'Whoever sent it knows how it can be paid.')
    WHEN 'attempt-unresolved' THEN aegis_app.problem(409, 'attempt-unresolved', 'What became of the last attempt is not known yet',
      'So that nothing is paid twice, another begins only when the provider has told. Come back later.')
    WHEN 'too-many-attempts' THEN aegis_app.problem(409, 'too-many-attempts', 'There were too many attempts to pay this invoice', 'Come back in an hour.')
    ELSE aegis_app.ok(aegis_app.attempt_json(step.made)) END;
END $$;
COMMENT ON FUNCTION aegis_app.pay_invoice(aegis.request) IS 'POST /api/invoice-view/checkout, with the token of a link: asked again, the same attempt';

CREATE FUNCTION aegis_app.view_checkout(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  c aegis_app.checkout;
BEGIN
  SELECT k.* INTO c FROM aegis_app.checkout k JOIN aegis_app.provider_account a ON a.tenant_id = k.tenant_id AND a.id = k.account_id
   WHERE k.tenant_id = aegis.tenant_id() AND k.invoice_id = aegis.link_target() ORDER BY k.created_at DESC, k.id LIMIT 1;
  IF NOT FOUND THEN
    RETURN aegis_app.problem(404, 'not-found', 'Nobody has begun to pay');
  END IF;
  RETURN aegis_app.ok(aegis_app.attempt_json(c));
END $$;
COMMENT ON FUNCTION aegis_app.view_checkout(aegis.request) IS 'GET /api/invoice-view/checkout, with the token of a link';
