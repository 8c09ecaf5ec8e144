// The collection as a map: photos that look alike are near each other.

import { get, thumbnail } from './api.js';
import { make } from './dom.js';
import { say } from './words.js';

/** Thumbnails are drawn in cells of this many pixels, one in each. */
const CELL = 76;
const SIDE = 64;

/** Thumbnails that are kept; the oldest make room. */
const MAX_KEPT = 600;

/** Draws the map into `box`; a click on a photo calls `open(id)`. */
export async function show(box, open) {
  const canvas = make('canvas', { tabindex: 0, role: 'img', 'aria-label': say('map_hint') });
  box.replaceChildren(canvas, make('p', { class: 'hint' }, say('map_hint')));
  const { points } = await get('/v1/map');
  if (!canvas.isConnected) return;
  new Scatter(canvas, points, open).start();
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
    const [mx, my] = [this.canvas.clientWidth / 2, this.canvas.clientHeight / 2];
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
    const [sx, sy] = [width * 0.46 * this.zoom, height * 0.46 * this.zoom];
    const taken = new Set();
    this.shown = [];
    const style = getComputedStyle(document.body);
    pen.fillStyle = style.getPropertyValue('--accent');
    pen.globalAlpha = 0.45;
    for (const [id, px, py] of this.points) {
      const x = width / 2 + this.x + px * sx;
      const y = height / 2 + this.y + py * sy;
      if (x < -SIDE || y < -SIDE || x > width + SIDE || y > height + SIDE) continue;
      // Cells move with the map, so that the choice of photos stays while it is dragged.
      const cell = `${Math.floor((x - this.x) / CELL)} ${Math.floor((y - this.y) / CELL)}`;
      if (taken.has(cell)) {
        pen.fillRect(x - 1.5, y - 1.5, 3, 3);
      } else {
        taken.add(cell);
        this.shown.push({ id, x, y });
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
