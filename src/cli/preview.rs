//! Pictures in the terminal: kitty's and iTerm2's protocols, sixel graphics, and half blocks
//! everywhere else.
//!
//! Written here because the crate for it, viuer, brings a library under the LGPL.

mod sixel;

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
    /// The graphics of DEC's VT340, for characters of this size.
    Sixel(CellSize),
    /// Two pixels per character, `▀` in colours of 24 bits.
    Blocks,
    /// The same in the 256 colours of xterm.
    BlocksOf256,
}

/// The size of a character in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CellSize {
    pub(super) width: u32,
    pub(super) height: u32,
}

impl Default for CellSize {
    /// That of the VT340, which terminals imitate whose real size is another.
    fn default() -> Self {
        Self {
            width: 10,
            height: 20,
        }
    }
}

/// What a terminal says about itself when it is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct TerminalAnswer {
    pub(super) has_sixel: bool,
    pub(super) cell: Option<CellSize>,
}

impl TerminalAnswer {
    /// What is asked: the size of a character (XTWINOPS 16), and the primary device attributes
    /// (DA1), which every terminal reports. They come last, and so end the answer.
    pub(super) const QUESTION: &str = "\u{1b}[16t\u{1b}[c";

    /// Whether an answer is complete.
    pub(super) fn is_complete(answer: &str) -> bool {
        reports(answer).any(|report| report.starts_with('?') && report.ends_with('c'))
    }

    /// Reads an answer, as far as there is one. `4` among the attributes means sixel graphics.
    /// <https://invisible-island.net/xterm/ctlseqs/ctlseqs.html>
    pub(super) fn read(answer: &str) -> Self {
        let mut read = Self::default();
        for report in reports(answer) {
            let numbers = |text: &str| -> Vec<u32> {
                let numbers = text.split(';').map(str::parse);
                numbers.map(Result::unwrap_or_default).collect()
            };
            if let Some(attributes) = report.strip_prefix('?').and_then(|r| r.strip_suffix('c')) {
                // The first number is the terminal's class.
                read.has_sixel |= numbers(attributes)
                    .iter()
                    .skip(1)
                    .any(|&number| number == 4);
            } else if let Some([6, height @ 1..=200, width @ 1..=200]) =
                report.strip_suffix('t').map(numbers).as_deref()
            {
                let (width, height) = (*width, *height);
                read.cell = Some(CellSize { width, height });
            }
        }
        read
    }
}

/// The control sequences in a text, each without `ESC [`, up to its final letter.
fn reports(text: &str) -> impl Iterator<Item = &str> {
    text.split("\u{1b}[").skip(1).filter_map(|report| {
        let end = report.find(|c: char| c.is_ascii_alphabetic())?;
        report.get(..=end)
    })
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

impl TerminalNames {
    /// Terminals within terminals (tmux, screen) pass only characters on.
    fn is_nested(&self) -> bool {
        self.term.starts_with("tmux") || self.term.starts_with("screen")
    }
}

impl Graphics {
    /// What a terminal of these names can do. Where they leave it open, the terminal is asked.
    pub(super) fn of(names: &TerminalNames, ask: impl FnOnce() -> TerminalAnswer) -> Self {
        let TerminalNames {
            term,
            term_program,
            lc_terminal,
            is_in_kitty,
            ..
        } = names;
        if names.is_nested() {
            return Self::blocks(names);
        }
        if *is_in_kitty || term == "xterm-kitty" || term == "xterm-ghostty" {
            return Self::Kitty;
        }
        let shows_files = ["iTerm.app", "WezTerm", "mintty", "vscode"];
        if lc_terminal == "iTerm2" || shows_files.contains(&term_program.as_str()) {
            return Self::ITerm;
        }
        if term_program == "Apple_Terminal" || ["", "dumb", "linux"].contains(&term.as_str()) {
            return Self::blocks(names);
        }
        let answer = ask();
        if answer.has_sixel {
            Self::Sixel(answer.cell.unwrap_or_default())
        } else {
            Self::blocks(names)
        }
    }

    /// Half blocks in as many colours as a terminal of these names shows.
    pub(super) fn blocks(names: &TerminalNames) -> Self {
        let TerminalNames {
            term, colorterm, ..
        } = names;
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
            Self::Kitty | Self::ITerm | Self::Sixel(_) => SIDE,
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
            Self::Sixel(cell) => left + &sixel::drawing(&filling(picture, columns, cell)) + "\n",
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

/// The picture in the size that it has on a terminal with characters of this size.
fn filling(picture: &RgbImage, columns: u32, cell: CellSize) -> RgbImage {
    let (width, height) = picture.dimensions();
    let (columns, lines) = cells((width, height), columns);
    let (most_wide, most_high) = (columns * cell.width, lines * cell.height);
    let scaled = |most: u32, other: u32, this: u32| {
        let scaled = u64::from(most) * u64::from(this) / u64::from(other.max(1));
        u32::try_from(scaled).unwrap_or(u32::MAX).max(1)
    };
    let wide = scaled(most_high, height, width);
    if wide <= most_wide {
        imageops::thumbnail(picture, wide, most_high)
    } else {
        imageops::thumbnail(picture, most_wide, scaled(most_wide, width, height))
    }
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
            (terminal("foot", "", "truecolor"), Graphics::Blocks),
            (terminal("linux", "", ""), Graphics::BlocksOf256),
            (
                terminal("xterm-256color", "Apple_Terminal", ""),
                Graphics::BlocksOf256,
            ),
        ];
        assert_eq!(rows.len(), 11);
        let cell = CellSize {
            width: 8,
            height: 17,
        };
        let mut n_asked = 0;
        for (names, expected) in rows {
            let found = Graphics::of(&names, TerminalAnswer::default);
            assert_eq!(found, expected, "{names:?}");
            let with_sixel = || TerminalAnswer {
                has_sixel: true,
                cell: Some(cell),
            };
            let found = Graphics::of(&names, with_sixel);
            if found != expected {
                assert_eq!(found, Graphics::Sixel(cell), "{names:?}");
                n_asked += 1;
            }
        }
        // xterm with and without colours, and foot: the names of the others say enough.
        assert_eq!(n_asked, 3);
        let names = TerminalNames {
            is_in_kitty: true,
            ..terminal("xterm-256color", "", "")
        };
        let found = Graphics::of(&names, TerminalAnswer::default);
        assert_eq!(found, Graphics::Kitty);
    }

    #[test]
    fn answers_of_terminals_are_read() {
        let cell = |width, height| Some(CellSize { width, height });
        let rows = [
            // xterm as a VT340, foot, Windows Terminal, mlterm; the size of characters before.
            (
                "\u{1b}[6;17;8t\u{1b}[?63;1;2;4;6;9;15;22c",
                true,
                cell(8, 17),
            ),
            ("\u{1b}[?62;4;22c", true, None),
            (
                "\u{1b}[6;20;10t\u{1b}[?61;4;6;7;14;21;22;23;24;28;32;42c",
                true,
                cell(10, 20),
            ),
            // A VT100 without graphics; 4 and 64 as classes; an impossible size; typed before.
            ("\u{1b}[?1;2c", false, None),
            ("\u{1b}[?4c", false, None),
            ("\u{1b}[?64;1;2c", false, None),
            ("\u{1b}[6;0;9999t\u{1b}[?62;4c", true, None),
            ("ls\u{1b}[A\u{1b}[?62;4c", true, None),
        ];
        assert_eq!(rows.len(), 8);
        for (text, has_sixel, cell) in rows {
            assert!(TerminalAnswer::is_complete(text), "{text:?}");
            let expected = TerminalAnswer { has_sixel, cell };
            assert_eq!(TerminalAnswer::read(text), expected, "{text:?}");
        }
        for text in ["", "\u{1b}[6;17;8t", "\u{1b}[?62;4", "c", "\u{1b}[c"] {
            assert!(!TerminalAnswer::is_complete(text), "{text:?}");
        }
    }

    #[test]
    fn sixel_pictures_fill_their_characters() {
        let cell = CellSize {
            width: 8,
            height: 17,
        };
        let rows = [
            // 36 × 12 and 16 × 12 characters; 10 × 3.
            ((300, 200), 80, (288, 192)),
            ((200, 300), 80, (128, 192)),
            ((300, 200), 10, (76, 51)),
        ];
        assert_eq!(rows.len(), 3);
        for ((width, height), columns, expected) in rows {
            let picture = RgbImage::new(width, height);
            assert_eq!(filling(&picture, columns, cell).dimensions(), expected);
        }
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
