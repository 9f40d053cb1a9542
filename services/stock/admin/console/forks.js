// ListForks: keys of which flags let cohorts see what contradicts each other.

import { el, table } from './dom.js';
import { count } from './format.js';

function seen({ cohort, hidden, sale_ended: ended, available, evaluations }) {
  const sees = hidden ? 'hidden' : ended ? 'sale ended' : count(available ?? 0);
  const flags = evaluations.filter(({ applies }) => applies).map(({ flag, variant }) => `${flag}: ${variant}`).join(', ');
  return el('div', {}, `${cohort} `, flags ? el('b', {}, sees) : sees, flags && el('span', { class: 'aside' }, ` ${flags}`));
}

const FORKS = [
  { title: 'Key', head: true, cell: ({ truth: { key } }) =>
    el('a', { href: `#${new URLSearchParams({ sku: key.sku, location: key.location })}` }, `${key.sku} @ ${key.location}`) },
  { title: 'There is', unit: 'available', number: true, cell: ({ truth: { counts } }) => count(counts?.available ?? 0) },
  { title: 'Cohorts see', cell: ({ cohorts }) => cohorts.map(seen) },
];

export const forksView = ({ forks }) => (forks.length > 0
  ? table(FORKS, forks, { class: 'forks' })
  : el('p', { class: 'none' }, 'None: of what was lately asked for, all cohorts see the same.'));
