// What the console changes, where stockd takes that from it, and from whom it does not.

import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';

import { Browser, overflow, picture, rowOf } from './browser.js';
import { connect } from './client.js';
import { plantLie } from './forger.js';
import { Stack } from './stack.js';

const KEY = { sku: 'LAMP', location: 'LON' };

let stack;
let browser;
let client;
const origin = () => `http://127.0.0.1:${stack.ports.admin}`;
before(async () => {
  stack = await Stack.start('--console-changes', 'on');
  client = connect(stack.address);
  await client.call('CreateLocation', { location: { id: 'LON' } });
  await client.call('AdjustStock', { lines: [{ key: KEY, on_hand_delta: 42 }], context: { reason: 'delivery' } });
  browser = await Browser.start(origin());
});
after(async () => {
  await browser?.close();
  client?.close();
  await stack?.stop();
});

const setting = async (layer) => (await client.call('ListLayers', {})).layers.find((each) => each.setting.layer === layer).setting;

test('a layer is switched off and on, with who and why', async () => {
  const { page, wrong } = await browser.open();
  const click = async (name) => {
    await page.click(`button[aria-label="${name}"]`);
    await page.fill('#change-reason', 'it <lies>');
  };
  await click('Disable redis');
  await page.fill('#change-actor', 'ana');
  await picture(page, 'change');
  await page.keyboard.press('Enter');
  await page.waitForSelector('dialog', { state: 'detached' });
  await page.waitForSelector('button[aria-label="Enable redis"]');
  assert.match((await rowOf(page, '#layers table', 'redis')).State, /^off by ana at [\d:.]+ : it <lies>Enable …$/);
  const off = await setting('LAYER_REDIS');
  assert.deepEqual([off.enabled, off.switched.actor, off.switched.reason], [false, 'ana', 'it <lies>']);
  // Who it is, is not asked again.
  await click('Enable redis');
  assert.equal(await page.inputValue('#change-actor'), 'ana');
  await page.click('dialog button.go');
  await page.waitForSelector('button[aria-label="Disable redis"]');
  assert.equal((await setting('LAYER_REDIS')).enabled, true);
  assert.equal(await page.locator('button[aria-label$=" primary"]').count(), 0);
  assert.deepEqual(wrong, []);
  await page.close();
});

test('a form can be left, and asks for a reason', async () => {
  const { page, wrong } = await browser.open();
  await page.click('button[aria-label="Disable memory"]');
  await page.click('dialog button.go');
  assert.equal(await page.$eval('#change-actor', (input) => input.validity.valueMissing), true);
  assert.equal(await page.locator('dialog').count(), 1);
  await page.keyboard.press('Escape');
  await page.waitForSelector('dialog', { state: 'detached' });
  assert.equal((await setting('LAYER_MEMORY')).enabled, true);
  assert.deepEqual(wrong, []);
  await page.close();
});

test('a copy is repaired, and what is refused is said', async () => {
  await plantLie(client, stack.ports.redis, KEY, 1000, 1042);
  const { page, wrong } = await browser.open(`#${new URLSearchParams(KEY)}`, { viewport: { width: 360, height: 740 } });
  await page.waitForSelector('svg.timeline');
  assert.equal((await rowOf(page, '.key table', 'redis')).Verdict, 'wrong count');
  await page.click('button[aria-label="Repair the copy in redis"]');
  await page.check('input[value=REPAIR_ACTION_REFRESH]');
  await page.fill('#change-actor', 'x'.repeat(120));
  await page.fill('#change-reason', '\u{1F3F7}'.repeat(60)); // 240 bytes
  assert.equal((await overflow(page)).wide, 0);
  await picture(page, 'change-phone');
  await page.fill('#change-reason', '€'.repeat(120)); // 360 bytes
  await page.click('dialog button.go');
  await page.waitForSelector('dialog .problem:has-text("reason")');
  await page.fill('#change-reason', 'a planted lie');
  await page.click('dialog button.go');
  await page.waitForSelector('dialog', { state: 'detached' });
  await page.waitForFunction(() => {
    const row = [...document.querySelectorAll('.key table tbody tr')].find((each) => each.cells[0].textContent === 'redis');
    return row?.querySelector('[data-label=Verdict]').textContent === 'current';
  });
  assert.equal((await rowOf(page, '.key table', 'redis')).Says, '42');
  assert.deepEqual(wrong.filter((text) => !text.includes('400')), []);
  await page.close();
});

// By hand, since no fetch lets anybody set these headers.
const post = (method, headers, body = JSON.stringify({ layer: 'LAYER_REDIS', enabled: false })) => new Promise((resolve, reject) => {
  const request = http.request(`${origin()}/console/api/${method}`, { method: 'POST', headers: { 'Content-Length': Buffer.byteLength(body), ...headers } }, (response) => {
    response.resume();
    response.on('end', () => resolve(response.statusCode));
  });
  request.on('error', reject);
  request.end(body);
});

test('changes are taken from the page alone', async () => {
  const page = { 'Content-Type': 'application/json', 'Console-Change': '1', Origin: origin(), 'Sec-Fetch-Site': 'same-origin' };
  const without = (name) => Object.fromEntries(Object.entries(page).filter(([each]) => each !== name));
  const port = stack.ports.admin;
  for (const headers of [
    without('Console-Change'), // a form of another page
    without('Content-Type'), { ...page, 'Content-Type': 'text/plain' },
    without('Origin'), { ...page, Origin: 'null' }, { ...page, Origin: 'http://127.0.0.1:1' }, { ...page, Origin: 'http://evil.example' },
    { ...page, 'Sec-Fetch-Site': 'cross-site' }, { ...page, 'Sec-Fetch-Site': 'same-site' },
    { ...page, Host: `evil.example:${port}`, Origin: `http://evil.example:${port}` }, // a name of theirs for this address
  ]) {
    assert.equal(await post('UpdateLayer', headers), 403, JSON.stringify(headers));
  }
  assert.equal(await post('DeleteEverything', page), 404);
  assert.equal(await post('ListLayers', page, '{}'), 404);
  assert.equal(await post('UpdateLayer', page, 'nonsense'), 400);
  assert.equal(await post('UpdateLayer', page, JSON.stringify({ layer: 'LAYER_PRIMARY', enabled: false })), 400);
  assert.equal(await post('UpdateLayer', page, 'x'.repeat(9000)), 413);
  assert.equal((await setting('LAYER_REDIS')).enabled, true);
  const asks = await fetch(`${origin()}/console/api/UpdateLayer`, { method: 'OPTIONS' });
  assert.equal(asks.status, 405);
  assert.equal(asks.headers.get('Access-Control-Allow-Origin'), null);
  const elsewhere = await fetch(`${origin()}/metrics`, { method: 'POST', headers: page });
  assert.equal(elsewhere.status, 405);

  const local = { ...page, Host: `localhost:${port}`, Origin: `http://localhost:${port}` };
  assert.equal(await post('UpdateLayer', local), 200);
  assert.equal((await setting('LAYER_REDIS')).enabled, false);
  assert.equal(await post('UpdateLayer', page, JSON.stringify({ layer: 'LAYER_REDIS', enabled: true })), 200);
});
