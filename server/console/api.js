// The only place that talks to the server.
import { Problem } from "./problem.js";

// What is answered 401 without a word about the session.
const NOT_OVER = new Set(["invalid-credentials", "not-confirmed", "challenge-invalid", "step-up-required", "code-required", "link-invalid", "token-invalid"]);

const unreachable = () => new Problem(0, { title: "The server cannot be reached", detail: "Check your connection, then try again." });

let sessionEnded = () => {};

/** The action is given the problem of a 401, whichever request met it. */
export function whenSessionEnds(action) {
  sessionEnded = action;
}

async function send(method, path, { body, signal, key, link } = {}) {
  const headers = { Accept: "application/json, application/problem+json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (key) headers["Idempotency-Key"] = key;
  if (link) headers.Authorization = `Bearer ${link}`;
  const once = () => fetch(path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body),
    credentials: link ? "omit" : "same-origin", cache: "no-store", redirect: "error" });
  let answer;
  try {
    // Under its key the request is done once, however often it arrives: so it may be sent again when the answer got lost.
    answer = await once().catch((error) => (key && error.name !== "AbortError" ? once() : Promise.reject(error)));
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw unreachable();
  }
  if (answer.ok) return answer;
  throw await refusal(answer);
}

async function refusal(answer) {
  const problem = await Problem.of(answer);
  if (problem.status === 401 && !NOT_OVER.has(problem.name)) sessionEnded(problem);
  return problem;
}

async function json(method, path, options) {
  const answer = await send(method, path, options);
  return answer.status === 204 ? null : answer.json();
}

export const get = (path, signal) => json("GET", path, { signal });
// Sign-in takes no key; a second one would end the first.
const keyFor = (path) => (path.startsWith("/api/session") ? undefined : crypto.randomUUID());
export const post = (path, body) => json("POST", path, { body, key: keyFor(path) });

/** Posts what is large and says meanwhile which part of it has gone: progress(0 … 1). fetch() does not tell. */
export function upload(path, body, { signal, progress }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.setRequestHeader("Accept", "application/json, application/problem+json");
    request.setRequestHeader("Content-Type", "application/json");
    request.setRequestHeader("Idempotency-Key", keyFor(path));
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.upload.onload = () => progress(1);
    request.onload = async () => {
      const answer = new Response(request.responseText, { status: request.status, headers: ["Content-Type", "Retry-After"].map((name) => [name, request.getResponseHeader(name)]).filter(([, value]) => value !== null) });
      if (answer.ok) resolve(answer.json());
      else reject(await refusal(answer));
    };
    request.onerror = () => reject(unreachable());
    request.onabort = () => reject(new DOMException("The upload was given up", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    request.send(JSON.stringify(body));
  });
}
/** With the token of a link instead of a session. */
export const postByLink = (path, link, signal) => json("POST", path, { link, signal });
export const getByLink = (path, link, signal) => json("GET", path, { link, signal });
export const put = (path, body) => json("PUT", path, { body });
export const patch = (path, body) => json("PATCH", path, { body });
export const remove = (path) => json("DELETE", path);
export const text = async (path, signal) => (await send("GET", path, { signal })).text();

/** "/api/x?a=1" from parameters; those without a value are left out. */
export function withQuery(path, parameters) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== ""));
  return query.size === 0 ? path : `${path}?${query}`;
}

/** Fetches a file and hands it to the browser under the name that the server gave it; link: the token of one, instead of a session. */
export async function download(path, link) {
  const answer = await send("GET", path, { link });
  const name = /filename="([A-Za-z0-9._-]+)"/.exec(answer.headers.get("content-disposition") ?? "")?.[1] ?? "download";
  save(await answer.blob(), name);
  return name;
}

/** Hands data to the browser as a file. */
export function save(blob, name) {
  const address = URL.createObjectURL(blob);
  const node = document.createElement("a");
  node.href = address;
  node.download = name;
  node.click();
  // The download has its own hold on the data once it has begun.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
