// SPDX-License-Identifier: Apache-2.0
// Runs the example verifier.
//   node tests/stock/verify_request.mjs < LINES; each line is JSON: method, url, headers, body (base64), secrets (key id to base64),
//   since, now. All lines share one memory of nonces for each value of since. Prints true or false for each.
import { readFileSync } from "node:fs";

import { Nonces, verifyRequest } from "../../docs/examples/verify_request.mjs";

const memories = new Map();
for (const line of readFileSync(0, "utf8").trim().split("\n")) {
  const { method, url, headers, body, secrets, since, now } = JSON.parse(line);
  if (!memories.has(since)) memories.set(since, new Nonces(since));
  const decoded = new Map(Object.entries(secrets).map(([id, text]) => [id, Buffer.from(text, "base64")]));
  console.log(verifyRequest({ method, url, headers, body: Buffer.from(body, "base64"), secrets: decoded, nonces: memories.get(since), now }));
}
