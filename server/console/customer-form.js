// Entering and changing a customer.
import * as api from "./api.js";
import { h } from "./dom.js";
import { field, isEmail, valuesOf } from "./form.js";
import { formDialog } from "./dialog.js";
import { button } from "./parts.js";
import { toast } from "./toast.js";
import { go } from "./router.js";

export const FIELDS = { name: "Name", email: "E-mail", phone: "Phone", address: "Address", notes: "Notes" };

const fieldsFor = (customer = {}) => [
  field("name", FIELDS.name, { required: true, maxlength: 200, autocomplete: "off", value: customer.name ?? "" }),
  field("email", FIELDS.email, { type: "email", maxlength: 254, autocomplete: "off", check: isEmail, value: customer.email ?? "" }),
  field("phone", FIELDS.phone, { type: "tel", maxlength: 40, autocomplete: "off", value: customer.phone ?? "" }),
  field("address", FIELDS.address, { rows: 2, maxlength: 500, autocomplete: "off", value: customer.address ?? "" }),
  field("notes", FIELDS.notes, { rows: 3, maxlength: 4000, value: customer.notes ?? "" }),
];

function bodyOf([name, email, phone, address, notes]) {
  return [name.node, h("div", { class: "form-row" }, email.node, phone.node), address.node, notes.node];
}

const emailTaken = (fields) => (problem) => {
  if (problem.name !== "email-taken") return false;
  const email = fields.find((one) => one.name === "email");
  email.say("A customer with this e-mail address exists.");
  email.control.focus();
  return true;
};

export function newCustomer() {
  const fields = fieldsFor();
  formDialog("New customer", { body: bodyOf(fields), fields, action: "Create customer", refused: emailTaken(fields), send: async () => {
    const customer = await api.post("/api/customers", valuesOf(fields));
    toast("Customer created.");
    go(`/customers/${customer.id}`);
  } });
}

/** done(customer) is given what the server stored. */
export function editCustomer(customer, done) {
  const fields = fieldsFor(customer);
  let version = customer.version;
  let base = customer;
  const changed = () => Object.fromEntries(Object.entries(valuesOf(fields)).filter(([name, value]) => value !== (base[name] ?? null)));
  formDialog("Edit customer", { body: bodyOf(fields), fields, action: "Save", send: async () => {
    const change = changed();
    if (Object.keys(change).length === 0) return;
    done(await api.patch(`/api/customers/${customer.id}`, { ...change, version }));
    toast("Customer saved.");
  }, refused: (problem, { message }) => {
    if (problem.name !== "changed-meanwhile") return emailTaken(fields)(problem);
    api.get(`/api/customers/${customer.id}`).then((stored) => {
      const mine = changed();
      version = stored.version;
      showConflict(message, fields, base, stored, mine);
      base = stored;
      done(stored);
    }, () => message.show("bad", problem.text));
    return true;
  } });
}

// Somebody else saved first: their values and ours side by side, ours to keep or to give up, field by field.
function showConflict(message, fields, base, stored, mine) {
  for (const one of fields) {
    // What we did not touch follows what is stored now.
    if (!(one.name in mine)) one.control.value = stored[one.name] ?? "";
  }
  const both = Object.keys(mine).filter((name) => (stored[name] ?? null) !== (base[name] ?? null));
  const take = (name, node) => button("Take theirs", { kind: "quiet", onclick: () => {
    fields.find((one) => one.name === name).control.value = stored[name] ?? "";
    node().remove();
  } });
  message.show("warn", h("p", { class: "strong" }, "Somebody changed this customer meanwhile."),
    h("p", null, both.length === 0 ? "They changed other fields than you. Save again to add your changes to theirs." : "Save again to keep your values, or take theirs:"),
    h("ul", { class: "conflicts" }, both.map((name) => {
      const row = h("li", null, h("span", { class: "break" }, h("span", { class: "strong" }, `${FIELDS[name]}: `), stored[name] ?? "empty"), take(name, () => row));
      return row;
    })));
}
