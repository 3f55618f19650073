// The peer of the area "gateway": fastify with pg over TLS, doing for each request what Aegis does: look the
// session up by the SHA-256 of its token, set the context, read one row under row-level security, answer JSON.
//
//   node fastify_pg.mjs PACKAGES PORT KEY CERTIFICATE SOCKET DATABASE
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const [packages, port, key, certificate, socket, database] = process.argv.slice(2);
const require = createRequire(packages);
const fastify = require('fastify');
const { Pool } = require('pg');

const pool = new Pool({ host: socket, database, user: 'app', max: 10 });
const server = fastify({ https: { key: readFileSync(key), cert: readFileSync(certificate), minVersion: 'TLSv1.3' } });

function token(request) {
  const given = /^Bearer ([A-Za-z0-9_.-]+)$/.exec(request.headers.authorization ?? '');
  return given && createHash('sha256').update(given[1]).digest();
}

// As it is usually written: a transaction of five statements, each a round trip.
server.get('/items/:id', async (request, reply) => {
  const hash = token(request);
  if (!hash) return reply.code(401).send({ title: 'no credential' });
  const client = await pool.connect();
  try {
    await client.query('BEGIN READ ONLY');
    const session = await client.query({
      name: 'session', text: 'SELECT user_id, tenant_id FROM session WHERE token_hash = $1 AND expires_at > now()', values: [hash] });
    if (session.rowCount !== 1) {
      await client.query('ROLLBACK');
      return reply.code(401).send({ title: 'session is not valid' });
    }
    await client.query({ name: 'context', text: "SELECT set_config('app.tenant', $1, true)", values: [session.rows[0].tenant_id] });
    const item = await client.query({ name: 'item', text: 'SELECT id, n, body FROM item WHERE id = $1', values: [request.params.id] });
    await client.query('COMMIT');
    return item.rowCount === 1 ? item.rows[0] : reply.code(404).send({ title: 'not found' });
  } finally {
    client.release();
  }
});

// As it could be written: one function does all of it in one round trip.
server.get('/call/:id', async (request, reply) => {
  const hash = token(request);
  if (!hash) return reply.code(401).send({ title: 'no credential' });
  const done = await pool.query({ name: 'call', text: 'SELECT read_item($1, $2) AS item', values: [hash, request.params.id] });
  return done.rows[0].item ?? reply.code(404).send({ title: 'not found' });
});

// A sign-in, as it is usually written: the database checks the hash, in the pool that serves everybody.
server.post('/login', async (request, reply) => {
  const { email, password } = request.body;
  const done = await pool.query({ name: 'login', text: 'SELECT crypt($2, hash) = hash AS same FROM login WHERE email = $1', values: [email, password] });
  return done.rows[0]?.same ? reply.code(201).send({ status: 'ok' }) : reply.code(401).send({ title: 'wrong' });
});

server.get('/constant', async () => ({ status: 'ok' }));

await server.listen({ host: '127.0.0.1', port: Number(port) });
