// A check from its beginning to its end: masked until somebody looks, documents judged by their bytes, two people who decide, what a law keeps
// and what is erased at last, with its certificate. And a report of suspicion that no page tells of.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { assertAccessible, equal, key, login, ok, readable, settled, test, url, verify } from "./runner.mjs";

const { psql } = JSON.parse(process.env.BROWSER_TEST);
const TENANT = "northgate-dental";
const ask = (user, text) => execFileSync(psql[0], [...psql.slice(1).map((word) => (word === "postgres" ? user : word)), "-v", "ON_ERROR_STOP=1"], { input: text, encoding: "utf8" }).trim();
const sql = (text) => ask("postgres", text);
const tenantId = () => sql(`SELECT id FROM aegis.tenant WHERE slug = '${TENANT}'`);
const reveals = () => Number(sql(`SELECT count(*) FROM aegis.audit_log WHERE tenant_id = '${tenantId()}' AND event = 'pii.revealed' AND target_id ~ '^kyc_person[.]'`));

const PIXEL = Buffer.from("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c636460f85f0f0002870180eb47ba920000000049454e44ae426082", "hex");
const MARKUP = "<img src=x onerror=\"window.struck='file'\">.png";
const file = (name, buffer) => ({ name, mimeType: "application/octet-stream", buffer });
const card = (page, name) => page.getByRole("region", { name, exact: true });
const someone = (rank) => login(rank, { tenant: TENANT });

async function asked(context, method, path, data, status) {
  const answer = await context.request[method](url + path, { headers: { Origin: url }, data });
  equal(answer.status(), status, `${path}: ${await answer.text()}`);
  return answer.status() === 204 ? null : answer.json();
}

async function fill(dialog, values) {
  for (const [label, value] of Object.entries(values)) {
    const control = dialog.getByLabel(label, { exact: false }).first();
    if (await control.evaluate((node) => node.tagName === "SELECT")) await control.selectOption(value);
    else await control.fill(value);
  }
}

// Without its times, which go on by themselves.
const wordsOf = (page) => page.evaluate(() => {
  const copy = document.querySelector("main").cloneNode(true);
  for (const node of copy.querySelectorAll("time")) node.remove();
  return copy.textContent;
});

export async function run() {
  let ada;

  await test("subjects/masked-until-somebody-looks", async ({ open }) => {
    const { page, go } = await open({ who: someone("user") });
    await go("/subjects");
    await page.getByRole("button", { name: "New check" }).first().click();
    const dialog = page.getByRole("dialog", { name: "New check" });
    await assertAccessible(page, "the dialog of a new check");
    await fill(dialog, { Name: "Ada Subjectcheck", "Date of birth": "1984-05-23", "Country of residence": "G1" });
    await dialog.getByRole("button", { name: "Begin" }).click();
    await dialog.getByText("A country is two letters").waitFor();
    await fill(dialog, { "Country of residence": "gb", "National number": "QQ 12 34 56 C", "E-mail": "ada@subjectcheck.example" });
    await dialog.getByRole("button", { name: "Begin" }).click();
    await page.waitForURL("**/subjects/*");
    ada = new URL(page.url()).pathname;
    await page.getByRole("heading", { name: "Ada Subjectcheck" }).waitFor();
    const identity = card(page, "Identity");
    await identity.getByText("***456C").waitFor();
    ok(!(await page.content()).includes("1984-05-23"), "the date of birth is on the page before anybody asked");
    const before = reveals();
    await page.reload();
    await settled(page);
    equal(reveals(), before, "reveals by opening the page");
    await identity.getByRole("button", { name: "Reveal" }).click();
    await identity.getByText("1984-05-23").waitFor();
    await identity.getByText("United Kingdom (GB)").waitFor();
    await identity.getByText("What is still masked, managers see.").waitFor();
    ok(reveals() > before, "no entry says that somebody looked");
    await identity.getByRole("button", { name: "Mask" }).click();
    ok(!(await page.content()).includes("1984-05-23"), "the date stays after masking");
    // A change, and what the server says at the field that it means.
    await identity.getByRole("button", { name: "Edit" }).click();
    const edit = page.getByRole("dialog", { name: "Edit Ada Subjectcheck" });
    equal(await edit.getByLabel("National number").inputValue(), "", "what only managers read");
    await fill(edit, { "Date of birth": "2984-05-23" });
    await edit.getByRole("button", { name: "Save" }).click();
    await edit.getByText("Date of birth must be a date that has been").waitFor();
    await fill(edit, { "Date of birth": "1984-05-24", Occupation: "Dentist" });
    await edit.getByRole("button", { name: "Save" }).click();
    await edit.waitFor({ state: "detached" });
    // Reading goes on at the card where something was done.
    await page.waitForFunction(() => document.activeElement.textContent === "Identity");
    await identity.getByText("***456C").waitFor();
  });

  await test("subjects/a-file-is-what-its-bytes-say", async ({ open }) => {
    const { page, go, context } = await open({ who: someone("user") });
    await go(ada);
    await page.getByRole("button", { name: "Upload a document" }).click();
    const dialog = page.getByRole("dialog", { name: "Upload a document" });
    await assertAccessible(page, "the dialog of an upload");
    const sent = [];
    page.on("request", (request) => request.method() === "POST" && sent.push(request.url()));
    const choose = dialog.getByLabel("File");
    for (const [chosen, words] of [[file("page.pdf", Buffer.from("<html><script>1</script>")), "This is neither a PDF nor a JPEG nor a PNG"], [file("picture.png", Buffer.concat([PIXEL, Buffer.from("<html>")])), "something stands behind its end"],
      [file("large.png", Buffer.alloc(5 * 1024 * 1024 + 1, PIXEL)), "at most 5 MB are taken"], [file("empty.png", Buffer.alloc(0)), "The file is empty."], [file("picture.svg", Buffer.from("<svg xmlns='http://www.w3.org/2000/svg'/>")), "This is neither"]]) {
      await choose.setInputFiles(chosen);
      await dialog.getByText(words).waitFor();
      await dialog.getByRole("button", { name: "Upload" }).click();
    }
    equal(sent.length, 0, "requests with files that nobody takes");
    await choose.setInputFiles(file(MARKUP, PIXEL));
    await dialog.getByText("PNG, 70 bytes").waitFor();
    await fill(dialog, { "What it is": "passport", Country: "gb", Number: "925 665 416", "Issued on": "2020-03-01", "Valid until": "2019-03-01" });
    await dialog.getByRole("button", { name: "Upload" }).click();
    await dialog.getByText("It cannot end before it was issued.").waitFor();
    await fill(dialog, { "Valid until": "2039-03-01" });
    // While it goes there is a bar, and what the server says of the file is said at the file.
    await page.route("**/documents", async (route) => {
      await dialog.getByRole("progressbar", { name: "Upload" }).waitFor();
      await route.fulfill({ status: 422, contentType: "application/problem+json", body: JSON.stringify({ type: "urn:aegis:problem:unknown-file", title: "The file is no document", status: 422 }) });
    });
    await dialog.getByRole("button", { name: "Upload" }).click();
    await dialog.locator(".field-error", { hasText: "The file is no document." }).waitFor();
    await page.unroute("**/documents");
    await dialog.getByRole("button", { name: "Upload" }).click();
    await dialog.waitFor({ state: "detached" });
    const documents = card(page, "Documents");
    await documents.getByText(MARKUP).waitFor();
    await documents.getByText("***5416").waitFor();
    equal(await page.evaluate(() => [window.struck, document.querySelectorAll("main img").length].join()), ",0", "elements made of the name of a file");
    const [saved] = await Promise.all([page.waitForEvent("download"), documents.getByRole("button", { name: "Save: Passport" }).click()]);
    ok(readFileSync(await saved.path()).equals(PIXEL) && /^[0-9a-f-]{36}[.]png$/.test(saved.suggestedFilename()), `saved as ${saved.suggestedFilename()}`);
    const { documents: [{ id }] } = await asked(context, "get", `/api/kyc${ada}`, undefined, 200);
    const headers = (await context.request.get(`${url}/api/kyc/documents/${id}/content`)).headers();
    equal(`${headers["content-type"]} ${headers["content-disposition"].split(";")[0]} ${headers["x-content-type-options"]}`, "application/octet-stream attachment nosniff", "how the file comes");
    await documents.getByRole("button", { name: "Judge: Passport" }).click();
    const judge = page.getByRole("dialog", { name: "Judge: Passport" });
    await fill(judge, { "What it is": "rejected" });
    await judge.getByRole("button", { name: "Save" }).click();
    await judge.getByText("Say in the remark why it is not accepted.").waitFor();
    await fill(judge, { "What it is": "verified", "How that was found": "chip" });
    await judge.getByRole("button", { name: "Save" }).click();
    await documents.getByText("Verified", { exact: true }).waitFor();
    await documents.getByText("Its chip was read").waitFor();
  });

  await test("subjects/collected-and-submitted", async ({ open }) => {
    const visit = await open({ who: someone("user") });
    const { page, go } = visit;
    await go(ada);
    const record = async (values, hit) => {
      await page.getByRole("button", { name: "Record a screening" }).click();
      const dialog = page.getByRole("dialog", { name: "Record a screening" });
      await fill(dialog, { Provider: "example-lists", "Version of the list": "2026-11-27", ...values });
      if (hit) {
        await dialog.getByRole("button", { name: "Add a hit" }).click();
        await fill(dialog, hit);
      }
      await dialog.getByRole("button", { name: "Record" }).click();
      await dialog.waitFor({ state: "detached" });
    };
    await record({ "Looked up in": "sanctions" });
    await record({ "Looked up in": "pep" }, { "Name on the list": "Ada S.", "Alike, of 100": "71" });
    await page.getByRole("button", { name: "Decide about Ada S." }).click();
    const dispose = page.getByRole("dialog", { name: "Decide about Ada S." });
    await fill(dispose, { Why: "born elsewhere" });
    await dispose.getByRole("button", { name: "Save" }).click();
    await page.getByText("You said so, so somebody else confirms it").waitFor();
    equal(await page.getByRole("button", { name: /^Agree/ }).count(), 0, "buttons to confirm what one said oneself");
    await page.getByRole("button", { name: "Rate the risk" }).click();
    const rate = page.getByRole("dialog", { name: "Rate the risk" });
    equal(await rate.getByLabel("Another rating").count(), 0, "what is for managers");
    await rate.getByRole("radiogroup", { name: "Where they are" }).getByRole("radio", { name: "medium" }).check();
    await rate.getByText("Medium risk").waitFor();
    await rate.getByRole("button", { name: "Rate" }).click();
    await card(page, "Risk").getByText("Customary due diligence").waitFor();
    await card(page, "Decision").getByRole("button", { name: "Submit for decision" }).click();
    await card(page, "Decision").getByText("One person proposes, another decides.").waitFor();
    await card(page, "Decision").getByRole("list", { name: "What an approval needs" }).getByText("Two people decided about every hit").waitFor();
    equal(await page.getByRole("button", { name: "Propose to approve" }).count(), 0, "an approval while something is missing");
    equal(await page.getByRole("button", { name: "Send back" }).count(), 0, "steps of a higher rank");
    equal(await page.getByRole("region", { name: "Privacy" }).count(), 0, "what is for managers");
    await readable(visit, ada);
    await go("/subjects?status=pending_review");
    await page.getByRole("link", { name: "Ada Subjectcheck" }).waitFor();
    await page.getByRole("searchbox").fill("qq-123456-c");
    await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 1);
    await readable(visit, "/subjects");
  });

  await test("subjects/whoever-proposes-is-told-why-not", async ({ open }) => {
    const lead = await open({ who: someone("team lead") });
    await lead.go(ada);
    await lead.page.getByRole("button", { name: "Agree: Ada S." }).click();
    await lead.page.getByRole("button", { name: "Propose to approve" }).click();
    const dialog = lead.page.getByRole("dialog", { name: "Propose to approve" });
    await dialog.getByRole("button", { name: "Propose" }).click();
    await dialog.getByText("Why is missing.").waitFor();
    await fill(dialog, { Why: "All is in order" });
    await dialog.getByRole("button", { name: "Propose" }).click();
    await lead.page.getByText("You proposed this, so you cannot decide it: a team lead, manager or admin who sees this check does.").waitFor();
    equal(await lead.page.getByRole("button", { name: /^(Confirm|Refuse)/ }).count(), 0, "buttons to decide on the own proposal");
    const user = await open({ who: someone("user") });
    await user.go(ada);
    await user.page.getByText("Your rank does not decide this; a team lead, manager or admin does.").waitFor();
    const manager = await open({ who: someone("manager") });
    await readable(manager, ada);
    // What the server refuses is said below the button: somebody took it back meanwhile.
    await manager.go(ada);
    const decision = card(manager.page, "Decision");
    await decision.getByText("All is in order").waitFor();
    await lead.page.getByRole("button", { name: "Take it back" }).click();
    await lead.page.getByRole("button", { name: "Propose to approve" }).waitFor();
    await decision.getByRole("button", { name: "Confirm: Ada Subjectcheck" }).click();
    await decision.locator(".deed .field-error", { hasText: "The proposal is withdrawn" }).waitFor();
    await lead.page.getByRole("button", { name: "Propose to approve" }).click();
    await fill(dialog, { Why: "All is in order" });
    await dialog.getByRole("button", { name: "Propose" }).click();
    await dialog.waitFor({ state: "detached" });
    await manager.go(ada);
    await decision.getByRole("button", { name: "Confirm: Ada Subjectcheck" }).click();
    await decision.getByText("Two people approved it.").waitFor();
    const history = card(manager.page, "History");
    await history.getByText("Confirmed: approve").waitFor();
    await history.getByText("Taken back: approve").waitFor();
    equal(await history.getByText("Person entered").count(), 0, "the beginning, before more is asked for");
    await history.getByRole("button", { name: "Show more" }).click();
    await history.getByText("Person entered").waitFor();
    await history.getByText("Date of birth, Occupation").waitFor();
    equal(await history.getByRole("button", { name: "Show more" }).count(), 0, "more than there is");
    await manager.page.getByRole("button", { name: "Open a review" }).click();
    await manager.page.getByRole("dialog", { name: "Open a review" }).getByRole("button", { name: "Open", exact: true }).click();
    await manager.page.getByText("You opened it, so somebody else completes it").waitFor();
  });

  await test("subjects/owners-in-the-end", async ({ open }) => {
    const visit = await open({ who: someone("user") });
    const { page, go, context } = visit;
    const holding = await asked(context, "post", "/api/kyc/subjects", { kind: "company", name: "Subjectcheck Holding Ltd" }, 201);
    await go(`/subjects/${holding.id}`);
    await page.getByRole("button", { name: "Add owner" }).click();
    const dialog = page.getByRole("dialog", { name: "Add owner" });
    await dialog.getByRole("combobox", { name: "Owner" }).fill("ada sub");
    await dialog.getByRole("option", { name: "Ada Subjectcheck" }).click();
    await fill(dialog, { "Share in per cent": "100.5" });
    await dialog.getByRole("button", { name: "Add owner" }).click();
    await dialog.getByText("A share is between 0 and 100").waitFor();
    await fill(dialog, { "Share in per cent": "60,5" });
    await dialog.getByRole("button", { name: "Add owner" }).click();
    await dialog.waitFor({ state: "detached" });
    equal(await card(page, "Ownership").getByText("60.5 %").count(), 2, "shares, direct and in the end");
    await readable(visit, `/subjects/${holding.id}`);
    await go(`/subjects/${holding.id}`);
    await page.getByRole("button", { name: "Take Ada Subjectcheck away" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Take away" }).click();
    await page.getByText("Nobody is known yet").waitFor();
  });

  await test("subjects/no-page-tells-of-a-suspicion", async ({ open }) => {
    const visits = [];
    for (const rank of ["user", "admin"]) visits.push(await open({ who: someone(rank) }));
    const pages = [ada, "/subjects", "/checks"];
    const read = async ({ page, go }) => {
      const found = [];
      for (const path of pages) {
        await go(path);
        found.push(await wordsOf(page));
      }
      return found.join("\n");
    };
    const asks = [];
    for (const { page } of visits) page.on("request", (request) => asks.push(request.url()));
    const before = [];
    for (const visit of visits) before.push(await read(visit));
    await asked(visits[0].context, "post", `/api/kyc${ada}/suspicion`, { narrative: "pays everything in cash" }, 204);
    for (const [place, visit] of visits.entries()) {
      const after = await read(visit);
      equal(after, before[place], "what pages say after a report");
      ok(!/suspici/i.test(after), "a page names reports");
    }
    equal(asks.filter((address) => /suspicion|officer/.test(address)).length, 0, "requests about reports");
  });

  await test("subjects/kept-held-and-restricted", async ({ open }) => {
    const manager = await open({ who: someone("manager") });
    const { page, go } = manager;
    await go(ada);
    const privacy = card(page, "Privacy");
    await privacy.getByText("The relationship goes on. From its end on the data is kept").waitFor();
    await privacy.getByRole("button", { name: "Place a hold" }).click();
    const hold = page.getByRole("dialog", { name: /^Place a legal hold/ });
    await fill(hold, { Reason: "Court of Subjectcheck v. Northgate" });
    await hold.getByRole("button", { name: "Place it" }).click();
    await privacy.getByText("A legal hold is open.").waitFor();
    await card(page, "History").getByText("Legal hold placed").waitFor();
    const reader = await open({ who: someone("user") });
    await reader.go(ada);
    await card(reader.page, "History").getByText("Review opened").waitFor();
    equal(await reader.page.getByText("Legal hold").count(), 0, "holds, for who is no manager");
    await privacy.getByRole("button", { name: "Record a request" }).click();
    const request = page.getByRole("dialog", { name: "Record a request for erasure" });
    await request.getByText("the data is restricted").waitFor();
    await assertAccessible(page, "the dialog of a request");
    await request.getByRole("button", { name: "Record it" }).click();
    await page.getByText("This data is kept and not used").waitFor();
    equal(await page.getByRole("button", { name: /^(Edit identity|Upload a document|Record a screening|Open a review)$/ }).count(), 0, "changes of what is restricted");
    await privacy.getByRole("link", { name: /^Request of/ }).click();
    await page.waitForURL("**/erasures/*");
    await page.getByText("A legal hold is open. Nothing is erased before it is released.").waitFor();
    const user = await open({ who: someone("user") });
    await user.go(ada);
    await user.page.getByRole("heading", { name: "Not found" }).waitFor();
    await go(ada);
    await privacy.getByRole("button", { name: /^Release/ }).click();
    await privacy.getByText("None is open.").waitFor();
    await privacy.getByRole("button", { name: "End the restriction" }).click();
    await privacy.getByText("Used as usual.").waitFor();
    await privacy.getByRole("button", { name: /^Put together/ }).click();
    const copy = page.getByRole("dialog", { name: "Export" });
    const [saved] = await Promise.all([page.waitForEvent("download"), copy.getByRole("button", { name: "Save the data" }).click()]);
    equal(JSON.parse(readFileSync(await saved.path(), "utf8")).data.kyc_subject[0].name, "Ada Subjectcheck", "the export");
    await assertAccessible(page, "the dialog of an export");
  });

  await test("subjects/two-managers-and-an-operator-erase", async ({ open }) => {
    const manager = await open({ who: someone("manager") });
    const admin = await open({ who: someone("admin") });
    const id = ada.split("/").at(-1);
    const proposal = await asked(manager.context, "post", `/api/kyc${ada}/decisions`, { command: "offboard", rationale: "moved away" }, 201);
    await asked(admin.context, "post", `/api/kyc/decisions/${proposal.id}`, { state: "confirmed" }, 200);
    // Within its time it is refused, with the date in words.
    await manager.go(ada);
    const year = new Date().getFullYear();
    await card(manager.page, "Privacy").getByText(new RegExp(`It has to be kept until .*(${year + 5}|${year + 6}), as .* says`)).waitFor();
    sql(`UPDATE aegis_app.kyc_subject SET ended_on = ended_on - interval '9 years' WHERE id = '${id}'`);
    await readable(manager, "/erasures");
    await manager.go("/erasures");
    await manager.page.getByRole("button", { name: "Ask for erasure: Ada Subjectcheck" }).click();
    await manager.page.waitForURL("**/erasures/*");
    await manager.page.getByText("You asked for it, so you cannot approve it: another manager or admin does.").waitFor();
    equal(await manager.page.getByRole("button", { name: /^Approve/ }).count(), 0, "approvals of the own request");
    const { pathname } = new URL(manager.page.url());
    await admin.go("/erasures");
    await admin.page.getByText("You may approve it").waitFor();
    await readable(admin, pathname);
    await admin.go(pathname);
    await admin.page.getByRole("button", { name: "Approve: Ada Subjectcheck" }).click();
    await admin.page.getByText("An operator carries it out", { exact: true }).waitFor();
    const statement = await admin.page.getByRole("group", { name: "Statement" }).innerText();
    ask("operator", `BEGIN; SELECT aegis.assume_tenant('${tenantId()}', 'erasure', 'BROWSER-1', read_only => false); ${statement} COMMIT;`);
    const later = Date.now() + 30_000;
    const ended = admin.page.getByText("The job has ended");
    while ((await ended.count()) === 0 && Date.now() < later) {
      const again = admin.page.getByRole("button", { name: "Look again" });
      if ((await again.count()) > 0) await again.click();
      await admin.page.waitForTimeout(200);
    }
    await ended.waitFor();
    const show = admin.page.getByRole("button", { name: "Show the certificate" });
    const shown = admin.page.getByRole("group", { name: "Certificate" });
    // Until its entry is sealed and signed there is none.
    const certificate = async () => (await admin.context.request.get(`${url}/api/kyc${pathname}/certificate`)).status();
    while ((await certificate()) !== 200 && Date.now() < later) await admin.page.waitForTimeout(200);
    await readable(admin, pathname);
    await admin.go(pathname);
    await show.click();
    await shown.waitFor();
    const [saved] = await Promise.all([admin.page.waitForEvent("download"), admin.page.getByRole("button", { name: "Save the certificate" }).click()]);
    equal(JSON.parse(execFileSync(verify, ["proof", await saved.path(), "--key", key, "--json"], { encoding: "utf8" })).result, "ok", "result of aegis-verify");
    await manager.go(pathname);
    await manager.page.getByText("It is a part of the ledger, so an admin takes it.").waitFor();
    await manager.go(ada);
    await manager.page.getByRole("heading", { name: "(erased)" }).waitFor();
    await manager.page.getByText("The key of this subject was destroyed").waitFor();
    equal(await manager.page.getByRole("button", { name: /^(Save|Reveal|Edit|Restrict)/ }).count(), 0, "what could be done with an erased subject");
    await readable(manager, ada);
  });
}
