// The page: its state, the search box and the list of results.

import { Problem, get, isThere, onLogin, open as openSession, post, thumbnail } from './api.js';
import * as chips from './chips.js';
import { captionLine } from './details.js';
import { $, coded, complain, icon, make, openUnder, toast } from './dom.js';
import { show as showDuplicates } from './duplicates.js';
import { Grid } from './grid.js';
import * as indexing from './indexing.js';
import { startKeys } from './keys.js';
import { show as showMap } from './map.js';
import {
  filters, fromAddress, isSameSearch, isSearch, keepPicture, picture, search, titleOf, toAddress,
} from './query.js';
import * as selection from './selection.js';
import { decode } from './thumbhash.js';
import * as viewer from './viewer.js';
import { day, month, number, say, translate } from './words.js';

/** What the other modules need to know and may ask for. */
const page = {
  state: { ...fromAddress(), above: history.state?.above },
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
  page.state = { ...fromAddress(), above: history.state?.above };
  draw(before);
}

function draw(before) {
  const { state } = page;
  $('q').value = state.q;
  $('clear').hidden = !state.q;
  chips.draw();
  drawSort();
  document.title = state.q ? `${state.q} – Sightline` : 'Sightline';
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

/** Opens or closes the viewer, as the address says. */
function drawOpen() {
  const { open } = page.state;
  if (open === null) {
    isStep = false;
    viewer.close();
  } else if (!viewer.isOpen()) {
    const place = page.grid.hits.findIndex(hit => hit?.id === open);
    if (place >= 0) viewer.open(results(), place).catch(complain);
    else viewer.open(single([open]), 0).catch(complain);
  }
}

// ---- Searching ----

async function find() {
  asked.abort();
  asked = new AbortController();
  const { state } = page;
  if (state.picture && !picture(state.picture)) {
    state.picture = '';
    toast(say('lost_picture'));
    chips.draw();
  }
  const slow = setTimeout(() => {
    page.grid.clear();
    showState('loading');
    $('count').textContent = say('loading');
  }, page.list ? 350 : 60);
  document.body.classList.add('busy');
  const mine = asked;
  try {
    const list = await search(state, mine.signal);
    if (mine !== asked) return;
    clearTimeout(slow);
    found(list);
  } catch (error) {
    clearTimeout(slow);
    if (mine === asked) failed(error);
  } finally {
    if (mine === asked) document.body.classList.remove('busy');
  }
}

function found(list) {
  const { state, grid } = page;
  page.list = list;
  showState(null);
  grid.show({
    total: list.total, likely: list.likely, first: list.answer.hits,
    at: Math.min(state.at, list.total - 1), above: state.above ?? 0,
  });
  $('divider').textContent = say(list.likely === 0 ? 'all_less_likely' : 'less_likely');
  drawCount();
  drawNotice(list.answer);
  selection.draw();
  if (!list.total) showState(isSearch(state) || filters(state.q).length ? 'nothing' : 'empty');
  drawOpen();
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
  showState(isKnown ? error.name : 'failed', error);
}

/** Says why there are no photos. */
function showState(name, error = undefined) {
  const box = $('state');
  box.hidden = !name;
  box.className = name ?? '';
  clearTimeout(showState.timer);
  const again = make('button', { type: 'button', class: 'primary', onclick: find }, say('retry'));
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
    failed: () => [icon('broken'), make('h2', {}, say('failed')), make('p', {}, error.message),
      error.status === 400 ? '' : again],
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

/** Loads a part of the list; asks again when the server no longer has it. */
async function load(from, to) {
  const { list } = page;
  try {
    return await list.load(from, to);
  } catch (error) {
    if (list === page.list && error instanceof Problem) {
      if (error.name === 'list-expired') {
        remember();
        find();
      } else if (error.name === 'unreachable') {
        remember();
        failed(error);
      } else {
        complain(error);
      }
    }
    throw error;
  }
}

// ---- Tiles ----

function makeTile(place, hit, width, height) {
  const tile = make('div', { class: 'tile', role: 'option', tabindex:
    place === page.grid.active ? 0 : -1, 'aria-setsize': page.grid.total,
  'aria-posinset': place + 1, 'aria-selected': 'false' });
  if (!hit) {
    tile.setAttribute('aria-label', say('loading'));
    return tile;
  }
  tile.setAttribute('aria-selected', String(selection.selected.has(hit.id)));
  tile.dataset.id = hit.id;
  if (hit.thumbhash) tile.append(placeholder(hit.thumbhash));
  const longer = Math.max(width, height) * (devicePixelRatio || 1);
  const image = make('img', { alt: titleOf(hit), decoding: 'async', draggable: 'false' });
  let tries = 0;
  image.onload = () => image.classList.add('ready');
  image.onerror = () => {
    tries += 1;
    if (tries < 2) {
      // The server may have had too much to do.
      setTimeout(() => { if (tile.isConnected) image.src = `${image.src}`; }, 1500);
    } else {
      tile.classList.add('broken');
    }
  };
  image.src = thumbnail(hit.id, longer > 360 ? 640 : 320);
  const isDated = page.state.sort === 'date' || !isSearch(page.state);
  const label = make('span', { class: isDated ? 'label always' : 'label' },
    hit.taken ? day(hit.taken) : '');
  const check = make('span', { class: 'check', 'aria-hidden': 'true' }, icon('check'));
  tile.append(image, label, check);
  if (hit.strength) {
    tile.append(make('span', { class: `mark ${hit.strength}`, title: say(hit.strength),
      'aria-hidden': 'true' }));
  }
  return tile;
}

function placeholder(hash) {
  const canvas = make('canvas', { 'aria-hidden': 'true' });
  try {
    const pixels = decode(hash);
    [canvas.width, canvas.height] = [pixels.width, pixels.height];
    canvas.getContext('2d').putImageData(pixels, 0, 0);
  } catch {
    // A placeholder that cannot be read is left out.
  }
  return canvas;
}

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

// ---- Pictures as queries ----

function searchWith(blob) {
  if (!blob?.type.startsWith('image/')) return;
  go({ picture: keepPicture(blob), q: '', like: [], unlike: [], sort: '', view: '' });
}

function startPictures() {
  const drop = $('drop');
  const hasFiles = event => [...event.dataTransfer?.types ?? []].includes('Files');
  addEventListener('dragover', event => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    drop.hidden = false;
  });
  addEventListener('dragleave', event => {
    if (!event.relatedTarget) drop.hidden = true;
  });
  addEventListener('drop', event => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    drop.hidden = true;
    searchWith([...event.dataTransfer.files].find(one => one.type.startsWith('image/')));
  });
  addEventListener('paste', event => {
    const files = [...event.clipboardData?.files ?? []];
    const one = files.find(file => file.type.startsWith('image/'));
    if (!one) return;
    event.preventDefault();
    searchWith(one);
  });
  $('upload').onclick = () => $('picker').click();
  $('picker').onchange = () => {
    searchWith($('picker').files[0]);
    $('picker').value = '';
  };
}

/** Shows a sheet with a title. */
function sheet(title, ...contents) {
  $('sheet-title').textContent = title;
  $('sheet-body').replaceChildren(...contents);
  if (!$('sheet').open) $('sheet').showModal();
}

/** Shows the captions that fit a picture that is searched with. */
async function captionsOf({ blob, url }) {
  const list = make('ul', { class: 'captions' }, make('li', { class: 'waiting' }, say('loading')));
  sheet(say('captions_of'), make('div', { class: 'caption-sheet' },
    make('img', { src: url, alt: say('your_picture') }), list));
  const form = new FormData();
  form.set('picture', blob, 'picture');
  form.set('query', JSON.stringify({ limit: 12 }));
  try {
    const { hits } = await (await post('/v1/captions', form)).json();
    list.replaceChildren(...hits.map(captionLine));
    if (!hits.length) list.append(make('li', { class: 'none' }, say('no_captions')));
  } catch (error) {
    list.replaceChildren(make('li', {}, error.message));
  }
}

// ---- Other views ----

async function drawView() {
  const { view } = page.state;
  asked.abort();
  page.grid.clear();
  page.list = null;
  showState(null);
  $('notice').hidden = true;
  $('count').textContent = '';
  const box = $('view');
  box.className = view;
  $('scroller').scrollTop = 0;
  const open = (ids, place) => openViewer(place, undefined, single(ids));
  try {
    if (view === 'map') await showMap(box, id => open([id], 0));
    else await showDuplicates(box, open);
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
    const form = make('form', { onsubmit: async event => {
      event.preventDefault();
      try {
        await openSession(input.value.trim());
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
  page.grid = new Grid({ load, makeTile, onmove });
  $('search').onsubmit = event => {
    event.preventDefault();
    $('q').blur();
    go({ q: $('q').value.trim(), view: '' });
  };
  $('q').oninput = () => { $('clear').hidden = !$('q').value; };
  $('clear').onclick = () => {
    $('q').value = '';
    $('clear').hidden = true;
    if (page.state.q) go({ q: '' });
    $('q').focus();
  };
  const empty = { q: '', sort: '', min: '', like: [], unlike: [], picture: '', view: '' };
  const goHome = () => go(empty);
  $('home').onclick = event => {
    event.preventDefault();
    goHome();
  };
  for (const button of $('sort').children) button.onclick = () => go({ sort: button.value });
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
  startKeys(page, sheet);
  startPictures();
  indexing.start(() => {
    chips.forget();
    if (page.state.view) return;
    remember();
    find();
  });
  draw(page.state);
}

start();
