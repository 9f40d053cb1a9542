// A storefront backend in Node: reads, writes and errors, as @grpc/grpc-js sees them.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';

import { connect, errorDetails, errorProvenance, seconds, status } from './client.js';
import { run, Stack } from './stack.js';

const LAYERS = ['LAYER_MEMORY', 'LAYER_REDIS', 'LAYER_REPLICA', 'LAYER_PRIMARY'];
const FRESH = { fully_consistent: true };

let stack;
let client;
let call;
before(async () => {
  stack = await Stack.start();
  client = connect(stack.address);
  call = client.call;
  await call('CreateLocation', { location: { id: 'LON', display_name: 'London' } });
  await call('CreateLocation', { location: { id: 'MAN', display_name: 'Manchester' } });
});
after(async () => {
  client?.close();
  await stack?.stop();
});

const key = (sku, location = 'LON') => ({ sku, location });
const adjust = (lines, context = {}) =>
  call('AdjustStock', {
    context: { request_id: randomUUID(), reason: 'test', ...context },
    lines: lines.map(([sku, on_hand_delta, location]) => ({ key: key(sku, location), on_hand_delta })),
  });

// The error that a call ends with.
const refused = async (promise) =>
  promise.then((response) => assert.fail(`answered: ${JSON.stringify(response)}`), (error) => {
    if (error instanceof assert.AssertionError) throw error;
    return error;
  });

function assertProvenance(provenance) {
  assert.ok(provenance, 'a response without provenance');
  assert.ok(provenance.instance, 'provenance names no instance');
  assert.ok(seconds(provenance.age) >= 0);
  assert.ok(seconds(provenance.uncertainty) > 0);
  const visited = provenance.trail.map(({ layer }) => LAYERS.indexOf(layer));
  assert.ok(visited.length > 0, 'an empty trail');
  assert.deepEqual(visited, [...visited].sort(), 'the trail is not in reading order');
  assert.ok(provenance.trail.every(({ outcome }) => outcome !== 'OUTCOME_UNSPECIFIED'));
}

function assertDated(level) {
  assert.ok(LAYERS.includes(level.provenance.layer), `from ${level.provenance.layer}`);
  if (level.exists) assert.ok(seconds(level.provenance.as_of) <= seconds(level.provenance.true_through));
  assert.ok(seconds(level.provenance.age) >= 0);
}

test('a write is read back, with where it comes from', async () => {
  const written = await adjust([['LAMP', 12]]);
  assert.equal(written.replayed, false);
  assert.equal(written.levels[0].version, '1');
  const { level, provenance } = await call('GetStockLevel', { key: key('LAMP'), consistency: FRESH });
  assert.equal(level.exists, true);
  assert.equal(level.counts.on_hand, '12');
  assert.equal(level.counts.available, '12');
  assert.equal(level.version, '1');
  assert.equal(level.provenance.layer, 'LAYER_PRIMARY');
  assertDated(level);
  assertProvenance(provenance);
});

test('what was read once is answered from memory, and says so', async () => {
  await adjust([['MUG', 5]]);
  // Memory takes no copy that the feed cannot judge, as while it has just begun.
  let answer;
  for (const deadline = Date.now() + 60_000; answer?.level.provenance.layer !== 'LAYER_MEMORY' && Date.now() < deadline;) {
    await call('GetStockLevel', { key: key('MUG'), consistency: FRESH });
    answer = await call('GetStockLevel', { key: key('MUG'), consistency: { max_staleness: { seconds: 60 } } });
  }
  const { level, provenance } = answer;
  assert.equal(level.counts.on_hand, '5');
  assert.equal(level.provenance.layer, 'LAYER_MEMORY');
  assert.equal(provenance.trail[0].outcome, 'OUTCOME_HIT');
  assertDated(level);
});

test('a key without a level is an answer with a date', async () => {
  const { level, provenance } = await call('GetStockLevel', { key: key('NOWHERE') });
  assert.equal(level.exists, false);
  assert.equal(level.version, '0');
  assertDated(level);
  assertProvenance(provenance);
});

test('every read carries provenance', async () => {
  await adjust([['TRAY', 3], ['TRAY', 4, 'MAN']]);
  const consistency = FRESH;

  const batch = await call('BatchGetStockLevels', {
    keys: [key('TRAY', 'MAN'), key('NONE'), key('TRAY')], consistency });
  assert.deepEqual(batch.levels.map(({ counts }) => counts?.on_hand ?? '0'), ['4', '0', '3']);
  assert.deepEqual(batch.levels.map(({ exists }) => exists), [true, false, true]);
  batch.levels.forEach(assertDated);

  const totals = await call('BatchGetStockTotals', { skus: ['TRAY'], consistency });
  assert.equal(totals.totals[0].counts.on_hand, '7');
  assert.equal(totals.totals[0].locations, 2);

  const listed = await call('ListStockLevels', { location: 'LON', sku_prefix: 'TRAY', consistency });
  assert.deepEqual(listed.levels.map((level) => level.key), [key('TRAY')]);
  listed.levels.forEach(assertDated);

  const cart = await call('CheckAvailability', {
    lines: [{ sku: 'TRAY', location: 'LON', quantity: 2 }, { sku: 'TRAY', location: 'LON', quantity: 2 }],
    consistency });
  assert.deepEqual(cart.lines.map(({ shortfall }) => shortfall), ['0', '1']);
  assert.equal(cart.available, false);

  const history = await call('ListStockMovements', { key: key('TRAY'), consistency });
  assert.equal(history.movements[0].kind, 'MOVEMENT_KIND_ADJUST');
  assert.equal(history.movements[0].reason, 'test');

  for (const response of [batch, totals, listed, cart, history]) assertProvenance(response.provenance);
});

test('pages together hold everything once', async () => {
  const skus = Array.from({ length: 7 }, (_, i) => `PAGE-${i}`);
  await adjust(skus.map((sku) => [sku, 1]));
  const seen = [];
  let page_token = '';
  do {
    const page = await call('ListStockLevels', {
      location: 'LON', sku_prefix: 'PAGE-', page_size: 3, page_token, consistency: FRESH });
    seen.push(...page.levels.map((level) => level.key.sku));
    page_token = page.next_page_token;
  } while (page_token);
  assert.deepEqual(seen, skus);
});

test('a request id is applied once, and only for its payload', async () => {
  const context = { request_id: randomUUID() };
  const first = await adjust([['ONCE', 5]], context);
  const second = await adjust([['ONCE', 5]], context);
  assert.equal(second.replayed, true);
  assert.deepEqual(second.levels, first.levels);
  const error = await refused(adjust([['ONCE', 6]], context));
  assert.equal(error.code, status.INVALID_ARGUMENT);
  assert.equal(errorDetails(error).ErrorInfo.reason, 'REQUEST_ID_REUSED');
});

test('short stock is refused whole, and says why', async () => {
  await adjust([['SCARCE', 2], ['PLENTY', 9]]);
  const error = await refused(adjust([['PLENTY', -1], ['SCARCE', -3]]));
  assert.equal(error.code, status.FAILED_PRECONDITION);
  const { ErrorInfo, PreconditionFailure } = errorDetails(error);
  assert.equal(ErrorInfo.reason, 'INSUFFICIENT_STOCK');
  assert.equal(ErrorInfo.domain, 'stock.v1');
  assert.match(PreconditionFailure.violations[0].subject, /SCARCE/);
  const { level } = await call('GetStockLevel', { key: key('PLENTY'), consistency: FRESH });
  assert.equal(level.counts.on_hand, '9');
});

test('a count is set only where it still is what was expected', async () => {
  await adjust([['COUNTED', 10]]);
  const set = (expected_on_hand) =>
    call('SetStock', { context: { request_id: randomUUID() }, key: key('COUNTED'), on_hand: 8, expected_on_hand });
  const error = await refused(set(11));
  assert.equal(error.code, status.ABORTED);
  assert.equal(errorDetails(error).ErrorInfo.reason, 'COMPARE_FAILED');
  assert.equal((await set(10)).level.counts.on_hand, '8');
});

test('an import reports its bad rows and applies the others', async () => {
  const request = {
    context: { request_id: randomUUID() },
    rows: [
      { key: key('IMPORT-1'), on_hand: 4 },
      { key: key(''), on_hand: 4 },
      { key: key('IMPORT-2'), on_hand: 6, safety_stock: 2 },
    ],
  };
  const first = await call('ImportStockLevels', request);
  assert.equal(first.changed, 2);
  assert.deepEqual(first.errors.map(({ index }) => index), [1]);
  assert.equal((await call('ImportStockLevels', request)).replayed, true);
  const { level } = await call('GetStockLevel', { key: key('IMPORT-2'), consistency: FRESH });
  assert.equal(level.counts.available, '4');
});

test('a bound that cannot be met is refused with the trail, or answered if the caller says so', async () => {
  await adjust([['BOUND', 1]]);
  const request = { key: key('BOUND'), consistency: { max_staleness: { nanos: 1000 } } };
  const error = await refused(call('GetStockLevel', request));
  assert.equal(error.code, status.UNAVAILABLE);
  assert.equal(errorDetails(error).ErrorInfo.reason, 'STALENESS_BOUND_UNMET');
  assertProvenance(errorProvenance(error));
  request.consistency.allow_stale = true;
  const { level, provenance } = await call('GetStockLevel', request);
  assert.equal(level.counts.on_hand, '1');
  assert.equal(provenance.bound_missed, true);
});

test('a bad argument is named', async () => {
  const error = await refused(call('GetStockLevel', { key: key('LAMP', '') }));
  assert.equal(error.code, status.INVALID_ARGUMENT);
  assert.match(errorDetails(error).BadRequest.field_violations[0].field, /location/);
});

test('a location that is not there is not found', async () => {
  for (const error of [
    await refused(call('GetLocation', { id: 'MOON' })),
    await refused(adjust([['LAMP', 1, 'MOON']])),
  ]) {
    assert.equal(error.code, status.NOT_FOUND);
    assert.equal(errorDetails(error).ErrorInfo.reason, 'LOCATION_NOT_FOUND');
  }
  const { locations } = await call('ListLocations', {});
  assert.deepEqual(locations.map(({ id, display_name }) => [id, display_name]), [['LON', 'London'], ['MAN', 'Manchester']]);
});

test('SQL around the service becomes a movement with a name on it', async () => {
  await adjust([['ROGUE', 120]]);
  await run('psql', [stack.url('primary', 'stock_writer'), '-Xqc',
    "UPDATE stock.level SET on_hand = 42 WHERE sku = 'ROGUE'"]);
  const { level } = await call('GetStockLevel', { key: key('ROGUE'), consistency: FRESH });
  assert.equal(level.counts.on_hand, '42');
  assert.equal(level.version, '2');
  const { movements } = await call('ListStockMovements', { key: key('ROGUE'), consistency: FRESH });
  assert.equal(movements[0].kind, 'MOVEMENT_KIND_DIRECT');
  assert.match(movements[0].actor, /stock_writer/);
});

// Responses of a stream until one satisfies; the stream stays open.
async function readUntil(iterator, enough) {
  const responses = [];
  while (true) {
    const { value, done } = await iterator.next();
    if (done) return responses;
    responses.push(value);
    if (enough(value)) return responses;
  }
}

// Ends a stream that a test has read enough of.
async function cancel(stream) {
  stream.on('error', () => {});
  stream.cancel();
}

test('a watch tells the current level, then each change, and can be taken up again', async () => {
  await adjust([['WATCHED', 3]]);
  const request = { keys: [key('WATCHED')] };
  const stream = client.stream('WatchStockLevels', request);
  const responses = stream[Symbol.asyncIterator]();
  const [found, live] = await readUntil(responses, ({ initial }) => !initial);
  assert.equal(found.changes[0].level.counts.on_hand, '3');
  assertDated(found.changes[0].level);
  assert.ok(seconds(live.watermark) > 0);
  await adjust([['WATCHED', 2]]);
  const [changed] = (await readUntil(responses, ({ changes }) => changes.length > 0)).slice(-1);
  assert.equal(changed.changes[0].level.version, '2');
  assert.equal(changed.changes[0].level.counts.on_hand, '5');
  assert.equal(changed.changes[0].level.provenance.layer, 'LAYER_PRIMARY');
  await cancel(stream);

  await adjust([['WATCHED', 2]]);
  await adjust([['UNWATCHED', 2]]);
  const again = client.stream('WatchStockLevels', { ...request, resume_token: changed.resume_token });
  const [missed] = await readUntil(again[Symbol.asyncIterator](), ({ changes }) => changes.length > 0);
  assert.deepEqual(missed.changes.map(({ level }) => level.version), ['3']);
  assert.equal(missed.reset, false);
  await cancel(again);
});

test('the stream of movements from the beginning holds what was just written', async () => {
  await adjust([['STREAMED', 7]], { actor: 'e2e' });
  const stream = client.stream('StreamStockMovements', { from_beginning: true });
  const responses = await readUntil(stream[Symbol.asyncIterator](), ({ watermark }) => watermark !== null);
  const movements = responses.flatMap((response) => response.movements);
  const streamed = movements.filter(({ key: { sku } }) => sku === 'STREAMED');
  assert.deepEqual(streamed.map(({ version, actor, delta }) => [version, actor, delta.on_hand]), [['1', 'e2e', '7']]);
  const ids = movements.map(({ key: { sku, location }, version }) => `${sku} ${location} ${version}`);
  assert.equal(new Set(ids).size, ids.length);
  await cancel(stream);
});
