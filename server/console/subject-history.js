// What happened to a check, as far as its file says; the ledger has every step.
import { h, replace } from "./dom.js";
import { time } from "./format.js";
import { icon } from "./icons.js";
import { button, card } from "./parts.js";
import { isAdmin } from "./session.js";
import { DECISIONS, DOCUMENTS, KINDS, LISTS, SAID, STATUS, who } from "./check-words.js";

const AT_FIRST = 8;

function eventsOf(subject, privacy) {
  const events = [{ at: subject.created_at, name: "plus", text: `${KINDS[subject.kind]} entered` }];
  const add = (at, name, text, by) => at && events.push({ at, name, text, by });
  for (const one of subject.documents) {
    const title = DOCUMENTS[one.type];
    add(one.uploaded_at, "upload", `${title} uploaded`, one.uploaded_by);
    add(one.judged_at, one.state === "verified" ? "check" : "cancel", `${title} ${one.state === "verified" ? "verified" : "not accepted"}`, one.judged_by);
  }
  for (const one of subject.screenings) {
    add(one.screened_at, "search", `Screened: ${LISTS[one.kind].toLowerCase()}`, one.screened_by);
    for (const hit of one.matches) {
      add(hit.proposed_at, "user", `Hit: ${SAID[hit.disposition]?.[0].toLowerCase()}`, hit.proposed_by);
      add(hit.confirmed_at, "check", "Hit confirmed", hit.confirmed_by);
    }
  }
  if (subject.risk) add(subject.risk.rated_at, "alert", "Risk rated", subject.risk.rated_by);
  for (const one of subject.reviews) {
    add(one.opened_at, "clock", "Review opened", one.opened_by);
    add(one.completed_at, "check", "Review completed", one.completed_by);
  }
  for (const one of subject.decisions) {
    add(one.proposed_at, "send", `Proposed: ${DECISIONS[one.command].toLowerCase()}`, one.proposed_by);
    add(one.decided_at, one.state === "confirmed" ? "check" : "cancel", `${one.state === "confirmed" ? "Confirmed" : "Refused"}: ${DECISIONS[one.command].toLowerCase()}`, one.decided_by);
  }
  for (const one of privacy?.holds ?? []) {
    add(one.placed_at, "lock", "Legal hold placed", one.placed_by);
    add(one.released_at, "lock", "Legal hold released", one.released_by);
  }
  for (const one of privacy?.erasures ?? []) {
    add(one.requested_at, "trash", one.state === "refused" ? "Erasure asked for, and refused" : "Erasure asked for", one.requested_by);
    add(one.approved_at, "trash", "Erasure approved", one.approved_by);
  }
  add(privacy?.restricted_at, "lock", "Restricted");
  add(subject.erased_at, "trash", "Erased");
  // Steps of one person are in the ledger alone, but for the last.
  if (subject.status_changed_at > subject.created_at) add(subject.status_changed_at, "next", STATUS[subject.status][0]);
  return events.sort((one, other) => new Date(other.at) - new Date(one.at));
}

export function historyCard({ subject, privacy, people }) {
  const events = eventsOf(subject, privacy);
  const list = h("ol", { class: "steps" });
  const row = ({ at, name, text, by }) => h("li", null, h("span", { class: "step-dot" }, icon(name, 14)), h("div", null, h("p", null, text), h("p", { class: "faint small" }, by !== undefined && [who(people, by), ", "], time(at))));
  const show = (most) => replace(list, events.slice(0, most).map(row));
  const more = h("div", { class: "card-foot" }, button("Show all", { kind: "quiet", onclick: () => {
    show(events.length);
    more.remove();
    list.setAttribute("tabindex", "-1");
    list.focus();
  } }));
  show(AT_FIRST);
  return card("History", { foot: events.length > AT_FIRST && more }, h("div", { class: "card-body stack-small" }, list, isAdmin() && h("p", { class: "small" }, h("a", { href: "/ledger?event=kyc." }, "Every step is in the ledger"))));
}
