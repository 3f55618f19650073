// How one signs in: the second factor, its recovery codes, the session.
import * as api from "./api.js";
import { h, replace } from "./dom.js";
import { badge, button, card, facts, iconButton, pageHead, segments, whileBusy } from "./parts.js";
import { field } from "./form.js";
import { confirmDialog, formDialog, showDialog } from "./dialog.js";
import { time } from "./format.js";
import { fill } from "./states.js";
import { isAbort, textOf } from "./problem.js";
import { users } from "./people.js";
import { isAdmin, session } from "./session.js";
import { codeField, newPasswordFields } from "./sign-in-steps.js";
import { table } from "./table.js";
import { enrolmentView, recoveryView } from "./second-factor-view.js";
import { confirmed } from "./step-up.js";
import { toast } from "./toast.js";

export function securityPage({ signal }) {
  const factorPlace = h("div");
  const load = () => api.get("/api/second-factor", signal);
  const again = () => fill(factorPlace, load, view, 4);

  // What a button does when a confirmation may come first; a dismissed one needs no words.
  const act = (node, action) => whileBusy(node, async () => {
    try {
      await confirmed(action);
    } catch (error) {
      if (!isAbort(error) && error.name !== "step-up-required") toast(textOf(error), "bad");
    }
  });

  function view(state) {
    const set = button(state.active ? "Replace" : "Set up", { kind: state.active ? "" : "main", onclick: () => act(set, begin) });
    const codes = state.active && button("New recovery codes", { onclick: () => act(codes, renew) });
    const remove = state.active && !state.required && button("Remove", { kind: "bad", onclick: () => act(remove, askRemoval) });
    return card("Second factor", { note: "A code of an app on your phone, besides the password.", actions: h("div", { class: "actions" }, set, codes, remove) },
      h("div", { class: "card-body" }, facts([
        ["State", state.active ? badge("On", "good") : badge(state.required ? "Wanted by your organisation" : "Off", state.required ? "warn" : "plain")],
        state.active && ["Since", time(state.confirmed_at)],
        state.active && ["Recovery codes left", state.recovery_codes > 2 ? String(state.recovery_codes) : badge(`${state.recovery_codes} left`, "warn")],
      ])));
  }

  async function begin() {
    const made = await api.post("/api/second-factor");
    const code = codeField("code", "Code", "The six digits that the app shows now.");
    let codes = null;
    const { node } = formDialog("Set up a second factor", { body: [enrolmentView(made), code.node], fields: [code], action: "Confirm", send: async () => {
      codes = (await confirmed(() => api.put("/api/second-factor", { code: code.value.replace(/\s/g, "") }))).recovery_codes;
    }, refused: (problem, { message }) => {
      if (problem.name !== "invalid") return false;
      message.show("bad", "This code does not fit. Take the one that the app shows now.");
      code.control.value = "";
      code.control.focus();
      return true;
    } });
    node.addEventListener("close", () => {
      if (codes === null) return;
      again();
      showCodes(codes);
    });
  }

  async function renew() {
    showCodes((await api.post("/api/second-factor/recovery-codes")).recovery_codes);
    again();
  }

  const showCodes = (codes) => showDialog("Recovery codes", recoveryView(codes));

  const askRemoval = async () => confirmDialog("Remove the second factor?", "From then on your password alone signs you in. The recovery codes are worth nothing any more.", { action: "Remove", kind: "bad", send: async () => {
    await confirmed(() => api.remove("/api/second-factor"));
    again();
    toast("Second factor removed.");
  } });

  function changePassword() {
    const old = field("old", "Present password", { type: "password", required: true, autocomplete: "current-password" });
    const [first, both] = newPasswordFields();
    formDialog("Change the password", { body: [old.node, both.map((one) => one.node)], fields: [old, ...both], action: "Change", send: async () => {
      await api.put("/api/password", { old: old.value, new: first.value });
      toast("Password changed.");
    }, refused: (problem, { message }) => {
      if (problem.name !== "not-confirmed") return false;
      message.show("bad", "This is not your present password.");
      old.control.value = "";
      old.control.focus();
      return true;
    } });
  }

  // Where one is signed in, and was; admins look at everybody's as well.
  const sessionPlace = h("div");
  const seen = { everybody: false };
  const sessionsAgain = () => fill(sessionPlace, async () => {
    const [{ sessions }, people] = await Promise.all([api.get(api.withQuery("/api/sessions", { of: seen.everybody && "everybody" }), signal), seen.everybody ? users() : []]);
    return { sessions, names: new Map(people.map((one) => [one.id, one.name])) };
  }, sessionsView, 4);

  function sessionsView({ sessions, names }) {
    const choice = isAdmin() && segments("Sessions of", [["me", "Mine"], ["everybody", "Everybody"]], seen.everybody ? "everybody" : "me", (value) => {
      seen.everybody = value === "everybody";
      sessionsAgain();
    });
    return card("Sessions", { note: "One at a time: signing in elsewhere ends the one before.", actions: choice }, table("Sessions", [
      seen.everybody && { name: "Person", cell: (one) => names.get(one.user_id) ?? "–" },
      { name: "Device", class: "phone-wide", cell: (one) => h("div", null, h("p", { class: "strong" }, deviceOf(one.device), one.current && h("span", { class: "faint" }, " (this one)")), h("p", { class: "small soft" }, one.network ?? "unknown network")) },
      { name: "Signed in", class: "tight", cell: (one) => time(one.created_at) },
      { name: "Last seen", class: "tight phone-off", cell: (one) => time(one.last_seen_at) },
      { name: "State", class: "tight", cell: (one) => (one.live ? badge("Live", "good") : badge(ENDED[one.end_reason] ?? "Expired", "plain")) },
      { name: "Actions", unseen: true, class: "tight", end: true, cell: (one) => one.live && !one.current && iconButton("trash", `End the session on ${deviceOf(one.device)}`, () => askEnd(one)) },
    ].filter(Boolean), sessions));
  }

  const askEnd = (one) => confirmDialog("End this session?", "Whoever uses it is signed out at once.", { action: "End", kind: "bad", send: async () => {
    await api.remove(`/api/sessions/${one.id}`);
    sessionsAgain();
    toast("Session ended.");
  } });

  again();
  sessionsAgain();
  const head = h("div");
  replace(head, pageHead("Security", { below: "How you sign in, and what keeps others from it." }));
  return { title: "Security", node: h("div", { class: "page" }, head, factorPlace,
    card("Password", { note: "Ten characters or more that are hard to guess. It stays until there is a reason to change it.", actions: button("Change", { onclick: changePassword }) }),
    sessionPlace,
    card("This session", {}, h("div", { class: "card-body" }, facts([["Ends", time(session().expires_at)], ["Organisation", session().tenant.name]])))) };
}

const ENDED = { superseded: "Signed in elsewhere", signed_out: "Signed out", deactivated: "Deactivated", suspended: "Suspended", credentials_changed: "Password changed", revoked: "Ended" };

// Browsers call themselves by a dozen names: the first that fits is the one. What is unknown is shown as it is.
const BROWSERS = [["Edg/", "Edge"], ["OPR/", "Opera"], ["Firefox/", "Firefox"], ["Chrome/", "Chrome"], ["Safari/", "Safari"], ["curl/", "curl"]];
const SYSTEMS = [["iPhone", "iPhone"], ["iPad", "iPad"], ["Android", "Android"], ["Windows", "Windows"], ["Mac OS X", "Mac"], ["CrOS", "ChromeOS"], ["Linux", "Linux"]];
function deviceOf(text) {
  if (text === null) return "Unknown device";
  const named = (list) => list.find(([sign]) => text.includes(sign))?.[1];
  const [browser, system] = [named(BROWSERS), named(SYSTEMS)];
  if (!browser) return text.length > 60 ? `${text.slice(0, 60)}…` : text;
  return system ? `${browser} on ${system}` : browser;
}
