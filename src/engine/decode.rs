//! From a file to the pixels a model sees, within a memory budget that all threads share.

use std::fs::Metadata;
use std::io::Read as _;
use std::path::Path;
use std::sync::{Condvar, Mutex, PoisonError};

use sightline_onnx::Pixels;
use sightline_picture::{DecodeError, DecodeLimits, Decoded, Smallest};

use crate::engine::{Encoders, EngineError};

/// Bytes from the start of a file that are enough to recognize its format.
const N_START: u64 = 64;

/// How pictures are read and decoded, both for indexing and for queries by picture.
#[derive(Debug, Clone)]
pub struct DecodeOptions {
    /// Refuses pictures that are too large to decode safely.
    pub limits: DecodeLimits,
    /// Decodes large JPEGs at full size. Otherwise they are decoded at 1/2, 1/4 or 1/8 of it as
    /// long as both sides stay at least twice as long as the model's input, which is several times
    /// faster and changes vectors less than re-encoding the JPEG does. It is not part of the
    /// fingerprint: one index may hold vectors of both kinds.
    pub full_decode: bool,
    /// Memory in bytes that reading and decoding may take, all threads together. A picture that
    /// needs more is decoded alone.
    pub memory: u64,
}

impl Default for DecodeOptions {
    /// The default limits, reduced decoding, 512 MiB.
    fn default() -> Self {
        Self {
            limits: DecodeLimits::default(),
            full_decode: false,
            memory: 512 << 20,
        }
    }
}

/// A picture made ready for the encoder.
pub(crate) struct Picture {
    /// Width in pixels of the whole upright picture, even if it was decoded at a reduced size.
    pub(crate) width: u32,
    /// Height, likewise.
    pub(crate) height: u32,
    pub(crate) pixels: Pixels,
}

/// Reads files and decodes them within a memory budget; shared by all threads of a run.
pub(crate) struct Decoder<'a> {
    limits: &'a DecodeLimits,
    smallest: Smallest,
    /// For the bytes of files. A thread that holds some of it may wait for `pictures`, never the
    /// other way round, so that no two threads wait for each other.
    files: MemoryBudget,
    /// For decoded pictures.
    pictures: MemoryBudget,
}

impl<'a> Decoder<'a> {
    /// Large JPEGs are reduced as far as `smallest` allows.
    pub(crate) fn new(options: &'a DecodeOptions, smallest: Smallest) -> Self {
        // Files are compressed: decoding them takes several times their bytes.
        let for_files = options.memory / 4;
        Self {
            limits: &options.limits,
            smallest,
            files: MemoryBudget::new(for_files),
            pictures: MemoryBudget::new(options.memory - for_files),
        }
    }

    /// The largest file that is read, in bytes.
    pub(crate) fn max_bytes(&self) -> u64 {
        self.limits.max_bytes
    }

    /// Reads a file of `n_bytes` and passes its content to `then` while holding its memory budget.
    pub(crate) fn read<R>(
        &self,
        path: &Path,
        n_bytes: u64,
        then: impl FnOnce(Vec<u8>) -> R,
    ) -> std::io::Result<R> {
        let _share = self.files.take(n_bytes);
        Ok(then(fs_err::read(path)?))
    }

    /// Reads a file named by the user, with its share of the memory budget; see [`read_file`].
    pub(crate) fn content(&self, path: &Path) -> Result<(Vec<u8>, Share<'_>), EngineError> {
        // A missing file fails in `read_file`, whose error names it.
        let about = std::fs::metadata(path).ok();
        if let Some(about) = about.as_ref().filter(|about| !about.is_file())
            && !is_handed_over(path, about)
        {
            // A named pipe without a writer would be waited for, and a device may have no end.
            return Err(EngineError::NotAFile {
                path: path.to_path_buf(),
                what: if about.is_dir() {
                    "a folder"
                } else {
                    "a pipe or device"
                },
            });
        }
        let n_bytes = about.map_or(0, |about| about.len().min(self.limits.max_bytes));
        let share = self.files.take(n_bytes);
        Ok((read_file(path, self.limits)?, share))
    }

    /// Decodes the content of a file and passes the picture to `then` while holding its memory
    /// budget; the bytes are dropped as soon as they are decoded.
    pub(crate) fn decode<R>(
        &self,
        bytes: Vec<u8>,
        then: impl FnOnce(&Decoded) -> R,
    ) -> Result<R, DecodeError> {
        let whole = sightline_picture::memory_needed(&bytes);
        let reduced = sightline_picture::memory_needed_reduced(&bytes, self.smallest);
        if reduced < whole {
            // A large JPEG takes this little, unless it is of a kind that is only decoded whole:
            // then it is refused at this limit, and decoded again with memory for all of it.
            let share = self.pictures.take(reduced);
            let max_bytes = self.limits.max_bytes.min(reduced);
            let limits = self.limits.clone().with_max_bytes(max_bytes);
            match sightline_picture::decode_reduced(&bytes, &limits, self.smallest) {
                Err(DecodeError::TooManyBytes { .. }) => drop(share),
                Err(error) => return Err(error),
                Ok(decoded) => {
                    drop(bytes);
                    return Ok(then(&decoded));
                }
            }
        }
        let _share = self.pictures.take(whole);
        let decoded = sightline_picture::decode_reduced(&bytes, self.limits, self.smallest)?;
        drop(bytes);
        Ok(then(&decoded))
    }
}

/// Decodes pictures for one model; shared by all threads of a run.
pub(crate) struct Decoding<'a> {
    decoder: Decoder<'a>,
    encoders: &'a Encoders,
}

impl<'a> Decoding<'a> {
    pub(crate) fn new(options: &'a DecodeOptions, encoders: &'a Encoders) -> Self {
        let smallest = if options.full_decode {
            Smallest::whole()
        } else {
            encoders.image().smallest()
        };
        Self {
            decoder: Decoder::new(options, smallest),
            encoders,
        }
    }

    pub(crate) fn decoder(&self) -> &Decoder<'a> {
        &self.decoder
    }

    /// Reads, decodes and preprocesses a file named by the user.
    pub(crate) fn file(&self, path: &Path) -> Result<Picture, EngineError> {
        let (bytes, _share) = self.decoder.content(path)?;
        self.picture(bytes).map_err(|source| EngineError::Picture {
            path: path.to_path_buf(),
            source,
        })
    }

    /// Decodes and preprocesses the content of a file.
    pub(crate) fn picture(&self, bytes: Vec<u8>) -> Result<Picture, DecodeError> {
        let prepared = |decoded: &Decoded| Picture {
            width: decoded.width,
            height: decoded.height,
            pixels: self.encoders.image().prepare(&decoded.image),
        };
        self.decoder.decode(bytes, prepared)
    }
}

/// Whether this is an unnamed pipe handed over by the shell, as in `cat a.jpg | sightline search
/// --image /dev/stdin` or `<(cat a.jpg)`.
fn is_handed_over(path: &Path, about: &Metadata) -> bool {
    let number = match path
        .strip_prefix("/dev/fd")
        .or_else(|_| path.strip_prefix("/proc/self/fd"))
    {
        Ok(number) => number,
        Err(_) if path == Path::new("/dev/stdin") => Path::new("0"),
        Err(_) => return false,
    };
    if number
        .to_str()
        .is_none_or(|number| number.parse::<u32>().is_err())
    {
        return false;
    }
    #[cfg(unix)]
    let is_pipe = std::os::unix::fs::FileTypeExt::is_fifo(&about.file_type());
    #[cfg(not(unix))]
    let is_pipe = false;
    // On Linux, a named pipe has its path here, and opening it again may wait. Where there is no
    // such link, opening the path hands over the open pipe itself.
    let link = std::fs::read_link(Path::new("/proc/self/fd").join(number)).ok();
    let is_unnamed = link.is_none_or(|link| link.to_string_lossy().starts_with("pipe:["));
    is_pipe && is_unnamed
}

/// Reads a whole file named by the user. It may grow meanwhile, so reading stops at the size limit,
/// and after the first bytes of a format that is not supported.
fn read_file(path: &Path, limits: &DecodeLimits) -> Result<Vec<u8>, EngineError> {
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

/// Why a file of a library folder is not worth reading: its content is of a format that is not
/// supported. Such files are often large, and every run meets them again. A file whose extension
/// is that of a supported format is not opened.
pub(crate) fn unsupported(path: &Path) -> std::io::Result<Option<DecodeError>> {
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

/// A number of bytes shared by threads. Each takes what its next piece of work needs before it
/// starts, and blocks until that much is free.
///
/// First come, first served, so that small pictures do not starve a large one. A request for more
/// than the whole budget is given all of it.
#[derive(Debug)]
pub(crate) struct MemoryBudget {
    n_bytes: u64,
    taken: Mutex<u64>,
    freed: Condvar,
    /// Held by the thread at the head of the queue while it waits.
    turn: Mutex<()>,
}

/// Bytes taken from a [`MemoryBudget`]; given back when dropped.
#[derive(Debug)]
pub(crate) struct Share<'a> {
    budget: &'a MemoryBudget,
    n_bytes: u64,
}

impl MemoryBudget {
    pub(crate) fn new(n_bytes: u64) -> Self {
        Self {
            n_bytes,
            taken: Mutex::new(0),
            freed: Condvar::new(),
            turn: Mutex::new(()),
        }
    }

    /// Takes this many bytes; blocks until they are free.
    pub(crate) fn take(&self, n_bytes: u64) -> Share<'_> {
        let n_bytes = n_bytes.min(self.n_bytes);
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = self
            .freed
            .wait_while(taken, |taken| *taken > self.n_bytes - n_bytes)
            .unwrap_or_else(PoisonError::into_inner);
        *taken += n_bytes;
        Share {
            budget: self,
            n_bytes,
        }
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        let budget = self.budget;
        *budget.taken.lock().unwrap_or_else(PoisonError::into_inner) -= self.n_bytes;
        budget.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn reading_stops_at_the_size_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let limits = DecodeLimits::default().with_max_bytes(1000);
        for (n_bytes, is_read) in [(0, true), (64, true), (1000, true), (1001, false)] {
            fs_err::write(&path, vec![7; n_bytes]).unwrap();
            match read_file(&path, &limits) {
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
        assert!(read_file(Path::new("/dev/zero"), &limits).is_err());
    }

    #[test]
    fn only_the_start_of_an_unsupported_format_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &[u8]| {
            let path = folder.path().join(name);
            fs_err::write(&path, content).unwrap();
            path
        };
        let psd = write("a.PSD", b"8BPS\0\x01 and a gigabyte of layers");
        let reason = unsupported(&psd).unwrap().unwrap().to_string();
        assert!(reason.contains("Photoshop"), "{reason}");
        let limits = DecodeLimits::default();
        let error = read_file(&psd, &limits).unwrap_err().to_string();
        assert!(error.contains("Photoshop"), "{error}");
        // The content decides.
        let jpeg = write("b.psd", b"\xff\xd8\xff\xe0");
        assert!(unsupported(&jpeg).unwrap().is_none());
        let absent = folder.path().join("absent");
        // A file named like a supported format is not even opened.
        assert!(
            unsupported(&absent.with_extension("JPG"))
                .unwrap()
                .is_none()
        );
        assert!(unsupported(&absent.with_extension("psd")).is_err());
    }

    #[test]
    fn threads_never_take_more_than_the_budget() {
        const N_BYTES: u64 = 100;
        let budget = MemoryBudget::new(N_BYTES);
        let (in_use, most, n_done) = (AtomicU64::new(0), AtomicU64::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (budget, in_use, most, n_done) = (&budget, &in_use, &most, &n_done);
                scope.spawn(move || {
                    for turn in 0..50 {
                        // From 1 to 150: some exceed the budget and then run alone.
                        let n_bytes = (thread * 37 + turn * 61) % 150 + 1;
                        let share = budget.take(n_bytes);
                        let counted = n_bytes.min(N_BYTES);
                        let now = in_use.fetch_add(counted, Ordering::SeqCst) + counted;
                        most.fetch_max(now, Ordering::SeqCst);
                        std::thread::yield_now();
                        in_use.fetch_sub(counted, Ordering::SeqCst);
                        drop(share);
                        n_done.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(n_done.into_inner(), 400);
        assert_eq!(most.into_inner(), N_BYTES);
        assert_eq!(*budget.taken.lock().unwrap(), 0);
    }

    #[test]
    fn a_request_beyond_the_budget_takes_all_of_it() {
        let budget = MemoryBudget::new(10);
        let share = budget.take(u64::MAX);
        assert_eq!(*budget.taken.lock().unwrap(), 10);
        drop(share);
        let shares = [budget.take(4), budget.take(6)];
        assert_eq!(*budget.taken.lock().unwrap(), 10);
        drop(shares);
        assert_eq!(*budget.taken.lock().unwrap(), 0);
    }
}
