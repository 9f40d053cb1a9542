// Elements from values. Strings become text, never markup: nothing here or elsewhere parses HTML.

import { NONE } from './format.js';

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') node.addEventListener(name, value);
    else if (value !== undefined && value !== false) node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false));
  return node;
}

// el('td', { class: 'number' }, '42'); an attribute that is a function is a listener.
export const el = (tag, attributes = {}, ...children) =>
  fill(document.createElement(tag), attributes, children);

export const svg = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);

export const byId = (id) => document.getElementById(id);

// A table of columns { title, unit, cell(row), number, group, head }: where there is no room for it, cells stand under each
// other with their titles (console.css).
export function table(columns, rows, attributes = {}) {
  const kind = ({ number, group }) => [number && 'number', group && 'group'].filter(Boolean).join(' ') || undefined;
  return el('table', attributes,
    el('thead', {}, el('tr', {}, columns.map((column) =>
      el('th', { scope: 'col', class: kind(column) }, column.title, column.unit && el('span', { class: 'unit' }, column.unit))))),
    el('tbody', {}, rows.map((row) => el('tr', {}, columns.map((column) => {
      const content = column.cell(row);
      if (column.head) return el('th', { scope: 'row' }, content);
      const classes = [kind(column), column.class, content === NONE && 'empty'].filter(Boolean).join(' ') || undefined;
      return el('td', { class: classes, 'data-label': column.title }, el('span', {}, content));
    })))));
}
