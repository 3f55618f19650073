// The users whom the caller sees, asked for once and kept until something changes them.
import * as api from "./api.js";
import { session } from "./session.js";

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

export const me = async () => (await users()).find((user) => user.id === session()?.user.id) ?? null;
