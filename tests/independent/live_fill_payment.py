# SPDX-License-Identifier: Apache-2.0
"""Fills what payments seal: the credential of an account, the page that a payer is sent to, why money goes back."""
import json

from live_database import literal

# The provider's answers, as the agent hands them over; the address has characters that no provider sends.
ANSWERS = """
BEGIN;
SET LOCAL ROLE aegis_owner;
SELECT aegis.enter_outbound('%(tenant)s') \\g /dev/null
SELECT aegis_app.take_create(a, p.calls -> 'create', c.id, %(page)s)
  FROM aegis_app.checkout c JOIN aegis_app.provider_account a ON a.tenant_id = c.tenant_id AND a.id = c.account_id
  JOIN aegis.payment_provider p ON p.name = a.provider WHERE c.tenant_id = '%(tenant)s' \\g /dev/null
SELECT aegis_app.apply_payment_event(jsonb_populate_record(NULL::aegis_app.provider_event, jsonb_build_object(
         'provider', a.provider, 'account', a.account, 'event_id', 'evt_1', 'kind', 'settled', 'transaction_id', 'pi_1', 'reference', c.reference,
         'amount_minor', c.amount_minor, 'currency', c.currency, 'occurred_at', now(), 'live', a.live, 'document', '{}'::jsonb)))
  FROM aegis_app.checkout c JOIN aegis_app.provider_account a ON a.tenant_id = c.tenant_id AND a.id = c.account_id
 WHERE c.tenant_id = '%(tenant)s' \\g /dev/null
COMMIT;
"""


def checkout(fill, n):
    """An admin connects an account, and sends the payer of a sent invoice to its provider."""
    out = fill.call("post_account", "account", body={
        "provider": "stripe", "account": "acct_%d" % n, "currency": "EUR", "live": False, "destination": "stripe",
        "return_url": "https://pay.example/\u00fcber", "credential": {"key": "sk_test_not_a_key_%d" % n}})
    return (out + "SELECT id AS invoice FROM aegis_app.invoice WHERE status = 'sent' LIMIT 1 \\gset\n"
            + fill.step("post_checkout", "invoice", "jsonb_build_object('account_id', :'account')"))


def refund():
    body = literal(json.dumps({"amount_minor": "100", "reason": "zur\u00fcck \u2013 \u5c71\u7530 \U0001F4B8"}, ensure_ascii=False))
    return ("SELECT (aegis_app.post_refund(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('params', jsonb_build_object('id', p.id),"
            " 'headers', '{\"idempotency-key\": \"once\"}'::jsonb, 'body', %s::jsonb)))).status FROM aegis_app.payment p \\g /dev/null\n" % body)


def fill_payments(fill):
    fill.database.script("SELECT aegis.register_destination('stripe', 'https://api.stripe.com');", "operator")
    for n, tenant in enumerate(fill.tenants.values()):
        fill.as_user(2 * n, checkout(fill, n))
        page = json.dumps({"id": "cs_1", "url": "https://checkout.stripe.com/c/pay/cs_1#fid%2F~aegis"})
        fill.database.script(ANSWERS % {"tenant": tenant, "page": literal(page)})
        fill.as_user(2 * n, refund())
        fill.database.value("SELECT aegis.wait_sealed('60 s')")
