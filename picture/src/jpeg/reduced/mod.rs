//! Decodes JPEGs at 1/2, 1/4 or 1/8 of their size.
//!
//! A decoder for the JPEGs that cameras and programs write: baseline, extended and progressive,
//! 8 bits, Huffman codes, grey or three colours (ITU-T T.81 and JFIF 1.02). It decodes only what
//! the reduced size needs. Everything else, and everything that violates the standard, ends in
//! [`Stop`] and is left to the general decoder.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "numbers of a few bits are converted where each instruction counts"
)]
#![expect(
    clippy::inline_always,
    reason = "calls in the innermost loops would move the bit buffer from registers to memory"
)]

mod bits;
mod header;
mod huffman;
mod idct;
mod planes;
mod progressive;
mod sequential;
#[cfg(test)]
mod tests;
mod walk;

use crate::limits::Deadline;
use bits::{Bits, Restarts};
use header::{AppSegments, Frame, Scan, Segments};
use huffman::TableSet;
use planes::{Pass, Plane};
use progressive::{Coefficients, Plan};

pub(super) use bits::Stop;
pub(super) use planes::Detail;
pub(super) use walk::{Walk, walk};

/// Maximum number of scans, more than any program writes.
pub(super) const MAX_SCANS: usize = 200;

/// A picture at its reduced size.
#[derive(Debug)]
pub(super) struct Reduced<'a> {
    /// Rows of red, green and blue.
    pub(super) rgb: Vec<u8>,
    /// Width in pixels.
    pub(super) width: u32,
    /// Height in pixels.
    pub(super) height: u32,
    /// The first EXIF block.
    pub(super) exif: Option<&'a [u8]>,
    /// The ICC profile, when it is complete.
    pub(super) icc: Option<Vec<u8>>,
}

/// Width and height at full size, when the frame header is one that is decoded here.
pub(super) fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    let frame = frame(bytes)?;
    Some((frame.width as u32, frame.height as u32))
}

/// Width and height at full size, of a frame that can be walked over.
pub(super) fn walked_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let frame = first_frame(bytes, header::any_frame)?;
    Some((frame.width as u32, frame.height as u32))
}

fn frame(bytes: &[u8]) -> Option<Frame> {
    first_frame(bytes, header::frame)
}

fn first_frame(bytes: &[u8], parse: fn(u8, &[u8]) -> Result<Frame, Stop>) -> Option<Frame> {
    let mut segments = Segments::new(bytes, false).ok()?;
    loop {
        let (marker, body) = segments.next().ok()?;
        match marker {
            0xC0..=0xC2 => return parse(marker, body).ok(),
            0xD9 | 0xDA => return None,
            _ => {}
        }
    }
}

/// Upper estimate of the memory for decoding at the size divided by `divisor` in bytes, and for
/// turning the result; `None` for frames that are not decoded here.
pub(super) fn memory_needed(bytes: &[u8], divisor: u32) -> Option<u64> {
    /// Huffman tables, and the bits of a scan.
    const TABLE_BYTES: usize = 512 << 10;
    let frame = frame(bytes)?;
    let plane = |component| Plane::new(&frame, component, divisor as usize, Detail::Enough);
    let planes: Vec<Plane> = frame.components.iter().map(plane).collect();
    let (width, height) = frame.reduced_size(divisor as usize);
    let samples: usize = planes.iter().map(Plane::n_bytes).sum();
    let coefficients = |plane: &Plane| 2 * 64 * plane.blocks.0 * plane.blocks.1;
    let coefficients = if frame.is_progressive {
        planes.iter().map(coefficients).sum()
    } else {
        0
    };
    let shown = 3 * width * height;
    let n_bytes = coefficients + samples.max(shown) + shown + 4 * width + TABLE_BYTES;
    Some(n_bytes as u64)
}

/// Decodes a picture at its size divided by `divisor` (1, 2, 4 or 8), rounded up. The end of an
/// open file stands for its end marker.
///
/// # Errors
/// [`Stop`], also when decoding would take more than `max_bytes`.
pub(super) fn decode(
    bytes: &[u8],
    is_open: bool,
    divisor: u32,
    detail: Detail,
    max_bytes: u64,
    deadline: Deadline,
) -> Result<Reduced<'_>, Stop> {
    let mut file = File {
        bytes,
        is_open,
        segments: Segments::new(bytes, is_open)?,
        divisor: divisor as usize,
        detail,
        max_bytes,
        deadline,
        quantisation: [None; 4],
        tables: TableSet::default(),
        restart_interval: 0,
        app_segments: AppSegments::default(),
        picture: None,
        n_scans: 0,
    };
    while file.step()? {}
    file.finish()
}

/// A file while it is decoded.
struct File<'a> {
    bytes: &'a [u8],
    is_open: bool,
    segments: Segments<'a>,
    divisor: usize,
    detail: Detail,
    max_bytes: u64,
    deadline: Deadline,
    quantisation: [Option<[u16; 64]>; 4],
    tables: TableSet,
    restart_interval: usize,
    app_segments: AppSegments<'a>,
    picture: Option<Decoding>,
    n_scans: usize,
}

/// The state of decoding after the frame header.
struct Decoding {
    frame: Frame,
    planes: Vec<Plane>,
    /// Whether each component had a scan.
    is_seen: Vec<bool>,
    progress: Option<Progress>,
}

/// The additional state of a progressive picture.
struct Progress {
    is_read: Vec<bool>,
    coefficients: Vec<Coefficients>,
}

impl<'a> File<'a> {
    /// Reads one segment, with the data after a scan header. `false` at the end.
    fn step(&mut self) -> Result<bool, Stop> {
        let (marker, body) = self.segments.next()?;
        match (marker, body) {
            (0xD9, _) => return Ok(false),
            (0xC0..=0xC2, _) if self.picture.is_none() => {
                let frame = header::frame(marker, body)?;
                self.picture = Some(self.begin(frame)?);
            }
            (0xC4, _) => self.tables.read(body)?,
            (0xDB, _) => header::quantisation(body, &mut self.quantisation)?,
            (0xDD, &[high, low]) => {
                self.restart_interval = usize::from(u16::from_be_bytes([high, low]));
            }
            (0xDA, _) => self.scan(body)?,
            (0xE0..=0xEF, _) => self.app_segments.read(marker, body),
            // A comment.
            (0xFE, _) => {}
            _ => return Err(Stop::Unexpected("a segment of another kind")),
        }
        Ok(true)
    }

    fn begin(&self, frame: Frame) -> Result<Decoding, Stop> {
        let plane = |component| Plane::new(&frame, component, self.divisor, self.detail);
        let mut planes: Vec<Plane> = frame.components.iter().map(plane).collect();
        let (width, height) = frame.reduced_size(self.divisor);
        let mut n_bytes = 3 * width * height;
        n_bytes += planes.iter().map(Plane::n_bytes).sum::<usize>();
        let mut plan = None;
        if frame.is_progressive {
            let made = Plan::new(&self.following_scans(&frame)?, &planes);
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
        Ok(Decoding {
            is_seen: vec![false; planes.len()],
            frame,
            planes,
            progress,
        })
    }

    /// The headers of all scans that follow.
    fn following_scans(&self, frame: &Frame) -> Result<Vec<Scan>, Stop> {
        let mut segments = Segments::new(self.bytes, self.is_open)?;
        segments.at = self.segments.at;
        let mut scans = Vec::new();
        loop {
            let (marker, body) = segments.next()?;
            match marker {
                0xD9 => return Ok(scans),
                0xDA if scans.len() == MAX_SCANS => {
                    return Err(Stop::Unexpected("there are too many scans"));
                }
                0xDA => {
                    scans.push(header::scan(body, frame)?);
                    segments.skip_data()?;
                }
                _ => {}
            }
        }
    }

    /// Reads a scan header and its data.
    fn scan(&mut self, body: &[u8]) -> Result<(), Stop> {
        self.n_scans += 1;
        let Some(picture) = &mut self.picture else {
            return Err(Stop::Unexpected("a scan comes before the frame"));
        };
        let Decoding {
            frame,
            planes,
            is_seen,
            progress,
        } = picture;
        let scan = header::scan(body, frame)?;
        for part in &scan.parts {
            let seen = &mut is_seen[part.component];
            if *seen && !frame.is_progressive {
                return Err(Stop::Unexpected("a component comes twice"));
            }
            *seen = true;
            let table = frame.components[part.component].table;
            planes[part.component].set_steps(self.quantisation[table].as_ref())?;
        }
        if let Some(progress) = progress
            && progress.is_read.get(self.n_scans - 1) != Some(&true)
        {
            return self.segments.skip_data();
        }
        let mut bits = Bits::new(self.bytes, self.segments.at, self.is_open);
        let restarts = Restarts::new(self.restart_interval);
        let pass = Pass::new(frame, &scan, planes, self.deadline);
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
            return Err(Stop::Unexpected("there is no picture"));
        };
        if picture.is_seen.contains(&false) {
            return Err(Stop::Unexpected("a component is missing"));
        }
        if let Some(progress) = picture.progress.take() {
            for (coefficients, plane) in progress.coefficients.iter().zip(&mut picture.planes) {
                coefficients.write(plane, self.deadline)?;
            }
        }
        let colours = self.app_segments.colours(&picture.frame);
        let (width, height) = picture.frame.reduced_size(self.divisor);
        Ok(Reduced {
            rgb: planes::to_rgb(&picture.planes, colours, width, height),
            width: width as u32,
            height: height as u32,
            exif: self.app_segments.exif,
            icc: self.app_segments.icc(),
        })
    }
}
