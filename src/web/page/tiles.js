// The photos of the grid as elements.

import { thumbnail } from './api.js';
import { icon, make } from './dom.js';
import { isSearch, titleOf } from './query.js';
import * as selection from './selection.js';
import { decode } from './thumbhash.js';
import { day, say } from './words.js';

/** The element of a photo in the grid; of one that is not loaded yet without a hit. */
export function makeTile(page, place, hit, width, height) {
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
