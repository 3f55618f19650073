// Drafting an invoice.
import * as api from "./api.js";
import { h, replace } from "./dom.js";
import { button, linkButton, pageHead } from "./parts.js";
import { formMessage, onSubmit } from "./form.js";
import { customerChoice } from "./customer-choice.js";
import { invoiceForm } from "./invoice-form.js";
import { fill } from "./states.js";
import { toast } from "./toast.js";
import { go } from "./router.js";

export function newInvoicePage({ query, signal }) {
  const place = h("div");
  const id = query.get("customer");
  const form = (customer) => {
    const choice = customerChoice(customer, signal);
    const draft = invoiceForm(null, choice);
    const message = formMessage();
    const submit = button("Create draft", { kind: "main", type: "submit" });
    const node = h("form", { class: "card", "aria-label": "New invoice" }, h("div", { class: "card-body" }, message.node, draft.node),
      h("div", { class: "form-foot" }, linkButton("Cancel", customer ? `/customers/${customer.id}` : "/invoices"), submit));
    onSubmit(node, { fields: draft.fields, submit, message, send: async () => {
      const invoice = await api.post("/api/invoices", { customer_id: choice.value, ...draft.body() });
      toast("Draft created.");
      go(`/invoices/${invoice.id}`);
    } });
    return node;
  };
  if (id) fill(place, () => api.get(`/api/customers/${encodeURIComponent(id)}`, signal), form);
  else replace(place, form(null));
  return { title: "New invoice", node: h("div", { class: "page page-narrow" },
    pageHead("New invoice", { crumb: { href: "/invoices", text: "Invoices" }, below: "A draft can be changed until it is sent. Sending gives it its number and freezes its content." }), place) };
}
