// Teams as a tree and the people in them. What one may do to whom follows from rank; the server decides.
import * as api from "./api.js";
import { h, replace } from "./dom.js";
import { badge, button, card, iconButton, pageHead } from "./parts.js";
import { confirmDialog, formDialog } from "./dialog.js";
import { field, isEmail, valuesOf } from "./form.js";
import { blank, fill } from "./states.js";
import { table } from "./table.js";
import { count } from "./format.js";
import { textOf } from "./problem.js";
import { forgetUsers, users } from "./people.js";
import { isAdmin, rank, RANKS, session } from "./session.js";
import { confirmed } from "./step-up.js";
import { toast } from "./toast.js";

const LEAD = 2;
const MANAGER = 3;
const LEAST_PASSWORD = 10;

const isMe = (user) => user.id === session().user.id;
// Admins reach everybody but themselves; the others only who is below them.
const mayChange = (user) => rank() >= MANAGER && !isMe(user) && user.status === "active" && (isAdmin() || user.rank < rank());
const mayInvite = (user) => rank() >= LEAD && user.status === "invited" && (isAdmin() || user.rank < rank());
const ranksToGive = () => Object.entries(RANKS).filter(([value]) => isAdmin() || Number(value) < rank());

export function teamPage({ signal }) {
  const place = h("div");
  const head = h("div");
  let teams = [];
  let people = [];
  let chosen = null;

  const load = async () => {
    forgetUsers();
    [teams, people] = await Promise.all([api.get("/api/teams", signal).then((answer) => answer.teams), users()]);
  };
  const again = async () => {
    await load();
    show();
  };
  const show = () => replace(place, view());
  const nameOf = (id) => teams.find((team) => team.id === id)?.name ?? "–";
  const teamOptions = () => teams.map((team) => [team.id, `${"\u2003".repeat(depth(team))}${team.name}`]);
  const depth = (team) => (team === undefined || !teams.some((one) => one.id === team.parent_id) ? 0 : 1 + depth(teams.find((one) => one.id === team.parent_id)));

  function below(id) {
    const inside = new Set([id]);
    // Parents come before their children in the list.
    for (const team of teams) if (inside.has(team.parent_id)) inside.add(team.id);
    return inside;
  }

  function view() {
    const within = chosen && below(chosen);
    const shown = within ? people.filter((user) => within.has(user.team_id)) : people;
    return h("div", { class: "team" },
      card("Teams", { note: count(teams.length, "team") }, h("div", { class: "tree" }, branch("Everybody", null, people.length, []), tops().map((team) => branchOf(team)))),
      card(chosen ? nameOf(chosen) : "People", { note: count(shown.length, "person", "people") }, shown.length === 0 ? blank("user", "Nobody here", "This team has no people that you may see.") : table("People", columns(), shown)));
  }

  const tops = () => teams.filter((team) => !teams.some((one) => one.id === team.parent_id));
  function branchOf(team) {
    const inside = below(team.id);
    return branch(team.name, team.id, people.filter((user) => inside.has(user.team_id)).length, teams.filter((one) => one.parent_id === team.id));
  }
  function branch(text, id, size, children) {
    const node = h("button", { type: "button", "aria-pressed": String(chosen === id), onclick: () => {
      chosen = id;
      show();
      place.querySelector("[aria-pressed='true']").focus();
    } }, h("span", null, text), h("span", { class: "tree-count" }, h("span", { class: "unseen" }, ", people: "), size));
    return children.length === 0 ? node : [node, h("ul", null, children.map((child) => h("li", null, branchOf(child))))];
  }

  const columns = () => [
    { name: "Name", class: "phone-wide", cell: (user) => h("div", { class: "person" }, h("span", { class: "initials", "aria-hidden": "true" }, initials(user.name)),
      h("div", null, h("p", { class: "strong" }, user.name, isMe(user) && h("span", { class: "faint" }, " (you)")), user.email && h("p", { class: "small soft" }, user.email))) },
    { name: "Rank", class: "tight", cell: (user) => badge(RANKS[user.rank], user.rank === 4 ? "good badge-plain" : "plain") },
    { name: "Team", class: "phone-off", cell: (user) => h("span", { class: "soft" }, nameOf(user.team_id)) },
    { name: "Status", class: "tight", cell: (user) => (user.status === "active" ? null : user.status === "invited" ? badge("Invited", "info") : badge("Deactivated", "warn")) },
    rank() >= LEAD && { name: "Actions", unseen: true, class: "tight", end: true, cell: (user) => (mayChange(user)
      ? h("div", { class: "row-actions" }, iconButton("edit", `Change ${user.name}`, () => changeUser(user)), iconButton("trash", `Deactivate ${user.name}`, () => deactivate(user)))
      : mayInvite(user) ? h("div", { class: "row-actions" }, iconButton("send", `Mail the invitation of ${user.name} again`, () => resend(user)), iconButton("trash", `Take the invitation of ${user.name} back`, () => revoke(user))) : null) },
  ].filter(Boolean);

  function newTeam() {
    const name = field("name", "Name", { required: true, maxlength: 100 });
    const parent = field("parent_id", "Below", { required: true, options: teamOptions(), value: chosen ?? teams[0]?.id });
    formDialog("New team", { body: [name.node, parent.node], fields: [name, parent], action: "Create team", send: async () => {
      await api.post("/api/teams", valuesOf([name, parent]));
      await again();
      toast("Team created.");
    } });
  }

  // The better way: nobody but the person ever knows the password.
  function inviteUser() {
    const name = field("name", "Name", { required: true, maxlength: 200, autocomplete: "off" });
    const email = field("email", "E-mail", { type: "email", required: true, maxlength: 254, autocomplete: "off", check: isEmail });
    const rankField = field("rank", "Rank", { required: true, options: ranksToGive(), value: "1" });
    const team = field("team_id", "Team", { required: true, options: teamOptions(), value: chosen ?? teams[0]?.id });
    const fields = [name, email, rankField, team];
    formDialog("Invite somebody", { body: [h("p", { class: "small soft" }, "They choose a password by a link that is mailed to them; it works once, for a week."), name.node, email.node, h("div", { class: "form-row" }, rankField.node, team.node)], fields, action: "Invite", send: async () => {
      const values = valuesOf(fields);
      await confirmed(() => api.post("/api/invitations", { ...values, rank: Number(values.rank) }));
      await again();
      toast(`An invitation is on its way to ${name.value}.`);
    } });
  }

  const resend = async (user) => {
    try {
      await api.put(`/api/invitations/${user.id}`);
      toast(`Another invitation is on its way to ${user.name}.`);
    } catch (error) {
      toast(textOf(error), "bad");
    }
  };

  const revoke = (user) => confirmDialog(`Take the invitation of ${user.name} back?`, "The link does not work any more, and the person disappears from the list.", { action: "Take back", kind: "bad", send: async () => {
    await api.remove(`/api/invitations/${user.id}`);
    await again();
    toast("Invitation taken back.");
  } });

  function newUser() {
    const name = field("name", "Name", { required: true, maxlength: 200, autocomplete: "off" });
    const email = field("email", "E-mail", { type: "email", required: true, maxlength: 254, autocomplete: "off", check: isEmail });
    const rankField = field("rank", "Rank", { required: true, options: ranksToGive(), value: "1" });
    const team = field("team_id", "Team", { required: true, options: teamOptions(), value: chosen ?? teams[0]?.id });
    const password = field("password", "First password", { type: "password", required: true, maxlength: 256, autocomplete: "new-password", hint: "At least ten characters, and not easy to guess: several unusual words are good.",
      check: (value) => (value.length < LEAST_PASSWORD ? "At least ten characters." : null) });
    const fields = [name, email, rankField, team, password];
    formDialog("New person", { body: [name.node, email.node, h("div", { class: "form-row" }, rankField.node, team.node), password.node], fields, action: "Create person", send: async () => {
      const values = valuesOf(fields);
      await confirmed(() => api.post("/api/users", { ...values, rank: Number(values.rank) }));
      await again();
      toast("Person created.");
    } });
  }

  function changeUser(user) {
    const rankField = field("rank", "Rank", { required: true, options: ranksToGive(), value: String(user.rank) });
    const team = field("team_id", "Team", { required: true, options: teamOptions(), value: user.team_id });
    formDialog(`Change ${user.name}`, { body: [h("div", { class: "form-row" }, rankField.node, team.node), h("p", { class: "small soft" }, "Holds from their next request on. What they made stays in the team it was made in.")], fields: [rankField, team], action: "Save", send: async () => {
      const change = {};
      if (Number(rankField.value) !== user.rank) change.rank = Number(rankField.value);
      if (team.value !== user.team_id) change.team_id = team.value;
      if (Object.keys(change).length === 0) return;
      await confirmed(() => api.patch(`/api/users/${user.id}`, change));
      await again();
      toast(`${user.name} changed.`);
    } });
  }

  const deactivate = (user) => confirmDialog(`Deactivate ${user.name}?`, "They are signed out at once and cannot sign in any more. What they made stays.", { action: "Deactivate", kind: "bad", send: async () => {
    await api.remove(`/api/users/${user.id}`);
    await again();
    toast(`${user.name} deactivated.`);
  } });

  replace(head, pageHead("Team", { below: "Who works here, and what their rank reaches.", actions: [
    isAdmin() && button("New team", { name: "plus", onclick: newTeam }), rank() >= LEAD && button("New person", { name: "plus", onclick: newUser }), rank() >= LEAD && button("Invite", { name: "plus", kind: "main", onclick: inviteUser })].filter(Boolean) }));
  fill(place, load, view, 8);
  return { title: "Team", node: h("div", { class: "page" }, head, place) };
}

const initials = (name) => (name ?? "").split(/\s+/).filter(Boolean).map((word) => [...word][0]).filter((_, i, all) => i === 0 || i === all.length - 1).join("").toUpperCase();
