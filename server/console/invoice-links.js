// The links of an invoice: by which its customer sees it without an account.
import * as api from "./api.js";
import { h } from "./dom.js";
import { time } from "./format.js";
import { badge, button, card, copyable } from "./parts.js";
import { confirmDialog, formDialog, showDialog } from "./dialog.js";
import { field } from "./form.js";
import { blank, fill } from "./states.js";
import { toast } from "./toast.js";

const TERMS = [["7", "7 days"], ["30", "30 days"], ["90", "90 days"], ["365", "A year"]];
const stateOf = (link) => (link.live ? badge(link.opened_at ? "Opened" : "Not opened yet", link.opened_at ? "good" : "info") : badge(link.revoked_at ? "Taken back" : "Expired", "plain"));

/** A card with the links, and the ways to make one and to mail one. */
export function linksCard(invoice, customer, signal) {
  const path = `/api/invoices/${invoice.id}`;
  const place = h("div", { class: "card-body" });
  const show = () => fill(place, () => api.get(`${path}/links`, signal), ({ links }) => (links.length === 0
    ? blank("api", "No links yet", "By a link the customer sees this invoice, and nothing else, without an account.")
    : h("ul", { class: "link-list stack-small" }, links.map((link) => h("li", { class: "link-row" },
      h("div", null, stateOf(link), h("p", { class: "faint small" }, "Made ", time(link.created_at), link.live && [", until ", time(link.expires_at, "day")])),
      link.live && button("Take back", { onclick: () => takeBack(link), "aria-label": "Take back link" }))))), 2);
  const term = () => field("days", "Valid for", { options: TERMS, value: "90", required: true });

  function make() {
    const days = term();
    let link = null;
    const dialog = formDialog("New link", { body: [h("p", null, "Whoever has the link sees this invoice as it is at that time. You can take it back at any time."), days.node], fields: [days], action: "Make link", send: async () => {
      link = await api.post(`${path}/links`, { days: Number(days.value) });
      await show();
    } });
    dialog.node.addEventListener("close", () => link && showDialog("Link", h("p", null, "It is shown once. Give it to the customer."), copyable(location.origin + link.path, "Link")));
  }

  function mail() {
    const days = term();
    const language = field("language", "Language", { options: [["en", "English"], ["de", "Deutsch"]], value: "en", required: true });
    const attach = field("attach", "Invoice as PDF", { options: [["yes", "Goes along"], ["no", "Behind the link alone"]], value: "yes", required: true });
    formDialog("Mail invoice", { body: [h("p", null, `${customer.name} gets a mail with a link to this invoice.`), language.node, attach.node, days.node], fields: [language, attach, days], action: "Send mail", send: async () => {
      await api.post(`${path}/mail`, { days: Number(days.value), language: language.value, attach: attach.value === "yes" });
      toast("The mail is on its way.");
      await show();
    } });
  }

  const takeBack = (link) => confirmDialog("Take back link", "Nobody sees the invoice by it any more. Other links stay.", { action: "Take back", kind: "bad", send: async () => {
    await api.remove(`${path}/links/${link.id}`);
    toast("Link taken back.");
    await show();
  } });

  show();
  const closed = invoice.status === "cancelled" || invoice.status === "void";
  return card("Links", { actions: h("div", { class: "actions" }, button("New link", { onclick: make }), customer.email && !closed && button("Mail", { name: "send", onclick: mail, "aria-label": "Mail invoice" })) }, place);
}
