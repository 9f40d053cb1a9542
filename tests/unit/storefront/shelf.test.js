// What the backend knows, and how browsers are told: shelf, fan-out, views of cohorts, following the service.

import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { test } from 'node:test';

import { DatabaseClock } from '../../../services/storefront/clock.js';
import { Fanout } from '../../../services/storefront/server/fanout.js';
import { Follower } from '../../../services/storefront/server/follower.js';
import { Shelf } from '../../../services/storefront/server/shelf.js';
import { Views } from '../../../services/storefront/server/views.js';

const level = (sku, version, available, more = {}) =>
  ({ sku, exists: true, available, version, layer: 'primary', asOf: version, trueThrough: version, offer: null, ...more });

// A browser: what it was sent, and whether it can take more.
class Browser extends EventEmitter {
  events = [];
  open = true;
  write(text) {
    for (const event of text.split('\n\n').filter((part) => part.includes('event: '))) {
      const { id, event: name, data } = Object.fromEntries(event.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]));
      this.events.push({ id, name, data: JSON.parse(data) });
    }
    return this.open;
  }
  end() { this.ended = true; }
  destroy() { this.destroyed = true; }
  of(name) { return this.events.filter((event) => event.name === name); }
  told() { return this.of('levels').map(({ data }) => data.levels.map(({ sku, version }) => `${sku}:${version}`)); }
}

function fanoutOf(shelf, conflated, now) {
  const fanout = new Fanout(shelf, { level: (found) => found, pulse: () => ({ trueThrough: 1 }) }, conflated, now);
  return fanout;
}

test('a lower version does not replace a higher one, and the same one is no change', () => {
  const shelf = new Shelf();
  shelf.put(level('A', 2, 5));
  shelf.put(level('A', 1, 9));
  assert.equal(shelf.get('A').available, 5);
  shelf.put(level('A', 2, 5, { trueThrough: 77 }));
  assert.equal(shelf.get('A').trueThrough, 77);
  assert.equal(shelf.change, 1);
});

test('a new history replaces everything, and what it lacks does not exist', () => {
  const shelf = new Shelf();
  shelf.put(level('A', 5, 5));
  shelf.put(level('B', 7, 7));
  shelf.refill([level('A', 2, 2)]);
  assert.equal(shelf.get('A').version, 2);
  assert.deepEqual([shelf.get('B').exists, shelf.get('B').version], [false, 0]);
});

test('changes are told once to who has the rest', () => {
  const shelf = new Shelf();
  shelf.put(level('A', 1, 1));
  const fanout = fanoutOf(shelf);
  const browser = new Browser();
  fanout.add(browser);
  shelf.put(level('B', 1, 1));
  shelf.put(level('B', 2, 2));
  fanout.flush();
  fanout.flush();
  assert.deepEqual(browser.told(), [['A:1'], ['B:2']]);
  assert.equal(browser.of('levels')[0].data.initial, true);
  assert.equal(browser.of('levels')[1].data.initial, false);
  fanout.stop();
  assert.equal(browser.ended, true);
});

test('a slow browser gets the newest of each when it can read again, and is no burden before', () => {
  const shelf = new Shelf();
  let spared = 0;
  let now = 0;
  const fanout = fanoutOf(shelf, (n) => { spared += n; }, () => now);
  shelf.put(level('A', 1, 1));
  const slow = new Browser();
  fanout.add(slow);
  slow.open = false;
  shelf.put(level('A', 2, 1));
  fanout.flush();
  for (let version = 3; version < 100; version++) {
    shelf.put(level('A', version, version));
    shelf.put(level('B', version, version));
    fanout.flush();
    fanout.pulse();
  }
  assert.deepEqual(slow.told(), [['A:1'], ['A:2']]);
  assert.equal(slow.of('pulse').length, 1);
  slow.open = true;
  slow.emit('drain');
  assert.deepEqual(slow.told().at(-1), ['A:99', 'B:99']);
  assert.equal(spared, 2 * 97 - 2);

  slow.open = false;
  shelf.put(level('A', 100, 1));
  fanout.flush();
  now = 61_000;
  fanout.pulse();
  assert.equal(slow.destroyed, true);
  fanout.stop();
});

test('who comes back is told what was missed; of another process, everything', () => {
  const shelf = new Shelf();
  shelf.put(level('A', 1, 1));
  shelf.put(level('B', 1, 1));
  const fanout = fanoutOf(shelf);
  const before = new Browser();
  fanout.add(before);
  before.emit('close');
  assert.equal(fanout.size, 0);
  shelf.put(level('A', 2, 1));

  const after = new Browser();
  fanout.add(after, before.of('levels').at(-1).id);
  assert.deepEqual(after.told(), [['A:2']]);
  assert.equal(after.of('levels')[0].data.initial, false);
  for (const id of ['abc-1', 'nonsense', `${shelf.epoch}-99`, '']) {
    const foreign = new Browser();
    fanout.add(foreign, id);
    assert.deepEqual(foreign.told(), [['B:1', 'A:2']], id);
    assert.equal(foreign.of('levels')[0].data.initial, true);
  }
  fanout.stop();
});

test('a pulse never comes before the changes that it vouches for', () => {
  const shelf = new Shelf();
  const fanout = fanoutOf(shelf);
  const browser = new Browser();
  fanout.add(browser);
  shelf.put(level('A', 1, 1));
  fanout.pulse();
  assert.deepEqual(browser.events.map(({ name }) => name), ['pulse', 'levels', 'pulse']);
  fanout.stop();
});

const message = (sku, version, available, flagged, seconds = 1) => ({
  key: { sku }, exists: true, counts: { available }, version, flagged,
  provenance: { layer: 'LAYER_MEMORY', as_of: null, true_through: { seconds, nanos: 0 } },
});
const flagged = (available, more = {}) => ({ available, hidden: false, sale_ended: false, evaluations: [], ...more });
const CLOCK = { read: () => 60_000 };
const settled = () => new Promise((resolve) => { setImmediate(resolve); });

test('a cohort sees a change at once, and then what the flags say of it', async () => {
  const shelf = new Shelf();
  const stock = { calls: 0, call: async () => ({ levels: [message('A', ++stock.calls, 9, flagged(3))] }) };
  const views = new Views(stock, CLOCK, shelf, 'LON', ['beta'], () => false);
  const seen = [];
  views.of('beta').on('change', ({ version, available, offer }) => seen.push([version, available, offer?.available ?? null]));
  shelf.put(level('A', 1, 9));
  await settled();
  shelf.refill([level('A', 1, 9, { trueThrough: 7 })]);
  shelf.put(level('A', 2, 2));
  assert.deepEqual(seen, [[1, 9, null], [1, 9, 3], [2, 2, 2]], 'capped by what is there until the flags are asked');
  await settled();
  assert.deepEqual([seen.at(-1), stock.calls], [[2, 2, 3], 2]);
  views.stop();
});

test('what the flags say is dated by when they were asked, and is no other for having become older', async () => {
  const shelf = new Shelf();
  const clock = new DatabaseClock(() => 0);
  clock.learn(60_000, 0, 0);
  const evaluation = { flag: 'f', effect: 'FLAG_EFFECT_CAP', applies: true, cap: 3, variant: 'on', reason: '', unreachable: false };
  let age = null;
  const call = async () => ({ levels: [message('A', 1, 9, flagged(3, { evaluations: [{ ...evaluation, age }] }))] });
  const views = new Views({ call }, clock, shelf, 'LON', ['beta'], () => false);
  shelf.put(level('A', 1, 9));
  await settled();
  const view = views.of('beta');
  assert.equal(view.get('A').offer.flags[0].trueThrough, null, 'nobody knows');
  const ask = async (seconds, available) => {
    age = { seconds, nanos: 0 };
    const before = view.change;
    shelf.refill([level('A', 1, available)]);
    await settled();
    return [view.get('A').offer.flags[0].trueThrough, view.change - before];
  };
  assert.deepEqual(await ask(2, 8), [58_000, 2], 'the count, and that the date is known');
  assert.deepEqual(await ask(1, 7), [59_000, 1], 'the count alone');
  views.stop();
});

test('an answer of the flags on an older version does not undo a newer one', async () => {
  const shelf = new Shelf();
  const views = new Views({ call: async () => ({ levels: [message('A', 1, 9, flagged(3))] }) }, CLOCK, shelf, 'LON', ['beta'], () => false);
  shelf.put(level('A', 2, 5));
  await settled();
  assert.equal(views.of('beta').get('A').version, 2);
  assert.equal(views.of('beta').get('A').available, 5);
  views.stop();
});

test('an answer that is of a history which is over does not undo the new one', async () => {
  const shelf = new Shelf();
  let answer;
  const call = () => new Promise((resolve) => { answer = () => resolve({ levels: [message('A', 7, 9, flagged(3))] }); });
  const views = new Views({ call }, CLOCK, shelf, 'LON', ['beta'], () => false);
  shelf.put(level('A', 7, 9));
  shelf.refill([level('A', 1, 5)]);
  answer();
  await settled();
  assert.deepEqual([views.of('beta').get('A').version, views.of('beta').get('A').available], [1, 5]);
  views.stop();
});

test('without flags a cohort sees the counts, and the service is left in peace', async () => {
  const shelf = new Shelf();
  let calls = 0;
  const call = async () => { calls++; throw Object.assign(new Error(), { reason: 'FLAGS_NOT_CONFIGURED' }); };
  const views = new Views({ call }, CLOCK, shelf, 'LON', ['beta'], () => true);
  for (let version = 1; version < 5; version++) {
    shelf.put(level('A', version, version));
    await settled();
  }
  assert.equal(views.of('beta').get('A').version, 4);
  assert.equal(calls, 1);
  views.stop();
});

// A follower over streams that the test speaks through: stream(n) is the n-th one that it opened.
function followed(options = {}) {
  const shelf = new Shelf();
  const streams = [];
  const said = [];
  const listed = { levels: [message('A', 1, 1), message('X', 1, 1)], next_page_token: '' };
  const stock = {
    call: async () => {
      await options.listing;
      return listed;
    },
    watch: ({ resume_token: token }) => {
      const stream = Object.assign(new EventEmitter(), { token, cancel() { this.emit('error', new Error('cancelled')); } });
      streams.push(stream);
      return stream;
    },
    error: (_, error) => error,
  };
  const follower = new Follower(stock, shelf, { location: 'LON', sold: (sku) => sku !== 'X', ...options }, (event) => said.push(event));
  const following = follower.follow();
  return {
    shelf,
    said,
    streams,
    follower,
    listed,
    stream: async (n) => {
      for (let i = 0; i < 1000 && streams.length < n; i++) await new Promise((resolve) => { setTimeout(resolve, 5); });
      return streams[n - 1] ?? assert.fail(`no stream ${n}`);
    },
    say: (to, parts) => to.emit('data', { changes: [], initial: false, reset: false, watermark: null, resume_token: '', ...parts }),
    stop: () => {
      follower.stop();
      return following;
    },
  };
}
const changes = (...messages) => messages.map((found) => ({ level: found }));

test('the watch goes on where it broke off, and a reset is told when it is complete', async () => {
  const { shelf, said, stream, say, stop } = followed();
  const first = await stream(1);
  assert.equal(first.token, '');
  assert.deepEqual([shelf.size, shelf.trueThrough], [1, 1000]);
  say(first, { changes: changes(message('A', 2, 2), message('B', 1, 1)), initial: true });
  say(first, { watermark: { seconds: 5, nanos: 0 }, resume_token: 't1' });
  assert.deepEqual([shelf.get('A').version, shelf.get('B').version, shelf.trueThrough], [2, 1, 5000]);
  first.emit('error', new Error('gone'));

  const second = await stream(2);
  assert.equal(second.token, 't1');
  say(second, { reset: true, changes: changes(message('A', 1, 7)), initial: true });
  assert.deepEqual([shelf.get('A').version, shelf.trueThrough], [2, null], 'not before all of it has come');
  say(second, { watermark: { seconds: 6, nanos: 0 }, resume_token: 't2' });
  assert.deepEqual([shelf.get('A').version, shelf.get('B').exists], [1, false]);

  await stop();
  assert.deepEqual(said, ['connected', 'lost', 'connected', 'reset']);
});

test('of a ledger that nobody follows, what was listed last is all there is, of its date', async () => {
  const { shelf, listed, stream, stop } = followed();
  const first = await stream(1);
  for (const sku of ['A', 'B']) shelf.put(level(sku, 5, 5));
  listed.levels = [message('A', 1, 3, undefined, 9)];
  const told = once(shelf, 'pulse', { signal: AbortSignal.timeout(20_000) });
  first.emit('error', Object.assign(new Error('nobody follows it'), { reason: 'FEED_OFF' }));
  await told;
  assert.deepEqual([shelf.get('A').version, shelf.get('B').exists, shelf.trueThrough], [1, false, 9000]);
  await stop();
});

test('a list that is older than what is there changes nothing', async () => {
  const { shelf, listed, follower, stream, stop } = followed();
  await stream(1);
  shelf.confirm(5000);
  listed.levels = [message('A', 9, 9, undefined, 4)];
  await follower.list();
  assert.deepEqual([shelf.get('A').version, shelf.trueThrough], [1, 5000]);
  await stop();
});

test('a ledger that does not know the position is another one, and is followed from its beginning', async () => {
  const { shelf, said, stream, say, stop } = followed();
  const first = await stream(1);
  say(first, { changes: changes(message('A', 2, 2)), initial: true });
  say(first, { watermark: { seconds: 5, nanos: 0 }, resume_token: 't1' });
  first.emit('error', new Error('gone'));
  const second = await stream(2);
  assert.equal(second.token, 't1');
  second.emit('error', Object.assign(new Error('no position'), { code: 'INVALID_ARGUMENT', reason: 'INVALID_FIELD' }));

  const third = await stream(3);
  assert.deepEqual([third.token, shelf.trueThrough], ['', null]);
  say(third, { changes: changes(message('A', 1, 7)), initial: true });
  say(third, { watermark: { seconds: 3, nanos: 0 }, resume_token: 't2' });
  assert.deepEqual([shelf.get('A').version, shelf.trueThrough], [1, 3000]);
  await stop();
  assert.deepEqual(said, ['connected', 'lost', 'reset', 'lost', 'connected']);
});

test('stopped while all levels are being asked for, it opens no watch', async () => {
  let answer;
  const { streams, stop } = followed({ listing: new Promise((resolve) => { answer = resolve; }) });
  const stopped = stop();
  answer();
  await stopped;
  assert.equal(streams.length, 0);
});

test('a watch that says nothing any more is given up', async () => {
  const { stream, say, stop } = followed({ silence: 40 });
  say(await stream(1), { watermark: { seconds: 5, nanos: 0 }, resume_token: 't1' });
  assert.equal((await stream(2)).token, 't1');
  await stop();
});
