// An invoice that is paid at a provider, once, and once too often; what a manager sees of money that belongs nowhere. The agent's part is
// left out: no page is made here. Secrets are made for this test.
import { createHmac } from "node:crypto";
import { execFileSync } from "node:child_process";
import { assertAccessible, equal, login, ok, readable, settled, test, url } from "./runner.mjs";

const { psql } = JSON.parse(process.env.BROWSER_TEST);
const SECRET = "whsec_payments_secret";
const TENANT = "castellan-legal";
const sql = (text) => execFileSync(psql[0], [...psql.slice(1), "-v", "ON_ERROR_STOP=1", "-c", text], { encoding: "utf8" }).trim();

async function deliver(context, path, id, transaction, reference, amount, currency) {
  const body = JSON.stringify({ id, type: "payment_intent.succeeded", livemode: false, created: Math.floor(Date.now() / 1000), data: { object: {
    id: transaction, amount_received: amount, currency, metadata: { aegis_reference: reference } } } });
  const at = Math.floor(Date.now() / 1000);
  const mac = createHmac("sha256", SECRET).update(`${at}.${body}`).digest("hex");
  equal((await context.request.post(url + path, { headers: { "Content-Type": "application/json", "Stripe-Signature": `t=${at},v1=${mac}` }, data: Buffer.from(body) })).status(), 200, id);
}

// A destination is an operator's to register, and an account an admin's to connect.
async function connect(context) {
  sql("SELECT aegis.register_destination('stripe', 'https://api.stripe.com')");
  const post = async (path, data) => {
    const made = await context.request.post(url + path, { headers: { Origin: url }, data });
    equal(made.status(), 201, await made.text());
    return made.json();
  };
  await post("/api/payment-accounts", { provider: "stripe", account: "acct_payments", currency: "GBP", live: false, destination: "stripe",
    return_url: "https://pay.example/back", credential: { key: "sk_test_browser" } });
  return (await post("/api/webhook-endpoints", { provider: "stripe", account: "acct_payments", secret: SECRET, live: false })).path;
}

async function sentInvoice(context) {
  const { customers } = await (await context.request.get(`${url}/api/customers?limit=1`)).json();
  const made = await (await context.request.post(`${url}/api/invoices`, { headers: { Origin: url }, data: { customer_id: customers[0].id, currency: "GBP", lines: [{ description: "Advice", unit_minor: "45000" }] } })).json();
  await context.request.post(`${url}/api/invoices/${made.id}/send`, { headers: { Origin: url }, data: {} });
  return made.id;
}

export async function run() {
  await test("payments/paid-and-paid-again", async ({ open }) => {
    const { page, go, context, assertClean } = await open({ who: login("admin", { tenant: TENANT }) });
    await go("/payments");
    await page.getByText("No money lies about").waitFor();
    await page.getByText("Nothing waits").waitFor();
    await page.getByText("No differences").waitFor();
    const path = await connect(context);
    const invoice = await sentInvoice(context);
    await go(`/invoices/${invoice}`);
    await page.getByText("Nothing was paid yet.").waitFor();
    await page.getByRole("button", { name: "Take a payment" }).click();
    const dialog = page.getByRole("dialog", { name: "Take a payment" });
    await dialog.getByLabel("Account").selectOption({ label: "Stripe, acct_payments (test)" });
    await dialog.getByRole("button", { name: "Make the page" }).click();
    await page.getByText("The page for the payer is being made.").waitFor();
    equal(await page.getByRole("button", { name: "Take a payment" }).count(), 0, "ways to a second page");

    const reference = sql(`SELECT reference FROM aegis_app.checkout WHERE invoice_id = '${invoice}'`);
    await deliver(context, path, "evt_paid", "pi_3QbrowserAAAAAAAAAAAAAAA", reference, 45000, "gbp");
    await go(`/invoices/${invoice}`);
    await page.locator(".badge", { hasText: "Paid" }).first().waitFor();
    await page.locator(".steps").getByText("Paid £450.00").waitFor();
    await deliver(context, path, "evt_again", "pi_3QbrowserBBBBBBBBBBBBBBB", reference, 45000, "gbp");
    await go(`/invoices/${invoice}`);
    await page.getByText("£450.00 belongs to no invoice.").waitFor();
    equal(await page.locator(".steps").getByText("Paid £450.00").count(), 2, "captures");
    await readable({ page, go }, `/invoices/${invoice}`);

    await go("/");
    await page.locator(".share-list li", { hasText: "Paid" }).getByText("1", { exact: true }).waitFor();
    await go("/payments");
    await page.getByRole("table", { name: "Unapplied money" }).getByText("£450.00").waitFor();
    await page.getByRole("link", { name: "pi_3QbrowserBBBBBBBBBBBBBBB" }).click();
    await page.getByRole("heading", { name: /^Invoice / }).waitFor();
    assertClean();
  });

  await test("payments/differences", async ({ open }) => {
    const { page, go, assertClean } = await open({ who: login("manager", { tenant: TENANT }) });
    sql(`BEGIN; SET LOCAL ROLE aegis_owner; SELECT aegis.enter_outbound((SELECT id FROM aegis.tenant WHERE slug = '${TENANT}'));
      WITH r AS (INSERT INTO aegis_app.reconciliation (account_id, from_time, to_time, open_calls, listed, differences, ended_at)
        SELECT a.id, now() - interval '1 day', now(), 0, 1, 1, now() FROM aegis_app.provider_account a RETURNING id)
      INSERT INTO aegis_app.reconciliation_difference (reconciliation_id, kind, transaction_id, recorded_minor, listed_minor, currency)
        SELECT r.id, 'amount', 'pi_3QbrowserAAAAAAAAAAAAAAA', 45000, 44000, 'GBP' FROM r; COMMIT`);
    await go("/payments");
    const row = page.getByRole("table", { name: "Differences" }).locator("tbody tr");
    equal(await row.count(), 1, "differences");
    ok((await row.innerText()).includes("£440.00"), "the listed amount is missing");
    await readable({ page, go }, "/payments");
    await page.getByRole("button", { name: "Dealt with: pi_3QbrowserAAAAAAAAAAAAAAA" }).click();
    await page.getByText("No differences").waitFor();
    assertClean();
  });

  await test("payments/for-managers-only", async ({ open }) => {
    const { page, go } = await open({ who: login("user", { tenant: TENANT }) });
    await go("/payments");
    await page.getByText("This page is for managers and admins").waitFor();
    equal(await page.locator("nav a[href='/payments']").count(), 0, "links to it");
  });
}
