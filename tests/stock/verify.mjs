// SPDX-License-Identifier: Apache-2.0
// Asks @sigstore/verify, as it comes from npm, what it makes of signed checkpoints and inclusion proofs of Aegis.
//
//   node tests/stock/verify.mjs < cases
//
// One case a line, in JSON: {"name", "wanted": "ok" or "refused", "index", "size", "proof": [base64], "leaf_data": base64,
// "root": base64, "note" and "vkey" when a checkpoint goes with it}. The package's two modules are called as its own verifier
// calls them, on what the caller holds: leaf, proof, and the log's key. Prints "ok NAME" and "not ok NAME".
import { createPublicKey } from "node:crypto";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const packages = new URL("../npm/", import.meta.url);
const require = createRequire(new URL("package.json", packages));
const inside = (file) => require(fileURLToPath(new URL(`node_modules/@sigstore/verify/dist/timestamp/${file}`, packages)));
const { verifyCheckpoint } = inside("checkpoint.js");
const { verifyMerkleInclusion } = inside("merkle.js");
const { VerificationError } = require("@sigstore/verify");

// DER in front of the 32 bytes of an Ed25519 key (RFC 8410).
const SPKI = Buffer.from("302a300506032b6570032100", "hex");

function authority(vkey) {
  const [, id, base64] = vkey.match(/^[^+]+\+([0-9a-f]{8})\+(.+)$/);
  const key = Buffer.from(base64, "base64");
  if (key.length !== 33 || key[0] !== 1) throw new Error(`not the vkey of an Ed25519 key: ${vkey}`);
  return {
    // The package finds a key by the first four bytes of its log's id: in a signed note, those of the key's id.
    logID: Buffer.from(id, "hex"),
    publicKey: createPublicKey({ key: Buffer.concat([SPKI, key.subarray(1)]), format: "der", type: "spki" }),
    validFor: { start: new Date(0), end: new Date("9999-01-01") },
  };
}

function verify(input) {
  const entry = {
    integratedTime: String(Math.floor(Date.now() / 1000)),
    canonicalizedBody: Buffer.from(input.leaf_data, "base64"),
    inclusionProof: {
      checkpoint: { envelope: input.note },
      logIndex: String(input.index),
      treeSize: String(input.size),
      hashes: input.proof.map((hash) => Buffer.from(hash, "base64")),
      rootHash: Buffer.from(input.root, "base64"),
    },
  };
  try {
    verifyMerkleInclusion(entry);
    if (input.note !== undefined) verifyCheckpoint(entry, [authority(input.vkey)]);
    return "ok";
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    return `refused: ${error.message}`;
  }
}

let seen = 0;
for (const line of readFileSync(0, "utf8").split("\n")) {
  if (line === "") continue;
  const input = JSON.parse(line);
  const said = verify(input);
  console.log(`${said.split(":")[0] === input.wanted ? "ok" : "not ok"} stock: ${input.name} (${said})`);
  seen += 1;
}
if (seen === 0) console.log("not ok stock: there was no case");
