// The risk of a relationship: five factors, of which the highest counts, and a manager's reason for another rating.
import * as api from "./api.js";
import { h, replace } from "./dom.js";
import { formDialog } from "./dialog.js";
import { atItsField, field } from "./form.js";
import { day, time } from "./format.js";
import { badge, button, card, segments } from "./parts.js";
import { rank } from "./session.js";
import { blank } from "./states.js";
import { toast } from "./toast.js";
import { FACTORS, FACTOR_WORDS, LEVELS, MANAGER, ratingBadge, RATINGS, who } from "./check-words.js";

const RATING_OF = { 1: "low", 2: "medium", 3: "high" };

export function riskCard({ subject, path, people, may, again }) {
  const { risk } = subject;
  const dots = (value) => h("span", { class: `dots dots-${value}` }, h("span", { class: "unseen" }, FACTOR_WORDS[value]), [1, 2, 3].map((step) => h("i", { class: step <= value ? "on" : null, "aria-hidden": "true" })));
  return card("Risk", { actions: may && button(risk ? "Rate anew" : "Rate", { "aria-label": risk ? "Rate the risk anew" : "Rate the risk", onclick: () => rate(subject, path, again) }) },
    !risk ? blank("alert", "Not rated yet", "How closely this relationship is looked at follows from its risk.") : h("div", { class: "card-body stack-small" },
      h("p", null, ratingBadge(risk.rating), risk.rating !== risk.computed && [" ", h("span", { class: "small soft" }, `instead of ${RATINGS[risk.computed][0].toLowerCase()}`)]),
      h("p", { class: "small soft" }, LEVELS[risk.level]),
      h("dl", { class: "factors" }, Object.entries(FACTORS).map(([name, label]) => [h("dt", null, label), h("dd", null, dots(risk.factors[name]))])),
      risk.rationale && h("p", { class: "small preserve" }, risk.rationale),
      h("p", { class: "small faint" }, who(people, risk.rated_by), ", ", time(risk.rated_at, "day")),
      subject.review_due && h("p", { class: "small soft" }, "Looked at again by ", day(subject.review_due), ".")));
}

function rate(subject, path, again) {
  const factors = { ...(subject.risk?.factors ?? Object.fromEntries(Object.keys(FACTORS).map((name) => [name, 1]))) };
  const follows = h("p", { "aria-live": "polite" });
  const simple = h("input", { type: "checkbox", checked: subject.risk?.level === "sdd" });
  const simpler = h("label", { class: "check" }, simple, "Simplified due diligence is enough");
  const rating = field("rating", "Another rating", { options: [["", "As the factors say"], ...Object.entries(RATINGS).map(([name, [label]]) => [name, label])], value: "" });
  const rationale = field("rationale", "Why another", { rows: 3, maxlength: 2000, hint: "Sealed." });
  const highest = () => RATING_OF[Math.max(...Object.values(factors))];
  const show = () => {
    replace(follows, "From the factors follows: ", badge(...RATINGS[highest()]), ". A hit that two people confirmed counts besides.");
    simpler.hidden = (rating.value || highest()) !== "low";
    rationale.node.hidden = rating.value === "";
  };
  rating.control.addEventListener("change", show);
  show();
  formDialog("Rate the risk", { body: [h("div", { class: "factor-choices" }, Object.entries(FACTORS).map(([name, label]) => h("div", { class: "factor-choice" }, h("span", { "aria-hidden": "true" }, label),
    segments(label, [1, 2, 3].map((value) => [value, FACTOR_WORDS[value]]), factors[name], (value) => {
      factors[name] = value;
      show();
    })))), follows, simpler, rank() >= MANAGER && rating.node, rank() >= MANAGER && rationale.node], fields: rank() >= MANAGER ? [rating, rationale] : [], action: "Rate", refused: atItsField([rating, rationale]), send: async () => {
    const other = rating.value || null;
    if (other && rationale.value === "") {
      rationale.say("Why another is missing.");
      rationale.control.focus();
      throw new DOMException("not sent", "AbortError");
    }
    await api.post(`${path}/risk`, { factors, ...(other && { rating: other, rationale: rationale.value }), ...(!simpler.hidden && simple.checked && { level: "sdd" }) });
    toast("Rated.");
    await again();
  } });
}
