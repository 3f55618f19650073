// The second factor: set up on the page, asked for at sign-in, and what happens to those who do not have it.
import { execFileSync } from "node:child_process";
import { assertAccessible, equal, login, ok, settled, test, url } from "./runner.mjs";

// An authenticator of somebody else's making.
const codeOf = (secret, away = 0) => execFileSync("oathtool", ["--totp", "--base32", "--now", `@${Math.floor(Date.now() / 1000) + 30 * away}`, secret], { encoding: "utf8" }).trim();
const SIZES = [["light", "wide"], ["dark", "phone"]];

async function typePassword(page, who) {
  await page.getByLabel("Organisation").fill(who.tenant);
  await page.getByLabel("E-mail").fill(who.email);
  await page.getByLabel("Password").fill(who.password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

export async function run() {
  await test("security/second-factor", async ({ open }) => {
    const who = login("team lead", { tenant: "castellan-legal" });
    const first = await open({ who });
    const { page, go } = first;
    await go("/security");
    await assertAccessible(page, "/security");
    await page.getByRole("button", { name: "Set up" }).click();
    const dialog = page.getByRole("dialog", { name: "Set up a second factor" });
    await dialog.waitFor();
    await assertAccessible(page, "setting up");
    ok(await page.evaluate(() => { const image = document.querySelector("img.qr"); return image.complete && image.naturalWidth > 0; }), "the QR code is not shown");
    const secret = (await dialog.locator(".hash").textContent()).replaceAll(" ", "");
    await dialog.getByLabel("Code").fill("000000");
    await dialog.getByRole("button", { name: "Confirm" }).click();
    await dialog.getByText("This code does not fit").waitFor();
    await dialog.getByLabel("Code").fill(codeOf(secret, -1));
    await dialog.getByRole("button", { name: "Confirm" }).click();
    const codes = page.getByRole("dialog", { name: "Recovery codes" });
    await codes.waitFor();
    await assertAccessible(page, "recovery codes");
    equal(await codes.locator("li").count(), 10, "recovery codes");
    const recovery = await codes.locator("li").first().textContent();
    await page.keyboard.press("Escape");
    await page.getByText("On", { exact: true }).waitFor();

    // The password alone neither opens anything nor ends the session elsewhere.
    const second = await open();
    await second.go("/login");
    await typePassword(second.page, who);
    await second.page.getByRole("heading", { name: "Confirm it is you" }).waitFor();
    await assertAccessible(second.page, "the second step");
    equal((await first.context.request.get(`${url}/api/session`)).status(), 200, "the first session");
    equal((await second.context.request.get(`${url}/api/session`)).status(), 401, "the second one");
    await second.page.getByLabel("Code").fill("000000");
    await second.page.getByRole("button", { name: "Confirm" }).click();
    await second.page.getByText("This code is not right.").waitFor();
    await second.page.getByLabel("Code").fill(codeOf(secret));
    await second.page.getByRole("button", { name: "Confirm" }).click();
    await second.page.waitForURL("**/dashboard");
    await settled(second.page);
    await page.getByRole("navigation").getByRole("link", { name: "Invoices" }).click();
    await page.getByText("You were signed out because you signed in on another device.").waitFor();

    // A recovery code in its place.
    const third = await open();
    await third.go("/login");
    await typePassword(third.page, who);
    await third.page.getByLabel("Code").fill(recovery.toUpperCase());
    await third.page.getByRole("button", { name: "Confirm" }).click();
    await third.page.waitForURL("**/dashboard");
  });

  for (const [colors, size] of SIZES) {
    await test(`security/page-${colors}-${size}`, async ({ open }) => {
      const visit = await open({ who: login("user", { tenant: "castellan-legal", nth: 1 }), colors, size });
      await visit.go("/security");
      ok(await visit.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "/security is wider than the window");
      await assertAccessible(visit.page, "/security");
      await visit.page.getByRole("button", { name: "Set up" }).click();
      await visit.page.getByRole("dialog", { name: "Set up a second factor" }).waitFor();
      ok(await visit.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "the dialog is wider than the window");
      await assertAccessible(visit.page, "setting up");
      if (process.env.AEGIS_SHOTS) await visit.page.screenshot({ path: `${process.env.AEGIS_SHOTS}/security-${colors}-${size}.png` });
    });
  }
}
