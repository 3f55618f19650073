// Who is signed in. One user has one session: when it is replaced on another device, this page says so.
import * as api from "./api.js";
import { rememberHere } from "./storage.js";

const POLL = 15_000;
export const RANKS = { 1: "User", 2: "Team lead", 3: "Manager", 4: "Admin" };

let current = null; // { user: { id, rank }, tenant: { id, slug, name }, expires_at }
let leaving = false;

export const session = () => current;
export const rank = () => current?.user.rank ?? 0;
export const isAdmin = () => rank() === 4;

/** Asks the server; null when nobody is signed in. */
export async function load() {
  try {
    current = await api.get("/api/session");
  } catch (error) {
    if (error.status !== 401) throw error;
    current = null;
  }
  return current;
}

/** null when somebody is signed in now; else { challenge, due }: what is asked for besides. */
export async function signIn(tenant, email, password) {
  const answer = await api.post("/api/session", { tenant, email, password });
  if (answer.due) return answer;
  begin(answer);
  return null;
}

/** Where one may sign in besides here: [{ name, title }]. */
export const issuers = async (signal) => (await api.get("/api/issuers", signal)).issuers;

// What the server says comes from an operator; still, a page goes nowhere but by https.
function secure(url) {
  if (new URL(url).protocol !== "https:") throw new TypeError("an issuer is reached by https only");
  return url;
}

/** Leaves for the issuer, which sends the browser back to /login with a code. */
export async function signInAt(name) {
  const { url } = await api.post("/api/session/issuer", { issuer: name });
  location.assign(secure(url));
}

/** What the code of an issuer becomes: as signIn(). The database has it exchanged, and is asked until that is done. */
export async function bringBack({ code, state, iss }, signal) {
  await api.post("/api/session/issuer/code", { code, state, ...(iss ? { iss } : {}) });
  for (let pause = 250; ; pause = Math.min(2 * pause, 2000)) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    if (signal.aborted) return null;
    const answer = await api.post("/api/session/issuer/result", {});
    if (answer.due) return answer;
    if (answer.state === "waiting") continue;
    begin(answer);
    return null;
  }
}

/** The session that a sign-in in steps ended in. */
export function begin({ expires_at, user, tenant }) {
  current = { expires_at, user, tenant };
  leaving = false;
}

/** Where to sign out as well, for who signed in at an issuer; else null. */
export async function signOut() {
  leaving = true;
  let answer = null;
  try {
    answer = await api.remove("/api/session");
  } catch (error) {
    // Signed out already is what was wanted; anything else leaves the session as it is.
    if (error.status !== 401) {
      leaving = false;
      throw error;
    }
  }
  current = null;
  rememberHere("me", null);
  return answer?.url ? secure(answer.url) : null;
}

/** Looks every 15 seconds, and whenever the page is looked at again, whether the session still holds. */
export function watch() {
  const look = async () => {
    if (current === null) return;
    const before = current;
    try {
      const now = await api.get("/api/session");
      // Another tab signed in as somebody else: what this one shows belongs to another person.
      if (current === before && (now.user.id !== before.user.id || now.tenant.id !== before.tenant.id)) location.reload();
      if (current === before) current = now;
    } catch {
      // A 401 is handled where all are; a server that cannot be reached is no reason to sign out.
    }
  };
  setInterval(look, POLL);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && look());
}

/** Calls the action with the reason when any request finds the session gone. */
export function whenGone(action) {
  api.whenSessionEnds((problem) => {
    if (current === null || leaving) return;
    current = null;
    rememberHere("me", null);
    action(problem.name === "session-superseded" ? "signed_in_elsewhere" : "expired");
  });
}
