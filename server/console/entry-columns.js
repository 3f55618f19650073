// How an entry of the ledger looks in a list.
import { h } from "./dom.js";
import { number, time } from "./format.js";
import { badge } from "./parts.js";

const OUTCOMES = { success: ["Success", "good"], failure: ["Failure", "bad"], denied: ["Denied", "warn"] };
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const PAGES = { customer: "/customers/", invoice: "/invoices/" };

export const outcomeBadge = (outcome) => badge(OUTCOMES[outcome]?.[0] ?? outcome, OUTCOMES[outcome]?.[1]);

export function target(entry, { link = true } = {}) {
  if (!entry.target_kind && !entry.target_id) return "–";
  const page = PAGES[entry.target_kind];
  const name = h("span", { class: "break" }, entry.target_kind, entry.target_id && [" ", h("code", { title: entry.target_id }, UUID.test(entry.target_id) ? `${entry.target_id.slice(0, 8)}…` : entry.target_id)]);
  return link && page && entry.target_id ? h("a", { class: "inline-link", href: page + encodeURIComponent(entry.target_id) }, name) : name;
}

export const entryColumns = () => [
  { name: "Entry", link: (entry) => `/ledger/${entry.leaf}`, cell: (entry) => `#${number(entry.leaf)}`, class: "tight" },
  { name: "Event", cell: (entry) => h("code", null, entry.event), class: "phone-wide" },
  { name: "Who", cell: (entry) => entry.user_name ?? h("span", { class: "faint" }, "system"), class: "phone-wide break" },
  { name: "Target", cell: (entry) => h("span", { class: "soft" }, target(entry, { link: false })), class: "phone-off" },
  { name: "Time", cell: (entry) => h("span", { class: "soft" }, time(entry.time, "exact")), class: "tight" },
  { name: "Outcome", cell: (entry) => outcomeBadge(entry.outcome), class: "tight" },
];
