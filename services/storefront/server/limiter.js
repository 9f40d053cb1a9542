// Token buckets, one for each client, of which only so many are remembered: the one that asked longest ago goes first.

const REMEMBERED = 10_000;

export class Limiter {
  #buckets = new Map();

  // `burst`: how many calls at once, after a while without.
  constructor(perSecond, burst, now = Date.now) {
    Object.assign(this, { perSecond, burst, now });
  }

  // Whether this client may go on; takes `cost` if so.
  take(client, cost = 1) {
    const now = this.now();
    const { left: before, at } = this.#buckets.get(client) ?? { left: this.burst, at: now };
    const left = Math.min(this.burst, before + ((now - at) / 1000) * this.perSecond);
    const granted = left >= cost;
    this.#buckets.delete(client);
    this.#buckets.set(client, { left: granted ? left - cost : left, at: now });
    if (this.#buckets.size > REMEMBERED) this.#buckets.delete(this.#buckets.keys().next().value);
    return granted;
  }
}
