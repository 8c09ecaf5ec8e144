//! Where is ONNX Runtime, and is it one that we can use?
//!
//! The library is probed by hand before anything else touches it, because a missing or old one must
//! end in one line of text, not in a panic or a wait without end. What is probed is the part of
//! ONNX Runtime's C API that never changes: `OrtGetApiBase`, its version string, and whether it
//! hands out the API version that we are built for.

use std::ffi::{CStr, c_char, c_void};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::RuntimeError;
use crate::session;

/// The file name that the system's loader is asked for when no candidate exists.
const SYSTEM_NAME: &str = if cfg!(windows) {
    "onnxruntime.dll"
} else if cfg!(target_vendor = "apple") {
    "libonnxruntime.dylib"
} else {
    "libonnxruntime.so"
};

/// The one runtime of this process. ONNX Runtime's environment is global, so it is opened once and
/// kept until the process ends.
static OPENED: Mutex<Option<Runtime>> = Mutex::new(None);

/// A loaded ONNX Runtime. Clones are cheap and share it.
#[derive(Clone)]
pub struct Runtime {
    inner: Arc<Inner>,
}

struct Inner {
    library: PathBuf,
    version: String,
    environment: session::Environment,
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
    /// Opens the first of the candidates that exists; when none does, asks the system's loader.
    ///
    /// A candidate that exists and is unusable is an error and not skipped: another library than
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

    pub(crate) fn environment(&self) -> &session::Environment {
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
        // Canonical, so that two ways of writing one path are the same library. A bare name for the
        // system's loader is no path and stays as it is.
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
        let environment =
            session::Environment::new(&library).map_err(|source| RuntimeError::Start {
                library: library.clone(),
                source,
            })?;
        let runtime = Self {
            inner: Arc::new(Inner {
                library,
                version,
                environment,
            }),
        };
        *opened = Some(runtime.clone());
        Ok(runtime)
    }
}

/// The head of ONNX Runtime's C API, fixed since its first release: `struct OrtApiBase`.
#[repr(C)]
struct ApiBase {
    api: unsafe extern "system" fn(version: u32) -> *const c_void,
    version_string: unsafe extern "system" fn() -> *const c_char,
}

/// Loads the library, asks for its version, and checks that it serves our API version.
///
/// A library that passes stays loaded: the next loading then costs nothing, and ONNX Runtime is
/// not made to be unloaded.
fn probe(path: &Path) -> Result<String, RuntimeError> {
    // SAFETY: loading runs the library's initialisers. The caller names the file on purpose as the
    // ONNX Runtime to use, which is the same trust that running it needs.
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
        needed: format!("1.{}", session::API_VERSION),
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
    // The number decides before the API is asked for, since old libraries complain on stderr when
    // they are asked for one that they do not have.
    if minor(&version).is_none_or(|minor| minor < session::API_VERSION) {
        return Err(too_old(&version));
    }
    // SAFETY: any number may be asked for; an unknown one gives null.
    if unsafe { (base.api)(session::API_VERSION) }.is_null() {
        return Err(too_old(&version));
    }
    std::mem::forget(library);
    Ok(version)
}

/// The `32` of `1.32.0`; all versions so far are 1.x, and a 2.x would be newer than any of them.
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
    fn versions_are_read_by_their_numbers() {
        assert_eq!(minor("1.9.0"), Some(9));
        assert_eq!(minor("1.32.0-rc1"), Some(32));
        assert_eq!(minor("2.0.0"), Some(u32::MAX));
        assert_eq!(minor("rubbish"), None);
        assert_eq!(minor(""), None);
    }

    #[test]
    fn when_nothing_is_there_the_error_names_every_place() {
        let nowhere = PathBuf::from("/nonexistent/libonnxruntime.so");
        let name = Path::new("libno-such-onnxruntime-here.so");
        let error = Runtime::open_or_named(std::slice::from_ref(&nowhere), name).unwrap_err();
        let message = error.to_string();
        assert_eq!(
            message,
            "ONNX Runtime was not found (tried /nonexistent/libonnxruntime.so, \
             libno-such-onnxruntime-here.so)"
        );
        assert!(!message.contains('\n'));
    }
}
