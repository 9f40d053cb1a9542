// deploy/local/up, as one runs it in a checkout: here a copy of this one, with the programs of this build. The night of
// 2:07 on the data that come with the project, by itself, and on a stack that runs.

import assert from 'node:assert/strict';
import { access, chmod, cp, mkdtemp, rm, symlink } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Process } from './process.js';
import { ROOT, run } from './stack.js';

// What each of them says on that night, and what comes of it.
const EIGHT = [
  ['memory', 42, 'STALE'],
  ['redis', 0, 'STALE'],
  ['replica', 42, 'STALE'],
  ['primary', 120, 'current'],
  ['analytics', null, 'OVERCOUNTED'],
  ['offline', 42, 'STALE'],
  ['storefront', 42, 'STALE'],
  ['flags', 5, 'FORKED'],
];

let checkout;
let stack;
before(async () => {
  await run(path.join(ROOT, 'deploy/local/flagd'), ['--install']);
  checkout = await mkdtemp(path.join(os.tmpdir(), 'stock-e2e-'));
  await chmod(checkout, 0o755); // user postgres enters it
  const own = (file) => path.basename(file) !== 'node_modules';
  for (const folder of ['deploy', 'services', 'proto']) {
    await cp(path.join(ROOT, folder), path.join(checkout, folder), { recursive: true, preserveTimestamps: true, filter: own });
  }
  for (const packages of ['services/storefront/node_modules', 'services/flagserver/node_modules', 'tests']) {
    await symlink(path.join(ROOT, packages), path.join(checkout, packages));
  }
});
after(async () => {
  await stack?.stop('SIGINT');
  const { stdout } = await run('bash', ['-c', 'source deploy/local/lib.sh; source deploy/local/data.sh; echo "$DATA_DIR"'], { cwd: checkout });
  await rm(stdout.trim(), { recursive: true, force: true });
  await rm(checkout, { recursive: true, force: true });
});

// A script in a shell, of which `source build/local/env` may be the first command.
function start(name, script) {
  const build = process.env.STOCK_BUILD_DIR ?? path.join(ROOT, 'build/release');
  return new Process(name, ['env', '--chdir', checkout, `STOCK_BUILD_DIR=${build}`, 'bash', '-c', script], path.join(checkout, `${name}.log`));
}

// Of what stockctl explain prints.
const found = (output) =>
  [...output.matchAll(/^([a-z]+) +(\d+) .*\n +(\w+):/gm)].map(([, witness, said, verdict]) =>
    [witness, witness === 'analytics' ? null : Number(said), verdict]);

test('with --incident --once it shows all eight witnesses, takes the causes away, and ends', async () => {
  const night = start('night', './deploy/local/up --incident --once');
  assert.equal(await night.ended, 0, night.tail());
  assert.deepEqual(found(night.all()), EIGHT, night.all());
  assert.match(night.all(), /^\S+ +all +the causes are gone: no witness contradicts the ledger$/m);
  await assert.rejects(access(path.join(checkout, 'build/local/env')));
});

test('on a stack that runs, the night has the same witnesses by what the env says', async () => {
  stack = start('up', 'exec ./deploy/local/up');
  await stack.ready(async () => stack.all().includes('Ctrl-C stops everything'));
  const night = start('later', 'source build/local/env && ./deploy/local/incident --once LANTERN-42@LON');
  assert.equal(await night.ended, 0, night.tail());
  assert.deepEqual(found(night.all()), EIGHT, night.all());
  assert.equal(await stack.stop('SIGINT'), 0, stack.tail());
});
