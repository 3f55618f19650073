// Single keys: "/" to search, "g" and a letter to go to a page, "?" for this list.
import { h } from "./dom.js";
import { anyOpen, showDialog } from "./dialog.js";
import { recall, remember } from "./storage.js";
import { go } from "./router.js";
import { rank, session } from "./session.js";

const PLACES = { d: ["/dashboard", "Dashboard"], c: ["/customers", "Customers"], i: ["/invoices", "Invoices"], n: ["/invoices/new", "New invoice"], p: ["/payments", "Payments"], k: ["/checks", "Checks"], t: ["/team", "Team"], w: ["/webhooks", "Webhooks"], l: ["/ledger", "Ledger"], a: ["/api-docs", "API"] };
const LEAST = { "/payments": 3, "/webhooks": 4, "/ledger": 4 };
const SECOND = 1200;

// Single-key commands get in the way of speech input, so they can be turned off.
const enabled = () => recall("keys") !== "off";
const isTyping = (target) => target.closest?.("input, textarea, select, [contenteditable], [role='listbox'], [role='tree']") !== null;

export function listen() {
  let prefix = 0;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || !session() || anyOpen() || isTyping(event.target) || !enabled()) return;
    const after = Date.now() - prefix < SECOND;
    prefix = 0;
    const place = after ? PLACES[event.key] : null;
    if (place && rank() >= (LEAST[place[0]] ?? 1)) go(place[0]);
    else if (event.key === "g") prefix = Date.now();
    else if (event.key === "/") focusSearch();
    else if (event.key === "?") showKeys();
    else return;
    event.preventDefault();
  });
}

function focusSearch() {
  if (!document.querySelector("[data-search]")) go("/customers");
  const input = document.querySelector("[data-search]");
  input?.focus();
  input?.select();
}

export function showKeys() {
  const row = (keys, text) => [h("dt", null, keys.map((key, i) => [i > 0 && " ", h("kbd", null, key)])), h("dd", null, text)];
  const box = h("input", { type: "checkbox", checked: enabled(), onchange: () => remember("keys", box.checked ? "on" : "off") });
  showDialog("Keyboard", h("dl", { class: "facts" },
    row(["/"], "Search"), row(["?"], "This list"), row(["Esc"], "Close a dialog, empty a search"), row(["↑", "↓"], "From row to row, seal to seal"),
    Object.entries(PLACES).filter(([, [path]]) => rank() >= (LEAST[path] ?? 1)).map(([key, [, text]]) => row(["g", key], text))),
  h("label", { class: "check" }, box, "Use single keys"));
}
