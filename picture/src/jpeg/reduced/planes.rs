//! The samples of each component, and their conversion to RGB.

use super::bits::Stop;
use super::header::{Colours, Component, Frame, Scan, ZIGZAG};
use super::idct::{Block, QuarterWeights, Target, Transform, rounded};
use crate::limits::Deadline;

/// How exact the samples are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Each is the mean of the samples that it replaces, as in libjpeg.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests compare with libjpeg"))]
    Exact,
    /// Blocks of 2 × 2 samples are computed from the lowest frequencies only.
    Enough,
}

/// One scan while it is decoded.
pub(super) struct Pass<'p> {
    pub(super) scan: &'p Scan,
    /// Units across and down: several blocks of each component, or one block of a single one.
    pub(super) units: (usize, usize),
    pub(super) deadline: Deadline,
}

impl<'p> Pass<'p> {
    pub(super) fn new(frame: &Frame, scan: &'p Scan, planes: &[Plane], deadline: Deadline) -> Self {
        let units = match scan.parts.as_slice() {
            [part] => planes[part.component].own_blocks,
            _ => frame.units(),
        };
        Self {
            scan,
            units,
            deadline,
        }
    }
}

/// One component at its reduced size.
pub(super) struct Plane {
    /// Blocks of this component in one unit of an interleaved scan.
    pub(super) h: usize,
    pub(super) v: usize,
    /// Samples per block, across and down.
    size: (usize, usize),
    /// Pixels per sample, across and down.
    spread: (usize, usize),
    /// Blocks across and down in a scan of this component alone.
    own_blocks: (usize, usize),
    /// Allocated blocks, across and down.
    pub(super) blocks: (usize, usize),
    /// The last coefficient that is needed, in zigzag order.
    pub(super) last: usize,
    /// The quantisation at the start of the component's first scan, in row order.
    steps: Option<[f32; 64]>,
    /// For blocks of 2 × 2 samples.
    quarters: Option<QuarterWeights>,
    stride: usize,
    samples: Vec<u8>,
}

impl Plane {
    /// The plane of a component in a picture whose sides are divided by `divisor`.
    pub(super) fn new(
        frame: &Frame,
        component: &Component,
        divisor: usize,
        detail: Detail,
    ) -> Self {
        // The blocks of a component that is sampled more coarsely give more samples, so that all
        // components get the same number, as far as the blocks have them.
        let (h_ratio, v_ratio) = (frame.h_max / component.h, frame.v_max / component.v);
        let (across, down) = (8 / divisor * h_ratio, 8 / divisor * v_ratio);
        let size = (across.min(8), down.min(8));
        let units = frame.units();
        let blocks = (units.0 * component.h, units.1 * component.v);
        Self {
            h: component.h,
            v: component.v,
            size,
            spread: (across / size.0, down / size.1),
            own_blocks: (
                frame.width.div_ceil(8 * h_ratio),
                frame.height.div_ceil(8 * v_ratio),
            ),
            blocks,
            last: last_needed(size, detail),
            steps: None,
            quarters: None,
            stride: blocks.0 * size.0,
            samples: Vec::new(),
        }
    }

    /// Size of the samples in bytes.
    pub(super) fn n_bytes(&self) -> usize {
        self.stride * self.blocks.1 * self.size.1
    }

    /// Allocates the samples. All of them are written later.
    pub(super) fn allocate(&mut self) {
        self.samples = vec![0; self.n_bytes()];
    }

    /// Sets the quantisation, unless an earlier scan of this component has set it.
    pub(super) fn set_steps(&mut self, table: Option<&[u16; 64]>) -> Result<(), Stop> {
        if self.steps.is_none() {
            let table = table.ok_or(Stop::Unexpected("a quantisation table is missing"))?;
            let mut steps = [0.0; 64];
            for (&place, &step) in ZIGZAG.iter().zip(table) {
                steps[usize::from(place)] = f32::from(step);
            }
            if self.size == (2, 2) {
                self.quarters = Some(QuarterWeights::new(&steps, self.last));
            }
            self.steps = Some(steps);
        }
        Ok(())
    }

    /// The weights of coefficients when blocks become 2 × 2 samples.
    #[inline(always)]
    pub(super) fn quarters(&self) -> Option<&QuarterWeights> {
        self.quarters.as_ref()
    }

    /// Writes the samples of the block at this column and row.
    #[inline(always)]
    pub(super) fn write(
        &mut self,
        transform: &Transform,
        block: &Block,
        (column, row): (usize, usize),
    ) {
        let start = row * self.size.1 * self.stride + column * self.size.0;
        if let (Some(steps), Some(samples)) = (&self.steps, self.samples.get_mut(start..)) {
            let stride = self.stride;
            let mut target = Target { samples, stride };
            transform.write(block, steps, self.size, &mut target);
        }
    }

    /// Writes four samples, given around zero, of the block at this column and row.
    #[inline(always)]
    pub(super) fn write_quarters(&mut self, values: [f32; 4], (column, row): (usize, usize)) {
        let start = 2 * (row * self.stride + column);
        let samples = values.map(rounded);
        if let Some(target) = self.samples.get_mut(start..start + self.stride + 2) {
            target[..2].copy_from_slice(&samples[..2]);
            target[self.stride..].copy_from_slice(&samples[2..]);
        }
    }

    /// A row of samples as wide as the picture. They are repeated in `scratch` where necessary.
    fn row<'r>(&'r self, y: usize, width: usize, scratch: &'r mut Vec<u8>) -> &'r [u8] {
        let start = y / self.spread.1 * self.stride;
        let samples = &self.samples[start..start + self.stride];
        if self.spread.0 == 1 {
            return &samples[..width];
        }
        scratch.clear();
        for &sample in samples {
            scratch.extend(std::iter::repeat_n(sample, self.spread.0));
        }
        &scratch[..width]
    }
}

impl Frame {
    /// Units of an interleaved scan across and down.
    pub(super) fn units(&self) -> (usize, usize) {
        (
            self.width.div_ceil(8 * self.h_max),
            self.height.div_ceil(8 * self.v_max),
        )
    }

    /// Width and height of the picture when its sides are divided.
    pub(super) fn reduced_size(&self, divisor: usize) -> (usize, usize) {
        (self.width.div_ceil(divisor), self.height.div_ceil(divisor))
    }
}

/// The last coefficient that is needed for blocks of `size` samples, in zigzag order.
fn last_needed(size: (usize, usize), detail: Detail) -> usize {
    match (size.0.max(size.1), detail) {
        (1, _) => 0,
        // Both indices below 2: half the time, for an error that the resize after it halves.
        (2, Detail::Enough) => 4,
        _ => 63,
    }
}

/// Converts planes to rows of red, green and blue.
pub(super) fn to_rgb(planes: &[Plane], colours: Colours, width: usize, height: usize) -> Vec<u8> {
    let mut rgb = vec![0; 3 * width * height];
    let mut scratch = [Vec::new(), Vec::new(), Vec::new()];
    for (y, out) in rgb.chunks_exact_mut(3 * width).enumerate() {
        match planes {
            [grey] => {
                let [first, ..] = &mut scratch;
                for (pixel, &grey) in out.chunks_exact_mut(3).zip(grey.row(y, width, first)) {
                    pixel.fill(grey);
                }
            }
            [a, b, c] => {
                let [first, second, third] = &mut scratch;
                let a = a.row(y, width, first);
                let b = b.row(y, width, second);
                let c = c.row(y, width, third);
                if colours == Colours::Rgb {
                    for (i, pixel) in out.chunks_exact_mut(3).enumerate() {
                        pixel.copy_from_slice(&[a[i], b[i], c[i]]);
                    }
                } else {
                    row_to_rgb(a, b, c, out);
                }
            }
            _ => {}
        }
    }
    rgb
}

/// Converts luminance and two colour differences to red, green and blue (JFIF 1.02, page 3).
fn row_to_rgb(y: &[u8], cb: &[u8], cr: &[u8], out: &mut [u8]) {
    for (((pixel, &y), &cb), &cr) in out.chunks_exact_mut(3).zip(y).zip(cb).zip(cr) {
        // 16 fractional bits.
        let y = (i32::from(y) << 16) + 32_768;
        let (cb, cr) = (i32::from(cb) - 128, i32::from(cr) - 128);
        let byte = |value: i32| (value >> 16).clamp(0, 255) as u8;
        pixel[0] = byte(y + 91_881 * cr);
        pixel[1] = byte(y - 22_554 * cb - 46_802 * cr);
        pixel[2] = byte(y + 116_130 * cb);
    }
}
