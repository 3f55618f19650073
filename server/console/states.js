// What stands where data is awaited, missing, or refused.
import { h, replace } from "./dom.js";
import { icon } from "./icons.js";
import { isAbort, textOf } from "./problem.js";
import { confirm } from "./step-up.js";

export const bones = (lines = 5) => h("div", { class: "bones", "aria-hidden": "true" }, Array.from({ length: lines }, () => h("div", { class: "bone" })));

export function notice(kind, ...content) {
  const names = { bad: "alert", warn: "alert", good: "check", info: "info" };
  return h("div", { class: `notice notice-${kind}`, role: kind === "bad" ? "alert" : null }, icon(names[kind]), h("div", null, ...content));
}

export const blank = (name, title, text, ...actions) =>
  h("div", { class: "blank" }, icon(name, 20), h("h3", null, title), text && h("p", null, text), actions.length > 0 && h("div", { class: "actions" }, ...actions));

export function failure(error, again) {
  return h("div", { class: "blank", role: "alert" }, icon("alert", 20), h("h3", null, error.status === 404 ? "Not found" : error.status === 403 ? "Not permitted" : "This could not be loaded"),
    h("p", null, error.status === 403 ? "Your rank does not allow this." : textOf(error)),
    error.requestId && h("p", { class: "faint small" }, "Request ", h("code", null, error.requestId)),
    error.status !== 404 && error.status !== 403 && h("div", { class: "actions" }, error.name === "step-up-required"
      ? h("button", { class: "button", type: "button", onclick: () => confirm(error).then(again, () => {}) }, "Confirm it is you")
      : h("button", { class: "button", type: "button", onclick: again }, "Try again")));
}

/** Shows bones in the place, then what the data renders to, or the failure with a way to try again. */
export async function fill(place, load, render, lines = 5) {
  replace(place, bones(lines));
  place.setAttribute("aria-busy", "true");
  try {
    replace(place, render(await load()));
  } catch (error) {
    if (isAbort(error)) return;
    replace(place, failure(error, () => fill(place, load, render, lines)));
  } finally {
    place.removeAttribute("aria-busy");
  }
}
