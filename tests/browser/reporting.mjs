// A report of suspicion from who files it to who decides it; for everybody else no page says, asks or weighs anything else than before.
import { execFileSync } from "node:child_process";
import { assertAccessible, equal, login, ok, readable, settled, test, url } from "./runner.mjs";

const { psql } = JSON.parse(process.env.BROWSER_TEST);
const TENANT = "brightwater-solar";
const sql = (text) => execFileSync(psql[0], psql.slice(1), { input: text, encoding: "utf8" }).trim();
const someone = (rank, nth) => login(rank, { tenant: TENANT, nth });
const NARRATIVE = "Paid forty invoices in cash, each just below the limit.";
const MARKUP = "<img src=x onerror=\"window.struck='report'\">";
const card = (page, name) => page.getByRole("region", { name, exact: true });

/** What a page is to somebody: its words without times that go on, where it leads, what it asked for, and how much came. */
async function pictureOf({ page, go }, path) {
  const came = [];
  const take = (response) => came.push(response.body().then((body) => `${response.request().method()} ${new URL(response.url()).pathname}${new URL(response.url()).search} ${response.status()} ${body.length}`));
  page.on("response", take);
  await go(path);
  await page.waitForLoadState("networkidle");
  page.off("response", take);
  const seen = await page.evaluate(() => {
    const copy = document.body.cloneNode(true);
    for (const node of copy.querySelectorAll("time, script")) node.remove();
    return [copy.textContent.replace(/Request [0-9a-f-]{36}/g, "Request"), ...[...document.querySelectorAll("a[href]")].map((node) => node.getAttribute("href")), document.title].join("\n");
  });
  // Whether the session still holds is asked again and again.
  return [seen, ...[...new Set(await Promise.all(came))].filter((line) => !line.includes("/assets/")).sort()].join("\n");
}

/** The first line in which two pictures differ, which is short enough to read. */
function same(got, wanted, what) {
  const [here, there] = [got.split("\n"), wanted.split("\n")];
  const place = here.findIndex((line, at) => line !== there[at]);
  equal(`${here.length} lines, ${here[place] ?? ""}`, `${there.length} lines, ${there[place === -1 ? here.length : place] ?? ""}`, what);
}

export async function run() {
  let officer;
  let report;
  let subject;

  await test("reporting/an-admin-appoints-after-a-fresh-confirmation", async ({ open }) => {
    const { page, go } = await open({ who: someone("admin") });
    await go("/reporting");
    await page.getByText("Until somebody is, nobody reads what is reported.").waitFor();
    equal(await card(page, "Reports").count(), 0, "reports for who is no officer");
    await page.getByRole("button", { name: "Appoint a reporting officer" }).click();
    const dialog = page.getByRole("dialog", { name: "Appoint a reporting officer" });
    await assertAccessible(page, "the dialog of an appointment");
    const { email } = someone("user", 1);
    const { users } = await (await page.request.get(`${url}/api/users`)).json();
    officer = users.find((user) => user.email === email);
    equal(await dialog.locator("option", { hasText: users.find((user) => user.email === someone("admin").email).name }).count(), 0, "oneself among those to appoint");
    await dialog.getByLabel("Who").selectOption(officer.id);
    let asked = 0;
    await page.route("**/api/reporting-officers", (route) => (route.request().method() === "POST" && asked++ === 0
      ? route.fulfill({ status: 401, contentType: "application/problem+json", body: JSON.stringify({ type: "urn:aegis:problem:step-up-required", title: "Confirm who you are first", status: 401 }) }) : route.continue()));
    await dialog.getByRole("button", { name: "Appoint" }).click();
    const confirm = page.getByRole("dialog", { name: "Confirm it is you" });
    await confirm.getByLabel("Password").fill(someone("admin").password);
    await confirm.getByRole("button", { name: "Confirm" }).click();
    await card(page, "Reporting officers").getByText(officer.name).waitFor();
    equal(asked, 2, "attempts to appoint");
  });

  await test("reporting/filed-by-keyboard-and-never-seen-again", async ({ open }) => {
    const visit = await open({ who: someone("user") });
    const { page, go, context } = visit;
    const made = await context.request.post(`${url}/api/kyc/subjects`, { headers: { Origin: url }, data: { kind: "person", name: "Quentin Reportcheck" } });
    subject = (await made.json()).id;
    await readable(visit, "/reporting");
    await go("/reporting");
    await page.getByRole("button", { name: "New report" }).focus();
    await page.keyboard.press("Enter");
    const dialog = page.getByRole("dialog", { name: "New report" });
    await assertAccessible(page, "the dialog of a report");
    await dialog.getByRole("button", { name: "Send" }).click();
    await dialog.getByText("What is suspicious is missing.").waitFor();
    await dialog.getByRole("combobox", { name: "About" }).focus();
    await page.keyboard.type("Quentin");
    await dialog.getByRole("option", { name: /Quentin Reportcheck/ }).waitFor();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    await page.keyboard.type("His card is 4111 1111 1111 1111");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await dialog.locator(".field-error, .notice-bad", { hasText: /card/ }).first().waitFor();
    await dialog.getByLabel("What is suspicious").fill(`${NARRATIVE} ${MARKUP}`);
    await dialog.getByRole("button", { name: "Send" }).click();
    await dialog.waitFor({ state: "detached" });
    await page.getByText("Sent.").first().waitFor();
    await page.reload();
    await settled(page);
    ok(!(await page.content()).includes("forty invoices"), "who filed a report reads it again");
    equal(await page.evaluate(() => [...Object.values(localStorage), ...Object.values(sessionStorage)].join().includes("forty")), false, "the browser keeps what was written");
    equal((await context.request.get(`${url}/api/suspicion-reports`)).status(), 403, "the list, for who filed");
  });

  await test("reporting/an-officer-of-the-lowest-rank-reads-and-decides", async ({ open }) => {
    const visit = await open({ who: someone("user", 1) });
    const { page, go } = visit;
    await readable(visit, "/reporting");
    await go("/reporting");
    const reports = card(page, "Reports");
    equal(await reports.locator("tbody tr").count(), 1, "reports");
    await reports.getByText("Paid forty invoices in cash").waitFor();
    await reports.getByRole("link").first().focus();
    await page.keyboard.press("Enter");
    await page.waitForURL("**/reporting/*");
    report = new URL(page.url()).pathname;
    await readable(visit, report);
    await go(report);
    await page.getByText(MARKUP).waitFor();
    equal(await page.evaluate(() => [window.struck, document.querySelectorAll("main img").length].join()), ",0", "elements made of what somebody wrote");
    await page.getByRole("button", { name: "Dismiss the report" }).click();
    await page.getByRole("dialog", { name: "Dismiss the report" }).getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("button", { name: "Pass on to the authority" }).click();
    const dialog = page.getByRole("dialog", { name: "Pass on to the authority" });
    await assertAccessible(page, "the dialog of a decision");
    await dialog.getByRole("button", { name: "Record it" }).click();
    await dialog.getByText("Why is missing.").waitFor();
    await dialog.getByLabel("Why").fill("Cannot be explained");
    await dialog.getByLabel("Reference of the authority").fill("NCA 4711");
    await dialog.getByRole("button", { name: "Record it" }).click();
    await page.getByText("You passed it on").waitFor();
    await page.getByText("NCA 4711").waitFor();
    equal(await page.getByRole("button", { name: "Pass on to the authority" }).count(), 0, "another decision");
    await readable(visit, report);
    await go("/reporting");
    await page.getByText("Nothing to decide").waitFor();
    await reports.getByRole("radio", { name: "Passed on" }).check();
    await reports.locator("tbody tr").waitFor();
  });

  await test("reporting/for-all-others-nothing-changes", async ({ open }) => {
    const pages = ["/reporting", "/checks", "/subjects", `/subjects/${subject}`, "/team"];
    const visits = [];
    for (const rank of ["user", "team lead", "manager", "admin"]) visits.push({ rank, ...(await open({ who: someone(rank) })) });
    const picture = async (visit) => {
      const found = [];
      for (const path of pages) found.push(await pictureOf(visit, path));
      return found.join("\n\n");
    };
    const pictures = () => Promise.all(visits.map(picture));
    await pictures(); // names that a tab keeps are asked for once
    const before = await pictures();
    const answer = await visits[0].context.request.post(`${url}/api/kyc/subjects/${subject}/suspicion`, { headers: { Origin: url }, data: { narrative: "Again in cash." } });
    equal(answer.status(), 204, "another report");
    const after = await pictures();
    for (const [place, visit] of visits.entries()) {
      same(after[place], before[place], `what the pages are to a ${visit.rank}, with another report`);
      ok(!/suspicion-reports/.test(before[place]), `a page asks for reports for a ${visit.rank}`);
    }
    // The address of a report says no more than one of none.
    for (const visit of visits) {
      const there = (await pictureOf(visit, report)).replaceAll(report.split("/").pop(), "ID");
      const nowhere = (await pictureOf(visit, `/reporting/${subject}`)).replaceAll(subject, "ID");
      same(there, nowhere, `the address of a report, and of none, for a ${visit.rank}`);
      await visit.page.getByText("Not permitted").waitFor();
    }
    // The comparison would see something: an officer's page does change.
    const officers = await open({ who: someone("user", 1) });
    const was = await pictureOf(officers, "/reporting");
    equal((await visits[0].context.request.post(`${url}/api/kyc/subjects/${subject}/suspicion`, { headers: { Origin: url }, data: { narrative: "And again." } })).status(), 204, "a third report");
    ok((await pictureOf(officers, "/reporting")) !== was, "the page of an officer is the same with another report");
    equal(sql(`SELECT count(*) FROM aegis.audit_log WHERE tenant_id = (SELECT id FROM aegis.tenant WHERE slug = '${TENANT}') AND event ~ '^suspicion[.](filed|disclosed|dismissed)'`), "0", "entries in the tenant's log");
  });

  await test("reporting/an-officer-who-was-dismissed-reads-nothing", async ({ open }) => {
    const admin = await open({ who: someone("admin") });
    await readable(admin, "/reporting");
    await admin.go("/reporting");
    await admin.page.getByRole("button", { name: `Dismiss: ${officer.name}` }).click();
    await admin.page.getByText("Nobody is reporting officer").waitFor();
    const before = await open({ who: someone("user", 1) });
    await before.go("/reporting");
    await before.page.getByText("Until an admin appoints somebody").waitFor();
    equal(await card(before.page, "Reports").count(), 0, "reports for who is officer no more");
    await before.go(report);
    await before.page.getByText("Not permitted").waitFor();
  });
}
