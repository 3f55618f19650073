// Every page, for each rank that may see it: loads without a complaint of browser or policy, readable for everybody.
import { assertAccessible, equal, login, ok, settled, test, url } from "./runner.mjs";

const TITLES = { "/dashboard": "Dashboard", "/customers": "Customers", "/invoices": "Invoices", "/invoices/new": "New invoice", "/checks": "Checks", "/subjects": "All checks", "/reporting": "Reporting", "/team": "Team" };
const ADMINS = { "/erasures": "Erasure", "/ledger": "Ledger", "/ledger/0": "Entry #0" };
// What a look can change: everything once, then colours in the dark, then all but colours where it is narrow.
const COLOURS = ["color-contrast"];
const LOOKS = [["light", "wide", {}], ["dark", "wide", { only: COLOURS }], ["light", "phone", { without: COLOURS }], ["dark", "phone", { only: COLOURS }]];

async function details(visit) {
  const ask = async (path) => (await visit.context.request.get(url + path)).json();
  const { customers } = await ask("/api/customers?limit=1");
  const { invoices } = await ask("/api/invoices?limit=1&status=sent");
  return { [`/customers/${customers[0].id}`]: customers[0].name, [`/invoices/${invoices[0].id}`]: `Invoice ${invoices[0].number}` };
}

async function visitAll(visit, titles, check) {
  for (const [path, title] of Object.entries(titles)) {
    await visit.go(path);
    await visit.page.waitForFunction((wanted) => document.title === wanted, `${title} · Aegis`);
    equal(await visit.page.locator("h1").count(), 1, `headings of ${path}`);
    equal(await visit.page.evaluate(() => document.activeElement.tagName), "H1", `focus after arriving at ${path}`);
    ok(await visit.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${path} is wider than the window`);
    equal(await visit.page.locator(".blank[role=alert]").count(), 0, `failures on ${path}`);
    await check?.(path);
    visit.assertClean();
  }
}

export async function run() {
  for (const [rank, nth] of [["user", 0], ["team lead", 0], ["manager", 0]]) {
    await test(`pages/${rank.replace(" ", "-")}`, async ({ open }) => {
      const visit = await open({ who: login(rank, { nth }) });
      await visitAll(visit, { ...TITLES, ...(await details(visit)) });
      equal(await visit.page.locator("nav a[href='/ledger']").count(), 0, "links to the ledger");
    });
  }

  await test("pages/api-docs", async ({ open }) => {
    const visit = await open({ who: login("manager", { nth: 1 }) });
    await visitAll(visit, { "/api-docs": "API" });
    await visit.page.getByRole("searchbox").fill("post invoices");
    const operation = visit.page.locator(".api-operation").first();
    await operation.locator("summary").click();
    await operation.getByText(`curl -X POST '${url}/api/invoices'`).waitFor();
    await assertAccessible(visit.page, "an operation");
  });

  await test("pages/ledger-is-for-admins", async ({ open }) => {
    const visit = await open({ who: login("user") });
    for (const path of ["/ledger", "/ledger/0"]) {
      await visit.go(path);
      await visit.page.getByText("This page is for admins").waitFor();
    }
  });

  for (const [colors, size, rules] of LOOKS) {
    await test(`pages/admin-${colors}-${size}`, async ({ open }) => {
      const visit = await open({ who: login("admin", { tenant: "brightwater-solar" }), colors, size });
      await visitAll(visit, { ...TITLES, ...ADMINS, ...(await details(visit)) }, (path) => assertAccessible(visit.page, path, rules));
    });
    await test(`pages/sign-in-${colors}-${size}`, async ({ open }) => {
      const visit = await open({ colors, size });
      await visit.go("/login?reason=signed_in_elsewhere");
      visit.assertClean();
      await assertAccessible(visit.page, "/login", rules);
    });
  }

  await test("pages/bar-on-a-phone", async ({ open }) => {
    const visit = await open({ who: login("admin"), size: "phone" });
    for (const path of ["/dashboard", "/ledger"]) {
      await visit.go(path);
      const bar = await visit.page.locator("nav.nav").evaluate((nav) => {
        const boxOf = (node) => { const range = document.createRange(); range.selectNodeContents(node); return range.getBoundingClientRect(); };
        const words = [...nav.querySelectorAll("a")].map((link) => boxOf(link.lastChild));
        const here = boxOf(nav.querySelector("[aria-current]"));
        return { gap: Math.min(...words.slice(1).map((word, at) => word.left - words[at].right)), seen: here.left >= 0 && here.right <= innerWidth };
      });
      ok(bar.gap >= 4, `labels of ${path} are ${bar.gap} pixels apart`);
      ok(bar.seen, `the place of ${path} is not in sight`);
      ok(await visit.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${path} is wider than the window`);
    }
    visit.assertClean();
  });

  await test("pages/dialogs-are-accessible", async ({ open }) => {
    const visit = await open({ who: login("admin", { tenant: "castellan-legal" }) });
    for (const [path, button] of [["/customers", "New customer"], ["/team", "New person"], ["/team", "New team"]]) {
      await visit.go(path);
      await visit.page.getByRole("button", { name: button }).click();
      await visit.page.getByRole("dialog", { name: button }).waitFor();
      await assertAccessible(visit.page, button);
      await visit.page.keyboard.press("Escape");
      equal(await visit.page.getByRole("dialog").count(), 0, "dialogs after Escape");
      equal(await visit.page.evaluate(() => document.activeElement.textContent), button, "focus after Escape");
    }
  });

  await test("pages/skipping-to-the-content-keeps-what-was-typed", async ({ open }) => {
    const { page, go } = await open({ who: login("user", { tenant: "castellan-legal" }) });
    await go("/invoices/new");
    await page.getByLabel("Memo").fill("half a thought");
    await page.locator(".skip").focus();
    await page.keyboard.press("Enter");
    await page.waitForURL("**/invoices/new#main");
    await page.evaluate(() => new Promise((done) => { addEventListener("popstate", () => setTimeout(done), { once: true }); history.back(); }));
    equal(new URL(page.url()).hash, "", "fragment after going back");
    equal(await page.getByLabel("Memo").inputValue(), "half a thought", "memo");
  });

  await test("pages/theme-is-remembered", async ({ open }) => {
    const visit = await open({ who: login("admin", { tenant: "castellan-legal" }) });
    await visit.go("/dashboard");
    await visit.page.getByRole("button", { name: "Light or dark colours" }).click();
    await visit.page.reload();
    await settled(visit.page);
    equal(await visit.page.evaluate(() => document.documentElement.dataset.theme), "dark", "theme");
  });

  await test("pages/every-module-is-asked-for-at-once", async ({ open }) => {
    const { page, go } = await open();
    await go("/login");
    const [wanted, loaded] = await page.evaluate(() => [[...document.querySelectorAll("link[rel=modulepreload], script[src]")].map((node) => node.href || node.src).sort(),
      performance.getEntriesByType("resource").map((entry) => entry.name).filter((name) => name.endsWith(".js")).sort()]);
    equal(JSON.stringify([...new Set(loaded)]), JSON.stringify(wanted), "modules");
  });

  await test("pages/without-a-session", async ({ open }) => {
    const visit = await open();
    await visit.page.goto(`${url}/invoices?status=sent`);
    await visit.page.waitForURL("**/login?*");
    equal(new URL(visit.page.url()).searchParams.get("next"), "/invoices?status=sent", "where to go next");
  });
}
