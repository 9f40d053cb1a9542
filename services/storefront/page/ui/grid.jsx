// The goods: categories to choose from, and a card for each.

import { useEffect, useState } from 'preact/hooks';

import { added } from '../store/cart.js';
import { visible } from '../store/products.js';
import { money } from '../words.js';
import { Picture } from './picture.jsx';
import { Stock, useObstacle } from './stock.jsx';
import { productHref, useDispatch, useShop } from './store.js';

const PAGE = 60;

export function Grid({ query, choose }) {
  const [shown, setShown] = useState(PAGE);
  useEffect(() => setShown(PAGE), [query.category, query.words]);
  const categories = useShop(({ products }) => [...new Set(products.ids.map((sku) => products.entities[sku].category))]);
  const found = useShop((state) => visible(state, query));
  const connecting = useShop(({ products }) => products.ids.length === 0);
  if (connecting) return <p class="empty">Opening the shop…</p>;
  return (
    <>
      <nav class="categories" aria-label="Categories">
        {['', ...categories].map((category) => (
          <button key={category} aria-pressed={query.category === category} onClick={() => choose(category)}>
            {category || 'Everything'}
          </button>
        ))}
      </nav>
      {found.length === 0 && <p class="empty">Nothing here is called that.</p>}
      <ul class="grid">
        {found.slice(0, shown).map((product) => (
          <Card key={product.sku} product={product} />
        ))}
      </ul>
      {found.length > shown && (
        <button class="more plain" onClick={() => setShown(shown + PAGE)}>
          Show more ({found.length - shown})
        </button>
      )}
    </>
  );
}

function Card({ product: { sku, name, price, category } }) {
  return (
    <li class="card" data-sku={sku}>
      <a href={productHref(sku)}>
        <Picture sku={sku} name={name} category={category} />
        <span class="name">{name}</span>
      </a>
      <p class="price">{money(price)}</p>
      <Stock sku={sku} />
      <AddToCart sku={sku} name={name} />
    </li>
  );
}

export function AddToCart({ sku, name, quantity = 1 }) {
  const dispatch = useDispatch();
  const obstacle = useObstacle(sku);
  return (
    <button
      class="add"
      disabled={obstacle !== null}
      aria-label={`${obstacle ?? 'Add to cart'}: ${name}`}
      onClick={() => dispatch(added({ sku, quantity }))}
    >
      {obstacle ?? 'Add to cart'}
    </button>
  );
}
