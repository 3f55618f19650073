// SPDX-License-Identifier: Apache-2.0
// Signs requests with http-message-signatures, which knows nothing of Aegis.
//   node tests/stock/sign.mjs < LINES; each line is JSON: method, url, headers, keyid, secret (base64), nonce, fields
// Prints for each the headers with Signature and Signature-Input, as JSON.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(new URL("../npm/package.json", import.meta.url));
const { createSigner, httpbis } = require("http-message-signatures");

for (const line of readFileSync(0, "utf8").trim().split("\n")) {
  const { method, url, headers, keyid, secret, nonce, fields } = JSON.parse(line);
  const key = createSigner(Buffer.from(secret, "base64"), "hmac-sha256", keyid);
  const config = { key, name: "any", fields, params: ["created", "expires", "nonce", "keyid", "alg"], paramValues: { nonce } };
  console.log(JSON.stringify((await httpbis.signMessage(config, { method, url, headers })).headers));
}
