// The store in components: useShop(select) gives a part of it, and draws again when that part is another one.

import { createContext } from 'preact';
import { useContext, useEffect, useState } from 'preact/hooks';

import { shallowEqual } from './equal.js';

export const StoreContext = createContext(null);

export const useDispatch = () => useContext(StoreContext).store.dispatch;
export const useWitness = () => useContext(StoreContext).witness;

export function useShop(select) {
  const { store } = useContext(StoreContext);
  const [, redraw] = useState(0);
  const selected = select(store.getState());
  useEffect(() => {
    let shown = selected;
    const look = () => {
      const now = select(store.getState());
      if (shallowEqual(shown, now)) return;
      shown = now;
      redraw((n) => n + 1);
    };
    look();
    return store.subscribe(look);
  });
  return selected;
}

// Where the address points to: ["product", "LANTERN-42"], and [] for the shop itself.
export function useRoute() {
  const [route, setRoute] = useState(readRoute);
  useEffect(() => {
    const look = () => {
      setRoute(readRoute());
      scrollTo(0, 0);
    };
    addEventListener('hashchange', look);
    return () => removeEventListener('hashchange', look);
  }, []);
  return route;
}

function readRoute() {
  try {
    return location.hash.replace(/^#\/?/, '').split('/').filter(Boolean).map(decodeURIComponent);
  } catch {
    return [];
  }
}

export const productHref = (sku) => `#/product/${encodeURIComponent(sku)}`;
