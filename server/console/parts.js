// Parts that many pages use.
import { h, replace } from "./dom.js";
import { icon } from "./icons.js";
import { toast } from "./toast.js";

export function button(label, { kind = "", name, type = "button", ...rest } = {}) {
  return h("button", { class: `button ${kind && `button-${kind}`}`, type, ...rest }, name && icon(name, 16), label);
}

export const linkButton = (label, href, { kind = "", name } = {}) => h("a", { class: `button ${kind && `button-${kind}`}`, href }, name && icon(name, 16), label);

export const iconButton = (name, label, onclick, rest) => h("button", { class: "icon-button", type: "button", "aria-label": label, title: label, onclick, ...rest }, icon(name));

export const badge = (text, kind = "") => h("span", { class: `badge ${kind && `badge-${kind}`}` }, text);

const STATUS = { draft: ["Draft", ""], sent: ["Sent", "info"], partially_paid: ["Partly paid", "info"], paid: ["Paid", "good"],
  cancelled: ["Cancelled", "plain"], void: ["Void", "plain"], uncollectible: ["Uncollectible", "warn"] };

export function statusBadge(invoice) {
  if (invoice.overdue) return badge("Overdue", "warn");
  const [text, kind] = STATUS[invoice.status] ?? [invoice.status, ""];
  return badge(text, kind);
}

/** Head of a page: where it belongs, its name, a line below it, what can be done. */
export function pageHead(title, { crumb, below, beside, actions = [] } = {}) {
  return h("div", { class: "page-head" },
    h("div", { class: "page-title" },
      crumb && h("a", { class: "crumb", href: crumb.href }, icon("back", 16), crumb.text),
      h("div", { class: "page-title-row" }, h("h1", null, title), beside),
      below && h("p", null, below)),
    actions.length > 0 && h("div", { class: "actions" }, ...actions));
}

/** Replaces a head when more is known; who stood on the heading stays on it. */
export function showHead(place, head) {
  const stood = place.contains(document.activeElement) && document.activeElement.tagName === "H1";
  replace(place, head);
  if (!stood) return;
  const heading = place.querySelector("h1");
  heading.setAttribute("tabindex", "-1");
  heading.focus({ preventScroll: true });
}

export function card(title, { actions, note, level = "h2", foot } = {}, ...body) {
  return h("section", { class: "card", "aria-label": typeof title === "string" ? title : null },
    title && h("div", { class: "card-head" }, h("div", null, h(level, null, title), note && h("p", null, note)), actions),
    ...body, foot);
}

export const facts = (pairs, tall = false) =>
  h("dl", { class: tall ? "facts facts-tall" : "facts" }, pairs.filter(Boolean).map(([name, value]) => [h("dt", null, name), h("dd", null, value)]));

export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    toast(`${what} copied.`);
  } catch {
    toast("The browser does not allow copying here. Select the text instead.", "bad");
  }
}

export const copyable = (text, what, shown = text) =>
  h("div", { class: "copy-row" }, h("span", { class: "hash" }, shown), iconButton("copy", `Copy ${what.toLowerCase()}`, () => copy(text, what)));

export const codeBlock = (text, what) =>
  h("div", { class: "code-block" }, h("pre", { tabindex: 0, role: "group", "aria-label": what }, text), iconButton("copy", `Copy ${what.toLowerCase()}`, () => copy(text, what)));

/** A choice of few, as radio buttons: arrow keys work by themselves. */
export function segments(label, choices, chosen, change) {
  const name = `segments-${label.toLowerCase().replace(/\W/g, "-")}`;
  return h("div", { class: "segments", role: "radiogroup", "aria-label": label }, choices.map(([value, text]) =>
    h("label", null, h("input", { type: "radio", name, value, checked: value === chosen, onchange: () => change(value) }), h("span", null, text))));
}

/** Runs the action of a button; while it runs, the button waits and a second click does nothing. */
export async function whileBusy(node, action) {
  if (node.getAttribute("aria-disabled") === "true") return;
  const label = [...node.childNodes];
  node.setAttribute("aria-disabled", "true");
  node.classList.add("busy");
  node.prepend(icon("spinner", 16));
  try {
    await action();
  } finally {
    node.removeAttribute("aria-disabled");
    node.classList.remove("busy");
    node.replaceChildren(...label);
  }
}

/** A search field; "/" goes to it. */
export function searchField(label, placeholder, value, change) {
  const input = h("input", { class: "input", type: "search", placeholder, "aria-label": label, autocomplete: "off", spellcheck: "false", "data-search": true, value,
    oninput: () => change(input.value.trim()),
    onkeydown: (event) => {
      if (event.key !== "Escape" || input.value === "") return;
      event.preventDefault();
      input.value = "";
      change("");
    } });
  return h("div", { class: "search", role: "search" }, icon("search", 16), input, h("span", { class: "key", "aria-hidden": "true" }, "/"));
}
