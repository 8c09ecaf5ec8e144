// Progress of indexing, and the button that starts it.

import { get, post } from './api.js';
import { $, complain, toast } from './dom.js';
import { number, say } from './words.js';

let events = null;
let onchange;

/** `changed()` is called when the index may have other photos. */
export function start(changed) {
  onchange = changed;
  $('update').onclick = () => {
    $('menu').hidePopover();
    post('/v1/index', {}).then(follow, complain);
  };
  $('progress-cancel').onclick = () => post('/v1/index/cancel', {}).catch(complain);
  look();
}

/** Follows a run that somebody else started. */
export async function look() {
  const status = await get('/v1/status').catch(() => null);
  if (status?.indexing?.running) follow();
}

function follow() {
  if (events) return;
  draw({ n_done: 0, n_total: 0 });
  events = new EventSource('/v1/index/events');
  const done = () => {
    events?.close();
    events = null;
    $('progress').hidden = true;
    onchange();
  };
  const heard = event => {
    const run = JSON.parse(event.data);
    if (run.running) return draw(run);
    if (run.error) toast(run.error);
    return done();
  };
  for (const name of ['progress', 'done']) events.addEventListener(name, heard);
  events.onerror = () => {
    if (events?.readyState !== EventSource.CONNECTING) return done();
    // The stream also ends when the run does; only a run that goes on is followed again.
    return get('/v1/status').then(status => { if (!status.indexing?.running) done(); }, done);
  };
}

function draw({ n_done: done, n_total: total, rate }) {
  $('progress').hidden = false;
  const bar = $('progress-bar');
  bar.setAttribute('aria-label', say('indexing'));
  if (total) {
    bar.max = total;
    bar.value = done;
  } else {
    bar.removeAttribute('value');
  }
  const parts = [say('indexing')];
  if (total) parts.push(say('of', { n: done, total: number(total) }));
  else if (done) parts.push(say('photos', { n: done }));
  if (rate) parts.push(say('rate', { n: Math.round(rate) }));
  $('progress-text').textContent = parts.join(' · ');
}
