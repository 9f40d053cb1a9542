// Metrics are a contract: their names, types and labels are in metrics.golden.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { connect } from './client.js';
import { ROOT, Stack } from './stack.js';

const GOLDEN = path.join(ROOT, 'tests/e2e/metrics.golden');

let stack;
let fromStart;
before(async () => {
  stack = await Stack.startWithFlags();
  fromStart = await (await stack.get('/metrics')).text();
});
after(() => stack?.stop());

// "name type label,label" of each family, in order.
function shape(text) {
  const types = new Map();
  const labels = new Map();
  for (const line of text.split('\n')) {
    const type = /^# TYPE (\S+) (\S+)$/.exec(line);
    if (type) types.set(type[1], type[2]);
    const sample = /^([a-z_]+?)(_bucket|_sum|_count)?(?:\{(.*)\})? \S+$/.exec(line);
    if (!sample) continue;
    const family = types.get(sample[1]) === 'histogram' ? sample[1] : sample[1] + (sample[2] ?? '');
    const names = labels.get(family) ?? new Set();
    for (const [, name] of (sample[3] ?? '').matchAll(/([a-z_]+)="/g)) if (name !== 'le') names.add(name);
    labels.set(family, names);
  }
  return [...types].map(([name, type]) => `${name} ${type} ${[...(labels.get(name) ?? [])].sort().join(',')}`.trim()).sort();
}

test('names, types and labels are those of the golden list', () => {
  const found = shape(fromStart);
  if (process.env.STOCK_UPDATE_GOLDEN) writeFileSync(GOLDEN, `${found.join('\n')}\n`);
  assert.deepEqual(found, readFileSync(GOLDEN, 'utf8').trim().split('\n'));
});

test('promtool finds nothing to complain about', () => {
  const check = spawnSync('promtool', ['check', 'metrics'], { input: fromStart, encoding: 'utf8' });
  assert.equal(check.stderr + check.stdout, '');
  assert.equal(check.status, 0);
});

test('everything that traffic counts was there from the start, at zero', async () => {
  const { call, close } = connect(stack.address);
  await call('CreateLocation', { location: { id: 'main' } });
  await call('AdjustStock', { lines: [{ key: { sku: 'a', location: 'main' }, on_hand_delta: 1 }] });
  await call('GetStockLevel', { key: { sku: 'a', location: 'main' } });
  await call('GetStockLevel', { key: { sku: 'a', location: 'main' }, cohort: 'beta' });
  await call('GetStockLevel', { key: { sku: '', location: 'main' } }).catch(() => {});
  close();
  const series = (text) => text.split('\n').filter((line) => line && !line.startsWith('#')).map((line) => line.slice(0, line.lastIndexOf(' ')));
  const before = new Set(series(fromStart));
  const born = series(await (await stack.get('/metrics')).text()).filter((name) => !before.has(name));
  assert.deepEqual(born, []);
});
