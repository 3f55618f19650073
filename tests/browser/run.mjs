// Runs the stories; prints "ok NAME" and "not ok NAME". An argument chooses stories by name.
import { closeBrowser, finish, openBrowser } from "./runner.mjs";

const STORIES = ["sign-in", "pages", "customers", "invoices", "team", "ledger", "session", "canaries"];
const wanted = process.argv.slice(2);

await openBrowser();
try {
  for (const name of STORIES.filter((story) => wanted.length === 0 || wanted.includes(story))) {
    const story = await import(`./${name}.mjs`);
    await story.run();
  }
} finally {
  await closeBrowser();
}
finish();
