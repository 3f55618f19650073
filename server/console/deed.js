// A button that does one thing: it waits meanwhile, and what is refused is said in words right below it.
import { announce, h, replace } from "./dom.js";
import { icon } from "./icons.js";
import { button, whileBusy } from "./parts.js";
import { isAbort, textOf } from "./problem.js";
import { toast } from "./toast.js";

/**
 * send() does it and may return words instead of `said`; again() reads what is shown anew. about: whom it is about, for those who hear the page.
 */
export function deed(label, { send, said, again = async () => {}, about, ...looks }) {
  const error = h("p", { class: "field-error", role: "alert", hidden: true });
  const node = button(label, { ...looks, "aria-label": about ? `${label}: ${about}` : null, onclick: () => whileBusy(node, async () => {
    error.hidden = true;
    try {
      const words = await send();
      if (words ?? said) toast(words ?? said);
      else announce("Done.");
      await again();
    } catch (problem) {
      if (isAbort(problem)) return;
      error.hidden = false;
      replace(error, icon("alert", 14), h("span", null, textOf(problem)));
    }
  }) });
  return h("div", { class: "deed" }, node, error);
}
