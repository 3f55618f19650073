// The ledger: its picture, its entries, the check in the browser, verification, and what is taken away.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { equal, key, login, ok, settled, test, url, verify } from "./runner.mjs";

const who = () => login("admin");

async function saved(page, press, use) {
  const folder = mkdtempSync(join(tmpdir(), "aegis-download-"));
  try {
    const [download] = await Promise.all([page.waitForEvent("download"), press()]);
    const path = join(folder, download.suggestedFilename());
    await download.saveAs(path);
    return await use(path, download.suggestedFilename());
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export async function run() {
  await test("ledger/chain-by-pointer-and-keyboard", async ({ open }) => {
    const { page, go, context } = await open({ who: who() });
    await go("/ledger");
    const blocks = page.locator(".chain-block");
    await blocks.last().waitFor();
    const { seals } = await (await context.request.get(`${url}/api/ledger/seals?limit=3`)).json();
    await blocks.last().focus();
    await page.keyboard.press("ArrowLeft");
    const [newest, before] = [await blocks.last().getAttribute("aria-label"), await blocks.nth((await blocks.count()) - 2).getAttribute("aria-label")];
    const previous = /previous ([0-9a-f]{8})/.exec(newest)[1];
    ok(before.includes(`hash ${previous}`), `the picture does not link ${newest} to ${before}`);
    await page.getByText(/^Seal [\d,]+ holds/).waitFor();
    equal(await page.locator(".chain-block.is-source").count(), 1, "blocks marked as the source");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: /^Entries of seal/ }).waitFor();
    const shown = await page.locator(".seal-facts .hash").allInnerTexts();
    ok(shown.every((hash) => /^[0-9a-f]{64}$/.test(hash)), `hashes of the seal: ${shown}`);
    ok(seals.length === 3, "the interface has too few seals");
    await settled(page);
    await page.getByRole("button", { name: "Close the seal" }).click();
    await page.getByRole("heading", { name: "Entries", exact: true }).waitFor();
  });

  await test("ledger/filter-entries", async ({ open }) => {
    const { page, go } = await open({ who: who() });
    await go("/ledger");
    await page.getByLabel("Events that begin with").fill("invoice.sent");
    await page.waitForFunction(() => location.search.includes("event=invoice.sent"));
    await settled(page);
    const events = await page.locator("tbody td:nth-child(2)").allInnerTexts();
    ok(events.length > 0 && events.every((event) => event === "invoice.sent"), `events: ${events}`);
    await page.getByRole("radio", { name: "Denied" }).check();
    await page.getByText("No such entries").waitFor();
  });

  await test("ledger/entry-is-checked-in-the-browser", async ({ open }) => {
    const { page, go, context } = await open({ who: who() });
    const { size } = await (await context.request.get(`${url}/api/ledger/entries?limit=1`)).json();
    for (const leaf of [0, 1, Math.floor(size / 2), size - 2]) {
      await go(`/ledger/${leaf}`);
      await page.getByText("This entry is in the ledger, unchanged.").waitFor();
    }
    // An answer that lies is found: another entry's bytes, and another root.
    for (const [path, change] of [["**/api/ledger/entries/3", (entry) => ({ ...entry, body_base64: btoa(`${atob(entry.body_base64)}x`) })], ["**/api/ledger/inclusion?*", (answer) => ({ ...answer, root: btoa("x".repeat(32)) })]]) {
      await page.route(path, async (route) => {
        const answer = await route.fetch();
        await route.fulfill({ response: answer, json: change(await answer.json()) });
      });
      await go("/ledger/3");
      await page.locator(".notice-bad").waitFor();
      await page.unroute(path);
    }
  });

  await test("ledger/verify-to-the-end", async ({ open }) => {
    const { page, go } = await open({ who: who() });
    await go("/ledger");
    await page.getByRole("button", { name: "Verify now" }).click();
    await page.locator("progress").waitFor();
    await page.locator(".notice-good", { hasText: "Everything fits." }).waitFor({ timeout: 30_000 });
    ok((await page.locator(".verify-rows tbody tr").count()) > 0, "nothing says what was checked");
  });

  await test("ledger/signed-checkpoint", async ({ open }) => {
    const { page, go } = await open({ who: who() });
    await go("/ledger");
    await page.locator(".chain-signed").first().waitFor();
    const note = page.locator(".code-block").first();
    await note.locator("pre", { hasText: "test.example/probe" }).waitFor();
    const shown = await note.locator("pre").innerText();
    await note.getByRole("button", { name: "Copy checkpoint" }).click();
    await page.getByText("Checkpoint copied.").waitFor();
    equal(await page.evaluate(() => navigator.clipboard.readText()), shown, "what was copied");
    await go("/dashboard");
    await page.locator(".facts", { hasText: "Signed" }).getByRole("time").or(page.locator(".facts time")).first().waitFor();
  });

  await test("ledger/bundle-holds-elsewhere", async ({ open }) => {
    const { page, go } = await open({ who: who() });
    await go("/ledger");
    await saved(page, () => page.getByRole("button", { name: "Download bundle" }).click(), (path, name) => {
      equal(name, `${who().tenant}.bundle`, "name of the file");
      const said = JSON.parse(execFileSync(verify, ["bundle", path, "--json"], { encoding: "utf8" }));
      equal(said.result, "ok", "result of aegis-verify");
      ok(readFileSync(path, "utf8").length > 1000, "the bundle is nearly empty");
    });
  });

  await test("ledger/receipt-holds-elsewhere", async ({ open }) => {
    const { page, go } = await open({ who: who() });
    await go("/ledger/12");
    await saved(page, () => page.getByRole("button", { name: "Download receipt" }).click(), (path, name) => {
      equal(name, `${who().tenant}-12.tlog-proof`, "name of the file");
      const said = JSON.parse(execFileSync(verify, ["proof", path, "--key", key, "--json"], { encoding: "utf8" }));
      equal(said.result, "ok", "result of aegis-verify");
    });
  });
}
