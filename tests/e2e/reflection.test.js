// `buf curl`: a person at a terminal, without the .proto files. Everything it knows comes from the
// server's reflection.

import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { ROOT, run, Stack } from './stack.js';

const BUF = path.join(ROOT, 'tests/node_modules/.bin/buf');

let stack;
before(async () => {
  stack = await Stack.start();
});
after(() => stack?.stop());

// In a folder where no .proto file is.
const buf = async (...args) =>
  (await run(BUF, ['curl', '--protocol', 'grpc', '--http2-prior-knowledge', ...args], { cwd: stack.dir }))
    .stdout;
const call = async (method, request) =>
  JSON.parse(await buf('--data', JSON.stringify(request), `http://${stack.address}/${method}`));

test('the services are listed', async () => {
  const services = await buf('--list-services', `http://${stack.address}`);
  for (const name of ['stock.v1.StockService', 'stock.v1.DriftService', 'grpc.health.v1.Health']) {
    assert.ok(services.split('\n').includes(name), `${name} is not in:\n${services}`);
  }
});

test('health is told per service', async () => {
  for (const service of ['', 'stock.v1.StockService', 'stock.v1.DriftService']) {
    assert.deepEqual(await call('grpc.health.v1.Health/Check', { service }), { status: 'SERVING' });
  }
});

test('layers are listed with their prices', async () => {
  const { layers } = await call('stock.v1.DriftService/ListLayers', {});
  assert.deepEqual(layers.map(({ setting }) => setting.layer), ['LAYER_MEMORY', 'LAYER_REDIS', 'LAYER_REPLICA', 'LAYER_PRIMARY']);
  assert.ok(layers.every(({ setting, up }) => setting.enabled && up));
});

test('stock is adjusted and read', async () => {
  await call('stock.v1.StockService/CreateLocation', { location: { id: 'LON' } });
  const key = { sku: 'BANK CHARGES', location: 'LON' };
  const written = await call('stock.v1.StockService/AdjustStock', { lines: [{ key, onHandDelta: 3 }] });
  assert.equal(written.levels[0].version, '1');
  assert.match(written.requestId, /^[0-9a-f-]{36}$/);

  const { level, provenance } = await call('stock.v1.StockService/GetStockLevel', {
    key, consistency: { fullyConsistent: true } });
  assert.equal(level.counts.onHand, '3');
  assert.equal(level.provenance.layer, 'LAYER_PRIMARY');
  assert.ok(level.provenance.trueThrough >= level.provenance.asOf);
  assert.ok(provenance.instance);
  assert.equal(provenance.trail.at(-1).outcome, 'OUTCOME_HIT');
});
