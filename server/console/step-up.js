// Asks who somebody is before what is dangerous, and then does it.
import * as api from "./api.js";
import { h } from "./dom.js";
import { field } from "./form.js";
import { formDialog } from "./dialog.js";
import { codeField } from "./sign-in-steps.js";

/**
 * Runs the action; when the server wants a fresh confirmation first, asks for one and runs it again. Resolves to what the
 * action gave; a confirmation that is dismissed rejects with the problem that asked for it.
 */
export async function confirmed(action) {
  try {
    return await action();
  } catch (problem) {
    if (problem.name !== "step-up-required") throw problem;
    await confirm(problem);
    return action();
  }
}

/** Asks; rejects with the problem when it is dismissed. */
export async function confirm(problem) {
  const { active } = await api.get("/api/second-factor");
  const proof = active ? codeField("code", "Code", "The six digits that your authenticator shows now, or a recovery code.")
    : field("password", "Password", { type: "password", required: true, autocomplete: "current-password" });
  return new Promise((resolve, reject) => {
    let done = false;
    const { node } = formDialog("Confirm it is you", { body: [h("p", null, "This needs a fresh confirmation, so that nobody does it at a screen that was left open."), proof.node], fields: [proof], action: "Confirm",
      send: async () => {
        await api.post("/api/session/step-up", { [proof.name]: active ? proof.value.replace(/^(\d{3})\s?(\d{3})$/, "$1$2") : proof.value });
        done = true;
      },
      refused: (refusal, { message }) => {
        if (refusal.name !== "not-confirmed") return false;
        message.show("bad", active ? "This code is not right, or was used already." : "This is not your password.");
        proof.control.value = "";
        proof.control.focus();
        return true;
      } });
    node.addEventListener("close", () => (done ? resolve() : reject(problem)));
  });
}
