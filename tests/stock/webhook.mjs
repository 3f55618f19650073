// SPDX-License-Identifier: Apache-2.0
// Signs and verifies webhooks with the providers' own packages, which know nothing of Aegis.
//   node tests/stock/webhook.mjs < LINES; each line is JSON: scheme, secret, body (text or, for adyen, the item), at, id
// Prints for each, as JSON, the headers (for adyen the signature), or for "verify": true whether the package takes it.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(new URL("../npm/package.json", import.meta.url));
const Stripe = require("stripe");
const { Webhook } = require("standardwebhooks");
const { hmacValidator } = require("@adyen/api-library");

const stripe = new (Stripe.default ?? Stripe)("sk_test_not_used");
const adyen = new hmacValidator();

const schemes = {
  stripe: {
    sign: (c) => ({ "stripe-signature": stripe.webhooks.generateTestHeaderString({ payload: c.body, secret: c.secret, timestamp: c.at }) }),
    verify: (c) => stripe.webhooks.constructEvent(c.body, c.headers["stripe-signature"], c.secret, 1e9) !== undefined,
  },
  standard: {
    sign: (c) => ({ "webhook-id": c.id, "webhook-timestamp": String(c.at),
      "webhook-signature": new Webhook(c.secret).sign(c.id, new Date(c.at * 1000), c.body) }),
    // The package refuses what is old, so a published vector is held against what it signs.
    verify: (c) => new Webhook(c.secret).sign(c.headers["webhook-id"], new Date(Number(c.headers["webhook-timestamp"]) * 1000), c.body)
      === c.headers["webhook-signature"],
  },
  adyen: {
    sign: (c) => adyen.calculateHmac(c.body, c.secret),
    verify: (c) => adyen.validateHMAC(c.body, c.secret),
  },
};

for (const line of readFileSync(0, "utf8").trim().split("\n")) {
  const c = JSON.parse(line);
  console.log(JSON.stringify(schemes[c.scheme][c.verify ? "verify" : "sign"](c)));
}
