// Checks of persons and companies that wait for a second person, and relationships to be looked at again.
import * as api from "./api.js";
import { h } from "./dom.js";
import { deed } from "./deed.js";
import { day, time } from "./format.js";
import { badge, button, card, pageHead } from "./parts.js";
import { users } from "./people.js";
import { blank, fill } from "./states.js";
import { table } from "./table.js";
import { checkTabs } from "./check-tabs.js";
import { DECISIONS, nameOf, ratingBadge, SAID, who } from "./check-words.js";
import { refuse } from "./subject-decision.js";

const soft = (node) => h("span", { class: "soft" }, node);
const toSubject = (subject) => h("a", { class: "strong", href: `/subjects/${subject.id}` }, nameOf(subject));
const send = (path, body) => async () => void await api.post(path, body);

function decisions(rows, people, again) {
  const columns = [
    { name: "Subject", cell: (one) => toSubject(one.subject), class: "break" },
    { name: "Proposed", cell: (one) => badge(DECISIONS[one.command], one.command === "approve" ? "info" : "warn"), class: "tight" },
    { name: "Why", cell: (one) => one.rationale, class: "break phone-wide" },
    { name: "By", cell: (one) => soft([who(people, one.proposed_by), ", ", time(one.proposed_at)]), class: "phone-wide" },
    { name: "Decide", unseen: true, end: true, class: "tight", cell: (one) => h("div", { class: "actions actions-end" },
      deed("Confirm", { about: nameOf(one.subject), said: "Confirmed.", send: send(`/api/kyc/decisions/${one.id}`, { state: "confirmed" }), again, kind: "main" }),
      button("Refuse", { "aria-label": `Refuse: ${nameOf(one.subject)}`, onclick: () => refuse(one, one.subject, again) })) },
  ];
  return card("Proposals", { note: "What a colleague proposed, and you may decide." }, rows.length === 0
    ? blank("check", "Nothing to decide", "What needs a second person of your rank is shown here.") : table("Proposals", columns, rows));
}

function matches(rows, again) {
  const answer = (one, agreed) => send(`/api/kyc/matches/${one.id}/confirmation`, { agreed });
  const columns = [
    { name: "Subject", cell: (one) => toSubject(one.subject), class: "break" },
    { name: "On the list", cell: (one) => one.name, class: "break" },
    { name: "Said", cell: (one) => badge(...SAID[one.disposition]), class: "tight" },
    { name: "Why", cell: (one) => one.rationale, class: "break phone-wide" },
    { name: "Decide", unseen: true, end: true, class: "tight", cell: (one) => h("div", { class: "actions actions-end" },
      deed("Agree", { about: nameOf(one.subject), said: "Confirmed.", send: answer(one, true), again, kind: "main" }), deed("Return", { about: nameOf(one.subject), said: "Returned.", send: answer(one, false), again })) },
  ];
  return card("Hits of screenings", {}, rows.length === 0
    ? blank("check", "No hits wait", "What was said of a hit on a list waits here for a second person.") : table("Hits of screenings", columns, rows));
}

function reviews(rows, again) {
  const columns = [
    { name: "Subject", cell: toSubject, class: "break" },
    { name: "Risk", cell: (one) => (one.rating ? ratingBadge(one.rating) : "–"), class: "tight" },
    { name: "Due", cell: (one) => soft(day(one.review_due)), class: "tight" },
    { name: "Open", unseen: true, end: true, class: "tight",
      cell: (one) => deed("Open a review", { about: nameOf(one), said: "A review is open.", send: send(`/api/kyc/subjects/${one.id}/reviews`, { cause: "periodic" }), again }) },
  ];
  return card("To be looked at again", {}, rows.length === 0
    ? blank("check", "No review is due", "Relationships are looked at again after one to three years, by their risk.") : table("To be looked at again", columns, rows));
}

export function checksPage({ signal }) {
  const queue = h("div", { class: "stack" });
  const show = () => fill(queue, async () => [await api.get("/api/kyc/queue", signal), new Map((await users()).map((user) => [user.id, user.name]))], ([found, people]) => [
    decisions(found.decisions, people, show), matches(found.matches, show), reviews(found.reviews, show)]);
  show();
  return { title: "Checks", node: h("div", { class: "page" }, pageHead("Checks", { below: "What waits for a second person." }), checkTabs("/checks"), queue) };
}
