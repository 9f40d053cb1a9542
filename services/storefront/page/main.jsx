// Starts the page: the store, filled first from the offline copy, then by the shop; who follows it; and what is drawn.

import { render } from 'preact';

import { databaseClock, request } from './api.js';
import { Live } from './live.js';
import { OfflineCopy } from './offline.js';
import * as cart from './store/cart.js';
import * as checkout from './store/checkout.js';
import * as levels from './store/levels.js';
import * as link from './store/link.js';
import { received } from './store/products.js';
import { described, makeStore } from './store/store.js';
import { Witness } from './testify.js';
import { Shop } from './ui/shop.jsx';
import { StoreContext } from './ui/store.js';

const RETRY_MS = 2000;

const store = makeStore();
store.dispatch(link.ticked({ at: Date.now() }));

async function remember() {
  const copy = await OfflineCopy.open();
  const held = await copy.load();
  if (held.products.length) store.dispatch(received(held.products));
  store.dispatch(levels.remembered({ levels: held.levels }));
  if (held.heard) store.dispatch(link.remembered({ heard: held.heard }));
  if (held.shop) store.dispatch(described(held.shop));
  if (held.cart) store.dispatch(cart.remembered(held.cart));
  if (held.checkout) store.dispatch(checkout.remembered(resumed(held.checkout)));
  copy.follow(store);
  return copy;
}

// What was begun when the page was left is tried again by hand, with the same ids; what was held is looked at again.
function resumed(held) {
  if (held.phase === 'holding') return { ...held, problem: { code: 'NO_ANSWER', message: 'You were checking out. It is safe to go on.' } };
  return { ...held, phase: checkout.holds(held.phase) ? 'unsure' : held.phase, problem: null };
}

// Once at a time, until there is an answer.
let fetching = null;
function fetchProducts() {
  fetching ??= untilFetched().finally(() => { fetching = null; });
  return fetching;
}

async function untilFetched() {
  for (;;) {
    try {
      const query = new URLSearchParams(location.search).get('cohort');
      const answer = await request('GET', `/api/products${query ? `?${new URLSearchParams({ cohort: query })}` : ''}`);
      store.dispatch(described(answer.shop));
      store.dispatch(received(answer.products.map(({ level: _, ...product }) => product)));
      store.dispatch(levels.answered({ levels: levels.aged(answer.products.map(({ level }) => level), databaseClock), at: Date.now() }));
      return;
    } catch {
      await new Promise((resolve) => { setTimeout(resolve, RETRY_MS); });
    }
  }
}

// A browser that keeps nothing (a private window) has no offline copy; the shop works without.
const copy = await remember().catch(() => null);
const witness = new Witness(store, copy);
render(
  <StoreContext.Provider value={{ store, witness }}>
    <Shop />
  </StoreContext.Provider>,
  document.querySelector('#shop'),
);
const live = new Live(store, databaseClock, fetchProducts);
if (navigator.onLine) await Promise.race([fetchProducts(), new Promise((resolve) => { setTimeout(resolve, RETRY_MS); })]);
else void fetchProducts();
const look = () => store.dispatch(checkout.look());
addEventListener('online', look);
if (navigator.onLine) void look();
live.start();
witness.start();
navigator.serviceWorker?.register('/sw.js').catch(() => {});
