// Finding the subject of another check by name among the newest, or by e-mail address or number among all.
import * as api from "./api.js";
import { combo } from "./combo.js";
import { KINDS, nameOf } from "./check-words.js";

const NEWEST = 100;
const SHOWN = 8;

export function subjectChoice(name, label, { without, none = "Nobody found. An owner is a check of its own: begin it first." }) {
  let newest = null;
  const asOptions = ({ subjects }) => subjects.filter((one) => one.id !== without && one.name !== null).map((one) => ({ value: one.id, text: nameOf(one), note: KINDS[one.kind] }));
  const ask = async (query) => asOptions(await api.get(api.withQuery("/api/kyc/subjects", query)));
  return combo(name, label, { none, search: async (text) => {
    if (text.includes("@")) return ask({ email: text });
    newest ??= await ask({ limit: NEWEST });
    const words = text.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    const found = newest.filter((one) => words.every((word) => one.text.toLocaleLowerCase().includes(word))).slice(0, SHOWN);
    return found.length === 0 && /\d/.test(text) ? ask({ number: text }) : found;
  } });
}
