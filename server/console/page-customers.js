// Customers: e-mail addresses are masked here; one customer's page reveals them, and that is recorded.
import * as api from "./api.js";
import { calmly, h } from "./dom.js";
import { time } from "./format.js";
import { button, pageHead, searchField } from "./parts.js";
import { growingTable } from "./table.js";
import { blank } from "./states.js";
import { newCustomer } from "./customer-form.js";
import { setQuery } from "./router.js";

const SIZE = 50;

export function customersPage({ query, signal }) {
  let email = query.get("email") ?? "";
  const columns = [
    { name: "Name", link: (row) => `/customers/${row.id}`, cell: (row) => row.name, class: "break" },
    { name: "E-mail", cell: (row) => h("span", { class: "soft break" }, row.email ?? "–"), class: "phone-wide" },
    { name: "Added", cell: (row) => h("span", { class: "soft" }, time(row.created_at, "day")), class: "tight phone-off" },
  ];
  const load = async (after) => {
    const { customers } = await api.get(api.withQuery("/api/customers", { limit: SIZE, after, email }), signal);
    return { rows: customers, more: customers.length === SIZE, after: customers.at(-1)?.id };
  };
  const list = growingTable("Customers", columns, load, () => (email
    ? blank("search", "Nobody has this address", "Addresses are stored sealed, so only a whole address can be found: all of it, in any spelling of small and capital letters.")
    : blank("customers", "No customers yet", "Add the first one to send an invoice.", button("New customer", { name: "plus", onclick: newCustomer }))));
  const search = calmly(250, (value) => {
    if (value === email) return;
    email = value;
    setQuery({ email });
    list.start();
  });
  list.start();
  return { title: "Customers", node: h("div", { class: "page" },
    pageHead("Customers", { below: "Those you may see, newest first.", actions: [button("New customer", { kind: "main", name: "plus", onclick: newCustomer })] }),
    h("div", { class: "toolbar" }, searchField("Find by e-mail address", "Find by e-mail address", email, search)),
    h("div", { class: "card" }, list.node)) };
}
