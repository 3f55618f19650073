// Customers: made, found, changed, and what happens when two change one.
import { equal, login, ok, settled, test, url } from "./runner.mjs";

const who = () => login("user", { tenant: "castellan-legal", nth: 0 });
const unique = () => `${Date.now().toString(36)}${Math.random().toString(36).slice(2, 6)}`;

export async function run() {
  const name = `Oda Brandt ${unique()}`;
  const email = `oda.${unique()}@customers.example`;

  await test("customers/create-by-keyboard", async ({ open }) => {
    const { page, go } = await open({ who: who() });
    await go("/dashboard");
    await page.keyboard.press("g");
    await page.keyboard.press("c");
    await page.waitForURL("**/customers");
    await settled(page);
    for (let i = 0; i < 40 && (await page.evaluate(() => document.activeElement.textContent)) !== "New customer"; i += 1) await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog", { name: "New customer" }).waitFor();
    await page.keyboard.type(name);
    await page.keyboard.press("Tab");
    await page.keyboard.type(email);
    await page.keyboard.press("Tab");
    await page.keyboard.type("+44 20 7946 0123");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/customers/*");
    await page.getByRole("heading", { name }).waitFor();
    await page.getByRole("link", { name: email }).waitFor();
  });

  await test("customers/find-by-whole-address", async ({ open }) => {
    const { page, go } = await open({ who: who() });
    await go("/customers");
    await page.locator("h1").focus();
    await page.keyboard.press("/");
    await page.keyboard.type(email.toUpperCase());
    await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 1);
    await page.getByRole("link", { name }).waitFor();
    ok(!(await page.locator("table").innerText()).includes(email), "the list shows the whole address");
    await page.keyboard.press("Escape");
    await page.waitForFunction(() => document.querySelectorAll("tbody tr").length > 1);
    await page.getByRole("searchbox").fill("nobody@nowhere.example");
    await page.getByText("Nobody has this address").waitFor();
  });

  await test("customers/arrow-keys-and-more", async ({ open }) => {
    const { page, go } = await open({ who: login("admin", { tenant: "castellan-legal" }) });
    await go("/customers");
    const links = page.locator(".main-cell a");
    const before = await links.count();
    await links.first().focus();
    await page.keyboard.press("ArrowDown");
    equal(await page.evaluate(() => document.activeElement.getAttribute("href")), await links.nth(1).getAttribute("href"), "focus after the arrow");
    await page.getByRole("button", { name: "Show more" }).click();
    await page.waitForFunction((count) => document.querySelectorAll(".main-cell a").length > count, before);
  });

  await test("customers/address-taken", async ({ open }) => {
    const { page, go } = await open({ who: who() });
    await go("/customers");
    await page.getByRole("button", { name: "New customer" }).click();
    await page.getByLabel("Name").fill("Somebody Else");
    await page.getByLabel("E-mail", { exact: false }).last().fill(email);
    await page.getByRole("button", { name: "Create customer" }).click();
    await page.getByText("A customer with this e-mail address exists.").waitFor();
  });

  await test("customers/changed-meanwhile", async ({ open }) => {
    const { page, go, context } = await open({ who: who() });
    const found = await (await context.request.get(`${url}/api/customers?email=${encodeURIComponent(email)}`)).json();
    const path = `/customers/${found.customers[0].id}`;
    await go(path);
    await page.getByRole("button", { name: "Edit" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Phone").fill("+44 20 7946 0777");
    await dialog.getByLabel("Notes").fill("Ours");
    const other = await context.request.patch(`${url}/api${path}`, { headers: { Origin: url }, data: { phone: "+44 20 7946 0999", address: "9 Mill Lane" } });
    equal(other.status(), 200, "change by the other");
    await dialog.getByRole("button", { name: "Save" }).click();
    await dialog.getByText("Somebody changed this customer meanwhile.").waitFor();
    equal(await dialog.getByLabel("Address").inputValue(), "9 Mill Lane", "their address in our form");
    await dialog.getByRole("button", { name: "Take theirs" }).click();
    await dialog.getByRole("button", { name: "Save" }).click();
    await dialog.waitFor({ state: "detached" });
    const stored = await (await context.request.get(`${url}/api${path}`)).json();
    equal(stored.phone, "+44 20 7946 0999", "phone");
    equal(stored.notes, "Ours", "notes");
    equal(stored.address, "9 Mill Lane", "address");
  });
}
