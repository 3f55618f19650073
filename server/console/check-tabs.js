// The pages of checks, beside each other.
import { h } from "./dom.js";
import { rank } from "./session.js";
import { MANAGER } from "./check-words.js";

const TABS = [["/checks", "Waiting"], ["/subjects", "All checks"], ["/erasures", "Erasure", MANAGER], ["/reporting", "Reporting"]];

export const checkTabs = (here) => h("nav", { class: "tabs", "aria-label": "Checks" }, h("ul", null, TABS.filter(([, , least]) => rank() >= (least ?? 1)).map(([path, text]) =>
  h("li", null, h("a", { href: path, "aria-current": path === here ? "page" : null }, text)))));
