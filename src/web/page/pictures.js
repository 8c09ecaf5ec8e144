// Pictures as queries: dropped, pasted or chosen, and the captions that fit them.

import { post } from './api.js';
import { captionLine } from './details.js';
import { $, make, sheet } from './dom.js';
import { NOTHING, keepPicture } from './query.js';
import { say } from './words.js';

/** Takes pictures that are dropped, pasted or chosen. `page` has `go(changes)`. */
export function startPictures(page) {
  const searchWith = blob => {
    if (blob?.type.startsWith('image/')) page.go({ ...NOTHING, picture: keepPicture(blob) });
  };
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

/** Shows the captions that fit a picture that is searched with. */
export async function captionsOf({ blob, url }) {
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
