// SPDX-License-Identifier: Apache-2.0
// Holds an OpenAPI document against a stock validator, and live answers against the document.
//   node tests/stock/openapi.mjs DOCUMENT ANSWERS
// ANSWERS has one JSON object per line: method, path, request (JSON or null), status, type, body (text).
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(new URL("../npm/package.json", import.meta.url));
const { Validator } = await import(pathToFileURL(require.resolve("@seriousme/openapi-schema-validator")));
const Ajv = require("ajv/dist/2020").default;
const addFormats = require("ajv-formats").default;

const document = JSON.parse(readFileSync(process.argv[2], "utf8"));
const answers = readFileSync(process.argv[3], "utf8").trim().split("\n").map((line) => JSON.parse(line));

let failed = false;
function report(name, faults) {
  console.log(`${faults.length === 0 ? "ok" : "not ok"} openapi/${name}`);
  for (const fault of faults.slice(0, 20)) console.log(`# ${fault}`);
  failed ||= faults.length > 0;
}

const ajv = new Ajv({ strict: false, allErrors: true });
addFormats(ajv);
ajv.addSchema(document, "document");
const escaped = (token) => encodeURIComponent(token.replaceAll("~", "~0").replaceAll("/", "~1"));
const compiled = new Map();
function check(pointer, value) {
  const reference = `document#/${pointer.map(escaped).join("/")}`;
  if (!compiled.has(reference)) compiled.set(reference, ajv.compile({ $ref: reference }));
  const validate = compiled.get(reference);
  return validate(value) ? null : ajv.errorsText(validate.errors);
}

const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ path, method, operation, segments: path.split("/") })));

// A literal segment wins over a parameter, as in aegis.route.
function operationOf(method, target) {
  const segments = target.split("?")[0].split("/");
  return operations
    .filter((o) => o.method === method.toLowerCase() && o.segments.length === segments.length &&
      o.segments.every((segment, i) => segment.startsWith("{") || segment === segments[i]))
    .sort((a, b) => (a.path.match(/\{/g) ?? []).length - (b.path.match(/\{/g) ?? []).length)[0];
}

function faultOf(answer) {
  const found = operationOf(answer.method, answer.path);
  if (found === undefined) return "is not in the document";
  const response = found.operation.responses[answer.status];
  if (response === undefined) return `status ${answer.status} is not in the document (${answer.body})`;
  if (response.content === undefined) return answer.body === "" ? null : "has a body that the document does not know";
  if (response.content[answer.type] === undefined) return `is ${answer.type}, not ${Object.keys(response.content)}`;
  const pointer = ["paths", found.path, found.method, "responses", String(answer.status), "content", answer.type, "schema"];
  return check(pointer, answer.type.endsWith("json") ? JSON.parse(answer.body) : answer.body);
}
const shown = (answer) => `${answer.method} ${answer.path} (${answer.status})`;

const verdict = await new Validator().validate(structuredClone(document));
report("stock-validator", verdict.valid ? [] : [JSON.stringify(verdict.errors)]);

const names = operations.map((o) => o.operation.operationId);
report("every-operation-is-described", [
  ...names.filter((name, i) => !name || names.indexOf(name) !== i).map((name) => `operationId "${name}" is not unique`),
  ...operations.filter((o) => !o.operation.summary || o.operation.tags?.length !== 1).map((o) => `${o.method} ${o.path} lacks summary or tag`),
  ...operations.filter((o) => Object.entries(o.operation.responses).some(([status, response]) => status !== "204" &&
    Object.values(response.content ?? { none: { schema: {} } }).some(({ schema }) => Object.keys(schema).length === 0)))
    .map((o) => `${o.method} ${o.path} has an answer without a schema`),
]);

report("every-answer-is-as-described", answers.map((a) => [a, faultOf(a)]).filter(([, fault]) => fault).map(([a, fault]) => `${shown(a)}: ${fault}`));

// The longer paths of tiles are for logs with millions of leaves; the shortest of the same description stands for them.
const asked = new Set(answers.filter((a) => a.status < 300).map((a) => operationOf(a.method, a.path)?.operation.summary));
report("every-operation-was-asked", operations
  .filter((o) => !asked.has(o.operation.summary))
  .map((o) => `no good answer of ${o.method} ${o.path}`));

report("what-was-accepted-is-as-described", answers.filter((a) => a.request !== null && a.status < 300)
  .map((a) => {
    const found = operationOf(a.method, a.path);
    if (found?.operation.requestBody === undefined) return `${shown(a)}: has a body that the document does not know`;
    const fault = check(["paths", found.path, found.method, "requestBody", "content", "application/json", "schema"], a.request);
    return fault && `${shown(a)}: ${fault}`;
  }).filter(Boolean));

// What the checks above are worth: an answer that lacks a property, or has one more, must not pass.
const objects = answers.filter((a) => a.status < 300 && a.type === "application/json" && !a.path.startsWith("/api/openapi.json"));
report("a-changed-answer-is-noticed", objects.flatMap((a) => {
  const body = JSON.parse(a.body);
  const name = Object.keys(body)[0];
  const { [name]: _, ...less } = body;
  return [less, { ...body, unheard_of: 1 }].filter((changed) => faultOf({ ...a, body: JSON.stringify(changed) }) === null)
    .map((changed) => `${shown(a)}: ${JSON.stringify(changed).slice(0, 100)} passed`);
}));

process.exit(failed ? 1 : 0);
