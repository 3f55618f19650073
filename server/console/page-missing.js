// Pages that say why there is no page.
import { h } from "./dom.js";
import { linkButton } from "./parts.js";
import { blank } from "./states.js";

const say = (title, name, heading, text) => () => ({ title,
  node: h("div", { class: "page" }, h("h1", { class: "unseen" }, title), blank(name, heading, text, linkButton("Go to the dashboard", "/dashboard"))) });

export const missingPage = say("Page not found", "empty", "There is no such page", "The address may be mistyped, or what it showed is gone.");
export const refusedPage = say("Not permitted", "lock", "This page is for admins", "Your rank does not reach it. Ask an admin of your organisation for what you need from it.");
export const refusedToUsersPage = say("Not permitted", "lock", "This page is for managers and admins", "Your rank does not reach it. Ask a manager of your organisation for what you need from it.");
