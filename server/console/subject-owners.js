// Who owns and controls a company: directly, and through other companies in the end.
import * as api from "./api.js";
import { h, s } from "./dom.js";
import { confirmDialog, formDialog } from "./dialog.js";
import { atItsField, field } from "./form.js";
import { button, card, iconButton } from "./parts.js";
import { blank } from "./states.js";
import { toast } from "./toast.js";
import { CONTROLS, nameOf, parsePercent, percent } from "./check-words.js";
import { subjectChoice } from "./subject-choice.js";

// Of another team, restricted, or erased: still an owner, and counted as one.
const HIDDEN = "Somebody who is not shown to you";

// Widths are attributes of the picture: the policy allows no style of an element.
const bar = (bps) => s("svg", { class: "share-picture", viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" }, s("rect", { class: "share-ground", width: 100, height: 4, rx: 2 }), s("rect", { class: "share-part", width: bps / 100, height: 4, rx: 2 }));

export function ownersCard({ subject, path, may, again }) {
  const { direct, beneficial } = subject.owners;
  const line = (one, words, tools) => h("li", { class: "thing" }, h("div", { class: "thing-words" },
    h("p", { class: "thing-line" }, one.name === null ? h("span", { class: "soft" }, HIDDEN) : h("a", { class: "strong", href: `/subjects/${one.owner_id}` }, one.name), h("span", { class: "figures" }, one.share_bps > 0 ? percent(one.share_bps) : "")),
    one.share_bps > 0 && bar(one.share_bps), h("p", { class: "small soft" }, words)), tools);

  const remove = (one) => confirmDialog(`Take ${nameOf(one)} away?`, `${nameOf(one)} no longer counts as an owner of ${nameOf(subject)}, in any way. The check of ${nameOf(one)} stays.`, { action: "Take away", kind: "bad", send: async () => {
    await api.remove(`${path}/owners/${one.owner_id}`);
    toast("Taken away.");
    await again();
  } });

  return card("Ownership", { note: "A quarter of the shares, or control by other means, makes somebody an owner in the end.",
    actions: may && button("Add owner", { name: "plus", onclick: () => add(subject, path, again) }) },
  direct.length === 0 ? blank("team", "Nobody is known yet", "An approval needs the people who own or control it in the end.")
    : h("ul", { class: "things" }, direct.map((one) => line(one, CONTROLS[one.control], may && iconButton("trash", `Take ${nameOf(one)} away`, () => remove(one))))),
  direct.length > 0 && h("div", { class: "card-part" }, h("h3", null, "In the end"), beneficial.length === 0 ? h("p", { class: "small soft" }, "No person has that much of it yet: add the owners of the companies above to their own checks.")
    : h("ul", { class: "things things-bare" }, beneficial.map((one) => line(one, one.control.map((word) => CONTROLS[word].toLowerCase()).join(", "))))));
}

function add(subject, path, again) {
  const owner = subjectChoice("owner_id", "Owner", { without: subject.id });
  const control = field("control", "By", { required: true, options: Object.entries(CONTROLS), value: "shares" });
  const share = field("share_bps", "Share in per cent", { inputmode: "decimal", autocomplete: "off", hint: "Left empty for control without a share.", check: (value) => (parsePercent(value) === null ? "A share is between 0 and 100, such as 33.34." : null) });
  const fields = [owner, control, share];
  formDialog("Add owner", { body: [owner.node, h("div", { class: "form-row" }, control.node, share.node)], fields, action: "Add owner", send: async () => {
    await api.put(`${path}/owners`, { owner_id: owner.value, control: control.value, share_bps: parsePercent(share.value) ?? 0 });
    toast("Owner recorded.");
    await again();
  }, refused: (problem) => {
    if (problem.name === "unknown-owner") return owner.say(problem.text), true;
    if (/more than the whole/.test(problem.detail ?? "")) return share.say("Together the owners would have more than the whole."), share.control.focus(), true;
    return atItsField(fields)(problem);
  } });
}
