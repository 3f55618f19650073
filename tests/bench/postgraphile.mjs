// Another peer of the area "gateway": PostGraphile over TLS, which makes a GraphQL API of the tables. For each request the
// session is looked up by the SHA-256 of its token, and PostGraphile sets the context and reads one row under row-level security.
//
//   node postgraphile.mjs PACKAGES PORT KEY CERTIFICATE SOCKET DATABASE
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { createRequire } from 'node:module';

const [packages, port, key, certificate, socket, database] = process.argv.slice(2);
const require = createRequire(packages);
const { Pool } = require('pg');
const { postgraphile } = require('postgraphile');

const pool = new Pool({ host: socket, database, user: 'app', max: 10 });

class Refused extends Error {
  status = 401;
}

async function settings(request) {
  const given = /^Bearer ([A-Za-z0-9_.-]+)$/.exec(request.headers.authorization ?? '');
  if (!given) throw new Refused('no credential');
  const session = await pool.query({
    name: 'session', text: 'SELECT tenant_id FROM session WHERE token_hash = $1 AND expires_at > now()',
    values: [createHash('sha256').update(given[1]).digest()] });
  if (session.rowCount !== 1) throw new Refused('session is not valid');
  return { 'app.tenant': session.rows[0].tenant_id };
}

const answer = postgraphile(pool, 'public', { pgSettings: settings, graphiql: false, disableQueryLog: true });
createServer({ key: readFileSync(key), cert: readFileSync(certificate), minVersion: 'TLSv1.3' }, answer).listen(Number(port), '127.0.0.1');
