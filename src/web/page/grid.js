// The photos as rows, of which only those near the window are in the document.

import { breakRows, guessRows, ratioOf } from './layout.js';
import { $ } from './dom.js';

/** Photos per request and per block of rows. */
const BLOCK = 100;

/** Browsers limit the height of a box; below this, all of them reach its end. */
const MAX_HEIGHT = 7_500_000;

/** Room for the divider, and below the last row for the bar of the selection. */
const DIVIDER = 64;
const BOTTOM = 88;

/** Milliseconds without scrolling after which positions are settled. */
const SETTLE = 160;

/** Takes a tile out of the document, and gives up loading its thumbnail for those in view. */
function drop(tile) {
  tile.querySelector('img:not(.ready)')?.removeAttribute('src');
  tile.remove();
}

/**
 * A list of photos as a justified grid.
 *
 * Positions are those of the whole list, in pixels. Where that is higher than a box may be, the
 * scroll bar's positions stand for it in proportion, and small movements are followed pixel by
 * pixel until scrolling stops.
 */
export class Grid {
  /** Photos that were loaded, by their place in the list. */
  hits = [];
  total = 0;
  /** The place that the keys move from. */
  active = 0;

  #blocks = [];
  #likely = null;
  #tiles = new Map();
  /** Elements of the list before, by the ids of their photos, while it is replaced. */
  #kept = new Map();
  #top = 0;
  #offset = 0;
  #height = 0;
  #last = 0;
  #anchor = null;
  #timer = 0;
  #frame = 0;
  #load;
  #makeTile;
  #onmove;

  /**
   * `load(from, to)` promises the hits of these places; `makeTile(place, hit, width, height)`
   * returns an element; `onmove()` is called when other photos are in view.
   */
  constructor({ load, makeTile, onmove }) {
    this.box = $('grid');
    this.scroller = $('scroller');
    this.#load = load;
    this.#makeTile = makeTile;
    this.#onmove = onmove;
    this.scroller.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => this.#resized()).observe(this.scroller);
  }

  /**
   * Shows another list, from the place `at` on. `known` are the hits that are known already, by
   * their places. Photos in view that are in this list, too, keep their elements if `isNewer`.
   */
  show({ total, likely, known, at = 0, above = 0, isNewer = false }) {
    const kept = new Map();
    if (isNewer) {
      for (const tile of this.#tiles.values()) kept.set(tile.dataset.id, tile);
      this.#tiles.clear();
    }
    this.#kept = kept;
    this.clear();
    this.total = total;
    this.#likely = likely;
    const divided = likely !== null && likely < total ? likely : total;
    for (const [from, end] of [[0, divided], [divided, total]]) {
      for (let start = from; start < end; start += BLOCK) {
        const to = Math.min(end, start + BLOCK);
        this.#blocks.push({ from: start, to, state: 'unknown', rows: null, isLast: to === end });
      }
    }
    this.hits = known;
    for (const block of this.#blocks) {
      const isKnown = Object.keys(known.slice(block.from, block.to)).length;
      if (isKnown === block.to - block.from) block.state = 'loaded';
    }
    this.box.hidden = total === 0;
    this.active = Math.min(at, Math.max(0, total - 1));
    this.#arrange();
    this.goTo(at, above);
    for (const tile of kept.values()) drop(tile);
    this.#kept = new Map();
  }

  /** Shows nothing. */
  clear() {
    for (const tile of this.#tiles.values()) drop(tile);
    this.#tiles.clear();
    this.#blocks = [];
    this.hits = [];
    this.total = 0;
    this.#likely = null;
    this.#anchor = null;
    $('divider').hidden = true;
    this.box.hidden = true;
    this.#arrange();
  }

  /** The place of the first photo in view. */
  get first() {
    return this.#anchor?.place ?? this.#placeAt(this.#top);
  }

  /** How far below the top of the window its row begins; below 0 if it is cut off. */
  get above() {
    return this.#anchor?.above ?? this.#anchorAt(this.#top).above;
  }

  /** The first photo that is not cut off above, and how far its row is below the top. */
  get firstWhole() {
    const { place, above } = this.#anchorAt(this.#top);
    const next = above < -1 ? this.#neighbour(place, 1) : null;
    return next === null ? { place, above }
      : { place: next, above: this.#rectOf(next).top - this.#top };
  }

  /** Whether the list was scrolled at all. */
  get isAtTop() {
    return this.#top < 1;
  }

  /** Scrolls so that the row of a place begins `above` pixels below the top of the window. */
  goTo(place, above = 0) {
    if (!this.total) return;
    this.#top = place ? this.#rectOf(place).top - above : 0;
    this.#anchor = place ? { place, above } : null;
    this.#settle();
    this.#render();
  }

  /** Makes the photo at a place the active one, in view and focused. */
  focus(place) {
    this.active = Math.min(this.total - 1, Math.max(0, place));
    const { top, height } = this.#rectOf(this.active);
    const view = this.scroller.clientHeight;
    const margin = 12;
    if (top < this.#top + margin) this.#top = top - margin;
    else if (top + height > this.#top + view - margin) this.#top = top + height - view + margin;
    this.#anchor = null;
    this.#settle();
    this.#render();
    for (const [at, tile] of this.#tiles) tile.tabIndex = at === this.active ? 0 : -1;
    this.#tiles.get(this.active)?.focus({ preventScroll: true });
  }

  /** The element of a place, if it is in the document. */
  tile(place) {
    return this.#tiles.get(place);
  }

  /** All elements with their places. */
  tiles() {
    return this.#tiles.entries();
  }

  /** The place of the nearest photo `n` rows below, or above if `n` is negative. */
  below(place, n) {
    const at = this.#rectOf(place);
    const middle = at.left + at.width / 2;
    const sign = Math.sign(n);
    let best = place;
    for (let left = Math.abs(n); left > 0; left -= 1) {
      const next = this.#neighbour(best, sign);
      if (next === null) break;
      const row = this.#rowOf(next);
      best = next;
      let distance = Infinity;
      for (let one = row.from; one < row.to; one += 1) {
        const rect = this.#rectOf(one);
        const off = Math.abs(rect.left + rect.width / 2 - middle);
        if (off < distance) [best, distance] = [one, off];
      }
    }
    return best;
  }

  /** Rows that fit the window. */
  get rowsInView() {
    return Math.max(1, Math.floor(this.scroller.clientHeight / (this.#measures.target * 1.1)));
  }

  /** The place of a photo among those that were loaded, or -1. */
  placeOf(id) {
    return this.hits.findIndex(hit => hit?.id === id);
  }

  /** Loads the hits of these places, where they are not known. */
  async need(from, to) {
    const wanted = this.#blocks.filter(({ from: a, to: b }) => a < to && b > from);
    await Promise.all(wanted.map(block => this.#fill(block)));
    return this.hits.slice(from, to);
  }

  get #measures() {
    const width = this.box.clientWidth || this.scroller.clientWidth;
    const target = width < 500 ? 128 : width < 1000 ? 176 : width < 1800 ? 216 : 256;
    return { width, target, gap: width < 500 ? 3 : 6 };
  }

  /** Breaks blocks into rows, and stacks them. */
  #arrange() {
    const measures = this.#measures;
    const { gap } = measures;
    let [sum, n] = [0, 0];
    this.hits.forEach(hit => { sum += ratioOf(hit); n += 1; });
    const mean = n ? sum / n : 1.4;
    let top = 0;
    for (const block of this.#blocks) {
      if (block.from === this.#likely) {
        block.divider = top;
        top += block.from ? DIVIDER : DIVIDER - 12;
      }
      if (block.width !== measures.width || block.isStale) {
        block.isStale = false;
        block.width = measures.width;
        const { from, to, isLast } = block;
        block.rows = block.state === 'loaded'
          ? breakRows(this.hits.slice(from, to).map(ratioOf), measures, isLast)
          : guessRows(to - from, mean, measures);
        block.mean = mean;
        block.height = 0;
        for (const row of block.rows) {
          row.top = block.height;
          row.from += from;
          row.to += from;
          block.height += row.height + gap;
        }
      }
      block.top = top;
      top += block.height;
    }
    this.#height = this.#blocks.length ? top + BOTTOM : 0;
    this.box.style.height = `${Math.min(MAX_HEIGHT, this.#height)}px`;
  }

  /** Arranges again, with the photo at the top of the window where it is. */
  #rearrange() {
    if (!this.#blocks.length) return;
    const isAtTop = this.isAtTop && !this.#anchor;
    const anchor = this.#anchor ?? this.#anchorAt(this.#top);
    this.#arrange();
    this.#top = isAtTop ? 0 : this.#rectOf(anchor.place).top - anchor.above;
    this.#top = Math.max(0, Math.min(this.#top, this.#end));
    // Scrolling goes on undisturbed: the boxes move, the scroll bar later.
    this.#offset = this.#last - this.#top;
    this.#wait();
    this.#render();
  }

  #anchorAt(top) {
    const place = this.#placeAt(top);
    return { place, above: this.#rectOf(place).top - top };
  }

  get #end() {
    return Math.max(0, this.#height - this.scroller.clientHeight);
  }

  get #scrollEnd() {
    return Math.max(0, Math.min(MAX_HEIGHT, this.#height) - this.scroller.clientHeight);
  }

  #resized() {
    // The scroll bar takes its width from the margin.
    const bar = this.scroller.offsetWidth - this.scroller.clientWidth;
    document.body.style.setProperty('--bar', `${bar}px`);
    if (this.#blocks.length && this.#blocks[0].width !== this.#measures.width) {
      for (const tile of this.#tiles.values()) drop(tile);
      this.#tiles.clear();
      this.#rearrange();
      this.#settle();
    }
    this.#render();
  }

  #scrolled() {
    const now = this.scroller.scrollTop;
    const moved = now - this.#last;
    if (!moved || !this.#blocks.length) return;
    this.#last = now;
    this.#anchor = null;
    const isJump = Math.abs(moved) > this.scroller.clientHeight * 1.5;
    const scale = this.#scrollEnd ? this.#end / this.#scrollEnd : 1;
    if (now <= 0) this.#top = 0;
    else if (now >= this.#scrollEnd - 1) this.#top = this.#end;
    else this.#top = isJump ? now * scale : this.#top + moved;
    this.#top = Math.max(0, Math.min(this.#top, this.#end));
    this.#offset = now - this.#top;
    this.#wait();
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#render();
      this.#onmove(true);
    });
  }

  #wait() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      // A movement that was not reported yet must not be undone.
      if (this.scroller.scrollTop !== this.#last) return this.#scrolled();
      this.#settle();
      this.#render();
      return this.#onmove(false);
    }, SETTLE);
  }

  /** Moves the scroll bar to where the window is in the list. */
  #settle() {
    this.#top = Math.max(0, Math.min(this.#top, this.#end));
    const scale = this.#end ? this.#scrollEnd / this.#end : 1;
    const wanted = this.#top * scale;
    if (Math.abs(wanted - this.scroller.scrollTop) >= 1) this.scroller.scrollTop = wanted;
    this.#last = this.scroller.scrollTop;
    this.#offset = this.#last - this.#top;
  }

  /** Puts the tiles near the window into the document, and takes the others out. */
  #render() {
    const view = this.scroller.clientHeight;
    const [above, below] = [this.#top - view, this.#top + 2 * view];
    const wanted = new Set();
    for (let at = this.#blockAt(above); at < this.#blocks.length; at += 1) {
      const block = this.#blocks[at];
      if (block.top > below) break;
      for (const row of block.rows) {
        const top = block.top + row.top;
        if (top + row.height >= above && top <= below) this.#renderRow(block, row, wanted);
      }
    }
    for (const [place, tile] of this.#tiles) {
      if (!wanted.has(place) && tile !== document.activeElement) {
        drop(tile);
        this.#tiles.delete(place);
      }
    }
    this.#renderDivider(above, below);
    this.#loadNear();
  }

  #renderRow(block, row, wanted) {
    const { gap } = this.#measures;
    let left = 0;
    const y = block.top + row.top + this.#offset;
    for (let place = row.from; place < row.to; place += 1) {
      const hit = this.hits[place];
      const width = row.height * (hit ? ratioOf(hit) : block.mean);
      wanted.add(place);
      let tile = this.#tiles.get(place);
      if (tile && tile.isEmpty && hit) {
        const hadFocus = tile === document.activeElement;
        drop(tile);
        tile = null;
        if (hadFocus) requestAnimationFrame(() => this.tile(place)?.focus({ preventScroll: true }));
      }
      if (!tile) {
        const id = String(hit?.id);
        tile = this.#kept.get(id);
        this.#kept.delete(id);
        if (tile) {
          tile.ariaPosInSet = place + 1;
          tile.ariaSetSize = this.total;
          tile.tabIndex = place === this.active ? 0 : -1;
        } else {
          tile = this.#makeTile(place, hit, width, row.height);
          this.box.append(tile);
        }
        tile.isEmpty = !hit;
        this.#tiles.set(place, tile);
      }
      const style = tile.style;
      style.transform = `translate(${left}px,${y}px)`;
      style.width = `${width}px`;
      style.height = `${row.height}px`;
      left += width + gap;
    }
  }

  #renderDivider(above, below) {
    const block = this.#blocks.find(({ divider }) => divider !== undefined);
    const divider = $('divider');
    divider.hidden = !block || block.top < above || block.divider > below;
    if (block) divider.style.transform = `translateY(${block.divider + this.#offset}px)`;
  }

  /** Loads the blocks that have been near the window for a moment. */
  #loadNear() {
    clearTimeout(this.loading);
    this.loading = setTimeout(() => {
      const view = this.scroller.clientHeight;
      for (let at = this.#blockAt(this.#top - view / 2); at < this.#blocks.length; at += 1) {
        const block = this.#blocks[at];
        if (block.top > this.#top + 2 * view) break;
        if (block.state === 'unknown') this.#fill(block).catch(() => {});
      }
    }, 40);
  }

  /** Loads a block; whoever asks while it is loaded waits for the same request. */
  #fill(block) {
    if (block.state === 'loaded') return Promise.resolve();
    block.state = 'loading';
    block.filling ??= this.#load(block.from, block.to).then(hits => {
      if (!this.#blocks.includes(block)) return;
      hits.forEach((hit, at) => { this.hits[block.from + at] = hit; });
      block.state = 'loaded';
      block.isStale = true;
      this.#rearrange();
      this.#onmove(false);
    }).catch(error => {
      block.state = 'unknown';
      throw error;
    }).finally(() => { block.filling = null; });
    return block.filling;
  }

  /** The position of the block that has this height of the list, or is next above it. */
  #blockAt(top) {
    let [low, high] = [0, this.#blocks.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#blocks[middle].top <= top) low = middle;
      else high = middle - 1;
    }
    return Math.max(0, low);
  }

  #blockOf(place) {
    let [low, high] = [0, this.#blocks.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#blocks[middle].from <= place) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #rowOf(place) {
    const { rows } = this.#blocks[this.#blockOf(place)];
    return rows.find(row => place < row.to) ?? rows.at(-1);
  }

  /** A place in the row before or after that of `place`. */
  #neighbour(place, sign) {
    const row = this.#rowOf(place);
    const next = sign > 0 ? row.to : row.from - 1;
    return next >= 0 && next < this.total ? next : null;
  }

  /** The first place of the first row that ends below a height of the list. */
  #placeAt(top) {
    if (!this.#blocks.length) return 0;
    const block = this.#blocks[this.#blockAt(top)];
    const row = block.rows.find(one => block.top + one.top + one.height > top);
    return (row ?? block.rows.at(-1)).from;
  }

  /** Where a photo is in the list. */
  #rectOf(place) {
    const block = this.#blocks[this.#blockOf(place)];
    const row = this.#rowOf(place);
    const { gap } = this.#measures;
    const widthOf = one => row.height * (this.hits[one] ? ratioOf(this.hits[one]) : block.mean);
    let left = 0;
    for (let one = row.from; one < place; one += 1) left += widthOf(one) + gap;
    return { top: block.top + row.top, left, width: widthOf(place), height: row.height };
  }
}
