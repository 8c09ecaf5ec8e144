// What is known about a photo, and why it was found, beside it.

import { file, get } from './api.js';
import { complain, copy, icon, make, toast } from './dom.js';
import { NOTHING, folderOf, nameOf, withFilter } from './query.js';
import { bytes, day, isKnown, say, shownPath } from './words.js';

const fact = (name, ...values) =>
  [make('dt', {}, say(name)), make('dd', {}, ...values)];

/** A value that searches for its like when it is clicked. */
const filter = (page, key, value) => make('button', { type: 'button', class: 'link',
  onclick: () => page.go({ ...NOTHING, q: withFilter('', key, value) }) }, value);

/** Whether the server is on this machine, as it is without `--bind`. */
const isLocal = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(location.hostname);

/** Fills the panel. */
export function drawDetails(panel, item, hit, page) {
  const facts = [];
  if (item.taken) facts.push(...fact('taken', day(item.taken, true)));
  if (item.camera) facts.push(...fact('camera', filter(page, 'camera', item.camera)));
  facts.push(...fact('size', `${item.width} × ${item.height}`));
  if (item.places.length) {
    const names = item.places.flatMap(name => [filter(page, 'place', name), ', ']);
    facts.push(...fact('place', ...names.slice(0, -1)));
  }
  if (item.position) facts.push(...fact('position', position(item.position)));
  for (const key of ['tags', 'keywords']) {
    if (!item[key].length) continue;
    const chips = item[key].map(tag => key === 'tags' ? filter(page, 'tag', tag)
      : make('span', {}, tag));
    facts.push(make('dt', {}, say(key)), make('dd', { class: 'tags' }, ...chips));
  }
  const found = hit.confidence === null || hit.confidence === undefined ? null
    : make('p', { class: `strength ${hit.strength}` }, say(hit.strength), ' ',
      make('small', {}, `${Math.round(hit.confidence * 100)} %`));
  panel.replaceChildren(
    make('h2', {}, nameOf(item.path)),
    ...(found ? [found] : []),
    captions(item),
    make('dl', {}, ...facts),
    files(item, page),
  );
}

function position({ latitude, longitude }) {
  const text = `${latitude.toFixed(5)}, ${longitude.toFixed(5)}`;
  const href = `https://www.openstreetmap.org/?mlat=${latitude}&mlon=${longitude}`
    + `#map=14/${latitude}/${longitude}`;
  return make('a', { href, target: '_blank', rel: 'noreferrer noopener' }, text);
}

function captions(item) {
  const list = make('ul', { class: 'captions' });
  const draw = (entries, source) => {
    for (const entry of entries) list.append(make('li', {}, entry.text,
      make('small', {}, source(entry))));
  };
  draw(item.captions, ({ source }) => nameOf(source?.path ?? ''));
  const more = make('button', { type: 'button', class: 'link', onclick: async () => {
    more.disabled = true;
    try {
      const { hits } = await get('/v1/captions', { id: item.id, limit: 8 });
      const head = make('h3', { tabindex: -1 }, say('fitting'));
      more.replaceWith(head, make('ul', { class: 'captions' }, ...hits.map(captionLine)));
      head.focus();
    } catch (error) {
      more.disabled = false;
      complain(error);
    }
  } }, say('fitting_get'));
  if (!item.captions.length) list.append(make('li', { class: 'none' }, say('no_captions')));
  return make('section', {}, make('h3', {}, say('captions')), list, more);
}

/** A caption that fits a picture, with how well. */
export function captionLine(hit) {
  const rated = hit.strength ? `${say(hit.strength)}` : '';
  const from = hit.from === 'bank' ? say('bank') : nameOf(hit.source?.path ?? '');
  return make('li', {}, hit.text, make('small', { class: `strength ${hit.strength}` },
    [rated, from].filter(Boolean).join(' · ')));
}

function files(item, page) {
  const entry = (path, label = say('copy_path')) => make('li', {},
    make('code', {}, shownPath(path)),
    make('button', { type: 'button', class: 'icon small', 'aria-label': label, title: label,
      onclick: () => copy(path).then(() => toast(say('copied_path')), complain) }, icon('copy')));
  const folder = folderOf(item.path);
  return make('section', {}, make('h3', {}, say('file')),
    make('ul', { class: 'files' }, entry(item.path),
      ...item.other_paths.map(({ path }) => entry(path))),
    make('p', { class: 'links' },
      make('a', { href: file(item.id), target: '_blank' }, say('original'), ' ', icon('file')),
      item.bytes ? make('small', {}, bytes(item.bytes)) : null),
    make('h3', {}, say('f.in')),
    // On another machine, the folder of the server is of no help.
    isLocal ? make('ul', { class: 'files' }, entry(folder, say('copy_folder'))) : null,
    make('p', { class: 'links' }, make('button', { type: 'button', class: 'link',
      onclick: () => page.go({ ...NOTHING, q: withFilter('', 'in', folder) }) },
    say('in_folder'))));
}

/**
 * Shows why a photo matches: `answer` is an explanation, an error, `loading`, or `null` where the
 * words have to be asked for first. `ask(words)` explains with other words.
 */
export function drawWhy(panel, hit, q, answer, ask) {
  panel.querySelector('.why')?.remove();
  const input = make('input', { type: 'text', value: q, 'aria-label': say('why_hint'),
    placeholder: say('why_hint') });
  const form = make('form', { onsubmit: event => {
    event.preventDefault();
    if (input.value.trim()) ask(input.value.trim());
  } }, input, make('button', { class: 'primary' }, say('explain')));
  const parts = [make('h3', {}, say('why')), form];
  if (answer === 'loading') parts.push(make('p', { class: 'waiting' }, say('loading')));
  else if (answer instanceof Error) parts.push(make('p', {}, answer.message));
  else if (answer) parts.push(...explained(answer));
  if (hit.words?.length) {
    parts.push(make('h3', {}, say('why_found')),
      make('p', { class: 'tags' }, ...hit.words.map(word => make('span', {}, word))));
  }
  if (hit.by?.length) {
    const ways = hit.by.map(way => isKnown(`by.${way}`) ? say(`by.${way}`) : way);
    parts.push(make('p', {}, `${say('why_found_by')}: ${ways.join(', ')}`));
  }
  panel.prepend(make('section', { class: 'why' }, ...parts));
  if (!q) input.focus();
  panel.scrollTop = 0;
}

function explained({ words, strength, confidence, seen }) {
  const most = Math.max(...words.map(({ support }) => Math.abs(support)), 1e-9);
  const bars = words.map(({ word, support }) => {
    const meter = make('meter', { min: 0, max: 1, value: Math.max(0, support) / most,
      'aria-label': word });
    return make('li', {}, make('span', {}, word), meter);
  });
  const rated = strength ? say('why_content', { strength: say(strength).toLowerCase(),
    n: Math.round(confidence * 100) }) : '';
  const isCut = seen.left > 0 || seen.top > 0 || seen.right < 1 || seen.bottom < 1;
  return [make('p', {}, rated),
    make('p', { class: 'hint' }, say('why_map'), isCut ? ` ${say('why_cut')}` : ''),
    ...(bars.length ? [make('h3', {}, say('why_words')),
      make('ul', { class: 'bars' }, ...bars)] : [])];
}
