// Credit notes of an invoice: what was taken back of it, and the form that takes back more.
import * as api from "./api.js";
import { h } from "./dom.js";
import { time } from "./format.js";
import { exponentOf, money, parseMoney } from "./money.js";
import { badge, button, card } from "./parts.js";
import { formDialog } from "./dialog.js";
import { field } from "./form.js";
import { blank, fill } from "./states.js";
import { toast } from "./toast.js";
import { rank } from "./session.js";

const OPEN = new Set(["sent", "partially_paid", "paid", "uncollectible"]);

/** A card with the notes; changed is called when the invoice is another than it was. */
export function creditCard(invoice, signal, changed) {
  const place = h("div", { class: "card-body" });
  const decides = rank() >= 3;
  let notes = [];
  const show = () => fill(place, () => api.get(`/api/invoices/${invoice.id}/credit-notes`, signal), ({ credit_notes }) => {
    notes = credit_notes;
    if (notes.length === 0) return blank("invoices", "Nothing credited", decides ? "A credit note takes back all of the invoice, or an amount of it." : null);
    return h("ul", { class: "link-list stack-small" }, notes.map((note) => h("li", { class: "link-row" },
      h("div", null, h("p", null, h("span", { class: "strong" }, note.number), " ", note.status === "void" && badge("Void", "plain")),
        h("p", { class: "faint small" }, money(note.total_minor, note.currency), ", ", time(note.issued_at, "day"))),
      decides && note.status === "issued" && button("Void", { onclick: () => makeVoid(note), "aria-label": `Void ${note.number}` }))));
  }, 2);

  const reasonField = () => field("reason", "Reason", { required: true, rows: 3, maxlength: 500, hint: "Kept with the credit note, sealed." });

  function issue() {
    const first = notes.every((note) => note.status === "void");
    const reason = reasonField();
    const places = exponentOf(invoice.currency);
    const amount = field("amount", "Amount", { required: !first, inputmode: "decimal", hint: first ? "Without tax. Left empty, all of the invoice is taken back." : "Without tax.",
      check: (value) => (parseMoney(value, invoice.currency) === null ? (places === 0 ? `${invoice.currency} has no decimals.` : "This is not an amount.") : null) });
    const tax = field("tax_rate", "Tax %", { inputmode: "decimal", value: "0", check: (value) => (/^\d{1,3}([.]\d{1,4})?$/.test(value) ? null : "This is not a rate.") });
    formDialog("Credit invoice", { body: [h("p", null, "It gets a number of its own, and cannot be changed, only voided."), reason.node, amount.node, tax.node], fields: [reason, amount, tax], action: "Issue credit note", send: async () => {
      const lines = amount.value === "" ? {} : { lines: [{ description: reason.value, unit_minor: parseMoney(amount.value, invoice.currency), tax_rate: tax.value || "0" }] };
      const note = await api.post(`/api/invoices/${invoice.id}/credit-notes`, { reason: reason.value, ...lines });
      toast(`Issued as ${note.number}.`);
      await changed();
    } });
  }

  function makeVoid(note) {
    const reason = reasonField();
    formDialog("Void credit note", { body: [h("p", null, `${note.number} keeps its number; the invoice asks for ${money(note.total_minor, note.currency)} again.`), reason.node], fields: [reason], action: "Void credit note", kind: "bad", dismiss: "Keep it", send: async () => {
      await api.post(`/api/credit-notes/${note.id}/void`, { reason: reason.value });
      toast("Credit note voided.");
      await changed();
    } });
  }

  show();
  return card("Credit notes", { actions: decides && OPEN.has(invoice.status) && invoice.credited_minor !== invoice.total_minor && button("Credit", { onclick: issue, "aria-label": "Credit invoice" }) }, place);
}
