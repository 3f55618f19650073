// Runs the stories; prints "ok NAME" and "not ok NAME". An argument chooses stories by name.
import { closeBrowser, finish, openBrowser } from "./runner.mjs";

const STORIES = ["sign-in", "pages", "customers", "invoices", "invoice-link", "payments", "invoice-pay", "checks", "subjects", "reporting", "team", "ledger", "webhooks", "security", "links", "session", "canaries"];
const wanted = process.argv.slice(2);

await openBrowser();
try {
  const stories = await Promise.all(STORIES.filter((story) => wanted.length === 0 || wanted.includes(story)).map((name) => import(`./${name}.mjs`)));
  const waiting = stories.filter((story) => story.background).map((story) => story.background());
  for (const story of stories) await story.run();
  await Promise.all(waiting);
} finally {
  await closeBrowser();
}
finish();
