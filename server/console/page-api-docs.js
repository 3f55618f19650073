// The interface, browsable: what /api/openapi.json says, by subject.
import * as api from "./api.js";
import { h, replace } from "./dom.js";
import { codeBlock, pageHead, searchField } from "./parts.js";
import { blank, fill } from "./states.js";
import { count } from "./format.js";
import { example, resolve, schemaView, typeOf } from "./schema-view.js";
import { session } from "./session.js";

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
    return h("div", { class: "stack" }, h("details", { class: "card api-sign-in" }, h("summary", null, "From a shell: sign in, then use the token"), h("div", { class: "card-body stack-small" }, codeBlock(signIn(), "Sign-in"), h("p", { class: "small soft" }, "Signing in there ends your session here: one user has one session."))),
      h("div", { class: "toolbar" }, searchField("Find an operation", "Find an operation", "", show), status), shown);
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

// By subject, in the order of their names; within one by path, reading before writing.
function groups(list) {
  const byName = new Map();
  list.sort((a, b) => a.group.localeCompare(b.group) || a.path.localeCompare(b.path) || METHODS.indexOf(a.method.toLowerCase()) - METHODS.indexOf(b.method.toLowerCase()));
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
  const answers = Object.entries(operation.responses ?? {}).map(([status, answer]) => ({ status, answer: resolve(answer, document_) })).sort((a, b) => a.status.localeCompare(b.status));
  const isProblem = ({ answer }) => answer?.content?.["application/problem+json"] !== undefined;
  return [
    operation.description && h("p", { class: "preserve" }, operation.description),
    known.length > 0 && section("Parameters", h("ul", { class: "schema" }, known.map((parameter) => h("li", null, h("code", { class: "schema-name" }, parameter.name), h("span", { class: "schema-type" }, `${typeOf(resolve(parameter.schema, document_) ?? {})} in ${parameter.in}`), parameter.required && h("span", { class: "schema-required" }, "required"), parameter.description && h("p", { class: "small soft" }, parameter.description))))),
    content && section("Body", Object.values(content).map((media) => schemaView(media.schema, document_))),
    section("Answer", answers.filter((one) => !isProblem(one)).map(({ status, answer }) => h("div", { class: "api-answer" }, h("p", null, statusCode(status), " ", answer?.description ?? "", Object.keys(answer?.content ?? {}).filter((type) => type !== "application/json").map((type) => [" ", h("code", null, type)])),
      Object.entries(answer?.content ?? {}).filter(([type]) => type === "application/json").map(([, media]) => schemaView(media.schema, document_))))),
    answers.some(isProblem) && section("Problems", h("ul", { class: "api-problems" }, answers.filter(isProblem).map(({ status, answer }) => h("li", null, statusCode(status), " ", h("span", { class: "soft" }, answer.description))))),
    section("Try it", command(method, path, operation, known, content, document_)),
  ];
}

const statusCode = (status) => h("code", { class: `api-status api-status-${status[0]}` }, status);

const section = (name, ...content) => h("section", { class: "stack-small" }, h("h3", null, name), ...content);

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function command(method, path, operation, parameters, content, document_) {
  const schema = content?.["application/json"]?.schema;
  const query = parameters.filter((parameter) => parameter.in === "query" && parameter.required).map((parameter) => `${parameter.name}=${example(parameter.schema, document_)}`).join("&");
  const lines = [`curl -X ${method} ${quoted(location.origin + path + (query && `?${query}`))}`, operation.security?.length !== 0 && '  -H "Authorization: Bearer $AEGIS_TOKEN"',
    schema && "  -H 'Content-Type: application/json'", schema && `  -d ${quoted(JSON.stringify(example(schema, document_)))}`];
  return codeBlock(lines.filter(Boolean).join(" \\\n"), "Command");
}

const signIn = () => `AEGIS_TOKEN=$(curl -s ${quoted(`${location.origin}/api/session`)} -H 'Content-Type: application/json' \\\n  -d ${quoted(JSON.stringify({ tenant: session().tenant.slug, email: "YOU", password: "PASSWORD", token: true }))} | jq -r .token)`;
