// What is in the cart: units by SKU, in the order of putting in.

import { createSlice } from '@reduxjs/toolkit';

export const MOST = 999;

const slice = createSlice({
  name: 'cart',
  initialState: { lines: [] },
  reducers: {
    added(cart, { payload: { sku, quantity = 1 } }) {
      const line = cart.lines.find((other) => other.sku === sku);
      if (line) line.quantity = Math.min(MOST, line.quantity + quantity);
      else cart.lines.push({ sku, quantity: Math.min(MOST, quantity) });
    },
    // 0 takes it out.
    changed(cart, { payload: { sku, quantity } }) {
      if (quantity < 1) cart.lines = cart.lines.filter((line) => line.sku !== sku);
      else for (const line of cart.lines) if (line.sku === sku) line.quantity = Math.min(MOST, quantity);
    },
    emptied(cart) {
      cart.lines = [];
    },
    remembered: (_, { payload: { lines } }) => ({ lines }),
  },
});

export const { added, changed, emptied, remembered } = slice.actions;
export default slice.reducer;

export const units = ({ lines }) => lines.reduce((sum, { quantity }) => sum + quantity, 0);
