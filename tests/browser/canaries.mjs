// Markup in names, memos and reasons is shown as the text that it is, everywhere.
import { equal, login, ok, settled, test, url } from "./runner.mjs";

const canary = (place) => `<img src=x onerror="window.struck='${place}'"><script>window.struck='${place}'</script>${place}`;

export async function run() {
  await test("canaries/shown-as-text", async ({ open }) => {
    const visit = await open({ who: login("admin", { tenant: "castellan-legal" }) });
    const { page, go, context } = visit;
    const call = async (method, path, data) => {
      const answer = await context.request[method](`${url}/api${path}`, { headers: { Origin: url }, data });
      ok(answer.ok(), `${path}: ${answer.status()} ${await answer.text()}`);
      return answer.json();
    };
    const customer = await call("post", "/customers", { name: canary("name"), address: canary("address"), notes: canary("notes") });
    const lines = [{ description: canary("line"), quantity: 1, unit_minor: "100" }];
    const invoice = await call("post", "/invoices", { customer_id: customer.id, currency: "GBP", memo: canary("memo"), lines });
    await call("post", `/invoices/${invoice.id}/cancel`, { reason: canary("reason") });
    await call("post", "/teams", { name: `${canary("team").slice(0, 90)} ${Date.now() % 1e6}` });

    const seen = async (path, ...places) => {
      await go(path);
      const shown = await page.locator("main").innerText();
      for (const place of places) ok(shown.includes(canary(place).slice(0, 40)), `${path} does not show the ${place}`);
      equal(await page.evaluate(() => window.struck), undefined, `scripts run on ${path}`);
      equal(await page.locator("main img, main script").count(), 0, `elements made of text on ${path}`);
    };
    await seen("/customers", "name");
    await seen(`/customers/${customer.id}`, "name", "address", "notes");
    await seen("/invoices", "name");
    await seen(`/invoices/${invoice.id}`, "name", "line", "memo");
    await seen("/dashboard", "name");
    await seen("/team", "team");
    await seen("/ledger");
    await go("/invoices/new");
    await page.getByRole("combobox", { name: "Customer" }).fill("onerror");
    await page.getByRole("option").first().waitFor();
    await settled(page);
    equal(await page.evaluate(() => window.struck), undefined, "scripts run by the list");
  });
}
