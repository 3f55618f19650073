// SPDX-License-Identifier: Apache-2.0
// Verifies a request that Aegis signed with aegis.sign_request(), or forwarded for a caller. Copy it; it needs Node.js only.
//
// The form is docs/format/http-signature-v1.md, "Requests that leave". It is read exactly: whatever is spelled otherwise
// did not come from Aegis.
import { createHash, createHmac, timingSafeEqual } from "node:crypto";

const WINDOW = 300; // seconds that clocks may differ, either way
const INPUT = new RegExp(
  '^aegis=(\\("@method" "@target-uri"( "aegis-caller")?( "content-digest")?\\)' +
    ';created=([0-9]{1,15});nonce="([A-Za-z0-9._~+/=-]{16,64})";keyid="([A-Za-z0-9._-]{1,64})"' +
    ';alg="hmac-sha256";tag="aegis-outbound")$',
);
const SIGNATURE = /^aegis=:([A-Za-z0-9+/]{43}=):$/;

/** Nonces in the memory of one process. Several processes need a shared place that adds and tests in one step.
 *  What it forgets when it starts must not be accepted: requests older than the start plus the window are refused. */
export class Nonces {
  constructor(now = Date.now() / 1000) {
    this.since = now;
    this.seen = new Map();
  }

  isNew(key, created, now) {
    if (created <= this.since + WINDOW) return false;
    for (const [known, until] of this.seen) if (until < now) this.seen.delete(known);
    if (this.seen.has(key)) return false;
    this.seen.set(key, created + WINDOW);
    return true;
  }
}

/** True when the request came from Aegis, and for the first time. What the field aegis-caller says is then true; without the
 *  field it came from Aegis itself, for nobody.
 *  method, url  as received; url with scheme and host as the service is called by Aegis, path and query not decoded
 *  headers      object with names in lower case, as node:http gives it
 *  body         Buffer, empty for none
 *  secrets      Map of key id to secret (Buffer, decoded from base64); two while a secret is being replaced
 *  nonces       new Nonces(), kept for the life of the process */
export function verifyRequest({ method, url, headers, body, secrets, nonces, now = Date.now() / 1000 }) {
  const given = INPUT.exec(headers["signature-input"] ?? "");
  const signature = SIGNATURE.exec(headers["signature"] ?? "");
  if (!given || !signature) return false;
  const [, parameters, coversCaller, coversDigest, created, nonce, keyId] = given;
  if (Boolean(coversCaller) !== "aegis-caller" in headers) return false;
  const digest = `sha-256=:${createHash("sha256").update(body).digest("base64")}:`;
  if (Boolean(coversDigest) !== body.length > 0) return false;
  if (body.length > 0 && headers["content-digest"] !== digest) return false;
  let base = `"@method": ${method}\n"@target-uri": ${url}\n`;
  if (coversCaller) base += `"aegis-caller": ${headers["aegis-caller"]}\n`;
  if (body.length > 0) base += `"content-digest": ${digest}\n`;
  base += `"@signature-params": ${parameters}`;
  const wanted = createHmac("sha256", secrets.get(keyId) ?? Buffer.alloc(0)).update(base).digest();
  const matches = timingSafeEqual(wanted, Buffer.from(signature[1], "base64"));
  if (!matches || !secrets.has(keyId) || Math.abs(Number(created) - now) > WINDOW) return false;
  return nonces.isNew(`${keyId} ${nonce}`, Number(created), now);
}
