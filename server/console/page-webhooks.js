// What payment providers sent, and where they send it.
import * as api from "./api.js";
import { h } from "./dom.js";
import { time } from "./format.js";
import { badge, card, copyable, pageHead, segments } from "./parts.js";
import { stateBadge } from "./webhook-state.js";
import { growingTable, table } from "./table.js";
import { blank, fill } from "./states.js";
import { setQuery } from "./router.js";

const SIZE = 50;
const STATE = [["", "All"], ["applied", "Applied"], ["unmatched", "Unmatched"], ["ignored", "Ignored"], ["quarantined", "Quarantine"]];

const COLUMNS = [
  { name: "Message", link: (event) => `/webhooks/${event.id}`, cell: (event) => event.event_type ?? "Not read", class: "break" },
  { name: "Provider", cell: (event) => h("span", null, event.provider, !event.live && [" ", badge("Test", "plain")]), class: "tight" },
  { name: "Says", cell: (event) => (event.kind ?? "").replaceAll("_", " "), class: "tight" },
  { name: "State", cell: stateBadge, class: "tight" },
  { name: "Received", cell: (event) => h("span", { class: "soft" }, time(event.received_at)), class: "tight" },
];

export function webhooksPage({ query, signal }) {
  let state = STATE.some(([value]) => value === query.get("state")) ? query.get("state") : "";
  const list = growingTable("Messages", COLUMNS, async (after) => {
    const { events } = await api.get(api.withQuery("/api/webhook-events", { limit: SIZE, after, state }), signal);
    return { rows: events, more: events.length === SIZE, after: events.at(-1)?.id };
  }, () => (state ? blank("webhooks", "None in this state", "Choose another state above.") : blank("webhooks", "No messages yet", "They appear here when a payment provider delivers to one of the addresses below.")));
  list.start();
  return { title: "Webhooks", node: h("div", { class: "page" }, pageHead("Webhooks", { below: "What payment providers sent: verified, without card data, each message once." }),
    h("div", { class: "toolbar" }, segments("State", STATE, state, (value) => {
      state = value;
      setQuery({ state });
      list.start();
    })), h("div", { class: "card" }, list.node), endpoints(signal)) };
}

function endpoints(signal) {
  const place = h("div");
  fill(place, () => api.get("/api/webhook-endpoints", signal), ({ endpoints: found }) => (found.length === 0
    ? blank("webhooks", "No addresses yet", "An address is made with POST /api/webhook-endpoints, which needs the provider's secret.")
    : table("Addresses", [
      { name: "Account", cell: (one) => h("span", null, one.account, !one.live && [" ", badge("Test", "plain")]), class: "break" },
      { name: "Provider", cell: (one) => one.provider, class: "tight" },
      { name: "Address", cell: (one) => copyable(location.origin + one.path, "Address", one.path), class: "phone-wide" },
      { name: "Secrets", cell: (one) => (one.disabled_at ? badge("Out of use", "plain") : one.keys.map((key) => secret(key))), class: "tight" },
    ], found)), 2);
  return card("Addresses", { note: "Where each provider delivers, and which secrets count." }, place);
}

const secret = (key) => h("div", null, `Secret ${key.key_id.split(".").pop()}`, key.not_after && h("span", { class: "faint small" }, " until ", time(key.not_after)));
