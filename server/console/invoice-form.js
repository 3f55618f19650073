// The fields of a draft: currency, due date, memo and the lines, with their sums as the database will make them.
import * as api from "./api.js";
import { h, newId, replace } from "./dom.js";
import { button, iconButton } from "./parts.js";
import { field } from "./form.js";
import { currencies, exponentOf, money, parseMoney, toDecimal } from "./money.js";

const MOST_LINES = 500;
const isQuantity = (text) => /^\d{1,7}([.]\d{1,6})?$/.test(text) && Number(text) > 0 && Number(text) <= 1_000_000;
const isRate = (text) => text === "" || (/^\d{1,3}([.]\d{1,4})?$/.test(text) && Number(text) <= 100);

/** "2.5" and 6 → 2500000n: whole parts, so that no float is in between. */
function toParts(text, decimals) {
  const [whole, rest = ""] = text.split(".");
  return BigInt(whole + rest.padEnd(decimals, "0"));
}

function divide(value, by, rounding) {
  const twice = (value % by) * 2n;
  const down = value / by;
  return twice > by || (twice === by && (rounding === "half-up" || down % 2n === 1n)) ? down + 1n : down;
}

/** first: fields before the others. Returns { node, fields(), body() }. */
export function invoiceForm(draft, first = null) {
  const currency = field("currency", "Currency", { required: true, options: currencies().map((code) => [code, code]), value: draft?.currency ?? "GBP" });
  const due = field("due_date", "Due date", { type: "date", value: draft?.due_date ?? "" });
  const memo = field("memo", "Memo", { rows: 2, maxlength: 2000, hint: "Printed below the lines.", value: draft?.memo ?? "" });
  const rows = h("div", { class: "lines-rows" });
  const total = h("output", { class: "lines-total" });
  const lines = [];
  let settings = { rounding: "half-up", tax_by: "line" };
  api.get("/api/invoice-settings").then((known) => {
    settings = known;
    sum();
  }, () => {});

  function sum() {
    let all = 0n;
    const byRate = new Map();
    for (const line of lines) {
      const unit = parseMoney(line.unit.control.value, currency.value);
      const known = unit !== null && isQuantity(line.quantity.value) && isRate(line.rate.value);
      const amount = known ? divide(BigInt(unit) * toParts(line.quantity.value, 6), 1_000_000n, settings.rounding) : null;
      replace(line.amount, amount === null ? "–" : money(amount.toString(), currency.value));
      if (amount === null) continue;
      all += amount;
      const rate = toParts(line.rate.value || "0", 4);
      byRate.set(rate, [...(byRate.get(rate) ?? []), amount]);
    }
    for (const [rate, amounts] of byRate) {
      const bases = settings.tax_by === "line" ? amounts : [amounts.reduce((one, other) => one + other)];
      for (const base of bases) all += divide(base * rate, 1_000_000n, settings.rounding);
    }
    replace(total, money(all.toString(), currency.value));
  }

  function addLine(line = {}) {
    const id = newId("line");
    const description = field("description", "Description", { required: true, maxlength: 500, value: line.description ?? "" });
    const quantity = field("quantity", "Quantity", { required: true, inputmode: "decimal", value: String(line.quantity ?? 1), check: (text) => (isQuantity(text) ? null : "A number up to 1,000,000, with at most six decimals.") });
    const rate = field("tax_rate", "Tax %", { mark: false, inputmode: "decimal", value: line.tax_rate ? String(line.tax_rate) : "", check: (text) => (isRate(text) ? null : "Per cent, from 0 to 100.") });
    const unit = field("unit", "Price", { required: true, inputmode: "decimal", value: line.unit_minor === undefined ? "" : toDecimal(line.unit_minor, exponentOf(draft.currency)), check: checkPrice });
    quantity.control.classList.add("input-number");
    rate.control.classList.add("input-number");
    unit.control.classList.add("input-money");
    const amount = h("span", { class: "lines-amount" }, "–");
    const entry = { description, quantity, unit, rate, amount };
    entry.node = h("div", { class: "lines-row", role: "group", "aria-label": "Line", id }, description.node, quantity.node, unit.node, rate.node,
      h("div", { class: "field lines-sum" }, h("span", { class: "field-label" }, "Amount"), amount),
      iconButton("trash", "Remove line", () => removeLine(entry)));
    for (const one of [quantity, unit, rate]) one.control.addEventListener("input", sum);
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
    fields: () => [first, currency, due, ...lines.flatMap((line) => [line.description, line.quantity, line.unit, line.rate]), memo].filter(Boolean),
    body: () => ({ currency: currency.value, due_date: due.value || null, memo: memo.value || null,
      lines: lines.map((line) => ({ description: line.description.value, quantity: line.quantity.value, unit_minor: parseMoney(line.unit.value, currency.value), tax_rate: line.rate.value || "0" })) }),
  };
}
