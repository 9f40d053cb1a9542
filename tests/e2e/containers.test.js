// What docker-compose.yml starts, started here: the same commands with the same arguments, on free ports of loopback in
// place of the containers' addresses. Images and networks are left out, which need an engine.

import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { connect } from './client.js';
import { freePort, Process } from './process.js';
import { ROOT, run } from './stack.js';

const BIN = path.join(process.env.STOCK_BUILD_DIR ?? path.join(ROOT, 'build/release'), 'services');

let dir;
let services;
const port = {}; // of "primary:5432" here, ...
const processes = [];

before(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'stock-e2e-'));
  await chmod(dir, 0o755); // user postgres enters it
  const { stdout: yaml } = await run('docker-compose', ['--file', path.join(ROOT, 'docker-compose.yml'), 'config']);
  const toJson = run('python3', ['-c', 'import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))']);
  toJson.child.stdin.end(yaml);
  ({ services } = JSON.parse((await toJson).stdout));
  const addresses = [
    'primary:5432', 'replica:5432', 'redis:6379', 'flagd:8013', 'stockd-1:7070', 'stockd-1:7071', 'analytics:7072',
    'storefront:8080', 'storefront:8081',
  ];
  for (const address of addresses) {
    port[address] = await freePort();
  }
});
after(async () => {
  for (const started of processes.reverse()) await started.stop('SIGINT');
  await rm(dir, { recursive: true, force: true });
});

// What a service is told, with the folders and addresses of this machine; a port alone is its own.
function here(service, text) {
  return text
    .replace(/^\/(data|tmp)\//, `${dir}/`)
    .replace('/stockwitness', ROOT)
    .replace(/^stockd:7070$/, 'stockd-1:7070') // the name of all of them
    .replace(/\b(primary|replica|redis|flagd|stockd-1):\d+/g, (address) => `127.0.0.1:${port[address]}`)
    .replace(/^(0\.0\.0\.0:)?(\d{4})$/, (_, any, number) => `${any ? '127.0.0.1:' : ''}${port[`${service}:${number}`]}`);
}

function start(service, command, environment = {}) {
  const words = Object.entries(environment).map(([name, value]) => `${name}=${here(service, value)}`);
  const started = new Process(service, ['env', ...words, ...command], path.join(dir, `${service}.log`));
  processes.push(started);
  return started;
}

const commandOf = (service) =>
  services[service].command.map((word, i) => (i === 0 ? path.join(ROOT, word) : here(service, word)));

// Its own health check, at its port here.
const healthy = (service) => async () => {
  const [kind, ...words] = services[service].healthcheck.test;
  const check = words.map((word) => word
    .replace('redis-cli', `redis-cli -p ${port['redis:6379']}`)
    .replace(/(--port=|127\.0\.0\.1:)(\d{4})/, (_, before, number) => before + port[`${service}:${number}`]));
  await (kind === 'CMD' ? run(check[0], check.slice(1)) : run('sh', ['-c', check[0].replaceAll('$$', '$')]));
  return true;
};

test('databases, cache and stockd start in their order, and stock is answered from them', async () => {
  await start('primary', commandOf('primary')).ready(healthy('primary'));
  const [migrate, ...address] = commandOf('migrate');
  await run(migrate, address);
  await start('replica', commandOf('replica')).ready(healthy('replica'));
  await start('redis', commandOf('redis')).ready(healthy('redis'));
  // What speaks flagd's protocol on one machine, in place of flagd.
  start('flagd', [path.join(ROOT, 'deploy/local/flagd'), String(port['flagd:8013']), path.join(ROOT, 'deploy/flags/flags.json')]);
  await start('stockd-1', [path.join(BIN, 'stockd/stockd')], services['stockd-1'].environment).ready(healthy('stockd-1'));

  // What is not required, the auditor, comes a moment later.
  const failing = async () => {
    const ready = await (await fetch(`http://127.0.0.1:${port['stockd-1:7071']}/readyz`)).text();
    return ready.trim().split('\n').filter((line) => !line.startsWith('ok '));
  };
  for (const end = Date.now() + 60_000; (await failing()).length > 0 && Date.now() < end;) await sleep(50);
  assert.deepEqual(await failing(), []);
  const { call, close } = connect(`127.0.0.1:${port['stockd-1:7070']}`);
  const key = { sku: 'LANTERN-42', location: 'LON' };
  await call('CreateLocation', { location: { id: 'LON' } });
  await call('AdjustStock', { lines: [{ key, on_hand_delta: 3 }] });
  const { level, provenance } = await call('GetStockLevel', { key });
  assert.equal(level.counts.on_hand, '3');
  assert.equal(provenance.instance, 'stockd-1');
  close();
  await start('analytics', [path.join(BIN, 'analytics/analytics')], services.analytics.environment).ready(healthy('analytics'));
});

test('whoever asks stockd goes on with the other one when one is away', () => {
  const { analytics, storefront, 'stockd-1': one, 'stockd-2': other } = services;
  for (const address of [analytics.environment.ANALYTICS_STOCK_ADDRESS, storefront.environment.STOREFRONT_STOCK]) {
    const [name] = address.split(':');
    for (const stockd of [one, other]) assert.ok(stockd.networks.front.aliases.includes(name), address);
  }
});

test('the shop answers from stockd', async () => {
  const main = path.join(ROOT, 'services/storefront/server/main.js');
  await start('storefront', [process.execPath, main], services.storefront.environment).ready(healthy('storefront'));
  const listed = async () => (await fetch(`http://127.0.0.1:${port['storefront:8081']}/readyz`)).status === 200;
  for (const end = Date.now() + 60_000; !(await listed()) && Date.now() < end;) await sleep(50);
  const answer = await (await fetch(`http://127.0.0.1:${port['storefront:8080']}/api/products`)).json();
  assert.deepEqual(answer.products.map(({ sku, level }) => [sku, level.available]), [['LANTERN-42', 3]]);
  assert.equal(answer.provenance.instance, 'stockd-1');
});

test('the packages of the programs are found from the programs', async () => {
  const { stdout } = await run(
    path.join(ROOT, 'deploy/docker/runtime-packages'), [path.join(BIN, 'stockd/stockd'), path.join(BIN, 'stockctl/stockctl'), path.join(BIN, 'analytics/analytics')]);
  const packages = stdout.trim().split('\n');
  // gRPC is within the programs; what it needs is not.
  for (const expected of ['libc6', 'libc-ares2', 'libpqxx-6.4', 'libhiredis0.14', 'libuv1']) {
    assert.ok(packages.includes(expected), expected);
  }
  assert.deepEqual(packages, [...new Set(packages)].sort());
});
