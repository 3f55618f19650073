// The console: one page, whose views use the same interface as every other program.
import { h } from "./dom.js";
import { showBare, showInFrame } from "./frame.js";
import { listen } from "./keyboard.js";
import { failure } from "./states.js";
import * as router from "./router.js";
import { load, rank, session, watch, whenGone } from "./session.js";
import { apiDocsPage } from "./page-api-docs.js";
import { customerPage } from "./page-customer.js";
import { customersPage } from "./page-customers.js";
import { dashboardPage } from "./page-dashboard.js";
import { entryPage } from "./page-entry.js";
import { invoicePage } from "./page-invoice.js";
import { invoicesPage } from "./page-invoices.js";
import { ledgerPage } from "./page-ledger.js";
import { loginPage } from "./page-login.js";
import { missingPage, refusedPage } from "./page-missing.js";
import { newInvoicePage } from "./page-invoice-new.js";
import { securityPage } from "./page-security.js";
import { teamPage } from "./page-team.js";

// place: what the navigation marks; least: the rank that the page's data needs.
const ROUTES = [
  { path: "/login", page: loginPage, bare: true },
  { path: "/dashboard", page: dashboardPage, place: "dashboard" },
  { path: "/customers", page: customersPage, place: "customers" },
  { path: "/customers/{id}", page: customerPage, place: "customers" },
  { path: "/invoices", page: invoicesPage, place: "invoices" },
  { path: "/invoices/new", page: newInvoicePage, place: "invoices" },
  { path: "/invoices/{id}", page: invoicePage, place: "invoices" },
  { path: "/team", page: teamPage, place: "team" },
  { path: "/ledger", page: ledgerPage, place: "ledger", least: 4 },
  { path: "/ledger/{leaf}", page: entryPage, place: "ledger", least: 4 },
  { path: "/security", page: securityPage },
  { path: "/api-docs", page: apiDocsPage },
];

const loginAddress = (reason) => {
  const query = new URLSearchParams({ ...(reason && { reason }), ...(location.pathname !== "/" && { next: location.pathname + location.search }) });
  return query.size ? `/login?${query}` : "/login";
};

function display(route, context) {
  if (location.pathname === "/") return router.go(session() ? "/dashboard" : "/login", { replace: true });
  if (session() === null && !route?.bare) return router.go(loginAddress(), { replace: true });
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  const page = route === null ? missingPage : rank() < (route.least ?? 0) ? refusedPage : route.page;
  const { title, node } = page(context);
  if (route?.bare) showBare(node);
  else showInFrame(node, route?.place);
  router.arrive(title);
}

async function begin() {
  try {
    await load();
  } catch (error) {
    showBare(h("div", { class: "page" }, h("h1", { class: "unseen" }, "Aegis"), failure(error, begin)));
    return;
  }
  whenGone((reason) => router.go(loginAddress(reason), { replace: true }));
  watch();
  listen();
  router.start(ROUTES, display);
}

begin();
