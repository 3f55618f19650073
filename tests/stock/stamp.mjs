// SPDX-License-Identifier: Apache-2.0
// Asks @sigstore/verify, as it comes from npm, what it makes of a time stamp that an anchor of Aegis keeps.
//
//   node tests/stock/stamp.mjs RESPONSE NOTE SIGNER AUTHORITY
//
// RESPONSE in DER, NOTE the bytes that were stamped, the certificates in PEM. Prints "ok", or why it is refused.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const packages = new URL("../npm/", import.meta.url);
const require = createRequire(new URL("package.json", packages));
const { RFC3161Timestamp, X509Certificate } = require("@sigstore/core");
const { VerificationError } = require("@sigstore/verify");
const { verifyRFC3161Timestamp } = require(fileURLToPath(new URL("node_modules/@sigstore/verify/dist/timestamp/tsa.js", packages)));

const [response, note, signer, authority] = process.argv.slice(2);
const certificate = (file) => X509Certificate.parse(readFileSync(file, "utf8"));
const trusted = {
  certChain: [certificate(signer), certificate(authority)],
  validFor: { start: new Date(0), end: new Date("9999-01-01") },
};
try {
  verifyRFC3161Timestamp(RFC3161Timestamp.parse(readFileSync(response)), readFileSync(note), [trusted]);
  console.log("ok");
} catch (error) {
  if (!(error instanceof VerificationError)) throw error;
  console.log(`refused: ${error.message}`);
}
