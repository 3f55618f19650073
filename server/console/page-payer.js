// The invoice of a link, for who is to pay it: no account, no session, nothing but this invoice. The token stands behind "#", which
// no browser sends to anybody, and stays there, so that the page can be loaded again.
import * as api from "./api.js";
import { h, replace } from "./dom.js";
import { day } from "./format.js";
import { money } from "./money.js";
import { nameOf, paper, pdfButton } from "./paper.js";
import { payCard, settledInvoice, tokenOfReturn } from "./payer-pay.js";
import { button, pageHead, showHead, statusBadge } from "./parts.js";
import { bones, failure, notice } from "./states.js";
import { isAbort } from "./problem.js";
import { reload } from "./router.js";
import { themeButton } from "./frame.js";

const CLOSED = { cancelled: "This invoice was cancelled. Nothing is to be paid.", void: "This invoice was voided. Nothing is to be paid.", paid: "Nothing is to be paid any more. Thank you." };

const tools = (...more) => [...more, themeButton()];

function headOf(invoice, token) {
  const due = invoice.due_minor !== "0" && `${money(invoice.due_minor, invoice.currency)} to pay${invoice.due_date ? ` until ${day(invoice.due_date)}` : ""}`;
  return pageHead(nameOf(invoice), { beside: statusBadge(invoice), below: due || null, actions: tools(button("Print", { name: "print", onclick: () => print() }), pdfButton("/api/invoice-view/pdf", token)) });
}

const dead = (words) => h("div", { class: "card card-body stack-small" }, h("h2", null, "This link does not work"), notice("warn", h("p", null, words)));

const sheet = (invoice, ...above) => h("div", { class: "stack" }, ...above, CLOSED[invoice.status] && notice(invoice.status === "paid" ? "good" : "info", h("p", null, CLOSED[invoice.status])),
  paper(invoice, invoice.organisation, h("p", { class: "strong" }, invoice.customer_name ?? "–")));

export function payerPage({ signal, title, query }) {
  addEventListener("hashchange", () => location.hash.length > 1 && reload(), { signal });
  // A page that the browser had put aside shows what was; it may have been paid meanwhile.
  addEventListener("pageshow", (event) => event.persisted && reload(), { signal });
  const returned = query.has("back");
  const token = location.hash.slice(1) || (returned ? tokenOfReturn() : "");
  if (returned && token !== "") history.replaceState(null, "", `/invoice#${token}`);
  const head = h("div", null, pageHead("Invoice", { actions: tools() }));
  const place = h("div", null, bones(8));

  const show = (invoice, ...above) => {
    title(nameOf(invoice));
    showHead(head, headOf(invoice, token));
    replace(place, sheet(invoice, ...above, invoice.payable && above.length === 0 && payCard(invoice, { token, signal, changed: load })));
  };
  const refused = (error) => {
    if (isAbort(error)) return;
    replace(place, error.name === "link-invalid" ? dead("It was taken back, or is too old. Ask whoever sent it for another one.") : failure(error, load));
  };
  const load = async () => {
    try {
      show(await api.postByLink("/api/invoice-view", token, signal));
    } catch (error) {
      refused(error);
    }
  };
  const wait = async () => {
    try {
      const before = await api.postByLink("/api/invoice-view", token, signal);
      if (before.due_minor === "0") return show(before);
      show(before, h("div", { role: "status" }, notice("info", h("p", null, "If you have paid, it stands here as soon as the payment provider has told us. That takes a moment."))));
      const now = await settledInvoice(before, token, signal);
      if (now.due_minor !== before.due_minor) return show(now);
      show(now);
      place.firstChild.prepend(notice("info", h("p", null, "The payment provider has told us of no payment yet. If you have paid, come back later, and do not pay again.")));
    } catch (error) {
      refused(error);
    }
  };

  if (token === "" && returned) replace(place, h("div", { class: "card card-body stack-small" }, h("h2", null, "Thank you"), h("p", null, "Open the link from the mail again to see the invoice.")));
  else if (token === "") replace(place, dead("Open it again from the mail."));
  else if (returned) wait();
  else load();
  return { title: "Invoice", node: h("div", { class: "payer" }, h("div", { class: "page page-narrow" }, head, place)) };
}
