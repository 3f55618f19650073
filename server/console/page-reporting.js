// Reports of suspicion. Everybody may file one and see to whom one can turn; what was filed is for reporting officers. For all others this
// page is the same, asks for the same and weighs the same, whether there is a report or none.
import * as api from "./api.js";
import { h } from "./dom.js";
import { deed } from "./deed.js";
import { formDialog } from "./dialog.js";
import { atItsField, field } from "./form.js";
import { time } from "./format.js";
import { badge, button, card, pageHead, segments } from "./parts.js";
import { users } from "./people.js";
import { isAdmin } from "./session.js";
import { blank, fill, notice } from "./states.js";
import { confirmed } from "./step-up.js";
import { growingTable, table } from "./table.js";
import { toast } from "./toast.js";
import { checkTabs } from "./check-tabs.js";
import { isMe, REPORTS, who } from "./check-words.js";
import { subjectChoice } from "./subject-choice.js";

const SIZE = 50;
const STATES = [["", "All"], ...Object.entries(REPORTS).map(([name, [label]]) => [name, label])];

const soft = (...words) => h("span", { class: "soft" }, words);

const nameOf = (one, people) => (isMe(one.user_id) || one.name === null ? who(people, one.user_id) : one.name);

export function reportingPage({ signal }) {
  const place = h("div", { class: "stack" });
  const show = () => fill(place, async () => [(await api.get("/api/reporting-officers", signal)).officers, await users()], ([officers, known]) => {
    const people = new Map(known.map((user) => [user.id, user.name]));
    return [officers.some((one) => isMe(one.user_id)) && reportsCard(people, signal), officersCard(officers, known, people, show)];
  });
  show();
  return { title: "Reporting", node: h("div", { class: "page" }, pageHead("Reporting", { below: "Whoever suspects money laundering tells a reporting officer, and nobody else.", actions: [button("New report", { kind: "main", name: "plus", onclick: file })] }),
    checkTabs("/reporting"), place) };
}

/** What was filed cannot be read again by whoever filed it, so the form says that before. */
function file() {
  const subject = subjectChoice("subject_id", "About", { none: "Nobody found. A report is about a person or company that is checked." });
  const narrative = field("narrative", "What is suspicious", { required: true, rows: 8, maxlength: 8000, hint: "What happened, when, and why it does not fit. Sealed." });
  formDialog("New report", { body: [notice("info", h("p", null, "Reporting officers alone read it. You cannot read or change it afterwards, and no page, list or number tells of it. Tell nobody, the one whom it is about least of all.")), subject.node, narrative.node],
    fields: [subject, narrative], action: "Send", refused: atItsField([narrative]), send: async () => {
      await api.post(`/api/kyc/subjects/${subject.value}/suspicion`, { narrative: narrative.value });
      toast("Sent.");
    } });
}

function reportsCard(people, signal) {
  let state = "received";
  const columns = [
    { name: "Received", link: (one) => `/reporting/${one.id}`, cell: (one) => time(one.reported_at), class: "tight" },
    { name: "What is suspicious", cell: (one) => h("span", { class: "clipped" }, one.narrative), class: "break phone-wide" },
    { name: "By", cell: (one) => soft(who(people, one.reported_by)), class: "tight phone-off" },
    { name: "State", cell: (one) => badge(...REPORTS[one.state]), class: "tight" },
  ];
  const list = growingTable("Reports", columns, async (after) => {
    const { reports } = await api.get(api.withQuery("/api/suspicion-reports", { limit: SIZE, after, state }), signal);
    return { rows: reports, more: reports.length === SIZE, after: reports.at(-1)?.id };
  }, () => (state === "received" ? blank("check", "Nothing to decide", "What somebody reports is shown here.") : blank("empty", "None in this state", "Choose another state above.")));
  list.start();
  return card("Reports", { note: "For reporting officers; who reads them is recorded where no admin of the organisation looks." },
    h("div", { class: "card-body" }, segments("State", STATES, state, (value) => {
      state = value;
      list.start();
    })), list.node);
}

function officersCard(officers, known, people, again) {
  const columns = [
    { name: "Name", cell: (one) => h("span", { class: "strong" }, nameOf(one, people)), class: "break" },
    { name: "Since", cell: (one) => soft(time(one.appointed_at, "day")), class: "tight" },
    isAdmin() && { name: "Dismiss", unseen: true, end: true, class: "tight", cell: (one) => deed("Dismiss", { about: nameOf(one, people), said: "Dismissed.", again,
      send: async () => void await confirmed(() => api.remove(`/api/reporting-officers/${one.user_id}`)) }) },
  ].filter(Boolean);
  return card("Reporting officers", { note: "They read reports, whatever their rank.", actions: isAdmin() && button("Appoint", { name: "plus", "aria-label": "Appoint a reporting officer", onclick: () => appoint(officers, known, again) }) },
    officers.length === 0 ? blank("user", "Nobody is reporting officer", isAdmin() ? "Until somebody is, nobody reads what is reported." : "Until an admin appoints somebody, nobody reads what is reported.") : table("Reporting officers", columns, officers));
}

function appoint(officers, known, again) {
  const free = known.filter((user) => user.status === "active" && !isMe(user.id) && !officers.some((one) => one.user_id === user.id));
  const user = field("user_id", "Who", { required: true, options: free.map((one) => [one.id, one.name]), value: free[0]?.id });
  formDialog("Appoint a reporting officer", { body: [h("p", null, "They read every report of the organisation, also one about themselves. Nobody appoints themselves."), user.node], fields: [user], action: "Appoint", send: async () => {
    await confirmed(() => api.post("/api/reporting-officers", { user_id: user.value }));
    toast("Appointed.");
    await again();
  } });
}
