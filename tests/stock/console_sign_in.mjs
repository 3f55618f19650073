// SPDX-License-Identifier: Apache-2.0
// A browser signs in at an issuer by the button of /login and out again there, and one whose code is no code is told so. Prints what
// the page shows.
//   console_sign_in.mjs ADDRESS
import { createRequire } from 'node:module';

const require = createRequire(new URL('../npm/package.json', import.meta.url));
const { chromium } = require('playwright-core');
const [address] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] });
try {
  const page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage();
  page.setDefaultTimeout(20_000);
  const faults = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => /Content Security Policy/.test(message.text()) && faults.push(message.text()));
  await page.goto(`${address}/login`);
  await page.getByRole('button', { name: 'Sign in with Example' }).click();
  await page.waitForURL('**/interaction/**');
  await page.locator('input[name=login]').fill('alice');
  await page.locator('input[name=password]').fill('any');
  await page.locator('button[type=submit]').click();
  await page.waitForURL('**/interaction/**');
  await page.locator('input[value=consent]').waitFor({ state: 'attached' });
  await page.locator('button[type=submit]').click();
  await page.waitForURL('**/dashboard');
  const shown = new URL(page.url());
  console.log(JSON.stringify({ path: shown.pathname, query: shown.search, status: await page.evaluate(async () => (await fetch('/api/session')).status), faults }));
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.waitForURL('**/session/end*');
  await page.locator('button[value=yes]').click();
  await page.getByText('You are signed out.').waitFor();
  await page.goto(`${address}/login?code=none&state=idp.none`);
  await page.getByText('The sign-in did not succeed').waitFor();
  console.log(JSON.stringify({ path: new URL(page.url()).pathname, query: new URL(page.url()).search, faults }));
} finally {
  await browser.close();
}
