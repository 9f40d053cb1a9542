// The whole page: head, what the address points to, cart, notices.

import { useRef, useState } from 'preact/hooks';

import { units } from '../store/cart.js';
import { dismissed } from '../store/link.js';
import { day } from '../words.js';
import { Cart } from './cart.jsx';
import { Checkout, Confirmation } from './checkout.jsx';
import { Grid } from './grid.jsx';
import { Product } from './product.jsx';
import { productHref, useDispatch, useRoute, useShop } from './store.js';

export function Shop() {
  const [view, argument] = useRoute();
  const [query, setQuery] = useState({ category: '', words: '' });
  const [cartOpen, setCartOpen] = useState(false);
  const search = (words) => {
    if (view) location.hash = '#/';
    setQuery({ ...query, words });
  };
  return (
    <>
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          document.querySelector('#main').focus();
        }}
      >
        To the goods
      </a>
      <Head words={query.words} search={search} openCart={() => setCartOpen(true)} />
      <Notices />
      <main id="main" tabIndex={-1}>
        {view === 'product' ? (
          <Product key={argument} sku={argument} />
        ) : view === 'checkout' ? (
          <Checkout />
        ) : view === 'order' ? (
          <Confirmation />
        ) : (
          <Grid query={query} choose={(category) => setQuery({ ...query, category })} />
        )}
      </main>
      <footer>
        <p>
          Every count here says where it comes from and how old it is: press{' '}
          <span class="info" aria-hidden="true">
            i
          </span>{' '}
          beside it.
        </p>
      </footer>
      <Cart open={cartOpen} close={() => setCartOpen(false)} />
    </>
  );
}

function Head({ words, search, openCart }) {
  const inCart = useShop(({ cart }) => units(cart));
  const box = useRef();
  return (
    <header>
      <a class="brand" href="#/">
        <img src="/icon.svg" alt="" width="32" height="32" />
        Hearth &amp; Hedge
      </a>
      <Pulse />
      <form
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          box.current.blur();
        }}
      >
        <input
          ref={box}
          id="search"
          type="search"
          placeholder="Search the shop"
          aria-label="Search the shop"
          value={words}
          maxLength={64}
          onInput={(event) => search(event.currentTarget.value)}
        />
      </form>
      <button id="open-cart" class="cart" onClick={openCart} aria-label={`Cart, ${inCart} ${inCart === 1 ? 'item' : 'items'}`}>
        <svg viewBox="0 0 24 24" aria-hidden="true">
          <path d="M3 4h2l2.4 11h10.2L20 7H6.2" />
          <circle cx="9" cy="19.5" r="1.6" />
          <circle cx="16.5" cy="19.5" r="1.6" />
        </svg>
        <span>Cart</span>
        {inCart > 0 && <b>{inCart}</b>}
      </button>
    </header>
  );
}

// How current the counts on this page are.
function Pulse() {
  const { state, heard, now } = useShop(({ link }) => ({
    state: link.state,
    heard: link.heard,
    now: Math.floor(link.now / 60_000),
  }));
  const words =
    state === 'live' ? 'Live' : heard ? `As of ${day(heard, now * 60_000)}` : state === 'offline' ? 'Offline' : 'Connecting…';
  return (
    <p id="pulse" class={`pulse ${state}`} role="status">
      {words}
    </p>
  );
}

function Notices() {
  const dispatch = useDispatch();
  const { state, heard, changes, now } = useShop(({ link }) => ({
    state: link.state,
    heard: link.heard,
    changes: link.changes,
    now: Math.floor(link.now / 60_000) * 60_000,
  }));
  const products = useShop((all) => all.products.entities);
  const empty = useShop(({ levels }) => levels.ids.length === 0);
  return (
    <div class="notices" aria-live="polite">
      {state === 'offline' && heard !== null && (
        <p id="offline" class="notice warn">
          You are offline. Counts are as of {day(heard, now)}, and may have changed since. Ordering is off until you are back
          online; your cart is kept.
        </p>
      )}
      {state === 'offline' && heard === null && empty && (
        <p id="offline" class="notice warn">
          The shop cannot be reached, and there is no copy of it here yet.
        </p>
      )}
      {state === 'offline' && heard === null && !empty && (
        <p id="offline" class="notice warn">
          The shop cannot tell this page what changes. Each count says of when it is, and may have changed since. Ordering is
          off until it can; your cart is kept.
        </p>
      )}
      {state === 'stale' && (
        <p id="stale" class="notice warn">
          The shop is cut off from its stock just now. Counts are as of {day(heard, now)}.
        </p>
      )}
      {changes && state === 'live' && (
        <div id="changes" class="notice">
          <div>
            <p>
              Back online. Since {day(changes.since, now)}{' '}
              {changes.list.length === 1 ? 'one count has' : `${changes.list.length} counts have`} changed:
            </p>
            <ul>
              {changes.list.slice(0, 5).map(({ sku, from, to }) => (
                <li key={sku}>
                  <a href={productHref(sku)}>{products[sku]?.name ?? sku}</a>: {from} → {to === 0 ? 'sold out' : to}
                </li>
              ))}
              {changes.list.length > 5 && <li>and {changes.list.length - 5} more</li>}
            </ul>
          </div>
          <button class="plain" onClick={() => dispatch(dismissed())}>
            Got it
          </button>
        </div>
      )}
    </div>
  );
}
