// Placeholders from a few bytes: ThumbHash (Evan Wallace, 2023), decoded.

/** Reads a number's bits `from` up to `to`. */
const bits = (number, from, to) => (number >> from) & ((1 << (to - from)) - 1);

/** Cosines of a series at the middle of `n` pixels: one list per pixel. */
function cosines(n, nTerms) {
  return Array.from({ length: n }, (_, at) =>
    Array.from({ length: nTerms }, (_, term) => Math.cos((Math.PI / n) * (at + 0.5) * term)));
}

/** Reads the factors of one channel; those whose frequencies are too high are not stored. */
function channel(nx, ny, scale, next) {
  const factors = [];
  for (let y = 0; y < ny; y += 1) {
    for (let x = y ? 0 : 1; x * ny < nx * (ny - y); x += 1) {
      factors.push([x, y, (next() / 7.5 - 1) * scale]);
    }
  }
  return factors;
}

/** The value of a channel at a pixel. */
const sum = (mean, factors, ofX, ofY) =>
  factors.reduce((total, [x, y, factor]) => total + factor * ofX[x] * ofY[y] * 2, mean);

/** The picture that a hash (in base64) stands for, as pixels no larger than 32 × 32. */
export function decode(base64) {
  const hash = Uint8Array.from(atob(base64), character => character.charCodeAt(0));
  const first = hash[0] | (hash[1] << 8) | (hash[2] << 16);
  const second = hash[3] | (hash[4] << 8);
  const hasAlpha = bits(first, 23, 24);
  const isLandscape = bits(second, 15, 16);
  const nShort = bits(second, 0, 3);
  const nLong = hasAlpha ? 5 : 7;
  const nx = Math.max(3, isLandscape ? nLong : nShort);
  const ny = Math.max(3, isLandscape ? nShort : nLong);
  let at = hasAlpha ? 12 : 10;
  const next = () => {
    const value = bits(hash[at >> 1], (at & 1) * 4, (at & 1) * 4 + 4);
    at += 1;
    return value;
  };
  const l = channel(nx, ny, bits(first, 18, 23) / 31, next);
  const p = channel(3, 3, bits(second, 3, 9) / 63 * 1.25, next);
  const q = channel(3, 3, bits(second, 9, 15) / 63 * 1.25, next);
  const means = [bits(first, 0, 6) / 63, bits(first, 6, 12) / 31.5 - 1,
    bits(first, 12, 18) / 31.5 - 1];
  const ratio = (isLandscape ? nLong : nShort) / (isLandscape ? nShort : nLong);
  const width = Math.round(ratio > 1 ? 32 : 32 * ratio);
  const height = Math.round(ratio > 1 ? 32 / ratio : 32);
  const [forX, forY] = [cosines(width, Math.max(nx, 3)), cosines(height, Math.max(ny, 3))];
  const pixels = new Uint8ClampedArray(width * height * 4);
  for (let y = 0, to = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, to += 4) {
      const [light, blue, green] = [sum(means[0], l, forX[x], forY[y]),
        sum(means[1], p, forX[x], forY[y]), sum(means[2], q, forX[x], forY[y])];
      const b = light - blue * 2 / 3;
      const r = (light * 3 - b + green) / 2;
      pixels.set([r * 255, (r - green) * 255, b * 255, 255], to);
    }
  }
  return new ImageData(pixels, width, height);
}
