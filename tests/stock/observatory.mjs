// SPDX-License-Identifier: Apache-2.0
// MDN's HTTP Observatory, unchanged, looks at a host that is this machine: observatory.mjs HOST HTTP_PORT HTTPS_PORT stands for
// ports 80 and 443 of the host, and prints the grade and the tests as JSON.
import { existsSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import net from "node:net";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

const [host, plain, secure] = process.argv.slice(2);
const ports = { 80: Number(plain), 443: Number(secure) };
const { connect } = net.Socket.prototype;
net.Socket.prototype.connect = function (...given) {
  const options = Array.isArray(given[0]) ? given[0][0] : given[0];
  if (options.host !== host) throw new Error(`a connection to ${options.host}`);
  Object.assign(options, { host: "127.0.0.1", port: ports[options.port] ?? options.port });
  return connect.apply(this, given);
};

const start = createRequire(new URL("../npm/package.json", import.meta.url)).resolve("@mdn/mdn-http-observatory");
// Which hosts browsers never reach without TLS: its installation fetches the list of Chromium. Nobody preloads the host of a test.
const preloaded = join(dirname(dirname(start)), "conf", "hsts-preload.json");
if (!existsSync(preloaded)) writeFileSync(preloaded, "{}\n");
const { scan } = await import(pathToFileURL(start));
const { scan: { grade, score }, tests } = await scan(host);
console.log(JSON.stringify({ grade, score, tests: Object.fromEntries(Object.entries(tests).map(([name, { pass, result }]) => [name, { pass, result }])) }));
