//! Converts luminance and colour differences to RGB.
//!
//! By the equations of ITU-T H.273, section 8.3, in integers with 16 fractional bits. Subsampled
//! colour differences are repeated for HEVC, as in libheif, and interpolated for AV1, as in
//! libavif. At the input sizes of encoders there is little difference.

/// The colour coding of a picture (code points of ITU-T H.273).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Coding {
    /// Matrix coefficients.
    pub(super) matrix: u16,
    /// Whether values use the full range, or 16 (black) to 235 (white) of 8 bits.
    pub(super) is_full_range: bool,
    /// Colour primaries.
    pub(super) primaries: u16,
    /// Transfer characteristics.
    pub(super) transfer: u16,
}

/// The planes of a decoded picture: luminance and colour differences.
pub(super) struct Planes<'a> {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Bits per value, 8 to 16.
    pub(super) n_bits: u32,
    /// Binary logarithms of the number of pixels that share a colour difference, in width and in
    /// height; `None` for grey.
    pub(super) sampling: Option<(u32, u32)>,
    /// Whether subsampled colour differences are interpolated.
    pub(super) is_interpolated: bool,
    /// Copies a row of a plane (0, 1 or 2) into a buffer; the shorter length counts.
    pub(super) row: &'a dyn Fn(usize, u32, &mut [u16]),
}

/// A picture that tiles are placed on: red, green and blue, or luminance alone.
pub(super) struct Canvas {
    pub(super) values: Vec<u8>,
    width: usize,
    n_channels: usize,
}

impl Canvas {
    /// A canvas with three bytes per pixel or one.
    pub(super) fn new(width: u32, height: u32, n_channels: usize) -> Self {
        let (width, height) = (width as usize, height as usize);
        Self {
            values: vec![0; width * height * n_channels],
            width,
            n_channels,
        }
    }

    /// Converts a tile and places its upper left pixel; what exceeds the canvas is left out.
    pub(super) fn put(&mut self, tile: &Planes<'_>, coding: Coding, (x, y): (u32, u32)) {
        let (x, y) = (x as usize, y as usize);
        let n_columns = (tile.width as usize).min(self.width.saturating_sub(x));
        if n_columns == 0 {
            return;
        }
        let sampling = tile.sampling.filter(|_| self.n_channels == 3);
        let has_colour = sampling.is_some();
        let (in_width, in_height) = sampling.unwrap_or_default();
        let n_bits = tile.n_bits;
        let matrix = Matrix::new(coding, n_bits);
        let mut luma = vec![0; n_columns];
        let mut blue = vec![0; if has_colour { n_columns } else { 0 }];
        let mut red = blue.clone();
        let mut upsampler = Upsampler {
            in_width,
            in_height,
            near: vec![0; (tile.width as usize).div_ceil(1 << in_width)],
            far: Vec::new(),
        };
        upsampler.far.clone_from(&upsampler.near);
        let rows = self.values.chunks_exact_mut(self.width * self.n_channels);
        for (row, y) in rows.skip(y).zip(0..tile.height) {
            (tile.row)(0, y, &mut luma);
            let pixels = &mut row[x * self.n_channels..][..n_columns * self.n_channels];
            if self.n_channels == 1 {
                for (value, &luma) in pixels.iter_mut().zip(&luma) {
                    *value = full_range_byte(luma, n_bits);
                }
            } else if has_colour {
                if tile.is_interpolated || y.is_multiple_of(1 << in_height) {
                    upsampler.row(tile, 1, y, &mut blue);
                    upsampler.row(tile, 2, y, &mut red);
                }
                let colours = blue.iter().zip(&red);
                for ((pixel, &luma), (&blue, &red)) in
                    pixels.chunks_exact_mut(3).zip(&luma).zip(colours)
                {
                    pixel.copy_from_slice(&matrix.rgb(luma, blue, red));
                }
            } else {
                for (pixel, &luma) in pixels.chunks_exact_mut(3).zip(&luma) {
                    pixel.fill(matrix.grey(luma));
                }
            }
        }
    }
}

/// Scales rows of colour differences to the size of luminance.
struct Upsampler {
    in_width: u32,
    in_height: u32,
    near: Vec<u16>,
    far: Vec<u16>,
}

impl Upsampler {
    /// Writes the row of a plane for row `y` of luminance.
    ///
    /// Values are centred on the pixels that share them: three parts of the nearest value, one part
    /// of the next.
    fn row(&mut self, tile: &Planes<'_>, plane: usize, y: u32, into: &mut [u16]) {
        let at = y >> self.in_height;
        (tile.row)(plane, at, &mut self.near);
        if !tile.is_interpolated {
            for (n, value) in into.iter_mut().enumerate() {
                *value = self.near[n >> self.in_width];
            }
            return;
        }
        if self.in_height == 1 {
            let last = tile.height.div_ceil(2) - 1;
            let next = if y.is_multiple_of(2) {
                at.saturating_sub(1)
            } else {
                (at + 1).min(last)
            };
            (tile.row)(plane, next, &mut self.far);
        } else {
            self.far.clone_from(&self.near);
        }
        let mixed = |n: usize| 3 * u32::from(self.near[n]) + u32::from(self.far[n]);
        let last = self.near.len() - 1;
        for (n, value) in into.iter_mut().enumerate() {
            let sum = if self.in_width == 1 {
                let at = n / 2;
                let next = if n % 2 == 0 {
                    at.saturating_sub(1)
                } else {
                    (at + 1).min(last)
                };
                3 * mixed(at) + mixed(next)
            } else {
                4 * mixed(n)
            };
            // A mean of values of 16 bits at most.
            *value = u16::try_from((sum + 8) / 16).unwrap_or(u16::MAX);
        }
    }
}

/// Scales a full-range value to a byte, rounded.
fn full_range_byte(value: u16, n_bits: u32) -> u8 {
    let most = (1u32 << n_bits) - 1;
    let byte = (u32::from(value).min(most) * 255 + most / 2) / most;
    u8::try_from(byte).unwrap_or(u8::MAX)
}

/// Conversion factors with 16 fractional bits, for values of `n_bits` bits.
struct Matrix {
    model: Model,
    luma: i64,
    black: i64,
    middle: i64,
}

enum Model {
    /// Green, blue and red are stored directly.
    Identity,
    /// `YCgCo`, with the scale of the colour differences.
    YCgCo(i64),
    /// Red from the red difference, green from both, blue from the blue one.
    YCbCr {
        red: i64,
        green: [i64; 2],
        blue: i64,
    },
}

const HALF: i64 = 1 << 15;

impl Matrix {
    fn new(coding: Coding, n_bits: u32) -> Self {
        let most = f64::from((1u32 << n_bits) - 1);
        let step = f64::from(1u32 << (n_bits - 8));
        let (black, luma_range, colour_range) = if coding.is_full_range {
            (0.0, most, most)
        } else {
            (16.0 * step, 219.0 * step, 224.0 * step)
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "factors are below 600 × 2^16"
        )]
        let fixed = |factor: f64| (factor * 65_536.0).round() as i64;
        // The weights of red and blue in luminance.
        let (red, blue) = match coding.matrix {
            1 => (0.2126, 0.0722),
            4 => (0.30, 0.11),
            7 => (0.212, 0.087),
            9 | 10 => (0.2627, 0.0593),
            // 5, 6 and unspecified: ITU-R BT.601, as in libheif and libavif.
            _ => (0.299, 0.114),
        };
        let green = 1.0 - red - blue;
        let scale = 255.0 / colour_range;
        let model = match coding.matrix {
            0 => Model::Identity,
            8 => Model::YCgCo(fixed(scale)),
            _ => Model::YCbCr {
                red: fixed(2.0 * (1.0 - red) * scale),
                green: [
                    fixed(2.0 * (1.0 - blue) * blue / green * scale),
                    fixed(2.0 * (1.0 - red) * red / green * scale),
                ],
                blue: fixed(2.0 * (1.0 - blue) * scale),
            },
        };
        #[expect(clippy::cast_possible_truncation, reason = "at most 16 × 256")]
        let black = black as i64;
        Self {
            model,
            luma: fixed(255.0 / luma_range),
            black,
            middle: 1 << (n_bits - 1),
        }
    }

    fn grey(&self, luma: u16) -> u8 {
        byte((i64::from(luma) - self.black) * self.luma)
    }

    fn rgb(&self, luma: u16, blue: u16, red: u16) -> [u8; 3] {
        let grey = (i64::from(luma) - self.black) * self.luma;
        let (b, r) = (i64::from(blue) - self.middle, i64::from(red) - self.middle);
        match &self.model {
            Model::Identity => [self.grey(red), self.grey(luma), self.grey(blue)],
            Model::YCgCo(scale) => {
                let (b, r) = (b * scale, r * scale);
                [byte(grey - b + r), byte(grey + b), byte(grey - b - r)]
            }
            Model::YCbCr {
                red,
                green: [from_blue, from_red],
                blue,
            } => [
                byte(grey + r * red),
                byte(grey - b * from_blue - r * from_red),
                byte(grey + b * blue),
            ],
        }
    }
}

/// Rounds a number with 16 fractional bits to a byte.
fn byte(value: i64) -> u8 {
    u8::try_from(((value + HALF) >> 16).clamp(0, 255)).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODING: Coding = Coding {
        matrix: 6,
        is_full_range: true,
        primaries: 1,
        transfer: 13,
    };

    fn shown(n_bits: u32, coding: Coding, values: [u16; 3]) -> [u8; 3] {
        Matrix::new(coding, n_bits).rgb(values[0], values[1], values[2])
    }

    /// Expected values calculated by hand from the equations of H.273.
    #[test]
    fn known_colours_are_converted() {
        let near = |a: [u8; 3], b: [u8; 3]| a.iter().zip(b).all(|(a, b)| a.abs_diff(b) <= 1);
        // Pure red in BT.601, full range: 76.2, 85.0, 255.5.
        assert!(near(shown(8, CODING, [76, 85, 255]), [254, 0, 0]));
        let limited = Coding {
            is_full_range: false,
            matrix: 1,
            ..CODING
        };
        assert_eq!(shown(8, limited, [16, 128, 128]), [0; 3]);
        assert_eq!(shown(8, limited, [235, 128, 128]), [255; 3]);
        assert_eq!(shown(10, limited, [940, 512, 512]), [255; 3]);
        // Pure green in BT.709, limited range: 173, 42, 26.
        assert!(near(shown(8, limited, [173, 42, 26]), [0, 255, 1]));
        // Pure blue in BT.2020, limited range, 10 bits: 116, 960, 481.
        let wide = Coding {
            matrix: 9,
            ..limited
        };
        assert!(near(shown(10, wide, [116, 960, 476]), [0, 0, 255]));
        let identity = Coding {
            matrix: 0,
            ..CODING
        };
        assert_eq!(shown(8, identity, [10, 20, 30]), [30, 10, 20]);
        let differences = Coding {
            matrix: 8,
            ..CODING
        };
        assert_eq!(shown(8, differences, [128, 255, 128]), [1, 255, 1]);
    }

    #[test]
    fn tiles_are_placed_and_clipped_at_the_edges() {
        let mut canvas = Canvas::new(6, 5, 3);
        for (x, y, luma) in [(0, 0, 10), (4, 0, 20), (0, 4, 30), (4, 4, 40), (9, 9, 50)] {
            let tile = Planes {
                width: 4,
                height: 4,
                n_bits: 8,
                sampling: Some((1, 1)),
                is_interpolated: false,
                row: &|plane, _, into| into.fill([luma, 128, 128][plane]),
            };
            canvas.put(&tile, CODING, (x, y));
        }
        let values: Vec<u8> = canvas.values.chunks(3).map(|p| p[1]).collect();
        let upper = [10, 10, 10, 10, 20, 20];
        let lower = [30, 30, 30, 30, 40, 40];
        assert_eq!(values, [upper, upper, upper, upper, lower].concat());
    }

    #[test]
    fn colour_differences_are_interpolated() {
        let steps = Planes {
            width: 6,
            height: 4,
            n_bits: 8,
            sampling: None,
            is_interpolated: true,
            row: &|_, y, into| {
                let row = if y == 0 { [0, 16, 32] } else { [64, 80, 96] };
                into.copy_from_slice(&row);
            },
        };
        let spread_row = |y| {
            let mut upsampler = Upsampler {
                in_width: 1,
                in_height: 1,
                near: vec![0; 3],
                far: vec![0; 3],
            };
            let mut row = [0; 6];
            upsampler.row(&steps, 1, y, &mut row);
            row
        };
        assert_eq!(spread_row(0), [0, 4, 12, 20, 28, 32]);
        assert_eq!(spread_row(1), [16, 20, 28, 36, 44, 48]);
        assert_eq!(spread_row(3), [64, 68, 76, 84, 92, 96]);
    }

    #[test]
    fn alpha_of_ten_bits_is_scaled_to_eight() {
        let tile = Planes {
            width: 2,
            height: 1,
            n_bits: 10,
            sampling: None,
            is_interpolated: false,
            row: &|plane, _, into| into.fill([1023, 0, 0][plane]),
        };
        let mut canvas = Canvas::new(2, 1, 1);
        canvas.put(&tile, CODING, (0, 0));
        assert_eq!(canvas.values, [255, 255]);
        assert_eq!(
            (
                full_range_byte(0, 10),
                full_range_byte(512, 10),
                full_range_byte(600, 8)
            ),
            (0, 128, 255)
        );
    }
}
