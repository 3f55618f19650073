// Looks at a relationship that goes on: opened by one person, completed by another.
import * as api from "./api.js";
import { h } from "./dom.js";
import { formDialog } from "./dialog.js";
import { atItsField, field } from "./form.js";
import { time } from "./format.js";
import { badge, button, card } from "./parts.js";
import { rank } from "./session.js";
import { blank } from "./states.js";
import { toast } from "./toast.js";
import { CAUSES, isMe, LEAD, OUTCOMES, ranksFrom, who } from "./check-words.js";

export function reviewsCard({ subject, path, people, may, again }) {
  const open = subject.reviews.find((one) => one.completed_at === null);
  const row = (one) => h("li", { class: "thing" },
    h("div", { class: "thing-words" }, h("p", null, h("span", { class: "strong" }, CAUSES[one.cause]), " ", one.outcome ? badge(...OUTCOMES[one.outcome]) : badge("Open", "info")),
      h("p", { class: "small faint dotted" }, h("span", null, who(people, one.opened_by), " opened it, ", time(one.opened_at, "ago")), one.completed_at && h("span", null, who(people, one.completed_by), " completed it, ", time(one.completed_at, "ago"))),
      one.findings && h("p", { class: "small preserve" }, one.findings),
      may && one === open && (isMe(one.opened_by) ? h("p", { class: "small why-not" }, `You opened it, so somebody else completes it: a ${ranksFrom(LEAD)} who sees this check.`)
        : rank() < LEAD && h("p", { class: "small why-not" }, `A ${ranksFrom(LEAD)} completes it.`))),
    may && one === open && !isMe(one.opened_by) && rank() >= LEAD && h("div", { class: "actions" }, button("Complete", { kind: "main", "aria-label": "Complete the review", onclick: () => complete(one, again) })));
  return card("Reviews", { actions: may && !open && button("Open a review", { onclick: () => begin(path, again) }) },
    subject.reviews.length === 0 ? blank("clock", "No reviews yet", "A relationship is looked at again after one to three years, by its risk, and whenever something happens.") : h("ul", { class: "things" }, subject.reviews.map(row)));
}

function begin(path, again) {
  const cause = field("cause", "Why now", { required: true, options: Object.entries(CAUSES), value: "periodic" });
  formDialog("Open a review", { body: [cause.node], fields: [cause], action: "Open", send: async () => {
    await api.post(`${path}/reviews`, { cause: cause.value });
    toast("A review is open; somebody else completes it.");
    await again();
  } });
}

function complete(review, again) {
  const outcome = field("outcome", "Outcome", { required: true, options: Object.entries(OUTCOMES).map(([name, [label]]) => [name, label]), value: "unchanged" });
  const findings = field("findings", "What was found", { required: true, rows: 4, maxlength: 4000, hint: "Sealed." });
  formDialog("Complete the review", { body: [outcome.node, findings.node], fields: [outcome, findings], action: "Complete", refused: atItsField([outcome, findings]), send: async () => {
    await api.post(`/api/kyc/reviews/${review.id}/completion`, { outcome: outcome.value, findings: findings.value });
    toast("Completed.");
    await again();
  } });
}
