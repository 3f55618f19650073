// Short messages in the corner. They stay long enough to be read, and while they are looked at.
import { h } from "./dom.js";
import { icon } from "./icons.js";

const STAY = 6000;

export function toast(text, kind = "good") {
  const place = document.getElementById("toasts");
  const close = () => node.remove();
  let timer;
  const wait = () => { timer = setTimeout(close, STAY); };
  const stop = () => clearTimeout(timer);
  const node = h("div", { class: `toast toast-${kind}`, role: kind === "bad" ? "alert" : "status", onpointerenter: stop, onpointerleave: wait, onfocusin: stop, onfocusout: wait },
    icon(kind === "bad" ? "alert" : "check"), h("p", null, text),
    h("button", { class: "icon-button", type: "button", "aria-label": "Close message", onclick: close }, icon("close", 16)));
  place.append(node);
  while (place.children.length > 3) place.firstElementChild.remove();
  wait();
}
