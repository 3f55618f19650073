// One customer, personal data revealed, with what was invoiced.
import * as api from "./api.js";
import { h, replace } from "./dom.js";
import { time } from "./format.js";
import { button, card, facts, linkButton, pageHead, showHead } from "./parts.js";
import { invoiceColumns } from "./invoice-columns.js";
import { growingTable } from "./table.js";
import { blank, fill } from "./states.js";
import { editCustomer } from "./customer-form.js";

const SIZE = 20;

export function customerPage({ params, signal, title }) {
  const place = h("div");
  const crumb = { href: "/customers", text: "Customers" };
  const head = h("div", null, pageHead("Customer", { crumb }));
  fill(place, () => api.get(`/api/customers/${params.id}`, signal), (customer) => {
    const details = h("div");
    const show = (now) => {
      customer = now;
      title(now.name);
      showHead(head, pageHead(now.name, { crumb, actions: [
        button("Edit", { name: "edit", onclick: () => editCustomer(customer, show) }),
        linkButton("New invoice", `/invoices/new?customer=${now.id}`, { kind: "main", name: "plus" })] }));
      replace(details, detailsCard(now));
    };
    show(customer);
    const list = growingTable("Invoices of this customer", invoiceColumns({ customer: false }), async (after) => {
      const { invoices } = await api.get(api.withQuery("/api/invoices", { customer_id: params.id, limit: SIZE, after }), signal);
      return { rows: invoices, more: invoices.length === SIZE, after: invoices.at(-1)?.id };
    }, () => blank("invoices", "Nothing invoiced yet", null, linkButton("New invoice", `/invoices/new?customer=${params.id}`, { name: "plus" })));
    list.start();
    return h("div", { class: "split" }, card("Invoices", {}, list.node), details);
  });
  return { title: "Customer", node: h("div", { class: "page" }, head, place) };
}

const detailsCard = (customer) => card("Details", {}, h("div", { class: "card-body" }, facts([
  ["E-mail", customer.email ? h("a", { class: "break", href: `mailto:${encodeURIComponent(customer.email).replace("%40", "@")}` }, customer.email) : "–"],
  ["Phone", customer.phone ?? "–"],
  ["Address", h("span", { class: "preserve" }, customer.address ?? "–")],
  ["Notes", h("span", { class: "preserve" }, customer.notes ?? "–")],
  ["Added", time(customer.created_at)],
  customer.version > 1 && ["Changed", time(customer.updated_at)]], true)));
