// One report of suspicion, for reporting officers: what somebody wrote, and what became of it.
import * as api from "./api.js";
import { h, replace } from "./dom.js";
import { formDialog } from "./dialog.js";
import { atItsField, field } from "./form.js";
import { time } from "./format.js";
import { badge, button, card, copyable, facts, pageHead, showHead } from "./parts.js";
import { users } from "./people.js";
import { fill, notice } from "./states.js";
import { toast } from "./toast.js";
import { REPORTS, who } from "./check-words.js";

const crumb = { href: "/reporting", text: "Reporting" };

export function reportPage({ params, signal }) {
  const path = `/api/suspicion-reports/${params.id}`;
  const head = h("div", null, pageHead("Report", { crumb }));
  const place = h("div");
  const load = async () => {
    const [report, known] = await Promise.all([api.get(path, signal), users()]);
    return { report, people: new Map(known.map((user) => [user.id, user.name])) };
  };
  const again = async () => replace(place, view(await load()));

  function view({ report, people }) {
    showHead(head, pageHead("Report", { crumb, beside: badge(...REPORTS[report.state]), below: h("span", { class: "dotted" }, h("span", null, who(people, report.reported_by)), h("span", null, time(report.reported_at))) }));
    return h("div", { class: "split" },
      h("div", { class: "stack" },
        card("What is suspicious", {}, h("div", { class: "card-body" }, h("blockquote", { class: "quote preserve" }, report.narrative))),
        report.state === "received" ? decideCard(path, again) : decidedCard(report, people)),
      card("Details", {}, h("div", { class: "card-body stack-small" },
        facts([["About", copyable(report.subject_id, "Subject")], ["Report", copyable(report.id, "Report")]], true),
        h("p", null, h("a", { href: `/subjects/${report.subject_id}` }, "Open the check")),
        h("p", { class: "small soft" }, "You see it if your rank and team do. That you looked is recorded, and admins read that."))));
  }

  fill(place, load, view, 6);
  return { title: "Report", node: h("div", { class: "page" }, head, place) };
}

function decideCard(path, again) {
  return card("Decision", {}, h("div", { class: "card-body stack" }, h("p", { class: "soft" }, "It is decided once, and that stays."),
    h("div", { class: "actions" }, button("Pass on", { kind: "main", "aria-label": "Pass on to the authority", onclick: () => decide("disclosed", path, again) }), button("Dismiss", { "aria-label": "Dismiss the report", onclick: () => decide("dismissed", path, again) }))));
}

function decidedCard(report, people) {
  return card("Decision", {}, h("div", { class: "card-body stack-small" },
    h("p", null, who(people, report.decided_by), report.state === "disclosed" ? " passed it on, " : " dismissed it, ", time(report.decided_at)),
    h("blockquote", { class: "quote preserve" }, report.reason),
    report.reference && facts([["Reference of the authority", report.reference]], true)));
}

function decide(state, path, again) {
  const reason = field("reason", "Why", { required: true, rows: 5, maxlength: 4000, hint: "Sealed." });
  const reference = field("reference", "Reference of the authority", { maxlength: 200, autocomplete: "off" });
  const fields = state === "disclosed" ? [reason, reference] : [reason];
  formDialog(state === "disclosed" ? "Pass on to the authority" : "Dismiss the report", { body: [state === "disclosed" && notice("info", h("p", null, "Aegis sends nothing: this records that you told the authority.")), ...fields.map((one) => one.node)], fields,
    action: state === "disclosed" ? "Record it" : "Dismiss", refused: atItsField(fields), send: async () => {
      await api.post(`${path}/decision`, { state, reason: reason.value, ...(state === "disclosed" && reference.value && { reference: reference.value }) });
      toast(state === "disclosed" ? "Recorded." : "Dismissed.");
      await again();
    } });
}
