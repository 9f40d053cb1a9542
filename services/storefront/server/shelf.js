// The newest level of each SKU that this process has heard of, in the order of the changes: what came after a given change
// can be told to whoever missed it, once per SKU however often it changed. That is all there is to resuming and to leaving
// out what a slow reader missed.
//
// A level of a lower version never replaces one of a higher; `refill` is for when the ledger has begun a new history, and
// versions with it. Emits `change` after each change, `refill` after that, and `pulse` when what is known has become younger.

import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { isDeepStrictEqual } from 'node:util';

export class Shelf extends EventEmitter {
  #entries = new Map(); // sku -> { level, change }, the last one changed last
  epoch = randomBytes(6).toString('hex'); // changes are numbered from 1 in each
  change = 0; // the number of the last one
  trueThrough = null; // database time through which all of it is known to be current; null: it is not

  get size() {
    return this.#entries.size;
  }
  get(sku) {
    return this.#entries.get(sku)?.level;
  }

  put(level) {
    const held = this.get(level.sku);
    if (held && held.version > level.version) return;
    this.#place(level);
  }

  // Everything there is, in place of what was.
  refill(levels) {
    const left = new Set(this.#entries.keys());
    for (const level of levels) {
      left.delete(level.sku);
      this.#place(level);
    }
    for (const sku of left) {
      const { layer, asOf, trueThrough } = this.get(sku);
      this.#place({ sku, exists: false, available: 0, version: 0, layer, asOf, trueThrough, offer: null });
    }
    this.emit('refill');
  }

  confirm(trueThrough) {
    this.trueThrough = trueThrough;
    this.emit('pulse');
  }

  // Newest first; all of them after 0.
  changedAfter(change) {
    const levels = [];
    if (change >= this.change) return levels;
    for (const entry of this.#entries.values()) if (entry.change > change) levels.push(entry.level);
    return levels;
  }

  // The instant through which this level is known to be true.
  trueThroughOf(level) {
    return Math.max(level.trueThrough, this.trueThrough ?? 0);
  }

  #place(level) {
    const held = this.#entries.get(level.sku);
    if (held && same(held.level, level)) {
      held.level = level; // younger, and nothing else
      return;
    }
    this.#entries.delete(level.sku);
    this.#entries.set(level.sku, { level, change: ++this.change });
    this.emit('change', level);
  }
}

// But for how old it is and who said so.
function same(a, b) {
  return a.version === b.version && a.available === b.available && a.exists === b.exists &&
    isDeepStrictEqual(undated(a.offer), undated(b.offer));
}

const undated = (offer) =>
  offer && { ...offer, flags: offer.flags.map(({ trueThrough, ...flag }) => ({ ...flag, dated: trueThrough !== null })) };
