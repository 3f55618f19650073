// Forms: fields with labels, hints and errors, and what is done while one is sent.
import { h, newId, replace } from "./dom.js";
import { icon } from "./icons.js";
import { whileBusy } from "./parts.js";
import { notice } from "./states.js";
import { isAbort, textOf } from "./problem.js";

/**
 * A labelled control. check(value) gives the words of what is wrong, or nothing. The result has
 * node, control, value and validate().
 */
export function field(name, label, { type = "text", hint, required = false, check, options, rows, mark = true, ...attributes } = {}) {
  const id = newId(name);
  const [hintId, errorId] = [`${id}-hint`, `${id}-error`];
  const common = { id, name, class: "input", required: required || null, "aria-describedby": hint ? hintId : null, ...attributes };
  let control;
  if (options) control = h("select", common, options.map(([value, text]) => h("option", { value, selected: value === attributes.value }, text)));
  else if (rows) control = h("textarea", { ...common, rows });
  else control = h("input", { ...common, type });
  if (options && attributes.value !== undefined) control.value = attributes.value;
  const error = h("p", { class: "field-error", id: errorId, hidden: true });
  const read = () => (type === "password" ? control.value : control.value.trim());

  function say(words) {
    error.hidden = !words;
    replace(error, words && [icon("alert", 14), h("span", null, words)]);
    if (words) control.setAttribute("aria-invalid", "true");
    else control.removeAttribute("aria-invalid");
    const described = [hint && hintId, words && errorId].filter(Boolean).join(" ");
    if (described) control.setAttribute("aria-describedby", described);
    else control.removeAttribute("aria-describedby");
    return !words;
  }
  const validate = () => say(required && read() === "" ? `${label} is missing.` : read() !== "" && check?.(read()));
  control.addEventListener("input", () => control.hasAttribute("aria-invalid") && validate());

  const node = h("div", { class: "field" },
    h("label", { class: "field-label", for: id }, label, !required && mark && h("span", { class: "field-optional" }, " (optional)")),
    control, hint && h("p", { class: "field-hint", id: hintId }, hint), error);
  return { name, label, node, control, validate, say, get value() { return read(); } };
}

/** For what the server says of one field, such as: field "country" must be …: it is said there. Takes fields, gives what refused(problem) wants. */
export const atItsField = (fields) => (problem) => {
  const [, name, words] = /^field "(\w+)" (.+)$/s.exec(problem.detail ?? "") ?? [];
  const one = fields.find((known) => known.name === name);
  if (!one) return false;
  one.say(`${one.label} ${words.replace(/[.]?$/, ".")}`);
  one.control.focus();
  return true;
};

export const isEmail = (value) => (/^[^@\s]+@[^@\s]+$/.test(value) ? null : "This is not an e-mail address.");

/** All fields are checked; the first wrong one is gone to. */
export function allValid(fields) {
  const wrong = fields.filter((one) => !one.validate());
  wrong[0]?.control.focus();
  return wrong.length === 0;
}

/** {name: value} of the fields; empty ones are null. */
export const valuesOf = (fields) => Object.fromEntries(fields.map((one) => [one.name, one.value === "" ? null : one.value]));

/** A place for what the server said about the form. */
export function formMessage() {
  const place = h("div", { class: "form-message" });
  return { node: place, clear: () => replace(place), show: (kind, ...content) => replace(place, notice(kind, ...content)) };
}

/**
 * What happens on submit: the fields are checked, the button waits, refusals are shown.
 * refused(problem) may handle one itself and return true.
 */
export function onSubmit(form, { fields, submit, message, send, refused }) {
  form.noValidate = true;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    message.clear();
    const list = typeof fields === "function" ? fields() : fields;
    if (!allValid(list)) return;
    await whileBusy(submit, async () => {
      try {
        await send();
      } catch (error) {
        if (isAbort(error) || refused?.(error)) return;
        message.show("bad", textOf(error));
      }
    });
  });
}
