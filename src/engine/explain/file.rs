//! A heat map as a PNG file. Only files that were written here are replaced, so that no photo is
//! lost to a slip of the hand.

use std::io::{BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use image::RgbImage;

use crate::atomic::AtomicFile;
use crate::engine::error::EngineError;

/// The text in a PNG, under the keyword `Software`, by which it is known again.
const WRITER: &str = "sightline explain";

/// Bytes from the start of a PNG within which that text is: signature, header, this chunk.
const N_START: u64 = 128;

/// A PNG that is going to be written. Nothing of it is there until it is finished.
pub struct OverlayFile {
    file: AtomicFile,
    path: PathBuf,
}

impl OverlayFile {
    /// Starts a file. A link stays one, and the file that it leads to is replaced.
    ///
    /// # Errors
    /// When the name does not end with `.png`, something is there that was not written by an
    /// `OverlayFile`, or no file can be created in the folder.
    pub fn create(path: &Path) -> Result<Self, EngineError> {
        let ending = path.extension().unwrap_or_default();
        if !ending.eq_ignore_ascii_case("png") {
            return Err(EngineError::NotNamedPng { path: path.into() });
        }
        if path.exists() && !(path.is_file() && is_overlay(path)?) {
            return Err(EngineError::NotAnOverlay { path: path.into() });
        }
        let target = fs_err::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        Ok(Self {
            file: AtomicFile::create(&target)?,
            path: path.to_path_buf(),
        })
    }

    /// Writes the picture, and puts the file in place.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self, picture: &RgbImage) -> Result<(), EngineError> {
        let failed = |error: png::EncodingError| match error {
            png::EncodingError::IoError(error) => error,
            error => std::io::Error::other(format!("{}: {error}", self.path.display())),
        };
        let mut buffered = BufWriter::new(&mut self.file);
        write_png(&mut buffered, picture).map_err(failed)?;
        buffered.flush()?;
        drop(buffered);
        Ok(self.file.commit()?)
    }
}

/// A picture as the content of a PNG file.
///
/// # Errors
/// When it has no pixels.
pub fn png(picture: &RgbImage) -> Result<Vec<u8>, EngineError> {
    let mut bytes = Vec::new();
    write_png(&mut bytes, picture).map_err(std::io::Error::other)?;
    Ok(bytes)
}

fn write_png(
    writer: &mut impl std::io::Write,
    picture: &RgbImage,
) -> Result<(), png::EncodingError> {
    let mut encoder = png::Encoder::new(writer, picture.width(), picture.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.add_text_chunk("Software".to_owned(), WRITER.to_owned())?;
    let mut writer = encoder.write_header()?;
    writer.write_image_data(picture.as_raw())?;
    writer.finish()
}

/// Whether a file is empty or was written here.
fn is_overlay(path: &Path) -> std::io::Result<bool> {
    let mut start = Vec::new();
    let file = fs_err::File::open(path)?;
    file.take(N_START).read_to_end(&mut start)?;
    let mark = [b"tEXtSoftware\0", WRITER.as_bytes()].concat();
    let is_marked = start.windows(mark.len()).any(|part| part == mark);
    Ok(start.is_empty() || start.starts_with(b"\x89PNG") && is_marked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_files_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heat.png");
        let picture = RgbImage::from_pixel(5, 4, image::Rgb([1, 2, 3]));
        let write = |path: &Path, picture: &RgbImage| OverlayFile::create(path)?.finish(picture);
        for n in 1..=2 {
            let picture = RgbImage::from_pixel(5 * n, 4, image::Rgb([1, 2, 3]));
            write(&path, &picture).unwrap();
            assert_eq!(image::open(&path).unwrap().to_rgb8(), picture);
        }
        let photo = folder.path().join("photo.PNG");
        picture.save(&photo).unwrap();
        let before = fs_err::read(&photo).unwrap();
        let error = write(&photo, &picture).unwrap_err().to_string();
        assert!(error.contains("photo.PNG: "), "{error}");
        assert_eq!(fs_err::read(&photo).unwrap(), before);
        let jpeg = folder.path().join("heat.jpg");
        assert!(matches!(
            write(&jpeg, &picture),
            Err(EngineError::NotNamedPng { .. })
        ));
        let below = folder.path().join("folder.png");
        fs_err::create_dir(&below).unwrap();
        assert!(matches!(
            write(&below, &picture),
            Err(EngineError::NotAnOverlay { .. })
        ));
        // What is not finished leaves nothing.
        drop(OverlayFile::create(&folder.path().join("new.png")).unwrap());
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 3);
    }
}
