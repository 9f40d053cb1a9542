// Values of protobuf's JSON as people read them. Instants are UTC, as everywhere in Stockwitness.

// Where there is nothing to say.
export const NONE = '–';

// int64 comes as a string.
export const count = (value) => (value === undefined ? NONE : Number(value).toLocaleString('en', { maximumFractionDigits: 0 }));
export const signed = (value) => (Number(value) > 0 ? `+${count(value)}` : count(value).replace('-', '−'));
export const share = (value) => (value === undefined ? NONE : `${(100 * value).toFixed(value > 0 && value < 0.01 ? 2 : 1)} %`);

// "1.5s", to seconds.
export const seconds = (duration) => Number(duration.slice(0, -1));

export function span(value) {
  const size = Math.abs(value);
  const sign = value < 0 ? '−' : '';
  if (size < 1e-6) return `${sign}0 s`;
  if (size < 1e-3) return `${sign}${(size * 1e6).toFixed(0)} µs`;
  if (size < 1) return `${sign}${(size * 1e3).toFixed(size < 0.01 ? 1 : 0)} ms`;
  if (size < 100) return `${sign}${size.toFixed(1)} s`;
  if (size < 7200) return `${sign}${(size / 60).toFixed(0)} min`;
  if (size < 172800) return `${sign}${(size / 3600).toFixed(1)} h`;
  return `${sign}${(size / 86400).toFixed(1)} d`;
}

export const duration = (text) => (text === undefined ? NONE : span(seconds(text)));

// "2026-11-24T02:07:11.123456Z" to "02:07:11.123", with the date where it is not today's.
export function instant(text, today = new Date().toISOString()) {
  if (text === undefined) return NONE;
  const date = new Date(text).toISOString();
  const clock = date.slice(11, 23);
  return date.slice(0, 10) === today.slice(0, 10) ? clock : `${date.slice(0, 10)} ${clock}`;
}

// LAYER_REDIS, VERDICT_NEVER_TRUE to redis, never true.
export const plain = (name) => name.replace(/^(LAYER|VERDICT|OUTCOME|MOVEMENT_KIND|REPAIR_POLICY)_/, '').toLowerCase().replaceAll('_', ' ');

const KINDS = {
  current: 'good', stale: 'behind', absent: 'quiet', unreachable: 'quiet', inconclusive: 'quiet', unverifiable: 'quiet',
};
// How grave a verdict is: good, behind, lie or quiet.
export const gravity = (verdict) => KINDS[plain(verdict)] ?? 'lie';

// As a witness outside knows it.
export function told({ counts: all, available, in_stock: some, sold }) {
  if (all) return count(all.available ?? 0);
  if (sold) return `${count(sold.units ?? 0)} sold`;
  if (available !== undefined) return count(available);
  if (some !== undefined) return some ? 'in stock' : 'nothing in stock';
  return 'no level';
}
