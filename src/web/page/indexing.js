// Index runs and newer generations of the index, as the server reports them.

import { isThere, post } from './api.js';
import { $, complain, toast } from './dom.js';
import { isKnown, number, say } from './words.js';

/** Runs that are over sooner are not shown: a watcher may make one for each new file. */
const SHORT = 400;

/** Milliseconds to the next attempt where the stream of events was refused. */
const PAUSE = 5000;

let events = null;
let page;
/** The run that was started here, whose end is reported, and the run that ended last. */
let mine = null;
let last = null;
/** The run in progress as it was reported last. */
let latest = {};
let showing = 0;

/**
 * `page.newer(generation)` is called with the newest generation, also when it is known already;
 * `page.connected(isConnected)` when the server is lost or found.
 */
export function start(the_page) {
  page = the_page;
  $('update').onclick = () => {
    $('menu').hidePopover();
    update().catch(complain);
  };
  $('progress-cancel').onclick = () => post('/v1/index/cancel', {}).catch(complain);
  // A page in the background holds none of the few connections that a browser makes to a server.
  document.addEventListener('visibilitychange', listen);
  addEventListener('pagehide', () => events?.close());
  listen();
}

async function update() {
  try {
    const run = await (await post('/v1/index', {})).json();
    mine = run.run;
    // A short one may have ended before the answer was here.
    if (last?.run === mine) ended(last);
    else progressed(run);
  } catch (error) {
    // One is in progress, and shown; another is not needed.
    if (error.status !== 409) throw error;
    toast(error.message);
  }
}

function listen() {
  events?.close();
  events = null;
  if (document.hidden) return;
  const source = new EventSource('/v1/index/events');
  events = source;
  source.onopen = () => page.connected(true);
  source.addEventListener('progress', event => progressed(JSON.parse(event.data)));
  source.addEventListener('done', event => ended(JSON.parse(event.data)));
  source.addEventListener('generation', event => page.newer(Number(event.data)));
  source.onerror = async () => {
    hide();
    if (!await isThere() && source === events) page.connected(false);
    // Browsers connect again by themselves unless they were refused.
    if (source.readyState === EventSource.CLOSED) {
      setTimeout(() => { if (source === events) listen(); }, PAUSE);
    }
  };
}

function progressed(run) {
  latest = run;
  if (run.run === mine || !$('progress').hidden) draw();
  else showing ||= setTimeout(draw, SHORT);
}

function hide() {
  clearTimeout(showing);
  showing = 0;
  $('progress').hidden = true;
}

function ended(run) {
  hide();
  last = run;
  if (run.run !== mine) return;
  mine = null;
  toast(run.error ?? summary(run.report));
}

/** What a run has changed, in a few words. */
function summary({ added, changed, removed, interrupted }) {
  const counts = Object.entries({ added, changed, removed }).filter(([, n]) => n);
  const words = counts.map(([name, n]) => say(`run.${name}`, { n }));
  if (interrupted) words.unshift(say('run.cancelled'));
  return words.join(' · ') || say('run.same');
}

function draw() {
  const { n_done: done, n_total: total, rate, stage, watcher } = latest;
  $('progress').hidden = false;
  $('progress-cancel').hidden = Boolean(watcher);
  const bar = $('progress-bar');
  bar.setAttribute('aria-label', say('indexing'));
  if (total) {
    bar.max = total;
    bar.value = done;
  } else {
    bar.removeAttribute('value');
  }
  const parts = [isKnown(`stage.${stage}`) ? say(`stage.${stage}`) : say('indexing')];
  if (total) parts.push(say('of', { n: done, total: number(total) }));
  else if (done) parts.push(say('photos', { n: done }));
  if (rate && done > 20 && stage === 'pictures') parts.push(say('rate', { n: Math.round(rate) }));
  $('progress-text').textContent = parts.join(' · ');
}
