// One request to erase a subject: who asked, who agreed, how far it is, and the certificate.
import * as api from "./api.js";
import { announce, h, replace } from "./dom.js";
import { deed } from "./deed.js";
import { day, time } from "./format.js";
import { icon } from "./icons.js";
import { badge, button, card, codeBlock, copyable, facts, pageHead, showHead, whileBusy } from "./parts.js";
import { users } from "./people.js";
import { textOf } from "./problem.js";
import { isAdmin, session } from "./session.js";
import { blank, fill, notice } from "./states.js";
import { confirmed } from "./step-up.js";
import { ERASURES, isMe, MANAGER, nameOf, ranksFrom, who } from "./check-words.js";
import { hindranceWords } from "./subject-privacy.js";

const crumb = { href: "/erasures", text: "Erasure" };
const ORIGINS = { subject: "The person asked for it.", retention: "The time to keep it was over." };
const JOBS = { queued: "waits for its turn", running: "runs", paused: "is paused", done: "has ended", failed: "failed: ask your operator" };

export function erasurePage({ params, signal, title }) {
  const path = `/api/kyc/erasures/${params.id}`;
  const head = h("div", null, pageHead("Request to erase", { crumb }));
  const place = h("div");
  const load = async () => {
    const [erasure, known] = await Promise.all([api.get(path, signal), users()]);
    return { erasure, people: new Map(known.map((user) => [user.id, user.name])) };
  };
  const again = async () => replace(place, view(await load()));

  function view({ erasure, people }) {
    title(`Erasure of ${nameOf(erasure)}`);
    showHead(head, pageHead(nameOf(erasure), { crumb, beside: badge(...ERASURES[erasure.state]), below: h("span", { class: "dotted" }, h("span", null, "Request to erase"), h("span", null, h("a", { href: `/subjects/${erasure.subject_id}` }, "The check"))) }));
    return h("div", { class: "split" }, h("div", { class: "stack" }, stepsCard(erasure, people, path, again), erasure.state === "done" && certificateCard(erasure, path)),
      card("Details", {}, h("div", { class: "card-body" }, facts([["Request", copyable(erasure.id, "Request")], ["Subject", copyable(erasure.subject_id, "Subject")], erasure.certified_as && ["In the ledger", copyable(erasure.certified_as, "Name in the ledger", `${erasure.certified_as.slice(0, 16)}…`)]], true))));
  }

  fill(place, load, view, 6);
  return { title: "Request to erase", node: h("div", { class: "page" }, head, place) };
}

function stepsCard(erasure, people, path, again) {
  const step = (name, text, when, ...rest) => h("li", null, h("span", { class: "step-dot" }, icon(name, 14)), h("div", { class: "stack-small" }, h("p", null, h("span", { class: "strong" }, text), when && h("span", { class: "faint small" }, " ", when)), ...rest));
  const todo = (text, ...rest) => h("li", { class: "step-todo" }, h("span", { class: "step-dot" }, icon("clock", 14)), h("div", { class: "stack-small" }, h("p", { class: "soft" }, text), ...rest));
  const { state } = erasure;
  return card("Steps", {}, h("div", { class: "card-body" }, h("ol", { class: "steps" },
    step("send", `${who(people, erasure.requested_by)} asked`, time(erasure.requested_at), h("p", { class: "soft" }, ORIGINS[erasure.origin])),
    state === "refused" && step("lock", "Refused", null, h("p", null, hindranceWords(erasure)), erasure.until && h("p", { class: "soft" }, "It can be asked for again after ", day(erasure.until), ". Until then the data is restricted: kept, and not used.")),
    state === "requested" && todo("Another manager approves", approval(erasure, path, again)),
    erasure.approved_at && step("check", `${who(people, erasure.approved_by)} approved`, time(erasure.approved_at)),
    state === "approved" && todo("An operator carries it out", h("p", { class: "small soft" }, "Nobody of your organisation destroys a key alone. Give your operator this, to be run in the context of your organisation:"),
      codeBlock(`SELECT aegis_app.carry_out_erasure('${erasure.id}');`, "Statement"), lookAgain(again)),
    state === "done" && [step("trash", "An operator destroyed the key", time(erasure.done_at), h("p", { class: "soft" }, "From then on what it sealed opens for nobody.")),
      erasure.job && (erasure.job.state === "done" ? step("check", "The job has ended", time(erasure.job.finished_at), h("p", { class: "soft" }, "Search tokens are removed, and the file of keys is written anew."))
        : todo(`The job ${JOBS[erasure.job.state] ?? erasure.job.state}`, h("p", { class: "small soft" }, "It removes search tokens, and writes the file of keys anew."), lookAgain(again))),
      erasure.backups_until && step("clock", "Backups", null, h("p", { class: "soft" }, "One that began before ", time(erasure.backups_until), " may still hold the key until it is deleted."))])));
}

const lookAgain = (again) => deed("Look again", { kind: "quiet", send: again });

function approval(erasure, path, again) {
  if (isMe(erasure.requested_by)) return notice("info", h("p", null, `You asked for it, so you cannot approve it: another ${ranksFrom(MANAGER)} does.`));
  return h("div", { class: "stack-small" }, h("p", { class: "small soft" }, "What is sealed for the subject opens for nobody then. That cannot be undone."),
    deed("Approve", { kind: "bad", about: nameOf(erasure), said: "Approved. An operator carries it out.", again, send: async () => void await confirmed(() => api.post(`${path}/approval`)) }));
}

function certificateCard(erasure, path) {
  const note = "The receipt of the entry that says that the subject was erased. aegis-verify checks it without us.";
  if (erasure.job && erasure.job.state !== "done") return card("Certificate", { note }, blank("clock", "Not yet", "It is there when the job has ended and its entry is sealed."));
  if (!isAdmin()) return card("Certificate", { note }, blank("seal", "It is ready", "It is a part of the ledger, so an admin takes it."));
  const place = h("div", { class: "card-body stack-small" });
  const name = `erasure-${erasure.id}.tlog-proof`;
  const show = button("Show", { name: "seal", kind: "main", "aria-label": "Show the certificate", onclick: () => whileBusy(show, async () => {
    try {
      const text = await api.text(`${path}/certificate`);
      replace(place, codeBlock(text, "Certificate"), h("div", { class: "actions" }, button("Save", { name: "download", "aria-label": "Save the certificate", onclick: () => api.save(new Blob([text], { type: "text/plain" }), name) })),
        h("p", { class: "small soft" }, "To check it:"), codeBlock(`aegis-verify proof ${name} --key KEY --tenant ${session().tenant.id}`, "Command"));
      announce("The certificate is shown.");
    } catch (problem) {
      replace(place, notice("bad", textOf(problem)), show);
    }
  }) });
  replace(place, h("div", null, show));
  return card("Certificate", { note }, place);
}
