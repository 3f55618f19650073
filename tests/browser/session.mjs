// One user, one session: who signs in elsewhere ends it here, and is told.
import { equal, login, settled, signInByRequest, test } from "./runner.mjs";

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
