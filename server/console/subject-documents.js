// Documents of a check: uploaded, looked at, saved. What is in them is never shown in a page.
import * as api from "./api.js";
import { announce, h, replace } from "./dom.js";
import { formDialog } from "./dialog.js";
import { deed } from "./deed.js";
import { base64Of, lookAt, sizeText } from "./file-check.js";
import { atItsField, field } from "./form.js";
import { day, time } from "./format.js";
import { icon } from "./icons.js";
import { badge, button, card } from "./parts.js";
import { isAbort } from "./problem.js";
import { blank } from "./states.js";
import { toast } from "./toast.js";
import { DOCUMENTS, DOCUMENT_STATES, METHODS, who } from "./check-words.js";

const MEDIA = { "application/pdf": "PDF", "image/jpeg": "JPEG", "image/png": "PNG" };
const FOR_PEOPLE = ["passport", "national_id", "driving_licence", "residence_permit", "utility_bill", "bank_statement", "source_of_funds", "other"];
const FOR_COMPANIES = ["incorporation", "register_extract", "trust_deed", "bank_statement", "utility_bill", "source_of_funds", "other"];

/** { node, reveal(documents) }: documents with their numbers in clear, or null. */
export function documentsCard({ subject, path, people, may, again }) {
  const numbers = new Map();
  const rows = subject.documents.map((one) => row(one));
  const showNumbers = (documents) => {
    const clear = new Map((documents ?? []).map((one) => [one.id, one.number]));
    for (const [id, { node, masked }] of numbers) replace(node, clear.get(id) ?? masked);
  };

  function row(one) {
    const expired = one.expires_on && one.expires_on < new Date().toISOString().slice(0, 10);
    const number = one.number && h("span", { class: "masked" }, one.number);
    if (number) numbers.set(one.id, { node: number, masked: one.number });
    const title = DOCUMENTS[one.type] ?? one.type;
    const parts = [one.country, number, one.issued_on && ["issued ", day(one.issued_on)], one.expires_on && [expired ? "expired " : "valid until ", day(one.expires_on)]].filter(Boolean);
    return h("li", { class: "thing" }, h("span", { class: "thing-mark", "aria-hidden": "true" }, icon("invoices", 18)),
      h("div", { class: "thing-words" }, h("p", null, h("span", { class: "strong" }, title), " ", badge(...DOCUMENT_STATES[one.state]), expired && [" ", badge("Expired", "warn")]),
        parts.length > 0 && h("p", { class: "small soft dotted" }, parts.map((part) => h("span", null, part))),
        one.file_name && h("p", { class: "small soft break" }, one.file_name),
        h("p", { class: "small faint dotted" }, h("span", null, `${MEDIA[one.media_type]}, ${sizeText(one.size_bytes)}`), h("span", null, who(people, one.uploaded_by), ", ", time(one.uploaded_at, "ago"))),
        one.judged_at && h("p", { class: "small faint dotted" }, h("span", null, one.method ? METHODS[one.method] : "Rejected"), h("span", null, who(people, one.judged_by), ", ", time(one.judged_at, "ago"))),
        one.remark && h("p", { class: "small preserve" }, one.remark)),
      h("div", { class: "actions" },
        !subject.erased_at && deed("Save", { name: "download", about: title, said: "Saved; the ledger has an entry.", send: async () => void await api.download(`/api/kyc/documents/${one.id}/content`) }),
        may && one.state === "uploaded" && button("Judge", { "aria-label": `Judge: ${title}`, onclick: () => judge(one, title, again) })));
  }

  return { reveal: showNumbers, node: card("Documents", { note: "Sealed as they came. They are saved to your device, never opened here.",
    actions: may && button("Upload", { name: "upload", "aria-label": "Upload a document", onclick: () => upload(subject, path, again) }) },
  rows.length === 0 ? blank("invoices", "No documents yet", "An approval needs one that was verified and is still valid.") : h("ul", { class: "things" }, rows)) };
}

function judge(one, title, again) {
  const state = field("state", "What it is", { required: true, options: [["verified", "Genuine"], ["rejected", "Not accepted"]], value: "verified" });
  const method = field("method", "How that was found", { required: true, options: Object.entries(METHODS), value: "in_person" });
  const remark = field("remark", "Remark", { rows: 3, maxlength: 2000, hint: "Sealed. Why not, where it is not accepted." });
  const genuine = () => state.value === "verified";
  state.control.addEventListener("change", () => { method.node.hidden = !genuine(); });
  formDialog(`Judge: ${title}`, { body: [h("p", { class: "small soft" }, "This is said once. To have it judged again, it is uploaded again."), h("div", { class: "form-row" }, state.node, method.node), remark.node],
    fields: [state, method, remark], action: "Save", refused: atItsField([state, method, remark]), send: async () => {
      if (!genuine() && remark.value === "") {
        remark.control.focus();
        throw new Error("Say in the remark why it is not accepted");
      }
      await api.post(`/api/kyc/documents/${one.id}/judgement`, { state: state.value, ...(genuine() && { method: method.value }), ...(remark.value && { remark: remark.value }) });
      toast(genuine() ? "Verified." : "Not accepted.");
      await again();
    } });
}

function upload(subject, path, again) {
  let found = {};
  const about = h("p", { class: "small soft upload-about", "aria-live": "polite" });
  const file = field("file", "File", { type: "file", required: true, accept: ".pdf,.jpg,.jpeg,.png", hint: "A PDF, JPEG or PNG of at most 5 MB.", check: () => found.fault });
  const type = field("type", "What it is", { required: true, options: (subject.kind === "person" ? FOR_PEOPLE : FOR_COMPANIES).map((name) => [name, DOCUMENTS[name]]) });
  const country = field("country", "Country that issued it", { maxlength: 2, autocomplete: "off", check: (value) => (/^[A-Za-z]{2}$/.test(value) ? null : "A country is two letters, such as GB.") });
  const number = field("number", "Number", { maxlength: 40, autocomplete: "off" });
  const issued = field("issued_on", "Issued on", { type: "date" });
  const expires = field("expires_on", "Valid until", { type: "date", check: (value) => (issued.value !== "" && value < issued.value ? "It cannot end before it was issued." : null) });
  const bar = h("progress", { class: "progress", max: 1, "aria-label": "Upload" });
  const words = h("span", { class: "small soft", role: "status" });
  const progress = h("div", { class: "upload", hidden: true }, bar, words);
  const tell = (text, part) => {
    progress.hidden = false;
    if (part === null) bar.removeAttribute("value");
    else bar.value = part;
    if (words.textContent !== text) words.textContent = text;
  };
  // While one is looked at, another may be chosen.
  let looking = Promise.resolve();
  file.control.addEventListener("change", () => {
    const [chosen] = file.control.files;
    looking = (chosen ? lookAt(chosen) : Promise.resolve({})).then((result) => {
      if (file.control.files[0] !== chosen) return;
      found = result;
      about.textContent = result.type ? `${chosen.name}: ${result.type}, ${sizeText(chosen.size)}.` : "";
      file.validate();
    });
  });
  const abort = new AbortController();
  const fields = [file, type, country, number, issued, expires];
  const { node } = formDialog("Upload a document", { wide: true, fields, action: "Upload", body: [file.node, about, h("div", { class: "form-row" }, type.node, country.node, number.node), h("div", { class: "form-row" }, issued.node, expires.node), progress],
    send: async () => {
      await looking;
      if (found.fault) throw new Error(found.fault);
      const [chosen] = file.control.files;
      tell("Reading the file …", null);
      const content = await base64Of(chosen);
      const rest = Object.fromEntries([number, issued, expires].filter((one) => one.value !== "").map((one) => [one.name, one.value]));
      try {
        await api.upload(`${path}/documents`, { type: type.value, content, file_name: chosen.name.slice(-200), ...(country.value && { country: country.value.toUpperCase() }), ...rest }, { signal: abort.signal,
          progress: (part) => (part < 1 ? tell(`${Math.floor(part * 100)} % sent`, part) : tell("Sent; it is being sealed …", null)) });
      } catch (problem) {
        progress.hidden = true;
        // Given up on the way, it may have arrived all the same.
        if (isAbort(problem)) again();
        throw problem;
      }
      announce("The document was uploaded.");
      toast("Uploaded, and sealed.");
      await again();
    }, refused: (problem) => {
      if (problem.name !== "unknown-file" && problem.name !== "body-too-large") return atItsField(fields)(problem);
      file.say(problem.text);
      file.control.focus();
      return true;
    } });
  node.addEventListener("close", () => abort.abort());
}
