// What comes after an invoice was sent: links for whoever is to pay, mail, credit notes; and the page that a link opens.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { assertAccessible, equal, login, ok, settled, test, url } from "./runner.mjs";

const post = (context, path, data) => context.request.post(url + path, { headers: { Origin: url }, data });

async function sentInvoice(context, currency = "EUR") {
  const { customers } = await (await context.request.get(`${url}/api/customers?limit=20`)).json();
  const draft = await (await post(context, "/api/invoices", { customer_id: customers.find((one) => one.email).id, currency, memo: "Thank you",
    lines: [{ description: "Battery", quantity: 2, unit_minor: "540010", tax_rate: 20 }] })).json();
  return (await post(context, `/api/invoices/${draft.id}/send`, {})).json();
}

export async function run() {
  await test("invoice-link/payer-sees-it-until-it-is-taken-back", async ({ open }) => {
    const { page, go, context } = await open({ who: login("manager", { tenant: "brightwater-solar" }) });
    const invoice = await sentInvoice(context);
    await go(`/invoices/${invoice.id}`);
    const links = page.getByRole("region", { name: "Links" });
    await links.getByText("No links yet").waitFor();
    await links.getByRole("button", { name: "New link" }).click();
    await page.getByLabel("Valid for").selectOption("7");
    await page.getByRole("button", { name: "Make link" }).click();
    const address = await page.getByRole("dialog").locator(".hash").innerText();
    ok(address.startsWith(`${url}/invoice#agu1_`), "the link is another page's");
    await page.getByRole("button", { name: "Close" }).click();
    await links.getByText("Not opened yet").waitFor();
    await assertAccessible(page, "an invoice with a link");

    // Somebody without an account, on a telephone and in the dark as well.
    for (const [size, colors] of [["wide", "light"], ["phone", "dark"]]) {
      const payer = await open({ size, colors });
      await payer.page.goto(address);
      await payer.page.getByRole("heading", { name: `Invoice ${invoice.number}` }).waitFor();
      await settled(payer.page);
      equal((await payer.page.locator(".paper tfoot td").allInnerTexts()).join(" "), "€10,800.20 €2,160.04 €12,960.24", "sums");
      await payer.page.getByText("Thank you").waitFor();
      const [file] = await Promise.all([payer.page.waitForEvent("download"), payer.page.getByRole("button", { name: "Download PDF" }).click()]);
      equal(file.suggestedFilename(), `${invoice.number}.pdf`, "name of the file");
      const digest = createHash("sha256").update(readFileSync(await file.path())).digest("hex");
      ok(readFileSync(await file.path()).subarray(0, 5).toString() === "%PDF-", "the file is no PDF");
      const own = await context.request.get(`${url}/api/invoices/${invoice.id}/pdf`);
      equal(digest, createHash("sha256").update(await own.body()).digest("hex"), "the payer's file and the sender's");
      equal(await payer.page.locator("h1").count(), 1, "headings");
      equal(await payer.page.locator("a[href^='/'], nav").count(), 0, "ways into the console");
      ok(await payer.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "wider than the window");
      await assertAccessible(payer.page, `the payer's page, ${size}`);
      equal((await payer.context.cookies()).length, 0, "cookies");
    }

    await page.reload();
    await links.getByText("Opened").waitFor();
    await page.getByText("Viewed by the customer").waitFor();
    await links.getByRole("button", { name: "Take back link" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Take back" }).click();
    await links.getByText("Taken back").waitFor();
    const late = await open();
    await late.page.goto(address);
    await late.page.getByRole("heading", { name: "This link does not work" }).waitFor();
    await assertAccessible(late.page, "a link that was taken back");
  });

  await test("invoice-link/mail-and-credit", async ({ open }) => {
    const { page, go, context } = await open({ who: login("manager", { tenant: "brightwater-solar" }) });
    const invoice = await sentInvoice(context);
    await go(`/invoices/${invoice.id}`);
    await page.getByRole("button", { name: "Mail invoice" }).click();
    await page.getByLabel("Language").selectOption("de");
    await page.getByRole("button", { name: "Send mail" }).click();
    await page.getByRole("region", { name: "Links" }).getByText("Not opened yet").waitFor();

    await page.getByRole("button", { name: "Credit invoice" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Issue credit note" }).click();
    await page.getByText("Reason is missing.").waitFor();
    await page.getByLabel("Reason").fill("Damaged on the way");
    await page.getByLabel("Amount").fill("1000.50");
    await page.getByLabel("Tax %").fill("20");
    await assertAccessible(page, "the form of a credit note");
    await page.getByRole("dialog").getByRole("button", { name: "Issue credit note" }).click();
    await page.getByText(/^CN-\d{6}$/).waitFor();
    equal((await page.locator(".paper tfoot td").allInnerTexts()).join(" "), "€10,800.20 €2,160.04 €12,960.24 €1,200.60 €11,759.64", "sums after the credit note");
    await page.getByRole("button", { name: /^Void CN-/ }).click();
    await page.getByLabel("Reason").fill("Sent twice");
    await page.getByRole("dialog").getByRole("button", { name: "Void credit note" }).click();
    await page.locator(".link-row .badge", { hasText: "Void" }).waitFor();
    equal((await (await context.request.get(`${url}/api/invoices/${invoice.id}`)).json()).credited_minor, "0", "credited");
    await page.getByRole("button", { name: "Credit invoice" }).click();
    await page.getByLabel("Reason").fill("All of it");
    await page.getByRole("dialog").getByRole("button", { name: "Issue credit note" }).click();
    await page.locator(".page-head .badge", { hasText: "Paid" }).waitFor();
    equal((await (await context.request.get(`${url}/api/invoices/${invoice.id}`)).json()).due_minor, "0", "due");
  });
}
