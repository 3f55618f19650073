-- What a tenant decides about its invoices once for all of them.

CREATE TABLE aegis_app.invoice_setting (
  tenant_id uuid NOT NULL DEFAULT aegis.tenant_id(),
  time_zone text NOT NULL DEFAULT 'UTC' CHECK (time_zone <> '' AND pg_catalog.char_length(time_zone) <= 64),
  rounding  text NOT NULL DEFAULT 'half-up' CHECK (rounding IN ('half-up', 'half-even')),
  tax_by    text NOT NULL DEFAULT 'line' CHECK (tax_by IN ('line', 'invoice')),
  PRIMARY KEY (tenant_id)
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.invoice_setting', '');
COMMENT ON TABLE aegis_app.invoice_setting IS 'what a tenant decides about its invoices; without a row the defaults hold';
SELECT aegis.protect_table('aegis_app.invoice_setting', created_by => false, team => false);

-- One counter row per tenant, updated in the transaction that sends: a rollback returns the number, so
-- numbers have no gaps. A sequence would leave some.
CREATE TABLE aegis_app.invoice_series (
  tenant_id uuid NOT NULL DEFAULT aegis.tenant_id(),
  -- No digit last: with another prefix, one number could read like another.
  prefix    text NOT NULL DEFAULT 'INV-' CHECK (prefix ~ '^([A-Za-z0-9._/-]{0,19}[A-Za-z._/-])?$'),
  next      bigint NOT NULL DEFAULT 1 CHECK (next > 0),
  PRIMARY KEY (tenant_id)
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.invoice_series', '');
COMMENT ON TABLE aegis_app.invoice_series IS 'the next invoice number of a tenant';
SELECT aegis.protect_table('aegis_app.invoice_series', created_by => false, team => false);

CREATE FUNCTION aegis_app.number_text(prefix text, number bigint) RETURNS text
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN prefix || CASE WHEN number > 999999 THEN number::text ELSE lpad(number::text, 6, '0') END;
COMMENT ON FUNCTION aegis_app.number_text(text, bigint) IS 'a number as it stands on paper: at least six digits';

SELECT aegis.declare_event('invoice.settings_changed', 'a tenant changed how its invoices are made',
                           '{"time_zone": "clear required", "rounding": "clear required", "tax_by": "clear required", "number_prefix": "clear required"}');

CREATE FUNCTION aegis_app.invoice_settings(OUT time_zone text, OUT rounding text, OUT tax_by text, OUT number_prefix text)
  LANGUAGE sql STABLE
  BEGIN ATOMIC
    SELECT coalesce(s.time_zone, 'UTC'), coalesce(s.rounding, 'half-up'), coalesce(s.tax_by, 'line'), coalesce(n.prefix, 'INV-')
      FROM (SELECT aegis.tenant_id() AS id) t
      LEFT JOIN aegis_app.invoice_setting s ON s.tenant_id = t.id
      LEFT JOIN aegis_app.invoice_series n ON n.tenant_id = t.id;
  END;
COMMENT ON FUNCTION aegis_app.invoice_settings() IS 'what the tenant decided about its invoices, or the defaults';

CREATE FUNCTION aegis_app.date_of(moment timestamptz) RETURNS date
  LANGUAGE sql STABLE
  RETURN (moment AT TIME ZONE coalesce((SELECT s.time_zone FROM aegis_app.invoice_setting s WHERE s.tenant_id = aegis.tenant_id()), 'UTC'))::date;
COMMENT ON FUNCTION aegis_app.date_of(timestamptz) IS 'the date of a moment in the time zone of the tenant, whatever that of the client is';

CREATE FUNCTION aegis_app.today() RETURNS date
  LANGUAGE sql STABLE
  RETURN aegis_app.date_of(now());
COMMENT ON FUNCTION aegis_app.today() IS 'the date in the time zone of the tenant';

CREATE FUNCTION aegis_app.get_invoice_settings(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis_app.ok((SELECT to_jsonb(s) FROM aegis_app.invoice_settings() s));
END $$;
COMMENT ON FUNCTION aegis_app.get_invoice_settings(aegis.request) IS 'GET /api/invoice-settings';

CREATE FUNCTION aegis_app.choice_field(body jsonb, field text, choices text[], fallback text) RETURNS text
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  value text := coalesce(aegis_app.text_field(body, field, 100, false), fallback);
BEGIN
  IF value <> ALL (choices) THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('field "%s" must be one of %s', field, array_to_string(choices, ', '));
  END IF;
  RETURN value;
END $$;
COMMENT ON FUNCTION aegis_app.choice_field(jsonb, text, text[], text) IS 'one of a few words of a JSON field; raises for others';

-- Whoever calls the function behind the route is asked as well; the tables nobody of the tenant may write.
CREATE FUNCTION aegis_app.set_invoice_settings(b jsonb) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  was record := aegis_app.invoice_settings();
  new record;
BEGIN
  IF aegis.rank() IS DISTINCT FROM 4 THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = 'only admins may change how invoices are made';
  END IF;
  SELECT coalesce(aegis_app.text_field(b, 'time_zone', 64, false), was.time_zone) AS time_zone,
         aegis_app.choice_field(b, 'rounding', '{half-up,half-even}', was.rounding) AS rounding,
         aegis_app.choice_field(b, 'tax_by', '{line,invoice}', was.tax_by) AS tax_by,
         CASE WHEN b ? 'number_prefix' THEN coalesce(aegis_app.text_field(b, 'number_prefix', 20, false), '') ELSE was.number_prefix END AS number_prefix INTO new;
  -- Names only: an abbreviation or an offset knows no summer time.
  IF NOT EXISTS (SELECT FROM pg_timezone_names n WHERE n.name = new.time_zone) THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'field "time_zone" must be the name of a time zone such as "Europe/London"';
  END IF;
  IF new.number_prefix !~ '^([A-Za-z0-9._/-]{0,19}[A-Za-z._/-])?$' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'field "number_prefix" must be letters, digits and "._/-", and not end in a digit';
  END IF;
  -- Sums that were made in one way are not made again in another.
  IF (new.rounding, new.tax_by) IS DISTINCT FROM (was.rounding, was.tax_by)
     AND EXISTS (SELECT FROM aegis_app.invoice i WHERE i.tenant_id = aegis.tenant_id()) THEN
    RETURN aegis_app.problem(409, 'settings-fixed', 'Rounding and tax are fixed', 'They can be chosen until the first invoice is drafted.');
  END IF;
  INSERT INTO aegis_app.invoice_setting AS s (time_zone, rounding, tax_by) VALUES (new.time_zone, new.rounding, new.tax_by)
    ON CONFLICT (tenant_id) DO UPDATE SET time_zone = excluded.time_zone, rounding = excluded.rounding, tax_by = excluded.tax_by;
  INSERT INTO aegis_app.invoice_series AS n (prefix) VALUES (new.number_prefix)
    ON CONFLICT (tenant_id) DO UPDATE SET prefix = excluded.prefix;
  PERFORM aegis.record('invoice.settings_changed', 'invoice_setting', 'all', detail => to_jsonb(new));
  RETURN aegis_app.ok(to_jsonb(new));
END $$;
COMMENT ON FUNCTION aegis_app.set_invoice_settings(jsonb) IS 'changes how the invoices of a tenant are made; for admins';

CREATE FUNCTION aegis_app.change_invoice_settings(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis_app.set_invoice_settings(request.body);
END $$;
COMMENT ON FUNCTION aegis_app.change_invoice_settings(aegis.request) IS 'PATCH /api/invoice-settings {time_zone?, rounding?, tax_by?, number_prefix?}';
