// An order's life at the command line, and the other writes that a person makes.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { ROOT, run, Stack } from './stack.js';

const STOCKCTL = path.join(process.env.STOCK_BUILD_DIR ?? path.join(ROOT, 'build/release'), 'services/stockctl/stockctl');

let stack;
before(async () => {
  stack = await Stack.start();
  for (const place of ['LON', 'MAN']) await stockctl('locations', 'create', place);
  await stockctl('adjust', 'LANTERN@LON=10', 'MUG@LON=3');
});
after(async () => {
  await stack?.stop();
});

const stockctl = async (...args) => (await run(STOCKCTL, ['--address', stack.address, ...args])).stdout;
const json = async (...args) => JSON.parse(await stockctl(...args, '--json'));
const refused = (...args) =>
  run(STOCKCTL, ['--address', stack.address, ...args]).then(
    ({ stdout }) => assert.fail(`answered: ${stdout}`), ({ code, stderr }) => ({ code, stderr }));
const counts = async (key) => (await json('get', key, '--fully-consistent')).level.counts;

test('reserve, change, commit, fulfill', async () => {
  const id = randomUUID();
  const create = ['reserve', 'LANTERN@LON=2', 'MUG@LON=1', '--id', id, '--ttl', '10m', '--reference', 'order/1'];
  const text = await stockctl(...create);
  assert.match(text, new RegExp(`^${id}\n\n  state      held until .* UTC\n`));
  assert.match(text, /LANTERN +LON +2 +0\n/);
  assert.match(text, /LANTERN +LON +8 +10 +2 +0 +2\n/);
  assert.match(text, new RegExp(`request ${id}\ntoken   \\S+\n$`));
  assert.match(await stockctl(...create), /Applied already, by the same request/);

  await stockctl('reserve', 'LANTERN@LON=3', '--update', id, '--ttl', '1h', '--etag', '1');
  assert.equal((await counts('MUG@LON')).reserved, '0');
  assert.match(await stockctl('get', 'LANTERN@LON', '--fully-consistent'),
    /\n  holds        none ends before .* UTC, in (9 min \d+ s|10 min)\n/);
  const stale = await refused('commit', id, '--etag', '1');
  assert.equal(stale.code, 1);
  assert.match(stale.stderr, /COMPARE_FAILED/);
  await stockctl('commit', id, '--etag', '2');
  assert.match(await stockctl('fulfill', id, 'LANTERN@LON=1'), /LANTERN +LON +3 +1\n/);
  assert.match(await stockctl('fulfill', id), /state {6}fulfilled\n/);
  assert.deepEqual(Object.values(await counts('LANTERN@LON')).slice(0, 3), ['7', '0', '0']);

  const history = await stockctl('history', 'LANTERN@LON');
  for (const movement of [/fulfill +-2 /, /commit +\+3 committed/, /update +\+1 reserved/, /reserve +\+2 reserved/]) {
    assert.match(history, movement);
  }
  assert.equal(history.split(`reservation ${id}`).length - 1, 5);
});

test('release, and the list of what is held', async () => {
  const { reservation: { id } } = await json('reserve', 'MUG@LON=2', '--reference', 'order/2');
  assert.match(await stockctl('reservations', '--state', 'held', '--key', 'MUG@LON', '--fully-consistent'),
    new RegExp(`${id}  held   \\d\\d:\\d\\d:\\d\\d         2  order/2`));
  await stockctl('release', id);
  assert.match(await stockctl('reservations', id), /state {6}released\n/);
  assert.deepEqual((await json('reservations', '--state', 'held', '--key', 'MUG@LON', '--fully-consistent')).reservations, []);
});

test('what cannot be held is said line by line', async () => {
  const { code, stderr } = await refused('reserve', 'LANTERN@LON=1000', 'MUG@LON=5');
  assert.equal(code, 1);
  assert.match(stderr, /LANTERN.*too few.*INSUFFICIENT_STOCK/);
  assert.match(stderr, /MUG@LON: 3 can be sold \(version \d+\); 2 too few/);
  const { reservation } = await json('reserve', 'LANTERN@LON=1', 'MUG@LON=5', '--allow-partial');
  assert.deepEqual(reservation.lines.map(({ quantity }) => quantity), ['1', '3']);
  assert.equal((await refused('commit', randomUUID())).code, 3);
  assert.equal((await refused('reserve', 'MUG@LON=1', '--ttl', '2d')).code, 2);
});

test('move and settings', async () => {
  assert.match(await stockctl('move', 'LANTERN@LON=4', '--to', 'MAN'), /LANTERN +MAN +4 +4 /);
  assert.match(await stockctl('history', 'LANTERN@MAN'), /move +\+4/);
  await stockctl('settings', 'LANTERN@MAN', '--safety-stock', '1', '--backorder-limit', '2');
  const { safety_stock, backorder_limit, available } = await counts('LANTERN@MAN');
  assert.deepEqual([safety_stock, backorder_limit, available], ['1', '2', '3']);
  assert.equal((await refused('settings', 'LANTERN@MAN', '--safety-stock', '2', '--expect-version', '1')).code, 1);
  assert.equal((await refused('move', 'LANTERN@LON=1', '--to', 'MOON')).code, 3);
});
