-- What calls to payment providers look like and what their answers mean, as data: a new provider is a row. docs/checkout.md.

-- The members of JSON for Authorize.Net have an order, so bodies are texts here.
INSERT INTO aegis.payment_provider (name, label, hand_off, page, test_page, lifetime, decimals, names_currency, secrets, calls, by_extension) VALUES
('stripe', 'Stripe Checkout', 'redirect', NULL, NULL, '1 hour', false, true, '{key}', $calls$ {
  "create": {
    "method": "POST", "path": "/v1/checkout/sessions", "headers": {"authorization": "Bearer {{secret.key}}"}, "accept": [200, 400, 402, 409],
    "form": {"mode": "payment", "client_reference_id": "{{reference}}", "metadata[aegis_reference]": "{{reference}}",
             "payment_intent_data[metadata][aegis_reference]": "{{reference}}", "line_items[0][quantity]": "1",
             "line_items[0][price_data][currency]": "{{currency}}", "line_items[0][price_data][unit_amount]": "{{amount}}",
             "line_items[0][price_data][product_data][name]": "{{title}}", "success_url": "{{return_url}}", "cancel_url": "{{return_url}}",
             "expires_at": "{{expires_unix}}"},
    "good": "$ ? (exists(@.url))",
    "fields": {"provider_checkout_id": "$.id", "hand_off": "$.url", "error": "$.error.code"}
  },
  "poll": {
    "method": "GET", "path": "/v1/checkout/sessions/{{provider_checkout_id}}", "headers": {"authorization": "Bearer {{secret.key}}"},
    "good": "$ ? (exists(@.status))", "items": "$ ? (@.client_reference_id == $reference)",
    "fields": {"transaction_id": "$.payment_intent", "amount": "$.amount_total", "currency": "$.currency", "seconds": "$.created", "live": "$.livemode"},
    "cases": {"settled": "$ ? (@.payment_status == \"paid\")", "expired": "$ ? (@.status == \"expired\")"}
  },
  "details": {
    "method": "GET", "path": "/v1/payment_intents/{{transaction_id}}", "query": {"expand[]": "latest_charge"},
    "headers": {"authorization": "Bearer {{secret.key}}"}, "accept": [200, 404],
    "good": "$ ? (@.object == \"payment_intent\")", "items": "$ ? (@.id == $transaction_id)",
    "fields": {"transaction_id": "$.id", "amount": "$.amount_received", "currency": "$.currency", "reference": "$.metadata.aegis_reference",
               "seconds": "$.latest_charge.created", "live": "$.livemode", "brand": "$.latest_charge.payment_method_details.card.brand",
               "card": "$.latest_charge.payment_method_details.card.last4", "authorisation_code": "$.latest_charge.authorization_code",
               "avs_result": "$.latest_charge.payment_method_details.card.checks.address_line1_check",
               "code_result": "$.latest_charge.payment_method_details.card.checks.cvc_check"},
    "cases": {"settled": "$ ? (@.status == \"succeeded\")", "authorised": "$ ? (@.status == \"requires_capture\")", "voided": "$ ? (@.status == \"canceled\")"}
  },
  "refund": {
    "method": "POST", "path": "/v1/refunds", "headers": {"authorization": "Bearer {{secret.key}}"}, "accept": [200, 400, 402, 404, 409],
    "form": {"payment_intent": "{{transaction_id}}", "amount": "{{amount}}", "metadata[aegis_reference]": "{{reference}}"},
    "good": "$ ? (exists(@.id) && (@.status == \"succeeded\" || @.status == \"pending\"))",
    "fields": {"effect_reference": "$.id", "amount": "$.amount", "currency": "$.currency", "seconds": "$.created", "error": "$.error.code"},
    "cases": {"refunded": "$ ? (@.status == \"succeeded\")"}
  },
  "list": {
    "method": "GET", "path": "/v1/payment_intents", "headers": {"authorization": "Bearer {{secret.key}}"}, "answer_bytes": 1048576,
    "query": {"limit": "100", "created[gte]": "{{from_unix}}", "created[lt]": "{{to_unix}}", "starting_after": "{{cursor}}"},
    "good": "$ ? (@.object == \"list\")", "items": "$.data[*] ? (@.status == \"succeeded\")",
    "fields": {"transaction_id": "$.id", "amount": "$.amount_received", "currency": "$.currency", "reference": "$.metadata.aegis_reference", "seconds": "$.created"},
    "next": {"list": "$ ? (@.has_more == true).data[last].id"}
  },
  "expire": {
    "method": "POST", "path": "/v1/checkout/sessions/{{provider_checkout_id}}/expire", "headers": {"authorization": "Bearer {{secret.key}}"},
    "form": {}, "accept": [200, 400, 404], "good": "$ ? (exists(@.status) || exists(@.error))", "fields": {"status": "$.status"}
  },
  "event": {
    "method": "GET", "path": "/v1/events/{{event_id}}", "headers": {"authorization": "Bearer {{secret.key}}"}, "accept": [200, 404],
    "good": "$ ? (@.object == \"event\")"
  }
} $calls$, true),
('authorize_net', 'Authorize.Net Accept Hosted', 'form', 'https://accept.authorize.net/payment/payment', 'https://test.authorize.net/payment/payment',
 '15 minutes', true, false, '{name,key}', $calls$ {
  "create": {
    "method": "POST",
    "json": "{\"getHostedPaymentPageRequest\":{\"merchantAuthentication\":{\"name\":\"{{secret.name}}\",\"transactionKey\":\"{{secret.key}}\"},\"refId\":\"{{reference}}\",\"transactionRequest\":{\"transactionType\":\"authCaptureTransaction\",\"amount\":\"{{amount}}\",\"order\":{\"invoiceNumber\":\"{{reference}}\",\"description\":\"{{title}}\"}},\"hostedPaymentSettings\":{\"setting\":[{\"settingName\":\"hostedPaymentReturnOptions\",\"settingValue\":\"{{return_options}}\"},{\"settingName\":\"hostedPaymentPaymentOptions\",\"settingValue\":\"{\\\"cardCodeRequired\\\":true,\\\"showBankAccount\\\":false}\"}]}}}",
    "good": "$ ? (@.messages.resultCode == \"Ok\" && exists(@.token))",
    "fields": {"hand_off": "$.token", "error": "$.messages.message[0].code"}
  },
  "poll": {
    "method": "POST", "answer_bytes": 1048576,
    "json": "{\"getUnsettledTransactionListRequest\":{\"merchantAuthentication\":{\"name\":\"{{secret.name}}\",\"transactionKey\":\"{{secret.key}}\"},\"sorting\":{\"orderBy\":\"submitTimeUTC\",\"orderDescending\":\"true\"},\"paging\":{\"limit\":\"1000\",\"offset\":\"1\"}}}",
    "good": "$ ? (@.messages.resultCode == \"Ok\")", "items": "$.transactions[*] ? (@.invoiceNumber == $reference)",
    "fields": {"transaction_id": "$.transId", "amount": "$.settleAmount", "reference": "$.invoiceNumber", "at": "$.submitTimeUTC", "brand": "$.accountType", "card": "$.accountNumber"},
    "cases": {"settled": "$ ? (@.transactionStatus == \"capturedPendingSettlement\" || @.transactionStatus == \"settledSuccessfully\")",
              "authorised": "$ ? (@.transactionStatus == \"authorizedPendingCapture\")",
              "held": "$ ? (@.transactionStatus == \"FDSPendingReview\" || @.transactionStatus == \"FDSAuthorizedPendingReview\")",
              "failed": "$ ? (@.transactionStatus == \"declined\")"}
  },
  "details": {
    "method": "POST",
    "json": "{\"getTransactionDetailsRequest\":{\"merchantAuthentication\":{\"name\":\"{{secret.name}}\",\"transactionKey\":\"{{secret.key}}\"},\"transId\":\"{{transaction_id}}\"}}",
    "good": "$ ? (@.messages.resultCode == \"Ok\")", "items": "$.transaction ? (@.transId == $transaction_id)",
    "fields": {"transaction_id": "$.transId", "parent_transaction_id": "$.refTransId", "amount": "$.settleAmount", "reference": "$.order.invoiceNumber",
               "at": "$.submitTimeUTC", "result_code": "$.responseCode", "brand": "$.payment.creditCard.cardType", "card": "$.payment.creditCard.cardNumber",
               "authorisation_code": "$.authCode", "avs_result": "$.AVSResponse", "code_result": "$.cardCodeResponse"},
    "cases": {"refunded": "$ ? (@.transactionType == \"refundTransaction\" && (@.transactionStatus == \"refundPendingSettlement\" || @.transactionStatus == \"refundSettledSuccessfully\"))",
              "voided": "$ ? (@.transactionStatus == \"voided\")",
              "settled": "$ ? (@.transactionStatus == \"capturedPendingSettlement\" || @.transactionStatus == \"settledSuccessfully\")",
              "authorised": "$ ? (@.transactionStatus == \"authorizedPendingCapture\")",
              "held": "$ ? (@.transactionStatus == \"FDSPendingReview\" || @.transactionStatus == \"FDSAuthorizedPendingReview\")",
              "failed": "$ ? (@.transactionStatus == \"declined\")"}
  },
  "refund": {
    "method": "POST",
    "json": "{\"createTransactionRequest\":{\"merchantAuthentication\":{\"name\":\"{{secret.name}}\",\"transactionKey\":\"{{secret.key}}\"},\"refId\":\"{{reference}}\",\"transactionRequest\":{\"transactionType\":\"refundTransaction\",\"amount\":\"{{amount}}\",\"payment\":{\"creditCard\":{\"cardNumber\":\"{{last_four}}\",\"expirationDate\":\"XXXX\"}},\"refTransId\":\"{{transaction_id}}\",\"order\":{\"invoiceNumber\":\"{{reference}}\"},\"transactionSettings\":{\"setting\":[{\"settingName\":\"duplicateWindow\",\"settingValue\":\"28800\"}]}}}}",
    "good": "$ ? (@.transactionResponse.responseCode == \"1\")",
    "fields": {"effect_reference": "$.transactionResponse.transId", "error": "$.transactionResponse.errors[0].errorCode"},
    "cases": {"refunded": "$ ? (@.transactionResponse.responseCode == \"1\")"}
  },
  "list": {
    "method": "POST", "answer_bytes": 1048576,
    "json": "{\"getSettledBatchListRequest\":{\"merchantAuthentication\":{\"name\":\"{{secret.name}}\",\"transactionKey\":\"{{secret.key}}\"},\"firstSettlementDate\":\"{{from_time}}\",\"lastSettlementDate\":\"{{to_time}}\"}}",
    "good": "$ ? (@.messages.resultCode == \"Ok\")", "next": {"batch": "$.batchList[*].batchId", "unsettled": "$ ? (@.messages.resultCode == \"Ok\").messages.resultCode"}
  },
  "batch": {
    "method": "POST", "answer_bytes": 1048576,
    "json": "{\"getTransactionListRequest\":{\"merchantAuthentication\":{\"name\":\"{{secret.name}}\",\"transactionKey\":\"{{secret.key}}\"},\"batchId\":\"{{cursor}}\",\"sorting\":{\"orderBy\":\"id\",\"orderDescending\":\"false\"},\"paging\":{\"limit\":\"1000\",\"offset\":\"1\"}}}",
    "good": "$ ? (@.messages.resultCode == \"Ok\")", "items": "$.transactions[*] ? (@.transactionStatus == \"settledSuccessfully\")",
    "fields": {"transaction_id": "$.transId", "amount": "$.settleAmount", "reference": "$.invoiceNumber", "at": "$.submitTimeUTC"}
  },
  "unsettled": {
    "method": "POST", "answer_bytes": 1048576,
    "json": "{\"getUnsettledTransactionListRequest\":{\"merchantAuthentication\":{\"name\":\"{{secret.name}}\",\"transactionKey\":\"{{secret.key}}\"},\"sorting\":{\"orderBy\":\"submitTimeUTC\",\"orderDescending\":\"true\"},\"paging\":{\"limit\":\"1000\",\"offset\":\"1\"}}}",
    "good": "$ ? (@.messages.resultCode == \"Ok\")", "items": "$.transactions[*] ? (@.transactionStatus == \"capturedPendingSettlement\")",
    "fields": {"transaction_id": "$.transId", "amount": "$.settleAmount", "reference": "$.invoiceNumber", "at": "$.submitTimeUTC"}
  }
} $calls$, true)
  -- Of an application that was dropped and made again.
  ON CONFLICT (name) DO UPDATE SET label = EXCLUDED.label, hand_off = EXCLUDED.hand_off, page = EXCLUDED.page, test_page = EXCLUDED.test_page,
    lifetime = EXCLUDED.lifetime, decimals = EXCLUDED.decimals, names_currency = EXCLUDED.names_currency, secrets = EXCLUDED.secrets,
    calls = EXCLUDED.calls, by_extension = true;

-- Amounts: how a provider writes so much of a currency, or NULL where it cannot.
CREATE FUNCTION aegis_app.provider_amount(provider text, currency text, minor bigint) RETURNS text
  LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  how    aegis.payment_provider;
  digits integer := aegis_app.iso_exponent(currency);
  amount numeric;
BEGIN
  SELECT p.* INTO how FROM aegis.payment_provider p WHERE p.name = provider_amount.provider;
  amount := minor * 10::numeric ^ (aegis_app.provider_exponent(provider, currency) - digits);
  IF how.decimals THEN
    RETURN round(amount, digits)::text;
  END IF;
  -- Where the provider's smallest amount is ten of the currency's, no other can be asked for.
  RETURN CASE WHEN amount = trunc(amount) AND NOT (digits = 3 AND amount % 10 <> 0) THEN trunc(amount)::text END;
END $$;
COMMENT ON FUNCTION aegis_app.provider_amount(text, text, bigint) IS 'an amount as a provider writes it, exactly; NULL where it cannot be said';
