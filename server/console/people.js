// The users whom the caller sees, asked for once and kept until something changes them.
import * as api from "./api.js";
import { session } from "./session.js";
import { recallHere, rememberHere } from "./storage.js";

let known = null;
let owner = null;

export function users() {
  const who = session()?.user.id;
  if (known === null || owner !== who) {
    owner = who;
    known = api.get("/api/users").then((answer) => answer.users);
    known.catch(() => { known = null; });
  }
  return known;
}

export const forgetUsers = () => { known = null; };

/**
 * The own name. Asking for users reveals all that one may see, which is recorded; so the name is kept
 * as long as the tab and the session last, and nobody is revealed just because a page was opened.
 */
export async function myName() {
  const who = session()?.user.id;
  const kept = recallHere("me")?.split("\n");
  if (kept?.[0] === who) return kept[1];
  const name = (await users()).find((user) => user.id === who)?.name ?? null;
  if (name !== null) rememberHere("me", `${who}\n${name}`);
  return name;
}
