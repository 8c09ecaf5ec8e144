//! Puts pictures that were found into a folder, as copies or as links.
//!
//! Nothing in the folder is replaced: a name that is taken gets a number, unless what has it is the
//! same already.

use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::error::EngineError;
use super::report::Skipped;
use crate::atomic::AtomicFile;

/// How [`gather`] puts a picture into a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// As a copy with the modification time of the file.
    Copy,
    /// As a symbolic link to the file.
    Link,
}

/// What [`gather`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GatherReport {
    /// Pictures copied or linked.
    pub n_done: usize,
    /// Pictures that the folder had already.
    pub n_there: usize,
    /// Pictures that could not be copied or linked, and why.
    pub skipped: Vec<Skipped>,
}

/// What became of one picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Placed {
    Done,
    There,
}

/// Copies or links pictures into `folder`, which is created if it is missing. Each picture is given
/// by its files, all of one content; the first that can be read is taken. Names that are taken get
/// a number (`photo-2.jpg`); a picture that is in the folder already, under its name or a numbered
/// one, is not put there twice.
///
/// # Errors
/// When the folder cannot be created, or is a file. Other failures are in the report.
pub fn gather(
    pictures: &[&[PathBuf]],
    folder: &Path,
    how: How,
) -> Result<GatherReport, EngineError> {
    if folder.exists() && !folder.is_dir() {
        return Err(EngineError::IntoFile {
            path: folder.to_path_buf(),
        });
    }
    fs_err::create_dir_all(folder)?;
    let mut report = GatherReport::default();
    for files in pictures {
        match place_first(files, folder, how) {
            None => {}
            Some(Ok(Placed::Done)) => report.n_done += 1,
            Some(Ok(Placed::There)) => report.n_there += 1,
            Some(Err(skipped)) => report.skipped.push(skipped),
        }
    }
    Ok(report)
}

/// Places the first file that can be read. The failure is that of the first file.
fn place_first(files: &[PathBuf], folder: &Path, how: How) -> Option<Result<Placed, Skipped>> {
    let mut failure = None;
    for file in files {
        match place(file, folder, how) {
            Ok(placed) => return Some(Ok(placed)),
            Err(error) => {
                failure.get_or_insert_with(|| Skipped {
                    path: file.clone(),
                    reason: error.to_string(),
                });
            }
        }
    }
    failure.map(Err)
}

fn place(file: &Path, folder: &Path, how: How) -> io::Result<Placed> {
    // A link to a missing file would be made without a word.
    std::fs::File::open(file)?;
    let mut number = 1;
    loop {
        let target = folder.join(numbered(file, number));
        match target.symlink_metadata() {
            Ok(_) if how.is_there(file, &target) => return Ok(Placed::There),
            Ok(_) => number += 1,
            Err(error) if error.kind() == ErrorKind::NotFound => match how.put(file, &target) {
                Ok(()) => return Ok(Placed::Done),
                // Another program has just taken the name.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            },
            Err(error) => return Err(error),
        }
    }
}

/// The name of a file: `a.jpg`, `a-2.jpg`, `a-3.jpg` and so on.
fn numbered(file: &Path, number: usize) -> PathBuf {
    let name = file.file_name().unwrap_or_default();
    if number == 1 {
        return name.into();
    }
    let mut numbered = file.file_stem().unwrap_or(name).to_os_string();
    numbered.push(format!("-{number}"));
    if let Some(extension) = file.extension() {
        numbered.push(".");
        numbered.push(extension);
    }
    numbered.into()
}

impl How {
    /// Whether `target` is what would be put there. What cannot be read is something else.
    fn is_there(self, file: &Path, target: &Path) -> bool {
        match self {
            Self::Copy => have_equal_content(file, target).unwrap_or(false),
            Self::Link => match (fs_err::canonicalize(file), fs_err::canonicalize(target)) {
                (Ok(file), Ok(target)) => file == target,
                _ => false,
            },
        }
    }

    /// Puts the file there, if nothing has that name.
    fn put(self, file: &Path, target: &Path) -> io::Result<()> {
        match self {
            Self::Copy => copy(file, target),
            Self::Link => link(&std::path::absolute(file)?, target),
        }
    }
}

fn copy(file: &Path, target: &Path) -> io::Result<()> {
    let mut from = fs_err::File::open(file)?;
    let mut copy = AtomicFile::create(target)?;
    io::copy(&mut from, &mut copy)?;
    copy.flush()?;
    // Takes the name, which fails where another file has it; the copy then replaces this one.
    let mut new = OpenOptions::new();
    new.write(true).create_new(true).open(target)?;
    if let Err(error) = copy.commit() {
        let _ = fs_err::remove_file(target);
        return Err(error);
    }
    if let Ok(modified) = from.metadata().and_then(|about| about.modified()) {
        // Some file systems keep no such time, and the copy is good without it.
        let _ = OpenOptions::new()
            .write(true)
            .open(target)
            .and_then(|copy| copy.set_modified(modified));
    }
    Ok(())
}

#[cfg(unix)]
fn link(file: &Path, target: &Path) -> io::Result<()> {
    fs_err::os::unix::fs::symlink(file, target)
}

#[cfg(windows)]
fn link(file: &Path, target: &Path) -> io::Result<()> {
    fs_err::os::windows::fs::symlink_file(file, target)
}

fn have_equal_content(a: &Path, b: &Path) -> io::Result<bool> {
    let (a, b) = (fs_err::File::open(a)?, fs_err::File::open(b)?);
    if a.metadata()?.len() != b.metadata()?.len() {
        return Ok(false);
    }
    let (mut a, mut b) = (BufReader::new(a), BufReader::new(b));
    loop {
        let (in_a, in_b) = (a.fill_buf()?, b.fill_buf()?);
        let n = in_a.len().min(in_b.len());
        if n == 0 {
            return Ok(in_a.is_empty() && in_b.is_empty());
        }
        if in_a[..n] != in_b[..n] {
            return Ok(false);
        }
        a.consume(n);
        b.consume(n);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    struct Place {
        root: tempfile::TempDir,
    }

    impl Place {
        fn new() -> Self {
            Self {
                root: tempfile::tempdir().unwrap(),
            }
        }

        fn write(&self, below: &str, content: &str) -> PathBuf {
            let path = self.root.path().join(below);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(&path, content).unwrap();
            path
        }

        fn gather(&self, files: &[&Path], how: How) -> (usize, usize, usize) {
            let files: Vec<[PathBuf; 1]> = files.iter().map(|file| [file.to_path_buf()]).collect();
            let pictures: Vec<&[PathBuf]> = files.iter().map(<[PathBuf; 1]>::as_slice).collect();
            let report = gather(&pictures, &self.root.path().join("to/new"), how).unwrap();
            (report.n_done, report.n_there, report.skipped.len())
        }

        /// Names and contents of what was gathered.
        fn gathered(&self) -> BTreeMap<String, String> {
            let entries = fs_err::read_dir(self.root.path().join("to/new")).unwrap();
            let file = |entry: io::Result<fs_err::DirEntry>| {
                let entry = entry.unwrap();
                let content = fs_err::read_to_string(entry.path()).unwrap();
                (entry.file_name().to_string_lossy().into_owned(), content)
            };
            entries.map(file).collect()
        }
    }

    #[test]
    fn nothing_is_replaced_and_nothing_is_put_twice() {
        for how in [How::Copy, How::Link] {
            let place = Place::new();
            let (a, b) = (place.write("x/p.jpg", "one"), place.write("y/p.jpg", "two"));
            let taken = place.write("to/new/p.jpg", "mine");
            assert_eq!(place.gather(&[&a, &b], how), (2, 0, 0));
            assert_eq!(place.gather(&[&b, &a], how), (0, 2, 0));
            let expected = [("p.jpg", "mine"), ("p-2.jpg", "one"), ("p-3.jpg", "two")];
            let expected = expected.map(|(name, content)| (name.to_owned(), content.to_owned()));
            assert_eq!(place.gathered(), expected.into());
            assert_eq!(fs_err::read_to_string(taken).unwrap(), "mine");
            let second = place.root.path().join("to/new/p-2.jpg");
            assert_eq!(second.is_symlink(), how == How::Link);
            let time = |path: &Path| fs_err::metadata(path).unwrap().modified().unwrap();
            assert_eq!(time(&second), time(&a));
        }
    }

    #[test]
    fn the_first_readable_file_of_a_picture_is_taken_and_bad_ones_are_named() {
        let place = Place::new();
        let (missing, good) = (
            place.root.path().join("no.jpg"),
            place.write("p.jpg", "one"),
        );
        let to = place.root.path().join("to/new");
        let files = [missing.clone(), good];
        let report = gather(&[&files, &files[..1], &[]], &to, How::Copy).unwrap();
        assert_eq!((report.n_done, report.n_there), (1, 0));
        assert_eq!(report.skipped.len(), 1);
        assert_eq!(report.skipped[0].path, missing);
        assert_eq!(place.gathered().len(), 1);
        // Into the folder that it is in already.
        let there = [to.join("p.jpg")];
        for how in [How::Copy, How::Link] {
            let report = gather(&[&there], &to, how).unwrap();
            assert_eq!((report.n_done, report.n_there), (0, 1));
        }
        let file = place.write("file", "");
        assert!(gather(&[&there], &file, How::Copy).is_err());
    }
}
