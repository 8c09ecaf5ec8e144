// Groups of photos that show the same, for review.

import { get, thumbnail } from './api.js';
import { icon, make } from './dom.js';
import { nameOf } from './query.js';
import * as selection from './selection.js';
import { bytes, day, say } from './words.js';

/** Groups that are drawn at first, and each time the end comes near. */
const PORTION = 40;

/**
 * Draws the groups into `box`; a click on a photo calls `open(ids, place)`. Resolves to words about
 * them.
 */
export async function show(box, open) {
  box.replaceChildren(make('p', { class: 'hint waiting' }, say('searching_duplicates')));
  const { groups } = await get('/v1/duplicates');
  if (!groups.length) {
    box.replaceChildren(make('div', { class: 'none' }, icon('check'),
      make('h2', {}, say('no_duplicates')), make('p', {}, say('no_duplicates_hint'))));
    return [];
  }
  const total = groups.reduce((sum, group) => sum + group.bytes_of_others, 0);
  const othersOf = group => group.others.map(({ id }) => id).filter(id => id !== group.keep.id);
  const head = make('header', {},
    make('button', { type: 'button', class: 'primary',
      onclick: () => selection.add(groups.flatMap(othersOf)) }, say('select_every_copy')));
  const list = make('div', { class: 'groups' });
  const end = make('div');
  box.replaceChildren(head, list, end);
  let drawn = 0;
  const draw = () => {
    const next = groups.slice(drawn, drawn + PORTION);
    drawn += next.length;
    list.append(...next.map(group => card(group, othersOf(group), open)));
    if (drawn >= groups.length) watch.disconnect();
  };
  const watch = new IntersectionObserver(entries => {
    if (entries.some(entry => entry.isIntersecting)) draw();
  }, { rootMargin: '800px' });
  watch.observe(end);
  const key = groups.length === 1 ? 'group' : 'groups';
  return [say(key, { n: groups.length, size: bytes(total) })];
}

function card(group, others, open) {
  const files = [group.keep, ...group.others];
  const ids = files.map(({ id }) => id);
  const photos = files.map((one, at) => make('figure', { class: at ? '' : 'keep' },
    make('button', { type: 'button', 'aria-label': nameOf(one.path),
      onclick: () => open(ids, at) },
    make('img', { src: thumbnail(one.id, 320), alt: '', loading: 'lazy' })),
    make('figcaption', {},
      make('b', {}, say(at ? 'extra' : 'keep')), ` ${nameOf(one.path)}`,
      make('small', {}, [`${one.width} × ${one.height}`, bytes(one.bytes),
        one.taken ? day(one.taken) : ''].filter(Boolean).join(' · ')))));
  return make('section', { class: 'group' },
    make('header', {},
      make('h3', {}, say(group.kind === 'exact' ? 'exact' : 'near_same')),
      make('small', {}, say('reason', { reason: group.reason })),
      others.length ? make('button', { type: 'button', class: 'link',
        onclick: () => selection.add(others) }, say('select_others')) : null),
    make('div', { class: 'photos' }, ...photos));
}
