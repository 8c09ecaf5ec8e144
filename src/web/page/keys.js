// The keys of the results; those of a photo are in `viewer.js`.

import { $, complain, make, sheet } from './dom.js';
import { NOTHING } from './query.js';
import * as selection from './selection.js';
import { say } from './words.js';

const HELP = [
  ['/', 'k./'], ['← → ↑ ↓', 'k.arrows'], ['Home End', 'k.ends'], ['PgUp PgDn', 'k.pages'],
  ['Enter', 'k.enter'], ['Space', 'k.space'], ['Ctrl A', 'k.all'], ['i', 'k.i'], ['s', 'k.s'],
  ['w', 'k.w'], ['+ − 0', 'k.zoom'], ['c', 'copy_path'], ['Esc', 'k.esc'], ['?', 'k.?'],
];

let page;

/** `page` has `grid`, `go(changes)` and `openViewer(place)`. */
export function startKeys(the_page) {
  page = the_page;
  $('show-keys').onclick = () => {
    $('menu').hidePopover();
    showKeys();
  };
  addEventListener('keydown', keyed);
}

function showKeys() {
  const rows = HELP.flatMap(([keys, text]) => [
    make('dt', {}, ...keys.split(' ').flatMap(key => [make('kbd', {}, key), ' '])),
    make('dd', {}, say(text))]);
  sheet(say('keys'), make('dl', { class: 'keys' }, ...rows));
}

function keyed(event) {
  if (document.querySelector('dialog[open]')) {
    if (event.key === '?' && !event.target.matches('input')) showKeys();
    return;
  }
  if (event.target.matches('input')) return fromBox(event);
  const { grid } = page;
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'a' && grid.total) {
    event.preventDefault();
    selection.selectAll().catch(complain);
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const always = {
    '/': () => $('q').select(),
    '?': showKeys,
    Escape: selection.clear,
  };
  if (always[event.key]) {
    if (document.querySelector('.popover:popover-open')) return;
    event.preventDefault();
    always[event.key]();
    return;
  }
  // Buttons and popovers have the other keys for themselves.
  const isElsewhere = event.target.closest('button, a, .popover, canvas');
  if (!isElsewhere && grid.total) inGrid(event);
}

/** Keys in the search box. */
function fromBox(event) {
  if (event.target !== $('q')) return;
  if (event.key === 'Escape') {
    event.preventDefault();
    $('q').blur();
  } else if (event.key === 'ArrowDown' && page.grid.total) {
    event.preventDefault();
    page.grid.focus(page.grid.active);
  }
}

function inGrid(event) {
  const { grid } = page;
  const { active } = grid;
  const hasFocus = event.target.closest('.tile');
  const targets = {
    ArrowLeft: () => active - 1,
    ArrowRight: () => active + 1,
    ArrowUp: () => grid.below(active, -1),
    ArrowDown: () => grid.below(active, 1),
    PageUp: () => grid.below(active, -grid.rowsInView),
    PageDown: () => grid.below(active, grid.rowsInView),
    Home: () => 0,
    End: () => grid.total - 1,
  };
  const actions = {
    Enter: () => page.openViewer(active),
    i: () => page.openViewer(active, true),
    s: () => {
      const hit = grid.hits[active];
      if (hit) page.go({ ...NOTHING, like: [hit.id] });
    },
    ' ': () => event.shiftKey ? selection.extendTo(active).catch(complain)
      : selection.toggle(active),
  };
  if (targets[event.key]) {
    event.preventDefault();
    // The first key shows where one is.
    const isFirst = !hasFocus && event.key.startsWith('Arrow');
    const to = Math.max(0, Math.min(grid.total - 1, isFirst ? active : targets[event.key]()));
    if (event.shiftKey && !isFirst) {
      if (!selection.selected.size) selection.begin(active);
      selection.extendTo(to).catch(complain);
    }
    grid.focus(to);
  } else if (actions[event.key]) {
    event.preventDefault();
    actions[event.key]();
  }
}
