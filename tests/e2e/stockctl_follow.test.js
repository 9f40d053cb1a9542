// stockctl watch and stockctl stream, as a person at a terminal or a script uses them.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import readline from 'node:readline';
import { after, before, test } from 'node:test';

import { ROOT, run, Stack } from './stack.js';

const STOCKCTL = path.join(process.env.STOCK_BUILD_DIR ?? path.join(ROOT, 'build/release'), 'services/stockctl/stockctl');

let stack;
before(async () => {
  stack = await Stack.start();
  await stockctl('locations', 'create', 'LON');
});
after(async () => {
  await stack?.stop();
});

const stockctl = (...args) => run(STOCKCTL, ['--address', stack.address, ...args]);

// A stockctl that runs until it is interrupted.
class Following {
  constructor(...args) {
    this.child = spawn(STOCKCTL, ['--address', stack.address, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.lines = readline.createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
    this.errors = '';
    this.child.stderr.on('data', (text) => { this.errors += text; });
    this.ended = new Promise((resolve) => this.child.once('exit', (code, signal) => resolve(code ?? signal)));
  }
  // The first line from here on that has this in it.
  async line(part) {
    for (;;) {
      const { value, done } = await this.lines.next();
      assert.ok(!done, `ended before a line with ${part}: ${this.errors}`);
      if (value.includes(part)) return value;
    }
  }
  // Ctrl-C.
  async interrupt() {
    this.child.kill('SIGINT');
    return this.ended;
  }
}

test('watch prints current levels, then changes, and goes on when the server was away', async () => {
  await stockctl('adjust', 'LANTERN@LON=5');
  const watch = new Following('watch', 'LANTERN@LON', 'MUG@LON');
  assert.match(await watch.line('LANTERN'), /LANTERN @ LON {2}available 5, on hand 5, version 1$/);
  assert.match(await watch.line('MUG'), /no level, version 0$/);
  await stockctl('adjust', 'LANTERN@LON=-1');
  assert.match(await watch.line('LANTERN'), /available 4, on hand 4, version 2$/);
  await stack.restartStockd();
  await stockctl('adjust', 'LANTERN@LON=-1');
  assert.match(await watch.line('LANTERN'), /available 3, on hand 3, version 3$/);
  assert.equal(await watch.interrupt(), 0);
  assert.match(watch.errors, /shutting down.*going on/);
  assert.match(watch.errors, /going on where it ended/);
});

test('watch of a location gives lines of JSON', async () => {
  await stockctl('adjust', 'TRAY@LON=7');
  const watch = new Following('watch', '--location', 'LON', '--json');
  const { changes, initial } = JSON.parse(await watch.line('TRAY'));
  assert.equal(initial, true);
  assert.equal(changes.find(({ level }) => level.key.sku === 'TRAY').level.counts.on_hand, '7');
  assert.equal(await watch.interrupt(), 0);
});

test('stream prints movements, and says how to go on', async () => {
  await stockctl('adjust', 'STREAMED@LON=3', '--reason', 'delivery');
  const first = new Following('stream', '--from-beginning');
  assert.match(await first.line('STREAMED'), /STREAMED @ LON {2}version 1 {2}adjust \+3 {2}on hand 3 {2}delivery/);
  assert.equal(await first.interrupt(), 0);
  const [, token] = /--resume (\S+)/.exec(first.errors);
  await stockctl('adjust', 'STREAMED@LON=4');
  const second = new Following('stream', '--resume', token);
  assert.match((await second.lines.next()).value, /STREAMED @ LON {2}version 2 {2}adjust \+4/);
  assert.equal(await second.interrupt(), 0);
});

test('what cannot be watched is said at once', async () => {
  for (const args of [['watch'], ['stream', '--resume', 'garbage']]) {
    const refused = new Following(...args);
    assert.equal(await refused.ended, 2, refused.errors);
    assert.notEqual(refused.errors, '');
  }
});
