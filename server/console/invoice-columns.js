// How an invoice looks in a list.
import { day } from "./format.js";
import { h } from "./dom.js";
import { money } from "./money.js";
import { statusBadge } from "./parts.js";

export function invoiceColumns({ customer = true } = {}) {
  return [
    { name: "Number", link: (invoice) => `/invoices/${invoice.id}`, cell: (invoice) => invoice.number ?? "Draft", class: "tight" },
    customer && { name: "Customer", cell: (invoice) => invoice.customer_name ?? "", class: "phone-wide break" },
    { name: "Due", cell: (invoice) => h("span", { class: "soft" }, day(invoice.due_date)), class: "tight" },
    { name: "Status", cell: statusBadge, class: "tight" },
    { name: "Amount", cell: (invoice) => h("span", { class: "strong" }, money(invoice.total_minor, invoice.currency)), end: true, class: "tight" },
  ].filter(Boolean);
}
