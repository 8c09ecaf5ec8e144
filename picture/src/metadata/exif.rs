//! What do a TIFF's directories say, in EXIF or in a file of their own? (CIPA DC-008, EXIF 2.32)

use super::super::directories::{Directory, Tiff};
use super::{Said, Taken, date, tidy};

mod tag {
    pub(super) const MAKE: u16 = 271;
    pub(super) const MODEL: u16 = 272;
    pub(super) const CHANGED: u16 = 306;
    pub(super) const EXIF: u16 = 34_665;
    pub(super) const TAKEN: u16 = 36_867;
    pub(super) const DIGITIZED: u16 = 36_868;
}

/// Some writers keep the marker that EXIF has inside JPEG.
pub(super) fn read(bytes: &[u8]) -> Said {
    let bytes = bytes.strip_prefix(b"Exif\0\0").unwrap_or(bytes);
    let Some(tiff) = Tiff::open(bytes) else {
        return Said::default();
    };
    let Some(first) = tiff.first() else {
        return Said::default();
    };
    let text = |tag| first.bytes(&tiff, tag).and_then(tidy);
    let below = first.number(&tiff, tag::EXIF);
    let below = below.and_then(|at| tiff.at(at as usize));
    let date_in = |directory: &Directory, tag| -> Option<Taken> {
        let bytes = directory.bytes(&tiff, tag)?;
        date(std::str::from_utf8(bytes.get(..bytes.len().min(32))?).ok()?)
    };
    let taken = below.as_ref().and_then(|below| {
        let original = date_in(below, tag::TAKEN);
        original.or_else(|| date_in(below, tag::DIGITIZED))
    });
    Said {
        make: text(tag::MAKE),
        model: text(tag::MODEL),
        // TIFF-based files of cameras have it in the first directory.
        taken: taken.or_else(|| date_in(&first, tag::TAKEN)),
        changed: date_in(&first, tag::CHANGED),
        places: Vec::new(),
    }
}
