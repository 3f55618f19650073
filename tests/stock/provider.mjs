// SPDX-License-Identifier: Apache-2.0
// oidc-provider from npm, a certified OpenID provider, over https on this machine. Three things are ours, and no part of it:
//   POST /test/rotate   signs with another set of keys from now on; {"keep": true} still publishes the one before
//   POST /test/client   registers a client that proves itself with its key: {"client", "jwk", "redirect"}
//   POST /test/sign     signs {"header", "claims"} with its key, for tokens that the provider would never give
//   provider.mjs CERTIFICATE KEY PORT-FILE
import { generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const require = createRequire(new URL('../npm/package.json', import.meta.url));
const { default: Provider } = await import(pathToFileURL(require.resolve('oidc-provider')));

const [certificate, key, portFile] = process.argv.slice(2);
const people = {
  alice: { org: 'acme', roles: ['boss'] },
  bob: { org: 'acme', roles: ['reader'] },
  eve: { org: 'globex', roles: ['boss'] },
};

let generation = 0;
function makeKeys() {
  generation += 1;
  const made = (kind, options, alg) => {
    const pair = generateKeyPairSync(kind, options);
    return { ...pair.privateKey.export({ format: 'jwk' }), kid: `${alg.toLowerCase()}-${generation}`, alg, use: 'sig' };
  };
  return [made('rsa', { modulusLength: 2048 }, 'RS256'), made('rsa', { modulusLength: 2048 }, 'PS256'),
    made('ec', { namedCurve: 'P-256' }, 'ES256'), made('ed25519', {}, 'EdDSA')];
}

let issuer, keys, current, consoles = [];
function makeProvider(published) {
  const resource = (alg) => ({ scope: 'api', audience: 'aegis-api', accessTokenTTL: 600, accessTokenFormat: 'jwt', jwt: { sign: { alg } } });
  current = new Provider(issuer, {
    clients: [...consoles, { client_id: 'app', token_endpoint_auth_method: 'none', redirect_uris: ['https://app.example.test/callback'] }],
    jwks: { keys: published },
    claims: { openid: ['sub', 'org', 'roles'] },
    conformIdTokenClaims: false,
    cookies: { keys: ['of this test alone'] },
    pkce: { required: () => true, methods: ['S256'] },
    enabledJWA: { idTokenSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA'] },
    findAccount: (context, id) => ({ accountId: id, claims: () => ({ sub: id, ...people[id] }) }),
    extraTokenClaims: (context, token) => ({ sid: token.sessionUid, ...people[token.accountId] }),
    features: {
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => 'urn:api:RS256',
        useGrantedResource: () => true,
        getResourceServerInfo: (context, indicator) => resource(indicator.split(':').pop()),
      },
    },
  }).callback();
}

// What JOSE wants of a signature, by node's own crypto.
function signed({ header, claims }) {
  const with_ = keys.find((one) => one.alg === header.alg) ?? keys.find((one) => one.kid === header.kid) ?? keys[0];
  const head = { alg: with_.alg, kid: with_.kid, typ: 'at+jwt', ...header };
  const text = [head, claims].map((part) => Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')).join('.');
  const private_ = { key: with_, format: 'jwk', dsaEncoding: 'ieee-p1363', ...(with_.alg === 'PS256' ? { padding: 6, saltLength: 32 } : {}) };
  const bytes = sign(with_.alg === 'EdDSA' ? null : 'sha256', Buffer.from(text), private_);
  return `${text}.${bytes.toString('base64url')}`;
}

async function bodyOf(request) {
  let text = '';
  for await (const chunk of request) text += chunk;
  return JSON.parse(text || '{}');
}

const server = createServer({ cert: readFileSync(certificate), key: readFileSync(key), minVersion: 'TLSv1.3' }, async (request, response) => {
  try {
    if (request.url === '/test/rotate') {
      const { keep } = await bodyOf(request);
      const before = keys;
      keys = makeKeys();
      makeProvider(keep ? [...keys, ...before] : keys);
      response.end(JSON.stringify(keys.map((one) => one.kid)));
    } else if (request.url === '/test/client') {
      const { client, jwk, redirect } = await bodyOf(request);
      consoles = [{ client_id: client, token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_signing_alg: 'ES256', jwks: { keys: [jwk] },
        redirect_uris: [redirect], post_logout_redirect_uris: [redirect] }];
      makeProvider(keys);
      response.end('{}');
    } else if (request.url === '/test/sign') {
      response.end(signed(await bodyOf(request)));
    } else {
      current(request, response);
    }
  } catch (error) {
    response.statusCode = 500;
    response.end(String(error));
  }
});
server.listen(0, '127.0.0.1', () => {
  issuer = `https://localhost:${server.address().port}`;
  keys = makeKeys();
  makeProvider(keys);
  writeFileSync(`${portFile}.new`, String(server.address().port));
  renameSync(`${portFile}.new`, portFile);
});
