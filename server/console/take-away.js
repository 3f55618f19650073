// What one can take away and check elsewhere: the bundle, the signed checkpoint, and how.
import * as api from "./api.js";
import { h, replace } from "./dom.js";
import { button, card, codeBlock, whileBusy } from "./parts.js";
import { bones } from "./states.js";
import { isAbort, textOf } from "./problem.js";
import { session } from "./session.js";
import { toast } from "./toast.js";

export function downloadButton(label, path, options) {
  const node = button(label, { name: "download", ...options, onclick: () => whileBusy(node, async () => {
    try {
      toast(`${await api.download(path)} downloaded.`);
    } catch (error) {
      toast(textOf(error), "bad");
    }
  }) });
  return node;
}

export function takeAway(signal) {
  const note = h("div", null, bones(3));
  api.text("/api/ledger/checkpoint", signal).then(
    (text) => replace(note, codeBlock(text.trimEnd(), "Checkpoint")),
    (error) => !isAbort(error) && replace(note, h("p", { class: "soft small" }, error.status === 404 ? "Nothing has been signed yet." : textOf(error))));
  const slug = session().tenant.slug;
  return card("Check it yourself", { note: "On a machine of your own, without trusting this server." }, h("div", { class: "card-body take-away" },
    h("div", { class: "stack-small" }, h("h3", null, "Signed checkpoint"), h("p", { class: "small soft" }, "The state of the whole ledger, signed with the operator's key. Keep a copy where the operator cannot change it."), note),
    h("div", { class: "stack-small" }, h("h3", null, "With aegis-verify"),
      h("p", { class: "small soft" }, "Build it from sources that you have checked, download the bundle above, then:"),
      codeBlock(`aegis-verify bundle ${slug}.bundle --keep ${slug}.head`, "First check"),
      h("p", { class: "small soft" }, "Next time, with the head you kept, a ledger that was rewritten or cut is found:"),
      codeBlock(`aegis-verify bundle ${slug}.bundle --head ${slug}.head --keep ${slug}.head`, "Every later check"),
      h("p", { class: "small soft" }, "One entry, by its receipt and the operator's public key:"),
      codeBlock(`aegis-verify proof ${slug}-57.tlog-proof --key 'NAME+HASH+KEY'`, "Check of a receipt"))));
}
