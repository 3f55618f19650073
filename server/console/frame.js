// The frame around the pages: brand, navigation, account.
import { h, replace } from "./dom.js";
import { icon, mark } from "./icons.js";
import { iconButton, whileBusy } from "./parts.js";
import { rank, RANKS, session, signOut } from "./session.js";
import { showKeys } from "./keyboard.js";
import { remember } from "./storage.js";
import { textOf } from "./problem.js";
import { toast } from "./toast.js";
import { myName } from "./people.js";
import { go } from "./router.js";

const PLACES = [["dashboard", "Dashboard"], ["customers", "Customers"], ["invoices", "Invoices"], ["payments", "Payments"], ["checks", "Checks"], ["team", "Team"], ["webhooks", "Webhooks"], ["ledger", "Ledger"]];
// The rank that their data needs.
const LEAST = { payments: 3, webhooks: 4, ledger: 4 };

let main = null;
let nav = null;

export function themeButton() {
  const node = iconButton("moon", "Light or dark colours", () => {
    remember("theme", document.documentElement.dataset.theme === "dark" ? "light" : "dark");
    dispatchEvent(new Event("aegis:theme"));
  });
  node.classList.add("theme-button");
  node.append(icon("sun"));
  return node;
}

function build() {
  const name = h("span", { class: "account-name" }, "\u00a0");
  myName().then((text) => text && replace(name, text)).catch(() => {}); // the rank below it stays
  const leave = iconButton("leave", "Sign out", () => whileBusy(leave, async () => {
    try {
      const elsewhere = await signOut();
      if (elsewhere) location.assign(elsewhere);
      else go("/login?reason=signed_out");
    } catch (error) {
      toast(textOf(error), "bad");
    }
  }));
  nav = h("nav", { class: "nav", "aria-label": "Main" }, h("ul", null, PLACES.filter(([place]) => rank() >= (LEAST[place] ?? 1)).map(([place, text]) =>
    h("li", null, h("a", { href: `/${place}`, "data-place": place }, icon(place), text)))));
  main = h("main", { id: "main", tabindex: -1 });
  const side = h("header", { class: "side" },
    h("a", { class: "brand", href: "/dashboard", "aria-label": `Aegis, ${session().tenant.name}` }, mark(), h("span", { class: "brand-name" }, "Aegis", h("span", { class: "brand-tenant" }, session().tenant.name))),
    nav,
    h("div", { class: "account" }, h("div", { class: "account-who" }, name, h("span", { class: "account-rank" }, RANKS[session().user.rank])),
      h("div", { class: "account-tools" }, leave, themeButton(), h("a", { class: "icon-button", href: "/security", "aria-label": "Security", title: "Security" }, icon("shield")), h("a", { class: "icon-button", href: "/api-docs", "aria-label": "API", title: "API" }, icon("api")),
        iconButton("keyboard", "Keyboard", showKeys, { "data-wide": true }))));
  replace(document.getElementById("app"), h("div", { class: "frame" }, side, main));
}

/** Puts a page into the frame; the frame is made once for each who signs in. */
export function showInFrame(node, place) {
  if (!main?.isConnected) build();
  for (const link of nav.querySelectorAll("a")) {
    if (link.dataset.place === place) {
      link.setAttribute("aria-current", "page");
      nav.scrollLeft = link.offsetLeft + (link.offsetWidth - nav.clientWidth) / 2; // on a phone the bar may be wider than the window
    } else link.removeAttribute("aria-current");
  }
  replace(main, node);
}

export function showBare(node) {
  main = null;
  replace(document.getElementById("app"), h("main", { id: "main", tabindex: -1, class: "bare" }, node));
}
