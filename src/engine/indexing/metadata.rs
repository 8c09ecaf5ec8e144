//! What a file says about its picture: camera, date, places.

use std::io::Read as _;
use std::path::Path;

use sightline_index::{Details, Moment};

/// How much of a JPEG is read: its metadata comes before its pixels, in segments of at most 64 KB.
const JPEG_BYTES: u64 = 1 << 20;

/// The metadata in the content of a picture file.
pub(crate) fn of(bytes: &[u8]) -> Details {
    let sightline_picture::Metadata {
        camera,
        taken,
        places,
    } = sightline_picture::metadata(bytes);
    let moment = |taken: sightline_picture::Taken| {
        let moment = |time| Moment::new(taken.year, taken.month, taken.day, time);
        moment(taken.time).or_else(|| moment(None))
    };
    Details {
        camera,
        taken: taken.and_then(moment),
        places,
    }
}

/// The metadata of a picture file. Reads no more than necessary, and at most `max_bytes`.
pub(crate) fn read(path: &Path, max_bytes: u64) -> std::io::Result<Details> {
    let mut file = fs_err::File::open(path)?;
    let mut bytes = Vec::new();
    file.by_ref().take(JPEG_BYTES).read_to_end(&mut bytes)?;
    if !bytes.starts_with(b"\xff\xd8") {
        file.take(max_bytes.saturating_sub(JPEG_BYTES))
            .read_to_end(&mut bytes)?;
    }
    Ok(of(&bytes))
}
