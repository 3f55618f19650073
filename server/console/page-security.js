// How one signs in: the second factor, its recovery codes, the session.
import * as api from "./api.js";
import { h, replace } from "./dom.js";
import { badge, button, card, facts, pageHead, whileBusy } from "./parts.js";
import { field } from "./form.js";
import { confirmDialog, formDialog, showDialog } from "./dialog.js";
import { time } from "./format.js";
import { fill } from "./states.js";
import { isAbort, textOf } from "./problem.js";
import { session } from "./session.js";
import { codeField, newPasswordFields } from "./sign-in-steps.js";
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

  again();
  const head = h("div");
  replace(head, pageHead("Security", { below: "How you sign in, and what keeps others from it." }));
  return { title: "Security", node: h("div", { class: "page" }, head, factorPlace,
    card("Password", { note: "Ten characters or more that are hard to guess. It stays until there is a reason to change it.", actions: button("Change", { onclick: changePassword }) }),
    card("Session", { note: "One at a time: signing in elsewhere ends this one." }, h("div", { class: "card-body" }, facts([["Ends", time(session().expires_at)], ["Organisation", session().tenant.name]])))) };
}
