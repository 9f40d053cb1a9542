// The browser's store, and what it says of itself: reducers, words, samples.

import assert from 'node:assert/strict';
import { test } from 'node:test';

const page = (name) => import(`../../../services/storefront/page/${name}`);
const { default: levels, aged, answered, differences, knownThrough, remembered, streamed, toBeHad } = await page('store/levels.js');
const { default: link, differed, dismissed, lost, pulsed, remembered: dated, ticked } = await page('store/link.js');
const { default: cart, added, changed } = await page('store/cart.js');
const { default: checkout, begin, change, chosen, leave, look, place } = await page('store/checkout.js');
const { makeStore } = await page('store/store.js');
const { visible } = await page('store/products.js');
const { claim, sample } = await page('testify.js');
const words = await page('words.js');

const level = (sku, version, available, more = {}) =>
  ({ sku, exists: true, available, version, layer: 'primary', asOf: 0, trueThrough: 0, age: 10, offer: null, ...more });
const after = (reducer, ...actions) => actions.reduce(reducer, reducer(undefined, { type: 'begin' }));

test('a belief dates from when it was first told', () => {
  const state = after(levels, streamed({ levels: [level('A', 1, 5)], at: 100 }), streamed({ levels: [level('A', 1, 5)], at: 200 }));
  assert.deepEqual([state.entities.A.believedSince, state.entities.A.toldAt], [100, 200]);
  assert.equal(levels(state, streamed({ levels: [level('A', 2, 4)], at: 300 })).entities.A.believedSince, 300);
});

test('the stream is in order; an answer may have been overtaken by it', () => {
  const state = after(levels, streamed({ levels: [level('A', 3, 5)], at: 1 }));
  assert.equal(levels(state, answered({ levels: [level('A', 2, 9)], at: 2 })).entities.A.version, 3);
  assert.equal(levels(state, streamed({ levels: [level('A', 1, 9)], at: 2 })).entities.A.version, 1, 'a new history');
});

test('at first the stream tells all there is', () => {
  const state = after(levels, remembered({ levels: [level('A', 1, 1), level('OLD', 1, 1)] }), streamed({ levels: [level('A', 2, 2)], initial: true, at: 1 }));
  assert.deepEqual(state.ids, ['A']);
});

test('a count has the latest date that is known of it, be it of all or its own', () => {
  const told = { toldAt: 1000, age: 40 };
  assert.equal(knownThrough(told, null, 5000), 960);
  assert.equal(knownThrough(told, 4000, 5000), 4000);
  assert.equal(knownThrough(told, 500, 5000), 960);
  assert.equal(knownThrough({ ...told, age: null }, null, 5000), null);
  assert.equal(knownThrough(told, 6000, 500), null, 'yet to come');
  assert.deepEqual([words.asOf(null, 0), words.asOf(new Date(2026, 10, 19, 14, 5).getTime(), new Date(2026, 10, 19, 15, 5).getTime())],
    ['of unknown age', 'as of Thursday, 14:05']);
});

test('a count, and what the flags say of it, is as old as the database\'s clock makes it', () => {
  const clock = { age: (then) => (then === null ? null : 5000 - then) };
  const flags = [{ flag: 'f', trueThrough: 3000 }, { flag: 'g', trueThrough: null }];
  const [told, bare] = aged([level('A', 1, 5, { trueThrough: 4900, offer: { available: 2, flags } }), level('B', 1, 5)], clock);
  assert.deepEqual([told.age, told.offer.flags.map(({ age }) => age), told.offer.available], [100, [2000, null], 2]);
  assert.equal(bare.offer, null);
});

test('what is told is told now', () => {
  const state = after(link, ticked({ at: 100 }), answered({ levels: [level('A', 1, 5)], at: 700 }));
  assert.equal(state.now, 700);
});

test('the offline copy replaces nothing', () => {
  const state = after(levels, streamed({ levels: [level('A', 3, 5)], at: 1 }), remembered({ levels: [level('A', 2, 9), level('B', 1, 1)] }));
  assert.deepEqual([state.entities.A.version, state.entities.B.version], [3, 1]);
});

test('what may be had is what the flags offer, and never less than nothing', () => {
  assert.equal(toBeHad(level('A', 1, -3)), 0);
  assert.equal(toBeHad(level('A', 1, 9, { exists: false })), 0);
  assert.equal(toBeHad(level('A', 1, 9, { offer: { available: 2 } })), 2);
});

test('counts are called current only while the shop says so', () => {
  let state = after(link, ticked({ at: 1000 }));
  assert.equal(state.state, 'connecting');
  state = link(state, pulsed({ age: 40, at: 10_000 }));
  assert.deepEqual([state.state, state.heard], ['live', 9960]);
  state = link(state, ticked({ at: 13_961 }));
  assert.equal(state.state, 'stale');
  state = link(state, pulsed({ age: 20_000, at: 14_000 }));
  assert.deepEqual([state.state, state.heard], ['stale', 9960], 'never older than what is known');
  state = link(state, pulsed({ age: null, at: 14_001 }));
  assert.equal(state.heard, 9960);
});

test('coming back, it tells what changed since, once for each, and only then', () => {
  let state = after(link, pulsed({ age: 0, at: 1000 }));
  state = link(state, differed({ changes: [{ sku: 'A', from: 1, to: 2 }] }));
  assert.equal(state.changes, null, 'nothing was missed');
  state = link(state, lost());
  assert.deepEqual([state.state, state.awayFrom], ['offline', 1000]);
  state = link(state, ticked({ at: 5000 }));
  assert.equal(state.state, 'offline');
  state = [differed({ changes: [{ sku: 'A', from: 1, to: 2 }] }), differed({ changes: [{ sku: 'B', from: 3, to: 0 }] }), pulsed({ age: 0, at: 6000 })]
    .reduce(link, state);
  assert.deepEqual([state.state, state.awayFrom, state.changes], ['live', null, { since: 1000, list: [{ sku: 'B', from: 3, to: 0 }, { sku: 'A', from: 1, to: 2 }] }]);
  assert.equal(link(state, dismissed()).changes, null);
});

test('opened without a connection, the date is that of the copy', () => {
  const state = after(link, dated({ heard: 700 }), lost());
  assert.deepEqual([state.state, state.heard, state.awayFrom], ['offline', 700, 700]);
  assert.equal(link(state, ticked({ at: 800 })).state, 'offline', 'before the stream has told how old it is, young as the copy may be');
});

test('a difference is one of what may be had', () => {
  const before = { A: level('A', 1, 5), B: level('B', 1, 5), C: level('C', 1, 5, { offer: { available: 2 } }) };
  assert.deepEqual(
    differences(before, [level('A', 2, 0), level('B', 3, 5), level('C', 2, 9, { offer: { available: 2 } }), level('NEW', 1, 1)]),
    [{ sku: 'A', from: 5, to: 0 }]);
});

test('the cart holds each SKU once', () => {
  let state = after(cart, added({ sku: 'A' }), added({ sku: 'B', quantity: 2 }), added({ sku: 'A', quantity: 2 }));
  assert.deepEqual(state.lines, [{ sku: 'A', quantity: 3 }, { sku: 'B', quantity: 2 }]);
  state = [changed({ sku: 'A', quantity: 0 }), changed({ sku: 'B', quantity: 5000 })].reduce(cart, state);
  assert.deepEqual(state.lines, [{ sku: 'B', quantity: 999 }]);
});

test('a checkout keeps its ids until it is known what became of it', () => {
  const begun = after(checkout, chosen({ id: 'r1', commitId: 'c1', lines: [] }));
  assert.equal(checkout(begun, chosen({ id: 'r2', commitId: 'c2', lines: [] })).id, 'r1', 'pressed twice');
  const rejected = (thunk, payload) => ({ ...thunk.rejected(null, 'x'), payload });
  const unanswered = checkout(begun, rejected(begin, { code: 'NO_ANSWER' }));
  assert.deepEqual([unanswered.phase, unanswered.id], ['holding', 'r1']);
  assert.equal(checkout(begun, rejected(begin, { code: 'INSUFFICIENT_STOCK', status: 409 })).phase, 'none');

  const held = checkout(begun, begin.fulfilled({ state: 'held', heldUntil: 9 }, 'x'));
  assert.equal(held.phase, 'held');
  assert.equal(checkout(checkout(held, place.pending('x')), rejected(place, { code: 'NO_ANSWER' })).phase, 'held');
  assert.equal(checkout(held, rejected(place, { code: 'RESERVATION_EXPIRED' })).phase, 'none');
  assert.deepEqual(checkout(held, place.fulfilled({ state: 'committed', order: 'R1' }, 'x')).order, 'R1');
});

// A shop of one hold, which may do what it is told without saying so.
function shopOf(t) {
  const shop = { held: null, answers: true, calls: [] };
  t.mock.method(globalThis, 'fetch', async (path, { method, body }) => {
    const { lines, etag } = JSON.parse(body ?? '{}');
    shop.calls.push(`${method} ${path}`);
    if (method === 'POST' && path === '/api/reservations') shop.held = { state: 'held', lines, etag: '1', expireTime: 5000 };
    if (method === 'PUT') Object.assign(shop.held, { lines, etag: `${Number(shop.held.etag) + 1}` });
    if (method === 'DELETE') shop.held.state = 'released';
    const refused = path.endsWith('/commit') && etag !== shop.held.etag;
    if (path.endsWith('/commit') && !refused) shop.held.state = 'committed';
    if (!shop.answers) throw new TypeError('network error');
    const answer = refused ? { code: 'RESERVATION_CHANGED', message: 'no' } : { reservation: shop.held, order: 'R1' };
    return { ok: !refused, status: refused ? 409 : 200, headers: new Headers({ 'database-time': '3000' }), json: async () => structuredClone(answer) };
  });
  return shop;
}
const begun = async (t) => {
  const [shop, store] = [shopOf(t), makeStore()];
  store.dispatch(chosen({ id: 'r1', commitId: 'c1', lines: [{ sku: 'A', quantity: 2 }] }));
  await store.dispatch(begin());
  return { shop, store, told: () => store.getState().checkout };
};

test('a hold is what the shop says, and until when', async (t) => {
  const { told } = await begun(t);
  const { phase, lines, heldUntil } = told();
  assert.deepEqual([phase, lines], ['held', [{ sku: 'A', quantity: 2 }]]);
  assert.ok(heldUntil <= Date.now() + 2000 && heldUntil > Date.now() - 60_000, `${heldUntil - Date.now()} ms`);
});

test('after a change without an answer nothing is ordered before what is held has been looked at', async (t) => {
  const { shop, store, told } = await begun(t);
  shop.answers = false;
  await store.dispatch(change({ sku: 'A', quantity: 5 }));
  assert.deepEqual([told().phase, told().problem.code], ['unsure', 'NO_ANSWER']);
  shop.answers = true;
  await store.dispatch(place());
  assert.equal(shop.held.state, 'held');

  await store.dispatch(look());
  assert.deepEqual([told().phase, told().lines, told().problem], ['held', [{ sku: 'A', quantity: 5 }], null]);
  await store.dispatch(place());
  assert.deepEqual([told().phase, told().order, shop.held.state], ['placed', 'R1', 'committed']);
});

test('a change that is made late, after it was looked at, is not ordered unseen', async (t) => {
  const { shop, store, told } = await begun(t);
  Object.assign(shop.held, { lines: [{ sku: 'A', quantity: 5 }], etag: '2' });
  await store.dispatch(place());
  assert.deepEqual([told().phase, told().problem.code, shop.held.state], ['unsure', 'RESERVATION_CHANGED', 'held']);
});

test('what was given back without an answer is seen to be over', async (t) => {
  const { shop, store, told } = await begun(t);
  shop.answers = false;
  await store.dispatch(leave());
  assert.equal(told().phase, 'unsure');
  shop.answers = true;
  await store.dispatch(look());
  assert.deepEqual([told().phase, told().problem.code], ['none', 'RESERVATION_STATE']);
});

test('what is hidden from a visitor is not shown, and words find the rest', () => {
  const products = { ids: ['A', 'B', 'C'], entities: { A: { sku: 'A', name: 'Red mug', category: 'K' }, B: { sku: 'B', name: 'Blue mug', category: 'K' }, C: { sku: 'C', name: 'Pot', category: 'G' } } };
  const state = { products, levels: { entities: { A: level('A', 1, 1, { offer: { hidden: true, available: 0 } }) } } };
  const found = (query) => visible(state, { category: '', words: '', ...query }).map(({ sku }) => sku);
  assert.deepEqual(found({}), ['B', 'C']);
  assert.deepEqual(found({ words: 'MUG blu' }), ['B']);
  assert.deepEqual(found({ category: 'G' }), ['C']);
});

test('a claim is as old as it is, by the clock of who claims', () => {
  const believed = { ...level('A', 4, 7), toldAt: 10_000, believedSince: 8000.5 };
  assert.deepEqual(claim(believed, 9000, 20_000),
    { sku: 'A', exists: true, available: 7, version: 4, believedSince: 8001, trueThrough: 9990, age: 10_010 });
  assert.equal(claim(believed, 15_000, 20_000).age, 5000, 'all was known to be true later than it was told');
  assert.equal(claim(believed, 30_000, 20_000).age, 10_010, 'a clock that was set back');
  assert.equal(claim({ ...believed, age: null }, null, 20_000).trueThrough, 0, 'of unknown age: of very long ago');
});

test('a sample takes each as likely, and none twice', () => {
  assert.deepEqual(sample([1, 2, 3], 5, () => 0).sort(), [1, 2, 3]);
  const taken = new Map();
  let seed = 1;
  const random = () => { seed = (seed * 16807) % 2147483647; return seed / 2147483647; };
  for (let i = 0; i < 6000; i++) for (const x of sample(['a', 'b', 'c', 'd'], 2, random)) taken.set(x, (taken.get(x) ?? 0) + 1);
  for (const times of taken.values()) assert.ok(times > 2800 && times < 3200, String([...taken]));
});

test('words for people', () => {
  const thursday = new Date(2026, 10, 19, 14, 5).getTime();
  assert.equal(words.day(thursday, thursday + 3_600_000), 'Thursday, 14:05');
  assert.equal(words.day(thursday, thursday + 30 * 86_400_000), '19 November 2026, 14:05');
  assert.equal(words.money(2450), '£24.50');
  assert.equal(words.countdown(61_200), '1:02');
  assert.deepEqual([0, 5, 1234].map((units) => words.stockWords(units, level('A', 1, units))), ['Sold out', 'Only 5 left', '1,234 in stock']);
  assert.equal(words.stockWords(5, level('A', 1, 5, { offer: { saleEnded: true } })), 'No longer for sale');
});
