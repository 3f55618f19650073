// What happened in a check, newest first: as far as the rank of who looks reaches, said by the interface itself.
import * as api from "./api.js";
import { h } from "./dom.js";
import { time } from "./format.js";
import { icon } from "./icons.js";
import { button, card, whileBusy } from "./parts.js";
import { textOf } from "./problem.js";
import { isAdmin } from "./session.js";
import { toast } from "./toast.js";
import { CAUSES, DECISIONS, DOCUMENTS, KINDS, LISTS, METHODS, OUTCOMES, RATINGS, RESTRICTIONS, SAID, STATUS, who } from "./check-words.js";
import { LABELS } from "./subject-identity.js";

const AT_FIRST = 8;
const MORE = 50;

const small = (text) => text?.toLowerCase() ?? "";
const document = (one) => DOCUMENTS[one.type] ?? "Document";
const decision = (said) => (one) => `${said}: ${small(DECISIONS[one.command])}`;

// Of each event: an icon, what is said of it, and of some a line more.
const EVENTS = {
  "kyc.subject.created": ["plus", (one) => `${KINDS[one.kind]} entered`],
  "kyc.subject.updated": ["edit", () => "Details changed", (one) => one.fields.split(",").map((name) => LABELS[name]).join(", ")],
  "kyc.subject.status_changed": ["next", (one) => STATUS[one.to][0], (one) => `after: ${small(STATUS[one.from][0])}`],
  "kyc.document.uploaded": ["upload", (one) => `${document(one)} uploaded`],
  "kyc.document.verified": ["check", (one) => `${document(one)} verified`, (one) => METHODS[one.method]],
  "kyc.document.rejected": ["cancel", (one) => `${document(one)} not accepted`],
  "kyc.ownership.changed": ["team", (one) => (one.control ? "Owner recorded" : "Owner taken away")],
  "kyc.screening.recorded": ["search", (one) => `Screened: ${small(LISTS[one.kind])}`, (one) => `${one.provider}, ${one.list_version}: ${one.matches === 0 ? "no hit" : one.matches === 1 ? "1 hit" : `${one.matches} hits`}`],
  "kyc.match.disposed": ["user", (one) => `Hit: ${small(SAID[one.disposition]?.[0])}`],
  "kyc.match.confirmed": ["check", () => "Hit confirmed", (one) => SAID[one.disposition]?.[0]],
  "kyc.match.returned": ["back", () => "Hit returned"],
  "kyc.risk.rated": ["alert", () => "Risk rated", (one) => RATINGS[one.rating][0]],
  "kyc.risk.overridden": ["alert", () => "Risk rated otherwise than the factors say", (one) => `${RATINGS[one.rating][0]} instead of ${small(RATINGS[one.computed][0])}`],
  "kyc.review.opened": ["clock", () => "Review opened", (one) => CAUSES[one.cause]],
  "kyc.review.completed": ["check", () => "Review completed", (one) => OUTCOMES[one.outcome][0]],
  "kyc.decision.proposed": ["send", decision("Proposed")],
  "kyc.decision.confirmed": ["check", decision("Confirmed")],
  "kyc.decision.refused": ["cancel", decision("Refused")],
  "kyc.decision.withdrawn": ["back", decision("Taken back")],
  "privacy.hold.placed": ["lock", () => "Legal hold placed"],
  "privacy.hold.released": ["lock", () => "Legal hold released"],
  "privacy.restriction.applied": ["lock", () => "Restricted", (one) => `because ${RESTRICTIONS[one.basis]}`],
  "privacy.restriction.lifted": ["lock", () => "Restriction ended"],
  "privacy.export.created": ["download", () => "Exported for the person"],
  "privacy.erasure.requested": ["trash", () => "Erasure asked for"],
  "privacy.erasure.refused": ["trash", () => "Erasure asked for, and refused"],
  "privacy.erasure.approved": ["trash", () => "Erasure approved"],
  "privacy.erasure.completed": ["trash", () => "Erased"],
};

function row({ event, at, by, detail }, people) {
  const [name, text, more = () => null] = EVENTS[event] ?? ["info", () => event];
  const line = more(detail);
  return h("li", null, h("span", { class: "step-dot" }, icon(name, 14)), h("div", null, h("p", null, text(detail)), line && h("p", { class: "soft small" }, line),
    h("p", { class: "faint small" }, by === null ? "An operator" : who(people, by), ", ", time(at))));
}

/** The first events of a check, and one more, which says that there are. */
export const firstEvents = (path, signal) => api.get(`${path}/history?limit=${AT_FIRST + 1}`, signal).then(({ events }) => events);

export function historyCard({ path, history, people }) {
  const list = h("ol", { class: "steps" }, history.slice(0, AT_FIRST).map((one) => row(one, people)));
  let last = history[AT_FIRST - 1];
  const foot = h("div", { class: "card-foot" }, button("Show more", { kind: "quiet", onclick: (event) => whileBusy(event.currentTarget, async () => {
    try {
      const { events } = await api.get(`${path}/history?limit=${MORE}&before=${last.id}`);
      const rows = events.map((one) => row(one, people));
      list.append(...rows);
      last = events.at(-1) ?? last;
      rows[0]?.setAttribute("tabindex", "-1");
      rows[0]?.focus();
      if (events.length < MORE) foot.remove();
    } catch (problem) {
      toast(textOf(problem), "bad");
    }
  }) }));
  return card("History", { foot: history.length > AT_FIRST && foot }, h("div", { class: "card-body stack-small" }, list, isAdmin() && h("p", { class: "small" }, h("a", { href: "/ledger?event=kyc." }, "What proves it is in the ledger"))));
}
