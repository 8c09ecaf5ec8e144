//! Writes and reads vectors as a NumPy file: format version 1.0, little-endian f32, C order,
//! `[n, dimension]`.
//!
//! The format is specified in the NumPy documentation (`numpy.lib.format`). The number of rows is
//! known only at the end, so the header has spare room and is written twice.

use std::io::{self, BufReader, BufWriter, IntoInnerError, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::atomic::AtomicFile;

/// The format's name and version 1.0.
const MAGIC: &[u8] = b"\x93NUMPY\x01\x00";

/// Bytes before the data; NumPy requires a multiple of 64.
const HEADER: usize = 128;

/// A file being written. Deleted on drop unless it is finished.
pub(crate) struct NpyWriter {
    file: BufWriter<AtomicFile>,
    dimension: usize,
    n_rows: usize,
}

impl NpyWriter {
    /// Starts a file of rows of this length. A file that is not a NumPy file is not replaced.
    pub(crate) fn create(path: &Path, dimension: usize) -> io::Result<Self> {
        if path.is_file() {
            let mut start = Vec::new();
            let n_bytes = MAGIC.len() as u64;
            fs_err::File::open(path)?
                .take(n_bytes)
                .read_to_end(&mut start)?;
            if !start.is_empty() && !start.starts_with(&MAGIC[..6]) {
                return Err(invalid(format!(
                    "{}: not a NumPy file; refusing to replace it",
                    path.display()
                )));
            }
        }
        let mut file = BufWriter::new(AtomicFile::create(path)?);
        file.write_all(&header(0, dimension))?;
        Ok(Self {
            file,
            dimension,
            n_rows: 0,
        })
    }

    /// Appends a row and returns its number, from 0.
    pub(crate) fn push(&mut self, vector: &[f32]) -> io::Result<usize> {
        debug_assert_eq!(vector.len(), self.dimension);
        for value in vector {
            self.file.write_all(&value.to_le_bytes())?;
        }
        self.n_rows += 1;
        Ok(self.n_rows - 1)
    }

    /// Completes the file and puts it in place.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&header(self.n_rows, self.dimension))?;
        let file = self.file.into_inner().map_err(IntoInnerError::into_error)?;
        file.commit()
    }
}

/// Reads the rows of a file in any order.
#[derive(Debug)]
pub(crate) struct NpyReader {
    file: BufReader<fs_err::File>,
    /// Offset of the first row.
    start: u64,
    n_rows: usize,
    dimension: usize,
    /// The row that can be read next without seeking.
    next: usize,
}

impl NpyReader {
    /// Opens a file of f32 rows.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut file = BufReader::new(fs_err::File::open(path)?);
        let n_bytes = file.get_ref().metadata()?.len();
        let (start, n_rows, dimension) = read_header(&mut file)?;
        let expected = (n_rows as u64)
            .checked_mul(dimension as u64)
            .and_then(|n| n.checked_mul(4)?.checked_add(start));
        if expected != Some(n_bytes) {
            return Err(invalid(format!(
                "{n_bytes} bytes do not match the shape [{n_rows}, {dimension}]"
            )));
        }
        Ok(Self {
            file,
            start,
            n_rows,
            dimension,
            next: 0,
        })
    }

    /// Number of rows.
    pub(crate) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Length of a row.
    pub(crate) fn dimension(&self) -> usize {
        self.dimension
    }

    /// Reads a row, numbered from 0.
    pub(crate) fn row(&mut self, row: usize) -> io::Result<Vec<f32>> {
        if row >= self.n_rows {
            return Err(invalid(format!("row {row} is out of range")));
        }
        let n_bytes = self.dimension * 4;
        if row != self.next {
            self.file
                .seek(SeekFrom::Start(self.start + row as u64 * n_bytes as u64))?;
        }
        let mut bytes = vec![0; n_bytes];
        self.file.read_exact(&mut bytes)?;
        self.next = row + 1;
        let (values, _) = bytes.as_chunks::<4>();
        Ok(values
            .iter()
            .map(|value| f32::from_le_bytes(*value))
            .collect())
    }
}

fn invalid(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

/// Offset of the data, and its shape.
fn read_header(file: &mut impl Read) -> io::Result<(u64, usize, usize)> {
    let not_npy = || invalid("not a NumPy file");
    let mut magic = [0; 8];
    file.read_exact(&mut magic).map_err(|_| not_npy())?;
    let (length, n_before) = match magic {
        [0x93, b'N', b'U', b'M', b'P', b'Y', 1, _] => {
            let mut length = [0; 2];
            file.read_exact(&mut length).map_err(|_| not_npy())?;
            (u32::from(u16::from_le_bytes(length)), 10)
        }
        [0x93, b'N', b'U', b'M', b'P', b'Y', 2 | 3, _] => {
            let mut length = [0; 4];
            file.read_exact(&mut length).map_err(|_| not_npy())?;
            (u32::from_le_bytes(length), 12)
        }
        _ => return Err(not_npy()),
    };
    let mut text = String::new();
    let n_read = file
        .take(u64::from(length))
        .read_to_string(&mut text)
        .map_err(|_| not_npy())?;
    if n_read as u64 != u64::from(length) {
        return Err(not_npy());
    }
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let value = |key: &str| Some(text.split_once(&format!("'{key}':"))?.1);
    if !value("descr").is_some_and(|rest| rest.starts_with("'<f4'")) {
        return Err(invalid("not little-endian 32-bit floats (<f4)"));
    }
    if !value("fortran_order").is_some_and(|rest| rest.starts_with("False")) {
        return Err(invalid("not in C order"));
    }
    let shape = value("shape")
        .and_then(|rest| rest.strip_prefix('(')?.split_once(')'))
        .map(|(shape, _)| shape);
    let shape: Option<Vec<usize>> = shape.and_then(|shape| {
        let numbers = shape.split(',').filter(|number| !number.is_empty());
        numbers.map(|number| number.parse().ok()).collect()
    });
    match shape.as_deref() {
        Some(&[n_rows, dimension]) => Ok((n_before + u64::from(length), n_rows, dimension)),
        _ => Err(invalid("shape is not [n, dimension]")),
    }
}

fn header(n_rows: usize, dimension: usize) -> [u8; HEADER] {
    let text =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({n_rows}, {dimension}), }}");
    let mut header = [b' '; HEADER];
    header[..8].copy_from_slice(MAGIC);
    header[8..10].copy_from_slice(&118_u16.to_le_bytes());
    // Even two numbers of 20 digits fit.
    header[10..10 + text.len()].copy_from_slice(text.as_bytes());
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
    fn an_unfinished_file_is_deleted() {
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
        let mut reader = NpyReader::open(&path).unwrap();
        assert_eq!((reader.n_rows(), reader.dimension()), (2, 2));
        for row in [1, 0, 1] {
            let expected = [[0.6, 0.8], [1.0, 0.0]][row];
            assert_eq!(reader.row(row).unwrap(), expected);
        }
        assert!(reader.row(2).is_err());
    }

    #[test]
    fn files_other_than_f32_tables_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v.npy");
        let file = |version: u8, dict: &str, data: &[u8]| {
            let mut bytes = b"\x93NUMPY".to_vec();
            bytes.extend([version, 0]);
            let length = u16::try_from(dict.len()).unwrap();
            bytes.extend(length.to_le_bytes());
            if version > 1 {
                bytes.extend([0, 0]);
            }
            bytes.extend(dict.as_bytes());
            bytes.extend(data);
            bytes
        };
        let good = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }";
        for version in 1..=3 {
            fs_err::write(&path, file(version, good, &[0; 8])).unwrap();
            assert_eq!(NpyReader::open(&path).unwrap().dimension(), 2);
        }
        let rows: [(Vec<u8>, &str); 8] = [
            (b"".to_vec(), "not a NumPy file"),
            (b"PK\x03\x04 not this one".to_vec(), "not a NumPy file"),
            (file(9, good, &[0; 8]), "not a NumPy file"),
            (file(1, good, &[0; 7]), "do not match the shape"),
            (file(1, &good.replace("<f4", "<f8"), &[0; 8]), "32-bit"),
            (file(1, &good.replace("False", "True"), &[0; 8]), "C order"),
            (file(1, &good.replace("(1, 2)", "(2,)"), &[0; 8]), "shape"),
            (file(1, good, &[0; 8])[..30].to_vec(), "not a NumPy file"),
        ];
        for (bytes, expected) in rows {
            fs_err::write(&path, bytes).unwrap();
            let error = NpyReader::open(&path).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
