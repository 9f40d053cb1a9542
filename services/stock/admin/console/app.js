// The page: what is asked when, where it goes, and what is said when no answer comes.

import { ask, hasFlags } from './api.js';
import { byId, el } from './dom.js';
import { explanationView } from './explain.js';
import { forksView } from './forks.js';
import { instant, span } from './format.js';
import { incidentsView } from './incidents.js';
import { layersView } from './layers.js';

const REFRESH_MS = 2000;
const OPEN_SHOWN = 100;
const RECENT_SHOWN = 20;

let paused = false;
let heard; // when the last answer came, ms
const held = new Map(); // of when it is, ms, by the place that was not replaced since
let problem; // why none does

// ---- What is refreshed

const clock = (ms) => `${instant(new Date(ms).toISOString())} UTC`;

function tell() {
  const pulse = byId('pulse');
  pulse.classList.toggle('lost', problem !== undefined && !paused);
  const since = heard && `what is shown is of ${clock(heard)}`;
  const still = held.size > 0 && `what is marked or in use is held since ${clock(Math.min(...held.values()))}`;
  const state = paused ? 'Paused' : problem && `No answer: ${problem}`;
  pulse.textContent = (state ? [state, since] : ['Live', still]).filter(Boolean).join('; ');
}

// Replaces what is shown, unless somebody is in it with the keyboard or has marked some of it.
function show(id, view) {
  const place = byId(id);
  const marked = getSelection();
  if (place.contains(document.activeElement) || (!marked.isCollapsed && marked.containsNode(place, true))) {
    if (!held.has(id)) held.set(id, heard ?? Date.now());
    return;
  }
  held.delete(id);
  place.replaceChildren(view);
}

// What was unfolded stays so.
function showIncidents(open, recent) {
  const view = incidentsView(open, recent, Date.now());
  const unfolded = byId('incidents').querySelector('details')?.open;
  if (unfolded) view.querySelector('details')?.setAttribute('open', '');
  show('incidents', view);
  byId('open').textContent = open.length > 0 ? `${open.length}${open.length === OPEN_SHOWN ? ' or more' : ''} open` : '';
}

async function refresh() {
  try {
    const layers = await ask('ListLayers');
    byId('instance').textContent = `${layers.instance}, counting for ${span(Number(layers.observed.slice(0, -1)))}`;
    show('layers', layersView(layers));
    const open = await ask('ListIncidents', { open: 'true', page_size: OPEN_SHOWN });
    const recent = await ask('ListIncidents', { page_size: RECENT_SHOWN });
    showIncidents(open.incidents, recent.incidents);
    byId('forks-section').hidden = !hasFlags();
    if (hasFlags()) show('forks', forksView(await ask('ListForks')));
    heard = Date.now();
    problem = undefined;
  } catch (error) {
    problem = error.message;
  }
  tell();
}

// One after the other, and only while somebody can see it.
async function keepFresh() {
  if (!paused && document.visibilityState === 'visible') await refresh();
  setTimeout(keepFresh, REFRESH_MS);
}

// ---- What is searched: in the address, so that it can be sent to somebody

let explained; // the last answer, and when it was asked for, ms
let asked = 0; // a slow answer to an older question is not shown

function draw() {
  const place = byId('explanation');
  place.replaceChildren(
    el('p', { class: 'hint' }, `As of ${clock(explained.at)}, when it was asked.`),
    explanationView(explained.answer, Math.max(280, place.clientWidth)));
}

async function explainAddress() {
  const fields = Object.fromEntries([...new URLSearchParams(location.hash.slice(1))].filter(([name]) => name === 'sku' || name === 'location'));
  const section = byId('explain');
  section.hidden = !fields.sku;
  explained = undefined;
  if (!fields.sku) return;
  byId('sku').value = fields.sku;
  byId('location').value = fields.location ?? '';
  const number = ++asked;
  const at = Date.now();
  byId('explanation').replaceChildren(el('p', { class: 'none' }, 'Asking every witness …'));
  section.focus({ preventScroll: true });
  try {
    const answer = await ask('ExplainStockLevel', { ...fields, movements: '20' });
    if (number !== asked) return;
    explained = { answer, at };
    draw();
  } catch (error) {
    if (number === asked) byId('explanation').replaceChildren(el('p', { class: 'problem', role: 'alert' }, error.message));
  }
}

// Also when it is what is shown already: then it is asked once more.
function explain(sku, place) {
  const hash = `#${new URLSearchParams(place ? { sku, location: place } : { sku })}`;
  if (location.hash === hash) explainAddress();
  else location.hash = hash;
}

// ---- What people do

byId('search').addEventListener('submit', (event) => {
  event.preventDefault();
  explain(byId('sku').value, byId('location').value);
});
byId('pause').addEventListener('click', ({ target }) => {
  paused = !paused;
  target.setAttribute('aria-pressed', String(paused));
  target.textContent = paused ? 'Go on' : 'Pause';
  tell();
});
document.addEventListener('keydown', (event) => {
  if (event.key !== '/' || event.target instanceof HTMLInputElement) return;
  event.preventDefault();
  byId('sku').focus();
});
addEventListener('hashchange', explainAddress);
// By a form of this page: shown at once, also where the button was that opened it.
document.addEventListener('changed', () => {
  document.activeElement?.blur();
  refresh();
  explainAddress();
});
// Pictures are drawn for the width that there is.
let width;
new ResizeObserver(([{ contentRect }]) => {
  if (explained && contentRect.width !== width) draw();
  width = contentRect.width;
}).observe(byId('explanation'));

explainAddress();
keepFresh();
