// The console: one page, whose views use the same interface as every other program.
import { h } from "./dom.js";
import { showBare, showInFrame } from "./frame.js";
import { listen } from "./keyboard.js";
import { failure } from "./states.js";
import * as router from "./router.js";
import { load, rank, session, watch, whenGone } from "./session.js";
import { apiDocsPage } from "./page-api-docs.js";
import { checksPage } from "./page-checks.js";
import { customerPage } from "./page-customer.js";
import { customersPage } from "./page-customers.js";
import { dashboardPage } from "./page-dashboard.js";
import { entryPage } from "./page-entry.js";
import { erasurePage } from "./page-erasure.js";
import { erasuresPage } from "./page-erasures.js";
import { invoicePage } from "./page-invoice.js";
import { invoicesPage } from "./page-invoices.js";
import { ledgerPage } from "./page-ledger.js";
import { loginPage } from "./page-login.js";
import { invitationPage, resetPage, signUpPage } from "./page-password.js";
import { payerPage } from "./page-payer.js";
import { missingPage, refusedPage, refusedToUsersPage } from "./page-missing.js";
import { newInvoicePage } from "./page-invoice-new.js";
import { paymentsPage } from "./page-payments.js";
import { reportPage } from "./page-report.js";
import { reportingPage } from "./page-reporting.js";
import { securityPage } from "./page-security.js";
import { statusPage } from "./page-status.js";
import { subjectPage } from "./page-subject.js";
import { subjectsPage } from "./page-subjects.js";
import { teamPage } from "./page-team.js";
import { webhookPage } from "./page-webhook.js";
import { webhooksPage } from "./page-webhooks.js";

// place: what the navigation marks; least: the rank that the page's data needs.
const ROUTES = [
  { path: "/login", page: loginPage, bare: true },
  { path: "/status", page: statusPage, bare: true },
  { path: "/sign-up", page: signUpPage, bare: true },
  { path: "/reset", page: resetPage, bare: true },
  { path: "/invitation", page: invitationPage, bare: true },
  { path: "/invoice", page: payerPage, bare: true },
  { path: "/dashboard", page: dashboardPage, place: "dashboard" },
  { path: "/customers", page: customersPage, place: "customers" },
  { path: "/customers/{id}", page: customerPage, place: "customers" },
  { path: "/invoices", page: invoicesPage, place: "invoices" },
  { path: "/invoices/new", page: newInvoicePage, place: "invoices" },
  { path: "/invoices/{id}", page: invoicePage, place: "invoices" },
  { path: "/checks", page: checksPage, place: "checks" },
  { path: "/subjects", page: subjectsPage, place: "checks" },
  { path: "/subjects/{id}", page: subjectPage, place: "checks" },
  { path: "/erasures", page: erasuresPage, place: "checks", least: 3 },
  { path: "/erasures/{id}", page: erasurePage, place: "checks", least: 3 },
  { path: "/reporting", page: reportingPage, place: "checks" },
  { path: "/reporting/{id}", page: reportPage, place: "checks" },
  { path: "/payments", page: paymentsPage, place: "payments", least: 3 },
  { path: "/team", page: teamPage, place: "team" },
  { path: "/ledger", page: ledgerPage, place: "ledger", least: 4 },
  { path: "/ledger/{leaf}", page: entryPage, place: "ledger", least: 4 },
  { path: "/webhooks", page: webhooksPage, place: "webhooks", least: 4 },
  { path: "/webhooks/{id}", page: webhookPage, place: "webhooks", least: 4 },
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
  const page = route === null ? missingPage : rank() < (route.least ?? 0) ? (route.least === 4 ? refusedPage : refusedToUsersPage) : route.page;
  const { title, node } = page(context);
  if (route?.bare) showBare(node);
  else showInFrame(node, route?.place);
  router.arrive(title);
}

async function begin() {
  try {
    await load();
  } catch (error) {
    // The page that says what is wrong must not fail for the same reason.
    if (location.pathname === "/status") return router.start(ROUTES, display);
    showBare(h("div", { class: "page" }, h("h1", { class: "unseen" }, "Aegis"), failure(error, begin)));
    return;
  }
  whenGone((reason) => router.go(loginAddress(reason), { replace: true }));
  watch();
  listen();
  router.start(ROUTES, display);
}

begin();
