// 2 a.m.: a cache tells an old count. Who is lying, since when, and what to do about it, at the command line.

import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { ROOT, run, Stack } from './stack.js';

const STOCKCTL = path.join(process.env.STOCK_BUILD_DIR ?? path.join(ROOT, 'build/release'), 'services/stockctl/stockctl');

let stack;
let second;
before(async () => {
  stack = await Stack.start();
  second = await stack.addStockd();
  await stockctl('locations', 'create', 'LON');
});
after(() => stack?.stop());

const stockctl = async (...args) => (await run(STOCKCTL, ['--address', stack.address, ...args])).stdout;
const tried = (...args) =>
  run(STOCKCTL, ['--address', stack.address, ...args]).then(
    (succeeded) => ({ code: 0, ...succeeded }), ({ code, stdout, stderr }) => ({ code, stdout, stderr }));
async function failing(...args) {
  const { code, stdout, stderr } = await tried(...args);
  assert.notEqual(code, 0, `succeeded: ${stdout}`);
  return { code, stdout, stderr };
}
// As on a screen of 80 columns; where it goes into a file, nothing is cut.
const onScreen = async (...args) => {
  const command = [STOCKCTL, '--address', stack.address, ...args].join(' ');
  const { stdout } = await run('script', ['-qc', `stty cols 80; NO_COLOR=1 ${command}`, '/dev/null']);
  return stdout.split('\r\n');
};
const redis = async (...args) => (await run('redis-cli', ['-p', stack.ports.redis, ...args])).stdout.trim();

// Until it is not undefined; each try asks a server.
async function eventually(ask) {
  for (const deadline = Date.now() + 60_000; ;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    assert.ok(Date.now() < deadline, `never became true: ${ask}`);
  }
}
// What a writer tells Redis may be lost, and a writer that has just begun says nothing yet; readers fill it.
const copyOf = (sku) => eventually(async () => {
  await stockctl('get', `${sku}@LON`);
  return (await redis('KEYS', `*${sku}`)) || undefined;
});

// A copy of the first version is put back when there is a third.
async function plantOldCopy(sku) {
  await stockctl('adjust', `${sku}@LON=42`, '--reason', 'delivery');
  const key = await copyOf(sku);
  await redis('COPY', key, 'kept');
  await stockctl('adjust', `${sku}@LON=78`, '--reason', 'delivery', '--reference', 'order/1', '--actor', 'shop');
  // What the writer told Redis of its write has come, so that nothing comes after the old one.
  const kept = await redis('GET', 'kept');
  await eventually(async () => {
    await stockctl('get', `${sku}@LON`);
    return (await redis('GET', key)) !== kept || undefined;
  });
  await redis('COPY', 'kept', key, 'REPLACE');
  await redis('DEL', 'kept');
}

test('an old copy is named, replaced, and gone', async () => {
  await plantOldCopy('LANTERN');
  // Nobody is accused until it is on record since when everybody has seen better.
  const { code, stdout } = await eventually(async () => {
    const explained = await tried('explain', 'LANTERN');
    return explained.stdout.includes('STALE: 42 ') ? explained : undefined;
  });
  assert.equal(code, 1);
  assert.match(stdout, /^LANTERN @ LON, by \S+\nThe ledger: 120 available \(on hand 120\), version 2\n/);
  assert.match(stdout, /\nredis +42 +1 +\d\d:\d\d:\d\d\.\d{3} /);
  assert.match(stdout, /STALE: 42 was true from [\d:.]+ to [\d:.]+, 1 version ago;\s+superseded by version 2: adjust, delivery, order\/1, by shop\n/);
  assert.match(stdout, /\nprimary +120 +2 /);
  const shown = await onScreen('explain', 'LANTERN');
  assert.match(shown[0], /^LANTERN @ LON, by /);
  assert.ok(shown.every((line) => line.length <= 80), shown.join('\n'));

  const audit = await failing('audit', 'LANTERN@LON', 'NONE@LON');
  assert.equal(audit.code, 1);
  assert.match(audit.stdout, /^LANTERN @ LON, redis\n {2}STALE: 42 was true /);
  assert.match(audit.stdout, /primary +2 current\n/);

  const repaired = await stockctl('repair', 'LANTERN@LON', '--layer', 'redis', '--reason', 'old');
  assert.match(repaired, /^Before\n[^]*STALE: 42[^]*\nAfter\n[^]*redis +120 +2 [^]*current: 120 is true/);
  await stockctl('explain', 'LANTERN');
  assert.match(await (await stack.get('/metrics')).text(), /stock_repairs_total\{layer="redis",outcome="refreshed"\} [1-9]/);
  assert.equal((await failing('explain', 'NOBODY')).code, 3);
});

test('a layer is left out by all instances, and its price is told', async () => {
  const off = await stockctl('layer', 'disable', 'redis', '--reason', 'it lies', '--actor', 'ana');
  assert.match(off, /^redis is off since .* UTC, by ana: it lies\n/);
  await eventually(async () => {
    const { stdout } = await run(STOCKCTL, ['layers', '--target', stack.address, '--target', second, '--json']);
    const instances = stdout.trim().split('\n').map((line) => JSON.parse(line));
    assert.equal(instances.length, 2);
    return instances.every(({ layers }) => !layers[1].setting.enabled) ? true : undefined;
  });
  const read = await run(STOCKCTL, ['--address', second, 'get', 'LANTERN@LON', '--max-staleness', '1ms', '--allow-stale']);
  assert.match(read.stdout, /redis bypassed/);
  assert.match(read.stdout, /redis: disabled by ana since .* UTC: it lies\n/);
  await stack.restartStockd();
  const text = await stockctl('layers');
  assert.match(text, /^\S+, counting for /);
  assert.match(text, /\nredis +off /);
  assert.match(text, /\nredis is off since .* UTC, by ana: it lies\n/);
  await stockctl('layer', 'enable', 'redis');
  assert.match(await stockctl('layers'), /\nredis +on /);
  assert.match(await stockctl('layers', '--what-if', 'memory', '--over', '100ms'), /without memory, estimated from 1\d\d ms of its traffic\n/);
  assert.match(await stockctl('layer', 'repair', 'redis', 'drop'), /lies found in redis are dropped since /);
  await stockctl('layer', 'repair', 'redis', 'off');
  const refused = await failing('layer', 'disable', 'primary');
  assert.match(refused.stderr, /the primary cannot be disabled/);
  assert.equal((await failing('layer', 'disable', 'disk')).code, 2);
});
