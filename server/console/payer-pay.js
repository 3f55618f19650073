// From the page of an invoice to the page of a provider, and back. What the browser says settles nothing: the invoice is paid when the
// provider has told the server.
import * as api from "./api.js";
import { h, replace } from "./dom.js";
import { money } from "./money.js";
import { button, whileBusy } from "./parts.js";
import { isAbort, textOf } from "./problem.js";
import { notice } from "./states.js";
import { recallHere, rememberHere } from "./storage.js";

const ATTEMPT = "/api/invoice-view/checkout";
const LOOKS = 40; // one a second: the agent needs a moment
const PATIENCE = [1, 2, 4, 8, 15, 30]; // seconds between looks for a payment of which the provider has yet to tell
const ENDED = { failed: "The provider made no page. Try again later.", expired: "The page of the provider is closed. Try again.", cancelled: "Nothing is to be paid any more.",
  unresolved: "What became of the last attempt is not known yet. So that nothing is paid twice, come back later." };

const pause = (seconds, signal) => new Promise((resolve, reject) => {
  const timer = setTimeout(resolve, seconds * 1000);
  signal.addEventListener("abort", () => { clearTimeout(timer); reject(new DOMException("the page was left", "AbortError")); }, { once: true });
});

/** The token with which this tab left for a provider: the address that it comes back to has none. */
export const tokenOfReturn = () => recallHere("payer") ?? "";

/** A page of a provider, by its address, or by a form that takes a token there. */
function leave({ method, url, token: pass }, link) {
  if (new URL(url).protocol !== "https:") throw new TypeError("a provider is reached by https only");
  rememberHere("payer", link);
  if (method === "GET") {
    location.assign(url);
  } else {
    const form = h("form", { method: "post", action: url, hidden: true }, h("input", { type: "hidden", name: "token", value: pass }));
    document.body.append(form);
    form.submit();
  }
}

/** Where to pay an invoice that can be; changed() is called when it is no more what was shown. */
export function payCard(invoice, { token, signal, changed }) {
  const words = h("div", { role: "status" });
  const say = (kind, text) => replace(words, notice(kind, h("p", null, text)));
  const pay = button(`Pay ${money(invoice.due_minor, invoice.currency)}`, { kind: "main", name: "payments", onclick: () => whileBusy(pay, begin) });

  async function begin() {
    say("info", "The page of the payment provider is being made.");
    try {
      let attempt = await api.postByLink(ATTEMPT, token, signal);
      for (let look = 0; attempt.status === "creating" && look < LOOKS; look += 1) {
        await pause(1, signal);
        attempt = await api.getByLink(ATTEMPT, token, signal);
      }
      if (attempt.go) {
        leave(attempt.go, token);
        await pause(10, signal); // the button waits while the browser is on its way
        replace(words);
      } else if (attempt.status === "paid") await changed();
      else say("warn", ENDED[attempt.status] ?? "It takes longer than usual. Try again in a minute.");
    } catch (error) {
      if (isAbort(error)) return;
      if (error.name === "nothing-due" || error.name === "link-invalid") await changed();
      else say("warn", textOf(error));
    }
  }

  return h("section", { class: "card card-body stack-small no-print", "aria-label": "Payment" },
    h("p", null, "You pay on the page of a payment provider. We never see your card."), h("div", { class: "actions" }, pay), words);
}

/** After the browser came back: looks a few times whether the provider has told; resolves to the invoice as it is then. */
export async function settledInvoice(before, token, signal) {
  let invoice = before;
  for (const seconds of PATIENCE) {
    await pause(seconds, signal);
    invoice = await api.postByLink("/api/invoice-view", token, signal);
    if (invoice.status !== before.status || invoice.due_minor !== before.due_minor) break;
  }
  return invoice;
}
