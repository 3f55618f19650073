// Finding a customer by name among the newest, or by e-mail address among all.
import * as api from "./api.js";
import { combo } from "./combo.js";

const NEWEST = 100;
const SHOWN = 8;

export function customerChoice(chosen, signal) {
  let newest = null;
  const asOption = (customer) => ({ value: customer.id, text: customer.name, note: customer.email ?? "" });
  return combo("customer_id", "Customer", { chosen: chosen && asOption(chosen), none: "Nobody found. By e-mail address every customer can be found, by name the newest 100.", search: async (text) => {
    if (text.includes("@")) return (await api.get(api.withQuery("/api/customers", { email: text }), signal)).customers.map(asOption);
    newest ??= (await api.get(api.withQuery("/api/customers", { limit: NEWEST }), signal)).customers;
    const words = text.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    return newest.filter((customer) => words.every((word) => customer.name.toLocaleLowerCase().includes(word))).slice(0, SHOWN).map(asOption);
  } });
}
