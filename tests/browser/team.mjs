// Teams and people, as far as the rank reaches.
import { equal, login, ok, settled, test, url } from "./runner.mjs";

const unique = () => `${Date.now().toString(36)}${Math.random().toString(36).slice(2, 6)}`;

export async function run() {
  await test("team/admin-creates-changes-deactivates", async ({ open }) => {
    const { page, go, context } = await open({ who: login("admin", { tenant: "castellan-legal" }) });
    const [team, name, email] = [`Archive ${unique()}`, `Ivo Lang ${unique()}`, `ivo.${unique()}@castellan-legal.example`];
    await go("/team");
    await page.getByRole("button", { name: "New team" }).click();
    await page.getByLabel("Name").fill(team);
    await page.getByRole("button", { name: "Create team" }).click();
    await page.locator(".tree button", { hasText: team }).click();
    await page.getByText("Nobody here").waitFor();

    await page.getByRole("button", { name: "New person" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Name").fill(name);
    await dialog.getByLabel("E-mail").fill(email);
    await dialog.getByLabel("First password").fill("password12");
    await dialog.getByRole("button", { name: "Create person" }).click();
    await dialog.getByRole("alert").waitFor(); // too easy to guess: the server says so
    await dialog.getByLabel("First password").fill("plum quartz lantern 47 river");
    await dialog.getByRole("button", { name: "Create person" }).click();
    const row = page.locator("tbody tr", { hasText: name });
    await row.locator(".badge", { hasText: "User" }).waitFor();
    equal(await page.locator("tbody tr").count(), 1, "people of the new team");

    await page.getByRole("button", { name: `Change ${name}` }).click();
    await dialog.getByLabel("Rank").selectOption({ label: "Team lead" });
    await dialog.getByRole("button", { name: "Save" }).click();
    await row.locator(".badge", { hasText: "Team lead" }).waitFor();

    await page.getByRole("button", { name: `Deactivate ${name}` }).click();
    await dialog.getByRole("button", { name: "Deactivate" }).click();
    await row.locator(".badge-warn", { hasText: "Deactivated" }).waitFor();
    const { users } = await (await context.request.get(`${url}/api/users`)).json();
    const stored = users.find((user) => user.name === name);
    equal(stored.rank, 2, "rank");
    ok(stored.status !== "active", `status is ${stored.status}`);
  });

  await test("team/asks-who-it-is-before-a-rank-is-given", async ({ open }) => {
    const who = login("admin", { tenant: "castellan-legal" });
    const { page, go } = await open({ who });
    const [name, email] = [`Oda Ray ${unique()}`, `oda.${unique()}@castellan-legal.example`];
    await go("/team");
    // The real answer needs a session of a quarter of an hour; its form is that of the server.
    let asked = 0;
    await page.route("**/api/users", (route) => (route.request().method() === "POST" && (asked += 1) === 1
      ? route.fulfill({ status: 401, headers: { "content-type": "application/problem+json" }, body: JSON.stringify({ type: "urn:aegis:problem:step-up-required", title: "Confirm who you are first", status: 401 }) })
      : route.continue()));
    await page.getByRole("button", { name: "New person" }).click();
    const dialog = page.getByRole("dialog", { name: "New person" });
    await dialog.getByLabel("Name").fill(name);
    await dialog.getByLabel("E-mail").fill(email);
    await dialog.getByLabel("Rank").selectOption({ label: "Admin" });
    await dialog.getByLabel("First password").fill("plum quartz lantern 47 river");
    await dialog.getByRole("button", { name: "Create person" }).click();
    const proof = page.getByRole("dialog", { name: "Confirm it is you" });
    await proof.getByLabel("Password").fill("not the password at all");
    await proof.getByRole("button", { name: "Confirm" }).click();
    await proof.getByText("This is not your password.").waitFor();
    await proof.getByLabel("Password").fill(who.password);
    await proof.getByRole("button", { name: "Confirm" }).click();
    await page.locator("tbody tr", { hasText: name }).locator(".badge", { hasText: "Admin" }).waitFor();
    equal(asked, 2, "times that it was sent");
  });

  await test("team/ranks-see-what-they-may-do", async ({ open }) => {
    for (const [rank, create, teams, change] of [["user", 0, 0, 0], ["team lead", 1, 0, 0], ["manager", 1, 0, null]]) {
      const { page, go } = await open({ who: login(rank, { tenant: "castellan-legal", nth: 1 }) });
      await go("/team");
      equal(await page.getByRole("button", { name: "New person" }).count(), create, `${rank}: new person`);
      equal(await page.getByRole("button", { name: "New team" }).count(), teams, `${rank}: new team`);
      const changes = await page.getByRole("button", { name: /^Change / }).count();
      ok(change === null ? changes > 0 : changes === change, `${rank}: ${changes} people to change`);
      if (create === 0) continue;
      await page.getByRole("button", { name: "New person" }).click();
      ok(!(await page.getByLabel("Rank").locator("option").allInnerTexts()).includes("Admin"), `${rank} may give the rank of an admin`);
    }
  });

  await test("team/manager-changes-a-team", async ({ open }) => {
    const { page, go } = await open({ who: login("manager", { tenant: "castellan-legal" }) });
    await go("/team");
    const [lead] = await page.getByRole("button", { name: /^Change / }).all();
    await lead.click();
    const team = page.getByLabel("Team", { exact: true });
    const options = await team.locator("option").all();
    await team.selectOption(await options.at(-1).getAttribute("value"));
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await settled(page);
  });
}
