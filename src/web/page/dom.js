// Small helpers for elements.

import { say, shown } from './words.js';

/** The element with this id. */
export const $ = id => document.getElementById(id);

/** Attributes that people read or hear. */
const SAID = ['alt', 'aria-label', 'placeholder', 'title'];

/** A new element: `make('button', { class: 'x', onclick }, child, 'text')`. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, SAID.includes(name) ? shown(value) : value);
    }
  }
  const isThere = child => child !== null && child !== undefined;
  element.append(...children.filter(isThere)
    .map(child => typeof child === 'string' ? shown(child) : child));
  return element;
}

const SVG = 'http://www.w3.org/2000/svg';

/** One of the icons of the document. */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS(SVG, 'use');
  use.setAttribute('href', `#i-${name}`);
  svg.append(use);
  return svg;
}

/** A text with `code` between backquotes set as code. */
export function coded(text) {
  const pieces = text.split('`');
  return pieces.map((piece, at) => at % 2 ? make('code', {}, piece) : shown(piece));
}

let timer;

/** Puts what is said where it is seen and heard: a modal dialog makes all that is outside inert. */
function raiseToast() {
  const top = [...document.querySelectorAll('dialog:modal')].at(-1) ?? document.body;
  if ($('toast').parentElement !== top) top.append($('toast'));
}

document.addEventListener('close', raiseToast, { capture: true });

/** Says something for a few seconds, to screen readers too. */
export function toast(text) {
  const box = $('toast');
  raiseToast();
  box.textContent = shown(text);
  box.hidden = false;
  clearTimeout(timer);
  timer = setTimeout(() => { box.hidden = true; }, 4000);
}

/** Says what went wrong. */
export const complain = error => {
  if (error.name !== 'AbortError') toast(`${say('failed')}: ${error.message}`);
};

/** Opens a popover under the element that it belongs to, within the window. */
export function openUnder(popover, anchor) {
  popover.showPopover();
  const at = anchor.getBoundingClientRect();
  const left = Math.min(at.left, innerWidth - popover.offsetWidth - 8);
  popover.style.left = `${Math.max(8, left)}px`;
  popover.style.top = `${at.bottom + 6}px`;
  popover.style.maxHeight = `${innerHeight - at.bottom - 20}px`;
}

/** Shows a sheet with a title. */
export function sheet(title, ...contents) {
  $('sheet-title').textContent = title;
  $('sheet-body').replaceChildren(...contents);
  if (!$('sheet').open) $('sheet').showModal();
}

/** Offers a blob to the user as a file. */
export function download(blob, name) {
  const link = make('a', { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Puts a text on the clipboard, also where the page is not a secure context. */
export async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = make('textarea', { class: 'unseen' });
  field.value = text;
  (document.querySelector('dialog[open]') ?? document.body).append(field);
  field.select();
  document.execCommand('copy');
  field.remove();
}
