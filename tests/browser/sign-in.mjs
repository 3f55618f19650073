// Signing in and out.
import { equal, login, ok, settled, test, url } from "./runner.mjs";

const type = async (page, who, password = who.password) => {
  await page.getByLabel("Organisation").fill(who.tenant);
  await page.getByLabel("E-mail").fill(who.email);
  await page.getByLabel("Password").fill(password);
};

export async function run() {
  await test("sign-in/keyboard-only", async ({ open }) => {
    const who = login("user", { nth: 1 });
    const { page, go } = await open();
    await go("/");
    await page.waitForURL("**/login");
    await page.waitForFunction(() => document.activeElement.name === "tenant");
    await page.keyboard.type(who.tenant);
    await page.keyboard.press("Tab");
    await page.keyboard.type(who.email);
    await page.keyboard.press("Tab");
    await page.keyboard.type(who.password);
    await page.keyboard.press("Enter");
    await page.waitForURL("**/dashboard");
    await settled(page);
    // Arriving puts the focus on the heading, past the navigation; who goes back to the start finds the way past it.
    equal(await page.evaluate(() => document.activeElement.tagName), "H1", "focus after signing in");
    for (let i = 0; i < 20 && (await page.evaluate(() => document.activeElement.textContent)) !== "Skip to content"; i += 1) await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Enter");
    equal(await page.evaluate(() => document.activeElement.id), "main", "focus after the skip link");
  });

  await test("sign-in/wrong-password", async ({ open }) => {
    const who = login("user", { nth: 1 });
    const { page, go } = await open();
    await go("/login");
    await type(page, who, "not the password at all");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").getByText("do not fit together").waitFor();
    equal(await page.getByLabel("Password").inputValue(), "", "password after the refusal");
    equal(await page.evaluate(() => document.activeElement.name), "password", "focus after the refusal");
    equal(await page.getByLabel("E-mail").inputValue(), who.email, "e-mail after the refusal");
  });

  await test("sign-in/missing-and-malformed-fields", async ({ open }) => {
    const { page, go } = await open();
    await go("/login");
    await page.getByLabel("E-mail").fill("nobody");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("Organisation is missing.").waitFor();
    await page.getByText("This is not an e-mail address.").waitFor();
    equal(await page.evaluate(() => document.activeElement.name), "tenant", "focus on the first wrong field");
    equal(await page.getByLabel("Password").getAttribute("aria-invalid"), "true", "mark of the password");
  });

  await test("sign-in/busy-says-when-to-come-back", async ({ open }) => {
    const who = login("user", { nth: 1 });
    const { page, go } = await open();
    // The real answer needs another attempt in the same instant; its form is that of the server.
    await page.route("**/api/session", (route) => (route.request().method() === "POST"
      ? route.fulfill({ status: 429, headers: { "content-type": "application/problem+json", "retry-after": "2" }, body: JSON.stringify({ type: "urn:aegis:problem:busy", title: "Too many sign-ins at once", status: 429 }) })
      : route.continue()));
    await go("/login");
    await type(page, who);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("You can try again in").waitFor();
    ok(await page.getByRole("button", { name: "Sign in" }).isDisabled(), "the button does not wait");
    await page.waitForFunction(() => !document.querySelector("button[type=submit]").disabled);
    await page.unroute("**/api/session");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL("**/dashboard");
  });

  await test("sign-in/back-to-the-page-and-nowhere-else", async ({ open }) => {
    const who = login("user", { nth: 2 });
    for (const [next, wanted] of [["/invoices?status=sent", "/invoices?status=sent"], ["//evil.example/customers", "/dashboard"], ["/\\evil.example", "/dashboard"]]) {
      const { page, go } = await open();
      await go(`/login?next=${encodeURIComponent(next)}`);
      await type(page, who);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.waitForFunction(() => location.pathname !== "/login");
      equal(page.url(), url + wanted, `after next=${next}`);
    }
  });

  await test("sign-in/only-own-pages-follow", async ({ open }) => {
    const { page, go } = await open();
    await go("/login");
    const answers = await page.evaluate(async (main) => {
      const { safePath } = await import(main.replace("main.js", "router.js"));
      return ["/team", "/customers/1?a=b", "https://evil.example/", "//evil.example/team", "/\\evil.example/team", "\\\\evil.example", "javascript:alert(1)", "/api/customers", "/login", "", null].map(safePath);
    }, await page.locator("script[type=module]").getAttribute("src"));
    equal(JSON.stringify(answers), JSON.stringify(["/team", "/customers/1?a=b", ...Array(9).fill("/dashboard")]), "where to go next");
  });

  await test("sign-in/out-again", async ({ open }) => {
    const { page, go, context } = await open({ who: login("user", { nth: 3 }) });
    await go("/dashboard");
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByText("You are signed out.").waitFor();
    equal((await context.request.get(`${url}/api/session`)).status(), 401, "session after signing out");
    await page.goBack();
    await page.waitForFunction(() => location.pathname === "/login");
  });
}
