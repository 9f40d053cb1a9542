// The small parts of the backend: configuration, products, limits, time, and what a report may hold.

import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { BadRequest } from '../../../services/storefront/server/checks.js';
import { DatabaseClock } from '../../../services/storefront/clock.js';
import { readConfig } from '../../../services/storefront/server/config.js';
import { milliseconds, protobufTime } from '../../../services/storefront/server/levels.js';
import { Limiter } from '../../../services/storefront/server/limiter.js';
import { Orders } from '../../../services/storefront/server/orders.js';
import { parseCsv, readProducts } from '../../../services/storefront/server/products.js';
import { productsOf } from '../../../services/storefront/products-of-sales.js';
import { TestimonyDesk } from '../../../services/storefront/server/testimony.js';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');

test('the environment is checked', () => {
  assert.equal(readConfig({}).target, 'ipv4:127.0.0.1:7070');
  assert.equal(readConfig({ STOREFRONT_STOCK: '10.0.0.1:7070,10.0.0.2:7070' }).target, 'ipv4:10.0.0.1:7070,10.0.0.2:7070');
  assert.equal(readConfig({ STOREFRONT_STOCK: 'stockd:7070' }).target, 'dns:///stockd:7070');
  assert.deepEqual(readConfig({ STOREFRONT_COHORTS: '' }).cohorts, []);
  for (const [name, value] of [
    ['STOREFRONT_STOCK', 'a:1,b:2'], ['STOREFRONT_STOCK', 'a'], ['STOREFRONT_LISTEN', '127.0.0.1:99999'], ['STOREFRONT_COHORTS', 'A B'],
    ['STOREFRONT_HOLD_SECONDS', '0'], ['STOREFRONT_HOLD_SECONDS', '15m'], ['STOREFRONT_HOLDSECONDS', '900'],
    ['STOREFRONT_TRUSTED_PROXIES', 'proxy'], ['STOREFRONT_TRUSTED_PROXIES', '10.0.0.0/33'],
  ]) assert.throws(() => readConfig({ [name]: value }), new RegExp(name), `${name}=${value}`);
});

test('the shipped products are those of the sample', async () => {
  const products = readProducts(path.join(ROOT, 'services/storefront/products.csv'));
  const { readFileSync } = await import('node:fs');
  const sample = new Map(parseCsv(readFileSync(path.join(ROOT, 'deploy/local/sample/catalogue.csv'), 'utf8'))
    .map(([sku, , , , description]) => [sku, description]));
  assert.equal(products.size, 297);
  for (const { sku, name } of products.values()) assert.equal(name, sample.get(sku), sku);
});

test('of sales, the products are what was sold for money, by its last name and price', () => {
  const sales = 'InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice\n' +
    '1,85123A,OLD NAME,6,d,2.55\n2,85123A,"HEART, WHITE",6,d,2.95\n3,85123A,,1,d,0.0\n4,POST,POSTAGE,1,d,18.00\n5,22000,damaged,-5,d,0\n';
  assert.deepEqual([...productsOf(sales).values()], [['85123A', 'HEART, WHITE', 295, 'Home']]);
  assert.throws(() => productsOf('a,b\n1,2\n'), /no sales/);
});

test('CSV is read with its quotes', () => {
  assert.deepEqual(parseCsv('a,b\r\n"c, ""d""",\n\n"e\nf",g'), [['a', 'b'], ['c, "d"', ''], ['e\nf', 'g']]);
});

test('a client has so many calls at once and so many a second, whatever others do', () => {
  let now = 0;
  const limiter = new Limiter(2, 4, () => now);
  assert.deepEqual(Array.from({ length: 5 }, () => limiter.take('a')), [true, true, true, true, false]);
  assert.equal(limiter.take('b'), true);
  now = 499;
  assert.equal(limiter.take('a'), false);
  now = 1000;
  assert.deepEqual([limiter.take('a'), limiter.take('a'), limiter.take('a')], [true, true, false]);
});

test('an age is never less than what has gone by', () => {
  let now = 1000;
  const clock = new DatabaseClock(() => now);
  assert.equal(clock.age(1), null);
  clock.learn(50_000, 2, 900); // asked at 900, read at some time until 1000
  assert.equal(clock.age(50_000), 102);
  clock.learn(50_095, 0, 990);
  assert.equal(clock.age(50_000), 105 - 3, 'the answer that bounds best counts');
  now = 2000;
  assert.equal(clock.age(50_000), 1102);
  assert.equal(clock.age(99_999), 0);
  assert.equal(clock.read(), 51_102);
  assert.deepEqual([clock.hasRead(51_102), clock.age(50_000)], [true, 1102]);
  assert.deepEqual([clock.hasRead(51_103), clock.age(50_000), clock.hasRead(0)], [false, null, false], 'what has yet to come');
  clock.learn(50_000, 0, 2000);
  clock.forget();
  assert.equal(clock.age(50_000), null);
});

test('instants survive the way to and from the wire', () => {
  for (const ms of [0, 1, 1795550294553, 999]) assert.equal(milliseconds(protobufTime(ms)), ms);
});

const report = (more = {}, claim = {}) => ({
  witness: 'storefront', instance: 'tab-1', sentAt: 2000,
  claims: [{ sku: 'A', exists: true, available: 3, version: 4, believedSince: 1000, trueThrough: 1500, age: 500, ...claim }], ...more,
});

test('a report is forwarded as the page said it, and its verdict comes back', async () => {
  const calls = [];
  const counted = [];
  const stock = { call: async (method, request) => {
    calls.push([method, request]);
    return { judged: [{ finding: { verdict: 'VERDICT_STALE', words: 'it was so' } }] };
  } };
  const desk = new TestimonyDesk(stock, new Map([['A', {}]]), 'LON', (...all) => counted.push(all));
  assert.deepEqual(await desk.submit(report()), [{ sku: 'A', verdict: 'stale', words: 'it was so' }]);
  const at = (seconds, nanos = 0) => ({ seconds, nanos });
  assert.deepEqual(calls, [['SubmitTestimonies', {
    sent_at: at(2),
    testimonies: [{
      witness: 'storefront', instance: 'tab-1', key: { sku: 'A', location: 'LON' }, available: 3, version: 4,
      believed_since: at(1), true_through: at(1, 500_000_000), age: at(0, 500_000_000),
    }],
  }]]);
  assert.deepEqual(counted, [['storefront', 'forwarded', 1]]);
  await desk.submit(report({}, { exists: false }));
  assert.deepEqual([calls[1][1].testimonies[0].absent, calls[1][1].testimonies[0].available], [true, undefined]);
});

test('what is no report is refused before it is forwarded', async () => {
  const desk = new TestimonyDesk({ call: () => assert.fail() }, new Map([['A', {}]]), 'LON', () => {});
  for (const wrong of [
    null, [], 'x', report({ witness: 'primary' }), report({ instance: '' }), report({ instance: 'a b' }), report({ sentAt: 'now' }),
    report({ claims: [] }), report({ claims: Array(51).fill(report().claims[0]) }), report({}, { sku: 'B' }), report({}, { exists: 1 }),
    report({}, { available: 1.5 }), report({}, { version: -1 }), report({}, { age: -1 }), report({}, { believedSince: 1e300 }),
  ]) await assert.rejects(desk.submit(wrong), BadRequest, JSON.stringify(wrong)?.slice(0, 120));
});

test('more reports than can be forwarded are refused, and counted', async () => {
  const counted = [];
  let answer;
  const stock = { call: () => new Promise((resolve) => { answer = resolve; }) };
  const desk = new TestimonyDesk(stock, new Map([['A', {}]]), 'LON', (...all) => counted.push(all));
  for (let i = 0; i < 8; i++) void desk.submit(report());
  assert.equal(await desk.submit(report()), null);
  assert.deepEqual(counted, [['storefront', 'refused', 1]]);
  answer({ judged: [] });
});

const REQUEST = '11111111-2222-4333-8444-555555555555';

test('a hold is its maker\'s alone', async () => {
  const made = [];
  const stock = { call: async (method, request) => {
    if (method === 'CreateReservation') made.push(request);
    if (method === 'GetReservation') return { reservation: { id: REQUEST, actor: made[0].context.actor, state: 'RESERVATION_STATE_HELD', lines: [], etag: '1' } };
    if (method === 'BatchGetStockLevels') return { levels: [] };
    return { reservation: { id: REQUEST, state: 'RESERVATION_STATE_HELD', lines: [] } };
  } };
  const orders = new Orders(stock, new Map([['A', {}]]), { location: 'LON', holdSeconds: 900 });
  await orders.reserve('me', '', { requestId: REQUEST, lines: [{ sku: 'A', quantity: 1 }, { sku: 'A', quantity: 2 }] });
  assert.deepEqual(made[0].lines, [{ key: { sku: 'A', location: 'LON' }, quantity: 3 }]);
  assert.doesNotMatch(made[0].context.actor, /\bme\b/);
  for (const call of [(who) => orders.commit(who, REQUEST, { requestId: REQUEST, etag: '1' }), (who) => orders.release(who, REQUEST, { requestId: REQUEST }), (who) => orders.get(who, REQUEST)]) {
    await call('me');
    await assert.rejects(call('you'), { code: 'RESERVATION_NOT_FOUND', status: 404 });
  }
});

test('what is ordered is what the page has seen', async () => {
  const committed = [];
  let present = { state: 'RESERVATION_STATE_HELD', etag: '1' };
  let actor;
  const stock = { call: async (method, request) => {
    if (method === 'CreateReservation') actor = request.context.actor;
    if (method === 'CommitReservation') committed.push(request.etag);
    return { reservation: { id: REQUEST, actor, lines: [], ...present } };
  } };
  const orders = new Orders(stock, new Map([['A', {}]]), { location: 'LON', holdSeconds: 900 });
  const { reservation } = await orders.reserve('me', '', { requestId: REQUEST, lines: [{ sku: 'A', quantity: 1 }] });
  assert.equal(reservation.etag, '1');
  const commit = (state, etag) => {
    present = { state: `RESERVATION_STATE_${state}`, etag };
    return orders.commit('me', REQUEST, { requestId: REQUEST, etag: '1' });
  };
  await commit('HELD', '1');
  await assert.rejects(commit('HELD', '2'), { code: 'RESERVATION_CHANGED', status: 409 });
  await commit('COMMITTED', '2'); // sent again: as it was
  await commit('EXPIRED', '2'); // the ledger has the reason
  assert.deepEqual(committed, ['1', '1', '']);
  await assert.rejects(orders.commit('me', REQUEST, { requestId: REQUEST }), BadRequest);
});

test('what a flag forbids is not sold', async () => {
  let flags;
  const evaluation = (effect, cap = 0) => ({ flag: 'f', effect: `FLAG_EFFECT_${effect}`, applies: true, cap, variant: 'on', reason: '', age: null, unreachable: false });
  const stock = { call: async (method) => {
    assert.equal(method, 'BatchGetStockLevels');
    return { levels: [{ key: { sku: 'A' }, exists: true, counts: { available: 9 }, version: 1, provenance: { layer: 'LAYER_MEMORY' }, flagged: flags }] };
  } };
  const orders = new Orders(stock, new Map([['A', {}]]), { location: 'LON', holdSeconds: 900 });
  const reserve = (quantity) => orders.reserve('me', 'beta', { requestId: REQUEST, lines: [{ sku: 'A', quantity }] });
  flags = { available: 0, hidden: false, sale_ended: true, evaluations: [evaluation('END_SALE')] };
  await assert.rejects(reserve(1), { code: 'NOT_FOR_SALE' });
  flags = { available: 2, hidden: false, sale_ended: false, evaluations: [evaluation('CAP', 2)] };
  await assert.rejects(reserve(3), { code: 'LIMITED', lines: [{ sku: 'A', quantity: 3, available: 2, shortfall: 1 }] });
});
