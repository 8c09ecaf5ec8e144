//! Writes vectors as a NumPy file: format version 1.0, little-endian f32, C order, `[n, dimension]`.
//!
//! The format is specified in the NumPy documentation (`numpy.lib.format`). How many rows there
//! are is only known at the end, so the header has room and is written twice. The file gets its
//! name when it is whole.

use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Bytes before the data; NumPy wants a multiple of 64.
const HEADER: usize = 128;

/// A file that is being written. Deleted again unless it is finished.
pub(super) struct NpyWriter {
    file: BufWriter<fs_err::File>,
    aside: PathBuf,
    path: PathBuf,
    dimension: usize,
    n_rows: usize,
    is_finished: bool,
}

impl NpyWriter {
    pub(super) fn create(path: &Path, dimension: usize) -> io::Result<Self> {
        let mut aside = path.to_path_buf().into_os_string();
        aside.push(".tmp");
        let aside = PathBuf::from(aside);
        let mut file = BufWriter::new(fs_err::File::create(&aside)?);
        file.write_all(&header(0, dimension))?;
        Ok(Self {
            file,
            aside,
            path: path.to_path_buf(),
            dimension,
            n_rows: 0,
            is_finished: false,
        })
    }

    /// Adds a row and says which one it is, from 0.
    pub(super) fn push(&mut self, vector: &[f32]) -> io::Result<usize> {
        debug_assert_eq!(vector.len(), self.dimension);
        for value in vector {
            self.file.write_all(&value.to_le_bytes())?;
        }
        self.n_rows += 1;
        Ok(self.n_rows - 1)
    }

    /// Gives the file its name.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&header(self.n_rows, self.dimension))?;
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        fs_err::rename(&self.aside, &self.path)?;
        self.is_finished = true;
        Ok(())
    }
}

impl Drop for NpyWriter {
    fn drop(&mut self) {
        if !self.is_finished {
            let _ = fs_err::remove_file(&self.aside);
        }
    }
}

fn header(n_rows: usize, dimension: usize) -> [u8; HEADER] {
    const MAGIC: &[u8] = b"\x93NUMPY\x01\x00";
    let told =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({n_rows}, {dimension}), }}");
    let mut header = [b' '; HEADER];
    header[..8].copy_from_slice(MAGIC);
    header[8..10].copy_from_slice(&118_u16.to_le_bytes());
    // Two numbers of 20 digits at most leave room to spare.
    header[10..10 + told.len()].copy_from_slice(told.as_bytes());
    header[HEADER - 1] = b'\n';
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_header_fits() {
        let header = header(usize::MAX, usize::MAX);
        assert!(header.ends_with(b"\n") && header.starts_with(b"\x93NUMPY"));
        assert_eq!(
            header.iter().rposition(|&byte| byte == b'}'),
            header.iter().position(|&byte| byte == b'}')
        );
    }

    #[test]
    fn what_is_not_finished_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v.npy");
        let mut writer = NpyWriter::create(&path, 2).unwrap();
        writer.push(&[0.6, 0.8]).unwrap();
        drop(writer);
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 0);
        let mut writer = NpyWriter::create(&path, 2).unwrap();
        assert_eq!(writer.push(&[0.6, 0.8]).unwrap(), 0);
        assert_eq!(writer.push(&[1.0, 0.0]).unwrap(), 1);
        writer.finish().unwrap();
        let bytes = fs_err::read(&path).unwrap();
        assert_eq!(bytes.len(), HEADER + 16);
        let header = String::from_utf8_lossy(&bytes[10..HEADER]);
        assert!(header.contains("'shape': (2, 2)"), "{header}");
        assert_eq!(bytes[HEADER..HEADER + 4], 0.6_f32.to_le_bytes());
    }
}
