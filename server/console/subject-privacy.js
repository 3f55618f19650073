// For managers: whether the data of a subject may be used, how long it is kept, what holds it, and its end.
import * as api from "./api.js";
import { h } from "./dom.js";
import { deed } from "./deed.js";
import { formDialog } from "./dialog.js";
import { atItsField, field } from "./form.js";
import { count, day, time } from "./format.js";
import { icon } from "./icons.js";
import { badge, button, card } from "./parts.js";
import { go } from "./router.js";
import { toast } from "./toast.js";
import { ERASURES, nameOf, RESTRICTIONS, who } from "./check-words.js";
import { exportSubject } from "./subject-export.js";

const part = (title, ...content) => h("div", { class: "card-part" }, h("h3", null, title), ...content);

/** Why nothing is erased now, with the date in words; null when nothing forbids it. Of a subject or of a request. */
export function hindranceWords({ hindrance, basis, until }, rule) {
  if (hindrance === "relationship") return ["The relationship goes on. From its end on the data is kept", rule && ` for ${count(rule.years, "year")}`, basis && [", as ", basis, " says"], "."];
  if (hindrance === "retention") return ["It has to be kept until ", h("strong", null, day(until)), basis && [", as ", basis, " says"], "."];
  if (hindrance === "hold") return "A legal hold is open. Nothing is erased before it is released.";
  return null;
}

export function privacyCard({ subject, privacy, path, people, again }) {
  const open = privacy.holds.filter((one) => one.released_at === null);
  const over = privacy.holds.filter((one) => one.released_at !== null);
  const running = privacy.erasures.find((one) => one.state === "requested" || one.state === "approved");
  const erased = subject.erased_at !== null;
  const hold = (one) => h("li", { class: "stack-small" }, h("p", { class: "preserve" }, one.reason ?? "(erased)"), h("p", { class: "small faint" }, who(people, one.placed_by), ", ", time(one.placed_at, "day"), one.released_at && [", released ", time(one.released_at, "day")]),
    one.released_at === null && deed("Release", { about: one.reason ?? "legal hold", said: "Released.", again, send: async () => void await api.remove(`/api/kyc/holds/${one.id}`) }));
  return card("Privacy", { note: "For managers." },
    erased ? part("Erased", h("p", { class: "soft" }, "On ", time(subject.erased_at), ". Dates and states stay, and so does the ledger.")) : [
      part("Use", subject.restriction
        ? [h("p", { class: "soft" }, "Kept and not used since ", time(privacy.restricted_at, "day"), ", because ", RESTRICTIONS[subject.restriction], ". Managers alone see it."), deed("End the restriction", { said: "The data is used again.", again, send: async () => void await api.remove(`${path}/restriction`) })]
        : [h("p", { class: "soft" }, "Used as usual."), button("Restrict", { name: "lock", onclick: () => restrict(subject, path, again) })]),
      part("Legal holds", open.length === 0 ? h("p", { class: "soft" }, "None is open.") : h("ul", { class: "stack-small" }, open.map(hold)), button("Place a hold", { onclick: () => placeHold(subject, path, again) }),
        over.length > 0 && h("details", null, h("summary", { class: "small soft" }, `${count(over.length, "hold")} released`), h("ul", { class: "stack-small" }, over.map(hold)))),
      part("Export", h("p", { class: "soft" }, "What the person said and showed, for the person."), deed("Put together", { name: "download", about: nameOf(subject), send: () => exportSubject(subject.id) }))],
    part("Erasure", !erased && h("p", { class: "soft" }, running ? "Asked for." : hindranceWords(privacy, privacy.rule) ?? "Nothing forbids it."),
      !erased && !running && button(privacy.hindrance ? "Record a request" : "Ask for erasure", { onclick: () => ask(subject, privacy, path, again) }),
      privacy.erasures.length > 0 && h("ul", { class: "link-list stack-small" }, privacy.erasures.map((one) => h("li", { class: "link-row" }, h("a", { href: `/erasures/${one.id}` }, "Request of ", time(one.requested_at, "day")), badge(...ERASURES[one.state]))))));
}

function restrict(subject, path, again) {
  const basis = field("basis", "Because", { required: true, options: Object.entries(RESTRICTIONS), value: "accuracy" });
  formDialog(`Restrict ${nameOf(subject)}`, { body: [h("p", null, "The data is kept and not used: managers alone see it, and nobody changes it until the restriction ends."), basis.node], fields: [basis], action: "Restrict", send: async () => {
    await api.put(`${path}/restriction`, { basis: basis.value });
    toast("Kept and not used.");
    await again();
  } });
}

function placeHold(subject, path, again) {
  const reason = field("reason", "Reason", { required: true, rows: 3, maxlength: 2000, hint: "Sealed, such as the court and the number of the case." });
  formDialog(`Place a legal hold on ${nameOf(subject)}`, { body: [h("p", null, "While it is open, nothing of the subject is erased."), reason.node], fields: [reason], action: "Place it", refused: atItsField([reason]), send: async () => {
    await api.post(`${path}/holds`, { reason: reason.value });
    toast("The hold is placed.");
    await again();
  } });
}

function ask(subject, privacy, path, again) {
  const origin = field("origin", "Because", { required: true, options: [["subject", "the person asks for it"], ["retention", "the time to keep it is over"]], value: "subject" });
  const why = hindranceWords(privacy, privacy.rule);
  formDialog(why ? "Record a request for erasure" : "Ask for erasure", { body: [why ? h("div", { class: "stack-small" }, h("p", { class: "forbidden" }, icon("lock", 16), h("span", null, why)),
    h("p", null, privacy.hindrance === "relationship" ? "The request is recorded as refused, with this reason." : "The request is recorded as refused, with this reason, and the data is restricted: kept, and not used."))
    : h("p", null, "Another manager has to approve it, and an operator carries it out. What is sealed for the subject opens for nobody then, and that cannot be undone."), origin.node], fields: [origin], action: why ? "Record it" : "Ask for it", kind: why ? "main" : "bad", send: async () => {
    const made = await api.post(`${path}/erasures`, { origin: origin.value });
    toast(made.state === "refused" ? "Recorded as refused." : "Asked for; another manager approves it.");
    if (made.state === "refused") await again();
    else go(`/erasures/${made.id}`);
  } });
}
