// Zooming and moving with wheel, mouse and fingers.

const MOST = 8;

/**
 * Makes `frame` zoomable inside `stage`. A swipe of an unzoomed frame calls `onswipe(±1)`, a click
 * beside it `onclose()`, and zooming in `onzoom()`. Returns `{ by(factor), reset() }`.
 */
export function zoomable(stage, frame, { onswipe, onclose, onzoom }) {
  let [scale, x, y] = [1, 0, 0];
  const fingers = new Map();
  let began = null;
  let hasMoved = false;

  const draw = () => {
    if (scale <= 1) [scale, x, y] = [1, 0, 0];
    const [right, bottom] = [frame.offsetWidth * scale / 2, frame.offsetHeight * scale / 2];
    x = Math.max(-right, Math.min(right, x));
    y = Math.max(-bottom, Math.min(bottom, y));
    frame.style.transform = `translate(${x}px,${y}px) scale(${scale})`;
    stage.classList.toggle('zoomed', scale > 1);
    if (scale > 1.2) onzoom();
  };
  /** Zooms so that the point of the window stays where it is. */
  const at = (factor, clientX, clientY) => {
    const next = Math.min(MOST, Math.max(1, scale * factor));
    const box = stage.getBoundingClientRect();
    const [px, py] = [clientX - box.left - box.width / 2, clientY - box.top - box.height / 2];
    x = px - (px - x) * next / scale;
    y = py - (py - y) * next / scale;
    scale = next;
    draw();
  };
  const middle = factor => {
    const box = stage.getBoundingClientRect();
    at(factor, box.left + box.width / 2, box.top + box.height / 2);
  };

  stage.addEventListener('wheel', event => {
    event.preventDefault();
    at(Math.exp(-event.deltaY * 0.002), event.clientX, event.clientY);
  }, { passive: false });
  stage.addEventListener('dblclick', event => {
    if (frame.contains(event.target)) at(scale > 1 ? 0 : 2.5, event.clientX, event.clientY);
  });
  stage.addEventListener('pointerdown', event => {
    fingers.set(event.pointerId, event);
    if (fingers.size === 1) {
      began = event;
      hasMoved = false;
    }
    stage.setPointerCapture(event.pointerId);
  });
  stage.addEventListener('pointermove', event => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const others = [...fingers.values()].filter(finger => finger.pointerId !== event.pointerId);
    if (others.length) {
      const gap = one => Math.hypot(one.clientX - others[0].clientX,
        one.clientY - others[0].clientY);
      at(gap(event) / Math.max(1, gap(before)), (event.clientX + others[0].clientX) / 2,
        (event.clientY + others[0].clientY) / 2);
      hasMoved = true;
    } else if (scale > 1) {
      x += event.clientX - before.clientX;
      y += event.clientY - before.clientY;
      draw();
    }
    if (Math.hypot(event.clientX - began.clientX, event.clientY - began.clientY) > 6) {
      hasMoved = true;
    }
    fingers.set(event.pointerId, event);
  });
  const ended = event => {
    if (!fingers.delete(event.pointerId) || fingers.size || event.type !== 'pointerup') return;
    const moved = event.clientX - began.clientX;
    const isSwipe = scale === 1 && event.pointerType === 'touch' && Math.abs(moved) > 60;
    const under = document.elementFromPoint(event.clientX, event.clientY);
    if (isSwipe) onswipe(moved < 0 ? 1 : -1);
    else if (!hasMoved && under === stage) onclose();
  };
  for (const name of ['pointerup', 'pointercancel']) stage.addEventListener(name, ended);
  return {
    by: middle,
    reset: () => {
      scale = 1;
      draw();
    },
  };
}
