// How the service is, for everybody: asked from the gateway's memory, so that it answers when nothing else does.
import * as api from "./api.js";
import { h } from "./dom.js";
import { badge, card, facts, pageHead } from "./parts.js";
import { time } from "./format.js";
import { blank, fill } from "./states.js";
import { table } from "./table.js";
import { themeButton } from "./frame.js";

const WORDS = { ok: ["Works", "good"], degraded: ["Impaired", "warn"], down: ["Down", "bad"], off: ["Not in use", "plain"] };
const word = (status) => badge(...(WORDS[status] ?? [status, "plain"]));
const SEVERITIES = { minor: ["Minor", "plain"], major: ["Major", "warn"], critical: ["Critical", "bad"] };

export function statusPage({ signal }) {
  const place = h("div");
  const load = () => api.get("/api/status", signal);
  fill(place, load, view, 8);
  return { title: "Status", node: h("div", { class: "page status-page" },
    pageHead("Status", { below: "How the service is, what it aims at, and what went wrong lately.", actions: [themeButton()] }), place) };
}

function view({ status, details, regions = [] }) {
  const known = details ?? { components: [], slos: [], subprocessors: [], incidents: [] };
  return h("div", { class: "status-cards" },
    card("Now", { note: details ? "" : "The database has not been reached since this gateway started." }, h("div", { class: "card-body" }, facts([
      ["Service", word(status)],
      ...known.components.map((one) => [one.name, word(status === "down" ? "down" : one.status)]),
      ...regions.map((one) => [`Region ${one.region}`, one.status ? word(one.status) : h("a", { href: `${one.url}/status` }, one.url)]),
      details && ["As of", time(details.as_of)],
    ]))),
    card("Incidents", { note: "Of the last ninety days." }, known.incidents.length === 0 ? blank("check", "None", "Nothing went wrong that would have to be told.") : table("Incidents", [
      { name: "What", class: "phone-wide", cell: (one) => h("div", null, h("p", { class: "strong" }, one.title), h("p", { class: "small soft" }, one.summary)) },
      { name: "Severity", class: "tight", cell: (one) => badge(...SEVERITIES[one.severity]) },
      { name: "Began", class: "tight", cell: (one) => time(one.began_at) },
      { name: "Ended", class: "tight", cell: (one) => (one.ended_at ? time(one.ended_at) : badge("Going on", "warn")) },
    ], known.incidents)),
    known.slos.length > 0 && card("Objectives", {}, table("Objectives", [
      { name: "What", cell: (one) => one.name },
      { name: "Objective", cell: (one) => one.objective },
      { name: "Lately", cell: (one) => one.measured ?? "–" },
    ], known.slos)),
    known.subprocessors.length > 0 && card("Subprocessors", { note: "Who helps to run this service, and may process data for it." }, table("Subprocessors", [
      { name: "Name", cell: (one) => one.name },
      { name: "For", class: "phone-wide", cell: (one) => one.purpose },
      { name: "Where", cell: (one) => one.place },
      { name: "Since", class: "tight", cell: (one) => one.since },
    ], known.subprocessors)));
}
