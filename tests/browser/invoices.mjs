// An invoice from draft to cancelled, with exact money.
import { equal, login, ok, settled, test, url } from "./runner.mjs";

const who = () => login("user", { tenant: "brightwater-solar", nth: 1 });

export async function run() {
  await test("invoices/draft-send-cancel", async ({ open }) => {
    const { page, go, context } = await open({ who: who() });
    await go("/invoices/new");
    const customer = page.getByRole("combobox", { name: "Customer" });
    await customer.focus();
    await page.getByRole("option").first().waitFor();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    ok((await customer.inputValue()) !== "", "no customer was chosen");
    await page.getByLabel("Currency").selectOption("GBP");
    await page.getByLabel("Description").fill("Battery");
    await page.getByLabel("Quantity").fill("3");
    await page.getByLabel("Price").fill("5400.10");
    await page.getByRole("button", { name: "Add line" }).click();
    await page.getByLabel("Description").nth(1).fill("Travel");
    await page.getByLabel("Price").nth(1).fill("9999999999.99");
    equal(await page.locator(".lines-total").innerText(), "£10,000,016,200.29", "total while typing");
    await page.getByLabel("Memo").fill("Thank you");
    await page.getByRole("button", { name: "Create draft" }).click();
    await page.getByRole("heading", { name: "Draft invoice" }).waitFor();
    equal(await page.locator(".paper tfoot td").innerText(), "£10,000,016,200.29", "total of the draft");

    await page.getByRole("button", { name: "Edit" }).click();
    await page.getByRole("button", { name: "Remove line" }).nth(1).click();
    await page.getByRole("button", { name: "Save draft" }).click();
    await page.locator(".paper tfoot td").filter({ hasText: "£16,200.30" }).waitFor();

    await page.getByRole("button", { name: "Send" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Send invoice" }).click();
    await page.getByRole("heading", { name: /^Invoice INV-\d{6}$/ }).waitFor();
    const id = page.url().split("/").pop();
    const stored = await (await context.request.get(`${url}/api/invoices/${id}`)).json();
    equal(stored.status, "sent", "status");
    equal(stored.total_minor, "1620030", "total");
    ok((await page.locator(".hash").first().innerText()) === stored.content_sha256, "the page shows another hash");
    equal(await page.getByRole("button", { name: "Edit" }).count(), 0, "ways to edit a sent invoice");

    await page.getByRole("button", { name: "Cancel invoice" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Cancel invoice" }).click();
    await page.getByText("Reason is missing.").waitFor();
    await page.getByLabel("Reason").fill("Entered twice");
    await page.getByRole("dialog").getByRole("button", { name: "Cancel invoice" }).click();
    await page.locator(".badge", { hasText: "Cancelled" }).waitFor();
    equal((await (await context.request.get(`${url}/api/invoices/${id}`)).json()).status, "cancelled", "status");
    await page.reload();
    await page.locator(".steps").getByText("Entered twice").waitFor();
  });

  await test("invoices/tax-decimals-give-up", async ({ open }) => {
    const { page, go, context } = await open({ who: login("manager", { tenant: "brightwater-solar" }) });
    await go("/invoices/new");
    const customer = page.getByRole("combobox", { name: "Customer" });
    await customer.focus();
    await page.getByRole("option").first().waitFor();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.getByLabel("Currency").selectOption("EUR");
    await page.getByLabel("Description").fill("Survey");
    await page.getByLabel("Quantity").fill("2.5");
    await page.getByLabel("Price").fill("1.01");
    await page.getByLabel("Tax %").fill("10");
    equal(await page.locator(".lines-total").innerText(), "€2.78", "total while typing: 2.53 and 0.25");
    await page.getByRole("button", { name: "Create draft" }).click();
    await page.getByRole("heading", { name: "Draft invoice" }).waitFor();
    equal((await page.locator(".paper tfoot td").allInnerTexts()).join(" "), "€2.53 €0.25 €2.78", "sums of the draft");
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Send invoice" }).click();
    await page.getByRole("heading", { name: /^Invoice INV-/ }).waitFor();
    await page.getByRole("button", { name: "Mark uncollectible" }).click();
    await page.getByLabel("Reason").fill("Bankrupt");
    await page.getByRole("dialog").getByRole("button", { name: "Mark uncollectible" }).click();
    await page.locator(".page-head .badge", { hasText: "Uncollectible" }).waitFor();
    await page.locator(".steps").getByText("Bankrupt").waitFor();
    if (process.env.AEGIS_SHOTS) await page.screenshot({ path: `${process.env.AEGIS_SHOTS}/invoice.png`, fullPage: true });
    const id = page.url().split("/").pop();
    const stored = await (await context.request.get(`${url}/api/invoices/${id}`)).json();
    equal(`${stored.status} ${stored.total_minor} ${stored.tax_minor}`, "uncollectible 278 25", "what is stored");
  });

  await test("invoices/exponents-of-currencies", async ({ open }) => {
    const { page, go } = await open({ who: who() });
    await go("/invoices/new");
    for (const [currency, price, wanted] of [["JPY", "1250", "JP¥1,250"], ["KWD", "1.234", "KWD 1.234"], ["EUR", "0,5", "€0.50"]]) {
      await page.getByLabel("Currency").selectOption(currency);
      await page.getByLabel("Price").fill(price);
      equal((await page.locator(".lines-total").innerText()).replace(/\u00a0/g, " "), wanted, currency);
    }
    await page.getByLabel("Currency").selectOption("JPY");
    await page.getByLabel("Price").fill("12.5");
    await page.getByRole("button", { name: "Create draft" }).click();
    await page.getByText("JPY has no decimals.").waitFor();
  });

  await test("invoices/filter-and-print", async ({ open }) => {
    const { page, go } = await open({ who: login("admin", { tenant: "brightwater-solar" }) });
    await go("/invoices?status=draft");
    ok(await page.getByRole("radio", { name: "Drafts" }).isChecked(), "the status of the address is not chosen");
    await page.getByRole("radio", { name: "Drafts" }).focus();
    await page.keyboard.press("ArrowRight");
    await page.waitForFunction(() => location.search === "?status=sent");
    await settled(page);
    equal(await page.locator("tbody .badge", { hasText: /Draft|Cancelled/ }).count(), 0, "others in the list");
    await page.locator(".main-cell a").first().click();
    await page.locator(".paper").waitFor();
    await page.emulateMedia({ media: "print" });
    ok(!(await page.locator(".side").isVisible()) && (await page.locator(".paper").isVisible()), "paper shows more or less than the invoice");
  });

  await test("invoices/done-elsewhere-meanwhile", async ({ open }) => {
    const { page, go, context } = await open({ who: who() });
    const { invoices } = await (await context.request.get(`${url}/api/invoices?status=draft&limit=1`)).json();
    await go(`/invoices/${invoices[0].id}`);
    const done = await context.request.post(`${url}/api/invoices/${invoices[0].id}/cancel`, { headers: { Origin: url }, data: { reason: "Elsewhere" } });
    equal(done.status(), 200, "cancelled elsewhere");
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Send invoice" }).click();
    await page.getByText("is not possible for an invoice that is cancelled").waitFor();
    await page.locator(".page-head .badge", { hasText: "Cancelled" }).waitFor();
  });
}
