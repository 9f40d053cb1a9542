// Feature flags let cohorts see something else than there is: from the flag service over the API to the command line,
// while flags are switched, and while their service is gone.

import assert from 'node:assert/strict';
import { readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { Browser, picture } from './browser.js';
import { connect, errorDetails, seconds, status } from './client.js';
import { ROOT, run, Stack } from './stack.js';

const STOCKCTL = path.join(process.env.STOCK_BUILD_DIR ?? path.join(ROOT, 'build/release'), 'services/stockctl/stockctl');
const KEY = { sku: 'LANTERN', location: 'main' };

let stack;
let client;
before(async () => {
  stack = await Stack.startWithFlags();
  client = connect(stack.address);
  await client.call('CreateLocation', { location: { id: 'main' } });
  for (const sku of ['LANTERN', 'RECALLED', 'RETIRED', 'MUG']) {
    const units = sku === 'MUG' ? 3 : 120;
    await client.call('AdjustStock', { lines: [{ key: { ...KEY, sku }, on_hand_delta: units }] });
  }
});
after(async () => {
  client?.close();
  await stack?.stop();
});

const stockctl = (...args) => run(STOCKCTL, ['--address', stack.address, ...args]).then(
  ({ stdout }) => ({ code: 0, stdout }), ({ code, stdout, stderr }) => ({ code, stdout: stdout + stderr }));
async function view(cohort, sku = KEY.sku) {
  const { level } = await client.call('GetStockLevel', { key: { ...KEY, sku }, cohort });
  const { flagged } = level;
  const cap = flagged.evaluations.find(({ flag }) => flag === 'black-friday');
  return { ...flagged, available: Number(flagged.available), counted: Number(level.counts.available), cap };
}
async function eventually(ask) {
  for (const deadline = Date.now() + 60_000; ;) {
    const answer = await ask();
    if (answer) return answer;
    assert.ok(Date.now() < deadline, `never became true: ${ask}`);
    await sleep(20);
  }
}
const sees = (cohort, units) => eventually(async () => {
  const seen = await view(cohort);
  return seen.available === units && !seen.cap.unreachable && seen;
});
// As a careful editor would: at once.
async function capAt(units) {
  const flags = JSON.parse(await readFile(stack.flagsFile, 'utf8'));
  flags.flags['black-friday'].variants.capped = units;
  await writeFile(`${stack.flagsFile}.new`, JSON.stringify(flags));
  await rename(`${stack.flagsFile}.new`, stack.flagsFile);
}

test('a cohort sees what the flags let it see, beside what there is', async () => {
  const beta = await sees('beta', 5);
  assert.equal(beta.counted, 120);
  assert.equal(beta.cap.variant, 'capped');
  assert.equal(beta.cap.reason, 'TARGETING_MATCH');
  assert.equal(beta.cap.effect, 'FLAG_EFFECT_CAP');
  assert.equal((await view('public')).available, 120);
  assert.equal((await view('beta', 'MUG')).available, 3);
  assert.equal((await view('public', 'RECALLED')).hidden, true);
  assert.equal((await view('staff', 'RECALLED')).hidden, false);
  assert.equal((await view('staff', 'RETIRED')).sale_ended, true);
});

test('the command line says who sees what, contradictions first', async () => {
  const { code, stdout } = await stockctl('flags', 'MUG', 'LANTERN');
  assert.equal(code, 1, stdout);
  assert.match(stdout, /^LANTERN @ main: 120 available, FORKED\nCOHORT +SEES +FLAG +VARIANT +REASON +SAID\npublic +120( +-){4}\nbeta +5 +black-friday +capped +TARGETING_MATCH +\S+ m?s ago\nstaff +120( +-){4}\n\nMUG @ main: 3 available\n/);
  assert.ok(stdout.split('\n').every((line) => line.length <= 80), stdout);
  const got = await stockctl('get', 'LANTERN', '--cohort', 'beta');
  assert.match(got.stdout, /\n {2}available +120 /);
  assert.match(got.stdout, /\n {2}seen by +5 +beta, as was said \S+ m?s ago\n {2}flag +black-friday, variant capped \(TARGETING_MATCH\)\n/);
  const explained = await stockctl('explain', 'LANTERN');
  assert.equal(explained.code, 0, explained.stdout);
  assert.match(explained.stdout, /\nflags +5 +- +- +- .*\n +FORKED: flag black-friday, variant capped \(TARGETING_MATCH\): cohort\s+beta sees 5 of 120\n/);
  assert.match((await stockctl('flags')).stdout, /^RECALLED @ main: 120 available, FORKED\n[^]*public +hidden +recalled +on +TARGETING_MATCH/m);
});

test('the console lists the forks', async () => {
  const browser = await Browser.start(`http://127.0.0.1:${stack.ports.admin}`);
  const { page, wrong } = await browser.open();
  await page.waitForSelector('.forks');
  const rows = await page.$$eval('.forks tbody tr', (all) => all.map((row) => row.innerText.replace(/\s+/g, ' ').trim()));
  assert.ok(rows.some((row) => /^LANTERN @ main .*120 .*public 120 beta 5 black-friday: capped staff 120$/.test(row)), rows.join('\n'));
  assert.ok(rows.some((row) => /^RECALLED @ main .*public hidden recalled: on/.test(row)), rows.join('\n'));
  assert.ok(rows.every((row) => !row.startsWith('MUG')), rows.join('\n'));
  await picture(page, 'forks');
  await page.click('.forks a:text-is("LANTERN @ main")');
  await page.waitForSelector('.key tbody');
  assert.deepEqual(wrong, []);
  await browser.close();
});

test('a flag that is switched is seen by the next reads', async () => {
  await sees('beta', 5);
  await capAt(7);
  await sees('beta', 7);
  await capAt(200);
  assert.equal((await sees('beta', 120)).cap.applies, false);
  assert.equal((await stockctl('flags', 'LANTERN')).code, 0);
  await capAt(5);
  await sees('beta', 5);
});

test('a flag service that is gone: what it said last, how long ago, and that it is gone; then it is back', async () => {
  await sees('beta', 5);
  await stack.killFlags();
  const gone = await eventually(async () => {
    const seen = await view('beta');
    return seen.cap.unreachable && seen;
  });
  assert.equal(gone.available, 5);
  assert.equal(gone.cap.variant, 'capped');
  const older = await eventually(async () => {
    const seen = await view('beta');
    return seconds(seen.cap.age) > seconds(gone.cap.age) + 1 && seen;
  });
  assert.equal(older.available, 5);
  const { stdout } = await stockctl('flags', 'LANTERN');
  assert.match(stdout, /\n +the flag service does not answer: so it said [\d.]+ s ago\n/);
  const metrics = await (await stack.get('/metrics')).text();
  assert.match(metrics, /^stock_flag_up 0$/m);
  assert.match(metrics, /^stock_flag_forks\{flag="black-friday"\} [1-9]$/m);
  const begun = Date.now();
  for (let i = 0; i < 50; i++) await view('public');
  assert.ok(Date.now() - begun < 5000, 'nobody waits for it');

  await capAt(6);
  await stack.startFlags();
  await sees('beta', 6);
  assert.match(await (await stack.get('/metrics')).text(), /^stock_flag_up 1$/m);
});

test('a cohort is refused where it makes no sense: in the past', async () => {
  await assert.rejects(
    client.call('GetStockLevel', { key: KEY, cohort: 'beta', consistency: { version: 1 } }),
    (error) => error.code === status.INVALID_ARGUMENT && errorDetails(error).BadRequest.field_violations[0].field === 'cohort');
});
