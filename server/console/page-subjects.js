// Checks of persons and companies, by status; found by a whole e-mail address or number.
import * as api from "./api.js";
import { calmly, h } from "./dom.js";
import { day, time } from "./format.js";
import { badge, button, pageHead, searchField, segments } from "./parts.js";
import { setQuery } from "./router.js";
import { blank } from "./states.js";
import { growingTable } from "./table.js";
import { checkTabs } from "./check-tabs.js";
import { KINDS, nameOf, ratingBadge, STATUS, statusBadgeOf } from "./check-words.js";
import { newCheck } from "./subject-identity.js";

const SIZE = 50;
const CHOICES = [["", "All"], ...Object.entries(STATUS).map(([name, [label]]) => [name, label])];

export function subjectsPage({ query, signal }) {
  let status = CHOICES.some(([value]) => value === query.get("status")) ? query.get("status") : "";
  let words = query.get("find") ?? "";
  const columns = [
    { name: "Name", link: (row) => `/subjects/${row.id}`, cell: nameOf, class: "break" },
    { name: "Kind", cell: (row) => h("span", { class: "soft" }, KINDS[row.kind]), class: "tight" },
    { name: "Status", cell: (row) => [statusBadgeOf(row), row.restriction && [" ", badge("Restricted", "warn")]], class: "tight" },
    { name: "Risk", cell: (row) => (row.rating ? ratingBadge(row.rating) : h("span", { class: "faint" }, "–")), class: "tight" },
    { name: "Look again", cell: (row) => h("span", { class: "soft" }, row.review_due ? day(row.review_due) : "–"), class: "tight phone-off" },
    { name: "Begun", cell: (row) => h("span", { class: "soft" }, time(row.created_at, "day")), class: "tight phone-off" },
  ];
  const create = () => button("New check", { kind: "main", name: "plus", onclick: newCheck });
  const load = async (after) => {
    const { subjects } = await api.get(api.withQuery("/api/kyc/subjects", { limit: SIZE, after, status, [words.includes("@") ? "email" : "number"]: words }), signal);
    return { rows: subjects, more: subjects.length === SIZE, after: subjects.at(-1)?.id };
  };
  const list = growingTable("Checks", columns, load, () => (words ? blank("search", "Nobody has this address or number", "What identifies somebody is stored sealed, so only a whole address or number is found, with or without its blanks.")
    : status ? blank("checks", "None with this status", "Choose another status above.") : blank("checks", "No checks yet", "Begin with a person or a company that you deal with.", create())));
  const changed = () => {
    setQuery({ status, find: words });
    list.start();
  };
  const search = calmly(250, (value) => {
    if (value === words) return;
    words = value;
    changed();
  });
  list.start();
  return { title: "All checks", node: h("div", { class: "page" }, pageHead("All checks", { below: "Those you may see, newest first.", actions: [create()] }), checkTabs("/subjects"),
    h("div", { class: "toolbar" }, searchField("Find by e-mail address or number", "E-mail address or number", words, search), segments("Status", CHOICES, status, (value) => {
      status = value;
      changed();
    })), h("div", { class: "card" }, list.node)) };
}
