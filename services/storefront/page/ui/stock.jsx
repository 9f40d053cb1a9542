// A count in words, never without its date when it is not current, and the button that tells where it comes from.

import { useState } from 'preact/hooks';

import { knownThrough, toBeHad } from '../store/levels.js';
import { asOf, stockWords } from '../words.js';
import { Provenance } from './provenance.jsx';
import { useShop } from './store.js';

export function Stock({ sku }) {
  const { level, live, date, now } = useShop(({ levels, link }) => {
    const held = levels.entities[sku];
    const current = link.state === 'live';
    return {
      level: held,
      live: current,
      date: held && !current ? knownThrough(held, link.heard, link.now) : null,
      now: current ? 0 : Math.floor(link.now / 60_000) * 60_000,
    };
  });
  const [open, setOpen] = useState(false);
  if (!level) return <p class="stock">…</p>;
  const left = toBeHad(level);
  const kind = level.offer?.saleEnded || left === 0 ? 'none' : left <= 5 ? 'few' : 'many';
  return (
    <div class={`stock ${kind}`} data-sku={sku}>
      <span class="words">
        {stockWords(left, level)}
        {!live && <small>, {asOf(date, now)}</small>}
      </span>
      <button
        class="info"
        aria-label={`Where the count of ${sku} comes from`}
        title="Where does this count come from?"
        onClick={() => setOpen(true)}
      >
        i
      </button>
      {open && <Provenance sku={sku} close={() => setOpen(false)} />}
    </div>
  );
}

// What stands in the way of ordering this: words, or null.
export function useObstacle(sku) {
  return useShop(({ levels, link }) => {
    const level = levels.entities[sku];
    if (link.state === 'offline') return 'Ordering is off while you are offline';
    if (!level) return 'Not counted yet';
    if (level.offer?.saleEnded) return 'No longer for sale';
    return toBeHad(level) === 0 ? 'Sold out' : null;
  });
}
