// One photo, as large as the window, with what is known about it.

import { file, get, thumbnail } from './api.js';
import { drawDetails, drawWhy } from './details.js';
import { $, complain, copy, toast } from './dom.js';
import * as selection from './selection.js';
import { NOTHING, titleOf, withoutFilters } from './query.js';
import { number, say } from './words.js';
import { paintHeat } from './heat.js';
import { zoomable } from './zoom.js';

/** Formats that browsers show, so that the file itself can be zoomed into. */
const SHOWN = /\.(jpe?g|jfif|png|webp|gif|avif|bmp)$/i;

let page;
let zoom;

/** What is shown: `photos` has `length` and `get(place)`, which promises a hit. */
let photos = null;
let place = 0;
let hit = null;
let item = null;
let hasDetails = false;
let hasWhy = false;
let turn = 0;

/** `page` has `state`, `go(changes)`, `moved(id)` and `closed(place)`. */
export function start(the_page) {
  page = the_page;
  const viewer = $('viewer');
  const on = (id, action) => { $(id).onclick = action; };
  on('v-close', () => viewer.close());
  on('v-previous', () => move(-1));
  on('v-next', () => move(1));
  on('v-info', () => toggleDetails());
  on('v-why', () => toggleWhy());
  on('v-like', moreLike);
  on('v-plus', () => add('like'));
  on('v-minus', () => add('unlike'));
  on('v-select', () => {
    if (!selection.selected.delete(hit.id)) selection.selected.add(hit.id);
    selection.draw();
    drawState();
  });
  viewer.addEventListener('close', () => {
    turn += 1;
    $('photo').removeAttribute('src');
    page.closed(photos?.isResults ? place : null);
  });
  // Wherever the focus is: a button that was replaced leaves it nowhere.
  addEventListener('keydown', event => {
    if (viewer.open && !$('sheet').open) keyed(event);
  });
  zoom = zoomable($('stage'), $('frame'), {
    onswipe: move,
    onclose: () => viewer.close(),
    onzoom: sharpen,
  });
  $('frame').dataset.broken = say('unreadable');
  $('photo').onload = () => $('photo').classList.add('ready');
  $('photo').onerror = () => {
    if ($('photo').getAttribute('src')) $('viewer').classList.add('broken');
  };
  new ResizeObserver(fit).observe($('stage'));
}

export const isOpen = () => $('viewer').open;

/** Opens the viewer; `withDetails` shows what is known, too. */
export async function open(the_photos, at, withDetails = hasDetails) {
  photos = the_photos;
  hasDetails = withDetails;
  if (!$('viewer').open) $('viewer').showModal();
  await show(at);
}

/** Goes on in a newer list: its length, and the place of the photo in it, or -1. */
export function follow(length, at) {
  if (!$('viewer').open || !photos.isResults) return;
  photos.length = length;
  if (at >= 0) place = at;
  else place = Math.min(place, length - 1);
  drawState();
}

/** Closes it, without another step in the history. */
export function close() {
  if ($('viewer').open) $('viewer').close();
}

const move = by => show(place + by).catch(complain);

async function show(at) {
  if (at < 0 || at >= photos.length) return;
  turn += 1;
  const mine = turn;
  place = at;
  const next = await photos.get(at).catch(error => {
    // One that was only just opened has nothing else to show.
    if (mine === turn && !$('photo').getAttribute('src')) close();
    throw error;
  });
  if (mine !== turn || !next) return;
  hit = next;
  item = null;
  zoom.reset();
  hasWhy = false;
  $('viewer').classList.remove('broken');
  $('heat').hidden = true;
  const photo = $('photo');
  photo.classList.remove('ready');
  photo.alt = titleOf(hit);
  $('photo-small').src = thumbnail(hit.id, 320);
  photo.src = thumbnail(hit.id, 1600);
  photo.dataset.id = hit.id;
  fit();
  drawState();
  page.moved(hit.id, place);
  await known(mine);
  for (const near of [at + 1, at - 1]) {
    if (near < 0 || near >= photos.length) continue;
    const other = await photos.get(near).catch(() => null);
    if (mine !== turn) return;
    if (other) new Image().src = thumbnail(other.id, 1600);
  }
}

/** Fetches what is known about the photo. */
async function known(mine) {
  const details = $('details');
  if (hasDetails) details.replaceChildren();
  const answer = await get(`/v1/items/${hit.id}`);
  if (mine !== turn) return;
  item = answer;
  $('photo').alt = titleOf({ ...item, caption: hit.caption });
  drawDetails(details, item, hit, page);
}

/** Gives the photo its size: as large as the stage, but no more than twice its own. */
function fit() {
  if (!hit) return;
  const stage = $('stage');
  const most = Math.min(stage.clientWidth / hit.width, stage.clientHeight / hit.height, 2);
  const { style } = $('frame');
  style.width = `${hit.width * most}px`;
  style.height = `${hit.height * most}px`;
  style.left = `${(stage.clientWidth - hit.width * most) / 2}px`;
  style.top = `${(stage.clientHeight - hit.height * most) / 2}px`;
}

/** Loads the file itself, when more of it can be seen than a thumbnail has. */
function sharpen() {
  const shown = hit;
  const isLarger = Math.max(hit.width, hit.height) > 1600;
  if (!isLarger || !SHOWN.test(hit.path) || $('photo').src.endsWith('/file')) return;
  const whole = new Image();
  whole.onload = () => { if (shown === hit) $('photo').src = whole.src; };
  whole.src = file(hit.id);
}

function drawState() {
  const isNarrow = innerWidth < 700;
  $('details').hidden = !hasDetails;
  $('viewer').classList.toggle('with-details', hasDetails);
  $('v-info').setAttribute('aria-pressed', String(hasDetails));
  $('v-why').setAttribute('aria-pressed', String(hasWhy));
  $('v-select').setAttribute('aria-pressed', String(selection.selected.has(hit?.id)));
  const n = photos.length;
  $('v-place').textContent = n > 1 ? say('of', { n: place + 1, total: number(n) }) : '';
  $('v-previous').hidden = place === 0 || isNarrow;
  $('v-next').hidden = place >= n - 1 || isNarrow;
}

function toggleDetails(isOn = !hasDetails) {
  hasDetails = isOn;
  drawState();
}

/** Shows which parts of the photo match which words, or hides it. */
async function toggleWhy(words) {
  if (hasWhy && words === undefined) {
    hasWhy = false;
    $('heat').hidden = true;
    document.querySelector('#details .why')?.remove();
    drawState();
    return;
  }
  hasWhy = true;
  toggleDetails(true);
  const mine = turn;
  const q = words ?? withoutFilters(page.state.q);
  const again = text => toggleWhy(text).catch(complain);
  drawWhy($('details'), hit, q, q ? 'loading' : null, again);
  if (!q) return;
  try {
    const answer = await get('/v1/explain', { id: hit.id, q });
    if (mine !== turn || !hasWhy) return;
    drawWhy($('details'), hit, q, answer, again);
    paintHeat($('heat'), answer);
  } catch (error) {
    if (mine === turn) drawWhy($('details'), hit, q, error, again);
  }
}

/** Searches for photos like this one. */
function moreLike() {
  page.go({ ...NOTHING, like: [hit.id] });
}

function add(key) {
  const other = key === 'like' ? 'unlike' : 'like';
  const { state } = page;
  page.go({
    [key]: [...state[key].filter(id => id !== hit.id), hit.id],
    [other]: state[other].filter(id => id !== hit.id),
    view: '',
  });
}

/** Copies the path of the photo. */
async function copyPath() {
  await copy((item ?? hit).path);
  toast(say('copied_path'));
}

function keyed(event) {
  if (event.target.matches('input') || event.ctrlKey || event.metaKey || event.altKey) return;
  const actions = {
    ArrowLeft: () => move(-1),
    ArrowRight: () => move(1),
    Home: () => show(0),
    End: () => show(photos.length - 1),
    PageUp: () => show(Math.max(0, place - 10)),
    PageDown: () => show(Math.min(photos.length - 1, place + 10)),
    i: () => toggleDetails(),
    w: () => toggleWhy(),
    s: moreLike,
    c: copyPath,
    '+': () => zoom.by(1.5),
    '=': () => zoom.by(1.5),
    '-': () => zoom.by(1 / 1.5),
    0: () => zoom.reset(),
  };
  const action = actions[event.key];
  if (!action) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  Promise.resolve(action()).catch(complain);
}
