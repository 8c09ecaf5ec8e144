//! Pictures in the terminal: kitty's and iTerm2's protocols, and half blocks everywhere else.
//!
//! Written here because the crate for it, viuer, brings a library under the LGPL.

use std::fmt::Write as _;
use std::io::Cursor;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::{ImageFormat, Rgb, RgbImage, imageops};
use sightline_picture::DecodeLimits;

/// Lines of the terminal that a picture takes at most.
const MAX_LINES: u32 = 12;

/// The most columns that a picture takes.
const MAX_COLUMNS: u32 = 48;

/// Pixels of the longer side of a picture that the terminal itself draws.
const SIDE: u32 = 480;

/// The same of one that is drawn in characters: enough for a clean reduction.
const SIDE_OF_BLOCKS: u32 = 4 * MAX_COLUMNS;

/// Bytes of base64 in one escape sequence of kitty's protocol, which allows 4,096.
const KITTY_CHUNK: usize = 4096;

/// How a terminal shows pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Graphics {
    /// <https://sw.kovidgoyal.net/kitty/graphics-protocol/>
    Kitty,
    /// <https://iterm2.com/documentation-images.html>
    ITerm,
    /// Two pixels per character, `▀` in colours of 24 bits.
    Blocks,
    /// The same in the 256 colours of xterm.
    BlocksOf256,
}

/// The variables that say which terminal this is, as far as they are set.
#[derive(Debug, Clone, Default)]
pub(super) struct TerminalNames {
    pub(super) term: String,
    pub(super) term_program: String,
    pub(super) lc_terminal: String,
    pub(super) colorterm: String,
    pub(super) is_in_kitty: bool,
}

impl Graphics {
    /// What a terminal of these names can do. Terminals within terminals (tmux, screen) pass only
    /// characters on.
    pub(super) fn of(names: &TerminalNames) -> Self {
        let TerminalNames {
            term,
            term_program,
            lc_terminal,
            colorterm,
            is_in_kitty,
        } = names;
        let is_nested = term.starts_with("tmux") || term.starts_with("screen");
        if !is_nested {
            if *is_in_kitty || term == "xterm-kitty" || term == "xterm-ghostty" {
                return Self::Kitty;
            }
            let shows_files = ["iTerm.app", "WezTerm", "mintty", "vscode"];
            if lc_terminal == "iTerm2" || shows_files.contains(&term_program.as_str()) {
                return Self::ITerm;
            }
        }
        if colorterm == "truecolor" || colorterm == "24bit" || term.ends_with("-direct") {
            Self::Blocks
        } else {
            Self::BlocksOf256
        }
    }

    /// The characters and escape sequences that show the picture in a file, indented by `indent`
    /// columns, on a terminal of `columns`. Ends with a line break.
    ///
    /// # Errors
    /// Why the file cannot be shown, in a few words.
    pub(super) fn drawing(
        self,
        path: &Path,
        indent: usize,
        columns: usize,
    ) -> Result<String, String> {
        let bytes = fs_err::read(path).map_err(|error| error.to_string())?;
        let side = match self {
            Self::Kitty | Self::ITerm => SIDE,
            Self::Blocks | Self::BlocksOf256 => SIDE_OF_BLOCKS,
        };
        let picture = sightline_picture::reduced(&bytes, &DecodeLimits::default(), side);
        self.drawn(&picture.map_err(|error| error.reason())?, indent, columns)
    }

    /// The same for a picture in memory.
    ///
    /// # Errors
    /// As [`drawing`](Self::drawing).
    pub(super) fn drawn(
        self,
        picture: &RgbImage,
        indent: usize,
        columns: usize,
    ) -> Result<String, String> {
        let columns = u32::try_from(columns.saturating_sub(indent)).unwrap_or(u32::MAX);
        let columns = columns.clamp(1, MAX_COLUMNS);
        let small = small(picture);
        let picture = small.as_ref().unwrap_or(picture);
        let (_, lines) = cells(picture.dimensions(), columns);
        let left = " ".repeat(indent);
        let encoded = |format| {
            let mut file = Cursor::new(Vec::new());
            let written = picture.write_to(&mut file, format);
            written.map_err(|error| error.to_string())?;
            Ok::<_, String>(file.into_inner())
        };
        Ok(match self {
            Self::Kitty => left + &kitty(&encoded(ImageFormat::Png)?, lines) + "\n",
            Self::ITerm => left + &iterm(&encoded(ImageFormat::Jpeg)?, lines) + "\n",
            Self::Blocks | Self::BlocksOf256 => {
                blocks(picture, &left, columns, self == Self::Blocks)
            }
        })
    }
}

/// A picture that the terminal need not make much smaller itself; `None` if it is small.
fn small(picture: &RgbImage) -> Option<RgbImage> {
    let (width, height) = picture.dimensions();
    let longer = width.max(height);
    let scaled = |side: u32| {
        let side = u64::from(side) * u64::from(SIDE) / u64::from(longer);
        u32::try_from(side).unwrap_or(SIDE).max(1)
    };
    (longer > SIDE).then(|| imageops::thumbnail(picture, scaled(width), scaled(height)))
}

/// Columns and lines of a picture of this size, a character being twice as high as wide.
fn cells((width, height): (u32, u32), columns: u32) -> (u32, u32) {
    let scaled = |max: u32, other: u32, this: u32| {
        let scaled = u64::from(max) * u64::from(this) / u64::from(other.max(1));
        u32::try_from(scaled).unwrap_or(u32::MAX)
    };
    let wide = scaled(2 * MAX_LINES, height, width);
    if wide <= columns {
        return (wide.max(1), MAX_LINES);
    }
    let high = scaled(columns, width, height);
    (columns, high.div_ceil(2).clamp(1, MAX_LINES))
}

/// A PNG, drawn `lines` high (`r`); the terminal is not to answer (`q`).
fn kitty(png: &[u8], lines: u32) -> String {
    let data = STANDARD.encode(png);
    let mut drawing = String::with_capacity(data.len() + data.len() / 100);
    let mut control = format!("a=T,f=100,r={lines},q=2,");
    let mut rest = data.as_str();
    while !rest.is_empty() {
        let (chunk, others) = rest.split_at(rest.len().min(KITTY_CHUNK));
        let more = u8::from(!others.is_empty());
        let _ = write!(drawing, "\u{1b}_G{control}m={more};{chunk}\u{1b}\\");
        control.clear();
        rest = others;
    }
    drawing
}

/// A JPEG, drawn `lines` high.
fn iterm(jpeg: &[u8], lines: u32) -> String {
    let (size, data) = (jpeg.len(), STANDARD.encode(jpeg));
    format!(
        "\u{1b}]1337;File=inline=1;size={size};height={lines};preserveAspectRatio=1:{data}\u{7}"
    )
}

/// The picture in characters `▀`: the upper pixel is their colour, the lower one that behind them.
fn blocks(picture: &RgbImage, left: &str, columns: u32, has_all_colours: bool) -> String {
    let (columns, lines) = cells(picture.dimensions(), columns);
    let small = imageops::thumbnail(picture, columns, 2 * lines);
    let colour = |Rgb([red, green, blue]): Rgb<u8>| {
        if has_all_colours {
            format!("2;{red};{green};{blue}")
        } else {
            format!("5;{}", of_256([red, green, blue]))
        }
    };
    let mut drawing = String::new();
    for line in 0..lines {
        drawing.push_str(left);
        for column in 0..columns {
            let upper = colour(*small.get_pixel(column, 2 * line));
            let lower = colour(*small.get_pixel(column, 2 * line + 1));
            let _ = write!(drawing, "\u{1b}[38;{upper};48;{lower}m▀");
        }
        drawing.push_str("\u{1b}[0m\n");
    }
    drawing
}

/// The number of the nearest of xterm's colours: 6 × 6 × 6 colours from 16, and 24 greys from 232.
fn of_256(colour: [u8; 3]) -> u8 {
    const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let distance = |shown: [u8; 3]| -> u32 {
        let parts = shown.iter().zip(colour);
        parts.map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
    };
    let nearest = |value: u8| {
        let levels = (0_u8..).zip(LEVELS);
        levels
            .min_by_key(|(_, level)| level.abs_diff(value))
            .unwrap_or_default()
    };
    let [red, green, blue] = colour.map(nearest);
    let cube = (
        16 + 36 * red.0 + 6 * green.0 + blue.0,
        [red.1, green.1, blue.1],
    );
    let grey = (0_u8..24).map(|step| (232 + step, [8 + 10 * step; 3]));
    let best = grey.chain([cube]).min_by_key(|(_, shown)| distance(*shown));
    best.map_or(cube.0, |(number, _)| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_are_known_by_their_names() {
        let terminal = |term: &str, program: &str, colours: &str| TerminalNames {
            term: term.to_owned(),
            term_program: program.to_owned(),
            colorterm: colours.to_owned(),
            ..TerminalNames::default()
        };
        let rows = [
            (terminal("xterm-kitty", "", "truecolor"), Graphics::Kitty),
            (
                terminal("xterm-ghostty", "ghostty", "truecolor"),
                Graphics::Kitty,
            ),
            (
                terminal("xterm-256color", "iTerm.app", "truecolor"),
                Graphics::ITerm,
            ),
            (
                terminal("xterm-256color", "WezTerm", "truecolor"),
                Graphics::ITerm,
            ),
            (
                terminal("tmux-256color", "iTerm.app", "truecolor"),
                Graphics::Blocks,
            ),
            (terminal("screen", "iTerm.app", ""), Graphics::BlocksOf256),
            (terminal("xterm-256color", "", "24bit"), Graphics::Blocks),
            (terminal("xterm-direct", "", ""), Graphics::Blocks),
            (
                terminal("xterm-256color", "Apple_Terminal", ""),
                Graphics::BlocksOf256,
            ),
        ];
        assert_eq!(rows.len(), 9);
        for (names, expected) in rows {
            assert_eq!(Graphics::of(&names), expected, "{names:?}");
        }
        let names = TerminalNames {
            is_in_kitty: true,
            ..terminal("xterm-256color", "", "")
        };
        assert_eq!(Graphics::of(&names), Graphics::Kitty);
    }

    #[test]
    fn blocks_show_two_pixels_per_character() {
        let picture = RgbImage::from_fn(2, 2, |x, y| {
            if (x, y) == (0, 0) {
                Rgb([255, 0, 0])
            } else {
                Rgb([0, 0, 255])
            }
        });
        let drawing = blocks(&picture, "  ", 2, true);
        assert_eq!(
            drawing,
            "  \u{1b}[38;2;255;0;0;48;2;0;0;255m▀\u{1b}[38;2;0;0;255;48;2;0;0;255m▀\u{1b}[0m\n"
        );
        let drawing = blocks(&picture, "", 2, false);
        assert!(
            drawing.starts_with("\u{1b}[38;5;196;48;5;21m▀"),
            "{drawing:?}"
        );
    }

    #[test]
    fn colours_are_the_nearest_of_256() {
        let rows = [
            ([0, 0, 0], 16),
            ([255, 255, 255], 231),
            ([255, 0, 0], 196),
            ([128, 128, 128], 244),
            ([10, 10, 10], 232),
            ([100, 140, 180], 67),
        ];
        assert_eq!(rows.len(), 6);
        for (colour, expected) in rows {
            assert_eq!(of_256(colour), expected, "{colour:?}");
        }
    }

    #[test]
    fn pictures_keep_their_shape_within_the_columns() {
        let rows = [
            ((300, 200), 80, (36, 12)),
            ((200, 300), 80, (16, 12)),
            ((3000, 100), 48, (48, 1)),
            ((1, 1000), 48, (1, 12)),
            ((300, 200), 10, (10, 3)),
        ];
        assert_eq!(rows.len(), 5);
        for ((width, height), columns, expected) in rows {
            assert_eq!(cells((width, height), columns), expected);
        }
    }

    #[test]
    fn protocols_carry_the_whole_picture() {
        let png: Vec<u8> = (0..10_000_u32)
            .flat_map(u32::to_le_bytes)
            .take(9000)
            .collect();
        let drawing = kitty(&png, 5);
        let first = "\u{1b}_Ga=T,f=100,r=5,q=2,m=1;";
        assert!(drawing.starts_with(first) && drawing.ends_with("\u{1b}\\"));
        let mut data = String::new();
        let chunks: Vec<&str> = drawing.split_terminator("\u{1b}\\").collect();
        for (number, chunk) in chunks.iter().enumerate() {
            let (control, part) = chunk.split_once(';').unwrap();
            let more = if number + 1 < chunks.len() {
                "m=1"
            } else {
                "m=0"
            };
            assert!(control.ends_with(more) && part.len() <= KITTY_CHUNK);
            data.push_str(part);
        }
        assert_eq!((STANDARD.decode(data).unwrap(), chunks.len()), (png, 3));
        let drawing = iterm(b"\xff\xd8 a jpeg", 4);
        let expected = "\u{1b}]1337;File=inline=1;size=9;height=4;preserveAspectRatio=1:";
        assert_eq!(
            drawing,
            format!("{expected}{}\u{7}", STANDARD.encode(b"\xff\xd8 a jpeg"))
        );
    }
}
