// The first page: what is owed, what is late, what happened last, and whether the ledger is well.
import * as api from "./api.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { card, facts, linkButton, pageHead } from "./parts.js";
import { invoiceColumns } from "./invoice-columns.js";
import { blank, fill } from "./states.js";
import { count, number, time, today } from "./format.js";
import { money } from "./money.js";
import { table } from "./table.js";
import { isAdmin } from "./session.js";

export function dashboardPage({ signal }) {
  const place = h("div");
  fill(place, () => api.get("/api/dashboard", signal), render, 8);
  return { title: "Dashboard", node: h("div", { class: "page" },
    pageHead("Dashboard", { below: today(), actions: [linkButton("New invoice", "/invoices/new", { kind: "main", name: "plus" })] }), place) };
}

const figure = (name, value, below, kind) => h("div", { class: `figure ${kind ?? ""}` }, h("dt", null, name), h("dd", { class: "figure-value" }, value), h("dd", { class: "figure-below" }, below));

function render(data) {
  const sums = [...data.outstanding].sort((a, b) => (BigInt(b.total_minor) > BigInt(a.total_minor) ? 1 : -1));
  const main = sums[0];
  return h("div", { class: "stack" },
    h("dl", { class: "figures-row card" },
      figure("Outstanding", main ? money(main.total_minor, main.currency) : "Nothing", sums.length > 1 ? sums.slice(1).map((sum) => money(sum.total_minor, sum.currency)).join(" · ") : "on invoices that were sent"),
      figure("Overdue", number(data.overdue), data.overdue === 0 ? "all within their term" : "past their due date", data.overdue > 0 && "figure-warn"),
      figure("Invoices sent", number(data.invoices.sent), count(data.invoices.draft, "draft")),
      figure("Customers", number(data.customers), h("a", { href: "/customers" }, "See all"))),
    h("div", { class: "split" },
      card("Recent invoices", { actions: h("a", { class: "small", href: "/invoices" }, "All invoices") },
        data.recent_invoices.length === 0
          ? blank("invoices", "No invoices yet", "The newest invoices show here.", linkButton("New invoice", "/invoices/new", { name: "plus" }))
          : table("Recent invoices", invoiceColumns(), data.recent_invoices)),
      h("div", { class: "stack" }, shares(data.invoices), data.ledger && isAdmin() ? ledgerCard(data.ledger) : null)));
}

const SHARES = [["sent", "Sent"], ["partially_paid", "Partly paid"], ["paid", "Paid"], ["draft", "Drafts"], ["cancelled", "Cancelled"], ["void", "Void"], ["uncollectible", "Uncollectible"]];
const ALWAYS = ["sent", "paid", "draft"];  // the others where there are any

function shares(invoices) {
  const shown = SHARES.filter(([name]) => ALWAYS.includes(name) || invoices[name] > 0);
  const total = shown.reduce((sum, [name]) => sum + invoices[name], 0);
  const bar = h("div", { class: "share-bar", "aria-hidden": "true" }, shown.map(([name]) => {
    const part = h("span", { class: `share share-${name}` });
    part.style.setProperty("--share", String(invoices[name]));
    return part;
  }));
  return card("Invoices by status", {}, h("div", { class: "card-body stack-small" }, total > 0 && bar,
    h("ul", { class: "share-list" }, shown.map(([name, text]) => h("li", null, h("span", { class: `share-dot share-${name}` }), h("a", { href: `/invoices?status=${name}` }, text), h("span", { class: "figures" }, number(invoices[name])))))));
}

function ledgerCard(ledger) {
  const { seal, checkpoint } = ledger;
  return card("Ledger", { actions: h("a", { class: "small", href: "/ledger" }, "Open") }, h("div", { class: "card-body" },
    h("p", { class: "health" }, icon(seal ? "shield" : "clock", 20), seal ? "Sealed" : "Waiting for the first seal"),
    facts([["Entries", number(ledger.entries)],
      seal && ["Last seal", h("span", null, `#${number(seal.number)}, `, time(seal.sealed_at, "ago"))],
      ["Signed", checkpoint ? time(checkpoint.signed_at, "ago") : "not yet"]])));
}
