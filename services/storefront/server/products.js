// What the shop sells: a file of SKU,Name,Price,Category with the price in pence. What it does not name is not sold.

import { readFileSync } from 'node:fs';

const MAX_PRICE = 10_000_000;

export function readProducts(file) {
  const [head, ...rows] = parseCsv(readFileSync(file, 'utf8'));
  if (head?.join() !== 'SKU,Name,Price,Category') throw new Error(`${file}: its first line is not SKU,Name,Price,Category`);
  const products = new Map();
  for (const [sku, name, price, category, more] of rows) {
    const pence = Number(price);
    const wrong = !sku ? 'a row without a SKU'
      : !name || !category || more !== undefined ? `${sku}: not four columns`
        : !Number.isSafeInteger(pence) || pence < 0 || pence > MAX_PRICE ? `${sku}: its price is no number of pence`
          : products.has(sku) ? `${sku} is there twice` : '';
    if (wrong) throw new Error(`${file}: ${wrong}`);
    products.set(sku, { sku, name, price: pence, category });
  }
  return products;
}

// RFC 4180; empty lines are skipped.
export function parseCsv(text) {
  const rows = [];
  let row = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/gy;
  for (let match; field.lastIndex < text.length && (match = field.exec(text));) {
    row.push(match[1] === undefined ? match[2] : match[1].replaceAll('""', '"'));
    if (match[3] === ',') continue;
    if (row.length > 1 || row[0]) rows.push(row);
    row = [];
  }
  return rows;
}
