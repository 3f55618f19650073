// What was paid of an invoice: every effect of its payments in the order in which it happened, and the page where it can be paid.
import * as api from "./api.js";
import { h, replace } from "./dom.js";
import { icon } from "./icons.js";
import { time } from "./format.js";
import { money } from "./money.js";
import { badge, button, card, copyable } from "./parts.js";
import { field } from "./form.js";
import { formDialog } from "./dialog.js";
import { fill } from "./states.js";
import { toast } from "./toast.js";

// Of an effect such as "refund:re_1" the word before the colon.
const EFFECTS = { authorise: ["shield", "Authorised"], capture: ["check", "Paid"], void: ["cancel", "Undone"], fail: ["alert", "Refused"], hold: ["clock", "Held for review"],
  refund: ["back", "Given back"], dispute_opened: ["alert", "Disputed"], refund_failed: ["alert", "Refund came back"], dispute_won: ["check", "Dispute won"], dispute_lost: ["alert", "Charged back"] };
const CHECKOUTS = { creating: "The page for the payer is being made.", unresolved: "The last page is closed, and whether it was paid on is not known yet. The provider is being asked." };
const ASIDE = { late: "It came when nothing was to be paid any more.", currency: "It is in another currency than the invoice." };
const LOOKS = 20;

/** A card for an invoice that was sent; changed() is called when its money may have moved. */
export function paymentsCard(invoice, signal) {
  const path = `/api/invoices/${invoice.id}`;
  const place = h("div", { class: "card-body stack-small" });
  const load = async () => {
    const [money, { checkouts }, { accounts }] = await Promise.all([api.get(`${path}/payments`, signal), api.get(`${path}/checkouts`, signal), api.get("/api/payment-accounts", signal)]);
    return { money, checkouts, accounts };
  };
  const show = ({ money: moved, checkouts, accounts }) => {
    const live = checkouts.find((one) => one.ended_at === null);
    const usable = accounts.filter((account) => account.provider !== "authorize_net" || account.currency === invoice.currency);
    const due = moved.due_minor !== "0";
    return [
      moved.payments.length === 0 && moved.matched.length === 0 && h("p", { class: "small soft" }, due ? "Nothing was paid yet." : "Nothing was paid."),
      timeline(moved, invoice.currency),
      asked(moved),
      moved.unapplied_minor !== "0" && h("p", { class: "small" }, badge("Unapplied", "warn"), ` ${money(moved.unapplied_minor, invoice.currency)} belongs to no invoice.`),
      live && checkoutOf(live),
      due && !live && usable.length > 0 && h("div", { class: "actions" }, button("Take a payment", { name: "send", onclick: () => ask(usable) }))];
  };
  const again = () => fill(place, load, show, 3);

  function ask(accounts) {
    const account = field("account", "Account", { required: true, mark: false, options: accounts.map((one) => [one.id, `${one.provider === "stripe" ? "Stripe" : one.provider === "authorize_net" ? "Authorize.Net" : one.provider}, ${one.account}${one.live ? "" : " (test)"}`]) });
    formDialog("Take a payment", { body: [h("p", null, `The provider makes a page on which ${money(invoice.due_minor, invoice.currency)} can be paid. Nothing of a card comes here.`), account.node], fields: [account], action: "Make the page", send: async () => {
      await api.post(`${path}/checkouts`, { account_id: account.value });
      toast("The page is being made.");
      await again();
      watch(LOOKS);
    } });
  }

  // The agent needs a moment; whoever waits longer loads the page again.
  function watch(left) {
    const timer = setTimeout(async () => {
      if (signal.aborted || left === 0) return;
      try {
        const state = await load();
        replace(place, show(state));
        if (state.checkouts.some((one) => one.status === "creating")) watch(left - 1);
      } catch { /* the page shows what it had; loading it again says what is wrong */ }
    }, 1000);
    signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  }

  again();
  return card("Payments", {}, place);
}

function timeline(moved, currency) {
  const steps = moved.payments.flatMap((payment) => payment.effects.map((effect) => ({ payment, ...effect })))
    .concat(moved.matched.map((match) => ({ effect: "matched", amount_minor: match.amount_minor, occurred_at: match.matched_at })))
    .sort((a, b) => a.occurred_at.localeCompare(b.occurred_at));
  return steps.length > 0 && h("ol", { class: "steps" }, steps.map((step) => {
    const [name, text] = step.effect === "matched" ? ["check", "Taken from another payment"] : EFFECTS[step.effect.split(":")[0]] ?? ["info", step.effect];
    const from = step.payment;
    return h("li", null, h("span", { class: "step-dot" }, icon(name, 14)), h("div", null,
      h("p", { class: "strong" }, text, step.amount_minor !== null && ` ${money(step.amount_minor, from?.currency ?? currency)}`),
      h("p", { class: "faint small" }, time(step.occurred_at), step.effect === "capture" && from.last_four && `, ${from.brand ?? "card"} ending in ${from.last_four}`),
      step.effect === "capture" && from.set_aside && h("p", { class: "small" }, badge("Unapplied", "warn"), ` ${ASIDE[from.set_aside]}`)));
  }));
}

// Refunds that were asked for here and have not gone back: those that have are steps.
const REFUNDS = { requested: ["Being asked for", "info"], pending: ["On its way", "info"], failed: ["Failed", "bad"] };

function asked(moved) {
  const open = moved.payments.flatMap((payment) => payment.refunds.filter((refund) => refund.status in REFUNDS).map((refund) => ({ ...refund, currency: payment.currency })));
  return open.length > 0 && h("ul", { class: "link-list stack-small", "aria-label": "Refunds" }, open.map((refund) => h("li", { class: "link-row" }, h("div", null,
    h("p", null, badge(...REFUNDS[refund.status]), ` Refund of ${money(refund.amount_minor, refund.currency)}`),
    h("p", { class: "faint small" }, time(refund.ended_at ?? refund.requested_at), refund.status === "failed" && [", reason ", h("code", null, refund.error), ". The amount can be given back anew."])))));
}

function checkoutOf(checkout) {
  if (checkout.go?.method === "GET") {
    return h("div", null, h("p", { class: "small soft" }, "The payer pays here, until ", time(checkout.expires_at, "clock"), "."), copyable(checkout.go.url, "Address"));
  }
  return h("p", { class: "small soft" }, checkout.go ? "The page is open; the payer gets there with the token of the checkout." : CHECKOUTS[checkout.status]);
}
