// Signing in, and why one has to.
import * as api from "./api.js";
import { h, replace } from "./dom.js";
import { button, whileBusy } from "./parts.js";
import { field, formMessage, isEmail, onSubmit } from "./form.js";
import { notice } from "./states.js";
import { recall, remember } from "./storage.js";
import { go, safePath } from "./router.js";
import { begin, bringBack, issuers, signIn, signInAt } from "./session.js";
import { signInSteps } from "./sign-in-steps.js";
import { loginFrame } from "./login-frame.js";

const REASONS = {
  __proto__: null, // the address names one of these, or nothing
  password_set: ["good", "Your password is set. Sign in with it."],
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
  const opening = h("p", { class: "small", hidden: true }, "No account yet? ", h("a", { href: "/sign-up" }, "Open an organisation"));
  const form = h("form", { class: "form", "aria-label": "Sign in" }, message.node, fields.map((one) => one.node), submit,
    h("p", { class: "small" }, h("a", { href: "/reset" }, "Forgotten your password?")), opening);
  // Who signed out at an issuer as well comes back with the state that was given along.
  const reason = REASONS[query.get("reason") ?? query.get("state")];
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
    replace(place, h("h1", { tabindex: -1 }, "Sign in"), why, form, others);
    replace(why, words && notice("info", h("p", null, words)));
    message.clear();
    email.control.focus();
  };
  // One button for each issuer; without an answer there still is the form.
  const others = h("div", { class: "login-others" });
  const refused = () => replace(why, notice("bad", h("p", { class: "strong" }, "The sign-in did not succeed."), h("p", null, "Try again, or ask whoever looks after your account.")));
  issuers(signal).then((list) => replace(others, list.map((one) => {
    const leaving = button(`Sign in with ${one.title}`, { onclick: () => whileBusy(leaving, () => signInAt(one.name).catch(refused)) });
    leaving.classList.add("button-wide");
    return leaving;
  })), () => {});
  const place = h("div", { class: "login-form" }, h("h1", null, "Sign in"), why, form, others);
  const brought = Object.fromEntries(["code", "state", "iss", "error"].map((name) => [name, query.get(name)]));
  // What an issuer sends back serves once, and is nobody's business who looks at the address later.
  if (brought.code || brought.error) history.replaceState(history.state, "", "/login");
  if (brought.error) refused();
  else if (brought.code && brought.state) {
    replace(why, notice("info", h("p", null, "One moment: the sign-in is being checked.")));
    bringBack(brought, signal).then((pending) => {
      if (signal.aborted) return;
      if (pending) signInSteps(place, pending, { done: arrive, again: startOver, busy: (...parts) => countDown(...parts, signal) });
      else leave();
    }, (problem) => problem.name !== "AbortError" && refused());
  }
  const node = loginFrame(place);
  // In demo mode anybody may be anybody.
  const samples = h("div");
  place.append(samples);
  api.get("/api/demo", signal).then(({ logins }) => logins.length > 0 && replace(samples,
    h("section", { class: "demo", "aria-label": "Sample logins" }, h("h2", null, "Demonstration"), h("p", { class: "small soft" }, "Everything here is invented. Choose who to be."),
      h("ul", { class: "demo-logins" }, logins.map((one) => h("li", null, button(`${one.remark}, ${one.tenant}`, { onclick: () => {
        [tenant.control.value, email.control.value, password.control.value] = [one.tenant, one.email, one.password];
        submit.focus();
      } })))))), () => {});
  api.get("/api/sign-up", signal).then(({ open }) => { opening.hidden = !open; }, () => {});
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
