// The console in a real browser.
//
// STOCK_SCREENSHOTS=FOLDER keeps a picture of each view, for people to look at.

import path from 'node:path';

import { chromium } from 'playwright-core';

// For a dozen pages on a machine with much else to do.
const PATIENCE_MS = 120_000;

export class Browser {
  static async start(origin) {
    const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
    return new Browser(browser, origin);
  }

  constructor(browser, origin) {
    this.browser = browser;
    this.origin = origin;
  }

  close() {
    return this.browser.close();
  }

  // A page, what it asked for at first, and what went wrong in it: messages of the browser, and whatever it asked of
  // others.
  async open(hash = '', options = {}) {
    const page = await this.browser.newPage({ viewport: { width: 1280, height: 900 }, ...options });
    page.setDefaultTimeout(PATIENCE_MS);
    const wrong = [];
    const asked = [];
    page.on('console', (message) => ['error', 'warning'].includes(message.type()) && wrong.push(message.text()));
    page.on('pageerror', (error) => wrong.push(error.message));
    page.on('dialog', (dialog) => { wrong.push(dialog.message()); dialog.dismiss(); });
    page.on('request', (request) => {
      const url = new URL(request.url());
      if (url.origin === this.origin) asked.push(url.pathname);
      else wrong.push(url.href);
    });
    await page.goto(`${this.origin}/console/${hash}`);
    await page.waitForSelector('#layers table');
    return { page, wrong, asked };
  }
}

export async function picture(page, name) {
  if (!process.env.STOCK_SCREENSHOTS) return;
  await page.screenshot({ path: path.join(process.env.STOCK_SCREENSHOTS, `${name}.png`), fullPage: true });
}

// Texts of the cells of the row that begins with `head`, by their titles.
export const rowOf = (page, table, head) => page.$$eval(`${table} tbody tr`, (rows, wanted) => {
  const row = rows.find(({ firstElementChild }) => firstElementChild.textContent === wanted);
  return row && Object.fromEntries([...row.querySelectorAll('td')].map((cell) => [cell.dataset.label, cell.textContent]));
}, head);

// By how much the page is wider than its window, and how many texts of pictures lie beyond its edges.
export const overflow = (page) => page.evaluate(() => ({
  wide: document.documentElement.scrollWidth - innerWidth,
  outside: [...document.querySelectorAll('svg.timeline text')]
    .filter((text) => text.getBoundingClientRect().right > innerWidth || text.getBoundingClientRect().left < 0).length,
}));
