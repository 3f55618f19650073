// One invoice: read, edit while it is a draft, send, cancel, print.
import * as api from "./api.js";
import { h, replace } from "./dom.js";
import { icon } from "./icons.js";
import { day, number, time } from "./format.js";
import { money } from "./money.js";
import { button, card, copyable, pageHead, showHead, statusBadge } from "./parts.js";
import { field, formMessage, onSubmit } from "./form.js";
import { confirmDialog, formDialog } from "./dialog.js";
import { invoiceForm } from "./invoice-form.js";
import { fill } from "./states.js";
import { toast } from "./toast.js";
import { session } from "./session.js";

const crumb = { href: "/invoices", text: "Invoices" };
const nameOf = (invoice) => (invoice.number ? `Invoice ${invoice.number}` : "Draft invoice");

export function invoicePage({ params, signal, title }) {
  const path = `/api/invoices/${params.id}`;
  const head = h("div", null, pageHead("Invoice", { crumb }));
  const place = h("div");

  const load = async () => {
    const invoice = await api.get(path, signal);
    return { invoice, customer: await customerOf(invoice, signal) };
  };

  function show({ invoice, customer }) {
    title(nameOf(invoice));
    const again = (changed) => replace(place, show({ invoice: changed, customer }));
    showHead(head, pageHead(nameOf(invoice), { crumb, beside: statusBadge(invoice), actions: actionsOf(invoice, customer, again) }));
    return h("div", { class: "split" }, paper(invoice, customer), h("div", { class: "stack no-print" }, history(invoice), proof(invoice)));
  }

  function actionsOf(invoice, customer, again) {
    const refused = (problem, { message }) => {
      if (problem.name !== "illegal-transition" && problem.name !== "changed-meanwhile") return false;
      message.show("warn", problem.text);
      api.get(path, signal).then(again, () => {});
      return true;
    };
    const cancel = () => {
      const reason = field("reason", "Reason", { required: true, rows: 3, maxlength: 500, hint: "Kept with the invoice, sealed." });
      formDialog("Cancel invoice", { body: [h("p", null, invoice.number ? `${nameOf(invoice)} keeps its number and stays readable.` : "The draft stays readable, but cannot be sent any more."), reason.node], fields: [reason],
        action: "Cancel invoice", kind: "bad", dismiss: "Keep it", refused, send: async () => {
          again(await api.post(`${path}/cancel`, { reason: reason.value }));
          toast("Invoice cancelled.");
        } });
    };
    const send = () => confirmDialog("Send invoice", `It gets the next number, and its content is frozen: ${money(invoice.total_minor, invoice.currency)} for ${customer.name}. This cannot be undone, only cancelled.`,
      { action: "Send invoice", refused, send: async () => {
        const sent = await api.post(`${path}/send`, {});
        again(sent);
        toast(`Sent as ${sent.number}.`);
      } });
    const draft = invoice.status === "draft";
    return [
      button("Print", { name: "print", onclick: () => print() }),
      draft && button("Edit", { name: "edit", onclick: () => edit(invoice, customer) }),
      invoice.status !== "cancelled" && button("Cancel", { name: "cancel", onclick: cancel, "aria-label": "Cancel invoice" }),
      draft && button("Send", { name: "send", kind: "main", onclick: send }),
    ].filter(Boolean);
  }

  function edit(invoice, customer) {
    const draft = invoiceForm(invoice);
    const message = formMessage();
    const submit = button("Save draft", { kind: "main", type: "submit" });
    const back = () => replace(place, show({ invoice, customer }));
    const form = h("form", { class: "card", "aria-label": "Edit draft" }, h("div", { class: "card-body" }, message.node, h("p", { class: "soft" }, "For ", h("span", { class: "strong" }, customer.name)), draft.node),
      h("div", { class: "form-foot" }, button("Discard changes", { onclick: back }), submit));
    onSubmit(form, { fields: draft.fields, submit, message, send: async () => {
      const saved = await api.patch(path, { ...draft.body(), version: invoice.version });
      replace(place, show({ invoice: saved, customer }));
      toast("Draft saved.");
    }, refused: (problem) => {
      if (problem.name !== "changed-meanwhile" && problem.name !== "illegal-transition") return false;
      message.show("warn", h("p", { class: "strong" }, problem.message), h("p", null, "Your changes are still in the form. Load the invoice as it is now to see what happened; that discards them."),
        button("Load it", { onclick: () => fill(place, load, show) }));
      return true;
    } });
    showHead(head, pageHead(nameOf(invoice), { crumb, beside: statusBadge(invoice) }));
    replace(place, form);
    form.querySelector("input, select").focus();
  }

  fill(place, load, show, 8);
  return { title: "Invoice", node: h("div", { class: "page" }, head, place) };
}

// Whoever sees the invoice need not see the customer, only the name on it.
async function customerOf(invoice, signal) {
  try {
    return await api.get(`/api/customers/${invoice.customer_id}`, signal);
  } catch (error) {
    if (error.status !== 404 && error.status !== 403) throw error;
    return { id: null, name: invoice.customer_name ?? "–", address: null };
  }
}

function paper(invoice, customer) {
  const columns = ["Description", "Quantity", "Price", "Amount"];
  return h("article", { class: "card paper", "aria-label": nameOf(invoice) },
    h("div", { class: "paper-head" },
      h("div", null, h("p", { class: "paper-from" }, session().tenant.name), h("p", { class: "soft" }, invoice.number ? "Invoice" : "Draft, not an invoice yet"), h("p", { class: "paper-number" }, invoice.number ?? "–")),
      h("dl", { class: "facts paper-dates" }, h("dt", null, invoice.sent_at ? "Sent" : "Drafted"), h("dd", null, time(invoice.sent_at ?? invoice.created_at, "day")), h("dt", null, "Due"), h("dd", null, day(invoice.due_date)))),
    h("div", { class: "paper-to" }, h("p", { class: "faint small" }, "To"), h("p", null, customer.id ? h("a", { class: "strong", href: `/customers/${customer.id}` }, customer.name) : customer.name), customer.address && h("p", { class: "soft preserve" }, customer.address)),
    h("table", { class: "paper-lines" }, h("caption", { class: "unseen" }, "Lines"),
      h("thead", null, h("tr", null, columns.map((name, i) => h("th", { scope: "col", class: i > 0 ? "end" : null }, name)))),
      h("tbody", null, invoice.lines.length === 0 && h("tr", null, h("td", { colspan: 4, class: "soft" }, "No lines yet.")),
        invoice.lines.map((line) => h("tr", null, h("td", { class: "break" }, line.description), h("td", { class: "end" }, number(line.quantity)),
          h("td", { class: "end nowrap" }, money(line.unit_minor, invoice.currency)), h("td", { class: "end nowrap" }, money(line.amount_minor, invoice.currency))))),
      h("tfoot", null, h("tr", null, h("th", { scope: "row", colspan: 3 }, "Total"), h("td", { class: "end nowrap" }, money(invoice.total_minor, invoice.currency))))),
    invoice.memo && h("p", { class: "paper-memo preserve" }, invoice.memo));
}

function history(invoice) {
  const step = (name, at, text, note) => h("li", null, h("span", { class: "step-dot" }, icon(name, 14)), h("div", null, h("p", { class: "strong" }, text), h("p", { class: "faint small" }, time(at)), note));
  return card("History", {}, h("div", { class: "card-body" }, h("ol", { class: "steps" },
    step("edit", invoice.created_at, "Drafted"),
    invoice.sent_at && step("send", invoice.sent_at, `Sent as ${invoice.number}`),
    invoice.cancelled_at && step("cancel", invoice.cancelled_at, "Cancelled", invoice.cancel_reason && h("p", { class: "small preserve" }, invoice.cancel_reason)))));
}

const proof = (invoice) => card("Content", {}, h("div", { class: "card-body stack-small" }, invoice.content_sha256
  ? [h("p", { class: "small soft" }, "Frozen when it was sent. This SHA-256 of the content is in the ledger as well."), copyable(invoice.content_sha256, "Hash")]
  : h("p", { class: "small soft" }, invoice.status === "draft" ? "Frozen and hashed when the invoice is sent." : "Never sent, so never frozen.")));
