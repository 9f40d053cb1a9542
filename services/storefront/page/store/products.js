// Names and prices, in the shop's order.

import { createEntityAdapter, createSlice } from '@reduxjs/toolkit';

export const adapter = createEntityAdapter({ selectId: ({ sku }) => sku });

const slice = createSlice({
  name: 'products',
  initialState: adapter.getInitialState(),
  reducers: { received: adapter.setAll },
});

export const { received } = slice.actions;
export default slice.reducer;

// Those that this visitor may see, by category and by words of their names.
export function visible({ products, levels }, { category, words }) {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  return products.ids.map((sku) => products.entities[sku]).filter((product) =>
    !levels.entities[product.sku]?.offer?.hidden &&
    (!category || product.category === category) &&
    wanted.every((word) => `${product.name} ${product.sku}`.toLowerCase().includes(word)));
}
