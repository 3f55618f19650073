-- Money: whole minor units of a currency that ISO 4217 gives an exponent, rounded in one of two ways.

-- Currencies whose minor unit is not a hundredth stand first. Metals, funds without a unit and test codes are none to
-- be paid in. Withdrawn ones stay, for what was sent in them.
CREATE FUNCTION aegis_app.currencies() RETURNS TABLE (code text, exponent smallint)
  LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  BEGIN ATOMIC
    SELECT c.code, l.exponent::smallint
      FROM (VALUES
        (0, 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF'),
        (3, 'BHD IQD JOD KWD LYD OMR TND'),
        (4, 'CLF UYW'),
        (2, 'AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY '
            'COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR '
            'JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO '
            'NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS '
            'TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG')) AS l(exponent, codes),
           string_to_table(l.codes, ' ') AS c(code);
  END;
COMMENT ON FUNCTION aegis_app.currencies() IS 'ISO 4217 codes that amounts may be in, with the decimals of their minor unit';

CREATE FUNCTION aegis_app.iso_exponent(currency text) RETURNS integer
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN (SELECT c.exponent::integer FROM aegis_app.currencies() c WHERE c.code = currency);
COMMENT ON FUNCTION aegis_app.iso_exponent(text) IS 'digits behind the point of a currency in ISO 4217; NULL where it has none';

CREATE FUNCTION aegis_app.currency_field(body jsonb) RETURNS text
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  value text := aegis_app.text_field(body, 'currency', 3);
BEGIN
  IF NOT EXISTS (SELECT FROM aegis_app.currencies() c WHERE c.code = value) THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'field "currency" must be an ISO 4217 code such as "GBP"';
  END IF;
  RETURN value;
END $$;
COMMENT ON FUNCTION aegis_app.currency_field(jsonb) IS 'ISO 4217 code of the field "currency"';

-- "1234.50" and 2 become 123450 and back; exact for every bigint. For tests and for whoever reads amounts of people.
CREATE FUNCTION aegis_app.to_decimal(minor bigint, currency text) RETURNS text
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT round(minor::numeric / power(10::numeric, c.exponent), c.exponent)::text FROM aegis_app.currencies() c WHERE c.code = currency $$;
COMMENT ON FUNCTION aegis_app.to_decimal(bigint, text) IS 'an amount as people write it, with a point; NULL for an unknown currency';

CREATE FUNCTION aegis_app.to_minor(amount text, currency text) RETURNS bigint
  LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  digits smallint := (SELECT c.exponent FROM aegis_app.currencies() c WHERE c.code = currency);
BEGIN
  IF digits IS NULL OR amount !~ '^-?[0-9]{1,19}([.][0-9]{1,4})?$' OR length(split_part(amount, '.', 2)) > digits THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'not an amount of this currency',
      HINT = 'Write digits, and a point with no more decimals than the currency has.';
  END IF;
  RETURN (amount::numeric * power(10::numeric, digits))::bigint;  -- 22003 beyond a bigint
END $$;
COMMENT ON FUNCTION aegis_app.to_minor(text, text) IS 'minor units of an amount as people write it; raises when it is not exact';

-- Never through a float; what does not fit a bigint raises 22003.
CREATE FUNCTION aegis_app.round_minor(amount numeric, rounding text) RETURNS bigint
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT (CASE rounding WHEN 'half-up' THEN round(amount)
                          ELSE round(amount) - CASE WHEN abs(amount - trunc(amount)) = 0.5 AND round(amount) % 2 <> 0 THEN sign(amount) ELSE 0 END
            END)::bigint $$;
COMMENT ON FUNCTION aegis_app.round_minor(numeric, text) IS
  'whole minor units; "half-up" takes halves away from zero, "half-even" to the even neighbour';

-- A decimal as a JSON number or string: digits and a point, no exponent, no sign.
CREATE FUNCTION aegis_app.decimal_field(body jsonb, field text, decimals integer, low numeric, high numeric, fallback numeric)
  RETURNS numeric LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  text_value text := body ->> field;
BEGIN
  IF text_value IS NULL THEN
    RETURN fallback;
  END IF;
  IF jsonb_typeof(body -> field) NOT IN ('number', 'string') OR text_value !~ '^[0-9]{1,9}([.][0-9]{1,12})?$' OR scale(trim_scale(text_value::numeric)) > decimals THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('field "%s" must be a number with at most %s decimals', field, decimals);
  END IF;
  IF text_value::numeric < low OR text_value::numeric > high THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('field "%s" must be between %s and %s', field, low, high);
  END IF;
  RETURN trim_scale(text_value::numeric);
END $$;
COMMENT ON FUNCTION aegis_app.decimal_field(jsonb, text, integer, numeric, numeric, numeric) IS
  'decimal of a JSON field; raises invalid_parameter_value when it is none, too fine or outside low..high';
