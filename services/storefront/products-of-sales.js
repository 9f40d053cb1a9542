// Makes a products file out of a sales file with the columns of "Online Retail": stdin to stdout. Of each SKU the last name
// and the last price that is one; what was never sold for money, or was none of the goods, is left out.

import { text } from 'node:stream/consumers';

import { parseCsv } from './server/products.js';

const MAX_SKU_BYTES = 64;

export function productsOf(csv) {
  const [head, ...rows] = parseCsv(csv);
  const [sku, name, price] = ['StockCode', 'Description', 'UnitPrice'].map((column) => head.indexOf(column));
  if (Math.min(sku, name, price) < 0) throw new Error('these are no sales: StockCode, Description and UnitPrice are needed');
  const products = new Map();
  for (const row of rows) {
    const pence = Math.round(Number(row[price]) * 100);
    // Goods have a number in their code; POST, BANK CHARGES and the like have none.
    if (!/\d/.test(row[sku]) || Buffer.byteLength(row[sku]) > MAX_SKU_BYTES || !row[name]?.trim() || !(pence > 0)) continue;
    products.set(row[sku], [row[sku], row[name].trim(), pence, categoryOf(row[name])]);
  }
  return products;
}

const CATEGORIES = [
  ['Christmas', /christmas|xmas|advent/i], ['Kitchen', /mug|plate|bowl|cup|tea|cake|baking|kitchen|jar|lunch|bottle|cutlery|spoon/i],
  ['Garden', /garden|plant|flower|seed|bird|watering/i], ['Bags', /\bbags?\b/i], ['Light', /light|lantern|candle|lamp/i],
  ['Toys', /toy|game|doll|jigsaw|puzzle|skittle|children/i], ['Paper', /card|paper|notebook|wrap|pencil|sticker|book/i],
];
const categoryOf = (name) => CATEGORIES.find(([, pattern]) => pattern.test(name))?.[0] ?? 'Home';

const quoted = (field) => (/[",\r\n]/.test(field) ? `"${String(field).replaceAll('"', '""')}"` : field);

if (process.argv[1]?.endsWith('products-of-sales.js')) {
  const rows = [['SKU', 'Name', 'Price', 'Category'], ...productsOf(await text(process.stdin)).values()];
  process.stdout.write(rows.map((row) => `${row.map(quoted).join(',')}\n`).join(''));
}
