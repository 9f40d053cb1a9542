// What this tab believes of each SKU: the level as it was told, when it was told (by this machine's clock, ms), and since
// when it has believed so.

import { createEntityAdapter, createSlice } from '@reduxjs/toolkit';

export const adapter = createEntityAdapter({ selectId: ({ sku }) => sku });

const sameCount = (a, b) => a && a.version === b.version && a.available === b.available && a.exists === b.exists;

function believe(state, level, at) {
  const held = state.entities[level.sku];
  const believedSince = sameCount(held, level) ? held.believedSince : at;
  adapter.setOne(state, { ...level, toldAt: at, believedSince });
}

const slice = createSlice({
  name: 'levels',
  initialState: adapter.getInitialState(),
  reducers: {
    // By the stream, which has them in order: { levels, initial, at }. At first it tells all that there are.
    streamed(state, { payload: { levels, initial, at } }) {
      if (initial) {
        const told = new Set(levels.map(({ sku }) => sku));
        adapter.removeMany(state, state.ids.filter((sku) => !told.has(sku)));
      }
      for (const level of levels) believe(state, level, at);
    },
    // By an answer, which the stream may have overtaken.
    answered(state, { payload: { levels, at } }) {
      for (const level of levels) {
        const held = state.entities[level.sku];
        if (!held || held.version <= level.version) believe(state, level, at);
      }
    },
    // By the offline copy, as they were put there; only where nothing better is known.
    remembered(state, { payload: { levels } }) {
      for (const level of levels) if (!state.entities[level.sku]) adapter.setOne(state, level);
    },
  },
});

export const { streamed, answered, remembered } = slice.actions;
export default slice.reducer;

// What may be sold to this visitor: the count, or what the flags make of it.
export const toBeHad = ({ available, exists, offer }) => Math.max(0, offer ? offer.available : exists ? available : 0);

// Through when this level is known to be true, where all of them are through `heard`; null: nobody can tell. A date that has
// yet to come is none: this machine's clock was set back since.
export function knownThrough({ toldAt, age }, heard, now) {
  const dates = [heard, age === null ? null : toldAt - age].filter((date) => date !== null && date <= now);
  return dates.length === 0 ? null : Math.max(...dates);
}

// With the age of each as it comes, and of what the flags say, by what is known here of the database's clock.
export function aged(levels, clock) {
  const age = (dated) => ({ ...dated, age: clock.age(dated.trueThrough) });
  return levels.map((level) => ({ ...age(level), offer: level.offer && { ...level.offer, flags: level.offer.flags.map(age) } }));
}

// What has become of `before` by `after`, both by SKU: [{ sku, from, to }].
export function differences(before, after) {
  return after.flatMap((level) => {
    const held = before[level.sku];
    if (!held) return [];
    const [from, to] = [toBeHad(held), toBeHad(level)];
    return from === to ? [] : [{ sku: level.sku, from, to }];
  });
}
