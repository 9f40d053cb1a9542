// The examples of README for Node, Python and Go, as they stand there, against a real stockd.

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { connect } from './client.js';
import { ROOT, run, Stack } from './stack.js';

const KEY = { sku: 'LANTERN-42', location: 'LON' };

let stack;
let client;
let dir;
let protos;
before(async () => {
  stack = await Stack.start();
  client = connect(stack.address);
  await client.call('CreateLocation', { location: { id: 'LON' } });
  await client.call('AdjustStock', { lines: [{ key: KEY, on_hand_delta: 120 }] });
  dir = await mkdtemp(path.join(os.tmpdir(), 'stock-readme-'));
  await symlink(path.join(ROOT, 'proto'), path.join(dir, 'proto'));
  await symlink(path.join(ROOT, 'tests/node_modules'), path.join(dir, 'node_modules'));
  protos = (await readdir(path.join(ROOT, 'proto/stock/v1'))).map((name) => `stock/v1/${name}`);
});
after(async () => {
  client?.close();
  await stack?.stop();
  if (dir) await rm(dir, { recursive: true, force: true });
});

async function exampleOf(language) {
  const readme = await readFile(path.join(ROOT, 'README.md'), 'utf8');
  const [, code] = new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'ms').exec(readme);
  return code;
}

// Runs it, and sees in the ledger that it did what it says.
async function succeeds(environment, ...command) {
  const before_ = Number((await client.call('GetStockLevel', { key: KEY, consistency: { fully_consistent: true } })).level.counts.available);
  const { stdout } = await run(command[0], command.slice(1), {
    cwd: dir, env: { ...process.env, STOCKCTL_ADDRESS: stack.address, ...environment },
  });
  const [said, version, layer, id] = /^(\d+) available, version (\d+), from LAYER_([A-Z]+), [\d.]+ ?[mµ]?s old\nheld as ([0-9a-f-]{36})\n$/
    .exec(stdout)?.slice(1) ?? assert.fail(stdout);
  assert.equal(Number(said), before_);
  assert.ok(Number(version) >= 1);
  assert.match(layer, /^(MEMORY|REDIS|REPLICA|PRIMARY)$/);
  const { reservation } = await client.call('GetReservation', { id });
  assert.deepEqual([reservation.state, reservation.reference, reservation.lines[0].quantity], ['RESERVATION_STATE_HELD', 'order/1', '1']);
}

test('Node', async () => {
  await writeFile(path.join(dir, 'example.mjs'), await exampleOf('js'));
  await succeeds({}, process.execPath, 'example.mjs');
});

test('Python', async () => {
  const code = await exampleOf('python');
  const [generate] = code.split('\n');
  await run('sh', ['-c', generate.replace(/^# /, '')], { cwd: dir });
  await writeFile(path.join(dir, 'example.py'), code);
  // Debian's own, whatever else is installed.
  await succeeds({}, '/usr/bin/python3', 'example.py');
});

// With Debian's libraries in place of modules: nothing is fetched.
test('Go', async () => {
  const code = await exampleOf('go');
  const generate = code.split('\n').slice(0, 2).map((line) => line.replace(/^\/\/ /, '')).join('\n');
  const source = path.join(dir, 'go/src');
  await mkdir(path.join(source, 'example'), { recursive: true });
  await symlink(path.join(ROOT, 'proto'), path.join(source, 'proto'));
  await run('sh', ['-ec', generate], { cwd: source });
  assert.equal((await readdir(path.join(source, 'shop/stock'))).filter((name) => !name.endsWith('_grpc.pb.go')).length, protos.length);
  await writeFile(path.join(source, 'example/main.go'), code);
  await succeeds({ GO111MODULE: 'off', GOFLAGS: '', GOPATH: `${path.join(dir, 'go')}:/usr/share/gocode`, GOPROXY: 'off' }, '/usr/bin/go', 'run', 'example');
});
