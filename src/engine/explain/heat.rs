//! Which parts of a picture are masked, and what the similarities without them say. No I/O.
//!
//! A grid of [`SIDE`] × [`SIDE`] cells lies over the part of the picture that the model sees. Masks
//! are square windows of cells: first halves and thirds all over, then small ones where those
//! mattered most. What shows all over a picture, such as a large ship, is only missed when much of
//! it is masked; small windows find where a small thing lies. Neighbouring windows overlap, so that
//! no edge of the grid hides what lies across it.

use sightline_onnx::SeenPart;

/// Cells per side of the grid: three thirds of four cells.
pub(super) const SIDE: usize = 12;

/// Cells per side of the windows of each size that are masked all over, and from one window to the
/// next: half of the side that is seen, and a third.
const LARGE: [(usize, usize); 2] = [(6, 3), (4, 2)];

/// The same of a small window.
const SMALL: (usize, usize) = (2, 1);

/// The most small windows.
const N_SMALL: usize = 24;

/// Some cells that are masked together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mask {
    /// The first column, from 0.
    pub(super) column: usize,
    /// The first row, from 0.
    pub(super) row: usize,
    /// Columns and rows.
    pub(super) n_cells: usize,
}

/// A ninth of the part of a picture that the model sees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ninth {
    /// `upper left`, `middle` and so on.
    pub name: &'static str,
    /// Its share of all evidence for the text, 0…1.
    pub share: f32,
}

/// The names of the ninths, row by row.
const PLACES: [&str; 9] = [
    "upper left",
    "upper middle",
    "upper right",
    "middle left",
    "middle",
    "middle right",
    "lower left",
    "lower middle",
    "lower right",
];

/// By how much each part of a picture supports a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Heat {
    /// The part of the picture that the grid covers: all that the model sees of it.
    pub seen: SeenPart,
    /// Columns and rows of the grid.
    pub side: usize,
    /// Of each cell, row by row: by how much the similarity falls, on average, when a window with
    /// the cell is masked, summed up over windows of half the width and height, of a third, and,
    /// where these mattered most, of a sixth. Below 0, the picture is nearer to the text without
    /// the cell.
    pub values: Vec<f32>,
}

impl Heat {
    /// The ninths of the part that is seen, row by row from the upper left, each with its share of
    /// all values above 0. All shares are 0 when there is none.
    #[must_use]
    pub fn places(&self) -> [Ninth; 9] {
        let mut sums = [0.0; 9];
        for (number, value) in self.values.iter().enumerate() {
            let (row, column) = (number / self.side, number % self.side);
            let ninth = |cell: usize| cell * 3 / self.side.max(1);
            sums[3 * ninth(row) + ninth(column)] += value.max(0.0);
        }
        let total: f32 = sums.iter().sum();
        std::array::from_fn(|number| Ninth {
            name: PLACES[number],
            share: if total > 0.0 {
                sums[number] / total
            } else {
                0.0
            },
        })
    }

    /// The places that matter most: the fewest that have half of the evidence together, the
    /// strongest first, and at most three. Empty when no part supports the text.
    #[must_use]
    pub fn strongest(&self) -> Vec<Ninth> {
        let mut places = self.places();
        places.sort_by(|a, b| b.share.total_cmp(&a.share));
        let mut sum = 0.0;
        let is_needed = |place: &Ninth| {
            let is_needed = sum < 0.5 && place.share > 0.0;
            sum += place.share;
            is_needed
        };
        places.into_iter().take_while(is_needed).take(3).collect()
    }
}

/// Large windows of both sizes, all over the grid.
pub(super) fn large_masks() -> Vec<Mask> {
    LARGE.into_iter().flat_map(masks).collect()
}

/// Small windows where the large ones mattered most, by what the similarity falls by for each cell;
/// none where masking changed nothing or made the picture fit better.
pub(super) fn small_masks(falls: &[f32]) -> Vec<Mask> {
    let fall = |mask: &Mask| mask.cells().map(|cell| falls[cell]).sum::<f32>();
    let mut masks: Vec<(f32, Mask)> = masks(SMALL)
        .into_iter()
        .map(|mask| (fall(&mask), mask))
        .filter(|(fall, _)| *fall > 0.0)
        .collect();
    masks.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    masks.truncate(N_SMALL);
    masks.into_iter().map(|(_, mask)| mask).collect()
}

fn masks((n_cells, step): (usize, usize)) -> Vec<Mask> {
    let starts = || (0..=SIDE - n_cells).step_by(step);
    let of_row = |row| starts().map(move |column| (column, row));
    let all = starts().flat_map(of_row);
    all.map(|(column, row)| Mask {
        column,
        row,
        n_cells,
    })
    .collect()
}

impl Mask {
    fn cells(self) -> impl Iterator<Item = usize> {
        let rows = self.row..self.row + self.n_cells;
        let columns = move || self.column..self.column + self.n_cells;
        rows.flat_map(move |row| columns().map(move |column| SIDE * row + column))
    }

    /// Its columns and rows in a picture of this size of which the model sees a part: first and
    /// last but one, in pixels.
    pub(super) fn pixels(
        self,
        seen: SeenPart,
        (width, height): (u32, u32),
    ) -> ((u32, u32), (u32, u32)) {
        let range = |first: usize, (from, to): (f32, f32), length: u32| {
            let at = |cell: usize| {
                let share = f64::from(from) + f64::from(to - from) * cell as f64 / SIDE as f64;
                pixel(share * f64::from(length), length)
            };
            (at(first), at(first + self.n_cells))
        };
        (
            range(self.column, (seen.left, seen.right), width),
            range(self.row, (seen.top, seen.bottom), height),
        )
    }
}

/// The nearest boundary between pixels, from 0 to `length`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the length of a side"
)]
fn pixel(at: f64, length: u32) -> u32 {
    at.round().clamp(0.0, f64::from(length)) as u32
}

/// What the similarity falls by for each cell, row by row: the mean over the masks of a size that
/// have the cell, summed up over the sizes.
pub(super) fn values(masks: &[Mask], falls: &[f32]) -> Vec<f32> {
    let sizes = LARGE.into_iter().chain([SMALL]);
    let mut values = vec![0.0; SIDE * SIDE];
    for (n_cells, _) in sizes {
        let mut sums = vec![(0.0, 0.0); SIDE * SIDE];
        let of_size = masks.iter().zip(falls);
        for (mask, fall) in of_size.filter(|(mask, _)| mask.n_cells == n_cells) {
            for cell in mask.cells() {
                sums[cell].0 += fall;
                sums[cell].1 += 1.0;
            }
        }
        for (value, (sum, n)) in values.iter_mut().zip(sums) {
            *value += if n > 0.0 { sum / n } else { 0.0 };
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heat(at: impl Fn(usize, usize) -> f32) -> Heat {
        let cells = 0..SIDE * SIDE;
        Heat {
            seen: SeenPart::WHOLE,
            side: SIDE,
            values: cells.map(|cell| at(cell / SIDE, cell % SIDE)).collect(),
        }
    }

    #[test]
    fn large_masks_cover_every_cell() {
        let masks = large_masks();
        assert_eq!(masks.len(), 9 + 25);
        let ones = vec![1.0; masks.len()];
        assert_eq!(values(&masks, &ones), vec![2.0; SIDE * SIDE]);
        // Each size counts by its mean over the masks of a cell.
        let one = |mask: &Mask| {
            if (mask.row, mask.column) == (0, 0) {
                1.0
            } else {
                0.0
            }
        };
        let falls: Vec<f32> = masks.iter().map(one).collect();
        let values = values(&masks, &falls);
        let expected = [
            (0, 2.0),
            (3, 0.5 + 0.5),
            (4, 0.5),
            (6, 0.0),
            (39, 0.25 + 0.25),
        ];
        assert_eq!(expected.len(), 5);
        for (cell, expected) in expected {
            assert_eq!(values[cell], expected, "{cell}");
        }
    }

    #[test]
    fn small_masks_are_where_large_ones_mattered() {
        let falls = heat(|row, column| if row < 6 && column >= 6 { 0.2 } else { -0.1 });
        let masks = small_masks(&falls.values);
        assert_eq!(masks.len(), N_SMALL);
        assert!(masks.iter().all(|mask| mask.row < 5 && mask.column >= 6));
        assert_eq!(small_masks(&heat(|_, _| -0.1).values), []);
    }

    #[test]
    fn the_ninths_share_what_supports_the_text() {
        let heat = heat(|row, column| match (row, column) {
            (0..4, 0..4) => 3.0,
            (4..8, 4..8) => 1.0,
            _ => -1.0,
        });
        let shares = heat.places().map(|place| place.share);
        assert_eq!(shares, [0.75, 0.0, 0.0, 0.0, 0.25, 0.0, 0.0, 0.0, 0.0]);
        let names: Vec<&str> = heat.strongest().iter().map(|place| place.name).collect();
        assert_eq!(names, ["upper left"]);
    }

    #[test]
    fn even_evidence_names_three_places_and_none_names_nothing() {
        assert_eq!(heat(|_, _| 1.0).strongest().len(), 3);
        assert_eq!(heat(|_, _| -1.0).strongest(), []);
        let shares = heat(|_, _| 0.0).places().map(|place| place.share);
        assert_eq!(shares, [0.0; 9]);
    }

    #[test]
    fn masks_lie_in_the_part_that_is_seen() {
        let mask = |column, row, n_cells| Mask {
            column,
            row,
            n_cells,
        };
        let middle = SeenPart {
            left: 0.25,
            right: 0.75,
            ..SeenPart::WHOLE
        };
        let rows = [
            (mask(0, 0, 4), SeenPart::WHOLE, ((0, 40), (0, 20))),
            (mask(8, 8, 4), SeenPart::WHOLE, ((80, 120), (40, 60))),
            (mask(0, 0, 4), middle, ((30, 50), (0, 20))),
            (mask(10, 6, 2), middle, ((80, 90), (30, 40))),
        ];
        assert_eq!(rows.len(), 4);
        for (mask, seen, expected) in rows {
            assert_eq!(mask.pixels(seen, (120, 60)), expected, "{mask:?}");
        }
        // A picture of fewer pixels than cells.
        assert_eq!(
            mask(11, 0, 1).pixels(SeenPart::WHOLE, (1, 1)),
            ((1, 1), (0, 0))
        );
    }
}
