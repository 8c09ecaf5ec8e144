//! Walks over a file's coded data without making pixels of them: where do they end, and is the
//! picture whole?
//!
//! The end marker says little. Cameras and damaged disks leave it out or write zeros instead,
//! makers of phones put a film right behind the data, and a file that was cut may be closed or
//! continued by anything. So the codes themselves are counted.

use super::MAX_SCANS;
use super::bits::{Bits, Restarts, Stop};
use super::header::{self, Frame, Scan, Segments};
use super::huffman::TableSet;
use super::planes::{Detail, Pass, Plane};
use super::progressive::{self, Coefficients};
use super::sequential;
use crate::limits::Deadline;

/// What a walk found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Walk {
    /// All data are there, and end at this position.
    Whole { end: usize },
    /// A scan ends before its last unit.
    Cut,
    /// No scan ends early, but some are missing, or what follows may have been read as data.
    Doubtful,
    /// The data violate the standard.
    Broken,
    /// The file is of a kind that is not decoded here.
    Other,
}

/// Walks over a file from the start to the end of its picture. All coefficients of a progressive
/// one are stored meanwhile.
///
/// # Errors
/// [`Stop::Late`] only.
pub(crate) fn walk(bytes: &[u8], max_bytes: u64, deadline: Deadline) -> Result<Walk, Stop> {
    match Walker::new(bytes, max_bytes, deadline).and_then(Walker::run) {
        Ok(found) => Ok(found),
        Err(Stop::Late) => Err(Stop::Late),
        Err(Stop::Early | Stop::Unexpected(_) | Stop::Memory) => Ok(Walk::Other),
    }
}

struct Walker<'a> {
    bytes: &'a [u8],
    /// For the coefficients of a progressive picture.
    max_bytes: u64,
    deadline: Deadline,
    segments: Segments<'a>,
    tables: TableSet,
    restart_interval: usize,
    picture: Option<Picture>,
    n_scans: usize,
    /// Where the data of the last scan end.
    end: usize,
}

struct Picture {
    frame: Frame,
    planes: Vec<Plane>,
    /// Of a progressive picture.
    coefficients: Vec<Coefficients>,
    /// For each component and coefficient, the number of low bits that no scan held yet.
    missing: Vec<[u32; 64]>,
}

impl<'a> Walker<'a> {
    fn new(bytes: &'a [u8], max_bytes: u64, deadline: Deadline) -> Result<Self, Stop> {
        Ok(Self {
            bytes,
            max_bytes,
            deadline,
            segments: Segments::new(bytes, true)?,
            tables: TableSet::default(),
            restart_interval: 0,
            picture: None,
            n_scans: 0,
            end: 0,
        })
    }

    /// # Errors
    /// [`Stop`] for files of another kind.
    fn run(mut self) -> Result<Walk, Stop> {
        while let Ok((marker, body)) = self.segments.next() {
            match marker {
                0xC0..=0xC2 if self.picture.is_none() => {
                    self.picture = Some(self.begin(header::any_frame(marker, body)?)?);
                }
                0xC4 => self.tables.read(body)?,
                0xDD => {
                    let &[high, low] = body else { break };
                    self.restart_interval = usize::from(u16::from_be_bytes([high, low]));
                }
                0xDA => {
                    if let Some(found) = self.scan(body)? {
                        return Ok(found);
                    }
                }
                // Tables, the number of lines, application segments, comments.
                0xDB | 0xDC | 0xE0..=0xEF | 0xFE => {}
                _ => break,
            }
        }
        let Some(picture) = self.picture.filter(|_| self.n_scans > 0) else {
            return Ok(Walk::Other);
        };
        let is_complete = picture.missing.iter().flatten().all(|&n_bits| n_bits == 0);
        Ok(if is_complete {
            Walk::Whole { end: self.end }
        } else {
            Walk::Doubtful
        })
    }

    fn begin(&self, frame: Frame) -> Result<Picture, Stop> {
        // Nothing is written to the planes, so nothing is allocated for them.
        let plane = |component| Plane::new(&frame, component, 8, Detail::Enough);
        let planes: Vec<Plane> = frame.components.iter().map(plane).collect();
        let mut coefficients = Vec::new();
        if frame.is_progressive {
            let n_blocks = planes.iter().map(|plane| plane.blocks.0 * plane.blocks.1);
            if n_blocks.sum::<usize>() as u64 * 128 > self.max_bytes {
                return Err(Stop::Memory);
            }
            coefficients = planes.iter().map(|p| Coefficients::new(p, 64)).collect();
        }
        Ok(Picture {
            missing: vec![[u32::MAX; 64]; planes.len()],
            frame,
            planes,
            coefficients,
        })
    }

    /// Walks over one scan; what was found, unless the walk goes on.
    fn scan(&mut self, body: &[u8]) -> Result<Option<Walk>, Stop> {
        self.n_scans += 1;
        if self.n_scans > MAX_SCANS {
            return Err(Stop::Unexpected("there are too many scans"));
        }
        let Some(picture) = &mut self.picture else {
            return Err(Stop::Unexpected("a scan comes before the frame"));
        };
        let scan = header::scan(body, &picture.frame)?;
        let start = self.segments.at;
        let mut bits = Bits::new(self.bytes, start, true);
        let restarts = Restarts::new(self.restart_interval);
        let pass = Pass::new(&picture.frame, &scan, &picture.planes, self.deadline);
        let (planes, coefficients) = (&mut picture.planes, &mut picture.coefficients);
        let read = if picture.frame.is_progressive {
            let tables = self.tables.progressive(&scan)?;
            progressive::decode(&pass, planes, coefficients, &tables, &mut bits, restarts)
        } else {
            let tables = self.tables.sequential(&scan)?;
            sequential::decode(&pass, planes, &tables, &mut bits, restarts)
        };
        let (end, is_padded) = match read.and_then(|()| bits.end()) {
            Ok(end) => end,
            Err(Stop::Late) => return Err(Stop::Late),
            // What was read beyond the end was zeros, which need not be codes.
            Err(_) if bits.is_near_end() => return Ok(Some(Walk::Cut)),
            Err(_) => return Ok(Some(Walk::Broken)),
        };
        picture.add(&scan);
        self.segments.at = end;
        self.end = end;
        // The data may have ended before, and what follows them been read instead.
        let is_doubtful = match self.bytes.get(end..) {
            None | Some([] | [0xFF, ..]) => false,
            Some(after) => {
                let read = &self.bytes[start..end];
                // The last scan of a progressive picture may well be nothing but zeros.
                let ends_in_zeros = !picture.frame.is_progressive
                    && read.ends_with(&[0; 4])
                    && after.starts_with(&[0]);
                !is_padded
                    || ends_in_zeros
                    || trailer_start(&self.bytes[start..], end - start) < end - start
            }
        };
        Ok(is_doubtful.then_some(Walk::Doubtful))
    }
}

impl Picture {
    fn add(&mut self, scan: &Scan) {
        for part in &scan.parts {
            if let Some(missing) = self.missing.get_mut(part.component) {
                missing[scan.band.0..=scan.band.1].fill(scan.low);
            }
        }
    }
}

/// Where the first film or maker's trailer begins, if among the first `n_bytes`.
fn trailer_start(data: &[u8], n_bytes: usize) -> usize {
    /// Text behind the start of a film or a trailer, and the number of bytes between.
    const MARKS: [(usize, &[u8]); 4] = [
        (4, b"ftyp"),
        (8, b"MotionPhoto_Data"),
        (8, b"Image_UTC_Data"),
        (0, b"SEFH"),
    ];
    let data = &data[..data.len().min(n_bytes + 32)];
    let starts = MARKS.into_iter().filter_map(|(n_before, text)| {
        let mut places = data.windows(text.len()).enumerate();
        let is_start = |at: usize| {
            let start = at.checked_sub(n_before).and_then(|start| data.get(start..));
            // A film begins with the length of its first box, which is short, a trailer with zeros.
            n_before == 0 || start.is_some_and(|start| start.starts_with(&[0, 0]))
        };
        let place = places.find(|&(at, window)| window == text && is_start(at));
        place.map(|(at, _)| at - n_before)
    });
    starts.min().unwrap_or(data.len())
}
