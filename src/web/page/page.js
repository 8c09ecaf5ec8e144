// The page: its state, the search box and the list of results.

import { Problem, get, isThere, onLogin, open as openSession } from './api.js';
import * as chips from './chips.js';
import { $, coded, complain, icon, make, openUnder, sheet, toast } from './dom.js';
import { show as showDuplicates } from './duplicates.js';
import { Grid } from './grid.js';
import * as indexing from './indexing.js';
import { startKeys } from './keys.js';
import { show as showMap } from './map.js';
import { captionsOf, startPictures } from './pictures.js';
import {
  NOTHING, filters, fromAddress, isSameSearch, isSearch, picture, search, toAddress,
} from './query.js';
import * as selection from './selection.js';
import { makeTile } from './tiles.js';
import * as viewer from './viewer.js';
import { month, say, shown, translate } from './words.js';

/** What the other modules need to know and may ask for. */
const page = {
  state: null,
  list: null,
  grid: null,
  go,
  fail: complain,
  captionsOf,
  openViewer,
  moved,
  closed,
};

let asked = new AbortController();
/** Whether the viewer was opened by a step in the history, so that closing it goes back. */
let isStep = false;
let saving = 0;
/** The newest generation of the index, and the one that another view shows. */
let newest = 0;
let viewed = 0;

// ---- Address ----

/** Changes what is shown, with a step in the history. */
function go(changes) {
  const before = page.state;
  const after = { ...before, ...changes, at: 0, above: 0, open: null };
  if (!isSearch(after)) after.sort = '';
  if (viewer.isOpen()) {
    isStep = false;
    viewer.close();
  }
  remember();
  page.state = after;
  history.pushState(null, '', toAddress(after));
  draw(before);
}

/** Keeps the place in the list in the address. */
function remember() {
  clearTimeout(saving);
  const { grid, state } = page;
  if (state.view || !page.list) return;
  const at = grid.isAtTop ? 0 : grid.first;
  state.at = at;
  state.above = grid.above;
  history.replaceState({ ...history.state, above: state.above }, '', toAddress(state));
}

/** Takes over the address, after Back, Forward or a start. */
function arrive() {
  const before = page.state;
  page.state = readAddress();
  draw(before);
}

/** The state of the address; what has no meaning in it is named and taken out. */
function readAddress() {
  const { state, unknown } = fromAddress();
  if (unknown.length) {
    toast(say('unknown_in_address', { what: unknown.join(', ') }));
    history.replaceState(history.state, '', toAddress(state));
  }
  return { ...state, above: history.state?.above };
}

function draw(before) {
  const { state } = page;
  $('q').value = state.q;
  $('clear').hidden = !state.q && !isSearch(state);
  chips.draw();
  drawSort();
  document.title = state.q ? `${shown(state.q)} – Sightline` : 'Sightline';
  const isOther = !page.list || !isSameSearch(before, state) || before.view !== state.view;
  $('view').hidden = !state.view;
  document.body.classList.toggle('other-view', Boolean(state.view));
  if (state.view) return drawView();
  $('view').replaceChildren();
  if (isOther) find();
  else drawOpen();
}

function drawSort() {
  $('sort').hidden = !isSearch(page.state);
  for (const button of $('sort').children) {
    button.setAttribute('aria-pressed', String(button.value === page.state.sort));
  }
}

/** The confidence from which a hit is a likely one. */
const LIKELY = '0.27';

/** By date, all that was found is mixed: so only likely hits are left, which a chip says. */
function sortBy(sort) {
  const { min } = page.state;
  if (sort === page.state.sort) return;
  if (sort && !min && page.list?.likely) go({ sort, min: LIKELY });
  else go({ sort, min: !sort && min === LIKELY ? '' : min });
}

/** Opens or closes the viewer, as the address says. */
function drawOpen() {
  const { open } = page.state;
  if (open === null) {
    isStep = false;
    viewer.close();
  } else if (!viewer.isOpen()) {
    const place = page.grid.placeOf(open);
    if (place >= 0) viewer.open(results(), place).catch(complain);
    else viewer.open(single([open]), 0).catch(complain);
  }
}

// ---- Searching ----

/** `isNewer`: the same is asked of a newer generation, so that everything stays where it is. */
async function find(isNewer = false) {
  asked.abort();
  asked = new AbortController();
  const { state } = page;
  if (state.picture && !picture(state.picture)) {
    state.picture = '';
    toast(say('lost_picture'));
    history.replaceState(history.state, '', toAddress(state));
    chips.draw();
  }
  const slow = isNewer ? 0 : setTimeout(() => {
    page.grid.clear();
    showState('loading');
    $('count').textContent = say('loading');
  }, page.list ? 350 : 60);
  document.body.classList.add('busy');
  const mine = asked;
  try {
    const list = await search(state, mine.signal);
    const kept = isNewer && page.list ? await keepPlace(list) : null;
    if (mine !== asked) return;
    clearTimeout(slow);
    found(list, kept);
  } catch (error) {
    clearTimeout(slow);
    if (mine !== asked) return;
    if (isNewer && page.list && error.name === 'unreachable') connected(false);
    else failed(error);
  } finally {
    if (mine === asked) document.body.classList.remove('busy');
  }
}

/** Where the photos that are in view now are in a newer list, as far as they are still there. */
async function keepPlace(list) {
  const { grid, list: before } = page;
  const { place: at, above } = grid.isAtTop ? { place: 0, above: 0 } : grid.firstWhole;
  const known = list.answer.hits.slice();
  // The list may be longer or shorter above the window.
  const shift = list.total - before.total;
  const from = Math.max(0, Math.floor((at + Math.min(0, shift)) / 100) * 100 - 100);
  const to = Math.min(list.total, from + Math.min(1000, Math.abs(shift) + 500));
  if (to > known.length) {
    const hits = await list.load(from, to);
    hits.forEach((hit, place) => { known[from + place] = hit; });
  }
  const placeOf = place => {
    const id = grid.hits[place]?.id;
    return id === undefined ? -1 : known.findIndex(hit => hit?.id === id);
  };
  const active = placeOf(grid.active);
  // Of the first photos in view, the first that is still there.
  for (let place = at; at && place < at + 20; place += 1) {
    const now = placeOf(place);
    if (now >= 0) return { known, at: now, above, active };
  }
  return { known, at: Math.min(at, list.total - 1), above, active };
}

function found(list, kept) {
  const { state, grid } = page;
  page.list = list;
  showState(null);
  grid.show({
    total: list.total, likely: list.likely, known: list.answer.hits.slice(),
    at: Math.min(state.at, list.total - 1), above: state.above ?? 0, isNewer: Boolean(kept),
    ...kept,
  });
  if (kept?.active >= 0) grid.active = kept.active;
  viewer.follow(grid.total, grid.placeOf(state.open));
  $('divider').textContent = say(list.likely === 0 ? 'all_less_likely' : 'less_likely');
  drawCount();
  drawNotice(list.answer);
  selection.draw();
  if (!list.total) showState(isSearch(state) || filters(state.q).length ? 'nothing' : 'empty');
  drawOpen();
  if (kept) remember();
  $('newer').hidden = true;
  if (list.answer.generation < newest) look(list).catch(() => {});
}

function drawCount() {
  const { total, likely, answer } = page.list;
  const words = [total === 1 ? say('photo') : say('photos', { n: total })];
  if (likely && likely < total) words.push(say('likely', { n: likely }));
  const took = answer.took_ms ?? 0;
  const ms = say('took', { n: Number(took < 10 ? took.toFixed(1) : took.toFixed(0)) });
  $('count').replaceChildren(words.join(' · '), make('span', {}, ` · ${ms}`));
}

function drawNotice(answer) {
  const lines = [];
  if (answer.known_to_model === false && isSearch(page.state)) lines.push(say('unknown_words'));
  for (const { typed, similar } of answer.query?.unknown_keys ?? []) {
    lines.push(say('unknown_key', { typed, similar }));
  }
  $('notice').hidden = !lines.length;
  $('notice').replaceChildren(...coded(lines.join(' ')));
}

function failed(error) {
  if (error.name === 'AbortError') return;
  page.grid.clear();
  page.list = null;
  $('count').textContent = '';
  $('notice').hidden = true;
  const isKnown = ['unreachable', 'no-index'].includes(error.name);
  // What was asked for is at fault, so asking again is of no help.
  const isRefused = [400, 404, 413, 415, 422].includes(error.status);
  showState(isKnown ? error.name : isRefused ? 'refused' : 'failed', error);
}

/** Says why there are no photos. */
function showState(name, error = undefined) {
  const box = $('state');
  box.hidden = !name;
  box.className = name ?? '';
  clearTimeout(showState.timer);
  const again = make('button', { type: 'button', class: 'primary', onclick: () => find() },
    say('retry'));
  const contents = {
    loading: () => Array.from({ length: 24 }, () => make('i')),
    nothing: () => [icon('search'), make('h2', {}, say('nothing')),
      make('p', {}, say('nothing_hint'))],
    empty: () => [icon('picture'), make('h2', {}, say('empty')),
      make('p', {}, ...coded(say('no_index_hint'))),
      make('pre', {}, 'sightline index ~/Pictures')],
    'no-index': () => [icon('picture'), make('h2', {}, say('no_index')),
      make('p', {}, say('no_index_hint')), make('pre', {}, 'sightline index ~/Pictures')],
    unreachable: () => [icon('broken'), make('h2', {}, say('unreachable')),
      make('p', {}, ...coded(say('unreachable_hint')))],
    refused: () => [icon('search'), make('h2', {}, say('refused')), make('p', {}, error.message)],
    failed: () => [icon('broken'), make('h2', {}, say('failed')), make('p', {}, error.message),
      again],
  };
  box.replaceChildren(...(contents[name]?.() ?? []));
  if (name === 'unreachable' || name === 'no-index' || name === 'empty') wait(name);
}

/** Asks from time to time whether there is something to show now. */
function wait(name) {
  showState.timer = setTimeout(async () => {
    const isReady = name === 'unreachable' ? await isThere()
      : await get('/v1/search', { limit: 1 }).then(answer => answer.hits.length > 0, () => false);
    if ($('state').className !== name) return;
    if (isReady) find();
    else wait(name);
  }, 2000);
}

// ---- Newer generations of the index ----

/** Shows what a newer generation changes: at once where nothing moves, or else when asked. */
function newer(generation) {
  if (generation === newest) return;
  newest = generation;
  chips.forget();
  const { state, list } = page;
  // The first is what a view at the start shows.
  viewed ||= newest;
  if (state.view) $('newer').hidden = viewed >= newest;
  else if (['empty', 'no-index'].includes($('state').className)) find();
  // A picture would have to be encoded again only to look.
  else if (list && state.picture) $('newer').hidden = list.answer.generation >= newest;
  else if (list && list.answer.generation < newest) look(list).catch(() => {});
}

async function look(before) {
  const list = await search(page.state, asked.signal);
  if (page.list !== before) return;
  const { grid, state } = page;
  const key = ({ total, likely, answer }) => JSON.stringify([total, likely,
    answer.hits.map(({ id, caption, captions }) => [id, caption, captions])]);
  const isHere = Boolean(document.activeElement?.closest('.tile'));
  const isCalm = grid.isAtTop && !viewer.isOpen() && !isHere && !isSearch(state)
    && !selection.selected.size;
  if (key(list) === key(before)) page.list = list;
  else if (isCalm) found(list, await keepPlace(list));
  else $('newer').hidden = false;
}

/** Shows the newest generation, with everything where it is. */
async function renew() {
  const wasPressed = document.activeElement === $('newer');
  $('newer').hidden = true;
  if (page.state.view) return drawView();
  await find(Boolean(page.list));
  if (wasPressed) page.grid.tile(page.grid.active)?.focus({ preventScroll: true });
}

/** Says when the server is lost, and goes on when it is there again. */
function connected(isConnected) {
  const wasLost = !$('lost').hidden;
  $('lost').hidden = isConnected || !(page.list || page.state.view);
  if (isConnected && wasLost) renew();
}

/** Loads a part of the list; asks again when the server no longer has it. */
async function load(from, to) {
  const { list } = page;
  try {
    return await list.load(from, to);
  } catch (error) {
    if (list === page.list && error instanceof Problem) {
      if (error.name === 'list-expired') {
        find(true);
      } else if (error.name === 'unreachable') {
        connected(false);
      } else {
        complain(error);
      }
    }
    throw error;
  }
}

// ---- Tiles ----

const placeOf = element => {
  const tile = element.closest?.('.tile');
  return tile ? Number(tile.getAttribute('aria-posinset')) - 1 : null;
};

function clicked(event) {
  const place = placeOf(event.target);
  if (place === null) return;
  page.grid.active = place;
  const isTouch = event.pointerType === 'touch' && selection.selected.size > 0;
  const isChoice = event.target.closest('.check') || event.ctrlKey || event.metaKey || isTouch;
  if (event.shiftKey) selection.extendTo(place).catch(complain);
  else if (isChoice) selection.toggle(place);
  else openViewer(place);
}

/** Fingers select by resting on a photo. */
function pressed(event) {
  const place = placeOf(event.target);
  if (event.pointerType !== 'touch' || place === null) return;
  const timer = setTimeout(() => {
    selection.toggle(place);
    $('grid').addEventListener('click', late => late.stopPropagation(),
      { capture: true, once: true });
  }, 450);
  for (const name of ['pointerup', 'pointermove', 'pointercancel']) {
    addEventListener(name, () => clearTimeout(timer), { once: true });
  }
}

let hiding = 0;

/** Called when other photos are in view. */
function onmove(isScrolling) {
  clearTimeout(saving);
  saving = setTimeout(remember, 250);
  const { grid, state } = page;
  const label = $('month');
  const hit = grid.hits[grid.first];
  const isDated = state.sort === 'date' || !isSearch(state);
  if (isScrolling && isDated && hit) {
    label.textContent = month(hit.taken);
    label.hidden = false;
    clearTimeout(hiding);
    hiding = setTimeout(() => { label.hidden = true; }, 900);
  }
}

// ---- Viewer ----

/** The results, as the viewer goes through them. */
const results = () => ({
  isResults: true,
  length: page.grid.total,
  get: async place => (await page.grid.need(place, place + 1))[0],
});

/** A few photos that are known by their ids only. */
const single = ids => ({
  isResults: false,
  length: ids.length,
  get: place => get(`/v1/items/${ids[place]}`),
});

function openViewer(place, withDetails = undefined, photos = results()) {
  remember();
  isStep = true;
  history.pushState({ isViewer: true }, '', location.href);
  viewer.open(photos, place, withDetails).catch(complain);
}

function moved(id, place) {
  page.state.open = id;
  history.replaceState(history.state, '', toAddress(page.state));
  if (!page.state.view && page.grid.total) page.grid.active = place;
}

function closed(place) {
  if (page.state.open === null) return;
  page.state.open = null;
  if (isStep) {
    // What Back returns to has the place from before; it is brought up to date on arrival.
    isStep = false;
    history.back();
  } else {
    history.replaceState(null, '', toAddress(page.state));
  }
  if (place !== null && page.grid.total) page.grid.focus(place);
}

// ---- Other views ----

async function drawView() {
  const { view } = page.state;
  asked.abort();
  page.grid.clear();
  page.list = null;
  showState(null);
  $('notice').hidden = true;
  const box = $('view');
  viewed = newest;
  $('newer').hidden = true;
  box.className = view;
  $('scroller').scrollTop = 0;
  const open = (ids, place) => openViewer(place, undefined, single(ids));
  const count = words => {
    if (page.state.view === view) $('count').textContent = [say(view), ...words].join(' · ');
  };
  count([]);
  try {
    if (view === 'map') count(await showMap(box, id => open([id], 0)));
    else count(await showDuplicates(box, open));
    if (page.state.view === view) drawOpen();
  } catch (error) {
    if (page.state.view !== view) return;
    box.replaceChildren();
    failed(error);
  }
}

function login() {
  return new Promise(done => {
    const input = make('input', { type: 'password', autocomplete: 'current-password',
      'aria-label': say('token'), required: true });
    const wrong = make('p', { role: 'alert' });
    // Without the token there is nothing behind the sheet.
    const stay = () => $('sheet').showModal();
    $('sheet').addEventListener('close', stay);
    $('sheet-close').hidden = true;
    const form = make('form', { onsubmit: async event => {
      event.preventDefault();
      try {
        await openSession(input.value.trim());
        $('sheet').removeEventListener('close', stay);
        $('sheet-close').hidden = false;
        $('sheet').close();
        done();
      } catch {
        wrong.textContent = say('token_wrong');
      }
    } }, make('p', {}, ...coded(say('token_hint'))), input, wrong,
    make('button', { class: 'primary' }, say('enter')));
    sheet(say('token'), form);
    input.focus();
  });
}

// ---- Start ----

function start() {
  translate(document);
  page.state = readAddress();
  if (innerWidth < 500) $('q').placeholder = say('search_hint_short');
  page.grid = new Grid({ load, makeTile: (...of) => makeTile(page, ...of), onmove });
  $('search').onsubmit = event => {
    event.preventDefault();
    $('q').blur();
    go({ q: $('q').value.trim(), view: '' });
  };
  $('q').oninput = () => { $('clear').hidden = !$('q').value && !isSearch(page.state); };
  $('clear').onclick = () => {
    $('q').value = '';
    $('clear').hidden = true;
    if (page.state.q || isSearch(page.state)) go({ q: '', like: [], unlike: [], picture: '' });
    $('q').focus();
  };
  const goHome = () => go(NOTHING);
  $('all').onclick = goHome;
  $('home').onclick = event => {
    event.preventDefault();
    goHome();
  };
  for (const button of $('sort').children) button.onclick = () => sortBy(button.value);
  for (const button of document.querySelectorAll('[data-go]')) {
    button.onclick = () => {
      $('menu').hidePopover();
      if (button.dataset.go) go({ view: button.dataset.go });
      else goHome();
    };
  }
  $('menu-button').onclick = event => {
    event.preventDefault();
    if ($('menu').matches(':popover-open')) $('menu').hidePopover();
    else openUnder($('menu'), $('menu-button'));
  };
  $('sheet-close').onclick = () => $('sheet').close();
  $('grid').addEventListener('click', clicked);
  $('grid').addEventListener('pointerdown', pressed);
  $('grid').addEventListener('contextmenu', event => {
    if (event.pointerType === 'touch') event.preventDefault();
  });
  addEventListener('popstate', arrive);
  addEventListener('pagehide', remember);
  onLogin(login);
  chips.start(page);
  selection.start(page);
  viewer.start(page);
  startKeys(page);
  startPictures(page);
  $('lost').replaceChildren(...coded(`${say('unreachable')}. ${say('unreachable_hint')}`));
  indexing.start({ newer, connected });
  $('newer').onclick = renew;
  draw(page.state);
}

start();
