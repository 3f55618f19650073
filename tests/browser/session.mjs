// One user, one session: who signs in elsewhere ends it here, and is told.
import { equal, login, ok, settled, signInByRequest, test, url } from "./runner.mjs";

const SENTENCE = "You were signed out because you signed in on another device.";

async function assertTold(page, started, within) {
  await page.getByText(SENTENCE).waitFor({ timeout: within });
  const query = new URL(page.url()).searchParams;
  equal(query.get("reason"), "signed_in_elsewhere", "reason");
  return Date.now() - started;
}

/** Runs beside the other stories: most of it is waiting. */
export async function background() {
  await test("session/idle-page-notices-within-20-s", async ({ open }) => {
    const who = login("user", { tenant: "brightwater-solar", nth: 5 });
    const first = await open({ who });
    await first.go("/invoices");
    const started = Date.now();
    const second = await open({ who });
    await second.go("/dashboard");
    await assertTold(first.page, started, 20_000);
    equal(new URL(first.page.url()).searchParams.get("next"), "/invoices", "where to go on");
    await settled(second.page);
    equal(new URL(second.page.url()).pathname, "/dashboard", "the newer session's page");
  });
}

export async function run() {
  await test("session/next-action-notices-at-once", async ({ open }) => {
    const who = login("user", { tenant: "brightwater-solar", nth: 6 });
    const first = await open({ who });
    await first.go("/customers");
    const second = await open();
    await signInByRequest(second.context, who);
    await first.page.getByRole("navigation").getByRole("link", { name: "Invoices" }).click();
    await assertTold(first.page, Date.now(), 3_000);
  });

  await test("session/going-back-afterwards-shows-nobody", async ({ open }) => {
    const who = login("user", { tenant: "brightwater-solar", nth: 6 });
    const first = await open({ who });
    const { customers } = await (await first.context.request.get(`${url}/api/customers`)).json();
    const names = customers.map((one) => one.name);
    ok(names.length > 0, "the samples have no customers");
    // Whatever the document holds at any moment, in this one and in each that comes after it.
    const seen = new Set();
    await first.page.exposeBinding("reportName", (_, name) => { seen.add(name); });
    const watch = (wanted) => {
      const look = () => {
        const held = document.documentElement?.outerHTML ?? "";
        for (const name of wanted) if (held.includes(name)) window.reportName(name);
      };
      new MutationObserver(look).observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
      for (const event of ["pageshow", "popstate"]) window.addEventListener(event, look);
      look();
    };
    await first.page.addInitScript(watch, names);
    await first.go("/dashboard");
    await first.go("/customers");
    await first.page.getByText(names[0]).first().waitFor();
    ok(seen.has(names[0]), "the watch sees what is shown");
    const second = await open();
    await signInByRequest(second.context, who);
    await first.page.getByRole("navigation").getByRole("link", { name: "Invoices" }).click();
    await assertTold(first.page, Date.now(), 3_000);
    ok(!(await first.page.content()).includes(names[0]), "the page that tells it holds a name");
    seen.clear();
    for (let step = 0; step < 2; step += 1) {  // to the pages of customers and of the dashboard
      await first.page.goBack({ waitUntil: "commit" });
      await first.page.getByRole("button", { name: "Sign in" }).waitFor();
      await first.page.waitForLoadState("networkidle");
    }
    equal([...seen].join(", "), "", "names after going back");
    equal(new URL(first.page.url()).pathname, "/login", "where it ends");
  });

  await test("session/coming-back-to-the-tab-notices", async ({ open }) => {
    const who = login("user", { tenant: "brightwater-solar", nth: 7 });
    const first = await open({ who });
    await first.go("/customers");
    const second = await open();
    await signInByRequest(second.context, who);
    await first.page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
    await assertTold(first.page, Date.now(), 3_000);
  });

  await test("session/ended-says-so", async ({ open }) => {
    const first = await open({ who: login("user", { tenant: "brightwater-solar", nth: 7 }) });
    await first.go("/customers");
    await first.context.clearCookies();
    await first.page.getByRole("navigation").getByRole("link", { name: "Invoices" }).click();
    await first.page.getByText("Your session has ended.").waitFor();
  });
}
