// The ledger: verify it, see its chain, look through its entries, take it away.
import * as api from "./api.js";
import { calmly, h, replace } from "./dom.js";
import { number, time } from "./format.js";
import { button, card, copyable, facts, iconButton, pageHead, segments, whileBusy } from "./parts.js";
import { chain } from "./chain.js";
import { downloadButton, takeAway } from "./take-away.js";
import { entryColumns } from "./entry-columns.js";
import { verification } from "./verification.js";
import { growingTable } from "./table.js";
import { blank, fill } from "./states.js";
import { isAbort, textOf } from "./problem.js";
import { setQuery } from "./router.js";
import { toast } from "./toast.js";

const SEALS = 24;
const ENTRIES = 50;
const EVENTS = ["auth", "customer", "invoice", "ledger", "row", "session", "team", "user"];
const OUTCOMES = [["", "All"], ["success", "Success"], ["failure", "Failure"], ["denied", "Denied"]];

export function ledgerPage({ query, signal }) {
  const entries = entriesCard(query, signal);
  const picture = chainCard(signal, entries.ofSeal);
  return { title: "Ledger", node: h("div", { class: "page" },
    pageHead("Ledger", { below: "Everything that happened in your organisation, in the order in which it was sealed.", actions: [downloadButton("Download bundle", "/api/ledger/bundle")] }),
    verification(signal), picture, entries.node, takeAway(signal)) };
}

function chainCard(signal, ofSeal) {
  const place = h("div");
  const chosen = h("div");
  let seals = [];
  const picture = chain({ select: (seal) => {
    replace(chosen, seal && sealFacts(seal, () => picture.choose(null)));
    ofSeal(seal);
  } });
  const older = iconButton("back", "Show older seals", () => whileBusy(older, () => tell(async () => {
    const more = await read(seals.at(-1)?.number);
    seals = [...seals, ...more];
    older.disabled = more.length < SEALS;
    picture.show(seals);
  })));
  const fresh = button("Refresh", { onclick: () => whileBusy(fresh, () => tell(async () => {
    const newest = await read();
    const known = new Set(newest.map((seal) => seal.number));
    // With a gap between what is shown and what is new, only the new is shown.
    const joins = newest.some((seal) => seals.some((one) => one.number === seal.number));
    seals = joins ? [...newest, ...seals.filter((seal) => !known.has(seal.number))] : newest;
    picture.show(seals);
  })) });
  const read = async (before) => (await api.get(api.withQuery("/api/ledger/seals", { limit: SEALS, before }), signal)).seals;
  const tell = async (action) => {
    try {
      await action();
    } catch (error) {
      if (!isAbort(error)) toast(textOf(error), "bad");
    }
  };
  fill(place, () => read(), (newest) => {
    seals = newest;
    older.disabled = seals.length < SEALS;
    if (seals.length === 0) return blank("clock", "Nothing sealed yet", "The first seal follows within moments of the first entry.");
    // Where it is scrolled to can only be said once it has a size.
    requestAnimationFrame(() => picture.show(seals));
    return picture.node;
  }, 4);
  return card("Chain of seals", { note: "Squares are entries of your organisation.", actions: h("div", { class: "actions" }, older, fresh) }, place, chosen);
}

const sealFacts = (seal, close) => h("div", { class: "seal-facts" },
  h("div", { class: "seal-facts-head" }, h("h3", null, `Seal ${number(seal.number)}`), iconButton("close", "Close the seal", close)),
  facts([["Sealed", time(seal.sealed_at, "exact")], ["Hash", copyable(seal.hash, "Hash")], seal.number > 1 && ["Previous", copyable(seal.previous, "Hash of the previous seal")],
    ["Root", copyable(seal.root, "Root")], ["Root log", `${number(seal.root_size)} heads`],
    ["Signed", seal.checkpoint ? h("span", null, time(seal.checkpoint.signed_at, "exact"), ` by the checkpoint of size ${number(seal.checkpoint.size)}`) : "not yet"]]));

function entriesCard(query, signal) {
  let event = query.get("event") ?? "";
  let outcome = OUTCOMES.some(([value]) => value === query.get("outcome")) ? query.get("outcome") : "";
  let seal = null;
  let searches = 0;
  const heading = h("div", null, h("h2", null, "Entries"));

  const load = async (after) => {
    if (seal !== null) return ofOneSeal(after ?? seal.first_leaf + seal.entries);
    const mine = ++searches;
    let answer = { entries: [], next: after };
    // One answer looks through a part of the ledger, found or not: on until something is, or another search has begun.
    do answer = await api.get(api.withQuery("/api/ledger/entries", { limit: ENTRIES, before: answer.next, event, outcome }), signal);
    while (answer.entries.length === 0 && answer.next !== null && mine === searches);
    return { rows: answer.entries, more: answer.next !== null, after: answer.next };
  };
  // A seal's entries are one range of leaves.
  const ofOneSeal = async (before) => {
    const left = before - (seal.first_leaf ?? before);
    if (seal.first_leaf === null || left <= 0) return { rows: [], more: false };
    const { entries } = await api.get(api.withQuery("/api/ledger/entries", { limit: Math.min(ENTRIES, left), before }), signal);
    return { rows: entries, more: left > ENTRIES, after: entries.at(-1)?.leaf };
  };
  const list = growingTable("Entries", entryColumns(), load, () => (seal !== null
    ? blank("seal", "None of yours in this seal", "Other organisations' entries are proven by it as well; you see only your own.")
    : blank("search", "No such entries", "Choose another event or outcome.")));
  const changed = () => {
    setQuery({ event, outcome });
    list.start();
  };
  const search = calmly(250, (value) => {
    event = value;
    changed();
  });
  const field = h("input", { class: "input", type: "search", placeholder: "Event, such as invoice", "aria-label": "Events that begin with", autocomplete: "off", spellcheck: "false", value: event, "data-search": true, maxlength: 63, list: "events", oninput: () => search(field.value.trim()) });
  const filters = h("div", { class: "toolbar entries-filters" }, h("div", { class: "search search-plain" }, field, h("datalist", { id: "events" }, EVENTS.map((name) => h("option", { value: name })))), segments("Outcome", OUTCOMES, outcome, (value) => {
    outcome = value;
    changed();
  }));
  list.start();
  return { node: h("section", { class: "card", "aria-label": "Entries" }, h("div", { class: "card-head" }, heading, filters), list.node),
    ofSeal: (chosen) => {
      seal = chosen;
      filters.hidden = seal !== null;
      replace(heading, h("h2", null, seal === null ? "Entries" : `Entries of seal ${number(seal.number)}`));
      list.start();
    } };
}
