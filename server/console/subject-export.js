// What a person is given who asks for their data: put together, shown by how much it is, and saved.
import * as api from "./api.js";
import { h } from "./dom.js";
import { deed } from "./deed.js";
import { showDialog } from "./dialog.js";
import { count, time } from "./format.js";
import { facts } from "./parts.js";
import { notice } from "./states.js";
import { confirmed } from "./step-up.js";

const TABLES = { kyc_subject: "Name", kyc_person: "Personal details", kyc_company: "Details of the company", kyc_document: "About documents", kyc_owner: "Ownership" };

const valuesIn = (rows) => rows.reduce((sum, row) => sum + Object.keys(row).length, 0);

/** Puts the export together, which is recorded, and shows it. */
export async function exportSubject(id) {
  const copy = await confirmed(() => api.post(`/api/kyc/subjects/${id}/exports`));
  const parts = Object.entries(copy.data).filter(([, rows]) => rows.length > 0);
  showDialog("Export", h("p", null, "Put together ", time(copy.made_at), ": what the person said and showed, in clear. Hand it to nobody else."),
    facts(parts.map(([table, rows]) => [TABLES[table] ?? table.replace(/^kyc_/, "").replaceAll("_", " "), count(valuesIn(rows), "value")])),
    h("div", { class: "actions" }, deed("Save the data", { kind: "main", name: "download", said: "Saved.", send: async () => save(copy) })),
    copy.files.length > 0 && [h("p", { class: "small soft" }, "Their documents are saved one by one; each is recorded."),
      h("div", { class: "actions" }, copy.files.map((file, place) => deed(`Document ${place + 1}`, { name: "download", said: "Saved.", send: async () => void await api.download(`/api/kyc/documents/${file}/content`) })))],
    notice("info", h("p", null, "What others said or thought of them is no part of it.")));
}

const save = (copy) => api.save(new Blob([JSON.stringify(copy, null, 2)], { type: "application/json" }), `subject-${copy.subject_id}.json`);
