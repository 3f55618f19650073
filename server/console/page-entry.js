// One entry of the ledger: what happened, what changed, and the proof that it is in the tree.
import * as api from "./api.js";
import { h, replace } from "./dom.js";
import { number, time } from "./format.js";
import { card, copyable, facts, pageHead, showHead } from "./parts.js";
import { downloadButton } from "./take-away.js";
import { outcomeBadge, target } from "./entry-columns.js";
import { follow, leafHash, toHex } from "./merkle.js";
import { pathPicture } from "./path-picture.js";
import { bones, fill, notice } from "./states.js";
import { isAbort, textOf } from "./problem.js";
import { RANKS } from "./session.js";

const OPERATIONS = { I: "Row inserted", U: "Row updated", D: "Row deleted", T: "Table emptied" };

export function entryPage({ params, signal, title }) {
  const place = h("div");
  const head = h("div");
  const crumb = { href: "/ledger", text: "Ledger" };
  const path = `/api/ledger/entries/${params.leaf}`;
  showHead(head, pageHead("Entry", { crumb }));
  fill(place, () => api.get(path, signal), (entry) => {
    const name = `Entry #${number(entry.leaf)}`;
    title(name);
    showHead(head, pageHead(name, { crumb, beside: outcomeBadge(entry.outcome), below: h("code", null, entry.event), actions: [downloadButton("Download receipt", `${path}/receipt`)] }));
    return h("div", { class: "split split-even" }, h("div", { class: "stack" }, what(entry), details(entry), image(entry)), h("div", { class: "stack" }, proof(entry, signal), bytes(entry)));
  }, 8);
  return { title: "Entry", node: h("div", { class: "page" }, head, place) };
}

const what = (entry) => card("What happened", {}, h("div", { class: "card-body" }, facts([
  ["Event", h("code", null, entry.event)], ["Time", time(entry.time, "exact")],
  ["Who", entry.user_name ?? (entry.user_id ? h("code", null, entry.user_id) : "the system")],
  entry.rank && ["Rank", RANKS[entry.rank] ?? entry.rank], entry.way && ["Way", String(entry.way).replaceAll("_", " ")],
  ["Target", target(entry)], entry.request_id && ["Request", h("code", { class: "break" }, entry.request_id)],
  ["Seal", entry.seal === null ? "not yet" : number(entry.seal)], ["Number", number(entry.seq)]])));

// Moments stand in entries as microseconds since 1970.
const isMoment = (name, value) => /_at$/.test(name ?? "") && Number.isSafeInteger(value) && value > 1e14;

const shown = (value, name) => (isMoment(name, value) ? time(value / 1000, "exact") : plain(value));

const plain = (value) => (value === null || value === undefined ? h("span", { class: "faint" }, "–") : typeof value === "object" ? h("code", null, JSON.stringify(value)) : String(value));

function details(entry) {
  const pairs = Object.entries(entry.detail ?? {});
  if (pairs.length === 0) return null;
  const sides = pairs.filter(([name, value]) => (name === "before" || name === "after") && value !== null && typeof value === "object");
  const rest = sides.length > 0 ? pairs.filter(([name]) => name !== "before" && name !== "after") : pairs;
  return card("Details", {}, h("div", { class: "card-body stack-small" }, rest.length > 0 && facts(rest.map(([name, value]) => [name, h("span", { class: "break" }, shown(value, name))])),
    sides.length > 0 && diff(entry.detail.before ?? {}, entry.detail.after ?? {})));
}

function image(entry) {
  const change = entry.image;
  if (!change) return null;
  return card("Row", { note: `${OPERATIONS[change.operation] ?? "Row changed"} in ${change.relation ?? "a table"}` }, h("div", { class: "card-body stack-small" },
    change.key && facts(Object.entries(change.key).map(([name, value]) => [name, shown(value, name)])), diff(change.old ?? {}, change.new ?? {}),
    change.sealed && h("p", { class: "small soft" }, "What may be personal stands in a sealed envelope, which the ledger proves without opening it.")));
}

// Before and after, field by field.
function diff(before, after) {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  if (names.length === 0) return null;
  const row = (name) => {
    const same = JSON.stringify(before[name]) === JSON.stringify(after[name]);
    return h("tr", null, h("th", { scope: "row" }, name), h("td", { class: same ? null : "diff-old" }, shown(before[name], name)), h("td", { class: same ? null : "diff-new" }, shown(after[name], name)));
  };
  return h("div", { class: "diff-box" }, h("table", { class: "diff" }, h("caption", { class: "unseen" }, "Before and after"), h("thead", null, h("tr", null, ["Field", "Before", "After"].map((name) => h("th", { scope: "col" }, name)))), h("tbody", null, names.map(row))));
}

function proof(entry, signal) {
  const place = h("div", { role: "status" }, bones(4));
  check(entry, signal).then((nodes) => replace(place, nodes), (error) => {
    if (!isAbort(error)) replace(place, notice("warn", textOf(error)));
  });
  return card("Proof", { note: "Checked by your browser just now." }, h("div", { class: "card-body" }, place));
}

async function check(entry, signal) {
  const hash = await leafHash(entry.body_base64);
  if (toHex(hash) !== entry.leaf_hash) return notice("bad", h("p", { class: "strong" }, "The entry does not hash to its leaf."), h("p", null, "It was changed after it was sealed."));
  const { proof: hashes, size, root } = await api.get(api.withQuery("/api/ledger/inclusion", { leaf: entry.leaf }), signal);
  const way = await follow(hash, entry.leaf, size, hashes, root);
  return [way.fits ? notice("good", h("p", { class: "strong" }, "This entry is in the ledger, unchanged."), h("p", null, `Its hash and ${number(hashes.length)} more lead to the root of ${number(size)} entries.`))
    : notice("bad", h("p", { class: "strong" }, "The hashes do not lead to the root."), h("p", null, "The entry, the tree or the answer was changed.")),
  pathPicture(way, entry.leaf, size)];
}

const bytes = (entry) => card("Hashes", {}, h("div", { class: "card-body stack-small" }, h("h3", null, "Leaf"), copyable(entry.leaf_hash, "Leaf hash"),
  h("details", { class: "more" }, h("summary", null, "Canonical bytes, base64"), copyable(entry.body_base64, "Bytes"))));
