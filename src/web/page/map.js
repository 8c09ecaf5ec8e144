// The collection as a map: photos that look alike are near each other.

import { get, thumbnail } from './api.js';
import { make } from './dom.js';
import { say } from './words.js';

/** Thumbnails are squares of this many pixels, and at least so far from each other. */
const SIDE = 64;
const GAP = 6;

/** Room around the map, and for the hint below it. */
const MARGIN = SIDE / 2 + 12;
const BOTTOM = 44;

/** Thumbnails that are kept; the oldest make room. */
const MAX_KEPT = 600;

/** Draws the map into `box`; a click on a photo calls `open(id)`. Resolves to words about it. */
export async function show(box, open) {
  const canvas = make('canvas', { tabindex: 0, role: 'img', 'aria-label': say('map_hint') });
  box.replaceChildren(canvas, make('p', { class: 'hint' }, say('map_hint')));
  const { points } = await get('/v1/map');
  if (canvas.isConnected) new Scatter(canvas, points, open).start();
  return [points.length === 1 ? say('photo') : say('photos', { n: points.length })];
}

class Scatter {
  constructor(canvas, points, open) {
    this.canvas = canvas;
    this.points = points;
    this.open = open;
    this.pictures = new Map();
    [this.zoom, this.x, this.y] = [1, 0, 0];
    this.frame = 0;
    this.shown = [];
  }

  start() {
    const { canvas } = this;
    new ResizeObserver(() => this.later()).observe(canvas);
    canvas.addEventListener('wheel', event => {
      event.preventDefault();
      this.zoomAt(Math.exp(-event.deltaY * 0.002), event.offsetX, event.offsetY);
    }, { passive: false });
    let at = null;
    let hasMoved = false;
    canvas.addEventListener('pointerdown', event => {
      at = [event.clientX, event.clientY];
      hasMoved = false;
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener('pointermove', event => {
      if (!at) {
        canvas.style.cursor = this.under(event.offsetX, event.offsetY) === null ? '' : 'pointer';
        return;
      }
      const [dx, dy] = [event.clientX - at[0], event.clientY - at[1]];
      if (!hasMoved && Math.hypot(dx, dy) < 5) return;
      hasMoved = true;
      at = [event.clientX, event.clientY];
      this.move(dx, dy);
    });
    canvas.addEventListener('pointerup', event => {
      const id = hasMoved || !at ? null : this.under(event.offsetX, event.offsetY);
      at = null;
      if (id !== null) this.open(id);
    });
    canvas.addEventListener('pointercancel', () => { at = null; });
    canvas.addEventListener('keydown', event => this.keyed(event));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.later());
    this.later();
  }

  keyed(event) {
    const [width, height] = [this.canvas.clientWidth, this.canvas.clientHeight];
    const actions = {
      ArrowLeft: () => this.move(80, 0),
      ArrowRight: () => this.move(-80, 0),
      ArrowUp: () => this.move(0, 80),
      ArrowDown: () => this.move(0, -80),
      '+': () => this.zoomAt(1.4, width / 2, height / 2),
      '=': () => this.zoomAt(1.4, width / 2, height / 2),
      '-': () => this.zoomAt(1 / 1.4, width / 2, height / 2),
      Enter: () => this.openMiddle(width / 2, height / 2),
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  }

  /** Opens the photo nearest to the middle of the window. */
  openMiddle(x, y) {
    const far = one => Math.hypot(one.x - x, one.y - y);
    const nearest = this.shown.reduce((best, one) => far(one) < far(best) ? one : best,
      this.shown[0]);
    if (nearest) this.open(nearest.id);
  }

  move(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.later();
  }

  zoomAt(factor, px, py) {
    const next = Math.min(200, Math.max(0.8, this.zoom * factor));
    const [mx, my] = [this.canvas.clientWidth / 2, (this.canvas.clientHeight - BOTTOM) / 2];
    this.x = px - mx - (px - mx - this.x) * next / this.zoom;
    this.y = py - my - (py - my - this.y) * next / this.zoom;
    this.zoom = next;
    this.later();
  }

  under(x, y) {
    const half = SIDE / 2;
    const found = this.shown.find(one => Math.abs(one.x - x) < half && Math.abs(one.y - y) < half);
    return found?.id ?? null;
  }

  later() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  draw() {
    const { canvas } = this;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    const density = devicePixelRatio || 1;
    canvas.width = width * density;
    canvas.height = height * density;
    const pen = canvas.getContext('2d');
    pen.scale(density, density);
    const sx = Math.max(40, width / 2 - MARGIN) * this.zoom;
    const sy = Math.max(40, (height - BOTTOM) / 2 - MARGIN) * this.zoom;
    const middle = (height - BOTTOM) / 2;
    const cells = new Map();
    const [step, cellOf] = [SIDE + GAP, value => Math.floor(value / (SIDE + GAP))];
    // Earlier photos make way for none, so that a photo stays in view while the map is zoomed into.
    const isFree = (x, y) => {
      for (let column = cellOf(x) - 1; column <= cellOf(x) + 1; column += 1) {
        for (let row = cellOf(y) - 1; row <= cellOf(y) + 1; row += 1) {
          const other = cells.get(`${column} ${row}`);
          if (other && Math.abs(other[0] - x) < step && Math.abs(other[1] - y) < step) return false;
        }
      }
      return true;
    };
    this.shown = [];
    const style = getComputedStyle(document.body);
    pen.fillStyle = style.getPropertyValue('--accent');
    pen.globalAlpha = 0.45;
    for (const [id, px, py] of this.points) {
      const x = width / 2 + this.x + px * sx;
      const y = middle + this.y + py * sy;
      // Photos beyond the edge count too, or others would appear there while the map is dragged.
      const isNear = x > -2 * width && y > -2 * height && x < 3 * width && y < 3 * height;
      if (!isNear) continue;
      const isInside = x > -SIDE && y > -SIDE && x < width + SIDE && y < height + SIDE;
      const [mx, my] = [px * sx, py * sy];
      if (isFree(mx, my)) {
        cells.set(`${cellOf(mx)} ${cellOf(my)}`, [mx, my]);
        if (isInside) this.shown.push({ id, x, y });
      } else if (isInside) {
        pen.fillRect(x - 1.5, y - 1.5, 3, 3);
      }
    }
    pen.globalAlpha = 1;
    for (const one of this.shown) this.drawPicture(pen, one);
  }

  drawPicture(pen, { id, x, y }) {
    const picture = this.picture(id);
    const half = SIDE / 2;
    pen.save();
    pen.beginPath();
    pen.roundRect(x - half, y - half, SIDE, SIDE, 8);
    pen.clip();
    if (picture.complete && picture.naturalWidth) {
      const side = Math.min(picture.naturalWidth, picture.naturalHeight);
      pen.drawImage(picture, (picture.naturalWidth - side) / 2, (picture.naturalHeight - side) / 2,
        side, side, x - half, y - half, SIDE, SIDE);
    } else {
      pen.globalAlpha = 0.25;
      pen.fillRect(x - half, y - half, SIDE, SIDE);
    }
    pen.restore();
  }

  picture(id) {
    let picture = this.pictures.get(id);
    if (!picture) {
      picture = new Image();
      picture.onload = () => this.later();
      picture.src = thumbnail(id, 320);
      if (this.pictures.size >= MAX_KEPT) this.pictures.delete(this.pictures.keys().next().value);
    } else {
      this.pictures.delete(id);
    }
    this.pictures.set(id, picture);
    return picture;
  }
}
