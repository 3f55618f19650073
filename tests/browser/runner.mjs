// What the stories share: the browser, people who are signed in, and the reporting.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(new URL("../npm/package.json", import.meta.url));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const { url, logins, verify, key } = JSON.parse(process.env.BROWSER_TEST);
export { url, verify, key };

const PATIENCE = 30_000;  // the machine does other things too; nothing here says how fast a page must be
const SIZES = { wide: { width: 1280, height: 800 }, phone: { width: 360, height: 740 } };
let browser;
let passed = 0;
let failed = 0;
const skipped = [];

export async function openBrowser() {
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"] });
}

export const closeBrowser = () => browser.close();

export function finish() {
  for (const line of skipped) console.log(line);
  if (passed + failed === 0) console.log("not ok browser ran nothing");
  process.exit(failed > 0 || passed === 0 ? 1 : 0);
}

/** One test: what it throws fails it, and the next one runs. */
export async function test(name, body) {
  const opened = [];
  const started = Date.now();
  try {
    await body({ open: async (options) => {
      const visit = await open(options);
      opened.push(visit);
      return visit;
    } });
    for (const visit of opened) visit.assertClean();
    console.log(`ok browser/${name}`);
    passed += 1;
  } catch (error) {
    failed += 1;
    console.log(`not ok browser/${name}`);
    for (const line of String(error.stack ?? error).split("\n").slice(0, 12)) console.log(`# ${line}`);
  } finally {
    for (const visit of opened) await visit.context.close();
    console.log(`# ${((Date.now() - started) / 1000).toFixed(1)} s`);
  }
}

export function skip(name, reason) {
  skipped.push(`skip browser/${name} (${reason})`);
}

export function equal(got, wanted, what = "value") {
  if (got !== wanted) throw new Error(`${what}: got ${JSON.stringify(got)}, wanted ${JSON.stringify(wanted)}`);
}

export function ok(condition, what) {
  if (!condition) throw new Error(what);
}

/** The nth login of a rank ("admin", "manager", "team lead", "user"); every tenant of the samples has some. */
export function login(rank, { tenant = "northgate-dental", nth = 0 } = {}) {
  const found = logins.filter((one) => one.rank === rank && one.tenant === tenant)[nth];
  if (!found) throw new Error(`the samples have no ${rank} number ${nth} of ${tenant}`);
  return found;
}

export async function signInByRequest(context, who) {
  const answer = await context.request.post(`${url}/api/session`, { headers: { Origin: url }, data: { tenant: who.tenant, email: who.email, password: who.password } });
  equal(answer.status(), 201, `sign-in of ${who.email}`);
}

/** A fresh browser profile; who: signs in; size: wide or phone; colors: light or dark. */
async function open({ who, size = "wide", colors = "light" } = {}) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: SIZES[size], colorScheme: colors, locale: "en-GB", timezoneId: "Europe/London", acceptDownloads: true, reducedMotion: "reduce" });
  context.setDefaultTimeout(PATIENCE);
  await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: url });
  if (who) await signInByRequest(context, who);
  const page = await context.newPage();
  const faults = [];
  // The browser itself reports every answer of 4xx; the console shows those to people, which the stories check.
  page.on("console", (message) => message.type() === "error" && !/^Failed to load resource: the server responded with a status of 4\d\d/.test(message.text()) && faults.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => faults.push(`page error: ${error.stack ?? error}`));
  await page.exposeBinding("reportViolation", (_, text) => { faults.push(`policy: ${text}`); });
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => window.reportViolation(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
  });
  return { context, page, assertClean: () => ok(faults.length === 0, faults.join("\n")), go: async (path) => {
    await page.goto(url + path);
    await settled(page);
  } };
}

/** The page has its heading, and nothing is awaited any more. */
export async function settled(page) {
  await page.locator("h1").first().waitFor({ state: "attached" });
  await page.waitForFunction(() => document.querySelector("[aria-busy='true'], .bones") === null);
}

/** No serious or critical finding of axe. */
export async function assertAccessible(page, what, { only, without = [] } = {}) {
  await page.evaluate(`${axe}; undefined`);
  const options = { resultTypes: ["violations"], ...(only && { runOnly: { type: "rule", values: only } }), rules: Object.fromEntries(without.map((rule) => [rule, { enabled: false }])) };
  // Rows of one table are alike: the first eight stand for all, or the check takes half a minute a page.
  const found = await page.evaluate((chosen) => window.axe.run({ include: [["html"]], exclude: [["tbody tr:nth-child(n + 9)"], [".api-operation:nth-of-type(n + 4)"]] }, chosen), options);
  const bad = found.violations.filter((one) => ["serious", "critical"].includes(one.impact));
  ok(bad.length === 0, `${what}: ${bad.map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((node) => `${node.target} ${node.failureSummary}`).join("; ")}`).join("\n")}`);
}

/** The page at this address is no wider than its window and accessible, wide in light colours and on a phone in dark ones. */
export async function readable({ page, go }, address) {
  for (const [theme, width] of [["light", 1280], ["dark", 390]]) {
    await page.emulateMedia({ colorScheme: theme });
    await page.setViewportSize({ width, height: 800 });
    await go(address);
    await settled(page);
    ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${address} is wider than the window`);
    await assertAccessible(page, `${address}, ${theme}`);
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 1280, height: 800 });
}

export const text = (page, words) => page.getByText(words, { exact: false }).first().waitFor();
