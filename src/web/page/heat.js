// Draws which parts of a photo match: warm where they do, dark where they do not.

/** Colours from no match to the best: red, green, blue, opacity. */
const RAMP = [[8, 12, 32, 0.62], [70, 20, 110, 0.5], [220, 60, 60, 0.42], [255, 176, 32, 0.42],
  [255, 240, 150, 0.4]];

function colour(share) {
  const at = Math.min(RAMP.length - 1.001, share * (RAMP.length - 1));
  const [low, high] = [RAMP[Math.floor(at)], RAMP[Math.floor(at) + 1]];
  const rest = at - Math.floor(at);
  return low.map((value, channel) => value + (high[channel] - value) * rest);
}

/** Paints the grid of an explanation; the canvas covers the part of the photo that was seen. */
export function paintHeat(canvas, { grid, seen }) {
  const { columns, rows, values } = grid;
  const highest = Math.max(...values, 1e-9);
  const pixels = new ImageData(columns, rows);
  values.forEach((value, at) => {
    const [red, green, blue, opacity] = colour(Math.max(0, value) / highest);
    pixels.data.set([red, green, blue, opacity * 255], at * 4);
  });
  canvas.width = columns;
  canvas.height = rows;
  canvas.getContext('2d').putImageData(pixels, 0, 0);
  canvas.style.left = `${seen.left * 100}%`;
  canvas.style.top = `${seen.top * 100}%`;
  canvas.style.width = `${(seen.right - seen.left) * 100}%`;
  canvas.style.height = `${(seen.bottom - seen.top) * 100}%`;
  canvas.classList.toggle('cut', seen.right - seen.left < 1 || seen.bottom - seen.top < 1);
  canvas.hidden = false;
}
