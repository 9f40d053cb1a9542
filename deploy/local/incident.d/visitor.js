// Usage: node visitor.js SHOP_URL SKU
//
// A visitor of the shop, in headless Chromium: looks at a product, puts it into the cart, and loses the network. Writes
// "ready" when page and offline copy have testified to it before. At SIGUSR1 the network is there again, and "back" is
// written when both have testified to something newer; stays until SIGTERM.

import { chromium } from '../../../tests/node_modules/playwright-core/index.mjs';

const CHROMIUM = '/usr/bin/chromium';
const WITNESSES = ['storefront', 'offline'];
const PATIENCE_MS = 60_000;

const [shop, sku] = process.argv.slice(2);
const back = new Promise((resolve) => { process.once('SIGUSR1', resolve); });
setInterval(() => {}, PATIENCE_MS); // stays

const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'], handleSIGTERM: false });
process.once('SIGTERM', async () => {
  await browser.close();
  process.exit();
});
const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
const page = await context.newPage();
const card = `.card[data-sku=${JSON.stringify(sku)}]`;

// Resolves to the version that it claimed.
async function testimonyOf(witness, above) {
  const claimed = (response) => {
    if (!response.url().endsWith('/api/testimony')) return 0;
    const report = response.request().postDataJSON();
    return report.witness === witness ? report.claims.find((each) => each.sku === sku)?.version ?? 0 : 0;
  };
  const heard = await page.waitForResponse((response) => response.ok() && claimed(response) > above, { timeout: PATIENCE_MS });
  return claimed(heard);
}
async function look(...clicks) {
  await page.waitForSelector('#pulse.live');
  for (const each of clicks) await page.click(`${card} ${each}`);
}

await page.goto(shop);
const first = Promise.all(WITNESSES.map((witness) => testimonyOf(witness, 0)));
await look('.add', '.info');
const known = Math.max(...await first);
await context.setOffline(true);
console.log('ready');

await back;
const second = Promise.all(WITNESSES.map((witness) => testimonyOf(witness, known)));
await context.setOffline(false);
await page.reload();
await look('.info');
await second;
console.log('back');
