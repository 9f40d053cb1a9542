// The JSON API over HTTP, of a shop whose stock the test makes up.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { test } from 'node:test';

import { Api } from '../../../services/storefront/server/api.js';
import { readConfig } from '../../../services/storefront/server/config.js';
import { DatabaseClock } from '../../../services/storefront/clock.js';
import { Fanout } from '../../../services/storefront/server/fanout.js';
import { addressOf } from '../../../services/storefront/server/http.js';
import { Limiter } from '../../../services/storefront/server/limiter.js';
import { makeMetrics } from '../../../services/storefront/server/metrics.js';
import { Shelf } from '../../../services/storefront/server/shelf.js';

const MUG = { sku: 'MUG', name: 'A mug', price: 250, category: 'Home' };

// Gives `work` a shop that is open: { get(path, headers), shelf, clock }.
async function withShop(work, settings = {}) {
  const config = readConfig({ STOREFRONT_COHORTS: '', ...settings });
  const shelf = new Shelf();
  const clock = new DatabaseClock();
  const fanout = new Fanout(shelf, { level: (level) => level, pulse: () => ({ trueThrough: shelf.trueThrough }) });
  const stock = { call: async (method) => (method === 'GetLocation' ? { location: { id: 'LON' } } : {
    levels: [{ key: { sku: 'MUG' }, exists: true, counts: { available: 3 }, version: 1, provenance: { layer: 'LAYER_MEMORY' } }],
    provenance: { trail: [] },
  }) };
  const api = new Api({
    config, stock, clock, shelf, products: new Map([['MUG', MUG]]), fanouts: new Map([['', fanout]]),
    limiter: new Limiter(config.callsPerSecond, 2 * config.callsPerSecond), metrics: makeMetrics(), log: () => {},
  });
  const server = http.createServer((request, response) => void api.handle(request, response, new URL(request.url, 'http://shop')));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const get = async (path, headers = {}) => {
    const request = http.get({ port: server.address().port, host: '127.0.0.1', path, headers, agent: false });
    const [response] = await once(request, 'response');
    const close = () => request.destroy();
    if (response.headers['content-type'] === 'text/event-stream') return { status: response.statusCode, close };
    return { status: response.statusCode, headers: response.headers, body: JSON.parse(Buffer.concat(await response.toArray())) };
  };
  try {
    await work({ get, shelf, clock });
  } finally {
    fanout.stop();
    server.closeAllConnections();
    server.close();
  }
}
const level = { sku: 'MUG', exists: true, available: 3, version: 1, layer: 'memory', asOf: 1, trueThrough: 1, offer: null };

test('a shop that knows of no shelves yet is not open, rather than empty', () => withShop(async ({ get, shelf }) => {
  const { status, body, headers } = await get('/api/products');
  assert.deepEqual([status, body.code, headers['retry-after']], [503, 'NOT_OPEN', '1']);
  shelf.put(level);
  const open = await get('/api/products');
  assert.deepEqual([open.status, open.body.products.map(({ sku }) => sku)], [200, ['MUG']]);
}));

test('each answer says what the database\'s clock reads at most, once that is known', () => withShop(async ({ get, clock }) => {
  assert.equal((await get('/api/nothing')).headers['database-time'], undefined);
  clock.learn(70_000, 0, clock.now());
  const { status, headers } = await get('/api/nothing');
  assert.equal(status, 404);
  assert.ok(Number(headers['database-time']) >= 70_000 && Number(headers['database-time']) <= Math.ceil(clock.read()), headers['database-time']);
}));

test('streams are counted by visitor and by address, and a closed one is no more', () => withShop(async ({ get }) => {
  const visitor = (name) => ({ cookie: `visitor=${name.repeat(22)}` });
  const open = [await get('/api/events', visitor('a')), await get('/api/events', visitor('a'))];
  assert.deepEqual(open.map(({ status }) => status), [200, 200]);
  const refused = await get('/api/events', visitor('a'));
  assert.deepEqual([refused.status, refused.body.code], [429, 'TOO_MANY_STREAMS']);
  open.push(await get('/api/events', visitor('b')));
  assert.equal((await get('/api/events', visitor('c'))).status, 429, 'another cookie is no other address');
  open[0].close();
  for (const end = Date.now() + 20_000; ;) {
    const again = await get('/api/events', visitor('a'));
    if (again.status === 200) break;
    assert.ok(Date.now() < end, 'the closed stream is still counted');
  }
}, { STOREFRONT_STREAMS_PER_VISITOR: '2', STOREFRONT_STREAMS_PER_ADDRESS: '3', STOREFRONT_CALLS_PER_SECOND: '10000' }));

test('of a trusted proxy, whom it forwards for is taken; of others, nothing', () => {
  const { trustedProxies } = readConfig({ STOREFRONT_TRUSTED_PROXIES: '127.0.0.1,10.0.0.0/8,fd00::/8' });
  const from = (remoteAddress, forwarded) => addressOf({ socket: { remoteAddress }, headers: { 'x-forwarded-for': forwarded } }, trustedProxies);
  assert.equal(from('127.0.0.1', '192.0.2.7'), '192.0.2.7');
  assert.equal(from('::ffff:127.0.0.1', '192.0.2.7'), '192.0.2.7');
  assert.equal(from('fd00::1', '2001:db8::7, 10.1.2.3'), '2001:db8::7');
  assert.equal(from('127.0.0.1', '198.51.100.9, 192.0.2.7'), '192.0.2.7', 'what it was told itself is of nobody that is trusted');
  assert.equal(from('192.0.2.7', '127.0.0.1'), '192.0.2.7');
  assert.equal(from('127.0.0.1', undefined), '127.0.0.1');
  assert.equal(from('127.0.0.1', 'unknown'), '127.0.0.1');
});
