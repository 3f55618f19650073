// Signing in, and why one has to.
import { h, replace } from "./dom.js";
import { icon, mark } from "./icons.js";
import { button } from "./parts.js";
import { field, formMessage, isEmail, onSubmit } from "./form.js";
import { notice } from "./states.js";
import { recall, remember } from "./storage.js";
import { go, safePath } from "./router.js";
import { begin, signIn } from "./session.js";
import { signInSteps } from "./sign-in-steps.js";
import { themeButton } from "./frame.js";

const REASONS = {
  signed_in_elsewhere: ["warn", "You were signed out because you signed in on another device."],
  expired: ["info", "Your session has ended. Sign in again to go on."],
  signed_out: ["good", "You are signed out."],
};

export function loginPage({ query, signal }) {
  const tenant = field("tenant", "Organisation", { required: true, autocomplete: "organization", autocapitalize: "none", spellcheck: "false", hint: "Its short name, such as northgate-dental.", value: recall("tenant") ?? "" });
  const email = field("email", "E-mail", { type: "email", required: true, autocomplete: "username", check: isEmail });
  const password = field("password", "Password", { type: "password", required: true, autocomplete: "current-password" });
  const fields = [tenant, email, password];
  const message = formMessage();
  const submit = button("Sign in", { kind: "main", type: "submit" });
  submit.classList.add("button-wide");
  const form = h("form", { class: "form", "aria-label": "Sign in" }, message.node, fields.map((one) => one.node), submit);
  const reason = REASONS[query.get("reason")];
  const why = h("div", { role: "status" }, reason && notice(reason[0], h("p", null, reason[1])));

  onSubmit(form, { fields, submit, message, send: async () => {
    const pending = await signIn(tenant.value, email.value, password.value);
    remember("tenant", tenant.value);
    password.control.value = "";
    if (pending) signInSteps(place, pending, { done: arrive, again: startOver, busy: (...parts) => countDown(...parts, signal) });
    else leave();
  }, refused: (problem) => {
    replace(why);
    if (problem.name === "invalid-credentials") {
      message.show("bad", h("p", { class: "strong" }, "Organisation, e-mail and password do not fit together."), h("p", null, "After several failed attempts an account also refuses the right password for a while."));
      password.control.value = "";
      password.control.focus();
      return true;
    }
    if (problem.retryAfter === null) return false;
    countDown(problem, message, submit, signal);
    return true;
  } });

  const leave = () => go(safePath(query.get("next")), { replace: true });
  const arrive = (answer) => {
    begin(answer);
    leave();
  };
  const startOver = (words) => {
    replace(place, h("h1", { tabindex: -1 }, "Sign in"), why, form);
    replace(why, words && notice("info", h("p", null, words)));
    message.clear();
    email.control.focus();
  };
  const place = h("div", { class: "login-form" }, h("h1", null, "Sign in"), why, form);
  const node = h("div", { class: "login" },
    h("section", { class: "login-side" },
      h("div", { class: "login-brand" }, mark(), "Aegis"),
      h("div", { class: "login-words" }, h("p", { class: "login-claim" }, "Records that can be checked."), h("ul", { class: "login-points" },
        h("li", null, icon("lock"), "Personal data is sealed before it is stored."),
        h("li", null, icon("ledger"), "Every step is an entry in a chain of hashes."),
        h("li", null, icon("shield"), "Anybody you choose can verify it, without trusting us.")))),
    h("section", { class: "login-main" }, h("div", { class: "login-tools" }, themeButton()),
      place));
  setTimeout(() => !signal.aborted && (tenant.value === "" ? tenant : email).control.focus());
  return { title: "Sign in", node };
}

// The server said when to come back: until then the button waits, and the seconds are shown.
function countDown(problem, message, submit, signal) {
  const until = Date.now() + problem.retryAfter * 1000;
  const left = h("span", { class: "figures" });
  message.show("warn", h("p", { class: "strong" }, `${problem.message}.`), h("p", null, "You can try again in ", left, "."));
  submit.disabled = true;
  const timer = setInterval(tick, 250);
  function tick() {
    const seconds = Math.ceil((until - Date.now()) / 1000);
    left.textContent = `${seconds} ${seconds === 1 ? "second" : "seconds"}`;
    if (seconds > 0 && !signal.aborted) return;
    clearInterval(timer);
    submit.disabled = false;
    message.clear();
  }
  tick();
}
