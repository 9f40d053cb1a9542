// The cart, a drawer.

import { changed } from '../store/cart.js';
import { begin, chosen, holds } from '../store/checkout.js';
import { toBeHad } from '../store/levels.js';
import { money } from '../words.js';
import { Dialog } from './dialog.jsx';
import { Picture } from './picture.jsx';
import { Quantity } from './quantity.jsx';
import { Problem } from './problem.jsx';
import { Stock } from './stock.jsx';
import { productHref, useDispatch, useShop } from './store.js';

export function Cart({ open, close }) {
  const dispatch = useDispatch();
  const lines = useShop(({ cart }) => cart.lines);
  const products = useShop((state) => state.products.entities);
  const offline = useShop(({ link }) => link.state === 'offline');
  const short = useShop(({ cart, levels }) =>
    cart.lines
      .filter(({ sku, quantity }) => levels.entities[sku] && quantity > toBeHad(levels.entities[sku]))
      .map(({ sku }) => sku),
  );
  const { phase, problem } = useShop(({ checkout }) => checkout);
  const known = lines.filter(({ sku }) => products[sku]);
  const total = known.reduce((sum, { sku, quantity }) => sum + products[sku].price * quantity, 0);
  const busy = phase === 'holding' && !problem;
  const held = holds(phase);

  const checkOut = async () => {
    if (held) {
      close();
      location.hash = '#/checkout';
      return;
    }
    dispatch(chosen({ id: crypto.randomUUID(), commitId: crypto.randomUUID(), lines: known }));
    if ((await dispatch(begin())).meta.requestStatus !== 'fulfilled') return;
    close();
    location.hash = '#/checkout';
  };

  return (
    <Dialog open={open} close={close} title="Your cart" class="drawer">
      {known.length === 0 && <p class="empty">There is nothing in it yet.</p>}
      <ul class="lines">
        {known.map(({ sku, quantity }) => (
          <li key={sku} data-sku={sku}>
            <Picture {...products[sku]} />
            <div>
              <a href={productHref(sku)} onClick={close}>
                {products[sku].name}
              </a>
              <Stock sku={sku} />
              <div class="row">
                <Quantity
                  value={quantity}
                  name={products[sku].name}
                  disabled={held}
                  change={(wished) => dispatch(changed({ sku, quantity: wished }))}
                />
                <span>{money(products[sku].price * quantity)}</span>
              </div>
            </div>
          </li>
        ))}
      </ul>
      {known.length > 0 && (
        <div class="sum">
          <p class="row total">
            <span>Total</span>
            <span>{money(total)}</span>
          </p>
          {!held && (
            <Problem problem={problem} products={products} adjust={(sku, quantity) => dispatch(changed({ sku, quantity }))} />
          )}
          {short.length > 0 && !held && !problem && (
            <p class="notice warn">There is less of {short.map((sku) => products[sku].name).join('; ')} than you want.</p>
          )}
          {offline && (
            <p class="notice warn" id="no-orders">
              You are offline: ordering is off until you are back. Your cart is kept.
            </p>
          )}
          <button id="check-out" class="primary" disabled={offline || busy} onClick={checkOut}>
            {held ? 'Back to the checkout' : busy ? 'Holding your goods…' : 'Check out'}
          </button>
        </div>
      )}
    </Dialog>
  );
}
