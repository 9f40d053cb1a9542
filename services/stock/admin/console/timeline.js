// The versions of a key as a picture, and on it what each witness says.
//
// Time runs to the right. Each version has the same room, however long it was true, and time is linear within it: seconds
// and days stand side by side. On top the count that was available; below, a lane for each witness: a bar from when the
// version that it claims became true to the instant through which it says that this held.

import { svg } from './dom.js';
import { count, gravity, instant, plain, told } from './format.js';

const LEFT = 82; // names of witnesses
const RIGHT = 12;
const TOP = 26;
const PLOT = 64; // height of the counts
const LANE = 24;
const VERSION_WIDTH = 62; // at least

const time = (text) => new Date(text).getTime();

// What the picture shows: versions in order, the last one until now (when the last witness had been asked).
function versionsOf({ movements }, room, now) {
  const versions = movements.slice(0, room).reverse().map(({ version, committed_at: at, counts_after: counts, deleted }) => ({
    version: Number(version), from: time(at), available: deleted ? 0 : Number(counts?.available ?? 0),
  }));
  versions.forEach((each, i) => { each.until = versions[i + 1]?.from ?? Math.max(now, each.from); });
  return versions;
}

// Instants to x: linear within each version.
function scale(versions, width) {
  const each = (width - LEFT - RIGHT) / versions.length;
  return (at) => {
    const i = versions.findIndex(({ until }) => at <= until);
    if (i < 0) return width - RIGHT;
    const { from, until } = versions[i];
    const part = until > from ? Math.max(0, (at - from) / (until - from)) : 0;
    return LEFT + each * (i + part);
  };
}

function lane(finding, versions, x, y, width) {
  const { statement, verdict } = finding;
  const kind = gravity(verdict);
  const name = svg('text', { x: 0, y: y + 4, class: 'name' }, statement.witness);
  const word = (at, anchor = 'start') => svg('text', { x: at, y: y + 4, class: kind, 'text-anchor': anchor }, plain(verdict));
  if (statement.outcome !== 'OUTCOME_HIT') return [name, word(LEFT)];

  const claimed = versions.find(({ version }) => version === Number(statement.version));
  const through = statement.true_through ? x(time(statement.true_through)) : undefined;
  const from = claimed ? x(claimed.from) : Number(statement.version) > (versions.at(-1)?.version ?? 0) ? width - RIGHT - 10 : LEFT;
  const to = Math.max(through ?? from, from) + 4;
  const said = statement.testimony ? told(statement.testimony) : count(statement.counts?.available ?? 0);
  const label = `${said}, ${plain(verdict)}`;
  const text = svg('text', { y: y + 4, class: kind, x: to + 6 }, label);
  // No room to the right of it: on its left; and where there is none, above its end.
  if (to + 6 + 7 * label.length > width) {
    const left = from - 6 - 7 * label.length > LEFT;
    text.setAttribute('x', left ? from - 6 : to);
    text.setAttribute('text-anchor', 'end');
    if (!left) text.setAttribute('y', y - 6);
  }
  return [
    name,
    svg('line', { class: `claim ${kind}`, x1: from, x2: to, y1: y, y2: y }),
    text,
  ];
}

export function timeline(explanation, width) {
  // By the database's clock, not this machine's.
  const now = Math.max(...explanation.findings.map(({ statement }) => time(statement.asked_before)).filter(Number.isFinite));
  const versions = versionsOf(explanation, Math.max(2, Math.floor((width - LEFT - RIGHT) / VERSION_WIDTH)), now);
  if (versions.length === 0) return undefined;
  const x = scale(versions, width);
  const each = (width - LEFT - RIGHT) / versions.length;
  const values = versions.map(({ available }) => available);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const y = (value) => TOP + PLOT * (high === low ? 0.5 : 1 - (value - low) / (high - low));
  const lanes = TOP + PLOT + 36;
  const height = lanes + LANE * explanation.findings.length;

  const steps = versions.flatMap(({ available }, i) => [`${LEFT + each * i},${y(available)}`, `${LEFT + each * (i + 1)},${y(available)}`]);
  const words = explanation.findings.map(({ statement, verdict }) => `${statement.witness}: ${plain(verdict)}`).join('; ');
  return svg('svg', { class: 'timeline', viewBox: `0 0 ${width} ${height}`, height, role: 'img',
    'aria-label': `The last ${versions.length} versions and what each witness says of them. ${words}.` },
  versions.map(({ version, from, available }, i) => [
    svg('line', { class: 'grid', x1: LEFT + each * i, x2: LEFT + each * i, y1: TOP - 8, y2: height }),
    svg('text', { x: LEFT + each * i + 4, y: y(available) - 6, class: 'value' }, count(available)),
    svg('text', { x: LEFT + each * i + 4, y: TOP + PLOT + 14 }, `v${version}`),
    svg('text', { x: LEFT + each * i + 4, y: TOP + PLOT + 27 }, instant(new Date(from).toISOString()).slice(-12, -4)),
  ]),
  svg('text', { x: 0, y: TOP + 4, class: 'name' }, 'ledger'),
  svg('text', { x: 0, y: TOP + 19 }, 'available'),
  svg('polyline', { class: 'step', points: steps.join(' ') }),
  explanation.findings.map((finding, i) => lane(finding, versions, x, lanes + LANE * i + LANE / 2, width)));
}
