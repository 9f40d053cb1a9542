// The stream of changes into the store. It is opened again, behind the last event, whenever it breaks off or falls silent.
// How old a thing is that it tells, is found out here when it comes: a proxy, or a weak link, may have kept it for long.

import { aged, differences, streamed } from './store/levels.js';
import { differed, lost, pulsed, ticked } from './store/link.js';

const SILENCE_MS = 8000; // pulses come each second
const RETRY_MS = [500, 1000, 2000, 4000];

export class Live {
  #store;
  #clock;
  #ask;
  #source = null;
  #last = '';
  #lastEventAt = 0; // by performance.now(), which nobody sets
  #failures = 0;
  #missed = new Set();
  #timer;

  // `clock`: the database's, as answers told of it; `ask()` has the shop answer, of all its products.
  constructor(store, clock, ask) {
    this.#store = store;
    this.#clock = clock;
    this.#ask = ask;
  }

  start() {
    addEventListener('online', () => this.#open());
    addEventListener('offline', () => this.#lose());
    setInterval(() => this.#tick(), 1000);
    if (navigator.onLine) this.#open();
    else this.#lose();
  }

  #open() {
    this.#close();
    const source = new EventSource(`/api/events?${new URLSearchParams({ after: this.#last })}`);
    this.#source = source;
    this.#lastEventAt = performance.now();
    source.onopen = () => { this.#failures = 0; };
    source.onerror = () => this.#lose();
    source.addEventListener('levels', (event) => {
      this.#last = event.lastEventId;
      this.#hear(JSON.parse(event.data));
    });
    source.addEventListener('pulse', (event) => {
      this.#lastEventAt = performance.now();
      this.#pulse(JSON.parse(event.data));
    });
  }

  // Where the time is not known the shop is asked: its answer tells it.
  #pulse({ trueThrough }) {
    if (trueThrough !== null && !this.#clock.hasRead(trueThrough)) this.#ask();
    this.#store.dispatch(pulsed({ age: this.#clock.age(trueThrough), at: Date.now() }));
  }

  #hear({ initial, levels }) {
    this.#lastEventAt = performance.now();
    const { levels: before, link } = this.#store.getState();
    if (link.awayFrom !== null) this.#store.dispatch(differed({ changes: differences(before.entities, levels) }));
    this.#missProducts(levels);
    this.#store.dispatch(streamed({ levels: aged(levels, this.#clock), initial, at: Date.now() }));
  }

  // Goods that came after the products were asked for; asked for once each, whatever comes of it.
  #missProducts(levels) {
    const { entities } = this.#store.getState().products;
    const missing = levels.filter(({ sku }) => !entities[sku] && !this.#missed.has(sku));
    for (const { sku } of missing) this.#missed.add(sku);
    if (missing.length > 0) this.#ask();
  }

  #lose() {
    this.#close();
    this.#store.dispatch(lost());
    this.#timer = setTimeout(() => this.#open(), RETRY_MS[Math.min(this.#failures++, RETRY_MS.length - 1)]);
  }

  #close() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  #tick() {
    if (this.#source && performance.now() - this.#lastEventAt > SILENCE_MS) this.#lose();
    this.#store.dispatch(ticked({ at: Date.now() }));
  }
}
