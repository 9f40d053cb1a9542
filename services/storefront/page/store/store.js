// The browser's store: normalized, by SKU; the page shows nothing else.

import { configureStore, createSlice } from '@reduxjs/toolkit';

import cart from './cart.js';
import checkout from './checkout.js';
import levels from './levels.js';
import link from './link.js';
import products from './products.js';

const shop = createSlice({
  name: 'shop',
  initialState: { location: '', cohort: '', holdSeconds: 900, testimonyInterval: 15_000 },
  reducers: { described: (_, { payload }) => payload },
});

export const { described } = shop.actions;

export const makeStore = () => configureStore({
  reducer: { products, levels, link, cart, checkout, shop: shop.reducer },
  devTools: false,
});
