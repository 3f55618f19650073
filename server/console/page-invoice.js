// One invoice: read, edit while it is a draft, send, close, print. What a status allows is the database's to decide; this page
// only leaves out what it would refuse.
import * as api from "./api.js";
import { h, replace } from "./dom.js";
import { icon } from "./icons.js";
import { time } from "./format.js";
import { money } from "./money.js";
import { button, card, copyable, pageHead, showHead, statusBadge } from "./parts.js";
import { field, formMessage, onSubmit } from "./form.js";
import { confirmDialog, formDialog } from "./dialog.js";
import { invoiceForm } from "./invoice-form.js";
import { creditCard } from "./invoice-credit.js";
import { linksCard } from "./invoice-links.js";
import { paymentsCard } from "./invoice-payments.js";
import { nameOf, paper, pdfButton } from "./paper.js";
import { fill } from "./states.js";
import { toast } from "./toast.js";
import { rank, session } from "./session.js";

const crumb = { href: "/invoices", text: "Invoices" };

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
    const to = [h("p", null, customer.id ? h("a", { class: "strong", href: `/customers/${customer.id}` }, customer.name) : customer.name), customer.address && h("p", { class: "soft preserve" }, customer.address)];
    showHead(head, pageHead(nameOf(invoice), { crumb, beside: statusBadge(invoice), actions: actionsOf(invoice, customer, again) }));
    return h("div", { class: "split" }, paper(invoice, session().tenant.name, to), h("div", { class: "stack no-print" }, history(invoice), invoice.number && paymentsCard(invoice, signal),
      invoice.number && linksCard(invoice, customer, signal), invoice.number && creditCard(invoice, signal, async () => again(await api.get(path, signal))), proof(invoice)));
  }

  function actionsOf(invoice, customer, again) {
    const refused = (problem, { message }) => {
      if (problem.name !== "illegal-transition" && problem.name !== "changed-meanwhile") return false;
      message.show("warn", problem.text);
      api.get(path, signal).then(again, () => {});
      return true;
    };
    const close = (command, action, text, done) => () => {
      const reason = field("reason", "Reason", { required: true, rows: 3, maxlength: 500, hint: "Kept with the invoice, sealed." });
      formDialog(action, { body: [h("p", null, text), reason.node], fields: [reason], action, kind: "bad", dismiss: "Keep it", refused, send: async () => {
        again(await api.post(`${path}/${command}`, { reason: reason.value }));
        toast(done);
      } });
    };
    const cancel = close("cancel", "Cancel invoice", invoice.number ? `${nameOf(invoice)} keeps its number and stays readable.` : "The draft stays readable, but cannot be sent any more.", "Invoice cancelled.");
    const giveUp = close("mark-uncollectible", "Mark uncollectible", `${money(invoice.due_minor, invoice.currency)} is given up. A payment that comes all the same is still taken.`, "Invoice given up.");
    const makeVoid = close("void", "Void invoice", `${nameOf(invoice)} keeps its number, and asks for nothing any more.`, "Invoice voided.");
    const send = () => confirmDialog("Send invoice", `It gets the next number, and its content is frozen: ${money(invoice.total_minor, invoice.currency)} for ${customer.name}. This cannot be undone, only cancelled.`,
      { action: "Send invoice", refused, send: async () => {
        const sent = await api.post(`${path}/send`, {});
        again(sent);
        toast(`Sent as ${sent.number}.`);
      } });
    const draft = invoice.status === "draft";
    const open = invoice.status === "sent" || invoice.status === "partially_paid";
    const manager = rank() >= 3;
    return [
      button("Print", { name: "print", onclick: () => print() }),
      invoice.number && pdfButton(`${path}/pdf`),
      draft && button("Edit", { name: "edit", onclick: () => edit(invoice, customer) }),
      open && manager && button("Uncollectible", { name: "alert", onclick: giveUp, "aria-label": "Mark uncollectible" }),
      open && manager && invoice.applied_minor === invoice.refunded_minor && button("Void", { name: "trash", onclick: makeVoid, "aria-label": "Void invoice" }),
      (draft || invoice.status === "sent") && button("Cancel", { name: "cancel", onclick: cancel, "aria-label": "Cancel invoice" }),
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

function history(invoice) {
  const why = invoice.cancel_reason && h("p", { class: "small preserve" }, invoice.cancel_reason);
  const step = (name, at, text, note) => h("li", null, h("span", { class: "step-dot" }, icon(name, 14)), h("div", null, h("p", { class: "strong" }, text), h("p", { class: "faint small" }, time(at)), note));
  return card("History", {}, h("div", { class: "card-body" }, h("ol", { class: "steps" },
    step("edit", invoice.created_at, "Drafted"),
    invoice.sent_at && step("send", invoice.sent_at, `Sent as ${invoice.number}`),
    invoice.viewed_at && step("user", invoice.viewed_at, "Viewed by the customer"),
    invoice.uncollectible_at && step("alert", invoice.uncollectible_at, "Marked uncollectible", why),
    invoice.paid_at && step("check", invoice.paid_at, "Paid"),
    invoice.cancelled_at && step("cancel", invoice.cancelled_at, "Cancelled", why),
    invoice.voided_at && step("trash", invoice.voided_at, "Voided", why))));
}

const proof = (invoice) => card("Content", {}, h("div", { class: "card-body stack-small" }, invoice.content_sha256
  ? [h("p", { class: "small soft" }, "Frozen when it was sent. This SHA-256 of the content is in the ledger as well."), copyable(invoice.content_sha256, "Hash")]
  : h("p", { class: "small soft" }, invoice.status === "draft" ? "Frozen and hashed when the invoice is sent." : "Never sent, so never frozen.")));
