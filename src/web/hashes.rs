//! Blurred pictures of a few bytes (`ThumbHash`), by the content of the picture.
//!
//! All of them are in one file that only grows, 64 bytes each, so that an answer with a thousand
//! hits reads none. It is a cache: a damaged record is left out.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use image::RgbImage;

use super::locking::lock;

/// Bytes of a record: the hash of the content, the length of the blurred picture, itself,
/// zeros, and the first bytes of the hash of all that.
const RECORD: usize = 64;
const CONTENT: usize = 32;
const CHECK: usize = 4;

/// The most records that are kept: 128 MB.
const MAX_RECORDS: u64 = 2_000_000;

/// The longest side of the picture that is blurred.
const SIDE: u32 = 100;

/// The blurred pictures that are known.
pub(super) struct ThumbHashes {
    file: Option<PathBuf>,
    known: Mutex<HashMap<[u8; CONTENT], Box<[u8]>>>,
}

impl ThumbHashes {
    /// Those of this file, which need not exist.
    pub(super) fn open(file: Option<PathBuf>) -> Self {
        let mut known = HashMap::new();
        if let Some(path) = &file {
            let is_large = path
                .metadata()
                .is_ok_and(|about| about.len() > MAX_RECORDS * RECORD as u64);
            if is_large {
                let _ = fs_err::remove_file(path);
            }
            let bytes = fs_err::read(path).unwrap_or_default();
            let records = bytes.as_chunks::<RECORD>().0;
            known.extend(records.iter().filter_map(read));
        }
        Self {
            file,
            known: Mutex::new(known),
        }
    }

    pub(super) fn get(&self, content: &[u8; CONTENT]) -> Option<Box<[u8]>> {
        lock(&self.known).get(content).cloned()
    }

    /// Makes and keeps that of a picture.
    pub(super) fn add(&self, content: [u8; CONTENT], picture: &RgbImage) {
        if lock(&self.known).contains_key(&content) {
            return;
        }
        let hash = thumbhash(picture);
        if let Some(path) = &self.file {
            let _ = append(path, &record(&content, &hash));
        }
        lock(&self.known).insert(content, hash.into());
    }
}

/// One write of a whole record: others that append at the same time do not tear it.
fn append(path: &Path, record: &[u8]) -> std::io::Result<()> {
    fs_err::create_dir_all(path.parent().unwrap_or(path))?;
    let mut options = fs_err::OpenOptions::new();
    let mut file = options.create(true).append(true).open(path)?;
    file.write_all(record)
}

fn thumbhash(picture: &RgbImage) -> Vec<u8> {
    let longer = picture.width().max(picture.height()).max(1);
    let scaled = |side: u32| (side * SIDE.min(longer) / longer).max(1);
    let (width, height) = (scaled(picture.width()), scaled(picture.height()));
    let small = image::imageops::thumbnail(picture, width, height);
    let rgba = image::DynamicImage::from(small).into_rgba8();
    thumbhash::rgba_to_thumb_hash(width as usize, height as usize, rgba.as_raw())
}

fn record(content: &[u8; CONTENT], hash: &[u8]) -> [u8; RECORD] {
    let mut record = [0; RECORD];
    record[..CONTENT].copy_from_slice(content);
    let n = hash.len().min(RECORD - CONTENT - 1 - CHECK);
    record[CONTENT] = u8::try_from(n).unwrap_or(0);
    record[CONTENT + 1..][..n].copy_from_slice(&hash[..n]);
    let check = blake3::hash(&record[..RECORD - CHECK]);
    record[RECORD - CHECK..].copy_from_slice(&check.as_bytes()[..CHECK]);
    record
}

fn read(record: &[u8; RECORD]) -> Option<([u8; CONTENT], Box<[u8]>)> {
    let (body, check) = record.split_at(RECORD - CHECK);
    let is_sound = blake3::hash(body).as_bytes()[..CHECK] == *check;
    let (content, rest) = body.split_first_chunk()?;
    let (&n, hash) = rest.split_first()?;
    let hash = hash.get(..n.into()).filter(|_| is_sound)?;
    Some((*content, hash.into()))
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn hashes_outlive_the_process_and_damage() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("thumbhashes");
        let hashes = ThumbHashes::open(Some(file.clone()));
        let picture = |red| RgbImage::from_pixel(30, 20, Rgb([red, 10, 10]));
        for number in 0..3 {
            hashes.add([number; 32], &picture(80 * number));
            hashes.add([number; 32], &picture(1));
        }
        let mut bytes = fs_err::read(&file).unwrap();
        assert_eq!(bytes.len(), 3 * RECORD);
        bytes[RECORD + 40] ^= 1;
        bytes.truncate(3 * RECORD - 1);
        bytes.extend([1, 2, 3]);
        fs_err::write(&file, bytes).unwrap();
        let again = ThumbHashes::open(Some(file));
        let known: Vec<bool> = (0..3).map(|n| again.get(&[n; 32]).is_some()).collect();
        assert_eq!(known, [true, false, false]);
        assert_eq!(again.get(&[0; 32]), hashes.get(&[0; 32]));
        let (red, ..) =
            thumbhash::thumb_hash_to_average_rgba(&hashes.get(&[2; 32]).unwrap()).unwrap();
        assert!((red - 160.0 / 255.0).abs() < 0.05, "{red}");
    }
}
