// The interface, browsable: what /api/openapi.json says, by subject.
import * as api from "./api.js";
import { h, replace } from "./dom.js";
import { copy, iconButton, pageHead, searchField } from "./parts.js";
import { blank, fill } from "./states.js";
import { count } from "./format.js";
import { resolve, schemaView } from "./schema-view.js";

const METHODS = ["get", "post", "put", "patch", "delete"];

export function apiDocsPage({ signal }) {
  const place = h("div");
  const head = h("div");
  replace(head, pageHead("API", { below: h("span", null, "Everything this console does goes through it. The description itself is at ", h("a", { href: "/api/openapi.json", target: "_blank", rel: "noopener" }, "/api/openapi.json"), ".") }));
  fill(place, () => api.get("/api/openapi.json", signal), (document_) => {
    const list = operations(document_);
    const shown = h("div", { class: "stack" });
    const status = h("p", { class: "small soft", role: "status" });
    const show = (words) => {
      const found = list.filter((operation) => words.toLowerCase().split(/\s+/).every((word) => operation.text.includes(word)));
      replace(status, `${count(found.length, "operation")}, ${document_.info?.title ?? "API"} ${document_.info?.version ?? ""}`);
      replace(shown, found.length === 0 ? blank("search", "No such operation", "Try a part of a path, such as invoices.") : groups(found).map(([name, members]) => group(name, members, document_)));
    };
    show("");
    return h("div", { class: "stack" }, h("div", { class: "toolbar" }, searchField("Find an operation", "Find an operation", "", show), status), shown);
  }, 8);
  return { title: "API", node: h("div", { class: "page page-narrow" }, head, place) };
}

function operations(document_) {
  return Object.entries(document_.paths ?? {}).flatMap(([path, item]) => METHODS.filter((method) => item[method]).map((method) => {
    const operation = item[method];
    return { path, method: method.toUpperCase(), operation, parameters: [...(item.parameters ?? []), ...(operation.parameters ?? [])],
      group: operation.tags?.[0] ?? path.split("/").filter((part) => part && part !== "api")[0] ?? "api", text: `${method} ${path} ${operation.summary ?? ""}`.toLowerCase() };
  }));
}

function groups(list) {
  const byName = new Map();
  for (const operation of list) byName.set(operation.group, [...(byName.get(operation.group) ?? []), operation]);
  return [...byName];
}

const group = (name, members, document_) => h("section", { class: "card", "aria-label": name }, h("div", { class: "card-head" }, h("h2", { class: "api-group" }, name), h("p", null, count(members.length, "operation"))),
  members.map((member) => entry(member, document_)));

// What an operation holds is made when it is opened.
function entry(member, document_) {
  const body = h("div", { class: "api-body" });
  const node = h("details", { class: "api-operation", ontoggle: () => node.open && body.childElementCount === 0 && replace(body, describe(member, document_)) },
    h("summary", null, h("span", { class: `api-method api-${member.method.toLowerCase()}` }, member.method), h("code", { class: "api-path" }, member.path), h("span", { class: "api-summary" }, member.operation.summary ?? "")), body);
  return node;
}

function describe({ path, method, operation, parameters }, document_) {
  const known = parameters.map((parameter) => resolve(parameter, document_));
  const content = resolve(operation.requestBody, document_)?.content;
  const answers = Object.entries(operation.responses ?? {}).map(([status, answer]) => [status, resolve(answer, document_)]);
  return [
    operation.description && h("p", { class: "preserve" }, operation.description),
    operation["x-minimum-rank"] && h("p", { class: "small soft" }, `From rank ${operation["x-minimum-rank"]} on.`),
    known.length > 0 && section("Parameters", h("ul", { class: "schema" }, known.map((parameter) => h("li", null, h("code", { class: "schema-name" }, parameter.name), h("span", { class: "schema-type" }, `${parameter.schema?.type ?? "string"} in ${parameter.in}`), parameter.required && h("span", { class: "schema-required" }, "required"), parameter.description && h("p", { class: "small soft" }, parameter.description))))),
    content && section("Body", Object.entries(content).map(([type, media]) => [h("p", { class: "small soft" }, h("code", null, type)), schemaView(media.schema, document_)])),
    answers.length > 0 && section("Answers", h("div", { class: "stack-small" }, answers.map(([status, answer]) => h("div", { class: "api-answer" }, h("p", null, h("code", { class: `api-status api-status-${status[0]}` }, status), " ", answer?.description ?? ""),
      Object.entries(answer?.content ?? {}).map(([type, media]) => [h("p", { class: "small soft" }, h("code", null, type)), media.schema && schemaView(media.schema, document_)]))))),
    section("Try it", command(method, path, content)),
  ];
}

const section = (name, ...content) => h("section", { class: "stack-small" }, h("h3", null, name), ...content);

function command(method, path, content) {
  const json = content?.["application/json"];
  const text = [`curl -X ${method} '${location.origin}${path}'`, "  -H \"Authorization: Bearer $AEGIS_TOKEN\"", json && "  -H 'Content-Type: application/json'", json && "  -d '{ }'"].filter(Boolean).join(" \\\n");
  return h("div", { class: "code-block" }, h("pre", null, text), iconButton("copy", "Copy the command", () => copy(text, "Command")));
}
