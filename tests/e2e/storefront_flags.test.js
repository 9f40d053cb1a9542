// What feature flags make of the shop: a cohort sees less, a sale ends, goods vanish, while somebody looks.

import assert from 'node:assert/strict';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { after, before, beforeEach, test } from 'node:test';

import { chromium } from 'playwright-core';

import { connect } from './client.js';
import { Stack } from './stack.js';

// For a page on a machine with much else to do.
const PATIENCE_MS = 120_000;

const SKU = 'LANTERN-42';
const card = (sku) => `.card[data-sku="${sku}"]`;

let stack;
let shop;
let browser;
let client;
before(async () => {
  stack = await Stack.startWithFlags();
  client = connect(stack.address);
  await client.call('CreateLocation', { location: { id: 'LON', display_name: 'London' } });
  for (const [sku, on_hand_delta] of [[SKU, 120], ['MUG-BLUE', 10], ['MUG-RED', 8]]) {
    await client.call('AdjustStock', { lines: [{ key: { sku, location: 'LON' }, on_hand_delta }] });
  }
  shop = await stack.startStorefront();
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
});
after(async () => {
  await browser?.close();
  client?.close();
  await stack?.stop();
});

// As a careful editor would: at once.
async function switchFlags(change) {
  const flags = JSON.parse(await readFile(stack.flagsFile, 'utf8'));
  change(flags.flags);
  await writeFile(`${stack.flagsFile}.new`, JSON.stringify(flags));
  await rename(`${stack.flagsFile}.new`, stack.flagsFile);
}
const on = (skus) => ({ if: [{ in: [{ var: 'sku' }, skus] }, 'on', null] });
beforeEach(() => switchFlags((flags) => {
  flags['black-friday'].variants.capped = 5;
  flags['sale-over'].targeting = on([]);
  flags.recalled.targeting = on([]);
}));

async function open(where) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  await page.goto(`${shop.url}${where}`);
  await page.waitForSelector('#pulse.live');
  await page.waitForSelector('main .grid');
  return page;
}
const waitForWords = (page, sku, words) => page.waitForFunction(
  ([selector, wanted]) => document.querySelector(selector)?.textContent === wanted, [`main .stock[data-sku="${sku}"] .words`, words]);

test('cohorts see what the flags leave them, beside each other, and the page says which flag', async () => {
  const [everyone, beta] = [await open('/'), await open('/?cohort=beta')];
  await waitForWords(beta, SKU, 'Only 5 left');
  await waitForWords(everyone, SKU, '120 in stock');
  await beta.click(`${card(SKU)} .info`);
  await beta.waitForSelector('[data-part="flag"]');
  assert.match(await beta.textContent('[data-part="flag"]'), /^black-friday caps what is shown: variant capped \(TARGETING_MATCH\), /);
  assert.equal(await beta.textContent('[data-part="believed"]'), '120', 'what there is, is told beside it');
  await beta.keyboard.press('Escape');

  // The cookie keeps a visitor in his cohort.
  await beta.goto(`${shop.url}/`);
  await waitForWords(beta, SKU, 'Only 5 left');
  await everyone.context().close();
  await beta.context().close();
});

test('a flag that is switched while somebody looks is seen without a reload', async () => {
  const page = await open('/?cohort=beta');
  await waitForWords(page, SKU, 'Only 5 left');
  await switchFlags((flags) => { flags['black-friday'].variants.capped = 7; });
  await waitForWords(page, SKU, '7 in stock');
  await switchFlags((flags) => { flags['sale-over'].targeting = on(['MUG-RED']); flags.recalled.targeting = on(['MUG-BLUE']); });
  await waitForWords(page, 'MUG-RED', 'No longer for sale');
  assert.equal(await page.isDisabled(`${card('MUG-RED')} .add`), true);
  await page.waitForSelector(card('MUG-BLUE'), { state: 'detached' });
  await switchFlags((flags) => { flags.recalled.targeting = on([]); });
  await page.waitForSelector(card('MUG-BLUE'));
  await page.context().close();
});

test('what a flag forbids is refused at the checkout too, in words', async () => {
  const page = await open('/?cohort=beta');
  await waitForWords(page, SKU, 'Only 5 left');
  for (let i = 0; i < 6; i++) await page.click(`${card(SKU)} .add`);
  await page.click('#open-cart');
  await page.click('#check-out');
  await page.waitForSelector('.problem[data-code="LIMITED"]');
  assert.match(await page.textContent('.problem'), /Only so many of this are sold at a time\..*you want 6, 5 are left/);
  await page.click('.problem button');
  await page.click('#check-out');
  await page.waitForSelector('#place-order');
  await page.click('#place-order');
  await page.waitForSelector('#order');
  const { level } = await client.call('GetStockLevel', { key: { sku: SKU, location: 'LON' }, consistency: { fully_consistent: true } });
  assert.equal(level.counts.committed, '5');
  await page.context().close();
});
