// What a sign-in still asks for after the password: a code, a new second factor, a new password. Nobody is signed in
// until the last step is done, and a page that is left forgets the challenge.
import * as api from "./api.js";
import { h, replace } from "./dom.js";
import { button } from "./parts.js";
import { field, formMessage, onSubmit } from "./form.js";
import { enrolmentView, recoveryView } from "./second-factor-view.js";

const CODE_DIGITS = 6;

/**
 * Shows the steps in the place, one after the other. done(session) is called with the session, start() to begin again.
 */
export function signInSteps(place, pending, { done, again, busy }) {
  const title = h("h1", { tabindex: -1 });
  const stage = h("div", { class: "login-step" });
  replace(place, title, stage);

  function arrive(text, ...content) {
    replace(title, text);
    replace(stage, ...content, button("Begin again", { onclick: () => again() }));
    title.focus({ preventScroll: true });
  }

  // 200 with what is due next, or 201 with the session.
  async function answer(body) {
    const result = await api.post("/api/session/challenge", { challenge: pending.challenge, ...body });
    if (result.due) return show(result);
    if (result.recovery_codes) return arriveWithCodes(result);
    return done(result);
  }

  const arriveWithCodes = (result) => {
    replace(title, "Recovery codes");
    replace(stage, recoveryView(result.recovery_codes), button("Go on", { kind: "main", onclick: () => done(result) }));
    title.focus({ preventScroll: true });
  };

  function stepForm(label, fields, action, body, above) {
    const message = formMessage();
    const submit = button(action, { kind: "main", type: "submit" });
    submit.classList.add("button-wide");
    const form = h("form", { class: "form", "aria-label": label }, above, message.node, fields.map((one) => one.node), submit);
    onSubmit(form, { fields, submit, message, send: () => answer(body()), refused: (problem) => {
      if (problem.name === "challenge-invalid") {
        again("It took too long. Sign in again.");
        return true;
      }
      if (problem.name === "not-confirmed") {
        message.show("bad", h("p", { class: "strong" }, "This code is not right."), h("p", null, "Each code can be used once. After several failed attempts the right one is refused for a while, too."));
        fields[0].control.value = "";
        fields[0].control.focus();
        return true;
      }
      if (problem.retryAfter === null) return false;
      busy(problem, message, submit);
      return true;
    } });
    return form;
  }

  function askCode() {
    const code = codeField("code", "Code", "The six digits that your authenticator shows now, or a recovery code.");
    arrive("Confirm it is you", stepForm("Second factor", [code], "Confirm", () => ({ code: code.value.replace(/^(\d{3})\s?(\d{3})$/, "$1$2") })));
  }

  async function askEnrolment() {
    arrive("Set up a second factor", h("div", { "aria-busy": "true" }, "One moment."));
    try {
      const made = await api.post("/api/session/enrolment", { challenge: pending.challenge });
      const code = codeField("code", "First code", "The six digits that the app shows now.");
      arrive("Set up a second factor", stepForm("Second factor", [code], "Confirm", () => ({ code: code.value.replace(/\s/g, "") }),
        [h("p", null, "Your organisation asks for one. From now on signing in takes your password and a code of an app on your phone."), enrolmentView(made)]));
    } catch (error) {
      again(error.name === "challenge-invalid" ? "It took too long. Sign in again." : error.text);
    }
  }

  function askPassword() {
    const [first, fields] = newPasswordFields();
    arrive("Choose a new password", stepForm("New password", fields, "Save and sign in", () => ({ password: first.value }),
      h("p", null, "Your password may be known to others, so it has to be replaced. Nothing was lost by that: it only opens nothing any more.")));
  }

  function show(next) {
    ({ code: askCode, enrolment: askEnrolment, password: askPassword })[next.due]();
  }
  show(pending);
}

/** A code of an authenticator, or a recovery code. */
export const codeField = (name, label, hint) => field(name, label, { required: true, autocomplete: "one-time-code", inputmode: "text", autocapitalize: "none", spellcheck: "false", hint, maxlength: 64,
  check: (value) => (value.replace(/[\s-]/g, "").length < CODE_DIGITS ? "A code has six digits." : null) });

/** [first, both]: the field of a new password, and both of them: it is typed twice. */
export function newPasswordFields() {
  const first = field("password", "New password", { type: "password", required: true, maxlength: 256, autocomplete: "new-password", hint: "At least ten characters, and not easy to guess: several unusual words are good.",
    check: (value) => ([...value].length < 10 ? "At least ten characters." : null) });
  const second = field("repeated", "The same again", { type: "password", required: true, maxlength: 256, autocomplete: "new-password",
    check: (value) => (value === first.value ? null : "The two are not the same.") });
  return [first, [first, second]];
}
