// One checked person or company: who it is, what proves it, what was found, and what two people decide.
import * as api from "./api.js";
import { anyOpen } from "./dialog.js";
import { h, replace } from "./dom.js";
import { day } from "./format.js";
import { badge, pageHead, showHead } from "./parts.js";
import { users } from "./people.js";
import { isAbort, textOf } from "./problem.js";
import { rank } from "./session.js";
import { fill, notice } from "./states.js";
import { toast } from "./toast.js";
import { KINDS, LEVELS, MANAGER, nameOf, ratingBadge, RESTRICTIONS, statusBadgeOf } from "./check-words.js";
import { decisionCard } from "./subject-decision.js";
import { documentsCard } from "./subject-documents.js";
import { firstEvents, historyCard } from "./subject-history.js";
import { identityCard } from "./subject-identity.js";
import { ownersCard } from "./subject-owners.js";
import { privacyCard } from "./subject-privacy.js";
import { reviewsCard } from "./subject-reviews.js";
import { riskCard } from "./subject-risk.js";
import { screeningsCard } from "./subject-screenings.js";

const crumb = { href: "/subjects", text: "All checks" };

export function subjectPage({ params, signal, title }) {
  const path = `/api/kyc/subjects/${params.id}`;
  const head = h("div", null, pageHead("Check", { crumb }));
  const place = h("div", { class: "stack" });
  let worked = null;
  // After a change all is made anew: reading goes on at the card where something was done.
  place.addEventListener("focusin", (event) => { worked = event.target.closest("section.card")?.getAttribute("aria-label") ?? null; });

  const load = async () => {
    const [subject, privacy, history, known] = await Promise.all([api.get(`${path}?identity=masked`, signal), rank() >= MANAGER ? api.get(`${path}/privacy`, signal) : null, firstEvents(path, signal), users()]);
    return { subject, privacy, history, people: new Map(known.map((user) => [user.id, user.name])) };
  };
  const again = async () => {
    try {
      const data = await load();
      const card = worked;
      replace(place, view(data));
      // Once the dialog is closed, whose button the focus may still be on.
      setTimeout(() => !anyOpen() && (document.activeElement === document.body || document.activeElement.closest("dialog")) && goTo(card));
    } catch (error) {
      // What was done is done; only the page is old.
      if (!isAbort(error)) toast(`The page could not be read again. ${textOf(error)}`, "bad");
    }
  };
  function goTo(card) {
    const heading = [...place.querySelectorAll("section.card")].find((one) => one.getAttribute("aria-label") === card)?.querySelector("h2");
    heading?.setAttribute("tabindex", "-1");
    heading?.focus({ preventScroll: true });
  }

  function view({ subject, privacy, history, people }) {
    title(nameOf(subject));
    const parts = { subject, privacy, history, path, people, again, may: subject.erased_at === null && subject.restriction === null };
    showHead(head, pageHead(nameOf(subject), { crumb, beside: h("span", { class: "badges" }, statusBadgeOf(subject), subject.rating && ratingBadge(subject.rating), subject.restriction && badge("Restricted", "warn")), below: below(subject) }));
    const documents = documentsCard(parts);
    return [banner(subject), h("div", { class: "split" },
      h("div", { class: "stack" }, decisionCard(parts), identityCard({ ...parts, revealed: documents.reveal }), documents.node, subject.owners && ownersCard(parts), screeningsCard(parts)),
      h("div", { class: "stack" }, riskCard(parts), reviewsCard(parts), privacy && privacyCard(parts), historyCard(parts)))];
  }

  fill(place, load, view, 8);
  return { title: "Check", node: h("div", { class: "page page-subject" }, head, place) };
}

const below = (subject) => h("span", { class: "dotted" }, h("span", null, KINDS[subject.kind]), subject.level && h("span", null, LEVELS[subject.level]), subject.started_on && h("span", null, "since ", day(subject.started_on)),
  subject.ended_on && h("span", null, "ended ", day(subject.ended_on)), subject.customer_id && h("span", null, h("a", { href: `/customers/${subject.customer_id}` }, "Customer")));

function banner(subject) {
  if (subject.erased_at) return notice("info", h("p", null, "This subject was erased. What is left are dates, states and who did what."));
  if (subject.restriction) return notice("warn", h("p", null, `This data is kept and not used, because ${RESTRICTIONS[subject.restriction]}. Nothing of it can be changed before the restriction ends.`));
  return null;
}
