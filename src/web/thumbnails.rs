//! Thumbnails, made once and kept in a folder that is bounded.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use image::codecs::jpeg::JpegEncoder;
use sightline_picture::reduced;

use super::hashes::ThumbHashes;
use super::problem::Problem;
use crate::atomic::AtomicFile;
use crate::engine::{DecodeLimits, Image};

/// The longest sides that there are, in pixels.
pub(super) const SIDES: [u32; 3] = [320, 640, 1600];

/// Bytes that all thumbnails together may take: 60,000 small ones, or 5,000 of the largest.
const MAX_BYTES: u64 = 2 << 30;

/// Quality of the JPEGs, 1 to 100.
const QUALITY: u8 = 82;

/// A thumbnail that was used is marked as new again, but no more often than this.
const MARK_AFTER: Duration = Duration::from_hours(24);

/// The thumbnails of the images of this machine, in a folder that need not exist.
pub(super) struct Thumbnails {
    folder: Option<PathBuf>,
    max_bytes: u64,
    /// Bytes in the folder, as far as this process knows.
    n_bytes: AtomicU64,
    pub(super) hashes: ThumbHashes,
}

impl Thumbnails {
    pub(super) fn new(folder: Option<PathBuf>) -> Self {
        Self::with_limit(folder, MAX_BYTES)
    }

    fn with_limit(folder: Option<PathBuf>, max_bytes: u64) -> Self {
        let file = folder.as_ref().map(|folder| folder.join("thumbhashes"));
        Self {
            hashes: ThumbHashes::open(file),
            n_bytes: AtomicU64::new(folder.as_deref().map_or(0, |folder| {
                files(folder).iter().map(|file| file.n_bytes).sum()
            })),
            folder,
            max_bytes,
        }
    }

    /// The side of the thumbnail that is sent for a wish: the smallest that is at least that.
    pub(super) fn side(wanted: u32) -> u32 {
        let [.., largest] = SIDES;
        let enough = SIDES.into_iter().find(|&side| side >= wanted);
        enough.unwrap_or(largest)
    }

    /// Its entity tag: that of the content and the size.
    pub(super) fn tag(image: &Image, side: u32) -> String {
        let hash = blake3::Hash::from_bytes(image.content_hash).to_hex();
        format!("\"{}-{side}\"", &hash[..32])
    }

    /// Whether the small thumbnail of an image is kept, and its hash is known.
    pub(super) fn has_small(&self, image: &Image) -> bool {
        let is_known = self.hashes.get(&image.content_hash).is_some();
        is_known && self.place(image, SIDES[0]).is_none_or(|path| path.exists())
    }

    /// Whether thumbnails are kept and there is room for more without removing others.
    pub(super) fn has_room(&self) -> bool {
        let n_bytes = self.n_bytes.load(Ordering::Relaxed);
        self.folder.is_some() && n_bytes < self.max_bytes / 4 * 3
    }

    fn place(&self, image: &Image, side: u32) -> Option<PathBuf> {
        let hash = blake3::Hash::from_bytes(image.content_hash).to_hex();
        let hash = hash.as_str();
        let name = format!("{hash}-{side}.jpg");
        Some(self.folder.as_ref()?.join(&hash[..2]).join(name))
    }

    /// A JPEG of an image, upright, in sRGB, with a longer side of at most `side` pixels.
    pub(super) fn get(
        &self,
        image: &Image,
        side: u32,
        file: impl FnOnce() -> Result<PathBuf, Problem>,
    ) -> Result<Vec<u8>, Problem> {
        let kept = self.place(image, side);
        if let Some(path) = &kept
            && let Ok(bytes) = fs_err::read(path)
            && is_whole(&bytes)
        {
            mark(path);
            return Ok(bytes);
        }
        let path = file()?;
        let unusable = |error: &dyn std::error::Error| Problem::not_found(error.to_string());
        let bytes = fs_err::read(&path).map_err(|error| unusable(&error))?;
        if *blake3::hash(&bytes).as_bytes() != image.content_hash {
            let detail = format!("the file of picture {} was changed since", image.id.0);
            return Err(Problem::not_found(detail));
        }
        let picture = reduced(&bytes, &DecodeLimits::default(), side);
        let picture = picture.map_err(|error| unusable(&error))?;
        self.hashes.add(image.content_hash, &picture);
        let mut jpeg = Vec::new();
        JpegEncoder::new_with_quality(&mut jpeg, QUALITY)
            .encode_image(&picture)
            .map_err(|error| Problem::internal(error.to_string()))?;
        // It is made again when it cannot be kept.
        if let Some(path) = kept
            && keep(&path, &jpeg).is_ok()
        {
            let n = jpeg.len() as u64;
            let before = self.n_bytes.fetch_add(n, Ordering::Relaxed);
            if before + n > self.max_bytes {
                self.shrink();
            }
        }
        Ok(jpeg)
    }

    /// Removes those that were not used for the longest time, until a tenth of the room is free.
    fn shrink(&self) {
        let Some(folder) = &self.folder else {
            return;
        };
        let mut files = files(folder);
        files.sort_by_key(|file| file.used);
        let mut n_bytes: u64 = files.iter().map(|file| file.n_bytes).sum();
        for file in files {
            if n_bytes <= self.max_bytes / 10 * 9 {
                break;
            }
            if fs_err::remove_file(&file.path).is_ok() {
                n_bytes -= file.n_bytes;
            }
        }
        self.n_bytes.store(n_bytes, Ordering::Relaxed);
    }
}

/// Whether a JPEG is there from its first marker to its last. A full or damaged disk leaves others.
fn is_whole(jpeg: &[u8]) -> bool {
    jpeg.starts_with(&[0xFF, 0xD8, 0xFF]) && jpeg.ends_with(&[0xFF, 0xD9])
}

struct KeptThumbnail {
    path: PathBuf,
    n_bytes: u64,
    used: SystemTime,
}

/// The thumbnails in a folder.
fn files(folder: &Path) -> Vec<KeptThumbnail> {
    let below = |folder: &Path| {
        let entries = fs_err::read_dir(folder).into_iter().flatten();
        entries.filter_map(Result::ok).map(|entry| entry.path())
    };
    let kept = |path: PathBuf| {
        let about = path.metadata().ok()?;
        let is_ours = path.extension().is_some_and(|ending| ending == "jpg");
        (is_ours && about.is_file()).then(|| KeptThumbnail {
            n_bytes: about.len(),
            used: about.modified().unwrap_or(SystemTime::UNIX_EPOCH),
            path,
        })
    };
    let folders = below(folder).filter(|path| path.is_dir());
    folders
        .flat_map(|folder| below(&folder).collect::<Vec<_>>())
        .filter_map(kept)
        .collect()
}

/// Marks a thumbnail as used now.
fn mark(path: &Path) {
    let used = path.metadata().and_then(|about| about.modified());
    let is_due = used.is_ok_and(|used| used.elapsed().is_ok_and(|since| since > MARK_AFTER));
    if is_due && let Ok(file) = std::fs::File::options().append(true).open(path) {
        let _ = file.set_modified(SystemTime::now());
    }
}

fn keep(path: &Path, jpeg: &[u8]) -> std::io::Result<()> {
    fs_err::create_dir_all(path.parent().unwrap_or(path))?;
    let mut file = AtomicFile::create(path)?;
    file.write_all(jpeg)?;
    file.commit()
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};

    use super::*;
    use crate::engine::ItemId;

    fn image(folder: &Path, number: u8) -> (Image, PathBuf) {
        let path = folder.join(format!("{number}.png"));
        let low = |n: u32| n.to_le_bytes()[0];
        let wave = |x: u32, y: u32| Rgb([number, low(x * y % 251), low(x * 7)]);
        RgbImage::from_fn(900, 600, wave).save(&path).unwrap();
        let image = Image {
            id: ItemId(number.into()),
            content_hash: *blake3::hash(&fs_err::read(&path).unwrap()).as_bytes(),
            width: 900,
            height: 600,
            details: None,
            tags: Vec::new(),
            is_tagged: false,
            paths: vec![path.clone()],
        };
        (image, path)
    }

    #[test]
    fn the_oldest_thumbnails_make_room() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache");
        let thumbnails = Thumbnails::with_limit(Some(cache.clone()), 200_000);
        let mut places = Vec::new();
        for number in 1..=6 {
            let (image, path) = image(folder.path(), number);
            let jpeg = thumbnails.get(&image, 320, || Ok(path)).unwrap();
            assert!((20_000..100_000).contains(&jpeg.len()), "{}", jpeg.len());
            let place = thumbnails.place(&image, 320).unwrap();
            if let Ok(file) = std::fs::File::options().append(true).open(&place) {
                let age = Duration::from_secs(3600 - 60 * u64::from(number));
                file.set_modified(SystemTime::now() - age).unwrap();
            }
            places.push(place);
        }
        let n_bytes: u64 = files(&cache).iter().map(|file| file.n_bytes).sum();
        assert!(n_bytes <= 200_000, "{n_bytes}");
        assert_eq!(n_bytes, thumbnails.n_bytes.load(Ordering::Relaxed));
        assert!(!places[0].exists() && places[5].exists());
    }

    #[test]
    fn a_file_that_changed_is_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let thumbnails = Thumbnails::new(None);
        let (image, path) = image(folder.path(), 1);
        assert!(thumbnails.get(&image, 320, || Ok(path.clone())).is_ok());
        RgbImage::new(30, 30).save(&path).unwrap();
        assert!(thumbnails.get(&image, 320, || Ok(path)).is_err());
    }
}
