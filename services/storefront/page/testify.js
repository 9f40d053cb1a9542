// This tab's store and this browser's offline copy say what they believe, a few counts at a time, so that somebody else can
// tell whether it is true. They do not judge themselves: they say what, since when, and how old, by this machine's clock.

import { request } from './api.js';
import { knownThrough } from './store/levels.js';

const CLAIMS = 8;
const GIVE_UP_MS = 600_000; // at most this long without trying, when nobody listens

// Up to `count` of them, each as likely; `random` in [0, 1).
export function sample(list, count, random = Math.random) {
  const rest = [...list];
  const taken = [];
  while (taken.length < count && rest.length > 0) {
    const i = Math.floor(random() * rest.length);
    taken.push(rest[i]);
    rest[i] = rest.at(-1);
    rest.pop();
  }
  return taken;
}

// What is claimed of a level at `now`, where all are known to be true through `heard`; both in ms of this machine's clock.
export function claim(level, heard, now) {
  const { sku, exists, available, version, believedSince } = level;
  const trueThrough = knownThrough(level, heard, now) ?? 0;
  return {
    sku, exists, available, version,
    believedSince: Math.round(believedSince), trueThrough: Math.floor(trueThrough), age: Math.ceil(now - trueThrough),
  };
}

// The same after the page is loaded again, where the browser can remember it.
function tabName() {
  const name = `tab-${crypto.randomUUID().slice(0, 13)}`;
  try {
    return sessionStorage.tab ??= name;
  } catch {
    return name;
  }
}

export class Witness {
  #store;
  #copy;
  #tab = tabName();
  #phone = null;
  #quietUntil = 0;
  #failures = 0;
  #away = null; // what the offline copy held when the connection was lost
  #wasAway = false;

  // `copy` may be null, where the browser keeps none.
  constructor(store, copy) {
    this.#store = store;
    this.#copy = copy;
  }

  start() {
    const next = () => setTimeout(async () => {
      await this.#round();
      next();
    }, this.#store.getState().shop.testimonyInterval * (0.8 + 0.4 * Math.random()));
    next();
    this.#store.subscribe(() => this.#notice());
  }

  // What this tab believes of one SKU, now; resolves to { verdict, words }, or null where nobody judges.
  async ask(sku) {
    const { levels, link } = this.#store.getState();
    const [judged] = (await this.#submit('storefront', this.#tab, [levels.entities[sku]], link.heard)) ?? [];
    return judged ?? null;
  }

  // Of the time without a connection the copy tells what it held, before it is brought up to date.
  #notice() {
    const away = this.#store.getState().link.state === 'offline';
    if (away === this.#wasAway) return;
    this.#wasAway = away;
    if (away) {
      this.#away = this.#look();
    } else if (this.#away) {
      const before = this.#away;
      this.#away = null;
      void before.then((held) => this.#submitCopy(held));
    }
  }

  async #round() {
    const { levels, link } = this.#store.getState();
    if (link.state === 'offline' || Date.now() < this.#quietUntil) return;
    const skus = sample(levels.ids, CLAIMS);
    await this.#submit('storefront', this.#tab, skus.map((sku) => levels.entities[sku]), link.heard);
    await this.#submitCopy(await this.#look());
  }

  #look() {
    if (!this.#copy) return Promise.resolve(null);
    const { lines } = this.#store.getState().cart;
    const skus = [...lines.map(({ sku }) => sku), ...sample(this.#store.getState().levels.ids, CLAIMS)];
    return this.#copy.look([...new Set(skus)].slice(0, 2 * CLAIMS)).catch(() => null);
  }

  async #submitCopy(held) {
    if (!held) return;
    this.#phone ??= await this.#copy.name();
    await this.#submit('offline', this.#phone, held.levels, held.heard ?? null);
  }

  async #submit(witness, instance, levels, heard) {
    const now = Date.now();
    const claims = levels.filter(Boolean).map((level) => claim(level, heard, now));
    if (claims.length === 0 || now < this.#quietUntil) return null;
    try {
      const { judged } = await request('POST', '/api/testimony', { witness, instance, sentAt: now, claims });
      this.#failures = 0;
      return judged;
    } catch {
      // Nobody listens, or not now: that is no matter for the visitor.
      const { testimonyInterval } = this.#store.getState().shop;
      this.#quietUntil = now + Math.min(GIVE_UP_MS, testimonyInterval * 2 ** this.#failures++);
      return null;
    }
  }
}
