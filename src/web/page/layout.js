// Rows of pictures that fill a width: a block of the list at a time, so that pictures that arrive
// never move those of another block.

/** Pictures that are much wider or higher are cropped to these. */
const NARROWEST = 0.45;
const WIDEST = 3;

/** How much higher than the target a row may be, before it is left unfilled. */
const STRETCH = 1.6;

/** Width of a picture over its height, as it is shown. */
export const ratioOf = hit =>
  Math.min(WIDEST, Math.max(NARROWEST, hit.width / hit.height || 1));

/**
 * Breaks pictures into rows of nearly the target height, by the shortest path over all ways to
 * break (as Knuth and Plass broke paragraphs).
 *
 * `ratios` are widths over heights, `isLast` is whether the last row may stay unfilled. Returns
 * `{ from, to, height }` for each row.
 */
export function breakRows(ratios, { width, target, gap }, isLast) {
  const n = ratios.length;
  const cost = new Float64Array(n + 1).fill(Infinity);
  const from = new Int32Array(n + 1);
  cost[0] = 0;
  for (let to = 1; to <= n; to += 1) {
    let sum = 0;
    for (let at = to - 1; at >= 0; at -= 1) {
      sum += ratios[at];
      const height = (width - gap * (to - at - 1)) / sum;
      // Of a single picture, however wide, a row can always be made.
      if (height < target * 0.55 && at < to - 1) break;
      const off = height / target - 1;
      const isUnfilled = isLast && to === n && off > 0;
      const here = cost[at] + (isUnfilled ? 0 : off > 0 ? 2 * off * off : off * off * 3);
      if (here < cost[to]) {
        cost[to] = here;
        from[to] = at;
      }
    }
  }
  const rows = [];
  for (let to = n; to > 0; to = from[to]) {
    const ratio = ratios.slice(from[to], to).reduce((sum, one) => sum + one, 0);
    const full = (width - gap * (to - from[to] - 1)) / ratio;
    const highest = isLast && to === n ? target : target * STRETCH;
    rows.push({ from: from[to], to, height: Math.min(full, highest) });
  }
  return rows.reverse();
}

/** Rows for pictures whose shapes are not known yet, from the mean of the others. */
export function guessRows(n, mean, { width, target, gap }) {
  const perRow = Math.max(1, Math.round((width + gap) / (target * mean + gap)));
  const height = Math.min(target, (width - gap * (perRow - 1)) / (perRow * mean));
  const rows = [];
  for (let from = 0; from < n; from += perRow) {
    rows.push({ from, to: Math.min(n, from + perRow), height });
  }
  return rows;
}
