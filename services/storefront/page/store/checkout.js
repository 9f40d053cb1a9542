// One checkout: units are held, then the order is placed, or it is left. Request ids are chosen before anything is sent, and
// kept until it is known what became of it: whatever is sent twice happens once. What is held is what the shop says; while
// that is not known, nothing can be ordered.
//
// `phase`: "none", "holding", "held", "changing", "unsure" (what is held has to be looked at), "placing", "placed", "leaving".

import { createAsyncThunk, createSlice } from '@reduxjs/toolkit';

import { Refused, databaseClock, request } from '../api.js';
import { changed, emptied } from './cart.js';

const NONE = { phase: 'none', id: null, commitId: null, lines: [], etag: null, heldUntil: null, order: null, problem: null };
const OVER = { code: 'RESERVATION_STATE', message: 'This checkout is over, and its goods are back on the shelf.' };
const PHASES = { held: 'held', committed: 'placed', fulfilled: 'placed' }; // by the state of the hold; of others nothing is left

// Rejects with { code, message, lines } of the shop, or of there being no answer.
const step = (name, work, condition) => createAsyncThunk(`checkout/${name}`, async (argument, api) => {
  try {
    return await work(api.getState(), api, argument);
  } catch (error) {
    return api.rejectWithValue(error instanceof Refused ? error.body : {
      code: 'NO_ANSWER', message: 'There was no answer, so we cannot tell whether this arrived. It is safe to try again: it will happen once.',
    });
  }
}, { condition: (_, { getState }) => condition(getState().checkout) });

// What the shop says of the hold. Where nobody told the database's time, its clock is taken for this machine's.
function told({ reservation: { state, lines, etag, expireTime }, order }, dispatch) {
  if (PHASES[state] === 'placed') dispatch(emptied());
  return { state, lines, etag, order, heldUntil: Date.now() + expireTime - (databaseClock.read() ?? Date.now()) };
}

export const begin = step('begin', async ({ checkout }, { dispatch }) =>
  told(await request('POST', '/api/reservations', { requestId: checkout.id, lines: checkout.lines }), dispatch),
({ phase }) => phase === 'holding');

export const place = step('place', async ({ checkout: { id, commitId, etag } }, { dispatch }) =>
  told(await request('POST', `/api/reservations/${id}/commit`, { requestId: commitId, etag }), dispatch),
({ phase }) => phase === 'held');

export const leave = step('leave', async ({ checkout }) => {
  await request('DELETE', `/api/reservations/${checkout.id}`, { requestId: crypto.randomUUID() });
}, ({ phase }) => phase === 'held' || phase === 'unsure');

// Other quantities while they are held.
export const change = step('change', async ({ checkout }, { dispatch }, { sku, quantity }) => {
  const lines = checkout.lines.map((line) => (line.sku === sku ? { sku, quantity } : line)).filter((line) => line.quantity > 0);
  const answer = await request('PUT', `/api/reservations/${checkout.id}`, { requestId: crypto.randomUUID(), lines });
  dispatch(changed({ sku, quantity }));
  return told(answer, dispatch);
}, ({ phase }) => phase === 'held');

export const look = step('look', async ({ checkout }, { dispatch }) =>
  told(await request('GET', `/api/reservations/${checkout.id}`), dispatch),
({ phase }) => phase === 'unsure');

// Of a hold that is over, or was never made, and of one that is not as it was shown.
const ENDED = ['RESERVATION_EXPIRED', 'RESERVATION_STATE', 'RESERVATION_NOT_FOUND'];
const CHANGED = ['RESERVATION_CHANGED', 'COMPARE_FAILED'];

const slice = createSlice({
  name: 'checkout',
  initialState: NONE,
  reducers: {
    // With ids of the caller's choosing.
    chosen(checkout, { payload: { id, commitId, lines } }) {
      if (['none', 'placed'].includes(checkout.phase)) return { ...NONE, phase: 'holding', id, commitId, lines };
      return checkout;
    },
    forgotten: () => NONE,
    remembered: (_, { payload }) => payload,
  },
  extraReducers: (builder) => builder
    .addCase(begin.pending, (checkout) => { checkout.problem = null; })
    .addCase(begin.fulfilled, took)
    // Of a refusal nothing is left; without an answer the same is tried again.
    .addCase(begin.rejected, (checkout, { payload }) => {
      checkout.problem = payload;
      if (!isPassing(payload)) checkout.phase = 'none';
    })
    .addCase(place.pending, (checkout) => Object.assign(checkout, { phase: 'placing', problem: null }))
    .addCase(place.fulfilled, took)
    .addCase(place.rejected, failed)
    .addCase(leave.pending, (checkout) => Object.assign(checkout, { phase: 'leaving', problem: null }))
    .addCase(leave.fulfilled, () => NONE)
    .addCase(leave.rejected, unsettled)
    .addCase(change.pending, (checkout) => Object.assign(checkout, { phase: 'changing', problem: null }))
    .addCase(change.fulfilled, took)
    .addCase(change.rejected, unsettled)
    .addCase(look.pending, (checkout) => { checkout.problem = null; })
    .addCase(look.fulfilled, took)
    .addCase(look.rejected, unsettled),
});

const isPassing = ({ code, status }) => code === 'NO_ANSWER' || status === 429 || status >= 500;

function took(checkout, { payload: { state, ...told } }) {
  const phase = PHASES[state] ?? 'none';
  Object.assign(checkout, told, { phase, problem: phase === 'none' ? OVER : null });
}

// The same can be tried again.
function failed(checkout, { payload }) {
  checkout.problem = payload;
  checkout.phase = ENDED.includes(payload?.code) ? 'none' : CHANGED.includes(payload?.code) ? 'unsure' : 'held';
}

// It may have happened, or may happen yet.
function unsettled(checkout, action) {
  failed(checkout, action);
  if (isPassing(action.payload)) checkout.phase = 'unsure';
}

export const { chosen, forgotten, remembered } = slice.actions;
export default slice.reducer;

// Whether goods are held, as far as is known.
export const holds = (phase) => ['held', 'changing', 'unsure', 'placing', 'leaving'].includes(phase);
