// What the words of a check are called, and who the people in it are.
import { badge } from "./parts.js";
import { RANKS, session } from "./session.js";

export const LEAD = 2;
export const MANAGER = 3;

export const KINDS = { person: "Person", company: "Company", trust: "Trust", partnership: "Partnership" };
export const STATUS = { in_progress: ["In progress", "info"], pending_documents: ["Waits for documents", "warn"], pending_review: ["To be decided", "info"], approved: ["Approved", "good"],
  rejected: ["Rejected", "bad"], expired: ["Expired", "warn"], suspended: ["Suspended", "warn"], offboarded: ["Ended", "plain"] };
export const RATINGS = { low: ["Low risk", "good"], medium: ["Medium risk", "info"], high: ["High risk", "warn"], prohibited: ["Prohibited", "bad"] };
export const LEVELS = { sdd: "Simplified due diligence", cdd: "Customary due diligence", edd: "Enhanced due diligence" };
export const DECISIONS = { approve: "Approve", reject: "Reject", reinstate: "Reinstate", offboard: "End the relationship" };
export const DECIDED = { proposed: ["Proposed", "info"], confirmed: ["Confirmed", "good"], refused: ["Refused", "bad"], withdrawn: ["Taken back", "plain"] };
export const DOCUMENTS = { passport: "Passport", national_id: "Identity card", driving_licence: "Driving licence", residence_permit: "Residence permit", utility_bill: "Utility bill",
  bank_statement: "Bank statement", incorporation: "Certificate of incorporation", register_extract: "Extract of a register", trust_deed: "Trust deed", source_of_funds: "Proof of the source of funds", other: "Other document" };
export const DOCUMENT_STATES = { uploaded: ["To be looked at", "info"], verified: ["Verified", "good"], rejected: ["Rejected", "bad"] };
export const METHODS = { in_person: "Seen in person", certified_copy: "A certified copy", video: "Seen by video", chip: "Its chip was read", provider: "By a provider", register: "In the register that issued it" };
export const LISTS = { sanctions: "Lists of sanctions", pep: "Politically exposed persons", adverse_media: "Adverse media" };
export const SAID = { true_match: ["The same", "bad"], false_positive: ["Somebody else", "good"] };
export const FACTORS = { customer: "Who they are", geography: "Where they are", product: "What they buy", channel: "How they came", transactions: "What they pay" };
export const FACTOR_WORDS = { 1: "low", 2: "medium", 3: "high" };
export const CONTROLS = { shares: "Shares", votes: "Votes", board: "Seat on the board", other: "Control by other means" };
export const CAUSES = { periodic: "It was due", event: "Something happened", alert: "An alert", regulator: "The regulator asked" };
export const OUTCOMES = { unchanged: ["Unchanged", "good"], changed: ["Changed", "info"], ended: ["To be ended", "warn"] };
export const RESTRICTIONS = { accuracy: "its accuracy is contested", unlawful: "its use was unlawful", claim: "it is needed for a legal claim", objection: "the person objected", retention: "a law makes you keep it, and nothing else does" };
export const ERASURES = { requested: ["Waits for approval", "info"], approved: ["Waits for an operator", "info"], refused: ["Refused", "warn"], done: ["Erased", "good"] };
export const REPORTS = { received: ["To be decided", "info"], disclosed: ["Passed on", "good"], dismissed: ["Dismissed", "plain"] };

export const statusBadgeOf = (subject) => (subject.erased_at ? badge("Erased", "plain") : badge(...(STATUS[subject.status] ?? [subject.status])));
export const ratingBadge = (rating) => (rating ? badge(...RATINGS[rating]) : badge("Not rated"));
export const nameOf = (subject) => subject.name ?? "(erased)";

/** Whoever did something, among people: a Map of ids to names. */
export const who = (people, id) => (id === session().user.id ? "You" : people.get(id) ?? "A colleague");
export const isMe = (id) => id === session().user.id;
/** "team lead, manager or admin": whoever has this rank or a higher one. */
export function ranksFrom(least) {
  const names = Object.entries(RANKS).filter(([rank]) => Number(rank) >= least).map(([, name]) => name.toLowerCase());
  return names.length === 1 ? names[0] : `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
}

/** A share of 2550 is "25.5 %". */
export const percent = (bps) => `${new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 }).format(bps / 100)} %`;
/** The other way; null for what is none. */
export function parsePercent(text) {
  const found = /^(\d{1,3})(?:[.,](\d{1,2}))?\s*%?$/.exec(text);
  const bps = found && Number(found[1]) * 100 + Number((found[2] ?? "").padEnd(2, "0"));
  return found && bps <= 10000 ? bps : null;
}
