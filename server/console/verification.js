// Verifying the ledger on the server, with progress to the end and what was found.
import * as api from "./api.js";
import { announce, h, replace } from "./dom.js";
import { icon } from "./icons.js";
import { count, number } from "./format.js";
import { badge, button, whileBusy } from "./parts.js";
import { notice } from "./states.js";
import { table } from "./table.js";
import { isAbort, textOf } from "./problem.js";

const POLL = 400;
const ENDED = new Set(["done", "failed", "paused"]);

export function verification(signal) {
  const result = h("div", { class: "verify-result" });
  const start = button("Verify now", { kind: "main", name: "shield", onclick: () => whileBusy(start, run) });
  const node = h("section", { class: "card verify", "aria-label": "Verification" },
    h("div", { class: "verify-head" }, icon("shield", 24),
      h("div", null, h("h2", null, "Verify the ledger"), h("p", { class: "small soft" }, "Hashes every entry of your organisation again, rebuilds the tree and follows the chain of seals.")), start), result);

  async function run() {
    const bar = h("progress", { class: "progress", "aria-label": "Progress of the verification" });
    const words = h("p", { class: "small soft figures" }, "Starting…");
    replace(result, h("div", { class: "verify-body" }, bar, words));
    announce("Verification has begun.");
    try {
      const { id } = await api.post("/api/ledger/verifications", {});
      let state;
      do {
        await pause(POLL, signal);
        state = await api.get(`/api/ledger/verifications/${id}`, signal);
        progress(bar, words, state);
      } while (!ENDED.has(state.state));
      replace(result, h("div", { class: "verify-body" }, outcome(state)));
    } catch (error) {
      if (!isAbort(error)) replace(result, h("div", { class: "verify-body" }, notice("bad", textOf(error))));
    }
  }
  return node;
}

function progress(bar, words, { done, total, state }) {
  if (Number(total) > 0) {
    bar.max = Number(total);
    bar.value = Number(done);
    replace(words, `${number(done)} of ${count(total, "entry", "entries")}`);
  } else {
    replace(words, state === "queued" ? "Waiting for its turn…" : "Reading…");
  }
}

function outcome({ state, findings, rows }) {
  const head = state !== "done"
    ? notice("bad", h("p", { class: "strong" }, "The verification could not be finished."), h("p", null, "The server's log tells why. This says nothing about the ledger."))
    : findings > 0
      ? notice("bad", h("p", { class: "strong" }, `${count(findings, "finding")}: the ledger is not what was sealed.`), h("p", null, "Keep a bundle now, and compare it with a head that was kept elsewhere."))
      : notice("good", h("p", { class: "strong" }, "Everything fits."), h("p", null, "Every hash follows from the entries, and every seal from the one before."));
  announce(head.textContent);
  const columns = [
    { name: "Checked", cell: (row) => h("span", { class: "strong" }, row.checked), class: "tight" },
    { name: "What", cell: (row) => row.subject, class: "break phone-wide" },
    { name: "Outcome", cell: (row) => badge(row.outcome === "ok" ? "OK" : "Finding", row.outcome === "ok" ? "good" : "bad"), class: "tight" },
    { name: "Items", cell: (row) => (row.items === null || row.items === undefined ? "" : number(row.items)), end: true, class: "tight" },
    { name: "Says", cell: (row) => h("span", { class: "soft" }, row.detail ?? ""), class: "phone-wide break" },
  ];
  return [head, (rows ?? []).length > 0 && h("div", { class: "verify-rows" }, table("What was checked", columns, rows.map((row) => ({ ...row, outcome: row.outcome ?? "ok" }))))];
}

// A page that was left stops asking.
const pause = (milliseconds, signal) => new Promise((resolve, reject) => {
  const timer = setTimeout(resolve, milliseconds);
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    reject(signal.reason);
  }, { once: true });
});
