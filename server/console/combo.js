// Choosing from a list while typing (the ARIA combobox pattern).
import { calmly, h, newId, replace } from "./dom.js";
import { isAbort } from "./problem.js";

/**
 * search(text) gives [{ value, text, note }]. Returns { input, node, value, set(option) } in the shape
 * that forms expect of a field.
 */
export function combo(name, label, { search, chosen = null, none = "Nothing found.", change = () => {} }) {
  const [id, listId, errorId] = [newId(name), newId("list"), newId("error")];
  const list = h("ul", { id: listId, class: "combo-list", role: "listbox", "aria-label": label, hidden: true, onpointerdown: (event) => event.preventDefault() });
  const empty = h("p", { class: "combo-list combo-none", hidden: true, role: "status" }, none);
  const input = h("input", { id, name, class: "input", role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": listId, autocomplete: "off", spellcheck: "false", required: true,
    placeholder: "Type a name, or a whole e-mail address" });
  const error = h("p", { class: "field-error", id: errorId, hidden: true });
  let options = [];
  let active = -1;
  let value = null;
  let run = 0;

  function expand(yes) {
    list.hidden = !yes || options.length === 0;
    empty.hidden = !yes || options.length > 0;
    input.setAttribute("aria-expanded", String(!list.hidden));
    if (!yes) mark(-1);
  }
  function mark(index) {
    active = index;
    [...list.children].forEach((node, i) => {
      node.setAttribute("aria-selected", String(i === index));
      if (i === index) node.scrollIntoView({ block: "nearest" });
    });
    if (index < 0) input.removeAttribute("aria-activedescendant");
    else input.setAttribute("aria-activedescendant", `${listId}-${index}`);
  }
  function set(option) {
    value = option?.value ?? null;
    input.value = option?.text ?? "";
    say(null);
    expand(false);
    change(value);
  }
  function say(words) {
    error.hidden = !words;
    error.textContent = words ?? "";
    if (words) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
    if (words) input.setAttribute("aria-describedby", errorId);
    else input.removeAttribute("aria-describedby");
    return !words;
  }
  async function look() {
    const mine = ++run;
    try {
      const found = await search(input.value.trim());
      if (mine !== run || document.activeElement !== input) return;
      options = found;
      replace(list, options.map((option, i) => h("li", { id: `${listId}-${i}`, class: "combo-option", role: "option", "aria-selected": "false", onclick: () => set(option) }, h("span", null, option.text), h("span", null, option.note ?? ""))));
      expand(true);
      mark(options.length === 1 ? 0 : -1);
    } catch (problem) {
      if (!isAbort(problem)) say("The list could not be loaded.");
    }
  }
  const lookSoon = calmly(200, look);

  input.addEventListener("input", () => {
    value = null;
    change(null);
    lookSoon();
  });
  input.addEventListener("focus", () => value === null && look());
  input.addEventListener("click", () => list.hidden && look());
  input.addEventListener("blur", () => expand(false));
  input.addEventListener("keydown", (event) => {
    const moves = { ArrowDown: 1, ArrowUp: -1 };
    if (moves[event.key]) {
      event.preventDefault();
      if (list.hidden) look();
      else if (options.length > 0) mark((active + moves[event.key] + options.length) % options.length);
    } else if (event.key === "Enter" && !list.hidden) {
      event.preventDefault();
      if (active >= 0) set(options[active]);
    } else if (event.key === "Escape" && !(list.hidden && empty.hidden)) {
      event.preventDefault();
      expand(false);
    } else if (event.key === "Tab" && active >= 0 && !list.hidden) {
      set(options[active]);
    }
  });
  if (chosen) set(chosen);

  return { name, control: input, say, validate: () => say(value === null ? `${label} is missing: choose one from the list.` : null), set, get value() { return value; },
    node: h("div", { class: "field" }, h("label", { class: "field-label", for: id }, label), h("div", { class: "combo" }, input, list, empty), error) };
}
