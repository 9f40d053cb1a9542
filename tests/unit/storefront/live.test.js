// How the page follows the shop: what its stream tells, and how old that is when it comes.

import assert from 'node:assert/strict';
import { test } from 'node:test';

const storefront = (name) => import(`../../../services/storefront/${name}`);
const { DatabaseClock } = await storefront('clock.js');
const { Live } = await storefront('page/live.js');
const { makeStore } = await storefront('page/store/store.js');
const { received } = await storefront('page/store/products.js');
const { databaseClock, request } = await storefront('page/api.js');

const DATABASE = 5_000_000; // how much its clock is ahead of this machine's

// A page that is open; the test is its shop, and passes its time.
function page(t) {
  const time = { wall: 1_700_000_000_000, monotonic: 0 };
  const streams = [];
  let tick;
  t.mock.method(Date, 'now', () => time.wall);
  t.mock.method(performance, 'now', () => time.monotonic);
  t.mock.method(globalThis, 'setInterval', (work) => { tick = work; });
  t.mock.method(globalThis, 'setTimeout', () => {});
  globalThis.addEventListener = () => {};
  Object.defineProperty(globalThis, 'navigator', { value: { onLine: true }, configurable: true });
  globalThis.EventSource = class extends EventTarget {
    constructor() {
      super();
      streams.push(this);
    }
    close() { this.closed = true; }
  };
  const store = makeStore();
  const clock = new DatabaseClock(() => time.monotonic);
  clock.learn(DATABASE + time.wall, 0, time.monotonic);
  let asked = 0;
  new Live(store, clock, () => { asked++; }).start();
  const say = (name, data, id = 'e-1') => {
    const event = Object.assign(new Event(name), { data: JSON.stringify(data), lastEventId: id });
    streams.at(-1).dispatchEvent(event);
  };
  return {
    store,
    clock,
    time,
    streams,
    asked: () => asked,
    link: () => store.getState().link,
    pass: (ms) => {
      time.wall += ms;
      time.monotonic += ms;
    },
    tick: () => tick(),
    database: () => DATABASE + time.wall,
    pulse: (trueThrough) => say('pulse', { trueThrough }),
    levels: (levels, initial = false) => say('levels', { initial, levels }),
  };
}

test('what was long on its way is as old as it is when it comes', (t) => {
  const { link, pass, database, pulse, levels, store } = page(t);
  const then = database();
  pulse(then - 30);
  assert.deepEqual([link().state, Date.now() - link().heard], ['live', 30]);

  // A proxy holds the stream for half a minute, and passes it on at its pace.
  pass(30_000);
  pulse(then + 970);
  assert.deepEqual([link().state, Date.now() - link().heard], ['stale', 29_030]);
  levels([{ sku: 'A', exists: true, available: 3, version: 4, layer: 'memory', asOf: then, trueThrough: then + 500, offer: null }]);
  assert.equal(store.getState().levels.entities.A.age, 29_500);
});

test('a date that has yet to come shows that the time is not known any more, and it is asked for', (t) => {
  const { link, pass, clock, asked, database, pulse, time } = page(t);
  pulse(database() - 30);
  const { heard } = link();
  time.wall += 3_600_000; // this machine slept
  pulse(database() - 30);
  assert.deepEqual([asked(), link().state, link().heard], [1, 'stale', heard]);
  clock.learn(database(), 0, time.monotonic);
  pass(1000);
  pulse(database() - 40);
  assert.deepEqual([asked(), link().state, Date.now() - link().heard], [1, 'live', 40]);
});

test('a clock that is set back makes nothing younger, and no silence shorter', (t) => {
  const { link, pass, time, database, pulse, tick, streams } = page(t);
  pulse(database() - 30);
  const offset = 3_600_000;
  time.wall -= offset;
  tick();
  assert.deepEqual([link().state, link().heard], ['connecting', null]);
  pulse(database() + offset - 30);
  assert.deepEqual([link().state, Date.now() - link().heard], ['live', 30]);

  time.wall -= offset;
  pass(9000); // nothing is heard
  tick();
  assert.deepEqual([link().state, link().heard, streams[0].closed], ['offline', null, true]);
});

test('of goods that it does not know, it asks the shop once', (t) => {
  const { store, asked, levels, database } = page(t);
  const level = (sku) => ({ sku, exists: true, available: 3, version: 4, layer: 'memory', asOf: 0, trueThrough: database() - 10, offer: null });
  store.dispatch(received([{ sku: 'A', name: 'A mug', price: 100, category: 'Home' }]));
  levels([level('A')]);
  assert.equal(asked(), 0);
  for (const sku of ['A', 'B', 'B']) levels([level(sku)]);
  assert.equal(asked(), 1);
});

test('each answer tells the database\'s time, by when it was asked for', async (t) => {
  let now = 100;
  t.mock.method(databaseClock, 'now', () => now);
  globalThis.fetch = async () => {
    now = 400; // it took that long
    return { ok: false, status: 503, headers: new Headers({ 'database-time': '70000' }), json: async () => ({ message: 'no' }) };
  };
  await assert.rejects(request('GET', '/api/products'), /no/);
  assert.equal(databaseClock.age(70_000), 300);
});
