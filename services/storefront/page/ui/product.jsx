// One product, large.

import { useState } from 'preact/hooks';

import { money } from '../words.js';
import { AddToCart } from './grid.jsx';
import { Picture } from './picture.jsx';
import { Quantity } from './quantity.jsx';
import { Stock } from './stock.jsx';
import { useShop } from './store.js';

export function Product({ sku }) {
  const product = useShop(({ products }) => products.entities[sku]);
  const hidden = useShop(({ levels }) => Boolean(levels.entities[sku]?.offer?.hidden));
  const location = useShop(({ shop }) => shop.location);
  const [quantity, setQuantity] = useState(1);
  if (!product || hidden)
    return (
      <p class="empty">
        The shop does not sell that. <a href="#/">To everything that it does</a>
      </p>
    );
  return (
    <article class="product">
      <Picture {...product} />
      <div>
        <p class="crumbs">
          <a href="#/">Everything</a> / {product.category}
        </p>
        <h1>{product.name}</h1>
        <p class="price">{money(product.price)}</p>
        <Stock sku={sku} />
        <div class="buy">
          <Quantity value={quantity} change={setQuantity} name={product.name} least={1} />
          <AddToCart sku={sku} name={product.name} quantity={quantity} />
        </div>
        <p class="fine">
          Article <code>{sku}</code>, from our shelf in {location}. Collect it today.
        </p>
      </div>
    </article>
  );
}
