// ListIncidents: what is out of step, since when and by whose word; and what lately was.

import { el, table } from './dom.js';
import { claim } from './explain.js';
import { NONE, count, gravity, instant, plain, signed, span } from './format.js';

const address = (key) => `#${new URLSearchParams(key)}`;

function keys({ key, keys: ever }) {
  const more = Number(ever) - 1;
  return [el('a', { href: address(key) }, `${key.sku} @ ${key.location}`), more > 0 && el('span', { class: 'aside' }, ` and ${count(more)} more`)];
}

// `now`: of this machine, ms; it is only as right as that.
function state({ opened_at: opened, closed_at: closed }, now) {
  const lasted = span(Math.max(0, (closed ? new Date(closed) : now) - new Date(opened)) / 1000);
  return closed ? `closed after ${lasted}` : el('b', {}, `open for ${lasted}`);
}

const columns = (now) => [
  { title: 'Incident', head: true, cell: ({ id }) => `#${id}` },
  { title: 'Verdict', cell: ({ verdict, closed_at: closed }) =>
    el('span', { class: `badge ${closed ? 'quiet' : gravity(verdict)}` }, plain(verdict)) },
  { title: 'State', cell: (incident) => state(incident, now) },
  { title: 'Since', unit: 'UTC', number: true, cell: ({ opened_at: at }) => instant(at) },
  { title: 'Of', cell: keys },
  { title: 'Told by', class: 'told', cell: ({ witnesses }) => witnesses.join(', ') },
  { title: 'Said', unit: 'available', number: true, group: true, cell: ({ evidence }) => claim(evidence) },
  { title: 'True', unit: 'then', number: true, cell: ({ truth_exists: exists, truth }) => (exists ? count(truth?.available ?? 0) : 'no level') },
  { title: 'Off by', unit: 'units', number: true, cell: ({ evidence: { units } }) => (Number(units) ? signed(units) : NONE) },
  { title: 'Keys', unit: 'now / ever', number: true, cell: ({ keys_open: open, keys: ever }) => `${count(open)} / ${count(ever)}` },
  { title: 'In words', class: 'words', cell: ({ evidence }) => evidence.words },
];

// `open`: all that are; `recent`: the newest, open or not.
export function incidentsView(open, recent, now) {
  const closed = recent.filter(({ closed_at: at }) => at);
  const list = (incidents) => table(columns(now), incidents, { class: 'incidents' });
  return el('div', {},
    open.length > 0 ? list(open) : el('p', { class: 'none' }, 'None is open: no layer is known to lie.'),
    closed.length > 0 && el('details', {},
      el('summary', {}, `Closed lately: ${closed.length}`),
      list(closed)));
}
