// A JSON Schema as a nested list of names, types and limits.
import { h } from "./dom.js";

const DEEPEST = 6;
const LIMITS = { minimum: "at least", maximum: "at most", minLength: "shortest", maxLength: "longest", maxItems: "most items", minItems: "least items", pattern: "pattern", format: "format" };

/** What a reference within the document means; anything else is itself. */
export function resolve(value, document_) {
  if (typeof value?.$ref !== "string" || !value.$ref.startsWith("#/")) return value;
  return value.$ref.slice(2).split("/").reduce((at, part) => at?.[part.replace(/~1/g, "/").replace(/~0/g, "~")], document_);
}

export function typeOf(schema) {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const types = [schema.type ?? (schema.properties ? "object" : schema.oneOf || schema.anyOf ? "one of" : "any")].flat();
  return types.map((type) => (type === "array" && schema.items ? "array of" : type)).join(" or ");
}

export function schemaView(given, document_, depth = 0) {
  const schema = resolve(given, document_) ?? {};
  if (depth > DEEPEST) return h("p", { class: "small faint" }, "and so on");
  const inner = inside(schema, document_, depth);
  return depth === 0 ? h("div", null, !schema.properties && h("p", { class: "schema-type" }, typeOf(schema)), inner) : inner;
}

function inside(schema, document_, depth) {
  if (schema.properties) {
    const required = new Set(schema.required ?? []);
    return h("ul", { class: "schema" }, Object.entries(schema.properties).map(([name, value]) => row(name, resolve(value, document_) ?? {}, required.has(name), document_, depth)));
  }
  if (schema.items) return schemaView(schema.items, document_, depth + 1);
  const choices = schema.oneOf ?? schema.anyOf;
  return choices ? h("ul", { class: "schema" }, choices.map((choice) => row("", resolve(choice, document_) ?? {}, false, document_, depth))) : null;
}

function row(name, schema, required, document_, depth) {
  const limits = Object.entries(LIMITS).filter(([key]) => schema[key] !== undefined).map(([key, words]) => `${words} ${schema[key]}`).join(", ");
  return h("li", null, name && h("code", { class: "schema-name" }, name), h("span", { class: "schema-type" }, typeOf(schema), schema.items && ` ${typeOf(resolve(schema.items, document_) ?? {})}`), required && h("span", { class: "schema-required" }, "required"),
    schema.description && h("p", { class: "small soft" }, schema.description), limits && h("p", { class: "small faint break" }, limits), depth < DEEPEST && inside(schema, document_, depth + 1));
}

const SAMPLES = { uuid: "00000000-0000-4000-8000-000000000000", date: "2030-12-31", "date-time": "2030-12-31T12:00:00Z", email: "ada@example.com" };

/** A value of the schema's shape, to be filled in: only what is required. */
export function example(given, document_, depth = 0) {
  const schema = resolve(given, document_) ?? {};
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum[0];
  if (schema.properties && depth < DEEPEST) {
    const wanted = schema.required?.length > 0 ? schema.required : Object.keys(schema.properties).slice(0, 1);
    return Object.fromEntries(wanted.map((name) => [name, example(schema.properties[name], document_, depth + 1)]));
  }
  const type = [schema.type].flat()[0];
  if (type === "array") return [example(schema.items, document_, depth + 1)];
  if (type === "integer" || type === "number") return schema.minimum ?? 1;
  if (type === "boolean") return true;
  if (schema.pattern === "^[A-Z]{3}$") return "GBP";
  if (schema.pattern === "^[0-9]+$") return "1250";
  return SAMPLES[schema.format] ?? "text";
}
