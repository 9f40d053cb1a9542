// The night of 2:07, as deploy/local/incident stages it: every verdict is exact, the auditor notices by itself, and when
// the causes are gone everybody agrees, and the flags are those of before.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { connect } from './client.js';
import { Process } from './process.js';
import { ROOT, Stack } from './stack.js';

const KEY = { sku: 'LANTERN-42', location: 'LON' };
const SAFETY = 2;

let stack;
let client;
let shop;
let night;
let flags; // as somebody has edited them
before(async () => {
  stack = await Stack.startWithFlags();
  flags = (await readFile(stack.flagsFile, 'utf8')).replace('"capped": 5', '"capped": 7');
  await writeFile(stack.flagsFile, flags);
  client = connect(stack.address);
  await client.call('CreateLocation', { location: { id: KEY.location } });
  await client.call('AdjustStock', { lines: [{ key: KEY, on_hand_delta: 200 }] });
  await client.call('UpdateStockSettings', { key: KEY, safety_stock: SAFETY });
  await stack.startAnalytics();
  shop = await stack.startStorefront(stack.address, { STOREFRONT_TESTIMONY_MS: 1000 });
});
after(async () => {
  client?.close();
  await night?.stop('SIGINT');
  await stack?.stop();
});

// Until it is true; each try asks a server.
async function eventually(ask) {
  for (const deadline = Date.now() + 60_000; !(await ask());) {
    assert.ok(Date.now() < deadline, `never became true: ${ask}`);
    await sleep(50);
  }
}

// As of the stack, with what there is besides.
function stage(...options) {
  const environment = {
    STOCKCTL_ADDRESS: stack.address,
    DATABASE_URL: stack.url('primary', 'stock_writer'),
    REPLICA_URL: stack.url('replica', 'stock_reader'),
    REDIS_URL: `redis://127.0.0.1:${stack.ports.redis}`,
    SHOP_URL: shop.url,
    ANALYTICS_URL: stack.url('primary', 'analytics'),
    FLAGS_FILE: stack.flagsFile,
    STOCKD_FLAGS_ADDRESS: `127.0.0.1:${stack.ports.flags}`,
    STOCKD_FLAGS: 'black-friday=cap,sale-over=end-sale,recalled=hide',
    STOCKD_COHORTS: 'public,beta,staff',
    STOCKD_FLAGS_TIMEOUT: '5s',
    // As patient as the stack's.
    STOCKD_REDIS_TIMEOUT: '10s',
    STOCKD_REPLICA_TIMEOUT: '10s',
    STOCKD_PRIMARY_TIMEOUT: '20s',
  };
  return new Process('incident', [
    'env', ...Object.entries(environment).map(([name, value]) => `${name}=${value}`),
    path.join(ROOT, 'deploy/local/incident'), ...options, '--log-dir', path.join(stack.dir, 'night'), `${KEY.sku}@${KEY.location}`,
  ], path.join(stack.dir, 'incident.log'));
}

// What a stockd finds, by witness: [verdict, what was said, of which version, how far off in units and in versions].
async function found(stockd) {
  const { keys: [{ findings }] } = await stockd.call('ExplainStockLevel', { sku: KEY.sku, location: KEY.location });
  const said = ({ flagged, testimony, counts }) =>
    flagged?.available ?? testimony?.available ?? testimony?.sold?.units ?? counts?.available;
  return findings.map(({ statement, verdict, units, versions }) => [
    statement.witness, verdict.slice('VERDICT_'.length), ...[said(statement), statement.version, units, versions].map(Number),
  ]);
}
const open = async () => (await client.call('ListIncidents', { open: true })).incidents;
const newest = async () =>
  Number((await client.call('GetStockLevel', { key: KEY, consistency: { fully_consistent: true } })).level.version);

test('each witness gets its verdict, with units and versions; nothing of it outlives its causes', async () => {
  const sold = await newest() + 3; // counted, held, sold
  night = stage();
  await night.ready(async () => night.all().includes('Ctrl-C'));
  const cut = connect(/--address (\S+) explain/.exec(night.all())[1]);
  assert.deepEqual(await found(cut), [
    ['memory', 'STALE', 42, sold + 1, -78, 1],
    ['redis', 'STALE', 0, sold, -120, 2],
    ['replica', 'STALE', 42, sold + 1, -78, 1],
    ['primary', 'CURRENT', 120, sold + 2, 0, 0],
    ['analytics', 'OVERCOUNTED', 12, 0, 6, 0],
    ['offline', 'STALE', 42, sold + 1, -78, 1],
    ['storefront', 'STALE', 42, sold + 1, -78, 1],
    ['flags', 'FORKED', 5, 0, -115, 0],
  ]);
  cut.close();
  // Whoever tells the same lie has one incident.
  await eventually(async () => (await open()).some(({ witnesses }) => witnesses.includes('memory@stockd-2') && witnesses.includes('replica')));
  assert.ok(night.all().split('\n').every((line) => line.length <= 80 || line.includes(stack.flagsFile)), night.all());

  assert.equal(await night.stop('SIGINT'), 0, night.all());
  assert.match(night.all(), /no witness contradicts the ledger\n$/);
  assert.deepEqual(await open(), []);
  assert.equal(await readFile(stack.flagsFile, 'utf8'), flags);
  await eventually(async () => (await found(client)).some(([witness, , said]) => witness === 'flags' && said === 7));
  for (const [witness, verdict, said] of await found(client)) {
    if (witness === 'flags') continue;
    assert.deepEqual([verdict, said], ['CURRENT', witness === 'analytics' ? 6 : 120], witness);
  }
});
