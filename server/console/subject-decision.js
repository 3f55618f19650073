// Where a check stands, what it lacks, and its steps: those that one person takes, and those that one proposes and another decides.
import * as api from "./api.js";
import { h } from "./dom.js";
import { deed } from "./deed.js";
import { formDialog } from "./dialog.js";
import { atItsField, field } from "./form.js";
import { time } from "./format.js";
import { icon } from "./icons.js";
import { button, card } from "./parts.js";
import { rank } from "./session.js";
import { notice } from "./states.js";
import { toast } from "./toast.js";
import { isMe, nameOf, ranksFrom, who } from "./check-words.js";

const STEPS = { request_documents: ["Ask for documents", "The check waits for documents."], submit: ["Submit for decision", "Submitted for decision."], resume: ["Go on", "The check goes on."], return: ["Send back", "Sent back."],
  suspend: ["Suspend", "Suspended."], expire: ["Mark as expired", "Marked as expired."], reopen: ["Check again", "The check begins again."] };
const MAIN = new Set(["submit", "resume", "approve", "reinstate"]);
// What leads on comes first, what ends it last.
const order = ({ command, decided }) => (MAIN.has(command) ? 0 : decided ? 2 : 1);
const TRACK = ["Collect", "Decide", "Relationship", "End"];
const PLACE = { in_progress: 0, pending_documents: 0, pending_review: 1, approved: 2, suspended: 2, expired: 2, rejected: 3, offboarded: 3 };
const SAYS = { in_progress: "What identifies the subject is collected.", pending_documents: "Documents were asked for. The check goes on when they are there.", pending_review: "All is collected. One person proposes, another decides.",
  approved: "Two people approved it.", rejected: "Two people rejected it.", expired: "The approval is too old to count.", suspended: "The relationship is suspended.", offboarded: "The relationship has ended." };
const PROPOSED = { approve: "to approve", reject: "to reject", reinstate: "to reinstate", offboard: "to end the relationship" };

// What an approval asks for; a finding of the API says that it is missing.
const NEEDS = [["A document is verified and still valid", (f) => f.finding === "no-document"], ["Screened against lists of sanctions", (f) => f.finding === "not-screened" && /sanctions/.test(f.problem)],
  ["Screened for politically exposed persons", (f) => f.finding === "not-screened" && !/sanctions/.test(f.problem), "person"], ["Two people decided about every hit", (f) => f.finding === "open-match"],
  ["The risk is rated, and not prohibited", (f) => f.finding === "not-rated" || f.finding === "prohibited"], ["It is known who owns or controls it", (f) => f.finding === "no-owner", "company"],
  ["Its owners in the end are approved", (f) => f.finding === "owner-not-approved", "company"]];

export function decisionCard({ subject, path, people, may, again }) {
  const open = subject.decisions.find((one) => one.state === "proposed");
  const early = PLACE[subject.status] < 2;
  const commands = may ? subject.commands.filter((one) => !(one.decided && open)) : [];
  const offered = commands.filter((one) => one.command !== "approve" || subject.findings.length === 0).sort((one, other) => order(one) - order(other));
  const buttons = offered.map((one) => (one.decided
    ? button(`Propose ${PROPOSED[one.command]}`, { kind: MAIN.has(one.command) ? "main" : one.command === "offboard" ? "quiet" : "", onclick: () => propose(one.command, subject, path, again) })
    : deed(STEPS[one.command][0], { kind: MAIN.has(one.command) ? "main" : "", said: STEPS[one.command][1], again, send: async () => void await api.post(`${path}/status?identity=masked`, { command: one.command }) })));
  // What was rejected, or ended early, never was a relationship.
  const past = (place) => place < PLACE[subject.status] && (place !== 2 || subject.started_on !== null);
  return card("Decision", {}, h("div", { class: "card-body stack" },
    h("ol", { class: "track", "aria-label": "Progress" }, TRACK.map((text, place) => h("li", { class: past(place) ? "past" : null, "aria-current": place === PLACE[subject.status] ? "step" : null },
      h("span", { class: "track-dot", "aria-hidden": "true" }, past(place) && icon("check", 12)), h("span", null, text)))),
    h("p", { class: "soft" }, SAYS[subject.status]),
    early && h("ul", { class: "checklist", "aria-label": "What an approval needs" }, NEEDS.filter(([, , kind]) => !kind || (kind === "person") === (subject.kind === "person")).map(([text, missing]) => {
      const lacks = subject.findings.some(missing);
      return h("li", { class: lacks ? "lacks" : "has" }, h("span", { class: "checklist-mark", "aria-hidden": "true" }, icon(lacks ? "clock" : "check", 14)), h("span", { class: "unseen" }, lacks ? "Missing: " : "There: "), text);
    })),
    open && proposal(open, { subject, people, may, again }),
    buttons.length > 0 && h("div", { class: "actions" }, buttons)));
}

/** What one person proposed, and who decides it: with buttons, or in words why they are missing. */
function proposal(one, { subject, people, may, again }) {
  const mine = isMe(one.proposed_by);
  const send = (state) => async () => void await api.post(`/api/kyc/decisions/${one.id}`, { state });
  const needed = `a ${ranksFrom(one.least_rank)}`;
  return h("div", { class: "proposal" },
    h("ol", { class: "eyes" },
      h("li", null, h("span", { class: "initials", "aria-hidden": "true" }, "1"), h("div", null, h("p", { class: "strong" }, who(people, one.proposed_by), " proposed ", PROPOSED[one.command]), h("p", { class: "small faint" }, time(one.proposed_at)))),
      h("li", { class: "awaited" }, h("span", { class: "initials", "aria-hidden": "true" }, "2"), h("div", null, h("p", { class: "strong" }, "Somebody else decides"), h("p", { class: "small faint" }, `A ${ranksFrom(one.least_rank)}.`)))),
    one.rationale && h("blockquote", { class: "quote preserve" }, one.rationale),
    may && (mine ? [notice("info", h("p", null, `You proposed this, so you cannot decide it: ${needed} who sees this check does. You can take it back.`)), h("div", { class: "actions" }, deed("Take it back", { said: "Taken back.", send: send("withdrawn"), again }))]
      : rank() < one.least_rank ? notice("info", h("p", null, `Your rank does not decide this; ${needed} does.`))
        : h("div", { class: "actions" }, deed("Confirm", { kind: "main", about: nameOf(subject), said: "Confirmed.", send: send("confirmed"), again }), button("Refuse", { "aria-label": `Refuse: ${nameOf(subject)}`, onclick: () => refuse(one, subject, again) }))));
}

function propose(command, subject, path, again) {
  const rationale = field("rationale", "Why", { required: true, rows: 4, maxlength: 4000, hint: "Sealed. The second person reads it." });
  formDialog(`Propose ${PROPOSED[command]}`, { body: [h("p", null, `Somebody else has to confirm it before ${nameOf(subject)} is ${{ approve: "approved", reject: "rejected", reinstate: "reinstated", offboard: "off your books" }[command]}.`), rationale.node], fields: [rationale], action: "Propose",
    refused: atItsField([rationale]), send: async () => {
      await api.post(`${path}/decisions`, { command, rationale: rationale.value });
      toast("Proposed. Somebody else decides.");
      await again();
    } });
}

/** A refusal has its reason; used by the queue as well. */
export function refuse(decision, subject, again) {
  const remark = field("remark", "Why not", { required: true, rows: 3, maxlength: 4000 });
  formDialog(`Refuse ${PROPOSED[decision.command]}: ${nameOf(subject)}`, { body: [remark.node], fields: [remark], action: "Refuse", refused: atItsField([remark]), send: async () => {
    await api.post(`/api/kyc/decisions/${decision.id}`, { state: "refused", remark: remark.value });
    toast("Refused.");
    await again();
  } });
}

