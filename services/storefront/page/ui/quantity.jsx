import { MOST } from '../store/cart.js';

export function Quantity({ value, change, name, least = 0, disabled = false }) {
  const set = (wished) => {
    const quantity = Math.min(MOST, Math.max(least, Math.floor(Number(wished))));
    if (Number.isFinite(quantity)) change(quantity);
  };
  return (
    <span class="quantity">
      <button
        class="plain"
        disabled={disabled || value <= least}
        aria-label={`One less of ${name}`}
        onClick={() => set(value - 1)}
      >
        −
      </button>
      <input
        type="number"
        inputMode="numeric"
        min={least}
        max={MOST}
        value={value}
        disabled={disabled}
        aria-label={`How many of ${name}`}
        onChange={(event) => set(event.currentTarget.value)}
      />
      <button
        class="plain"
        disabled={disabled || value >= MOST}
        aria-label={`One more of ${name}`}
        onClick={() => set(value + 1)}
      >
        +
      </button>
    </span>
  );
}
