// A sales file, imported and replayed by stockctl: afterwards the ledger and every layer say exactly what the file says.

import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import { spawn } from 'node:child_process';
import path from 'node:path';
import readline from 'node:readline';
import { after, before, test } from 'node:test';

import { connect, errorDetails } from './client.js';
import { ROOT, run, Stack } from './stack.js';

const STOCKCTL = path.join(process.env.STOCK_BUILD_DIR ?? path.join(ROOT, 'build/release'), 'services/stockctl/stockctl');
const SAMPLE = path.join(ROOT, 'deploy/local/sample');
const REAL = process.env.STOCK_REAL_DATA;

let stack;
let client;
before(async () => {
  stack = await Stack.start();
  client = connect(stack.address);
});
after(async () => {
  client?.close();
  await stack?.stop();
});

const stockctlAt = (address, ...args) =>
  run(STOCKCTL, ['--address', address, ...args], { maxBuffer: 1 << 26 });
const stockctl = (...args) => stockctlAt(stack.address, ...args);

// Only what these files need: quotes, doubled quotes and commas in them; no line breaks in a field.
function fields(line) {
  const parts = [];
  for (const match of line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)) {
    parts.push(match[1] !== undefined ? match[1].replaceAll('""', '"') : match[2]);
  }
  return parts;
}

async function* records(file) {
  const input = file.endsWith('.xz') ? spawn('xz', ['-dc', file]).stdout : createReadStream(file);
  let header;
  for await (const line of readline.createInterface({ input, crlfDelay: Infinity })) {
    const parts = fields(line);
    if (header) yield Object.fromEntries(header.map((name, i) => [name, parts[i]]));
    else header = parts;
  }
}

// What every key must end with, and the number of lines.
async function expected(file, opening, placeOf) {
  const sold = new Map();
  let lines = 0;
  for await (const record of records(file)) {
    const key = `${record.StockCode}@${placeOf(record)}`;
    sold.set(key, (sold.get(key) ?? 0) + Number(record.Quantity));
    lines += 1;
  }
  return { lines, counts: new Map([...opening].map(([key, units]) => [key, units - (sold.get(key) ?? 0)])) };
}

// What is on hand of all keys. Nothing is held or waits to be shipped, once a file has been replayed.
async function levels(consistency) {
  const counts = new Map();
  let page_token = '';
  do {
    const page = await client.call('ListStockLevels', { page_size: 1000, page_token, consistency });
    for (const { key, counts: { on_hand, reserved, committed } } of page.levels) {
      const name = `${key.sku}@${key.location}`;
      assert.deepEqual([reserved, committed], ['0', '0'], name);
      counts.set(name, Number(on_hand));
    }
    page_token = page.next_page_token;
  } while (page_token);
  return counts;
}

// What is asked until it is answered within its bound, which a machine that is busy may miss.
async function inTime(ask) {
  for (const deadline = Date.now() + 60_000; ;) {
    try {
      return await ask();
    } catch (error) {
      if (errorDetails(error).ErrorInfo?.reason !== 'STALENESS_BOUND_UNMET' || Date.now() > deadline) throw error;
    }
  }
}

// Every key through the layers, twice, so that memory and redis answer too; and which layers did.
async function readAll(keys, consistency) {
  const counts = new Map();
  const layers = new Set();
  for (let i = 0; i < keys.length; i += 1000) {
    const part = keys.slice(i, i + 1000).map((key) => {
      const at = key.lastIndexOf('@');
      return { sku: key.slice(0, at), location: key.slice(at + 1) };
    });
    const { levels: answered } = await inTime(() => client.call('BatchGetStockLevels', { keys: part, consistency }));
    for (const { key, counts: { on_hand }, provenance } of answered) {
      counts.set(`${key.sku}@${key.location}`, Number(on_hand));
      layers.add(provenance.layer);
    }
  }
  return { counts, layers };
}

async function assertEverywhere(wanted) {
  assert.deepEqual(await levels({ fully_consistent: true }), wanted);
  const keys = [...wanted.keys()];
  assert.deepEqual((await readAll(keys, { fully_consistent: true })).counts, wanted);
  const again = await readAll(keys, { max_staleness: { seconds: 3600 } });
  assert.deepEqual(again.counts, wanted);
  assert.ok(again.layers.has('LAYER_MEMORY'), `answered by ${[...again.layers]}`);
}

const ordered = (map) => new Map([...map].sort(([a], [b]) => (a.split('@').reverse().join() < b.split('@').reverse().join() ? -1 : 1)));

test('the sample', async () => {
  for (const place of ['LON', 'MAN', 'GLA']) await stockctl('locations', 'create', place, '--display-name', place);
  await stockctl('import', path.join(SAMPLE, 'catalogue.csv'));
  await stockctl('replay', path.join(SAMPLE, 'sales.csv'));
  const opening = new Map();
  for await (const record of records(path.join(SAMPLE, 'catalogue.csv'))) {
    opening.set(`${record.SKU}@${record.Location}`, Number(record.OnHand));
  }
  const { counts, lines } = await expected(path.join(SAMPLE, 'sales.csv'), opening, ({ Location }) => Location);
  assert.ok(lines > 3000);
  await assertEverywhere(counts);

  const reservations = JSON.parse((await stockctl('reservations', '--limit', '0', '--json')).stdout).reservations;
  assert.ok(reservations.length > 500);
  assert.deepEqual(new Set(reservations.map(({ state }) => state)), new Set(['RESERVATION_STATE_FULFILLED']));

  // Both again: nothing happens twice.
  await stockctl('import', path.join(SAMPLE, 'catalogue.csv'));
  await stockctl('replay', path.join(SAMPLE, 'sales.csv'));
  await assertEverywhere(counts);
});

test('the real file, each half of it through an instance of its own, both at once', { skip: REAL ? false : 'STOCK_REAL_DATA is not set' }, async () => {
  const other = await stack.addStockd();
  await stockctl('locations', 'create', 'main', '--display-name', 'Main');
  // The halves do not wait for each other: no sale may need what the other half brings back.
  await stockctl('import', REAL, '--location', 'main', '--margin', '100000');
  const opening = new Map([...(await levels({ fully_consistent: true }))].filter(([key]) => key.endsWith('@main')));
  const { counts, lines } = await expected(REAL, opening, () => 'main');
  assert.equal(lines, 370931);
  assert.equal(counts.size, 3887);
  const replay = (address, part) => stockctlAt(address, 'replay', REAL, '--location', 'main', '--part', part, '--json');
  const halves = await Promise.all([replay(stack.address, '1/2'), replay(other, '2/2')]);
  const summaries = halves.map(({ stdout }) => JSON.parse(stdout));
  for (const { lines_per_second, seconds, retries } of summaries) {
    console.log(`half a file in ${seconds.toFixed(1)} s, ${lines_per_second.toFixed(0)} lines/s, ${retries} retries`);
  }
  // A write of which only the repetition was answered counts as applied already.
  const done = ({ sold, brought_back, already_applied }) => sold + brought_back + already_applied;
  assert.equal(summaries.reduce((sum, summary) => sum + done(summary), 0), lines);
  assert.deepEqual(summaries.map(({ refused, bad }) => refused + bad), [0, 0]);
  const mine = async (read) => new Map([...(await read)].filter(([key]) => key.endsWith('@main')));
  assert.deepEqual(ordered(await mine(levels({ fully_consistent: true }))), ordered(counts));
  const keys = [...counts.keys()];
  for (const consistency of [{ fully_consistent: true }, { max_staleness: { seconds: 1 } }]) {
    assert.deepEqual((await readAll(keys, consistency)).counts, counts);
  }
});
