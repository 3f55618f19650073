// Money that needs somebody: what belongs to no invoice, what was said of payments that are not known, and where a provider lists
// something else than is recorded.
import * as api from "./api.js";
import { h } from "./dom.js";
import { time } from "./format.js";
import { money } from "./money.js";
import { badge, button, card, pageHead, whileBusy } from "./parts.js";
import { blank, fill } from "./states.js";
import { table } from "./table.js";
import { isAbort, textOf } from "./problem.js";
import { toast } from "./toast.js";

const ASIDE = { late: "Came too late", currency: "Another currency" };
const KINDS = { missing: ["Missing here", "warn"], extra: ["Not listed", "bad"], amount: ["Another amount", "bad"], currency: ["Another currency", "bad"] };

const PAYMENTS = [
  { name: "Payment", link: (payment) => `/invoices/${payment.invoice_id}`, cell: (payment) => payment.transaction_id, class: "break" },
  { name: "Why", cell: (payment) => ASIDE[payment.set_aside] ?? "More than was due" },
  { name: "Received", cell: (payment) => h("span", { class: "soft" }, time(payment.received_at)), class: "tight" },
  { name: "Unapplied", cell: (payment) => money(payment.unapplied_minor, payment.currency), end: true, class: "nowrap" },
];
const HELD = [
  { name: "Transaction", cell: (held) => held.transaction_id, class: "break" },
  { name: "Says", cell: (held) => held.effect.split(":")[0].replaceAll("_", " "), class: "tight" },
  { name: "Received", cell: (held) => h("span", { class: "soft" }, time(held.received_at)), class: "tight" },
  { name: "Amount", cell: (held) => (held.amount_minor && held.currency ? money(held.amount_minor, held.currency) : "–"), end: true, class: "nowrap" },
];

export function paymentsPage({ signal }) {
  const unapplied = h("div", { class: "stack" });
  const differences = h("div");
  fill(unapplied, () => api.get("/api/unapplied?limit=100", signal), ({ payments, held }) => [
    card("Unapplied money", { note: "It came, and belongs to no invoice: give it back, or to another invoice." }, payments.length === 0
      ? blank("check", "No money lies about", "What comes too late, twice or in another currency is shown here.") : table("Unapplied money", PAYMENTS, payments)),
    card("Waiting for its payment", { note: "What a provider said of payments that are not known." }, held.length === 0
      ? blank("check", "Nothing waits", "A refund that comes before its payment waits here for it.") : table("Waiting for its payment", HELD, held))]);
  const show = () => fill(differences, () => api.get("/api/reconciliations", signal), (found) => compared(found, show));
  show();
  return { title: "Payments", node: h("div", { class: "page" }, pageHead("Payments", { below: "Money that needs somebody." }), h("div", { class: "stack" }, unapplied, differences)) };
}

function compared({ reconciliations, open }, again) {
  const last = reconciliations.find((run) => run.ended_at);
  const settle = (one) => {
    const node = button("Dealt with", { "aria-label": `Dealt with: ${one.transaction_id}`, onclick: () => whileBusy(node, async () => {
      try {
        await api.post(`/api/reconciliation-differences/${one.id}/settle`);
        toast("Noted.");
        await again();
      } catch (error) {
        if (!isAbort(error)) toast(textOf(error), "bad");
      }
    }) });
    return node;
  };
  const amount = (minor, one) => (minor && one.currency ? money(minor, one.currency) : "–");
  const columns = [
    { name: "Transaction", cell: (one) => one.transaction_id, class: "break" },
    { name: "What", cell: (one) => badge(...KINDS[one.kind]), class: "tight" },
    { name: "Recorded", cell: (one) => amount(one.recorded_minor, one), end: true, class: "nowrap" },
    { name: "Listed", cell: (one) => amount(one.listed_minor, one), end: true, class: "nowrap" },
    { name: "Dealt with", unseen: true, cell: settle, end: true, class: "tight" },
  ];
  return card("Reconciliation", { note: last ? ["Last compared with the provider's list ", time(last.ended_at), "."] : "What is recorded was not compared with any provider's list yet." }, open.length === 0
    ? blank("check", "No differences", "Where a provider lists something else than is recorded, it is shown here.") : table("Differences", columns, open));
}
