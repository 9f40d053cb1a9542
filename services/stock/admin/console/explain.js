// ExplainStockLevel: all witnesses of a SKU side by side, what the ledger says of them, and what happened last.

import { mayChange } from './api.js';
import { repairButton } from './changes.js';
import { el, table } from './dom.js';
import { NONE, count, duration, gravity, instant, plain, signed, told } from './format.js';
import { timeline } from './timeline.js';

const said = ({ statement }) => statement.outcome === 'OUTCOME_HIT';

const named = ({ witness, instance, testimony }) => (testimony && instance ? `${witness} ${instance}` : witness);

export function claim(finding) {
  const { statement } = finding;
  if (statement.testimony) return told(statement.testimony);
  if (!said(finding)) return statement.detail || plain(statement.outcome);
  return statement.exists ? count(statement.counts?.available ?? 0) : 'no level';
}

const WITNESSES = [
  { title: 'Witness', head: true, cell: ({ statement }) => named(statement) },
  { title: 'Verdict', cell: ({ verdict }) => el('span', { class: `badge ${gravity(verdict)}` }, plain(verdict)) },
  { title: 'Says', unit: 'available', number: true, cell: claim },
  { title: 'Version', number: true, cell: (finding) => (said(finding) && Number(finding.statement.version) > 0 ? count(finding.statement.version) : NONE) },
  { title: 'Of', unit: 'committed, UTC', number: true, cell: ({ statement }) => instant(statement.as_of) },
  { title: 'True through', unit: 'by its own date', number: true, cell: ({ statement }) => instant(statement.true_through) },
  { title: 'Off by', unit: 'units', number: true, cell: ({ units }) => (Number(units) ? signed(units) : NONE) },
  { title: 'Behind', unit: 'versions, time', number: true,
    cell: ({ versions, behind }) => (Number(versions) ? `${count(versions)}${behind ? `, ${duration(behind)}` : ''}` : NONE) },
  { title: 'In words', class: 'words', cell: ({ words, words_then: then }) => [words, then].filter(Boolean).join('; ') },
];

// Of the witnesses that hold copies of their own.
const repair = (key) => ({
  title: 'Copy',
  cell: (finding) => (said(finding) && ['memory', 'redis'].includes(finding.statement.witness) ? repairButton(key, finding.statement) : NONE),
});

const changed = ({ delta = {} }) => ['on_hand', 'reserved', 'committed', 'safety_stock', 'backorder_limit']
  .filter((name) => Number(delta[name] ?? 0) !== 0)
  .map((name) => `${signed(delta[name])} ${name.replace('_', ' ')}`).join(', ') || 'nothing';

const MOVEMENTS = [
  { title: 'Version', number: true, cell: ({ version }) => count(version) },
  { title: 'Committed', unit: 'UTC', number: true, cell: ({ committed_at: at }) => instant(at) },
  { title: 'Kind', cell: ({ kind, deleted }) => (deleted ? `${plain(kind)}, removed` : plain(kind)) },
  { title: 'Changed', cell: changed },
  { title: 'Available', unit: 'after', number: true, cell: ({ counts_after: after }) => count(after?.available ?? 0) },
  { title: 'Who', cell: ({ actor }) => actor || NONE },
  { title: 'Why', cell: ({ reason, reference }) => [reason, reference].filter(Boolean).join(', ') || NONE },
];

function truth({ exists, counts = {}, version }) {
  if (!exists) return el('p', {}, 'The ledger holds no level of this key', Number(version) > 0 ? ` any more, since version ${count(version)}.` : '.');
  return el('p', { class: 'truth' },
    el('b', {}, `${count(counts.available ?? 0)} available`),
    el('span', { class: 'aside' }, `version ${count(version)} in the ledger`),
    el('span', { class: 'aside' }, ['on_hand', 'reserved', 'committed', 'safety_stock']
      .map((name) => `${name.replace('_', ' ')} ${count(counts[name] ?? 0)}`).join(', ')));
}

function keyView(key, width) {
  return el('article', { class: 'key' },
    el('h3', {}, `${key.key.sku} @ ${key.key.location}`),
    truth(key),
    timeline(key, width),
    table(mayChange() ? [...WITNESSES, repair(key.key)] : WITNESSES, key.findings),
    key.movements.length > 0 && el('details', { open: true },
      el('summary', {}, `The last movements${key.earlier_movements ? '; there are earlier ones' : ''}`),
      table(MOVEMENTS, key.movements)));
}

// `width`: room for pictures, px.
export function explanationView({ keys, more_locations: more }, width) {
  if (keys.length === 0) return el('p', { class: 'none' }, 'The ledger has never heard of it, and no witness speaks of it.');
  return el('div', {}, keys.map((key) => keyView(key, width)),
    more && el('p', { class: 'hint' }, 'There are more locations than are shown: name one.'));
}
