// Dialogs: the browser's own, so focus stays inside, Escape closes, and the page behind is inert.
import { h, newId } from "./dom.js";
import { button, iconButton } from "./parts.js";
import { formMessage, onSubmit } from "./form.js";

function open(title, content, foot, { wide = false, busy = () => false } = {}) {
  const id = newId("dialog");
  const before = document.activeElement;
  const close = () => node.close();
  const node = h("dialog", { class: wide ? "dialog dialog-wide" : "dialog", "aria-labelledby": id },
    h("div", { class: "dialog-head" }, h("h2", { id }, title), iconButton("close", "Close", close)), content, foot);
  node.addEventListener("cancel", (event) => busy() && event.preventDefault());
  node.addEventListener("close", () => {
    node.remove();
    if (before?.isConnected) before.focus();
  });
  // A click beside it closes; one that began inside and slid out does not.
  node.addEventListener("pointerdown", (event) => event.target === node && !busy() && close());
  document.body.append(node);
  node.showModal();
  return { node, close };
}

/** A dialog that only shows something. */
export const showDialog = (title, ...content) => open(title, h("div", { class: "dialog-body" }, ...content), null);

/**
 * A dialog with a form. send() does the work; the dialog closes when it succeeds and shows the
 * problem when it does not. refused(problem, parts) may handle a problem itself and return true.
 */
export function formDialog(title, { body, fields, action, kind = "main", send, refused, wide, dismiss = "Cancel" }) {
  const message = formMessage();
  const submit = button(action, { kind, type: "submit" });
  const form = h("form", null, h("div", { class: "dialog-body" }, message.node, ...body), h("div", { class: "dialog-foot" }, button(dismiss, { onclick: () => dialog.close() }), submit));
  const dialog = open(title, form, null, { wide, busy: () => submit.getAttribute("aria-disabled") === "true" });
  onSubmit(form, { fields, submit, message, send: async () => {
    await send();
    dialog.close();
  }, refused: (problem) => refused?.(problem, { dialog, message }) });
  (fields[0]?.control ?? submit).focus();
  return dialog;
}

/** A question; the action runs when it is answered with yes. */
export const confirmDialog = (title, text, { action, kind, send, refused }) =>
  formDialog(title, { body: [h("p", null, text)], fields: [], action, kind, send, refused });

export const anyOpen = () => document.querySelector("dialog[open]") !== null;
