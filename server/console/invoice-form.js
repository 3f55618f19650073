// The fields of a draft: currency, due date, memo and the lines, with their sums.
import { h, newId, replace } from "./dom.js";
import { button, iconButton } from "./parts.js";
import { field } from "./form.js";
import { currencies, exponentOf, money, parseMoney, toDecimal } from "./money.js";

const MOST_LINES = 500;
const isQuantity = (text) => /^\d{1,7}$/.test(text) && Number(text) >= 1 && Number(text) <= 1_000_000;

/** first: fields before the others. Returns { node, fields(), body() }. */
export function invoiceForm(draft, first = null) {
  const currency = field("currency", "Currency", { required: true, options: currencies().map((code) => [code, code]), value: draft?.currency ?? "GBP" });
  const due = field("due_date", "Due date", { type: "date", value: draft?.due_date ?? "" });
  const memo = field("memo", "Memo", { rows: 2, maxlength: 2000, hint: "Printed below the lines.", value: draft?.memo ?? "" });
  const rows = h("div", { class: "lines-rows" });
  const total = h("output", { class: "lines-total" });
  const lines = [];

  function sum() {
    let all = 0n;
    for (const line of lines) {
      const unit = parseMoney(line.unit.control.value, currency.value);
      const amount = unit !== null && isQuantity(line.quantity.value) ? BigInt(unit) * BigInt(line.quantity.value) : null;
      replace(line.amount, amount === null ? "–" : money(amount.toString(), currency.value));
      if (amount !== null) all += amount;
    }
    replace(total, money(all.toString(), currency.value));
  }

  function addLine(line = {}) {
    const id = newId("line");
    const description = field("description", "Description", { required: true, maxlength: 500, value: line.description ?? "" });
    const quantity = field("quantity", "Quantity", { required: true, inputmode: "numeric", value: String(line.quantity ?? 1), check: (text) => (isQuantity(text) ? null : "A whole number from 1 to 1,000,000.") });
    const unit = field("unit", "Price", { required: true, inputmode: "decimal", value: line.unit_minor === undefined ? "" : toDecimal(line.unit_minor, exponentOf(draft.currency)), check: checkPrice });
    quantity.control.classList.add("input-number");
    unit.control.classList.add("input-money");
    const amount = h("span", { class: "lines-amount" }, "–");
    const entry = { description, quantity, unit, amount };
    entry.node = h("div", { class: "lines-row", role: "group", "aria-label": "Line", id }, description.node, quantity.node, unit.node,
      h("div", { class: "field lines-sum" }, h("span", { class: "field-label" }, "Amount"), amount),
      iconButton("trash", "Remove line", () => removeLine(entry)));
    for (const one of [quantity, unit]) one.control.addEventListener("input", sum);
    lines.push(entry);
    rows.append(entry.node);
    number();
    return entry;
  }

  function checkPrice(text) {
    if (parseMoney(text, currency.value) !== null) return null;
    const exponent = exponentOf(currency.value);
    return exponent === 0 ? `${currency.value} has no decimals.` : `An amount such as ${toDecimal("1250", exponent)}, with at most ${exponent} decimals.`;
  }

  function removeLine(entry) {
    const index = lines.indexOf(entry);
    lines.splice(index, 1);
    entry.node.remove();
    if (lines.length === 0) addLine();
    number();
    sum();
    (lines[index] ?? lines.at(-1)).description.control.focus();
  }

  const number = () => lines.forEach((line, i) => line.node.setAttribute("aria-label", `Line ${i + 1}`));
  const add = button("Add line", { kind: "quiet", name: "plus", onclick: () => {
    if (lines.length >= MOST_LINES) return;
    addLine().description.control.focus();
    sum();
  } });

  for (const line of draft?.lines ?? []) addLine(line);
  if (lines.length === 0) addLine();
  currency.control.addEventListener("change", () => {
    for (const line of lines) if (line.unit.value !== "") line.unit.validate();
    sum();
  });
  sum();

  return {
    node: h("div", { class: "form" }, first?.node, h("div", { class: "form-row" }, currency.node, due.node),
      h("fieldset", { class: "lines" }, h("legend", { class: "field-label" }, "Lines"), rows,
        h("div", { class: "lines-foot" }, add, h("div", { class: "lines-sums" }, h("span", { class: "soft" }, "Total"), total))),
      memo.node),
    fields: () => [first, currency, due, ...lines.flatMap((line) => [line.description, line.quantity, line.unit]), memo].filter(Boolean),
    body: () => ({ currency: currency.value, due_date: due.value || null, memo: memo.value || null,
      lines: lines.map((line) => ({ description: line.description.value, quantity: Number(line.quantity.value), unit_minor: parseMoney(line.unit.value, currency.value) })) }),
  };
}
