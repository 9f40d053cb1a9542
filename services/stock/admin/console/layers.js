// ListLayers: what each layer gains against what it costs.

import { switchButton } from './changes.js';
import { el, table } from './dom.js';
import { NONE, count, duration, instant, plain, seconds, share } from './format.js';

function power({ setting, up }) {
  if (!setting.enabled) {
    const { actor, reason, time } = setting.switched ?? {};
    const why = [actor && `by ${actor}`, time && `at ${instant(time)}`, reason && `: ${reason}`].filter(Boolean).join(' ');
    return [el('span', { class: 'badge behind' }, 'off'), why && el('span', { class: 'aside' }, ` ${why}`), switchButton(setting)];
  }
  return [el('span', { class: `badge ${up ? 'good' : 'lie'}` }, up ? 'up' : 'down'), switchButton(setting)];
}

const flagged = (number, kind) => (Number(number) > 0 ? el('span', { class: `badge ${kind}` }, count(number)) : '0');

// Consistency in nines, for a window of so many seconds.
function nines({ costs }, window) {
  const value = costs.nines.find((each) => seconds(each.window) === window)?.nines;
  return value === undefined ? NONE : value.toFixed(1);
}

const LAYERS = [
  { title: 'Layer', head: true, cell: ({ setting }) => plain(setting.layer) },
  { title: 'State', cell: power },
  { title: 'Answers', number: true, group: true, cell: ({ gains }) => share(gains.answer_share) },
  { title: 'Hits', number: true, cell: ({ gains }) => share(gains.hit_ratio) },
  { title: 'Read', unit: 'median', number: true, cell: ({ gains }) => duration(gains.read_time_p50) },
  { title: 'Time saved', unit: 'of callers', number: true, cell: ({ gains }) => duration(gains.latency_saved) },
  { title: 'Reads saved', unit: 'of databases', number: true, cell: ({ gains }) => count(gains.database_reads_saved) },
  { title: 'Age', unit: 'p50 / p99', number: true, group: true, cell: ({ costs }) => `${duration(costs.age_p50)} / ${duration(costs.age_p99)}` },
  { title: 'Nines', unit: '0 s / 10 s / 5 min', number: true, cell: (layer) => [0, 10, 300].map((window) => nines(layer, window)).join(' / ') },
  { title: 'Off now', unit: 'keys', number: true, cell: ({ costs }) => flagged(costs.divergent_keys, 'behind') },
  { title: 'Incidents', unit: 'open', number: true, cell: ({ costs }) => flagged(costs.open_incidents, 'lie') },
  { title: 'Incident rate', unit: 'per million answers', number: true, cell: ({ costs }) => count(costs.incidents_per_million_answers) },
  { title: 'Harm', unit: 'unit-seconds', number: true, cell: ({ costs }) => count(costs.unit_seconds) },
];

export const layersView = ({ layers }) => table(LAYERS, layers);
