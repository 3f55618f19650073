// What people do who are not signed in: accept an invitation, replace a forgotten password, look how the service is. And where
// one is signed in.
import { execFileSync } from "node:child_process";
import { assertAccessible, equal, login, ok, settled, test, url } from "./runner.mjs";

const { psql } = JSON.parse(process.env.BROWSER_TEST);
const SIZES = [["light", "wide"], ["dark", "phone"]];

// The path and token of the newest mail to an address, as the agent would carry it.
function mailedPath(address) {
  const text = execFileSync(psql[0], [...psql.slice(1), "-c",
    `SELECT mail ->> 'text' FROM (SELECT id, convert_from(payload, 'UTF8')::jsonb AS mail FROM aegis.claim_outbound(ARRAY['mail'], 100)) m WHERE mail ->> 'to' = '${address}' ORDER BY id DESC LIMIT 1`], { encoding: "utf8" });
  return /https:\/\/localhost:\d+(\/\S+)/.exec(text)[1];
}

const shot = async (page, name) => process.env.AEGIS_SHOTS && page.screenshot({ path: `${process.env.AEGIS_SHOTS}/${name}.png` });
const narrow = async (page, what) => ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${what} is wider than the window`);

async function choose(page, password, action) {
  await page.getByRole("textbox", { name: "New password" }).fill(password);
  await page.getByLabel("The same again").fill(password);
  await page.getByRole("button", { name: action }).click();
}

async function signIn(page, tenant, email, password) {
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(password);
  equal(await page.getByLabel("Organisation").inputValue(), tenant, "the organisation that is remembered");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL("**/dashboard");
}

export async function run() {
  await test("links/invitation-and-reset", async ({ open }) => {
    const admin = await open({ who: login("admin", { tenant: "castellan-legal" }) });
    const { page } = admin;
    await admin.go("/team");
    await page.getByRole("button", { name: "Invite" }).click();
    const dialog = page.getByRole("dialog", { name: "Invite somebody" });
    await dialog.waitFor();
    await assertAccessible(page, "inviting");
    const email = "nina.new@castellan-legal.example";
    await dialog.getByLabel("Name").fill("Nina New");
    await dialog.getByLabel("E-mail").fill(email);
    await dialog.getByRole("button", { name: "Invite" }).click();
    const row = page.getByRole("row", { name: /Nina New/ });
    await row.getByText("Invited", { exact: true }).waitFor();
    await shot(page, "team-invited");

    const guest = await open();
    await guest.go(mailedPath(email));
    equal(new URL(guest.page.url()).hash, "", "the token in the address");
    await assertAccessible(guest.page, "/invitation");
    await shot(guest.page, "invitation");
    await choose(guest.page, "eleven-bright-magpies-argue-52", "Save");
    await guest.page.getByText("Your password is set.").waitFor();
    await signIn(guest.page, "castellan-legal", email, "eleven-bright-magpies-argue-52");
    guest.assertClean();

    // Forgotten: a link, a new password, and the session elsewhere is over.
    const again = await open();
    await again.go("/login");
    await again.page.getByRole("link", { name: "Forgotten your password?" }).click();
    await settled(again.page);
    await assertAccessible(again.page, "/reset");
    await again.page.getByLabel("Organisation").fill("castellan-legal");
    await again.page.getByLabel("E-mail").fill(email);
    await again.page.getByRole("button", { name: "Send the link" }).click();
    await again.page.getByRole("heading", { name: "Look into your mail" }).waitFor();
    const path = mailedPath(email);
    await again.go(path);
    await choose(again.page, "eleven-bright-magpies-argue-53", "Save");
    await again.page.getByText("Your password is set.").waitFor();
    await signIn(again.page, "castellan-legal", email, "eleven-bright-magpies-argue-53");
    equal((await guest.context.request.get(`${url}/api/session`)).status(), 401, "the session from before");
    await again.go(path);
    await choose(again.page, "eleven-bright-magpies-argue-54", "Save");
    await again.page.getByRole("heading", { name: "This link does not work" }).waitFor();
    again.assertClean();
  });

  await test("links/sessions", async ({ open }) => {
    const first = await open({ who: login("user", { tenant: "castellan-legal", nth: 2 }) });
    const admin = await open({ who: login("admin", { tenant: "castellan-legal" }) });
    await admin.go("/security");
    await admin.page.getByText("(this one)").waitFor();
    await admin.page.getByRole("radio", { name: "Everybody" }).check();
    await settled(admin.page);
    await assertAccessible(admin.page, "/security");
    await shot(admin.page, "security-sessions");
    const rows = admin.page.getByRole("table", { name: "Sessions" }).getByRole("row");
    ok((await rows.count()) >= 3, "sessions of everybody");
    const name = await admin.page.evaluate(async () => {
      const { users } = await (await fetch("/api/users")).json();
      return Object.fromEntries(users.map((one) => [one.email, one.name]));
    });
    const row = rows.filter({ hasText: name[login("user", { tenant: "castellan-legal", nth: 2 }).email] });
    await row.getByRole("button", { name: /End the session/ }).click();
    await admin.page.getByRole("dialog").getByRole("button", { name: "End", exact: true }).click();
    await admin.page.getByText("Session ended.").waitFor();
    equal((await first.context.request.get(`${url}/api/session`)).status(), 401, "the session that was ended");
    admin.assertClean();
  });

  for (const [colors, size] of SIZES) {
    await test(`links/status-${colors}-${size}`, async ({ open }) => {
      const visit = await open({ colors, size });
      await visit.go("/status");
      await visit.page.getByText("Works").first().waitFor();
      await narrow(visit.page, "/status");
      await assertAccessible(visit.page, "/status");
      await shot(visit.page, `status-${colors}-${size}`);
      for (const path of ["/reset", "/sign-up", "/invitation"]) {
        await visit.go(path);
        await narrow(visit.page, path);
        await assertAccessible(visit.page, path);
      }
      visit.assertClean();
    });
  }
}
