// SPDX-License-Identifier: Apache-2.0
// Reads content security policies, one a line, and prints what Google's csp_evaluator finds in each as JSON.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(new URL("../npm/package.json", import.meta.url));
const { CspEvaluator } = require("csp_evaluator/dist/evaluator.js");
const { CspParser } = require("csp_evaluator/dist/parser.js");

for await (const policy of createInterface({ input: process.stdin })) {
  const findings = new CspEvaluator(new CspParser(policy).csp).evaluate();
  console.log(JSON.stringify(findings.map(({ directive, value, severity, description }) => ({ directive, value, severity, description }))));
}
