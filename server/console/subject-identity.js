// Who the subject of a check is: masks first; in clear when somebody asks, which is recorded. And the forms that begin a check and change it.
import * as api from "./api.js";
import { announce, h, replace } from "./dom.js";
import { formDialog } from "./dialog.js";
import { atItsField, field, isEmail } from "./form.js";
import { icon } from "./icons.js";
import { button, card, facts, whileBusy } from "./parts.js";
import { textOf } from "./problem.js";
import { go } from "./router.js";
import { rank } from "./session.js";
import { blank, notice } from "./states.js";
import { toast } from "./toast.js";
import { KINDS, MANAGER, nameOf } from "./check-words.js";

const asDate = { type: "date" };
const oneCountry = { maxlength: 2, hint: "Two letters, such as GB.", check: (value) => (/^[A-Za-z]{2}$/.test(value) ? null : "A country is two letters, such as GB."), tidy: (value) => value.toUpperCase() };
const countries = { maxlength: 20, hint: "Two letters each, such as GB IE.", check: (value) => (/^[A-Za-z]{2}( [A-Za-z]{2})*$/.test(value) ? null : "Countries are two letters each, with a blank between."), tidy: (value) => value.toUpperCase() };
const long = { rows: 2, maxlength: 2000 };
// special: shown in full to managers only.
const PERSON = [["former_names", "Former names", { maxlength: 400 }], ["date_of_birth", "Date of birth", asDate], ["place_of_birth", "Place of birth", { maxlength: 200 }], ["nationality", "Nationality", countries],
  ["residence", "Country of residence", oneCountry], ["address", "Address", { rows: 2, maxlength: 500 }], ["former_addresses", "Former addresses", long], ["email", "E-mail", { type: "email", maxlength: 254, check: isEmail }],
  ["phone", "Phone", { type: "tel", maxlength: 40 }], ["national_id", "National number", { maxlength: 40, special: true }], ["tax_id", "Tax number", { maxlength: 40, special: true }], ["occupation", "Occupation", { maxlength: 200 }],
  ["employer", "Employer", { maxlength: 200 }], ["source_of_funds", "Source of funds", { ...long, special: true }], ["source_of_wealth", "Source of wealth", { ...long, special: true }], ["expected_activity", "Expected activity", long]];
const COMPANY = [["trading_names", "Trading names", { maxlength: 400 }], ["registration_number", "Registration number", { maxlength: 40 }], ["jurisdiction", "Jurisdiction", oneCountry], ["lei", "LEI", { maxlength: 20 }],
  ["incorporated_on", "Founded on", asDate], ["address", "Address", { rows: 2, maxlength: 500 }], ["business", "Business", long], ["regulator", "Regulator", { maxlength: 200 }]];

/** What a field of a subject is called. */
export const LABELS = Object.fromEntries([["name", "Name"], ...PERSON, ...COMPANY].map(([name, label]) => [name, label]));
const fieldsOf = (kind) => (kind === "person" ? PERSON : COMPANY);
const region = new Intl.DisplayNames(undefined, { type: "region" });

// A mask says what stands there, not what it is; a code of a country is said in words.
function shown(name, value) {
  if (/\*\*\*/.test(value)) return h("span", { class: "masked" }, value);
  if (/^(nationality|residence|jurisdiction)$/.test(name)) return value.split(" ").map((code) => `${region.of(code)} (${code})`).join(", ");
  return h("span", { class: "preserve" }, value);
}

/** revealed(documents): called with the numbers of documents in clear, or with null when they are masked again. */
export function identityCard({ subject, path, may, again, revealed }) {
  const place = h("div", { class: "stack-small" });
  const error = h("div", { class: "form-message" });
  const fail = (problem) => replace(error, notice("bad", textOf(problem)));
  const known = subject.identity && Object.values(subject.identity).some((value) => value !== null);
  let clear = false;

  function show(identity) {
    if (!known) return replace(place, blank("user", "Nothing is known yet", may ? "Enter what the papers say." : null));
    const all = fieldsOf(subject.kind);
    const missing = all.filter(([name]) => identity[name] === null).map(([, label]) => label.toLowerCase());
    const kept = clear && rank() < MANAGER && all.some(([name, , { special }]) => special && identity[name] !== null);
    replace(place, facts(all.filter(([name]) => identity[name] !== null).map(([name, label]) => [label, shown(name, identity[name])])),
      kept && h("p", { class: "small soft" }, "What is still masked, managers see."),
      clear && h("p", { class: "small soft" }, "In clear now; the ledger has an entry that you looked."),
      missing.length > 0 && h("p", { class: "small faint" }, `Not entered: ${missing.join(", ")}.`));
  }
  const toggle = button("Reveal", { name: "eye", "aria-pressed": "false", onclick: () => whileBusy(toggle, async () => {
    replace(error);
    if (clear) {
      clear = false;
      show(subject.identity);
      revealed(null);
    } else {
      try {
        const answer = await api.get(`${path}/identity`);
        clear = true;
        show(answer.identity);
        revealed(answer.documents);
      } catch (problem) {
        fail(problem);
        return;
      }
    }
    announce(clear ? "Identity is shown in clear." : "Identity is masked.");
  }).then(() => {
    toggle.setAttribute("aria-pressed", String(clear));
    replace(toggle, icon("eye", 16), clear ? "Mask" : "Reveal");
  }) });
  show(subject.identity);
  const reveals = known || subject.documents.some((one) => one.number !== null);
  return card("Identity", { note: subject.erased_at ? null : "Masked until somebody has to see it.", actions: !subject.erased_at && h("div", { class: "actions" }, reveals && toggle,
    may && button("Edit", { name: "edit", "aria-label": "Edit identity", onclick: (event) => editIdentity(subject, path, again, event.currentTarget, fail) })) },
  subject.erased_at ? blank("lock", "Erased", "The key of this subject was destroyed; what it sealed opens for nobody.") : h("div", { class: "card-body" }, error, place));
}

const make = ([name, label, { special, tidy, ...rest }], value) => Object.assign(field(name, label, { autocomplete: "off", value: value ?? "", ...rest }), { tidy: tidy ?? ((text) => text) });

// Two beside each other, but what has many lines alone.
function inPairs(fields) {
  const wide = (one) => one.control.tagName === "TEXTAREA";
  return [h("div", { class: "form-row" }, fields.filter((one) => !wide(one)).map((one) => one.node)), ...fields.filter(wide).map((one) => one.node)];
}

async function editIdentity(subject, path, again, opener, fail) {
  let stored;
  try {
    await whileBusy(opener, async () => { stored = (await api.get(`${path}/identity`)).identity ?? {}; });
  } catch (problem) {
    return fail(problem);
  }
  let { version } = subject;
  // What the caller may not read comes as a mask, and is replaced or left.
  const withheld = (one) => rank() < MANAGER && one[2].special && stored[one[0]] !== null && stored[one[0]] !== undefined;
  const name = field("name", "Name", { required: true, maxlength: 200, autocomplete: "off", value: nameOf(subject) });
  const fields = fieldsOf(subject.kind).map((one) => make(withheld(one) ? [one[0], one[1], { ...one[2], hint: "Something is stored that managers see. Leave this empty to keep it." }] : one, withheld(one) ? "" : stored[one[0]]));
  const keeps = new Set(fieldsOf(subject.kind).filter(withheld).map(([field]) => field));
  formDialog(`Edit ${nameOf(subject)}`, { wide: true, body: [name.node, ...inPairs(fields)], fields: [name, ...fields], action: "Save", send: async () => {
    const identity = {};
    for (const one of fields) {
      const value = one.value === "" ? null : one.tidy(one.value);
      if (keeps.has(one.name) ? value !== null : value !== (stored[one.name] ?? null)) identity[one.name] = value;
    }
    const change = { ...(name.value !== subject.name && { name: name.value }), ...(Object.keys(identity).length > 0 && { identity }) };
    if (Object.keys(change).length === 0) return;
    await api.patch(`${path}?identity=masked`, { ...change, version });
    toast("Saved.");
    await again();
  }, refused: (problem, { message }) => {
    if (problem.name !== "changed-meanwhile") return atItsField([name, ...fields])(problem);
    message.show("warn", h("p", { class: "strong" }, "Somebody changed this check meanwhile."), h("p", null, "What you changed is still here: save again to put it over theirs, or close this to see theirs."));
    api.get(`${path}?identity=masked`).then((now) => { version = now.version; }, (error) => message.show("bad", textOf(error)));
    return true;
  } });
}

export function newCheck() {
  const kind = field("kind", "Kind", { required: true, options: Object.entries(KINDS), value: "person" });
  const name = field("name", "Name", { required: true, maxlength: 200, autocomplete: "off", hint: "As the papers have it." });
  const rest = h("div", { class: "form" });
  let fields = [];
  const choose = () => {
    const wanted = kind.value === "person" ? ["date_of_birth", "residence", "email", "national_id"] : ["registration_number", "jurisdiction", "incorporated_on", "lei"];
    fields = fieldsOf(kind.value).filter(([one]) => wanted.includes(one)).map((one) => make(one));
    replace(rest, ...inPairs(fields));
  };
  kind.control.addEventListener("change", choose);
  choose();
  formDialog("New check", { wide: true, body: [h("div", { class: "form-row" }, kind.node, name.node), rest, h("p", { class: "small soft" }, "The rest can follow. All of it is sealed under a key of its own, so that it can be erased at once.")],
    fields: () => [kind, name, ...fields], action: "Begin", send: async () => {
      const identity = Object.fromEntries(fields.filter((one) => one.value !== "").map((one) => [one.name, one.tidy(one.value)]));
      const made = await api.post("/api/kyc/subjects?identity=masked", { kind: kind.value, name: name.value, identity });
      toast("A check was begun.");
      go(`/subjects/${made.id}`);
    }, refused: (problem) => atItsField([kind, name, ...fields])(problem) });
  kind.control.focus();
}
