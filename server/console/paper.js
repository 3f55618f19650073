// An invoice as it would stand on paper: for who sent it, and for who is to pay it.
import * as api from "./api.js";
import { h } from "./dom.js";
import { day, number, time } from "./format.js";
import { money } from "./money.js";
import { button, whileBusy } from "./parts.js";
import { isAbort, textOf } from "./problem.js";
import { toast } from "./toast.js";

export const nameOf = (invoice) => (invoice.number ? `Invoice ${invoice.number}` : "Draft invoice");

/** Saves what was frozen as a file; link: the token of one, instead of a session. */
export function pdfButton(path, link) {
  const node = button("PDF", { name: "download", "aria-label": "Download PDF", onclick: () => whileBusy(node, async () => {
    try {
      toast(`${await api.download(path, link)} saved.`);
    } catch (error) {
      if (!isAbort(error)) toast(textOf(error), "bad");
    }
  }) });
  return node;
}

/** from: the organisation; to: whom it is for, as nodes. */
export function paper(invoice, from, to) {
  const columns = ["Description", "Quantity", "Price", "Amount"];
  return h("article", { class: "card paper", "aria-label": nameOf(invoice) },
    h("div", { class: "paper-head" },
      h("div", null, h("p", { class: "paper-from" }, from), h("p", { class: "soft" }, invoice.number ? "Invoice" : "Draft, not an invoice yet"), h("p", { class: "paper-number" }, invoice.number ?? "–")),
      h("dl", { class: "facts paper-dates" }, h("dt", null, invoice.sent_at ? "Sent" : "Drafted"), h("dd", null, time(invoice.sent_at ?? invoice.created_at, "day")), h("dt", null, "Due"), h("dd", null, day(invoice.due_date)))),
    h("div", { class: "paper-to" }, h("p", { class: "faint small" }, "To"), to),
    h("table", { class: "paper-lines" }, h("caption", { class: "unseen" }, "Lines"),
      h("thead", null, h("tr", null, columns.map((name, i) => h("th", { scope: "col", class: i > 0 ? "end" : null }, name)))),
      h("tbody", null, invoice.lines.length === 0 && h("tr", null, h("td", { colspan: 4, class: "soft" }, "No lines yet.")),
        invoice.lines.map((line) => h("tr", null, h("td", { class: "break" }, line.description, line.tax_rate > 0 && h("span", { class: "faint small" }, ` ${line.tax_rate} % tax`)), h("td", { class: "end" }, number(line.quantity)),
          h("td", { class: "end nowrap" }, money(line.unit_minor, invoice.currency)), h("td", { class: "end nowrap" }, money(line.amount_minor, invoice.currency))))),
      h("tfoot", null, sums(invoice).map(([name, minor]) => h("tr", { class: name === "Total" || name === "Due" ? null : "paper-part" }, h("th", { scope: "row", colspan: 3 }, name), h("td", { class: "end nowrap" }, money(minor, invoice.currency)))))),
    invoice.memo && h("p", { class: "paper-memo preserve" }, invoice.memo));
}

function sums(invoice) {
  const moved = invoice.applied_minor !== "0" || invoice.credited_minor !== "0";
  const taxed = invoice.tax_minor !== "0";
  return [taxed && ["Without tax", invoice.subtotal_minor], taxed && ["Tax", invoice.tax_minor], ["Total", invoice.total_minor], invoice.credited_minor !== "0" && ["Credited", invoice.credited_minor],
    invoice.applied_minor !== "0" && ["Paid", invoice.applied_minor], invoice.refunded_minor !== "0" && ["Given back", invoice.refunded_minor], moved && invoice.due_minor !== "0" && ["Due", invoice.due_minor]].filter(Boolean);
}
