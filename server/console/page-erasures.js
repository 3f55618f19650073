// For managers: subjects whose time is over, and requests to erase.
import * as api from "./api.js";
import { h } from "./dom.js";
import { deed } from "./deed.js";
import { day, time } from "./format.js";
import { badge, card, pageHead } from "./parts.js";
import { go } from "./router.js";
import { blank, fill } from "./states.js";
import { table } from "./table.js";
import { checkTabs } from "./check-tabs.js";
import { ERASURES, isMe, nameOf } from "./check-words.js";
import { exportSubject } from "./subject-export.js";

const HINDRANCES = { relationship: "The relationship goes on", retention: "It has to be kept", hold: "Legal hold" };

const soft = (...words) => h("span", { class: "soft" }, words);

function dueCard(due) {
  const columns = [
    { name: "Subject", cell: (one) => h("a", { href: `/subjects/${one.subject_id}`, class: "strong" }, nameOf(one)), class: "break" },
    { name: "Ended", cell: (one) => soft(day(one.ended_on)), class: "tight phone-off" },
    { name: "Kept until", cell: (one) => soft(day(one.retained_until)), class: "tight" },
    { name: "Ask", unseen: true, class: "phone-wide", cell: (one) => h("div", { class: "actions actions-end" },
      deed("Export", { name: "download", about: nameOf(one), send: () => exportSubject(one.subject_id) }),
      deed("Ask for erasure", { about: nameOf(one), said: "Another manager has to approve.", send: async () => go(`/erasures/${(await api.post(`/api/kyc/subjects/${one.subject_id}/erasures`, { origin: "retention" })).id}`) })) },
  ];
  return card("Time is over", { note: "What a law made you keep, and makes you keep no longer." }, due.length === 0
    ? blank("check", "Nothing is to be erased", "Subjects whose time of retention is over are shown here.") : table("Time is over", columns, due));
}

function requestsCard(requests) {
  const columns = [
    { name: "Request", link: (one) => `/erasures/${one.id}`, cell: nameOf, class: "break" },
    { name: "State", cell: (one) => badge(...ERASURES[one.state]), class: "tight" },
    { name: "Because", class: "phone-wide", cell: (one) => soft(one.hindrance ? [HINDRANCES[one.hindrance], one.until && [" until ", day(one.until)]] : one.state === "requested" ? (isMe(one.requested_by) ? "You asked; another manager approves" : "You may approve it") : "–") },
    { name: "Asked for", cell: (one) => soft(time(one.requested_at, "day")), class: "tight phone-off" },
  ];
  return card("Requests", { note: "Two managers decide, an operator erases, and a certificate proves it." }, requests.length === 0
    ? blank("trash", "Nobody has asked", "Requests are made on the page of a check, and kept here, refused ones too.") : table("Requests to erase", columns, requests));
}

export function erasuresPage({ signal }) {
  const place = h("div", { class: "stack" });
  fill(place, () => api.get("/api/kyc/erasures", signal), ({ requests, due }) => [dueCard(due), requestsCard(requests)]);
  return { title: "Erasure", node: h("div", { class: "page" }, pageHead("Erasure", { below: "What is to be forgotten, and what has been." }), checkTabs("/erasures"), place) };
}
