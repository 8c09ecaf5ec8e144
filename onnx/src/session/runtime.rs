//! Finds, checks and opens ONNX Runtime.
//!
//! The library is probed before `ort` touches it, because a missing or old library must end in a
//! one-line error, not in a panic or a hang. The probe uses the part of ONNX Runtime's C API that
//! never changes: `OrtGetApiBase`, its version string, and whether it returns the API version that
//! this crate is built for.

#![allow(
    unsafe_code,
    reason = "the library's C API is probed before ort binds to it"
)]

use std::ffi::{CStr, c_char, c_void};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ort::logging::LogLevel;

/// The minor version of the oldest supported ONNX Runtime: `1.{API_VERSION}`.
const API_VERSION: u32 = ort::MINOR_VERSION;

/// The file name that the system's loader is asked for when no candidate exists.
const SYSTEM_NAME: &str = if cfg!(windows) {
    "onnxruntime.dll"
} else if cfg!(target_vendor = "apple") {
    "libonnxruntime.dylib"
} else {
    "libonnxruntime.so"
};

/// The only runtime of this process. ONNX Runtime's environment is global, so it is opened once and
/// kept until the process ends.
static OPENED: Mutex<Option<Runtime>> = Mutex::new(None);

/// Why ONNX Runtime could not be opened. Every message is one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// No candidate exists and the system's loader finds no ONNX Runtime either.
    #[error("ONNX Runtime not found{}", list(tried))]
    NotFound {
        /// The paths tried, in order; the last is the name given to the system's loader.
        tried: Vec<PathBuf>,
    },
    /// The library is ONNX Runtime, but does not have the API version that this program needs.
    #[error("{}: ONNX Runtime {found} is too old: {needed} or newer is needed", library.display())]
    TooOld {
        /// The library.
        library: PathBuf,
        /// The version that it reports.
        found: String,
        /// The oldest supported version.
        needed: String,
    },
    /// The library loads, but does not export ONNX Runtime's entry point.
    #[error("{}: not an ONNX Runtime library", library.display())]
    NotOnnxRuntime {
        /// The library.
        library: PathBuf,
        /// The loader's error.
        #[source]
        source: libloading::Error,
    },
    /// The file exists, but the system's loader refuses it: it is not a library, is built for
    /// another machine, or depends on a library that is missing.
    #[error("{}: cannot load this file as a library", library.display())]
    NotLoadable {
        /// The file.
        library: PathBuf,
        /// The loader's error.
        #[source]
        source: libloading::Error,
    },
    /// A process can use only one ONNX Runtime library, and it already uses another one.
    #[error(
        "{}: this process already uses ONNX Runtime from {}",
        asked.display(),
        loaded.display()
    )]
    AlreadyOpen {
        /// The library asked for.
        asked: PathBuf,
        /// The library in use.
        loaded: PathBuf,
    },
    /// The library was loaded, but failed to start.
    #[error("{}: ONNX Runtime failed to start", library.display())]
    Start {
        /// The library.
        library: PathBuf,
        /// ONNX Runtime's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

fn list(tried: &[PathBuf]) -> String {
    if tried.is_empty() {
        return String::new();
    }
    let names: Vec<_> = tried.iter().map(|p| p.display().to_string()).collect();
    format!(" (tried {})", names.join(", "))
}

/// A loaded ONNX Runtime. Clones are cheap and share it.
#[derive(Clone)]
pub struct Runtime {
    inner: Arc<Loaded>,
}

struct Loaded {
    library: PathBuf,
    version: String,
    environment: ort::environment::Environment,
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("library", &self.inner.library)
            .field("version", &self.inner.version)
            .finish_non_exhaustive()
    }
}

impl Runtime {
    /// Opens the first candidate that exists; when none does, asks the system's loader.
    ///
    /// A candidate that exists but is unusable is an error: falling back to another library than
    /// the one that was put there would be a surprise.
    ///
    /// # Errors
    /// Every kind of [`RuntimeError`].
    pub fn open(candidates: &[PathBuf]) -> Result<Self, RuntimeError> {
        Self::open_or_named(candidates, Path::new(SYSTEM_NAME))
    }

    /// Opens this library and no other.
    ///
    /// # Errors
    /// Every kind of [`RuntimeError`]; [`RuntimeError::NotFound`] when the file does not exist.
    pub fn open_exactly(library: &Path) -> Result<Self, RuntimeError> {
        if !library.exists() {
            let tried = vec![library.to_path_buf()];
            return Err(RuntimeError::NotFound { tried });
        }
        Self::load(library)
    }

    /// The library's version, for example `1.32.0`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.inner.version
    }

    /// The library's path; only a file name when the system's loader found it.
    #[must_use]
    pub fn library(&self) -> &Path {
        &self.inner.library
    }

    pub(super) fn environment(&self) -> &ort::environment::Environment {
        &self.inner.environment
    }

    fn open_or_named(candidates: &[PathBuf], system_name: &Path) -> Result<Self, RuntimeError> {
        if let Some(library) = candidates.iter().find(|path| path.exists()) {
            return Self::load(library);
        }
        Self::load(system_name).map_err(|error| match error {
            RuntimeError::NotLoadable { .. } => RuntimeError::NotFound {
                tried: candidates
                    .iter()
                    .cloned()
                    .chain([system_name.to_path_buf()])
                    .collect(),
            },
            other => other,
        })
    }

    fn load(library: &Path) -> Result<Self, RuntimeError> {
        // Canonical, so that two spellings of a path are the same library. A bare name for the
        // system's loader is not a path and stays as it is.
        let library = fs_err::canonicalize(library).unwrap_or_else(|_| library.to_path_buf());
        let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = opened.as_ref()
            && runtime.inner.library == library
        {
            return Ok(runtime.clone());
        }
        let version = probe(&library)?;
        if let Some(runtime) = opened.as_ref() {
            return Err(RuntimeError::AlreadyOpen {
                asked: library,
                loaded: runtime.inner.library.clone(),
            });
        }
        let environment = start(&library).map_err(|source| RuntimeError::Start {
            library: library.clone(),
            source,
        })?;
        let runtime = Self {
            inner: Arc::new(Loaded {
                library,
                version,
                environment,
            }),
        };
        *opened = Some(runtime.clone());
        Ok(runtime)
    }
}

/// Starts ONNX Runtime from a library that was probed before; once per process.
fn start(
    library: &Path,
) -> Result<ort::environment::Environment, Box<dyn std::error::Error + Send + Sync>> {
    // ONNX Runtime logs to stderr by default. Whatever matters comes back as an error, and a
    // library must not print, so the log is discarded.
    let environment = ort::init_from(library)?
        .with_name("sightline")
        .with_telemetry(false)
        .with_logger(Arc::new(|_, _, _, _, _| {}))
        .build()?;
    environment.set_log_level(LogLevel::Fatal);
    Ok(environment)
}

/// The head of ONNX Runtime's C API, unchanged since its first release: `struct OrtApiBase`.
#[repr(C)]
struct ApiBase {
    api: unsafe extern "system" fn(version: u32) -> *const c_void,
    version_string: unsafe extern "system" fn() -> *const c_char,
}

/// Loads the library, asks for its version, and checks that it has our API version.
///
/// A library that passes stays loaded: ONNX Runtime does not support being unloaded, and loading it
/// again costs nothing.
fn probe(path: &Path) -> Result<String, RuntimeError> {
    // SAFETY: loading runs the library's initialisers. The caller names the file on purpose as the
    // ONNX Runtime to use, which requires the same trust as running it.
    let library =
        unsafe { libloading::Library::new(path) }.map_err(|source| RuntimeError::NotLoadable {
            library: path.to_path_buf(),
            source,
        })?;
    // SAFETY: the symbol's type is the one in ONNX Runtime's C header; no other library is known to
    // export this name.
    let base_of: libloading::Symbol<'_, unsafe extern "system" fn() -> *const ApiBase> = unsafe {
        library.get(b"OrtGetApiBase\0")
    }
    .map_err(|source| RuntimeError::NotOnnxRuntime {
        library: path.to_path_buf(),
        source,
    })?;
    let too_old = |found: &str| RuntimeError::TooOld {
        library: path.to_path_buf(),
        found: found.to_owned(),
        needed: format!("1.{API_VERSION}"),
    };
    // SAFETY: the function takes nothing and returns a pointer to a static, or null.
    let Some(base) = (unsafe { base_of().as_ref() }) else {
        return Err(too_old("of an unknown version"));
    };
    // SAFETY: as above; the string is static and ends with a zero.
    let version = unsafe {
        let text = (base.version_string)();
        if text.is_null() {
            return Err(too_old("of an unknown version"));
        }
        CStr::from_ptr(text).to_string_lossy().into_owned()
    };
    // The version is checked before the API is asked for, since old libraries complain on stderr
    // when asked for a version that they do not have.
    if minor(&version).is_none_or(|minor| minor < API_VERSION) {
        return Err(too_old(&version));
    }
    // SAFETY: any number may be asked for; an unknown one gives null.
    if unsafe { (base.api)(API_VERSION) }.is_null() {
        return Err(too_old(&version));
    }
    std::mem::forget(library);
    Ok(version)
}

/// The `32` of `1.32.0`. All versions so far are 1.x, and a 2.x would be newer than any of them.
fn minor(version: &str) -> Option<u32> {
    let mut parts = version.split('.');
    let major: u32 = parts.next()?.parse().ok()?;
    let minor: u32 = parts.next()?.parse().ok()?;
    if major > 1 {
        Some(u32::MAX)
    } else {
        Some(minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert_eq!(minor("1.9.0"), Some(9));
        assert_eq!(minor("1.32.0-rc1"), Some(32));
        assert_eq!(minor("2.0.0"), Some(u32::MAX));
        assert_eq!(minor("rubbish"), None);
        assert_eq!(minor(""), None);
    }

    #[test]
    fn not_found_lists_every_path_tried() {
        let nowhere = PathBuf::from("/nonexistent/libonnxruntime.so");
        let name = Path::new("libno-such-onnxruntime-here.so");
        let error = Runtime::open_or_named(std::slice::from_ref(&nowhere), name).unwrap_err();
        let message = error.to_string();
        assert_eq!(
            message,
            "ONNX Runtime not found (tried /nonexistent/libonnxruntime.so, \
             libno-such-onnxruntime-here.so)"
        );
        assert!(!message.contains('\n'));
    }
}
