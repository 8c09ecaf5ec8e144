//! Parses the segments of a JPEG. Anything that the reduced decoder does not support is an error.

use super::bits::{STRIDE, Stop, holds_marker};

/// Zigzag order, in which coefficients are stored: the index in row order of each place.
pub(super) const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// A frame header: the picture's size and how its components are sampled (ITU-T T.81, B.2.2).
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) is_progressive: bool,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) components: Vec<Component>,
    /// Blocks per unit of an interleaved scan, across, of the most finely sampled component.
    pub(super) h_max: usize,
    /// The same, down.
    pub(super) v_max: usize,
}

/// One colour component.
#[derive(Debug, Clone)]
pub(super) struct Component {
    pub(super) id: u8,
    pub(super) h: usize,
    pub(super) v: usize,
    /// Index of its quantisation table.
    pub(super) table: usize,
}

/// A scan header (B.2.3).
#[derive(Debug, Clone)]
pub(super) struct Scan {
    pub(super) parts: Vec<ScanPart>,
    /// First and last coefficient in zigzag order.
    pub(super) band: (usize, usize),
    /// Number of low bits that earlier scans left out; 0 in the first scan of these coefficients.
    pub(super) high: u32,
    /// Number of low bits that this scan leaves out.
    pub(super) low: u32,
}

/// One component of a scan.
#[derive(Debug, Clone)]
pub(super) struct ScanPart {
    /// Index into the frame's components.
    pub(super) component: usize,
    pub(super) dc_table: usize,
    pub(super) ac_table: usize,
}

/// Iterates over the segments of a file.
pub(super) struct Segments<'a> {
    bytes: &'a [u8],
    /// Whether the end of the file stands for an end marker.
    is_open: bool,
    /// Position of the next byte.
    pub(super) at: usize,
}

impl<'a> Segments<'a> {
    /// Starts after the start marker.
    pub(super) fn new(bytes: &'a [u8], is_open: bool) -> Result<Self, Stop> {
        match bytes {
            [0xFF, 0xD8, ..] => Ok(Self {
                bytes,
                is_open,
                at: 2,
            }),
            _ => Err(Stop::Unexpected("there is no start marker")),
        }
    }

    /// The next marker and its content.
    pub(super) fn next(&mut self) -> Result<(u8, &'a [u8]), Stop> {
        let early = Stop::Unexpected("the file ends early");
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if rest.is_empty() && self.is_open {
            return Ok((0xD9, &[]));
        }
        let n_fill = rest.iter().take_while(|&&byte| byte == 0xFF).count();
        let marker = *rest.get(n_fill).ok_or(early)?;
        if n_fill == 0 || matches!(marker, 0x00 | 0x01 | 0xD0..=0xD8) {
            return Err(Stop::Unexpected("there is no marker where one should be"));
        }
        let rest = &rest[n_fill + 1..];
        self.at += n_fill + 1;
        if marker == 0xD9 {
            return Ok((marker, &[]));
        }
        let length = usize::from(u16::from_be_bytes(*rest.first_chunk().ok_or(early)?));
        let body = rest.get(2..length).ok_or(early)?;
        self.at += length;
        Ok((marker, body))
    }

    /// Skips entropy-coded data up to the next marker other than a restart marker.
    pub(super) fn skip_data(&mut self) -> Result<(), Stop> {
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            if let Some(chunk) = rest.first_chunk::<STRIDE>()
                && !holds_marker(chunk)
            {
                self.at += STRIDE;
                continue;
            }
            match rest {
                [0xFF, 0x00 | 0xD0..=0xD7, ..] => self.at += 2,
                [0xFF, 0xFF, ..] => self.at += 1,
                [0xFF, _, ..] => return Ok(()),
                [] if self.is_open => return Ok(()),
                [] | [0xFF] => return Err(Stop::Unexpected("a scan has no end")),
                [_, ..] => self.at += rest.iter().take_while(|&&b| b != 0xFF).count(),
            }
        }
    }
}

/// Parses a frame header of one or three components.
pub(super) fn frame(marker: u8, body: &[u8]) -> Result<Frame, Stop> {
    let frame = any_frame(marker, body)?;
    match frame.components.len() {
        1 | 3 => Ok(frame),
        _ => Err(Stop::Unexpected("a frame of another kind")),
    }
}

/// Parses a frame header of one, three or four components.
pub(super) fn any_frame(marker: u8, body: &[u8]) -> Result<Frame, Stop> {
    let unsupported = Stop::Unexpected("a frame of another kind");
    let &[precision, h1, h0, w1, w0, n, ref rest @ ..] = body else {
        return Err(unsupported);
    };
    let (height, width) = (u16::from_be_bytes([h1, h0]), u16::from_be_bytes([w1, w0]));
    if precision != 8 || height == 0 || width == 0 || rest.len() != 3 * usize::from(n) {
        return Err(unsupported);
    }
    let mut components = Vec::new();
    for part in rest.chunks_exact(3) {
        let component = Component {
            id: part[0],
            h: usize::from(part[1] >> 4),
            v: usize::from(part[1] & 15),
            table: usize::from(part[2]),
        };
        let is_new = components.iter().all(|c: &Component| c.id != component.id);
        let fits = |factor| matches!(factor, 1 | 2 | 4);
        if !(is_new && fits(component.h) && fits(component.v) && component.table < 4) {
            return Err(unsupported);
        }
        components.push(component);
    }
    match components.as_mut_slice() {
        // A single component is never interleaved, so its factors have no meaning.
        [grey] => (grey.h, grey.v) = (1, 1),
        // A unit has at most ten blocks (B.2.3).
        several if matches!(several.len(), 3 | 4) => {
            if several.iter().map(|c| c.h * c.v).sum::<usize>() > 10 {
                return Err(unsupported);
            }
        }
        _ => return Err(unsupported),
    }
    let max = |factor: fn(&Component) -> usize| components.iter().map(factor).max().unwrap_or(1);
    Ok(Frame {
        is_progressive: marker == 0xC2,
        width: usize::from(width),
        height: usize::from(height),
        h_max: max(|c| c.h),
        v_max: max(|c| c.v),
        components,
    })
}

/// Parses a scan header.
pub(super) fn scan(body: &[u8], frame: &Frame) -> Result<Scan, Stop> {
    let unsupported = Stop::Unexpected("a scan of another kind");
    let (&n, rest) = body.split_first().ok_or(unsupported)?;
    let n = usize::from(n);
    if !(1..=frame.components.len()).contains(&n) || rest.len() != 2 * n + 3 {
        return Err(unsupported);
    }
    let (choices, numbers) = rest.split_at(2 * n);
    let mut parts: Vec<ScanPart> = Vec::new();
    for choice in choices.chunks_exact(2) {
        let place = frame.components.iter().position(|c| c.id == choice[0]);
        let part = ScanPart {
            component: place.ok_or(unsupported)?,
            dc_table: usize::from(choice[1] >> 4),
            ac_table: usize::from(choice[1] & 15),
        };
        let is_in_order = parts.iter().all(|p| p.component < part.component);
        if !is_in_order || part.dc_table > 3 || part.ac_table > 3 {
            return Err(unsupported);
        }
        parts.push(part);
    }
    let scan = Scan {
        parts,
        band: (usize::from(numbers[0]), usize::from(numbers[1])),
        high: u32::from(numbers[2] >> 4),
        low: u32::from(numbers[2] & 15),
    };
    let (first, last) = scan.band;
    let is_valid = if frame.is_progressive {
        // Mean values and other coefficients are in separate scans, the latter of one component
        // each (G.1.1.1).
        let band = if first == 0 {
            last == 0
        } else {
            first <= last && n == 1
        };
        band && last <= 63 && scan.low <= 13 && (scan.high == 0 || scan.high == scan.low + 1)
    } else {
        (first, last, scan.high, scan.low) == (0, 63, 0, 0)
    };
    if is_valid { Ok(scan) } else { Err(unsupported) }
}

/// Parses quantisation tables, in zigzag order (B.2.4.1).
pub(super) fn quantisation(
    mut body: &[u8],
    tables: &mut [Option<[u16; 64]>; 4],
) -> Result<(), Stop> {
    let unsupported = Stop::Unexpected("a quantisation table of another kind");
    while let Some((&choice, rest)) = body.split_first() {
        let is_wide = choice >> 4;
        let n_bytes = if is_wide == 1 { 128 } else { 64 };
        let place = tables
            .get_mut(usize::from(choice & 15))
            .ok_or(unsupported)?;
        if is_wide > 1 || rest.len() < n_bytes {
            return Err(unsupported);
        }
        let (values, after) = rest.split_at(n_bytes);
        let mut table = [0; 64];
        for (i, value) in table.iter_mut().enumerate() {
            *value = match is_wide {
                1 => u16::from_be_bytes([values[2 * i], values[2 * i + 1]]),
                _ => u16::from(values[i]),
            };
        }
        *place = Some(table);
        body = after;
    }
    Ok(())
}

/// How three components make a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colours {
    Grey,
    Rgb,
    YCbCr,
}

/// The content of application segments.
#[derive(Default)]
pub(super) struct AppSegments<'a> {
    /// The first EXIF block.
    pub(super) exif: Option<&'a [u8]>,
    is_jfif: bool,
    adobe: Option<u8>,
    /// Parts of an ICC profile: number, total number, content.
    profile: Vec<(u8, u8, &'a [u8])>,
}

impl<'a> AppSegments<'a> {
    /// Reads a segment with marker 0xE0 to 0xEF.
    pub(super) fn read(&mut self, marker: u8, body: &'a [u8]) {
        match (marker, body) {
            (0xE0, [b'J', b'F', b'I', b'F', 0, ..]) => self.is_jfif = true,
            (0xE1, [b'E', b'x', b'i', b'f', 0, 0, ..]) => {
                self.exif.get_or_insert(body);
            }
            (0xE2, _) => {
                if let Some([number, count, content @ ..]) = body.strip_prefix(b"ICC_PROFILE\0") {
                    self.profile.push((*number, *count, content));
                }
            }
            (0xEE, _) => {
                if let Some([_, _, _, _, _, _, transform, ..]) = body.strip_prefix(b"Adobe") {
                    self.adobe = Some(*transform);
                }
            }
            _ => {}
        }
    }

    /// The meaning of the components, decided as libjpeg does.
    pub(super) fn colours(&self, frame: &Frame) -> Colours {
        match (frame.components.as_slice(), self.adobe) {
            ([_], _) => Colours::Grey,
            (_, Some(0)) if !self.is_jfif => Colours::Rgb,
            ([r, g, b], None) if !self.is_jfif && [r.id, g.id, b.id] == *b"RGB" => Colours::Rgb,
            _ => Colours::YCbCr,
        }
    }

    /// The ICC profile, when it is complete (ICC.1:2022, B.4).
    pub(super) fn icc(&self) -> Option<Vec<u8>> {
        let count = self.profile.first()?.1;
        let mut profile = Vec::new();
        for number in 1..=count {
            let part = self.profile.iter().find(|part| part.0 == number)?;
            profile.extend_from_slice(part.2);
        }
        (!profile.is_empty()).then_some(profile)
    }
}
