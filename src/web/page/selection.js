// Photos that are selected, and what can be done with them.

import { get, post } from './api.js';
import { $, coded, complain, download, make, sheet, toast } from './dom.js';
import { say, shown } from './words.js';

let page;
let allowsCopy = false;

/** The ids of the selected photos. */
export const selected = new Set();

/** The place that a range begins at. */
let start_place = 0;

/** `page` has `grid` and `list`. */
export function start(the_page) {
  page = the_page;
  $('deselect').onclick = clear;
  $('select-all').onclick = () => selectAll().catch(complain);
  $('export-list').onclick = () => save('list').catch(complain);
  $('export-zip').onclick = () => save('zip').catch(complain);
  $('copy-to').onclick = askFolder;
  get('/v1/status').then(status => {
    allowsCopy = Boolean(status.allows_copy);
    draw();
  }).catch(() => {});
}

/** Selects or deselects the photo at a place. */
export function toggle(place) {
  const hit = page.grid.hits[place];
  if (!hit) return;
  if (selected.has(hit.id)) selected.delete(hit.id);
  else selected.add(hit.id);
  start_place = place;
  draw();
}

/** Selects everything from where the last selection was made to this place. */
export async function extendTo(place) {
  const [from, to] = [Math.min(start_place, place), Math.max(start_place, place) + 1];
  for (const hit of await page.grid.need(from, to)) if (hit) selected.add(hit.id);
  draw();
}

/** Where a range begins, when the keys begin to select. */
export function begin(place) {
  start_place = place;
}

/** Selects these photos too. */
export function add(ids) {
  for (const id of ids) selected.add(id);
  draw();
}

export function clear() {
  selected.clear();
  draw();
}

/** Selects all results, loading what was not in view yet. */
export async function selectAll() {
  const { list, grid } = page;
  if (!list) return;
  for (let from = 0; from < list.total; from += 1000) {
    const to = Math.min(list.total, from + 1000);
    const known = grid.hits.slice(from, to);
    const isKnown = known.length === to - from && !known.includes(undefined);
    const hits = isKnown ? known : await list.load(from, to);
    if (list !== page.list) return;
    for (const hit of hits) selected.add(hit.id);
    draw();
  }
}

/** Shows what is selected: on the tiles, and in the bar. */
export function draw() {
  for (const [place, tile] of page.grid.tiles()) {
    const hit = page.grid.hits[place];
    tile.setAttribute('aria-selected', String(Boolean(hit) && selected.has(hit.id)));
  }
  document.body.classList.toggle('selecting', selected.size > 0);
  $('selection').hidden = selected.size === 0;
  $('selected').textContent = say('selected', { n: selected.size });
  const total = page.list?.total ?? 0;
  $('select-all').hidden = selected.size >= total;
  $('select-all').textContent = say('select_all', { n: total });
  $('copy-to').hidden = !allowsCopy;
}

async function save(kind) {
  const ids = [...selected];
  if (kind === 'zip') toast(say('preparing', { n: ids.length }));
  const response = await post('/v1/export', { ids, as: kind });
  const header = response.headers.get('Content-Disposition') ?? '';
  const stated = header.match(/filename\*=UTF-8''([^;]+)/)?.[1];
  const usual = kind === 'zip' ? 'photos.zip' : 'photos.txt';
  download(await response.blob(), stated ? decodeURIComponent(stated) : usual);
}

/** Asks for a folder and copies what is selected into it. */
function askFolder() {
  const ids = [...selected];
  const input = make('input', { type: 'text', id: 'folder', placeholder: say('folder_hint'),
    autocomplete: 'off', spellcheck: 'false' });
  const wrong = make('p', { role: 'alert' });
  const button = make('button', { class: 'primary' }, say('copy'));
  const form = make('form', { onsubmit: async event => {
    event.preventDefault();
    button.disabled = true;
    wrong.textContent = '';
    try {
      const to = input.value.trim();
      const answer = await (await post('/v1/copy', { ids, to })).json();
      if (form.isConnected) $('sheet').close();
      toast(copied(answer));
    } catch (error) {
      wrong.textContent = error.status === 400 ? say('folder_wrong')
        : shown(error.message);
      button.disabled = false;
    }
  } }, make('label', { for: 'folder' }, say('folder')), input,
  make('p', { class: 'hint' }, ...coded(say('copy_to_ask'))), wrong,
  make('div', { class: 'buttons' }, button,
    make('button', { type: 'button', onclick: () => $('sheet').close() }, say('cancel'))));
  sheet(say('copy_photos', { n: ids.length }), form);
  input.focus();
}

function copied({ copied: n, already_there: nThere, skipped, folder }) {
  const words = [say('copied_to', { n, folder: folder.path })];
  if (nThere) words.push(say('there', { n: nThere }));
  if (skipped.length) words.push(say('skipped', { n: skipped.length }));
  return words.join(' · ');
}
