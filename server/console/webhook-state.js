// The state of a provider's message, in words.
import { badge } from "./parts.js";

const STATES = { received: ["Received", "info"], applied: ["Applied", "good"], duplicate: ["Duplicate", "plain"], ignored: ["Ignored", "plain"], unmatched: ["Unmatched", "warn"],
  unapplied: ["Unapplied", "warn"], conflict: ["Conflict", "bad"], quarantined: ["Quarantine", "bad"] };

export const REASONS = { malformed: "Its signature is right, and its body is no well-formed JSON. Nothing of it was kept.", no_event: "It names no event. Nothing of it was kept.",
  account: "It is about another account than this address is for. Nothing of it was kept.", card_data: "The verifier found card data in what was left of it. Nothing of it was kept.",
  unreadable: "What it says cannot be, such as an amount with more digits than its currency has.", test_mode: "It is a test, and this address is for real money.",
  live_mode: "It is about real money, and this address is for tests." };

export function stateBadge(event) {
  const [text, kind] = STATES[event.state] ?? [event.state, ""];
  return badge(text, kind);
}
