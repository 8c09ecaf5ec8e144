//! What a file says about its picture: camera, date, places, keywords and descriptions.

use std::io::Read as _;
use std::path::Path;

use sightline_index::{Coordinates, Details, Moment};
use sightline_picture::{Metadata, Taken};

use super::geography::names_near;

/// How much of a JPEG is read: its metadata comes before its pixels, in segments of at most 64 KB.
const JPEG_BYTES: u64 = 1 << 20;

/// The metadata in the content of a picture file, with the names of the places near its position.
pub(crate) fn of(bytes: &[u8]) -> Details {
    with_places_near(details(sightline_picture::metadata(bytes)))
}

/// Metadata as the index stores them.
pub(crate) fn details(found: Metadata) -> Details {
    let Metadata {
        camera,
        taken,
        places,
        position,
        texts,
        keywords,
    } = found;
    let moment = |taken: Taken| {
        let moment = |time| Moment::new(taken.year, taken.month, taken.day, time);
        moment(taken.time).or_else(|| moment(None))
    };
    let position = position.and_then(|(latitude, longitude)| Coordinates::new(latitude, longitude));
    Details {
        camera,
        taken: taken.and_then(moment),
        places,
        position,
        keywords,
        texts,
    }
}

/// Adds the names of the places near the position to those that are named.
pub(crate) fn with_places_near(details: Details) -> Details {
    let Some(position) = details.position else {
        return details;
    };
    let near = Details {
        places: names_near(position),
        ..Details::default()
    };
    details.completed_by(&near)
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
