// What a payment provider sent, as admins see it. The secret is made for this test.
import { createHmac } from "node:crypto";
import { assertAccessible, equal, login, ok, settled, test, url } from "./runner.mjs";

const SECRET = "whsec_browser_secret";
const who = () => login("admin", { tenant: "brightwater-solar" });

async function deliver(context, path, body) {
  const at = Math.floor(Date.now() / 1000);
  const mac = createHmac("sha256", SECRET).update(`${at}.${body}`).digest("hex");
  return (await context.request.post(url + path, { headers: { "Content-Type": "application/json", "Stripe-Signature": `t=${at},v1=${mac}` }, data: Buffer.from(body) })).status();
}

// Of a payment that is not known: it waits for it.
const refundOf = (id, amount) => JSON.stringify({ id, type: "refund.created", livemode: true, created: 1766500000, data: { object: {
  id: "re_3NG8Du2eZvKYlo2C1FKiMyZ5", payment_intent: "pi_3NG8Du2eZvKYlo2C1FKiMyZ5", amount, currency: "jpy", status: "succeeded", card: { number: "4242424242424242" } } } });
const settledOf = (id, amount) => JSON.stringify({ id, type: "payment_intent.succeeded", livemode: true, created: 1766500000, data: { object: {
  id: "pi_3NG8Du2eZvKYlo2C1FKiMyZ5", amount_received: amount, currency: "jpy", card: { number: "4242424242424242" } } } });

export async function run() {
  await test("webhooks/inbox-quarantine-and-again", async ({ open }) => {
    const { page, go, context, assertClean } = await open({ who: who() });
    await go("/webhooks");
    await page.getByText("No messages yet").waitFor();
    const made = await context.request.post(`${url}/api/webhook-endpoints`, { headers: { Origin: url }, data: { provider: "stripe", account: "acct_browser", secret: SECRET } });
    equal(made.status(), 201, await made.text());
    const { path } = await made.json();
    equal(await deliver(context, path, refundOf("evt_good", 500)), 200, "a good message");
    equal(await deliver(context, path, settledOf("evt_odd", 500.5)), 200, "an amount that cannot be");
    equal(await deliver(context, path, "{\"id\": "), 400, "no JSON");

    await page.reload();
    await settled(page);
    equal(await page.locator("table").first().locator("tbody tr").count(), 3, "messages");
    await page.getByText(path).waitFor();
    await page.getByRole("radio", { name: "Quarantine" }).check();
    await page.waitForFunction(() => location.search === "?state=quarantined");
    await settled(page);
    equal(await page.locator("table").first().locator("tbody tr").count(), 2, "messages in quarantine");
    await page.getByText("Not read").click();
    await page.getByText("no well-formed JSON").waitFor();
    equal(await page.getByRole("button", { name: "Process again" }).count(), 0, "ways to process what was not kept");

    await go("/webhooks?state=unmatched");
    await page.locator(".main-cell a").first().click();
    await page.getByRole("heading", { name: "refund.created" }).waitFor();
    await page.locator("pre").waitFor();
    const kept = await page.locator("pre").innerText();
    ok(kept.includes("\"amount\": 500") && !kept.includes("4242"), kept);
    await page.getByRole("button", { name: "Process again" }).click();
    await page.getByText("Processed again.").waitFor();
    for (const [theme, width] of [["light", 1280], ["dark", 390]]) {
      await page.emulateMedia({ colorScheme: theme });
      await page.setViewportSize({ width, height: 800 });
      for (const address of ["/webhooks", new URL(page.url()).pathname]) {
        await go(address);
        await settled(page);
        ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${address} is wider than the window`);
        await assertAccessible(page, `${address}, ${theme}`);
      }
    }
    assertClean();
  });

  await test("webhooks/for-admins-only", async ({ open }) => {
    const { page, go } = await open({ who: login("manager", { tenant: "brightwater-solar" }) });
    await go("/webhooks");
    await page.getByText("This page is for admins").waitFor();
    equal(await page.locator("nav a[href='/webhooks']").count(), 0, "links to it");
  });
}
