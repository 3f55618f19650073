// Whoever has the link of an invoice pays it: from its page to the provider's and back, at Stripe by an address, at Authorize.Net by a form. The
// provider is simulated; agent, webhooks and everything between are not.
import { execFileSync, spawn } from "node:child_process";
import { assertAccessible, equal, login, ok, settled, test, url } from "./runner.mjs";

const { psql, provider, agent, ca } = JSON.parse(process.env.BROWSER_TEST);
const TENANT = "castellan-legal";
const sql = (text) => execFileSync(psql[0], [...psql.slice(1), "-v", "ON_ERROR_STOP=1", "-c", text], { encoding: "utf8" }).trim();
const shot = async (page, name) => process.env.AEGIS_SHOTS && page.screenshot({ path: `${process.env.AEGIS_SHOTS}/${name}.png` });

async function post(context, path, data, status = 201) {
  const made = await context.request.post(url + path, { headers: { Origin: url }, data });
  equal(made.status(), status, await made.text());
  return made.json();
}

const control = async (context, name, given = {}) => equal((await context.request.post(`${provider}/control/${name}`, { data: given })).status(), 200, name);

/** Accounts of both providers that payers are offered, and webhooks from the simulator. */
async function connect(context) {
  sql(`SELECT aegis.register_destination('simulated-stripe', '${provider}/stripe'), aegis.register_destination('simulated-anet', '${provider}/authorize_net/xml/v1/request.api');
    UPDATE aegis.payment_provider SET test_page = '${provider}/page/form' WHERE name = 'authorize_net'`);
  for (const [name, account, currency, destination, secret, credential] of [["stripe", "acct_simulated", "EUR", "simulated-stripe", "whsec_simulated_secret", { key: "sk_test_simulated" }],
    ["authorize_net", "simulated", "USD", "simulated-anet", "0123456789ABCDEF".repeat(8), { name: "login", key: "simulated" }]]) {
    await post(context, "/api/payment-accounts", { provider: name, account, currency, live: false, offered: true, destination, return_url: "https://pay.example/back", credential });
    const { path } = await post(context, "/api/webhook-endpoints", { provider: name, account, secret, live: false, currency });
    await control(context, "webhook", { provider: name, url: url + path, secret, ca });
  }
}

async function linked(context, currency, unit_minor) {
  const { customers } = await (await context.request.get(`${url}/api/customers?limit=1`)).json();
  const { id } = await post(context, "/api/invoices", { customer_id: customers[0].id, currency, lines: [{ description: "Advice", unit_minor }] });
  await post(context, `/api/invoices/${id}/send`, {}, 200);
  return { id, address: url + (await post(context, `/api/invoices/${id}/links`, {})).path };
}

const attempts = (id) => sql(`SELECT count(*) FROM aegis_app.checkout WHERE invoice_id = '${id}'`);

async function payAtProvider(page, card) {
  await page.getByRole("heading", { name: /^Pay / }).waitFor();
  await page.getByLabel("Test card").selectOption(card);
  await page.getByRole("button", { name: "Pay" }).click();
}

export async function run() {
  const carrier = spawn(agent[0], agent.slice(1), { stdio: "ignore", env: { PATH: process.env.PATH, LC_ALL: "C.UTF-8" } });
  try {
    await stories();
  } finally {
    carrier.kill();
  }
}

async function stories() {
  let euros;
  await test("invoice-pay/at-stripe-and-back", async ({ open }) => {
    const { context } = await open({ who: login("admin", { tenant: TENANT }) });
    await connect(context);
    euros = await linked(context, "EUR", "123450");
    const other = await open();
    await other.page.goto(euros.address);
    const { page } = await open();
    await page.goto(euros.address);
    const pay = page.getByRole("button", { name: "Pay €1,234.50" });
    await pay.waitFor();
    await settled(page);
    await assertAccessible(page, "an invoice that can be paid");
    await shot(page, "payer-pay");
    // Somebody else looks at the same link, and both click more than once.
    await Promise.all([pay.dblclick(), other.page.getByRole("button", { name: "Pay €1,234.50" }).dblclick()]);
    await Promise.all([page, other.page].map((one) => one.waitForURL(`${provider}/page/**`)));
    equal(page.url(), other.page.url(), "the page of both");
    equal(attempts(euros.id), "1", "attempts");

    await control(context, "misbehave", { hold: true });
    await payAtProvider(page, "4242424242424242");
    await page.waitForURL(`${url}/invoice#**`);
    await page.getByText("If you have paid, it stands here as soon as").waitFor();
    equal(await page.getByRole("button", { name: /^Pay / }).count(), 0, "ways to pay once more");
    ok(page.url().endsWith(euros.address.slice(-20)), "the token is not where it was");
    await assertAccessible(page, "an invoice that waits for the provider");
    await shot(page, "payer-back");
    equal(sql(`SELECT status FROM aegis_app.invoice WHERE id = '${euros.id}'`), "sent", "the invoice when the browser is back");
    await control(context, "misbehave");
    await control(context, "deliver");
    await page.getByText("Nothing is to be paid any more. Thank you.").waitFor({ timeout: 20_000 });
    await page.locator(".badge", { hasText: "Paid" }).waitFor();
    await shot(page, "payer-paid");
    equal((await page.context().cookies(url)).length, 0, "cookies");
  });

  await test("invoice-pay/by-a-form-on-a-telephone", async ({ open }) => {
    const { context } = await open({ who: login("admin", { tenant: TENANT }) });
    const dollars = await linked(context, "USD", "7000");
    const { page } = await open({ size: "phone", colors: "dark" });
    await page.goto(dollars.address);
    await page.getByRole("button", { name: /^Pay .*70\.00$/ }).waitFor();
    await settled(page);
    ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "wider than the window");
    await assertAccessible(page, "an invoice that can be paid, on a phone");
    await shot(page, "payer-pay-phone");
    await page.getByRole("button", { name: /^Pay / }).click();
    await page.waitForURL(`${provider}/page/form`);
    await payAtProvider(page, "5555555555554444");
    await page.getByText("Nothing is to be paid any more. Thank you.").waitFor({ timeout: 20_000 });
  });

  await test("invoice-pay/nothing-of-it-is-asked-twice", async ({ open }) => {
    const { context } = await open({ who: login("admin", { tenant: TENANT }) });
    const invoice = await linked(context, "EUR", "5000");
    const { page } = await open();
    await page.goto(invoice.address);
    await page.getByRole("button", { name: "Pay €50.00" }).waitFor();
    // Meanwhile it is voided.
    await post(context, `/api/invoices/${invoice.id}/void`, { reason: "a mistake" }, 200);
    await page.getByRole("button", { name: "Pay €50.00" }).click();
    await page.getByText("This invoice was voided. Nothing is to be paid.").waitFor();
    equal(await page.getByRole("button", { name: /^Pay / }).count(), 0, "ways to pay");
    equal(attempts(invoice.id), "0", "attempts");
    // Who comes back in another browser has no link.
    const stranger = await open();
    await stranger.page.goto(`${url}/invoice?back`);
    await stranger.page.getByRole("heading", { name: "Thank you" }).waitFor();
    await assertAccessible(stranger.page, "somebody who came back without the link");
  });
}
