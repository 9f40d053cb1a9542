// Numbers and instants as people say them.

const MONEY = new Intl.NumberFormat('en-GB', { style: 'currency', currency: 'GBP' });
const TIME = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const SECONDS = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3 });
const WEEKDAY = new Intl.DateTimeFormat('en-GB', { weekday: 'long' });
const DATE = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'long', year: 'numeric' });
const WEEK_MS = 6 * 86_400_000; // within it a weekday is enough

export const money = (pence) => MONEY.format(pence / 100);
export const count = (number) => number.toLocaleString('en-GB');
export const time = (ms) => TIME.format(ms);
export const exactTime = (ms) => (ms ? SECONDS.format(ms) : 'not known');

// "Thursday, 14:05", or with the date when that is long ago.
export const day = (ms, now) => `${now - ms < WEEK_MS ? WEEKDAY.format(ms) : DATE.format(ms)}, ${TIME.format(ms)}`;

export const asOf = (ms, now) => (ms === null ? 'of unknown age' : `as of ${day(ms, now)}`);

export function duration(ms) {
  if (ms === null) return 'not known';
  if (ms < 1) return `${Math.round(ms * 1000)} µs`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min ${Math.floor((ms % 60_000) / 1000)} s`;
  return `${Math.floor(ms / 3_600_000)} h ${Math.floor((ms % 3_600_000) / 60_000)} min`;
}

// "14:32", for what counts down.
export const countdown = (ms) => {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
};

// "3 mugs" without the mugs: what is there, in words for a shopper.
export function stockWords(units, { exists, offer }) {
  if (offer?.saleEnded) return 'No longer for sale';
  if (!exists || units === 0) return 'Sold out';
  return units <= 5 ? `Only ${units} left` : `${count(units)} in stock`;
}
