// Filters as chips: each opens a choice of values, and writes `key:value` into the search box.

import { get, thumbnail } from './api.js';
import { $, icon, make, openUnder } from './dom.js';
import { filters, nameOf, picture, withFilter, without } from './query.js';
import { isKnown, number, say } from './words.js';

let page;
let facets = null;
/** The kind whose values are shown. */
let shown = null;

/** `page` has `state` and `go(changes)`. */
export function start(the_page) {
  page = the_page;
  $('popover').addEventListener('toggle', event => {
    if (event.newState === 'closed') {
      for (const chip of $('chips').children) chip.removeAttribute('aria-expanded');
    }
  });
}

/** Forgets the values, as after indexing. */
export function forget() {
  facets = null;
}

const KINDS = ['date', 'in', 'camera', 'place', 'type', 'orientation', 'tag', 'min', 'more'];

/** Draws the chips of the present search. */
export function draw() {
  const { state } = page;
  const active = filters(state.q);
  const chips = active.map(({ text }) =>
    chosen(text, () => page.go({ q: without(state.q, text) })));
  if (state.min) {
    chips.push(chosen(least(state.min), () => page.go({ min: '' })));
  }
  const choices = KINDS.map(kind => {
    const chip = make('button', { type: 'button', class: 'chip', 'aria-haspopup': 'dialog',
      onclick: () => open(kind, chip).catch(page.fail) }, say(`f.${kind}`), icon('down'));
    return chip;
  });
  $('chips').replaceChildren(...chips, ...choices);
  drawParts();
}

/** A confidence from which hits are listed. */
const least = min => isKnown(`m.${min}`) ? say(`m.${min}`) : `${say('f.min')} ≥ ${min}`;

function chosen(text, onclick) {
  const label = say('remove', { name: text });
  return make('button', { type: 'button', class: 'chip on', onclick, 'aria-label': label,
    title: label }, text, icon('close'));
}

/** Pictures that are part of the query, in the search box. */
function drawParts() {
  const { state } = page;
  const part = (url, label, isMinus, remove) => make('button', { type: 'button',
    class: isMinus ? 'part minus' : 'part', 'aria-label': say('remove', { name: label }),
    title: say('remove', { name: label }), onclick: remove },
  make('img', { src: url, alt: '' }), icon(isMinus ? 'minus' : 'close'));
  const parts = [];
  const kept = picture(state.picture);
  if (kept) {
    parts.push(part(kept.url, say('your_picture'), false, () => page.go({ picture: '' })));
    parts.push(make('button', { type: 'button', class: 'chip', id: 'picture-captions',
      onclick: () => page.captionsOf(kept) }, say('captions')));
  }
  for (const [key, isMinus] of [['like', false], ['unlike', true]]) {
    for (const id of state[key]) {
      const label = say(key, { name: `№ ${id}` });
      const remove = () => page.go({ [key]: state[key].filter(one => one !== id) });
      parts.push(part(thumbnail(id, 320), label, isMinus, remove));
    }
  }
  $('parts').replaceChildren(...parts);
}

const valueOf = entry => String(entry.name ?? entry.path ?? entry.year ?? entry.tag);

/** A folder by its last two names. */
const short = (kind, value) => kind === 'in' ? nameOf(value, 2) : value;

async function valuesOf(kind) {
  facets ??= get('/v1/facets').catch(error => { facets = null; throw error; });
  const known = await facets;
  if (kind === 'tag') return (await get('/v1/tags')).tags;
  return known[{ date: 'years', in: 'folders', camera: 'cameras', type: 'types' }[kind]] ?? [];
}

async function open(kind, chip) {
  const box = $('popover');
  box.hidePopover();
  box.setAttribute('aria-label', say(`f.${kind}`));
  box.replaceChildren(make('p', {}, say('loading')));
  chip.setAttribute('aria-expanded', 'true');
  openUnder(box, chip);
  shown = kind;
  const values = await contents(kind).catch(error => [make('p', {}, error.message)]);
  if (shown !== kind || !box.matches(':popover-open')) return;
  box.replaceChildren(...values);
  openUnder(box, chip);
  box.querySelector('input, button')?.focus();
}

/** A line of a popover; with a count where there is one. */
function line(text, isOn, onclick, count) {
  return make('button', { type: 'button', 'aria-pressed': String(isOn), onclick: () => {
    $('popover').hidePopover();
    onclick();
  } }, make('span', {}, text), count === undefined ? null : make('small', {}, number(count)));
}

function choice(key, value, text, count) {
  const { q } = page.state;
  const on = filters(q).find(one => one.key === key && one.value === value);
  return line(text, Boolean(on),
    () => page.go({ q: on ? without(q, on.text) : withFilter(q, key, value) }), count);
}

/** A form of fields that each write a filter: `[key, type, label, placeholder]`. */
function form(fields) {
  const inputs = fields.map(([key, type, label, hint]) => {
    const present = filters(page.state.q).find(one => one.key === key && !one.isNegated);
    const input = make('input', { type, placeholder: hint, value: present?.value ?? '',
      min: type === 'number' ? 1 : null });
    return { key, input, present, element: make('label', {}, make('span', {}, label), input) };
  });
  const submit = event => {
    event.preventDefault();
    let { q } = page.state;
    for (const { key, input, present } of inputs) {
      if (present) q = without(q, present.text);
      if (input.value.trim()) q = withFilter(q, key, input.value.trim());
    }
    $('popover').hidePopover();
    page.go({ q });
  };
  return make('form', { onsubmit: submit }, ...inputs.map(({ element }) => element),
    make('button', { class: 'primary' }, say('apply')));
}

async function contents(kind) {
  const { min } = page.state;
  switch (kind) {
    case 'place':
      return [form([['place', 'text', say('place'), say('place_hint')],
        ['near', 'text', say('near'), say('near_hint')]])];
    case 'orientation':
      return ['landscape', 'portrait', 'square'].map(value => choice(kind, value, say(value)));
    case 'min':
      return ['', '0.05', '0.27', '0.73'].map(value =>
        line(say(value ? `m.${value}` : 'any'), value === min, () => page.go({ min: value })));
    case 'more':
      return [choice('has', 'caption', say('captioned')), choice('is', 'duplicate', say('copied')),
        form([['min-size', 'number', say('size_hint'), '1000']])];
    default: {
      const values = await valuesOf(kind);
      const lines = values.map(one =>
        choice(kind, valueOf(one), short(kind, valueOf(one)), one.count));
      if (!lines.length && kind !== 'date') return [make('p', {}, say('no_values'))];
      if (kind !== 'date') return [...sieve(lines), make('div', {}, ...lines)];
      return [form([['after', 'date', say('from_day')], ['before', 'date', say('to_day')]]),
        make('div', {}, ...lines)];
    }
  }
}

/** A field that leaves only the lines with what is typed; for long lists. */
function sieve(lines) {
  if (lines.length < 12) return [];
  const input = make('input', { type: 'search', placeholder: say('submit'),
    'aria-label': say('submit'), oninput: () => {
    const wanted = input.value.toLowerCase();
    for (const one of lines) one.hidden = !one.textContent.toLowerCase().includes(wanted);
  } });
  return [input];
}
