// What stands around the pages for people who are not signed in.
import { h } from "./dom.js";
import { icon, mark } from "./icons.js";
import { themeButton } from "./frame.js";

export const loginFrame = (place) => h("div", { class: "login" },
  h("section", { class: "login-side" },
    h("div", { class: "login-brand" }, mark(), "Aegis"),
    h("div", { class: "login-words" }, h("p", { class: "login-claim" }, "Records that can be checked."), h("ul", { class: "login-points" },
      h("li", null, icon("lock"), "Personal data is sealed before it is stored."),
      h("li", null, icon("ledger"), "Every step is an entry in a chain of hashes."),
      h("li", null, icon("shield"), "Anybody you choose can verify it, without trusting us.")))),
  h("section", { class: "login-main" }, h("div", { class: "login-tools" }, themeButton()), place));
