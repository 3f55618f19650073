// The only place that talks to the server.
import { Problem } from "./problem.js";

// What is answered 401 without a word about the session.
const NOT_OVER = new Set(["invalid-credentials", "not-confirmed", "challenge-invalid", "step-up-required"]);

let sessionEnded = () => {};

/** The action is given the problem of a 401, whichever request met it. */
export function whenSessionEnds(action) {
  sessionEnded = action;
}

async function send(method, path, { body, signal } = {}) {
  const headers = { Accept: "application/json, application/problem+json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin", cache: "no-store", redirect: "error" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { title: "The server cannot be reached", detail: "Check your connection, then try again." });
  }
  if (answer.ok) return answer;
  const problem = await Problem.of(answer);
  if (problem.status === 401 && !NOT_OVER.has(problem.name)) sessionEnded(problem);
  throw problem;
}

async function json(method, path, options) {
  const answer = await send(method, path, options);
  return answer.status === 204 ? null : answer.json();
}

export const get = (path, signal) => json("GET", path, { signal });
export const post = (path, body) => json("POST", path, { body });
export const put = (path, body) => json("PUT", path, { body });
export const patch = (path, body) => json("PATCH", path, { body });
export const remove = (path) => json("DELETE", path);
export const text = async (path, signal) => (await send("GET", path, { signal })).text();

/** "/api/x?a=1" from parameters; those without a value are left out. */
export function withQuery(path, parameters) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== ""));
  return query.size === 0 ? path : `${path}?${query}`;
}

/** Fetches a file and hands it to the browser under the name that the server gave it. */
export async function download(path) {
  const answer = await send("GET", path);
  const name = /filename="([A-Za-z0-9._-]+)"/.exec(answer.headers.get("content-disposition") ?? "")?.[1] ?? "download";
  const address = URL.createObjectURL(await answer.blob());
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  // The download has its own hold on the data once it has begun.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
  return name;
}
