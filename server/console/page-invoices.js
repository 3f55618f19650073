// Invoices, by status.
import * as api from "./api.js";
import { h } from "./dom.js";
import { linkButton, pageHead, segments } from "./parts.js";
import { invoiceColumns } from "./invoice-columns.js";
import { growingTable } from "./table.js";
import { blank } from "./states.js";
import { setQuery } from "./router.js";

const SIZE = 50;
const STATUS = [["", "All"], ["draft", "Drafts"], ["sent", "Sent"], ["partially_paid", "Partly paid"], ["paid", "Paid"], ["cancelled", "Cancelled"], ["void", "Void"], ["uncollectible", "Uncollectible"]];

export function invoicesPage({ query, signal }) {
  let status = STATUS.some(([value]) => value === query.get("status")) ? query.get("status") : "";
  const create = () => linkButton("New invoice", "/invoices/new", { kind: "main", name: "plus" });
  const list = growingTable("Invoices", invoiceColumns(), async (after) => {
    const { invoices } = await api.get(api.withQuery("/api/invoices", { limit: SIZE, after, status }), signal);
    return { rows: invoices, more: invoices.length === SIZE, after: invoices.at(-1)?.id };
  }, () => (status ? blank("invoices", "None with this status", "Choose another status above.") : blank("invoices", "No invoices yet", "Draft the first one; it gets its number when it is sent.", create())));
  const choose = (value) => {
    status = value;
    setQuery({ status });
    list.start();
  };
  list.start();
  return { title: "Invoices", node: h("div", { class: "page" }, pageHead("Invoices", { below: "Those you may see, newest first.", actions: [create()] }),
    h("div", { class: "toolbar" }, segments("Status", STATUS, status, choose)), h("div", { class: "card" }, list.node)) };
}
