// What the page can change where the process takes that from it: a button, a form that asks who and why, and what came of it.

import { change, mayChange } from './api.js';
import { byId, el } from './dom.js';
import { plain } from './format.js';

// So that nobody has to say it twice; gone with the page.
let actor = '';

const field = (label, attributes) => {
  const input = el('input', { required: true, maxlength: 120, autocomplete: 'off', ...attributes });
  return [el('label', { for: attributes.id }, label), input];
};

const choice = ({ value, label }, i) => el('label', { class: 'choice' },
  el('input', { type: 'radio', name: 'choice', value, checked: i === 0 }), label);

// Asks, does it by `act({ actor, reason, choice })`, and tells the rest of the page, or why not.
function openForm({ title, text, choices = [], verb, act }) {
  const problem = el('p', { class: 'problem', role: 'alert' });
  const submit = async (event) => {
    event.preventDefault();
    const given = Object.fromEntries(new FormData(event.target));
    actor = given.actor;
    const buttons = event.target.querySelectorAll('button');
    buttons.forEach((button) => { button.disabled = true; });
    try {
      await act(given);
      dialog.close();
      document.dispatchEvent(new CustomEvent('changed'));
    } catch (error) {
      problem.textContent = error.message;
      buttons.forEach((button) => { button.disabled = false; });
    }
  };
  const dialog = el('dialog', { 'aria-labelledby': 'change-title', close: () => dialog.remove() },
    el('form', { submit },
      el('h2', { id: 'change-title' }, title),
      el('p', { class: 'hint' }, text),
      choices.length > 0 && el('div', { class: 'choices' }, choices.map(choice)),
      field('Who', { id: 'change-actor', name: 'actor', value: actor }),
      field('Why', { id: 'change-reason', name: 'reason' }),
      problem,
      el('p', { class: 'buttons' },
        el('button', { type: 'button', click: () => dialog.close() }, 'Cancel'),
        el('button', { class: 'go' }, verb))));
  document.body.append(dialog);
  dialog.showModal();
  byId(actor ? 'change-reason' : 'change-actor').focus();
}

const opener = (label, what, form) =>
  mayChange() && el('button', { type: 'button', class: 'act', 'aria-label': what, click: () => openForm(form) }, label);

export function switchButton({ layer, enabled }) {
  const name = plain(layer);
  if (name === 'primary') return undefined;
  const verb = enabled ? 'Disable' : 'Enable';
  return opener(`${verb} …`, `${verb} ${name}`, {
    title: `${verb} ${name}`,
    text: enabled
      ? 'Nobody is answered from it any more, in any instance, until somebody enables it; it is still audited.'
      : 'Reads ask it again, in every instance.',
    verb: `${verb} ${name}`,
    act: ({ actor: who, reason }) => change('UpdateLayer', { layer, enabled: !enabled, actor: who, reason }),
  });
}

export function repairButton(key, { witness }) {
  const what = `Repair the copy in ${witness}`;
  return opener('Repair …', what, {
    title: what,
    text: `${key.sku} @ ${key.location}${witness === 'memory' ? ', in this instance' : ''}. The ledger is not touched, and what the copy said stays on record.`,
    choices: [
      { value: 'REPAIR_ACTION_REFRESH', label: 'Replace it by what the primary says' },
      { value: 'REPAIR_ACTION_DROP', label: 'Remove it' },
    ],
    verb: 'Repair',
    act: ({ actor: who, reason, choice: action }) =>
      change('RepairStockLevel', { key, layer: `LAYER_${witness.toUpperCase()}`, action, actor: who, reason }),
  });
}
