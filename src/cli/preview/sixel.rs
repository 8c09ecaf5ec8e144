//! Sixel graphics: rows of six pixels, one colour of a palette after the other.
//!
//! DEC, "VT330/VT340 Programmer Reference Manual", volume 2, chapter 14.
//!
//! Written here because the crate for it, `icy_sixel`, brings 14 others for its choice of colours;
//! the one of this program's GIF decoder chooses them too.

use std::fmt::Write as _;

use color_quant::NeuQuant;
use image::RgbImage;

/// Most colours of a picture.
const N_COLOURS: usize = 256;

/// How many pixels the choice of colours leaves out, from 1 (none) to 30.
const SAMPLING: i32 = 10;

/// Height of a row of sixels, in pixels.
const BAND: usize = 6;

/// The escape sequence that draws a picture.
pub(super) fn drawing(picture: &RgbImage) -> String {
    let pixels: Vec<u8> = picture
        .pixels()
        .flat_map(|pixel| [pixel.0[0], pixel.0[1], pixel.0[2], u8::MAX])
        .collect();
    let quantizer = NeuQuant::new(SAMPLING, N_COLOURS, &pixels);
    let indices = pixels
        .chunks_exact(4)
        .map(|pixel| quantizer.index_of(pixel));
    let indices: Vec<usize> = indices.collect();
    let (width, height) = picture.dimensions();
    // Pixels that are not drawn keep their colour (1); they are square (1;1).
    let mut drawing = format!("\u{1b}P0;1q\"1;1;{width};{height}");
    let is_used = used(&indices);
    for (number, colour) in quantizer.color_map_rgb().chunks_exact(3).enumerate() {
        if is_used.get(number) == Some(&true) {
            let [red, green, blue] = [colour[0], colour[1], colour[2]].map(per_cent);
            let _ = write!(drawing, "#{number};2;{red};{green};{blue}");
        }
    }
    let width = picture.width() as usize;
    for band in indices.chunks(BAND * width) {
        let mut is_first = true;
        for (number, _) in (0..).zip(used(band)).filter(|(_, is_used)| *is_used) {
            // Back to the left end of the row.
            drawing.push_str(if is_first { "" } else { "$" });
            is_first = false;
            let _ = write!(drawing, "#{number}");
            push_row(&mut drawing, band, width, number);
        }
        // To the next row.
        drawing.push('-');
    }
    drawing.push_str("\u{1b}\\");
    drawing
}

/// Which colours pixels have.
fn used(indices: &[usize]) -> [bool; N_COLOURS] {
    let mut used = [false; N_COLOURS];
    for &index in indices {
        if let Some(is_used) = used.get_mut(index) {
            *is_used = true;
        }
    }
    used
}

/// The pixels of one colour in a row, without those that follow the last of them.
fn push_row(drawing: &mut String, band: &[usize], width: usize, colour: usize) {
    let sixel = |column: usize| {
        let pixels = band.iter().skip(column).step_by(width).enumerate();
        let of_colour = pixels.filter(|(_, index)| **index == colour);
        of_colour.fold(0_u8, |bits, (row, _)| bits | 1 << row)
    };
    let (mut run, mut n) = (0, 0);
    for column in 0..width {
        let bits = sixel(column);
        if bits != run {
            push_run(drawing, run, n);
            (run, n) = (bits, 0);
        }
        n += 1;
    }
    if run != 0 {
        push_run(drawing, run, n);
    }
}

/// The same six pixels `n` times.
fn push_run(drawing: &mut String, bits: u8, n: usize) {
    let sixel = char::from(b'?' + bits);
    if n > 3 {
        let _ = write!(drawing, "!{n}{sixel}");
    } else {
        drawing.extend(std::iter::repeat_n(sixel, n));
    }
}

/// Parts of 255 as parts of 100, rounded.
fn per_cent(part: u8) -> u16 {
    (u16::from(part) * 100 + 127) / 255
}
