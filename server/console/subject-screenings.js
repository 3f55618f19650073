// What look-ups in lists found, and what two people make of each hit.
import * as api from "./api.js";
import { h, newId } from "./dom.js";
import { deed } from "./deed.js";
import { formDialog } from "./dialog.js";
import { atItsField, field } from "./form.js";
import { count, time } from "./format.js";
import { badge, button, card, iconButton } from "./parts.js";
import { rank } from "./session.js";
import { blank } from "./states.js";
import { toast } from "./toast.js";
import { isMe, LEAD, LISTS, ranksFrom, SAID, who } from "./check-words.js";

const MOST_HITS = 100;

export function screeningsCard({ subject, path, people, may, again }) {
  const hit = (one) => h("li", { class: "hit" },
    h("div", { class: "thing-words" }, h("p", null, h("span", { class: "strong break" }, one.name ?? "(erased)"), " ", one.disposition && badge(...SAID[one.disposition])),
      h("p", { class: "small soft dotted" }, one.score !== null && h("span", null, `${one.score} of 100 alike`), one.entry && h("span", { class: "break" }, one.entry)),
      one.rationale && h("p", { class: "small preserve" }, one.rationale),
      one.disposition && h("p", { class: "small faint dotted" }, h("span", null, who(people, one.proposed_by), " said so, ", time(one.proposed_at, "ago")),
        one.confirmed_at && h("span", null, who(people, one.confirmed_by), " agreed, ", time(one.confirmed_at, "ago"))),
      waits(one)), tools(one));

  function waits(one) {
    if (!may || one.disposition === null || one.confirmed_at) return null;
    if (isMe(one.proposed_by)) return h("p", { class: "small why-not" }, `You said so, so somebody else confirms it: a ${ranksFrom(LEAD)} who sees this check.`);
    return rank() < LEAD && h("p", { class: "small why-not" }, `A ${ranksFrom(LEAD)} confirms it.`);
  }
  function tools(one) {
    if (!may || one.confirmed_at) return null;
    if (one.disposition === null) return h("div", { class: "actions" }, button("Decide", { "aria-label": `Decide about ${one.name}`, onclick: () => dispose(one, subject, again) }));
    if (isMe(one.proposed_by) || rank() < LEAD) return null;
    const answer = (agreed) => async () => void await api.post(`/api/kyc/matches/${one.id}/confirmation`, { agreed });
    return h("div", { class: "actions" }, deed("Agree", { about: one.name, kind: "main", said: "Confirmed.", send: answer(true), again }), deed("Return", { about: one.name, said: "Returned.", send: answer(false), again }));
  }

  return card("Screenings", { note: "Of the last 30 days they count for an approval.", actions: may && button("Record", { name: "plus", "aria-label": "Record a screening", onclick: () => recordScreening(path, again) }) },
    subject.screenings.length === 0 ? blank("search", "Not screened yet", "Look the name up at your provider, then record what was found.")
      : h("ul", { class: "things" }, subject.screenings.map((one) => h("li", { class: "thing thing-tall" },
        h("div", { class: "thing-words" }, h("p", null, h("span", { class: "strong" }, LISTS[one.kind]), " ", one.matches.length === 0 ? badge("No hits", "good") : badge(count(one.matches.length, "hit"), one.matches.every((found) => found.confirmed_at) ? "plain" : "warn")),
          h("p", { class: "small soft dotted" }, h("span", null, `${one.provider}, ${one.list_version}`), h("span", null, who(people, one.screened_by), ", ", time(one.screened_at, "ago")))),
        one.matches.length > 0 && h("ul", { class: "hits" }, one.matches.map(hit))))));
}

function dispose(one, subject, again) {
  const disposition = field("disposition", `Is it ${subject.name}?`, { required: true, options: [["false_positive", "No, somebody else"], ["true_match", "Yes, the same"]], value: "false_positive" });
  const rationale = field("rationale", "Why", { required: true, rows: 3, maxlength: 2000, hint: "Sealed. A second person reads it, and agrees or not." });
  formDialog(`Decide about ${one.name}`, { body: [disposition.node, rationale.node], fields: [disposition, rationale], action: "Save", refused: atItsField([disposition, rationale]), send: async () => {
    await api.post(`/api/kyc/matches/${one.id}/disposition`, { disposition: disposition.value, rationale: rationale.value });
    toast("Saved; a second person confirms it.");
    await again();
  } });
}

function recordScreening(path, again) {
  const form = /^[A-Za-z0-9][A-Za-z0-9 ._-]*$/;
  const kind = field("kind", "Looked up in", { required: true, options: Object.entries(LISTS) });
  const provider = field("provider", "Provider", { required: true, maxlength: 64, autocomplete: "off", check: (value) => (form.test(value) ? null : "Letters, digits, blanks and . _ - only.") });
  const version = field("list_version", "Version of the list", { required: true, maxlength: 64, autocomplete: "off", hint: "Its date or number, as the provider says.", check: (value) => (/^[A-Za-z0-9][A-Za-z0-9 ._:/-]*$/.test(value) ? null : "Letters, digits, blanks and . _ : / - only.") });
  const hits = h("ul", { class: "stack-small" });
  let rows = [];
  const more = button("Add a hit", { name: "plus", onclick: () => {
    const row = { name: field("name", "Name on the list", { required: true, maxlength: 200, autocomplete: "off" }), entry: field("entry", "Entry", { maxlength: 200, autocomplete: "off" }),
      score: field("score", "Alike, of 100", { required: true, inputmode: "numeric", check: (value) => (/^(100|\d{1,2})$/.test(value) ? null : "A number from 0 to 100.") }) };
    const node = h("li", { class: "hit-row" }, row.name.node, row.entry.node, row.score.node, iconButton("trash", "Take this hit out", () => {
      rows = rows.filter((one) => one !== row);
      node.remove();
      more.focus();
    }));
    rows.push(row);
    hits.append(node);
    more.hidden = rows.length >= MOST_HITS;
    row.name.control.focus();
  } });
  const id = newId("hits");
  const own = [kind, provider, version];
  formDialog("Record a screening", { wide: true, body: [h("div", { class: "form-row" }, kind.node, provider.node, version.node), h("div", { class: "stack-small", role: "group", "aria-labelledby": id }, h("p", { class: "field-label", id }, "Hits"), hits, h("div", null, more))],
    fields: () => [...own, ...rows.flatMap((row) => [row.name, row.entry, row.score])], action: "Record", refused: (problem) => atItsField(own)(problem), send: async () => {
      await api.post(`${path}/screenings`, { kind: kind.value, provider: provider.value, list_version: version.value,
        matches: rows.map((row) => ({ name: row.name.value, score: Number(row.score.value), ...(row.entry.value && { entry: row.entry.value }) })) });
      toast("Recorded.");
      await again();
    } });
  kind.control.focus();
}
