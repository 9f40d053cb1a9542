// The life of a reservation, as a shop's backend in Node sees it.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { connect, errorDetails, seconds, status } from './client.js';
import { Stack } from './stack.js';

let stack;
let client;
let call;
before(async () => {
  stack = await Stack.start();
  client = connect(stack.address);
  call = client.call;
  await call('CreateLocation', { location: { id: 'LON' } });
});
after(async () => {
  client?.close();
  await stack?.stop();
});

const key = (sku) => ({ sku, location: 'LON' });
const units = (lines) => Object.entries(lines).map(([sku, quantity]) => ({ key: key(sku), quantity }));
const stock = (lines) =>
  call('AdjustStock', { lines: Object.entries(lines).map(([sku, on_hand_delta]) => ({ key: key(sku), on_hand_delta })) });
const create = (lines, more = {}) =>
  call('CreateReservation', {
    reservation_id: randomUUID(), lines: units(lines), ttl: { seconds: 600 }, context: { reference: 'order/7', actor: 'shop' }, ...more });
const shown = ({ lines }, field = 'quantity') => Object.fromEntries(lines.map((line) => [line.key.sku, Number(line[field])]));
async function counts(sku) {
  const { level } = await call('GetStockLevel', { key: key(sku), consistency: { fully_consistent: true } });
  const { on_hand, reserved, committed, available } = level.counts;
  return [on_hand, reserved, committed, available].map(Number);
}
const get = async (id) => (await call('GetReservation', { id })).reservation;

// The reason of the refusal that a call ends with, and the error.
async function refusal(promise) {
  const error = await promise.then((response) => assert.fail(`answered: ${JSON.stringify(response)}`), (thrown) => thrown);
  if (error instanceof assert.AssertionError) throw error;
  return { error, reason: errorDetails(error).ErrorInfo.reason };
}

async function eventually(condition, what) {
  const deadline = Date.now() + 60_000;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, `it never came to be that ${what}`);
    await sleep(50);
  }
}

test('units are held, sold and shipped in parts', async () => {
  await stock({ LAMP: 10, MUG: 5 });
  const { reservation: held, levels, replayed, token } = await create({ LAMP: 3, MUG: 2 });
  assert.equal(replayed, false);
  assert.equal(held.state, 'RESERVATION_STATE_HELD');
  assert.deepEqual(shown(held), { LAMP: 3, MUG: 2 });
  assert.deepEqual([held.reference, held.actor], ['order/7', 'shop']);
  assert.ok(Math.abs(seconds(held.expire_time) - seconds(held.create_time) - 600) < 0.001);
  assert.deepEqual(levels.map(({ counts: { available } }) => available), ['7', '3']);
  assert.deepEqual(await counts('LAMP'), [10, 3, 0, 7]);
  const { level } = await call('GetStockLevel', { key: key('MUG'), consistency: { at_least_as_fresh: token } });
  assert.equal(level.counts.reserved, '2');
  assert.deepEqual(level.earliest_expire_time, held.expire_time);

  const { reservation: sold } = await call('CommitReservation', { reservation_id: held.id, etag: held.etag });
  assert.equal(sold.state, 'RESERVATION_STATE_COMMITTED');
  assert.notEqual(sold.etag, held.etag);
  assert.deepEqual(await counts('LAMP'), [10, 0, 3, 7]);

  const ship = (lines) => call('FulfillReservation', { reservation_id: held.id, lines: units(lines) });
  const { reservation: part } = await ship({ LAMP: 1 });
  assert.equal(part.state, 'RESERVATION_STATE_COMMITTED');
  assert.deepEqual(shown(part, 'fulfilled'), { LAMP: 1, MUG: 0 });
  const { error, reason } = await refusal(ship({ LAMP: 3 }));
  assert.equal(error.code, status.FAILED_PRECONDITION);
  assert.equal(reason, 'LINE_MISMATCH');
  const { reservation: all } = await ship({});
  assert.equal(all.state, 'RESERVATION_STATE_FULFILLED');
  assert.deepEqual(await counts('LAMP'), [7, 0, 0, 7]);
  assert.deepEqual(await counts('MUG'), [3, 0, 0, 3]);
  assert.deepEqual(await get(held.id), all);

  const { movements } = await call('ListStockMovements', { key: key('LAMP'), consistency: { fully_consistent: true } });
  assert.deepEqual(movements.map(({ kind }) => kind.slice('MOVEMENT_KIND_'.length)), ['FULFILL', 'FULFILL', 'COMMIT', 'RESERVE', 'ADJUST']);
  assert.ok(movements.slice(0, 4).every(({ reservation_id }) => reservation_id === held.id));
});

test('a repeated create is answered with the reservation as it is now; other content is refused', async () => {
  await stock({ ONCE: 9 });
  const request = { reservation_id: randomUUID() };
  const { reservation: first } = await create({ ONCE: 2 }, request);
  await call('CommitReservation', { reservation_id: first.id });
  const again = await create({ ONCE: 2 }, request);
  assert.equal(again.replayed, true);
  assert.equal(again.reservation.state, 'RESERVATION_STATE_COMMITTED');
  assert.deepEqual(await counts('ONCE'), [9, 0, 2, 7]);
  const { error, reason } = await refusal(create({ ONCE: 3 }, request));
  assert.equal(error.code, status.ALREADY_EXISTS);
  assert.equal(reason, 'RESERVATION_EXISTS');
});

test('short stock is refused with the shortfall of each line, or held in part', async () => {
  await stock({ FEW: 2, FEWER: 1, ENOUGH: 8 });
  const wanted = { FEW: 5, FEWER: 4, ENOUGH: 3, NONE: 1 };
  const { error, reason } = await refusal(create(wanted));
  assert.equal(error.code, status.FAILED_PRECONDITION);
  assert.equal(reason, 'INSUFFICIENT_STOCK');
  const { violations } = errorDetails(error).PreconditionFailure;
  assert.deepEqual(violations.map(({ subject }) => subject).sort(), ['FEW@LON', 'FEWER@LON', 'NONE@LON']);
  assert.ok(violations.every(({ description }) => /\d+ too few/.test(description)));
  assert.deepEqual(await counts('ENOUGH'), [8, 0, 0, 8]);
  const { reservation } = await create(wanted, { allow_partial: true });
  assert.deepEqual(shown(reservation), { ENOUGH: 3, FEW: 2, FEWER: 1 });
});

test('a hold is changed by whoever saw it last', async () => {
  await stock({ CHANGED: 5, OTHER: 5 });
  const { reservation: held } = await create({ CHANGED: 4 });
  const update = (lines, etag) => call('UpdateReservation', { reservation_id: held.id, lines: units(lines), etag });
  // The own units are at its disposal: 5 of 5, though 4 are held already.
  const { reservation: changed } = await update({ CHANGED: 5, OTHER: 1 }, held.etag);
  assert.deepEqual(shown(changed), { CHANGED: 5, OTHER: 1 });
  assert.deepEqual(changed.expire_time, held.expire_time);
  const { error, reason } = await refusal(update({ OTHER: 1 }, held.etag));
  assert.equal(error.code, status.ABORTED);
  assert.equal(reason, 'COMPARE_FAILED');
  await update({ OTHER: 2 }, changed.etag);
  assert.deepEqual(await counts('CHANGED'), [5, 0, 0, 5]);
  assert.deepEqual(await counts('OTHER'), [5, 2, 0, 3]);
});

test('what is released is available again, of a sale as well', async () => {
  await stock({ BACK: 6 });
  const { reservation: held } = await create({ BACK: 2 });
  const { reservation: released } = await call('ReleaseReservation', { reservation_id: held.id });
  assert.equal(released.state, 'RESERVATION_STATE_RELEASED');
  const { reservation: sold } = await create({ BACK: 3 });
  await call('CommitReservation', { reservation_id: sold.id });
  await call('FulfillReservation', { reservation_id: sold.id, lines: units({ BACK: 1 }) });
  await call('ReleaseReservation', { reservation_id: sold.id });
  assert.deepEqual(await counts('BACK'), [5, 0, 0, 5]);
  assert.equal((await refusal(call('CommitReservation', { reservation_id: held.id }))).reason, 'RESERVATION_STATE');
});

test('a hold ends by itself, and its units are available again', async () => {
  await stock({ SHORT: 4 });
  const { reservation: held } = await create({ SHORT: 4 }, { ttl: { seconds: 1 } });
  assert.equal((await refusal(create({ SHORT: 1 }))).reason, 'INSUFFICIENT_STOCK');
  await eventually(async () => (await counts('SHORT'))[3] === 4, 'the units came back');
  // Without anybody's asking for the key: by the movement, which says when.
  const { movements: [expired] } = await call('ListStockMovements', { key: key('SHORT'), consistency: { fully_consistent: true } });
  assert.equal(expired.kind, 'MOVEMENT_KIND_EXPIRE');
  assert.equal(expired.reservation_id, held.id);
  assert.ok(seconds(expired.committed_at) >= seconds(held.expire_time));
  assert.equal((await get(held.id)).state, 'RESERVATION_STATE_EXPIRED');
  const { error, reason } = await refusal(call('CommitReservation', { reservation_id: held.id }));
  assert.equal(error.code, status.FAILED_PRECONDITION);
  assert.equal(reason, 'RESERVATION_EXPIRED');
});

test('reservations are listed by state and by key, page by page', async () => {
  await stock({ LISTED: 50 });
  const ids = [];
  for (let i = 0; i < 5; i += 1) ids.push((await create({ LISTED: 1 })).reservation.id);
  await call('CommitReservation', { reservation_id: ids[0] });
  const list = async (filter) => {
    const found = [];
    let page_token = '';
    do {
      const page = await call('ListReservations', {
        key: key('LISTED'), page_size: 2, page_token, consistency: { fully_consistent: true }, ...filter });
      found.push(...page.reservations.map(({ id }) => id));
      page_token = page.next_page_token;
    } while (page_token);
    return found;
  };
  assert.deepEqual(await list({}), [...ids].sort());
  assert.deepEqual(await list({ state: 'RESERVATION_STATE_HELD' }), ids.slice(1).sort());
  assert.deepEqual(await list({ state: 'RESERVATION_STATE_COMMITTED' }), [ids[0]]);
  const { error, reason } = await refusal(call('GetReservation', { id: randomUUID() }));
  assert.equal(error.code, status.NOT_FOUND);
  assert.equal(reason, 'RESERVATION_NOT_FOUND');
});
