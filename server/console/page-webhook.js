// One message of a payment provider: what is known of it, and what is kept.
import * as api from "./api.js";
import { h } from "./dom.js";
import { number, time } from "./format.js";
import { button, card, codeBlock, facts, pageHead, showHead, whileBusy } from "./parts.js";
import { REASONS, stateBadge } from "./webhook-state.js";
import { blank, fill, notice } from "./states.js";
import { isAbort, textOf } from "./problem.js";
import { toast } from "./toast.js";

const OPEN = new Set(["received", "unmatched", "quarantined"]);

export function webhookPage({ params, signal, title }) {
  const place = h("div");
  const head = h("div");
  const crumb = { href: "/webhooks", text: "Webhooks" };
  const path = `/api/webhook-events/${params.id}`;
  showHead(head, pageHead("Message", { crumb }));
  const show = () => fill(place, () => api.get(path, signal), (event) => {
    title(event.event_type ?? "Message");
    const again = button("Process again", { onclick: () => whileBusy(again, async () => {
      try {
        await api.post(`${path}/reprocess`);
        toast("Processed again.");
        await show();
      } catch (error) {
        if (!isAbort(error)) toast(textOf(error), "bad");
      }
    }) });
    showHead(head, pageHead(event.event_type ?? "Message", { crumb, beside: stateBadge(event), actions: OPEN.has(event.state) && event.document ? [again] : [] }));
    return h("div", { class: "stack" }, event.reason && notice(event.state === "quarantined" ? "warn" : "info", REASONS[event.reason] ?? event.reason),
      h("div", { class: "split split-even" }, known(event), kept(event)));
  }, 6);
  show();
  return { title: "Message", node: h("div", { class: "page" }, head, place) };
}

const known = (event) => card("Message", {}, h("div", { class: "card-body" }, facts([
  ["Provider", event.provider], ["Account", event.account], event.event_id && ["Id", h("code", { class: "break" }, event.event_id)],
  event.kind && ["Says", event.kind.replaceAll("_", " ")], ["Mode", event.live ? "real money" : "test"], ["Received", time(event.received_at, "exact")],
  event.processed_at && ["Processed", time(event.processed_at, "exact")], ["Signed with", `secret ${event.key_id.split(".").pop()}`], ["Size", `${number(event.body_bytes)} bytes`]])));

const kept = (event) => card("What is kept", { note: "Fields on the provider's list, without card data." }, h("div", { class: "card-body" },
  event.document ? codeBlock(JSON.stringify(event.document, null, 2), "Message") : blank("shield", "Nothing", "Of this message only its size and a keyed digest are kept.")));
