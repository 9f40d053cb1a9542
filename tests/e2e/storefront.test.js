// The shop in a real browser, over a real stockd: from the page to the ledger, live, offline and back.
//
// STOCK_SCREENSHOTS=FOLDER keeps a picture of each view, for people to look at.

import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { chromium } from 'playwright-core';

import { connect } from './client.js';
import { Stack } from './stack.js';

// For a page on a machine with much else to do.
const PATIENCE_MS = 120_000;

const SKU = 'LANTERN-42';
const keyOf = (sku) => ({ sku, location: 'LON' });

let stack;
let shop;
let browser;
let client;
before(async () => {
  stack = await Stack.start();
  client = connect(stack.address);
  await client.call('CreateLocation', { location: { id: 'LON', display_name: 'London' } });
  for (const [sku, on_hand_delta] of [[SKU, 120], ['MUG-BLUE', 10], ['MUG-RED', 1], ['TOWEL-RED', 40], ['NO-PRODUCT', 5]]) {
    await client.call('AdjustStock', { lines: [{ key: keyOf(sku), on_hand_delta }] });
  }
  // Nobody testifies but where that is tested.
  shop = await stack.startStorefront(`${stack.address},${await stack.addStockd()}`, { STOREFRONT_TESTIMONY_MS: '3600000' });
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
});
after(async () => {
  await browser?.close();
  client?.close();
  await stack?.stop(); // asks whether the ledger is sound
});

const levelOf = async (sku) => (await client.call('GetStockLevel', { key: keyOf(sku), consistency: { fully_consistent: true } })).level;
const availableOf = async (sku) => Number((await levelOf(sku)).counts.available);
const adjust = (sku, on_hand_delta) => client.call('AdjustStock', { lines: [{ key: keyOf(sku), on_hand_delta }] });

// A visitor: a context of its own; `open()` gives him a page, and `wrong` is what went wrong in any of them.
async function visitor(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  const wrong = [];
  context.on('console', (message) => ['error', 'warning'].includes(message.type()) && wrong.push(message.text()));
  context.on('weberror', (error) => wrong.push(error.error().message));
  context.on('request', (request) => new URL(request.url()).origin !== shop.url && wrong.push(request.url()));
  const open = async (where = '/') => {
    const page = await context.newPage();
    await page.goto(`${shop.url}${where}`);
    await page.waitForSelector('#pulse.live');
    await page.waitForSelector('main .grid, main .product, main .checkout');
    return page;
  };
  return { context, wrong, open };
}

async function picture(page, name) {
  if (!process.env.STOCK_SCREENSHOTS) return;
  await page.screenshot({ path: path.join(process.env.STOCK_SCREENSHOTS, `shop-${name}.png`) });
}

const card = (sku) => `.card[data-sku="${sku}"]`;
const wordsOf = (page, sku) => page.textContent(`main .stock[data-sku="${sku}"] .words`);
const waitForWords = (page, sku, words) => page.waitForFunction(
  ([selector, wanted]) => document.querySelector(selector)?.textContent === wanted, [`main .stock[data-sku="${sku}"] .words`, words]);
// A part of the offline copy, as it is in the browser.
const kept = (page, store, key) => page.evaluate(async ([from, what]) => {
  const promised = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const database = await promised(indexedDB.open('storefront'));
  const found = await promised(database.transaction(from).objectStore(from).get(what));
  database.close();
  return found;
}, [store, key]);
async function eventually(holds) {
  for (const end = Date.now() + PATIENCE_MS; !(await holds());) {
    assert.ok(Date.now() < end, `never became true: ${holds}`);
    await sleep(20);
  }
}
// Until the offline copy holds what the page shows, with its date.
const copied = (page, sku, units) => eventually(async () =>
  (await kept(page, 'levels', sku))?.available === units && (await kept(page, 'notes', 'heard')) > 0);

test('from the page to the ledger: cart, hold, order; pressed twice, it is one order', async () => {
  const { context, wrong, open } = await visitor();
  const page = await open();
  assert.equal(await wordsOf(page, SKU), '120 in stock');
  assert.equal(await page.$$eval('.card', (cards) => cards.length), 4, 'what has no price is not sold');
  await picture(page, 'grid');
  await page.click(`${card(SKU)} .add`);
  await page.click(`${card(SKU)} .add`);
  await page.click(`${card('TOWEL-RED')} .add`);
  await page.click('#open-cart');
  await picture(page, 'cart');
  await page.dblclick('#check-out');
  await page.waitForSelector('#place-order');
  assert.match(await page.textContent('#held'), /^Held for you until \d\d:\d\d \(1[45]:\d\d left\)$/);
  await picture(page, 'checkout');
  assert.equal((await levelOf(SKU)).counts.reserved, '2');

  // Another quantity, while it is held.
  await page.click('.checkout li[data-sku="TOWEL-RED"] button[aria-label^="One more"]');
  await page.waitForFunction(() => document.querySelector('.checkout li[data-sku="TOWEL-RED"] input').value === '2');

  await page.dblclick('#place-order');
  await page.waitForSelector('#order');
  await picture(page, 'order');
  const order = await page.textContent('#order');
  const { reservations } = await client.call('ListReservations', { key: keyOf(SKU), consistency: { fully_consistent: true } });
  assert.equal(reservations.length, 1);
  const [reservation] = reservations;
  assert.equal(reservation.state, 'RESERVATION_STATE_COMMITTED');
  assert.equal(reservation.reference, `order/${order}`);
  assert.deepEqual(reservation.lines.map(({ key, quantity }) => [key.sku, quantity]), [[SKU, '2'], ['TOWEL-RED', '2']]);
  assert.equal((await levelOf(SKU)).counts.committed, '2');
  assert.equal(await page.$('header .cart b'), null, 'the cart is empty');
  assert.deepEqual(wrong, []);
  await context.close();
});

test('a hold that is given back is on the shelf again', async () => {
  const { context, wrong, open } = await visitor();
  const page = await open(`/#/product/${SKU}`);
  const had = await availableOf(SKU);
  await page.fill('.buy input', '7');
  await page.press('.buy input', 'Tab');
  await page.click('.buy .add');
  await page.click('#open-cart');
  await page.click('#check-out');
  await page.waitForSelector('#leave');
  assert.equal(await availableOf(SKU), had - 7);
  await eventually(async () => (await kept(page, 'notes', 'checkout')).phase === 'held');
  await page.reload();
  await page.waitForSelector('#leave'); // a checkout outlives its page
  await page.click('#leave');
  await page.waitForSelector('.grid');
  assert.equal(await availableOf(SKU), had);
  assert.deepEqual(wrong, []);
  await context.close();
});

test('a change whose answer is lost is looked at before anything is ordered', async () => {
  const { context, open } = await visitor();
  const page = await open();
  const { counts } = await levelOf('TOWEL-RED');
  await page.click(`${card('TOWEL-RED')} .add`);
  await page.click('#open-cart');
  await page.click('#check-out');
  await page.waitForSelector('#place-order');
  await page.route('**/api/reservations/*', async (route) => {
    if (route.request().method() !== 'PUT') return route.fallback();
    await route.fetch(); // it arrives, and is done
    return route.abort();
  });
  await page.click('.checkout li[data-sku="TOWEL-RED"] button[aria-label^="One more"]');
  await page.waitForSelector('#look-again');
  assert.equal(await page.$('#place-order'), null);
  await picture(page, 'unsure');
  await page.click('#look-again');
  await page.waitForFunction(() => document.querySelector('.checkout li[data-sku="TOWEL-RED"] input').value === '2');
  await page.click('#place-order');
  await page.waitForSelector('#order');
  assert.match(await page.textContent('.confirmation .lines'), /2 × Linen tea towel, red/);
  assert.equal(Number((await levelOf('TOWEL-RED')).counts.committed), Number(counts.committed) + 2);
  await context.close();
});

test('two tabs see each other\'s orders, and what others do', async () => {
  const [mine, yours] = [await visitor(), await visitor()];
  const [left, right] = [await mine.open(), await yours.open()];
  const had = await availableOf(SKU);
  await left.click(`${card(SKU)} .add`);
  await left.click('#open-cart');
  await left.click('#check-out');
  await left.waitForSelector('#place-order');
  await waitForWords(right, SKU, `${had - 1} in stock`);
  await left.click('#place-order');
  await left.waitForSelector('#order');
  await adjust(SKU, 3);
  await waitForWords(right, SKU, `${had + 2} in stock`);
  await left.click('text=Back to the shop');
  await waitForWords(left, SKU, `${had + 2} in stock`);
  assert.deepEqual([...mine.wrong, ...yours.wrong], []);
  await mine.context.close();
  await yours.context.close();
});

test('whoever is too late is told what is left', async () => {
  const [quick, slow] = [await visitor(), await visitor()];
  const [first, second] = [await quick.open(), await slow.open()];
  for (const page of [first, second]) await page.click(`${card('MUG-RED')} .add`);
  await second.click(`${card('MUG-BLUE')} .add`);
  await second.click('#open-cart');
  await first.click('#open-cart');
  await first.click('#check-out');
  await first.waitForSelector('#place-order');
  await waitForWords(second, 'MUG-RED', 'Sold out');
  assert.equal(await second.textContent(`${card('MUG-RED')} .add`), 'Sold out');
  await second.click('#check-out');
  await second.waitForSelector('.problem[data-code="INSUFFICIENT_STOCK"]');
  assert.match(await second.textContent('.problem'), /^Somebody was quicker: .*Stoneware mug, red, 350 ml: you want 1, none is left\. Take it out$/);
  await picture(second, 'too-late');
  await second.click('.problem button');
  await second.click('#check-out');
  await second.waitForSelector('#place-order');
  assert.equal(await second.$$eval('.checkout .lines li', (lines) => lines.length), 1);
  assert.deepEqual(slow.wrong.filter((text) => !text.includes('409')), []);
  await quick.context.close();
  await slow.context.close();
});

test('when the time of a checkout is over, it says so, and nothing is sold', async () => {
  const hasty = await stack.startStorefront(stack.address, { STOREFRONT_HOLD_SECONDS: '1', STOREFRONT_TESTIMONY_MS: '3600000' });
  const context = await browser.newContext();
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const had = await levelOf('TOWEL-RED');
  await page.goto(hasty.url);
  await page.waitForSelector('#pulse.live');
  await page.click(`${card('TOWEL-RED')} .add`);
  await page.click('#open-cart');
  await page.click('#check-out');
  await page.waitForSelector('#held:has-text("The time is over")');
  await eventually(async () => (await levelOf('TOWEL-RED')).counts.reserved === '0');
  await page.click('#place-order');
  await page.waitForSelector('.problem[data-code="RESERVATION_EXPIRED"]');
  assert.match(await page.textContent('.problem'), /^The time to check out is over, and the goods are back on the shelf\./);
  assert.deepEqual((await levelOf('TOWEL-RED')).counts, had.counts);
  assert.equal(await page.textContent('header .cart b'), '1', 'the cart is kept');
  await page.click('#open-cart');
  await page.click('#check-out');
  await page.waitForSelector('#place-order');
  await context.close();
  assert.equal(await hasty.stop(), 0);
});

test('a count says where it comes from', async () => {
  const { context, wrong, open } = await visitor();
  const page = await open();
  await client.call('GetStockLevel', { key: keyOf(SKU) });
  await page.focus(`${card(SKU)} .info`);
  await page.keyboard.press('Enter');
  await page.waitForSelector('[data-part="layer"]');
  const part = (name) => page.textContent(`[data-part="${name}"]`);
  const { counts, version } = await levelOf(SKU);
  assert.equal(await part('available'), counts.available);
  assert.equal(await part('believed'), counts.available);
  assert.equal(await part('believed-version'), version);
  assert.match(await part('version'), new RegExp(`^${version}, committed \\d\\d:\\d\\d:\\d\\d\\.\\d{3}$`));
  assert.match(await part('layer'), /^(memory|redis|replica|primary)$/);
  assert.match(await part('age'), /^[\d.]+ (µs|ms|s) \(± [\d.]+ (µs|ms)\)$/);
  assert.equal(await page.textContent('.provenance tbody tr th'), 'memory');
  await picture(page, 'provenance');
  await page.keyboard.press('Escape');
  await page.waitForSelector('.provenance', { state: 'detached' });
  assert.equal(await page.evaluate((selector) => document.activeElement === document.querySelector(selector), `${card(SKU)} .info`), true);
  assert.deepEqual(wrong.filter((text) => !/50[14]/.test(text)), []);
  await context.close();
});

test('offline, counts are of a date and nothing is ordered; back online, it tells what changed', async () => {
  const { context, open } = await visitor();
  const page = await open();
  const had = await availableOf(SKU);
  await page.click(`${card(SKU)} .add`);
  await waitForWords(page, SKU, `${had} in stock`);
  await copied(page, SKU, had);
  await eventually(async () => (await kept(page, 'notes', 'cart')).lines.length === 1);
  await page.evaluate(() => navigator.serviceWorker.ready);
  const asOf = await page.evaluate(() => new Intl.DateTimeFormat('en-GB', { weekday: 'long' }).format());

  await context.setOffline(true);
  await page.waitForSelector('#offline');
  await adjust(SKU, -20);
  const expected = new RegExp(`^${had} in stock, as of ${asOf}, \\d\\d:\\d\\d$`);
  assert.match(await wordsOf(page, SKU), expected);
  assert.match(await page.textContent('#pulse'), new RegExp(`^As of ${asOf}, \\d\\d:\\d\\d$`));
  assert.equal(await page.textContent(`${card(SKU)} .add`), 'Ordering is off while you are offline');
  assert.equal(await page.isDisabled(`${card(SKU)} .add`), true);
  await page.click('#open-cart');
  assert.equal(await page.isDisabled('#check-out'), true);
  assert.match(await page.textContent('#no-orders'), /^You are offline: ordering is off/);
  await picture(page, 'offline');

  // The page opens without a connection, too: with the counts of the offline copy, which are of then.
  await page.reload();
  await page.waitForSelector('#offline');
  assert.match(await wordsOf(page, SKU), expected);
  assert.equal(await page.textContent('header .cart b'), '1');

  await context.setOffline(false);
  await page.waitForSelector('#pulse.live');
  assert.equal(await wordsOf(page, SKU), `${had - 20} in stock`);
  assert.match(await page.textContent('#changes'), new RegExp(`Since ${asOf}, .* one count has changed:Storm lantern, brass, 42 cm: ${had} → ${had - 20}`));
  await picture(page, 'back');
  await page.click('#changes button');
  await page.waitForSelector('#changes', { state: 'detached' });
  await context.close();
});

test('two tabs of a browser keep one copy, and neither undoes what the other knows', async () => {
  const { context, open } = await visitor({ serviceWorkers: 'block' });
  const first = await open();
  const had = await availableOf(SKU);
  await first.click(`${card(SKU)} .add`);
  await copied(first, SKU, had);
  const [before, other] = [await kept(first, 'levels', SKU), await kept(first, 'levels', 'MUG-RED')];

  // The second tab is at a shop that is behind.
  let tell;
  const told = new Promise((resolve) => { tell = resolve; });
  const levels = [before, { ...other, version: other.version + 50, trueThrough: before.trueThrough + 3_600_000 }];
  const second = await context.newPage();
  await second.route('**/api/events?*', async (route) => {
    await told;
    await route.fulfill({ contentType: 'text/event-stream', body: `id: x-1\nevent: levels\ndata: ${JSON.stringify({ initial: false, levels })}\n\n` });
  });
  await second.goto(shop.url);
  await second.waitForSelector(card(SKU));
  await first.click(`${card(SKU)} .add`);
  await adjust(SKU, -1);
  await copied(first, SKU, had - 1);
  tell();
  await eventually(async () => (await kept(first, 'levels', 'MUG-RED')).version === levels[1].version);
  assert.equal((await kept(first, 'levels', SKU)).available, had - 1);
  assert.equal((await kept(first, 'notes', 'cart')).lines[0].quantity, 2);
  await second.unrouteAll({ behavior: 'ignoreErrors' });
  await context.close();
});

test('a page that is told of no changes dates each count by its own date', async () => {
  const { context } = await visitor({ serviceWorkers: 'block' });
  await context.route('**/api/events?*', (route) => route.fulfill({ status: 503, json: { code: 'TOO_MANY_STREAMS', message: 'no' } }));
  const page = await context.newPage();
  await page.goto(shop.url);
  await page.waitForSelector('#offline');
  const had = await availableOf(SKU);
  await page.waitForFunction((selector) => document.querySelector(selector)?.textContent.includes('in stock'), `main .stock[data-sku="${SKU}"] .words`);
  assert.match(await wordsOf(page, SKU), new RegExp(`^${had} in stock, as of [A-Z][a-z]+day, \\d\\d:\\d\\d$`));
  assert.match(await page.textContent('#offline'), /^The shop cannot tell this page what changes\. Each count says of when it is/);
  await picture(page, 'no-stream');
  await context.close();
});

test('the page and its offline copy say what they believe, of when, and what the copy believed when it was cut off', async () => {
  const eager = await stack.startStorefront(stack.address, { STOREFRONT_TESTIMONY_MS: '300' });
  const context = await browser.newContext({ serviceWorkers: 'block' });
  context.setDefaultTimeout(PATIENCE_MS);
  const reports = [];
  context.on('response', async (response) => {
    if (!response.url().endsWith('/api/testimony') || !response.ok()) return;
    const report = response.request().postDataJSON();
    const { judged } = await response.json();
    report.claims.forEach((claim, i) => { claim.verdict = judged[i].verdict; });
    reports.push(report);
  });
  const heard = async (wanted) => {
    for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await sleep(20)) {
      for (const report of reports) {
        const claim = report.claims.find((one) => one.sku === SKU && wanted(report, one));
        if (claim) return { ...report, claim };
      }
    }
    return assert.fail(`never heard; ${JSON.stringify(reports.at(-1))}`);
  };
  const page = await context.newPage();
  await page.goto(eager.url);
  await page.waitForSelector('#pulse.live');
  await page.click(`${card(SKU)} .add`); // of what is in the cart the copy always speaks
  const [had, { version }] = [await availableOf(SKU), await levelOf(SKU)];
  await copied(page, SKU, had);

  const tab = await heard(({ witness }) => witness === 'storefront');
  const phone = await heard(({ witness }) => witness === 'offline');
  for (const { claim, sentAt } of [tab, phone]) {
    assert.deepEqual([claim.exists, claim.available, String(claim.version), claim.verdict], [true, had, version, 'current']);
    assert.ok(claim.believedSince <= sentAt && claim.age >= 0 && Math.abs(claim.trueThrough + claim.age - sentAt) <= 1, JSON.stringify(claim));
  }
  assert.match(tab.instance, /^tab-[0-9a-f-]{13}$/);
  assert.match(phone.instance, /^phone-[0-9a-f-]{13}$/);

  await context.setOffline(true);
  await page.waitForSelector('#offline');
  const away = Date.now();
  await adjust(SKU, -2);
  reports.length = 0;
  await page.waitForTimeout(1000); // so long that the age tells
  await context.setOffline(false);
  const cutOff = await heard(({ witness }, claim) => witness === 'offline' && claim.available === had);
  assert.deepEqual([String(cutOff.claim.version), cutOff.claim.verdict], [version, 'stale']);
  assert.ok(cutOff.claim.trueThrough <= away && cutOff.claim.age >= 1000, JSON.stringify(cutOff));
  assert.equal(cutOff.instance, phone.instance);
  const later = await heard(({ witness }, claim) => witness === 'storefront' && claim.available === had - 2);
  assert.deepEqual([later.claim.version, later.claim.verdict], [Number(version) + 1, 'current']);
  assert.equal(later.instance, tab.instance);

  await page.click(`${card(SKU)} .info`);
  await page.waitForSelector('[data-part="verdict"]');
  assert.match(await page.textContent('[data-part="verdict"]'), /^current /);
  await context.close();
  assert.equal(await eager.stop(), 0);
});

test('when the shop restarts, its pages go on by themselves, and their streams end well', async () => {
  const { context, open } = await visitor();
  const page = await open();
  assert.equal(await shop.stop(), 0, shop.tail());
  await page.waitForSelector('#offline');
  await adjust(SKU, -1);
  await shop.start();
  await page.waitForSelector('#pulse.live');
  await waitForWords(page, SKU, `${await availableOf(SKU)} in stock`);
  await context.close();
});

for (const [name, options] of [['phone', { viewport: { width: 360, height: 740 } }], ['dark', { colorScheme: 'dark' }],
  ['phone-dark', { viewport: { width: 360, height: 740 }, colorScheme: 'dark' }]]) {
  test(`it can be used: ${name}`, async () => {
    const { context, wrong, open } = await visitor(options);
    const page = await open();
    const fits = async () => assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0);
    await fits();
    await picture(page, name);
    await page.click(`${card('MUG-BLUE')} .add`);
    await page.click(`${card('MUG-BLUE')} a`);
    await page.waitForSelector('.product');
    await fits();
    await picture(page, `${name}-product`);
    await page.click('.product .info');
    await page.waitForSelector('[data-part="layer"]');
    const outside = await page.$$eval('dialog[open] *', (parts) => parts.filter((part) => part.getBoundingClientRect().right > innerWidth).length);
    assert.equal(outside, 0);
    await picture(page, `${name}-provenance`);
    await page.keyboard.press('Escape');
    await page.click('#open-cart');
    await page.waitForSelector('.drawer li');
    await page.waitForFunction(() => document.getAnimations().length === 0);
    await picture(page, `${name}-cart`);
    assert.deepEqual(wrong.filter((text) => !/50[14]/.test(text)), []);
    await context.close();
  });
}

test('the shop takes only what it sent for, in its measure', async () => {
  const visit = await fetch(`${shop.url}/?cohort=beta`);
  const csp = visit.headers.get('content-security-policy');
  assert.match(csp, /default-src 'none'/);
  assert.doesNotMatch(csp, /unsafe/);
  assert.equal(visit.headers.get('x-content-type-options'), 'nosniff');
  const cookies = visit.headers.getSetCookie?.() ?? visit.headers.get('set-cookie').split(', ');
  assert.ok(cookies.every((cookie) => /SameSite=Lax/.test(cookie) && /HttpOnly/.test(cookie)), String(cookies));
  const cookie = cookies.map((text) => text.split(';')[0]).join('; ');
  assert.equal((await (await fetch(`${shop.url}/api/products`, { headers: { cookie } })).json()).shop.cohort, 'beta');

  const post = async (where, body, headers = {}) => {
    const response = await fetch(`${shop.url}/api/${where}`, {
      method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body), headers: { 'content-type': 'application/json', cookie, ...headers },
    });
    return [response.status, (await response.json()).code];
  };
  const good = { lines: [{ sku: SKU, quantity: 1 }] };
  assert.deepEqual(await post('cart', good), [200, undefined]);
  assert.deepEqual(await post('cart', good, { origin: 'https://elsewhere.example' }), [403, 'FOREIGN_ORIGIN']);
  assert.deepEqual(await post('cart', good, { 'sec-fetch-site': 'cross-site' }), [403, 'FOREIGN_ORIGIN']);
  assert.deepEqual(await post('cart', good, { cookie: '' }), [403, 'NO_COOKIE']);
  assert.deepEqual(await post('cart', good, { 'content-type': 'text/plain' }), [400, 'BAD_REQUEST']);
  assert.deepEqual(await post('cart', '{'), [400, 'BAD_REQUEST']);
  assert.deepEqual(await post('cart', `"${'x'.repeat(40_000)}"`), [400, 'BAD_REQUEST']);
  assert.deepEqual(await post('cart', { lines: [{ sku: 'NO-PRODUCT', quantity: 1 }] }), [400, 'BAD_REQUEST']);
  assert.deepEqual(await post('cart', { lines: [{ sku: SKU, quantity: -1 }] }), [400, 'BAD_REQUEST']);
  assert.deepEqual(await post('reservations', { ...good, requestId: 'no uuid' }), [400, 'BAD_REQUEST']);
  assert.deepEqual(await post('nothing', {}), [404, 'NOT_FOUND']);
  assert.deepEqual(await post('products', {}), [405, 'METHOD_NOT_ALLOWED']);
  assert.equal((await fetch(`${shop.url}/api/products/${encodeURIComponent('NO-PRODUCT')}`)).status, 404);
  assert.equal((await fetch(`${shop.url}/../server/main.js`)).status, 404);
  assert.equal((await fetch(`${shop.url}/metrics`)).status, 404, 'not for shoppers');
  const many = await Promise.all(Array.from({ length: 200 }, () => post('cart', good, { cookie: `visitor=${'v'.repeat(22)}` })));
  assert.deepEqual([...new Set(many.map(([code]) => code))].sort(), [200, 429]);
});

test('its metrics are those that are known', async () => {
  const metrics = await (await fetch(`${shop.admin}/metrics`)).text();
  const names = [...metrics.matchAll(/^# TYPE (storefront_\S+) (\S+)$/gm)].map(([, name, type]) => `${name} ${type}`);
  assert.deepEqual(names.sort(), [
    'storefront_event_streams gauge', 'storefront_events_conflated_total counter', 'storefront_http_request_seconds histogram',
    'storefront_http_requests_total counter', 'storefront_orders_total counter', 'storefront_stock_call_seconds histogram',
    'storefront_stock_calls_total counter', 'storefront_testimonies_total counter', 'storefront_watch_age_seconds gauge',
    'storefront_watch_events_total counter', 'storefront_watch_up gauge',
  ]);
  const skus = new RegExp(SKU);
  assert.doesNotMatch(metrics, skus);
  assert.equal((await fetch(`${shop.admin}/healthz`)).status, 200);
});
