// The dashboards of Grafana, which is not here: their structure, and each of their queries, asked of a real Prometheus
// that scrapes two real stockds after traffic and lies.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { connect } from './client.js';
import { lieInRedis } from './forger.js';
import { ROOT, run, Stack } from './stack.js';

const FOLDER = path.join(ROOT, 'deploy/grafana/dashboards');
const PATIENCE_MS = 120_000;
const dashboards = readdirSync(FOLDER).map((file) => ({ file, ...JSON.parse(readFileSync(path.join(FOLDER, file), 'utf8')) }));

// Every query of every panel, with its place for messages.
const queries = dashboards.flatMap(({ title, panels }) =>
  panels.flatMap((panel) => (panel.targets ?? []).map(({ expr }) => ({ where: `${title}, ${panel.title}`, expr }))));

// Recording rules, and what each is computed from.
const recorded = new Map(
  readFileSync(path.join(ROOT, 'deploy/prometheus/rules/recording.yml'), 'utf8').split('- record: ').slice(1)
    .map((rule) => [rule.slice(0, rule.indexOf('\n')), rule.slice(rule.indexOf('expr:')).split('\n\n')[0]]));
const exported = new Set(
  readFileSync(path.join(ROOT, 'tests/e2e/metrics.golden'), 'utf8').trim().split('\n').map((line) => line.split(' ')[0]));
// What Prometheus itself says of its targets and alerts.
const OF_PROMETHEUS = new Set(['up', 'ALERTS', 'scrape_duration_seconds']);

const withoutLabels = (expr) => expr.replaceAll(/\{[^}]*\}|\b(by|on) \([^)]*\)/g, ' ');
const namesOf = (expr) =>
  withoutLabels(expr).match(/[a-z_]+:\w+:\w+|\b(stock|grpc_server|process|scrape)_\w+|\bup\b|\bALERTS\b/g) ?? [];
const there = (name) =>
  recorded.has(name) ? namesOf(recorded.get(name)).every(there)
    : exported.has(name) || OF_PROMETHEUS.has(name) || exported.has(name.replace(/_(bucket|count|sum)$/, ''));

test('each dashboard is what the generator writes', async () => {
  await run(path.join(ROOT, 'deploy/grafana/generate'), ['--check']);
});

test('each dashboard has a stable uid, a variable for its datasource, and links to the others', () => {
  const uids = dashboards.map(({ uid }) => uid);
  assert.deepEqual(
    [...uids].sort(),
    ['drift', 'feed', 'grpc', 'layers', 'overview', 'saturation', 'writes'].map((name) => `stockwitness-${name}`));
  for (const { file, uid, title, description, templating, links } of dashboards) {
    assert.equal(uid, `stockwitness-${file.replace('.json', '')}`);
    assert.ok(title && description, file);
    const [datasource, ...others] = templating.list;
    assert.deepEqual([datasource.name, datasource.type, datasource.query], ['datasource', 'datasource', 'prometheus']);
    for (const variable of others) assert.equal(variable.datasource.uid, '${datasource}', file);
    assert.deepEqual(links.map(({ url }) => url).sort(), uids.map((other) => `/d/${other}`).sort());
  }
});

test('each panel says what it shows and in which unit, and fits beside the others', () => {
  for (const { file, panels } of dashboards) {
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length, file);
    const taken = new Set();
    for (const panel of panels) {
      const what = `${file}: ${panel.title}`;
      const { x, y, w, h } = panel.gridPos;
      assert.ok(x + w <= 24, what);
      for (let i = x; i < x + w; i++) {
        for (let j = y; j < y + h; j++) {
          assert.ok(!taken.has(`${i} ${j}`), `${what} lies over another panel`);
          taken.add(`${i} ${j}`);
        }
      }
      if (panel.type === 'row') continue;
      assert.ok(panel.title && panel.description.endsWith('.'), what);
      assert.ok(panel.fieldConfig.defaults.unit, what);
      assert.ok(panel.targets.length > 0, what);
      for (const { datasource } of [panel, ...panel.targets]) assert.equal(datasource.uid, '${datasource}', what);
    }
  }
});

test('the layers have a row each', () => {
  const { panels, templating } = dashboards.find(({ uid }) => uid === 'stockwitness-layers');
  const row = panels.findIndex(({ type, repeat }) => type === 'row' && repeat === 'layer');
  assert.ok(row > 0 && templating.list.some(({ name }) => name === 'layer'));
  for (const panel of panels.slice(row + 1)) {
    for (const { expr } of panel.targets) assert.match(expr, /layer=~"\$layer"/, panel.title);
  }
});

test('each query asks for what is exported or computed', () => {
  for (const { where, expr } of queries) {
    assert.notDeepEqual(namesOf(expr), [], where);
    for (const name of namesOf(expr)) assert.ok(there(name), `${where}: ${name}`);
  }
});

let stack;
let prometheus;
let traffic;
before(async () => {
  stack = await Stack.startWithFlags();
  await stack.addStockd();
  prometheus = await stack.startPrometheus();
  traffic = await Traffic.start(stack);
});
after(async () => {
  await traffic?.stop();
  await stack?.stop();
});

const KEY = { sku: 'LANTERN', location: 'LON' };

async function until(what, wanted, get) {
  const deadline = Date.now() + PATIENCE_MS;
  let got = await get();
  while (String(got) !== String(wanted) && Date.now() < deadline) {
    await sleep(500);
    got = await get();
  }
  assert.deepEqual(got, wanted, what);
}

// Reads and writes of every kind, over and over; and a lie in each layer where one can be told.
class Traffic {
  static async start(stack) {
    const traffic = new Traffic(stack);
    await traffic.#client.call('CreateLocation', { location: { id: 'LON' } });
    await traffic.#round();
    const replica = async (statement) =>
      (await run('psql', [`postgresql://postgres@127.0.0.1:${stack.ports.replica}/stock`, '-XqtAc', statement])).stdout.trim();
    await until('keys of the replica', '2', () => replica('SELECT count(*) FROM stock.level'));
    await replica('SELECT pg_wal_replay_pause()');
    traffic.#ended = traffic.#goOn();
    return traffic;
  }

  async stop() {
    this.#stopping = true;
    await this.#ended;
    this.#client.close();
  }

  #client;
  #ports;
  #stopping = false;
  #ended;

  constructor(stack) {
    this.#client = connect(stack.address);
    this.#ports = stack.ports;
  }

  async #goOn() {
    while (!this.#stopping) {
      await this.#round();
      await lieInRedis(this.#ports.redis, KEY, 1000);
      await sleep(100);
    }
  }

  async #round() {
    const { call } = this.#client;
    const key = KEY;
    await call('AdjustStock', { lines: [{ key, on_hand_delta: 2 }, { key: { ...key, sku: 'MUG' }, on_hand_delta: 1 }] });
    await call('CreateReservation', { lines: [{ key, quantity: 1 }], ttl: { seconds: 1 }, request_id: randomUUID() });
    await call('AdjustStock', { lines: [{ key, on_hand_delta: -1_000_000 }] }).catch(() => {}); // short
    for (const consistency of [{}, { fully_consistent: true }, { max_staleness: { nanos: 1000 } }]) {
      await call('GetStockLevel', { key, consistency, cohort: 'beta' }).catch(() => {});
      await call('GetStockLevel', { key: { ...key, sku: randomUUID() }, consistency }).catch(() => {});
    }
  }
}

// What a query gives, with the variables of the dashboards set to all there is.
async function ask(expr) {
  const query = expr.replaceAll('$__rate_interval', '15s').replaceAll('$instance', '.*').replaceAll('$layer', '.+');
  const response = await fetch(`${prometheus}/api/v1/query`, { method: 'POST', body: new URLSearchParams({ query }) });
  const { status, error, data } = await response.json();
  assert.equal(status, 'success', `${query}: ${error}`);
  return data.result.map(({ value: [, value] }) => Number(value));
}

const asks = (dashboard, panel) =>
  dashboards.find(({ uid }) => uid === `stockwitness-${dashboard}`).panels.find(({ title }) => title === panel).targets[0].expr;

// The replica does not replay, and both keys move: it stays behind on two of them.
test('an incident is shown once, however many instances know of it', async () => {
  const client = connect(stack.address);
  const behind = '{layer="replica", verdict="stale"}';
  await until('incidents', 2, async () =>
    (await client.call('ListIncidents', { open: true, layer: 'replica', verdict: 'VERDICT_STALE' })).incidents.length);
  client.close();
  await until('of each instance', [2, 2], () => ask(`stock_incidents_open${behind}`));
  const [kinds, all] = [asks('drift', 'Open'), asks('drift', 'Open incidents')];
  await until('of the panel', [2], () => ask(`${kinds} and on (layer, verdict) stock_incidents_open${behind}`));
  assert.deepEqual(await ask(`(${all}) - sum(${kinds})`), [0]);
});

test('each query gives numbers', async () => {
  const deadline = Date.now() + PATIENCE_MS;
  let silent = queries.filter(({ expr }) => namesOf(expr).every(there));
  while (silent.length > 0 && Date.now() < deadline) {
    const answers = await Promise.all(silent.map(({ expr }) => ask(expr)));
    silent = silent.filter((_, i) => !answers[i].some(Number.isFinite));
    if (silent.length > 0) await sleep(1000);
  }
  assert.deepEqual(silent, []);
});
