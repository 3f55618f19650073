// What waits for a second person is decided by somebody else than the first, from the list alone.
import { assertAccessible, equal, login, readable, test, url } from "./runner.mjs";

const TENANT = "brightwater-solar";

async function post(context, path, data, status = 201) {
  const made = await context.request.post(url + path, { headers: { Origin: url }, data });
  equal(made.status(), status, await made.text());
  return made.json();
}

// By a user, whose rows the lead, the manager and the admin above see.
async function proposed(context, name) {
  const subject = await post(context, "/api/kyc/subjects", { kind: "person", name });
  const screening = { kind: "pep", provider: "example-lists", list_version: "2026-11-27", matches: [{ name: "Somebody Else", score: 60 }] };
  await post(context, `/api/kyc/subjects/${subject.id}/screenings`, screening);
  const found = await (await context.request.get(`${url}/api/kyc/subjects/${subject.id}`)).json();
  await post(context, `/api/kyc/matches/${found.screenings[0].matches[0].id}/disposition`, { disposition: "false_positive", rationale: "born elsewhere" }, 200);
  await post(context, `/api/kyc/subjects/${subject.id}/decisions`, { command: "offboard", rationale: "moved away" });
  return subject.id;
}

export async function run() {
  let zora;

  await test("checks/whoever-proposed-does-not-decide", async ({ open }) => {
    const { page, go, context, assertClean } = await open({ who: login("user", { tenant: TENANT }) });
    zora = await proposed(context, "Zora Browsercheck");
    await proposed(context, "Yann Browsercheck");
    await go("/checks");
    await page.getByText("Nothing to decide").waitFor();
    await page.getByText("No hits wait").waitFor();
    equal(await page.getByRole("navigation", { name: "Checks" }).getByRole("link").count(), 3, "pages beside it");
    await go("/erasures");
    await page.getByText("This page is for managers and admins").waitFor();
    assertClean();
  });

  await test("checks/a-second-person-decides", async ({ open }) => {
    const visit = await open({ who: login("admin", { tenant: TENANT }) });
    const { page, go, assertClean } = visit;
    await readable(visit, "/checks");
    await go("/checks");
    const proposals = page.getByRole("table", { name: "Proposals" });
    equal(await proposals.locator("tbody tr").count(), 2, "proposals");
    equal(await proposals.getByRole("link", { name: "Zora Browsercheck" }).getAttribute("href"), `/subjects/${zora}`, "the way to the check");
    await page.getByRole("button", { name: "Agree: Zora Browsercheck" }).click();
    await page.getByText("Confirmed.").first().waitFor();
    await page.getByRole("button", { name: "Confirm: Zora Browsercheck" }).click();
    await page.getByRole("button", { name: "Confirm: Zora Browsercheck" }).waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Refuse: Yann Browsercheck" }).click();
    const dialog = page.getByRole("dialog");
    await assertAccessible(page, "the dialog of a refusal");
    await dialog.getByRole("button", { name: "Refuse" }).click();
    await dialog.getByText("Why not is missing.").waitFor();
    await dialog.getByLabel("Why not").fill("Ask her first");
    await dialog.getByRole("button", { name: "Refuse" }).click();
    await page.getByText("Nothing to decide").waitFor();
    assertClean();
  });
}
