// The checkout, while units are held; and the order, once it is placed.

import { change, forgotten, holds, leave, look, place } from '../store/checkout.js';
import { countdown, money, time } from '../words.js';
import { Picture } from './picture.jsx';
import { Problem } from './problem.jsx';
import { Quantity } from './quantity.jsx';
import { useDispatch, useShop } from './store.js';

const totalOf = (lines, products) => lines.reduce((sum, { sku, quantity }) => sum + (products[sku]?.price ?? 0) * quantity, 0);

export function Checkout() {
  const dispatch = useDispatch();
  const { phase, lines, heldUntil, problem } = useShop(({ checkout }) => checkout);
  const products = useShop((state) => state.products.entities);
  const { state, now } = useShop(({ link }) => ({ state: link.state, now: link.now }));
  const { location: shop, holdSeconds } = useShop((all) => all.shop);
  const adjust = (sku, quantity) => dispatch(change({ sku, quantity }));

  if (phase === 'placed') return <Confirmation />;
  if (!holds(phase)) {
    return (
      <section class="checkout">
        <h1>Check out</h1>
        <Problem problem={problem} products={products} adjust={() => {}} />
        <p class="empty">
          Nothing is being held for you. <a href="#/">To the shop</a>
        </p>
      </section>
    );
  }
  const left = Math.min(heldUntil - now, holdSeconds * 1000);
  const offline = state === 'offline';
  const placeOrder = async () => {
    if ((await dispatch(place()))?.meta.requestStatus === 'fulfilled') location.hash = '#/order';
  };
  const leaveIt = async () => {
    if ((await dispatch(leave()))?.meta.requestStatus === 'fulfilled') location.hash = '#/';
  };
  return (
    <section class="checkout">
      <h1>Check out</h1>
      <p id="held" class="held">
        {left > 0 ? (
          <>
            Held for you until {time(heldUntil)} <b>({countdown(left)} left)</b>
          </>
        ) : (
          'The time is over: the goods may be back on the shelf.'
        )}
      </p>
      <ul class="lines">
        {lines.map(({ sku, quantity }) => (
          <li key={sku} data-sku={sku}>
            <Picture sku={sku} name="" {...products[sku]} />
            <div>
              <span>{products[sku]?.name ?? sku}</span>
              <div class="row">
                <Quantity
                  value={quantity}
                  least={lines.length > 1 ? 0 : 1}
                  name={products[sku]?.name ?? sku}
                  disabled={offline || phase !== 'held'}
                  change={(wished) => adjust(sku, wished)}
                />
                <span>{money((products[sku]?.price ?? 0) * quantity)}</span>
              </div>
            </div>
          </li>
        ))}
      </ul>
      <p class="row total">
        <span>Total</span>
        <span>{money(totalOf(lines, products))}</span>
      </p>
      <p class="fine">You pay when you collect it from our shop in {shop}. Nothing is charged now.</p>
      <Problem problem={problem} products={products} adjust={adjust} />
      {offline && (
        <p class="notice warn">
          You are offline: the order cannot be placed until you are back. Your goods stay held until {time(heldUntil)}.
        </p>
      )}
      <div class="actions">
        {phase === 'unsure' ? (
          <button id="look-again" class="primary" disabled={offline} onClick={() => dispatch(look())}>
            Look again
          </button>
        ) : (
          <button id="place-order" class="primary" disabled={offline || phase !== 'held'} onClick={placeOrder}>
            {phase === 'placing' ? 'Placing your order…' : problem?.code === 'NO_ANSWER' ? 'Try again' : 'Place order'}
          </button>
        )}
        <button id="leave" class="plain" disabled={offline || !['held', 'unsure'].includes(phase)} onClick={leaveIt}>
          Give it back
        </button>
      </div>
    </section>
  );
}

export function Confirmation() {
  const dispatch = useDispatch();
  const { phase, lines, order } = useShop(({ checkout }) => checkout);
  const products = useShop((state) => state.products.entities);
  const shop = useShop((all) => all.shop.location);
  if (phase !== 'placed')
    return (
      <p class="empty">
        There is no order here. <a href="#/">To the shop</a>
      </p>
    );
  return (
    <section class="checkout confirmation">
      <h1>Thank you</h1>
      <p>
        Your order <b id="order">{order}</b> is placed, and its goods are taken off the shelf. Collect them from our shop in{' '}
        {shop}.
      </p>
      <ul class="lines">
        {lines.map(({ sku, quantity }) => (
          <li key={sku}>
            <Picture sku={sku} name="" {...products[sku]} />
            <div>
              <span>
                {quantity} × {products[sku]?.name ?? sku}
              </span>
              <span>{money((products[sku]?.price ?? 0) * quantity)}</span>
            </div>
          </li>
        ))}
      </ul>
      <p class="row total">
        <span>Total</span>
        <span>{money(totalOf(lines, products))}</span>
      </p>
      <a class="primary button" href="#/" onClick={() => dispatch(forgotten())}>
        Back to the shop
      </a>
    </section>
  );
}
