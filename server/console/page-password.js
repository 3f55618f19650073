// Choosing a password by a link that was mailed: an invitation, or one that was forgotten. The token stands behind "#",
// which no browser sends to anybody, and is taken out of the address as soon as it was read.
import * as api from "./api.js";
import { h, replace } from "./dom.js";
import { button } from "./parts.js";
import { field, formMessage, isEmail, onSubmit } from "./form.js";
import { notice } from "./states.js";
import { recall, remember } from "./storage.js";
import { go, reload } from "./router.js";
import { codeField, newPasswordFields } from "./sign-in-steps.js";
import { loginFrame } from "./login-frame.js";

function takeToken(signal) {
  // A link that is opened where its page stands already changes nothing but what is behind "#".
  addEventListener("hashchange", () => location.hash.length > 1 && reload(), { signal });
  const token = location.hash.slice(1);
  if (token !== "") history.replaceState(null, "", location.pathname);
  return token;
}

const spoken = (heading, ...content) => h("div", { class: "login-form" }, h("h1", { tabindex: -1 }, heading), ...content);

const toSignIn = () => h("p", { class: "small" }, h("a", { href: "/login" }, "Back to signing in"));

function form(label, fields, action, send, refused) {
  const message = formMessage();
  const submit = button(action, { kind: "main", type: "submit" });
  submit.classList.add("button-wide");
  const place = h("div", { class: "form" });
  const list = () => fields.filter((one) => one.node.isConnected);
  replace(place, fields.filter((one) => !one.later).map((one) => one.node));
  const node = h("form", { class: "form", "aria-label": label }, message.node, place, submit, toSignIn());
  onSubmit(node, { fields: list, submit, message, send, refused: (problem) => refused(problem, { message, place }) });
  return node;
}

function tooOften(problem, message) {
  if (problem.retryAfter === null) return false;
  message.show("warn", h("p", null, `Too many attempts from your network. Try again in ${problem.retryAfter} seconds.`));
  return true;
}

// Done: the page to sign in on knows the organisation.
function arrive({ organisation }) {
  if (organisation) remember("tenant", organisation);
  go("/login?reason=password_set", { replace: true });
}

const dead = (place, words) => replace(place, h("h1", { tabindex: -1 }, "This link does not work"), notice("warn", h("p", null, words)), toSignIn());

export function invitationPage({ signal }) {
  const token = takeToken(signal);
  const [first, fields] = newPasswordFields();
  const place = spoken("Welcome", h("p", null, "Choose a password, and your account is yours. Nobody else has seen or chosen one for you."),
    form("Password", fields, "Save", async () => arrive(await api.post("/api/invitation", { token, password: first.value })), (problem) => {
      if (problem.name !== "link-invalid") return false;
      dead(place, "It was used, was taken back, or is older than a week. Ask whoever invited you for another one.");
      return true;
    }));
  if (token === "") dead(place, "Open it again from the mail.");
  return { title: "Invitation", node: loginFrame(place) };
}

export function resetPage({ signal }) {
  const token = takeToken(signal);
  return { title: "New password", node: loginFrame(token === "" ? askFor() : choose(token)) };
}

function askFor() {
  const tenant = field("tenant", "Organisation", { required: true, autocomplete: "organization", autocapitalize: "none", spellcheck: "false", value: recall("tenant") ?? "" });
  const email = field("email", "E-mail", { type: "email", required: true, autocomplete: "username", check: isEmail });
  const place = spoken("A new password", h("p", null, "A link is mailed to you. It works once, for an hour."),
    form("New password", [tenant, email], "Send the link", async () => {
      await api.post("/api/password-reset", { tenant: tenant.value, email: email.value });
      replace(place, h("h1", { tabindex: -1 }, "Look into your mail"), notice("good", h("p", null, "If there is an account with this address, a link is on its way to it.")), toSignIn());
      place.querySelector("h1").focus({ preventScroll: true });
    }, (problem, { message }) => tooOften(problem, message)));
  return place;
}

function choose(token) {
  const [first, fields] = newPasswordFields();
  const code = { ...codeField("code", "Code", "The six digits that your authenticator shows now, or a recovery code."), later: true };
  const both = [...fields, code];
  const place = spoken("A new password", h("p", null, "It signs you out wherever you are signed in."),
    form("New password", both, "Save", async () => {
      const shown = code.node.isConnected ? { code: code.control.value.trim().replace(/^(\d{3})\s?(\d{3})$/, "$1$2") } : {};
      arrive(await api.put("/api/password-reset", { token, password: first.value, ...shown }));
    }, (problem, { message, place: inside }) => {
      if (problem.name === "link-invalid") {
        dead(place, "It was used, or is older than an hour. Ask for another one.");
        return true;
      }
      if (problem.name === "code-required") {
        inside.append(code.node);
        code.control.focus();
        return true;
      }
      if (problem.name !== "not-confirmed") return false;
      message.show("bad", h("p", { class: "strong" }, "This code is not right."), h("p", null, "Each code can be used once. After several failed attempts the right one is refused for a while, too."));
      code.control.value = "";
      code.control.focus();
      return true;
    }));
  return place;
}

export function signUpPage({ signal }) {
  const token = takeToken(signal);
  return { title: "New organisation", node: loginFrame(token === "" ? askForOne(signal) : make(token)) };
}

function askForOne(signal) {
  const organisation = field("organisation", "Organisation", { required: true, maxlength: 200, autocomplete: "organization" });
  const name = field("name", "Your name", { required: true, maxlength: 200, autocomplete: "name" });
  const email = field("email", "E-mail", { type: "email", required: true, autocomplete: "username", check: isEmail });
  const place = spoken("A new organisation", h("div", { "aria-busy": "true" }, "One moment."));
  const others = h("span");
  api.get("/api/sign-up", signal).then(({ open, region }) => {
    if (!open) return replace(place, h("h1", { tabindex: -1 }, "A new organisation"), notice("info", h("p", null, "Organisations cannot be signed up here. Ask whoever runs this service.")), toSignIn());
    api.get("/api/status", signal).then(({ regions = [] }) => replace(others, regions.filter((one) => one.region !== region).flatMap((one, at) =>
      [at === 0 ? "For another region go to " : ", ", h("a", { href: `${one.url}/sign-up` }, one.region)]), regions.length > 0 && "."), () => {});
    return replace(place, h("h1", { tabindex: -1 }, "A new organisation"), h("p", null, "Its data stays in the region ", h("strong", null, region), ". A link to go on is mailed to you; you will be its admin. ", others),
      form("New organisation", [organisation, name, email], "Send the link", async () => {
        await api.post("/api/sign-up", { organisation: organisation.value, region, name: name.value, email: email.value });
        replace(place, h("h1", { tabindex: -1 }, "Look into your mail"), notice("good", h("p", null, `A link is on its way to ${email.value}. It works once, for a day.`)), toSignIn());
        place.querySelector("h1").focus({ preventScroll: true });
      }, (problem, { message }) => tooOften(problem, message)));
  }, (error) => replace(place, h("h1", { tabindex: -1 }, "A new organisation"), notice("bad", h("p", null, error.text ?? "The server cannot be reached.")), toSignIn()));
  return place;
}

function make(token) {
  const slug = field("slug", "Short name", { required: true, maxlength: 63, autocapitalize: "none", spellcheck: "false", hint: "What people type to sign in: small letters, digits and hyphens.",
    check: (value) => (/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(value) ? null : "Small letters, digits and hyphens, no hyphen at either end.") });
  const [first, fields] = newPasswordFields();
  const place = spoken("A new organisation", h("p", null, "Two more things, and it is yours."),
    form("New organisation", [slug, ...fields], "Open it", async () => arrive(await api.put("/api/sign-up", { token, slug: slug.value, password: first.value })), (problem) => {
      if (problem.name === "name-taken") {
        slug.say("This name is taken.");
        slug.control.focus();
        return true;
      }
      if (problem.name !== "link-invalid") return false;
      dead(place, "It was used, or is older than a day. Begin anew.");
      return true;
    }));
  return place;
}
