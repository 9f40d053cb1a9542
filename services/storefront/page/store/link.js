// How this tab is connected, and through when all that it shows is known to be true. Instants are ms by this machine's clock.
//
// `state`: "connecting" while no date is known; "live"; "stale": connected to a shop that is itself cut off from its stock; "offline".

import { createSlice, isAnyOf } from '@reduxjs/toolkit';

import { answered, streamed } from './levels.js';

const LIVE_MS = 4000; // older than this it is not called current
const MOST_CHANGES = 50;

const slice = createSlice({
  name: 'link',
  initialState: {
    state: 'connecting',
    connected: false, // the stream that is open has told how old all of it is
    heard: null, // all is known to be true through then
    now: 0,
    awayFrom: null, // of when is what was shown while there was no connection
    changes: null, // what was different after that: { since, list }
  },
  reducers: {
    lost(link) {
      link.connected = false;
      link.awayFrom ??= link.heard;
      link.state = 'offline';
    },
    // What the shop knows is so old, in ms; null: nobody can tell.
    pulsed(link, { payload: { age, at } }) {
      link.connected = true;
      passed(link, { payload: { at } });
      if (age !== null) link.heard = Math.max(link.heard ?? 0, at - age);
      settle(link);
      if (link.state === 'live') link.awayFrom = null;
    },
    ticked: passed,
    // The offline copy is of then.
    remembered(link, { payload: { heard } }) {
      link.heard ??= heard;
    },
    differed(link, { payload: { changes } }) {
      if (changes.length === 0 || link.awayFrom === null) return;
      const list = [...changes, ...(link.changes?.list ?? []).filter(({ sku }) => !changes.some((change) => change.sku === sku))];
      link.changes = { since: link.changes?.since ?? link.awayFrom, list: list.slice(0, MOST_CHANGES) };
    },
    dismissed(link) {
      link.changes = null;
    },
  },
  extraReducers: (builder) => builder.addMatcher(isAnyOf(streamed, answered), passed),
});

// A date that has yet to come is none any more: this machine's clock was set back.
function passed(link, { payload: { at } }) {
  link.now = at;
  if (link.heard > at) link.heard = null;
  settle(link);
}

function settle(link) {
  if (!link.connected) return;
  link.state = link.heard === null ? 'connecting' : link.now - link.heard <= LIVE_MS ? 'live' : 'stale';
}

export const { lost, pulsed, ticked, remembered, differed, dismissed } = slice.actions;
export default slice.reducer;
