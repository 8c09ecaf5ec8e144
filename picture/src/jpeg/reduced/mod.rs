//! What does a JPEG show at 1/2, 1/4 or 1/8 of its size?
//!
//! A decoder of our own for the JPEGs that cameras and programs make: baseline, extended and
//! progressive, 8 bits, Huffman codes, grey or three colours (ITU-T T.81 and JFIF 1.02). It decodes
//! at a reduced size what is needed for that size. Everything else, and everything that is not as
//! the standard has it, stops it with [`Stop`], and the general decoder has the word.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "numbers of a few bits are moved between types where each instruction counts"
)]
#![expect(
    clippy::inline_always,
    reason = "a call in the innermost loops would put the bits that are read back into memory"
)]

mod bits;
mod block;
mod header;
mod huffman;
mod idct;
mod metadata;
mod planes;
mod progressive;
mod sequential;
mod tables;
#[cfg(test)]
mod tests;

use std::time::Instant;

use bits::Bits;
use header::{Frame, Scan, Segments};
use metadata::Metadata;
use planes::Plane;
use progressive::{Coefficients, Plan};
use tables::TableSet;

/// More scans than any program makes.
pub(super) const MAX_SCANS: usize = 200;

/// Why this decoder gave up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// The file is of a kind that is left to the general decoder, or broken.
    Surprise(&'static str),
    /// The picture takes too much memory to decode.
    Memory,
    /// Time is up.
    Late,
}

/// How exact the samples are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// Each is the mean of those that it stands for, as in libjpeg.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests compare with libjpeg"))]
    Exact,
    /// Blocks of 2 × 2 samples are made of the lowest cosines only.
    Enough,
}

/// When decoding must have come to its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(pub(super) Option<Instant>);

impl Deadline {
    fn check(self) -> Result<(), Stop> {
        match self.0 {
            Some(end) if Instant::now() >= end => Err(Stop::Late),
            _ => Ok(()),
        }
    }
}

/// A picture at its reduced size.
#[derive(Debug)]
pub(super) struct Reduced<'a> {
    /// Red, green and blue, row after row.
    pub(super) rgb: Vec<u8>,
    /// Width in pixels.
    pub(super) width: u32,
    /// Height in pixels.
    pub(super) height: u32,
    /// The EXIF data, if there is any.
    pub(super) exif: Option<&'a [u8]>,
    /// The ICC profile, if there is a whole one.
    pub(super) icc: Option<Vec<u8>>,
}

/// Width and height of the picture at its full size, when it is of a kind that is decoded here.
pub(super) fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut segments = Segments::new(bytes).ok()?;
    loop {
        let segment = segments.next().ok()?;
        match segment.marker {
            0xC0..=0xC2 => {
                let frame = header::frame(&segment).ok()?;
                return Some((frame.width as u32, frame.height as u32));
            }
            0xD9 | 0xDA => return None,
            _ => {}
        }
    }
}

/// Decodes a picture whose sides are divided by `divisor` (1, 2, 4 or 8) and rounded up.
///
/// # Errors
/// [`Stop`], also when this would take more than `max_bytes`.
pub(super) fn decode(
    bytes: &[u8],
    divisor: u32,
    detail: Detail,
    max_bytes: u64,
    deadline: Deadline,
) -> Result<Reduced<'_>, Stop> {
    let scale = (divisor as usize, detail);
    let mut file = File::new(bytes, scale, max_bytes, deadline)?;
    while file.step()? {}
    file.finish()
}

/// A file while it is read.
struct File<'a> {
    bytes: &'a [u8],
    segments: Segments<'a>,
    divisor: usize,
    detail: Detail,
    max_bytes: u64,
    deadline: Deadline,
    steps: [Option<[u16; 64]>; 4],
    tables: TableSet,
    restart_interval: usize,
    metadata: Metadata<'a>,
    picture: Option<Picture>,
    n_scans: usize,
}

/// What is decoded so far.
struct Picture {
    frame: Frame,
    planes: Vec<Plane>,
    /// Whether a component had a scan.
    is_seen: Vec<bool>,
    progress: Option<Progress>,
}

/// What a progressive picture has besides.
struct Progress {
    is_read: Vec<bool>,
    coefficients: Vec<Coefficients>,
}

impl<'a> File<'a> {
    fn new(
        bytes: &'a [u8],
        (divisor, detail): (usize, Detail),
        max_bytes: u64,
        deadline: Deadline,
    ) -> Result<Self, Stop> {
        Ok(Self {
            bytes,
            segments: Segments::new(bytes)?,
            divisor,
            detail,
            max_bytes,
            deadline,
            steps: [None; 4],
            tables: TableSet::default(),
            restart_interval: 0,
            metadata: Metadata::default(),
            picture: None,
            n_scans: 0,
        })
    }

    /// Reads one segment, with the data that follows a scan's header. `false` at the end.
    fn step(&mut self) -> Result<bool, Stop> {
        let segment = self.segments.next()?;
        match (segment.marker, segment.body) {
            (0xD9, _) => return Ok(false),
            (0xC0..=0xC2, _) if self.picture.is_none() => {
                let frame = header::frame(&segment)?;
                self.picture = Some(self.begin(frame)?);
            }
            (0xC4, body) => self.tables.read(body)?,
            (0xDB, body) => header::quantisation(body, &mut self.steps)?,
            (0xDD, &[high, low]) => {
                self.restart_interval = usize::from(u16::from_be_bytes([high, low]));
            }
            (0xDA, body) => self.scan(body)?,
            (0xE0..=0xEF, body) => self.metadata.read(segment.marker, body),
            // Comments.
            (0xFE, _) => {}
            _ => return Err(Stop::Surprise("a segment of another kind")),
        }
        Ok(true)
    }

    fn begin(&self, frame: Frame) -> Result<Picture, Stop> {
        let plane = |component| Plane::new(&frame, component, self.divisor, self.detail);
        let mut planes: Vec<Plane> = frame.components.iter().map(plane).collect();
        let (width, height) = frame.reduced_size(self.divisor);
        let mut n_bytes = 3 * width * height;
        n_bytes += planes.iter().map(Plane::n_bytes).sum::<usize>();
        let mut plan = None;
        if frame.is_progressive {
            let made = Plan::new(&self.coming_scans(&frame)?, &planes);
            let stored = planes.iter().zip(&made.n_stored);
            n_bytes += stored
                .map(|(plane, n)| 2 * n * plane.blocks.0 * plane.blocks.1)
                .sum::<usize>();
            plan = Some(made);
        }
        if n_bytes as u64 > self.max_bytes {
            return Err(Stop::Memory);
        }
        let progress = plan.map(|plan| Progress {
            coefficients: planes
                .iter()
                .zip(plan.n_stored)
                .map(|(plane, n)| Coefficients::new(plane, n))
                .collect(),
            is_read: plan.is_read,
        });
        planes.iter_mut().for_each(Plane::allocate);
        Ok(Picture {
            is_seen: vec![false; planes.len()],
            frame,
            planes,
            progress,
        })
    }

    /// The headers of all scans from here to the end.
    fn coming_scans(&self, frame: &Frame) -> Result<Vec<Scan>, Stop> {
        let mut segments = Segments::new(self.bytes)?;
        segments.at = self.segments.at;
        let mut scans = Vec::new();
        loop {
            let segment = segments.next()?;
            match segment.marker {
                0xD9 => return Ok(scans),
                0xDA if scans.len() == MAX_SCANS => {
                    return Err(Stop::Surprise("there are too many scans"));
                }
                0xDA => {
                    scans.push(header::scan(segment.body, frame)?);
                    segments.skip_data()?;
                }
                _ => {}
            }
        }
    }

    /// Reads a scan's header and its data.
    fn scan(&mut self, body: &[u8]) -> Result<(), Stop> {
        self.n_scans += 1;
        let Some(picture) = &mut self.picture else {
            return Err(Stop::Surprise("a scan comes before the frame"));
        };
        let Picture {
            frame,
            planes,
            is_seen,
            progress,
        } = picture;
        let scan = header::scan(body, frame)?;
        for part in &scan.parts {
            let seen = &mut is_seen[part.component];
            if *seen && !frame.is_progressive {
                return Err(Stop::Surprise("a component comes twice"));
            }
            *seen = true;
            let table = frame.components[part.component].table;
            planes[part.component].set_steps(self.steps[table].as_ref())?;
        }
        if let Some(progress) = progress
            && progress.is_read.get(self.n_scans - 1) != Some(&true)
        {
            return self.segments.skip_data();
        }
        let mut bits = Bits::new(self.bytes, self.segments.at);
        let restarts = Restarts::new(self.restart_interval);
        let pass = Pass {
            scan: &scan,
            units: units_of(frame, &scan, planes),
            deadline: self.deadline,
        };
        if let Some(progress) = progress {
            let tables = self.tables.progressive(&scan)?;
            let coefficients = &mut progress.coefficients;
            progressive::decode(&pass, planes, coefficients, &tables, &mut bits, restarts)?;
        } else {
            let tables = self.tables.sequential(&scan)?;
            sequential::decode(&pass, planes, &tables, &mut bits, restarts)?;
        }
        self.segments.at = bits.finish()?;
        Ok(())
    }

    fn finish(self) -> Result<Reduced<'a>, Stop> {
        let Some(mut picture) = self.picture else {
            return Err(Stop::Surprise("there is no picture"));
        };
        if picture.is_seen.contains(&false) {
            return Err(Stop::Surprise("a component is missing"));
        }
        if let Some(progress) = picture.progress.take() {
            for (coefficients, plane) in progress.coefficients.iter().zip(&mut picture.planes) {
                coefficients.write(plane, self.deadline)?;
            }
        }
        let colours = self.metadata.colours(&picture.frame);
        let (width, height) = picture.frame.reduced_size(self.divisor);
        Ok(Reduced {
            rgb: planes::to_rgb(&picture.planes, colours, width, height),
            width: width as u32,
            height: height as u32,
            exif: self.metadata.exif,
            icc: self.metadata.icc(),
        })
    }
}

/// One scan, as its decoder sees it.
struct Pass<'p> {
    scan: &'p Scan,
    /// Units across and down.
    units: (usize, usize),
    deadline: Deadline,
}

/// Units of a scan across and down: several blocks of each component, or one block of a single one.
fn units_of(frame: &Frame, scan: &Scan, planes: &[Plane]) -> (usize, usize) {
    match scan.parts.as_slice() {
        [part] => planes[part.component].own_blocks,
        _ => frame.units(),
    }
}

/// Counts the units of a scan between restart markers.
struct Restarts {
    interval: usize,
    n_left: usize,
    number: u8,
}

impl Restarts {
    fn new(interval: usize) -> Self {
        Self {
            interval,
            n_left: interval,
            number: 0,
        }
    }

    /// Called before each unit: steps over a marker when it is due.
    #[inline(always)]
    fn is_due(&mut self, bits: &mut Bits<'_>) -> Result<bool, Stop> {
        if self.interval == 0 {
            return Ok(false);
        }
        if self.n_left > 0 {
            self.n_left -= 1;
            return Ok(false);
        }
        bits.restart(self.number)?;
        self.number = (self.number + 1) & 7;
        self.n_left = self.interval - 1;
        Ok(true)
    }
}
