// The client of the stock service, over the wire, against servers that the test makes up.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { DatabaseClock } from '../../../services/storefront/clock.js';
import { Stock, StockError } from '../../../services/storefront/server/stock.js';
import { TestimonyDesk } from '../../../services/storefront/server/testimony.js';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
const PROTO = path.join(ROOT, 'proto');
const require = createRequire(path.join(ROOT, 'services/storefront/package.json'));
const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');
const protobuf = require('protobufjs');

const { StockService, DriftService } = grpc.loadPackageDefinition(protoLoader.loadSync(
  ['stock/v1/stock_service.proto', 'stock/v1/drift_service.proto'].map((name) => path.join(PROTO, name)),
  { includeDirs: [PROTO], keepCase: true, longs: Number, enums: String, defaults: true, oneofs: true })).stock.v1;

const servers = [];
let addresses;
let answer; // (index of the server, request) => response, or throws what becomes the status
before(async () => {
  for (const index of [0, 1]) {
    const server = new grpc.Server();
    const handler = (call, callback) => {
      try {
        callback(null, answer(index, call.request));
      } catch (error) {
        callback(error);
      }
    };
    server.addService(StockService.service, { GetStockLevel: handler });
    server.addService(DriftService.service, { SubmitTestimonies: handler });
    servers.push(server);
  }
  const ports = await Promise.all(servers.map((server) => new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => (error ? reject(error) : resolve(port)));
  })));
  addresses = ports.map((port) => `127.0.0.1:${port}`);
});
after(() => servers.forEach((server) => server.forceShutdown()));

async function withStock(work, options = {}) {
  const calls = [];
  const clock = new DatabaseClock();
  const stock = new Stock(
    { target: `ipv4:${addresses.join(',')}`, proto: PROTO, readTimeout: 30_000, writeTimeout: 30_000, ...options },
    clock, (method, code) => calls.push(`${method} ${code}`));
  try {
    await work(stock, calls, clock);
  } finally {
    stock.close();
  }
}

const level = { key: { sku: 'A', location: 'LON' }, exists: true, counts: { available: 3 }, version: 1, provenance: { layer: 'LAYER_MEMORY' } };
const request = { key: level.key };
const fail = (code, metadata = new grpc.Metadata()) => { throw Object.assign(new Error('no'), { code, details: 'no', metadata }); };

test('calls go to all servers in turn', () => withStock(async (stock) => {
  const asked = [0, 0];
  answer = (index) => { asked[index]++; return { level }; };
  // Until both are connected, one alone is asked.
  for (let i = 0; i < 500 && Math.min(...asked) < 5; i++) await stock.call('GetStockLevel', request);
  assert.ok(Math.min(...asked) >= 5, String(asked));
}));

test('what is unavailable for a moment is asked again, within the deadline', () => withStock(async (stock, calls) => {
  let times = 0;
  answer = () => (++times < 3 ? fail(grpc.status.UNAVAILABLE) : { level });
  assert.equal((await stock.call('GetStockLevel', request)).level.version, 1);
  assert.deepEqual([times, calls], [3, ['GetStockLevel OK']]);
  times = 0;
  answer = () => (++times < 3 ? fail(grpc.status.UNAVAILABLE) : { judged: [] });
  await stock.call('SubmitTestimonies', { testimonies: [] });
  assert.equal(times, 3);
}));

test('a refusal is not asked again, and says why', () => withStock(async (stock, calls) => {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, name) => path.join(PROTO, name);
  root.loadSync('google/rpc/status.proto', { keepCase: true });
  const encode = (name, value) => root.lookupType(name).encode(root.lookupType(name).fromObject(value)).finish();
  const metadata = new grpc.Metadata();
  metadata.set('grpc-status-details-bin', Buffer.from(encode('google.rpc.Status', {
    code: 9, details: [{ type_url: 'type.googleapis.com/google.rpc.ErrorInfo', value: encode('google.rpc.ErrorInfo', { reason: 'FLAGS_NOT_CONFIGURED' }) }],
  })));
  let times = 0;
  answer = () => { times++; return fail(grpc.status.FAILED_PRECONDITION, metadata); };
  await assert.rejects(stock.call('GetStockLevel', request),
    (error) => error instanceof StockError && error.code === 'FAILED_PRECONDITION' && error.reason === 'FLAGS_NOT_CONFIGURED');
  assert.deepEqual([times, calls], [1, ['GetStockLevel FAILED_PRECONDITION']]);
  const broken = new grpc.Metadata();
  broken.set('grpc-status-details-bin', Buffer.from([255, 255]));
  answer = () => fail(grpc.status.NOT_FOUND, broken);
  await assert.rejects(stock.call('GetStockLevel', request), { reason: 'NOT_FOUND' });
}));

test('nobody waits longer than the deadline', () => withStock(async (stock, calls) => {
  answer = () => fail(grpc.status.UNAVAILABLE);
  const began = Date.now();
  await assert.rejects(stock.call('GetStockLevel', request), { code: /UNAVAILABLE|DEADLINE_EXCEEDED/ });
  assert.ok(Date.now() - began < 4000, `${Date.now() - began} ms`);
  assert.equal(calls.length, 1);
}, { readTimeout: 60 }));

test('answers tell the database\'s time', () => withStock(async (stock, _calls, clock) => {
  answer = () => ({
    level: { ...level, provenance: { ...level.provenance, true_through: { seconds: 100, nanos: 0 }, age: { seconds: 0, nanos: 5e6 } } },
    provenance: { uncertainty: { seconds: 0, nanos: 1e6 } },
  });
  assert.equal(clock.age(100_000), null);
  await stock.call('GetStockLevel', request);
  const age = clock.age(100_000);
  assert.ok(age >= 6 && age < 5000, String(age));
}));

test('a report reaches who judges it, as it was made', () => withStock(async (stock) => {
  let heard;
  answer = (_index, submitted) => {
    heard = submitted;
    return { judged: submitted.testimonies.map(() => ({ finding: { verdict: 'VERDICT_STALE', words: 'it was so' } })) };
  };
  const desk = new TestimonyDesk(stock, new Map([['A', {}]]), 'LON', () => {});
  const claim = { sku: 'A', exists: true, available: -2, version: 4, believedSince: 1_700_000_000_001, trueThrough: 1_700_000_000_500, age: 1500 };
  const judged = await desk.submit({ witness: 'offline', instance: 'phone-1', sentAt: 1_700_000_002_000, claims: [claim, { ...claim, exists: false }] });
  assert.deepEqual(judged, Array(2).fill({ sku: 'A', verdict: 'stale', words: 'it was so' }));
  assert.deepEqual(heard.sent_at, { seconds: 1_700_000_002, nanos: 0 });
  const [first, second] = heard.testimonies;
  assert.deepEqual(
    [first.witness, first.instance, first.claim, first.available, first.version, first.age, first.believed_since, first.true_through],
    ['offline', 'phone-1', 'available', -2, 4, { seconds: 1, nanos: 500_000_000 },
      { seconds: 1_700_000_000, nanos: 1_000_000 }, { seconds: 1_700_000_000, nanos: 500_000_000 }]);
  assert.deepEqual([second.claim, second.absent], ['absent', true]);
}));
