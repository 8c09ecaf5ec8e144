//! Which bytes does a picture's file hold?

use std::io::Read as _;
use std::path::Path;

use sightline_picture::{DecodeError, DecodeLimits};

use crate::engine::EngineError;

/// Bytes that tell a format.
const N_START: u64 = 64;

/// Reads a whole file that someone named. It may be anything, a device without an end too, so no
/// more is read than a picture may take.
pub(crate) fn read(path: &Path, limits: &DecodeLimits) -> Result<Vec<u8>, EngineError> {
    let refused = |source| EngineError::Picture {
        path: path.to_path_buf(),
        source,
    };
    let file = fs_err::File::open(path)?;
    let mut file = file.take(limits.max_bytes.saturating_add(1));
    let mut bytes = Vec::new();
    file.by_ref().take(N_START).read_to_end(&mut bytes)?;
    if let Some(error) = sightline_picture::unsupported(&bytes) {
        return Err(refused(error));
    }
    file.read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limits.max_bytes {
        let max_bytes = limits.max_bytes;
        return Err(refused(DecodeError::FileTooLarge { max_bytes }));
    }
    Ok(bytes)
}

/// Why a file of a library folder is not read at all: formats that are not read make large files,
/// and each run meets them again. Files of other names are not opened for this.
pub(crate) fn refused(path: &Path) -> std::io::Result<Option<DecodeError>> {
    if sightline_picture::is_supported(&extension(path)) {
        return Ok(None);
    }
    let mut start = Vec::new();
    let file = fs_err::File::open(path)?;
    file.take(N_START).read_to_end(&mut start)?;
    Ok(sightline_picture::unsupported(&start))
}

/// The lowercase extension, empty when there is none.
pub(crate) fn extension(path: &Path) -> String {
    path.extension()
        .and_then(|extension| extension.to_str())
        .map(str::to_ascii_lowercase)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_read_than_a_picture_may_take() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let limits = DecodeLimits::default().with_max_bytes(1000);
        for (n_bytes, is_read) in [(0, true), (64, true), (1000, true), (1001, false)] {
            fs_err::write(&path, vec![7; n_bytes]).unwrap();
            match read(&path, &limits) {
                Ok(bytes) => assert!(is_read && bytes == vec![7; n_bytes], "{n_bytes}"),
                Err(error) => {
                    let expected =
                        format!("{}: the file is larger than 1000 bytes", path.display());
                    assert_eq!((is_read, error.to_string()), (false, expected));
                }
            }
        }
        // It has no end.
        #[cfg(unix)]
        assert!(read(Path::new("/dev/zero"), &limits).is_err());
    }

    #[test]
    fn of_a_format_that_is_not_read_the_start_is_enough() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &[u8]| {
            let path = folder.path().join(name);
            fs_err::write(&path, content).unwrap();
            path
        };
        let psd = write("a.PSD", b"8BPS\0\x01 and a gigabyte of layers");
        let told = refused(&psd).unwrap().unwrap().to_string();
        assert!(told.contains("Photoshop"), "{told}");
        let limits = DecodeLimits::default();
        let error = read(&psd, &limits).unwrap_err().to_string();
        assert!(error.contains("Photoshop"), "{error}");
        // The content decides.
        let jpeg = write("b.psd", b"\xff\xd8\xff\xe0");
        assert!(refused(&jpeg).unwrap().is_none());
        let absent = folder.path().join("absent");
        // Names of formats that are read are not even opened.
        assert!(refused(&absent.with_extension("JPG")).unwrap().is_none());
        assert!(refused(&absent.with_extension("psd")).is_err());
    }
}
