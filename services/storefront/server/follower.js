// Keeps a shelf current by the one WatchStockLevels of this process, over whichever stockd: it takes the stream up again
// with the resume token where it broke off. Of a stockd that follows no ledger (FEED_OFF) it asks all levels again and again.

import { setTimeout as sleep } from 'node:timers/promises';

import { levelOf, milliseconds } from './levels.js';

const RETRY_MS = [100, 200, 500, 1000, 2000];
const LIST_MS = 2000; // pages call counts current that are twice as old
const SILENCE_MS = 5000; // a watch says something each second: this one says nothing any more

export class Follower {
  #stopped = new AbortController();
  #stream = null;
  #token = '';
  #initial = null; // levels of a beginning that is not complete yet

  // `sold(sku)`: whether the shelf is to have it. `said(event, why)` hears of "connected", "lost" and "reset".
  constructor(stock, shelf, { location, sold, silence = SILENCE_MS }, said) {
    Object.assign(this, { stock, shelf, location, sold, silence, said });
  }

  // Fills the shelf, unless with what is older than what it has. Throws when the stock service cannot be asked.
  async list() {
    const levels = [];
    for (let token = ''; ;) {
      const page = await this.stock.call('ListStockLevels', {
        location: this.location, page_size: 1000, page_token: token, consistency: { minimize_latency: true, allow_stale: true },
      });
      levels.push(...this.#levelsOf(page.levels));
      token = page.next_page_token;
      if (!token) break;
    }
    const oldest = Math.min(...levels.map(({ trueThrough }) => trueThrough));
    if (oldest < this.shelf.trueThrough) return;
    this.shelf.refill(levels);
    this.shelf.confirm(levels.length > 0 ? oldest : null);
  }

  // Until stop().
  async follow() {
    for (let failures = 0; !this.#stopped.signal.aborted; failures++) {
      let wait = RETRY_MS[Math.min(failures, RETRY_MS.length - 1)];
      let why = '';
      try {
        if (this.shelf.size === 0) await this.list();
        if (this.#stopped.signal.aborted) return;
        await this.#watch(() => { failures = 0; });
      } catch (error) {
        why = error.message;
        if (error.code === 'INVALID_ARGUMENT' && this.#token) {
          this.#token = ''; // no position of this ledger: it is another one
          this.#forget();
        }
        if (error.reason === 'FEED_OFF') wait = await this.list().then(() => LIST_MS, () => wait);
      }
      this.#initial = null;
      if (!this.#stopped.signal.aborted) this.said('lost', why);
      await sleep(wait, undefined, { signal: this.#stopped.signal }).catch(() => {});
    }
  }

  stop() {
    this.#stopped.abort();
    this.#stream?.cancel();
  }

  // Rejects when the stream ends, as it always does.
  #watch(connected) {
    return new Promise((_, reject) => {
      const stream = this.stock.watch({ location: this.location, resume_token: this.#token });
      this.#stream = stream;
      let first = true;
      const silent = setTimeout(() => stream.cancel(), this.silence);
      const ended = (error) => {
        clearTimeout(silent);
        reject(error);
      };
      stream.on('data', (response) => {
        silent.refresh();
        if (first) {
          connected();
          this.said('connected');
          if (!this.#token) this.#initial = [];
        }
        first = false;
        this.#take(response);
      });
      stream.on('error', (error) => ended(this.stock.error('WatchStockLevels', error)));
      stream.on('end', () => ended(new Error('the stream ended')));
    });
  }

  // Dates of before are by another clock.
  #forget() {
    this.said('reset');
    this.shelf.confirm(null);
  }

  #levelsOf(messages) {
    return messages.filter(({ key }) => this.sold(key.sku)).map((message) => levelOf(message));
  }

  #take({ changes, initial, reset, watermark, resume_token: token }) {
    if (reset) {
      this.#forget();
      this.#initial = [];
    }
    const levels = this.#levelsOf(changes.map(({ level }) => level));
    if (initial && this.#initial) {
      this.#initial.push(...levels);
    } else {
      if (this.#initial) this.shelf.refill(this.#initial);
      this.#initial = null;
      for (const level of levels) this.shelf.put(level);
    }
    if (token) this.#token = token;
    if (watermark && !this.#initial) this.shelf.confirm(milliseconds(watermark));
  }
}
