//! git-lfs pointers: the short texts that lie in place of large files which were not fetched.

use std::io::Read;
use std::path::Path;

use fs_err::File;

/// How a pointer starts; <https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>.
const START: &[u8] = b"version https://git-lfs.github.com/spec/v1";
/// Pointers are smaller.
const MAX_BYTES: u64 = 1024;

/// Whether a file is a git-lfs pointer instead of what its name says.
#[must_use]
pub fn is_lfs_pointer(file: &Path) -> bool {
    let is_small = |metadata: std::fs::Metadata| metadata.is_file() && metadata.len() < MAX_BYTES;
    if !fs_err::metadata(file).is_ok_and(is_small) {
        return false;
    }
    let mut start = [0; START.len()];
    let read = File::open(file).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == START
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_pointer_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("m.onnx");
        assert!(!is_lfs_pointer(&file));
        let text = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 7\n";
        let cases = [
            (text.to_owned(), true),
            (text[..20].to_owned(), false),
            (text.replace("v1", "v9"), false),
            (format!("{text}{}", " ".repeat(1024)), false),
            (String::new(), false),
        ];
        for (content, expected) in cases {
            fs_err::write(&file, &content).unwrap();
            assert_eq!(is_lfs_pointer(&file), expected, "{content:?}");
        }
        assert!(!is_lfs_pointer(folder.path()));
    }
}
