// The console in a real browser, against a real stockd, with a lie in redis and a key whose name is hostile.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Browser, overflow, picture, rowOf } from './browser.js';
import { connect } from './client.js';
import { plantLie } from './forger.js';
import { Stack } from './stack.js';

const HOSTILE = `<img src=x onerror="document.title='owned'"><script>`;
const KEY = { sku: HOSTILE, location: 'LON' };

let stack;
let browser;
let client;
before(async () => {
  stack = await Stack.start();
  client = connect(stack.address);
  await client.call('CreateLocation', { location: { id: 'LON' } });
  for (const delta of [50, -3, -5]) {
    await client.call('AdjustStock', { lines: [{ key: KEY, on_hand_delta: delta }], context: { reason: HOSTILE, actor: HOSTILE } });
  }
  browser = await Browser.start(origin());
});
after(async () => {
  await browser?.close();
  client?.close();
  await stack?.stop();
});

const origin = () => `http://127.0.0.1:${stack.ports.admin}`;

const open = (...how) => browser.open(...how);

const search = `#${new URLSearchParams(KEY)}`;

test('the overview has a row for each layer, and stays live', async () => {
  const { page, wrong } = await open();
  const heads = await page.$$eval('#layers tbody th', (cells) => cells.map(({ textContent }) => textContent));
  assert.deepEqual(heads, ['memory', 'redis', 'replica', 'primary']);
  assert.equal((await rowOf(page, '#layers', 'primary')).State, 'up');
  await page.waitForFunction(() => document.querySelector('#pulse').textContent === 'Live');
  await client.call('GetStockLevel', { key: KEY, consistency: { fully_consistent: true } });
  await page.waitForFunction(() => {
    const row = [...document.querySelectorAll('#layers tbody tr')].at(-1);
    return row.querySelector('[data-label=Answers]').textContent !== '0.0 %';
  });
  await picture(page, 'overview');
  assert.deepEqual(wrong, []);
  await page.close();
});

test('what is marked or in use is held, and said to be; the rest goes on', async () => {
  const { page, wrong } = await open(search);
  await page.waitForSelector('svg.timeline');
  assert.match(await page.textContent('#explanation > .hint'), /^As of \d\d:\d\d:\d\d\.\d{3} UTC, when it was asked\.$/);
  const pulse = (pattern) => page.waitForFunction(
    (text) => new RegExp(text).test(document.querySelector('#pulse').textContent), pattern);
  await pulse('^Live$');
  await page.evaluate(() => {
    window.old = document.querySelector('#layers table');
    getSelection().selectAllChildren(window.old);
  });
  await pulse('^Live; what is marked or in use is held since [\\d:.]+ UTC$');
  assert.equal(await page.evaluate(() => document.querySelector('#layers table') === window.old), true);
  await page.evaluate(() => {
    window.held = document.querySelector('#pulse').textContent;
    window.incidents = document.querySelector('#incidents').firstChild;
  });
  await page.waitForFunction(() => document.querySelector('#incidents').firstChild !== window.incidents);
  assert.equal(await page.evaluate(() => document.querySelector('#pulse').textContent === window.held), true);
  await page.evaluate(() => getSelection().removeAllRanges());
  await pulse('^Live$');
  // What is marked elsewhere holds nothing.
  await page.evaluate(() => {
    window.old = document.querySelector('#layers table');
    getSelection().selectAllChildren(document.querySelector('#explanation h3'));
  });
  await page.waitForFunction(() => document.querySelector('#layers table') !== window.old);
  await pulse('^Live$');
  assert.deepEqual(wrong, []);
  await page.close();
});

test('a lie is shown as one, and a hostile name as text', async () => {
  await plantLie(client, stack.ports.redis, KEY, 1000, 1042);

  const { page, wrong } = await open(search);
  await page.waitForSelector('svg.timeline');
  assert.equal(await page.textContent('.key h3'), `${HOSTILE} @ LON`);
  assert.match(await page.textContent('.truth'), /^42 available.*version 3 in the ledger/);
  const redis = await rowOf(page, '.key table', 'redis');
  assert.equal(redis.Verdict, 'wrong count');
  assert.equal(redis.Says, '1,042');
  assert.equal(redis['Off by'], '+1,000');
  assert.equal((await rowOf(page, '.key table', 'primary')).Verdict, 'current');
  assert.match(await page.getAttribute('svg.timeline', 'aria-label'), /^The last 3 versions .* redis: wrong count; /);
  assert.deepEqual(
    await page.$$eval('svg.timeline text.lie', (texts) => texts.map(({ textContent }) => textContent)), ['1,042, wrong count']);

  const movements = await page.$$eval('details tbody tr', (rows) => rows.map((row) => [...row.cells].map(({ textContent }) => textContent)));
  assert.deepEqual(movements.map(([version]) => version), ['3', '2', '1']);
  assert.ok(movements.every((cells) => cells.at(-1) === HOSTILE && cells.at(-2) === HOSTILE));
  assert.equal(await page.title(), 'Stockwitness');
  assert.equal(await page.$$eval('main img, main script', (found) => found.length), 0);
  await picture(page, 'explain');
  assert.deepEqual(wrong, []);
  await page.close();
});

test('an incident is shown while it is open, by whom it is told, and afterwards', async () => {
  const { page, wrong } = await open();
  await page.waitForSelector('#incidents table.incidents');
  const first = await page.textContent('#incidents tbody th');
  const incident = await rowOf(page, '#incidents table', first);
  assert.match(first, /^#\d+$/);
  assert.equal(incident.Verdict, 'wrong count');
  assert.match(incident.State, /^open for [\d.]+ (ms|s|min)$/);
  assert.match(incident.Since, /^\d\d:\d\d:\d\d\.\d{3}$/);
  assert.equal(incident.Of, `${HOSTILE} @ LON`);
  assert.equal(incident['Told by'], 'redis');
  assert.deepEqual([incident.Said, incident.True, incident['Off by'], incident.Keys], ['1,042', '42', '+1,000', '1 / 1']);
  assert.equal(incident['In words'], 'version 3 has 42, not 1,042');
  assert.equal(await page.textContent('#open'), '1 open');

  // What it costs is told beside what the layer gains.
  await page.waitForFunction(() => {
    const row = [...document.querySelectorAll('#layers tbody tr')].find((each) => each.cells[0].textContent === 'redis');
    const harm = row.querySelector('[data-label=Harm]').textContent.replaceAll(',', '');
    return Number(harm) > 0 && row.querySelector('[data-label=Incidents]').textContent === '1';
  });
  assert.match((await rowOf(page, '#layers table', 'redis')).Nines, /^-?[\d.]+ \/ -?[\d.]+ \/ -?[\d.]+$/);

  // It leads to the witnesses.
  await page.click('#incidents tbody a');
  await page.waitForSelector('svg.timeline');
  assert.equal(await page.textContent('.key h3'), `${HOSTILE} @ LON`);

  await client.call('RepairStockLevel', { key: KEY, layer: 'LAYER_REDIS', action: 'REPAIR_ACTION_REFRESH' });
  await page.waitForSelector('#incidents > div > .none:has-text("None is open")');
  assert.equal(await page.textContent('#open'), '');
  await page.click('#incidents summary');
  assert.match((await rowOf(page, '#incidents details table', first)).State, /^closed after [\d.]+ (ms|s|min)$/);
  // What is unfolded stays so while it is refreshed.
  await page.evaluate(() => { document.activeElement.blur(); window.old = document.querySelector('#incidents table'); });
  await page.waitForFunction(() => document.querySelector('#incidents table') !== window.old);
  assert.equal(await page.$eval('#incidents details', ({ open: unfolded }) => unfolded), true);
  await picture(page, 'incident-closed');
  assert.deepEqual(wrong, []);
  await page.close();
  await plantLie(client, stack.ports.redis, KEY, 1000, 1042); // for what follows
});

test('what witnesses outside told last stands beside what the layers say', async () => {
  const { judged } = await client.call('SubmitTestimonies', { testimonies: [
    { witness: 'offline', instance: '<b>phone', key: KEY, available: 43, cohort: HOSTILE },
    { witness: 'storefront', instance: 'tab-1', key: KEY, in_stock: true }] });
  assert.deepEqual(judged.map(({ finding }) => finding.verdict), ['VERDICT_NEVER_TRUE', 'VERDICT_CURRENT']);
  const { page, wrong } = await open(search);
  // They are kept a moment later.
  for (const deadline = Date.now() + 60_000; ;) {
    const { keys: [{ findings }] } = await client.call('ExplainStockLevel', { sku: KEY.sku, location: KEY.location });
    if (findings.length === 6) break;
    assert.ok(Date.now() < deadline, 'what was told is never kept');
  }
  await page.reload();
  await page.waitForSelector('.key tbody tr:nth-child(6)');
  const offline = await rowOf(page, '.key table', 'offline <b>phone');
  assert.deepEqual([offline.Verdict, offline.Says, offline['Off by']], ['never true', '43', '+1']);
  assert.match(offline['In words'], /^no version ever had 43; true is 42; to cohort <img .*; told [\d.]+ s ago by <b>phone$/);
  const storefront = await rowOf(page, '.key table', 'storefront tab-1');
  assert.deepEqual([storefront.Verdict, storefront.Says], ['current', 'in stock']);
  await picture(page, 'explain-outside');
  assert.deepEqual(wrong, []);
  await page.close();
});

test('it is used by keyboard alone', async () => {
  const { page, wrong } = await open();
  await page.keyboard.press('/');
  await page.keyboard.type('NO SUCH');
  await page.keyboard.press('Tab');
  await page.keyboard.type('LON');
  await page.keyboard.press('Enter');
  await page.waitForSelector('#explain .key, #explain .none:not(:has-text("Asking"))');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'explain');
  assert.equal(new URL(page.url()).hash, '#sku=NO+SUCH&location=LON');
  await page.goBack();
  await page.waitForSelector('#explain', { state: 'hidden' });
  await page.keyboard.press('Tab');
  await page.focus('#pause');
  await page.keyboard.press('Space');
  assert.equal(await page.getAttribute('#pause', 'aria-pressed'), 'true');
  assert.match(await page.textContent('#pulse'), /^Paused/);
  assert.deepEqual(wrong, []);
  await page.close();
});

for (const [name, options] of [['phone', { viewport: { width: 360, height: 740 } }], ['dark', { colorScheme: 'dark' }],
  ['phone-dark', { viewport: { width: 360, height: 740 }, colorScheme: 'dark' }]]) {
  test(`it can be read: ${name}`, async () => {
    const { page, wrong } = await open(search, options);
    await page.waitForSelector('svg.timeline');
    await page.waitForSelector('#incidents table.incidents');
    assert.deepEqual(await overflow(page), { wide: 0, outside: 0 });
    await picture(page, name);
    assert.deepEqual(wrong, []);
    await page.close();
  });
}

test('machines are answered however many pages are opened at once, and are open', async () => {
  const opening = Array.from({ length: 12 }, () => open(search));
  let opened = false;
  const pages = Promise.all(opening).finally(() => { opened = true; });
  for (let i = 0; i < 50 || !opened; i++) {
    for (const resource of ['/healthz', '/metrics']) {
      const response = await fetch(`${origin()}${resource}`, { signal: AbortSignal.timeout(30_000) });
      assert.equal(response.status, 200);
      await response.text();
    }
  }
  for (const { page, wrong, asked } of await pages) {
    // It costs one connection, and is whole; what it asks comes one after the other.
    const files = asked.filter((resource) => !resource.startsWith('/console/api/'));
    assert.deepEqual(files.filter((file) => file !== '/console/icon.svg'), ['/console/']);
    await page.waitForFunction(() => document.querySelector('#pulse').textContent === 'Live');
    // What cannot be asked now, was not answered in time, or made room before it was asked, is asked again.
    assert.deepEqual(wrong.filter((text) => !/50[34]|net::ERR_(SOCKET|CONNECTION|EMPTY)/.test(text)), []);
    await page.close();
  }
});

test('a question that makes no sense is answered, and without leave changes are neither offered nor taken', async () => {
  const asked = async (resource, options) => {
    const response = await fetch(`${origin()}/console/api/${resource}`, options);
    return [response.status, await response.json().catch(() => undefined)];
  };
  const [status, body] = await asked('ExplainStockLevel?sku=');
  assert.equal(status, 400);
  assert.equal(body.code, 'INVALID_ARGUMENT');
  assert.equal((await asked('ExplainStockLevel?nonsense=1'))[0], 400);
  assert.equal((await asked('UpdateLayer?layer=LAYER_REDIS&enabled=false'))[0], 404);
  assert.equal((await asked('ListLayers', { method: 'POST', body: '{}' }))[0], 405);
  const headers = { 'Content-Type': 'application/json', 'Console-Change': '1', Origin: origin() };
  const body405 = JSON.stringify({ layer: 'LAYER_REDIS', enabled: false });
  assert.equal((await asked('UpdateLayer', { method: 'POST', body: body405, headers }))[0], 405);
  const { page } = await open(search);
  await page.waitForSelector('svg.timeline');
  assert.equal(await page.locator('button.act').count(), 0);
  await page.close();
});

// Last: it ends the process that the others use.
test('when the process is gone, the page says so, and of when it is what it shows', async () => {
  const { page } = await open();
  await page.waitForFunction(() => document.querySelector('#pulse').textContent === 'Live');
  await stack.restartStockd();
  await page.waitForFunction(() => document.querySelector('#pulse').textContent === 'Live');
  await page.route('**/api/**', (route) => route.abort());
  await page.waitForFunction(() => /^No answer: .*; what is shown is of [\d:.]+ UTC$/.test(document.querySelector('#pulse').textContent));
  await page.close();
});
