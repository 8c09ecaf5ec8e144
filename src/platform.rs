//! Where Sightline's files are on this machine. The only place that reads the environment.
//!
//! The engine and the libraries are given paths; programs that want the default ones ask here.

use std::path::{Path, PathBuf};

use crate::models::hub::HubOptions;
use directories::{BaseDirs, ProjectDirs};
use sightline_onnx::{Runtime, RuntimeError};

/// The `onnxruntime` release named in the install hint and fetched by `make setup`.
pub const RUNTIME_RELEASE: &str = "1.28.0";

/// ONNX Runtime 1.29 to 1.32 write what they run on to disk and report it to their maker, unless
/// this variable has this value when the library is loaded. The pinned release has no such part;
/// this is for another one that a user names.
pub const TELEMETRY_OFF: (&str, &str) = ("ORT_DISABLE_TELEMETRY", "1");

/// File name of ONNX Runtime's shared library on this platform.
pub const RUNTIME_LIBRARY: &str = if cfg!(target_os = "windows") {
    "onnxruntime.dll"
} else if cfg!(target_os = "macos") {
    "libonnxruntime.dylib"
} else {
    "libonnxruntime.so"
};

/// The most heaps that the C library keeps for threads to allocate from.
#[cfg(feature = "serve")]
const MAX_HEAPS: std::ffi::c_int = 2;

/// Limits the heaps that threads allocate from, in a program that answers many requests on many
/// threads. By default, the GNU C library makes up to eight per core, and what is freed in one is
/// not usable by the others: over 33,000 requests a server grew by 300 MB that were mostly free
/// (benches/RESULTS.md). Returns whether there is such a limit. To be called before threads start.
#[allow(clippy::must_use_candidate, reason = "nothing depends on it")]
#[cfg(all(feature = "serve", target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "a setting of the C library")]
pub fn limit_heaps() -> bool {
    use std::ffi::c_int;

    /// `M_ARENA_MAX` in malloc.h.
    const ARENA_MAX: c_int = -8;
    unsafe extern "C" {
        fn mallopt(setting: c_int, value: c_int) -> c_int;
    }
    // SAFETY: glibc declares `int mallopt(int, int)` in malloc.h. It changes a setting of the
    // allocator under the allocator's own lock.
    unsafe { mallopt(ARENA_MAX, MAX_HEAPS) == 1 }
}

/// Other allocators have no such setting.
#[allow(clippy::must_use_candidate, reason = "nothing depends on it")]
#[cfg(all(feature = "serve", not(all(target_os = "linux", target_env = "gnu"))))]
pub fn limit_heaps() -> bool {
    false
}

/// Sightline's data folder (`$XDG_DATA_HOME/sightline` on Linux), or `None` if the user has no home
/// folder.
#[must_use]
pub fn data_folder() -> Option<PathBuf> {
    ProjectDirs::from("", "", "sightline").map(|dirs| dirs.data_dir().to_path_buf())
}

/// Where thumbnails are kept (`$XDG_CACHE_HOME/sightline/thumbnails` on Linux), or `None` if the
/// user has no home folder.
#[must_use]
pub fn thumbnail_folder() -> Option<PathBuf> {
    let dirs = ProjectDirs::from("", "", "sightline");
    dirs.map(|dirs| dirs.cache_dir().join("thumbnails"))
}

/// The user's home folder, if there is one.
#[must_use]
pub fn home_folder() -> Option<PathBuf> {
    BaseDirs::new().map(|dirs| dirs.home_dir().to_path_buf())
}

/// The folder to which [`install_command`] installs the `onnxruntime` Python package.
fn wheel_folder() -> Option<PathBuf> {
    data_folder().map(|data| data.join("onnxruntime"))
}

/// A command that installs ONNX Runtime where [`runtime_source`] finds it. It needs Python 3 with
/// pip.
#[must_use]
pub fn install_command() -> String {
    let target = wheel_folder().unwrap_or_else(|| PathBuf::from("onnxruntime"));
    format!(
        "python3 -m pip install --no-deps --target '{}' onnxruntime=={RUNTIME_RELEASE}",
        target.display()
    )
}

/// Where ONNX Runtime is searched if `ORT_DYLIB_PATH` is not set, in order: beside the executable,
/// in `../lib/sightline`, in `../lib`, in the data folder (as a file, or as the Python package).
#[must_use]
fn runtime_candidates() -> Vec<PathBuf> {
    let mut candidates = Vec::new();
    if let Some(folder) = std::env::current_exe()
        .ok()
        .as_deref()
        .and_then(Path::parent)
    {
        candidates.push(folder.join(RUNTIME_LIBRARY));
        // Test programs are in a folder below the executable.
        if folder.ends_with("deps") {
            candidates.push(folder.join("..").join(RUNTIME_LIBRARY));
        }
        let lib = folder.join("..").join("lib");
        candidates.push(lib.join("sightline").join(RUNTIME_LIBRARY));
        candidates.push(lib.join(RUNTIME_LIBRARY));
    }
    if let Some(data) = data_folder() {
        candidates.push(data.join(RUNTIME_LIBRARY));
    }
    if let Some(wheel) = wheel_folder() {
        candidates.extend(libraries_in(&wheel.join("onnxruntime").join("capi")));
    }
    candidates
}

/// The wheel's library has its version in the name (`libonnxruntime.so.1.28.0`), so it is found by
/// prefix.
fn libraries_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = folder.read_dir() else {
        return Vec::new();
    };
    let stem = RUNTIME_LIBRARY.split('.').next().unwrap_or(RUNTIME_LIBRARY);
    let mut found: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            name.starts_with(&format!("{stem}.")) && !name.contains("providers")
        })
        .collect();
    found.sort();
    found
}

/// The hub for downloads: `HF_ENDPOINT`, else Hugging Face's own; the token in `HF_TOKEN`; the
/// proxy in `HTTPS_PROXY` (`HTTP_PROXY` for a hub without encryption) or `ALL_PROXY`, with the
/// exceptions in `NO_PROXY`; and the shared cache.
#[must_use]
pub fn hub_options() -> HubOptions {
    let first = |names: &[&str]| {
        let values = names.iter().filter_map(|name| std::env::var(name).ok());
        let mut values = values.map(|value| value.trim().to_owned());
        values.find(|value| !value.is_empty())
    };
    let endpoint = first(&["HF_ENDPOINT"]);
    let endpoint = endpoint.unwrap_or_else(|| "https://huggingface.co".to_owned());
    let proxies = if endpoint.starts_with("http://") {
        ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]
    } else {
        ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
    };
    HubOptions {
        endpoint,
        token: first(&["HF_TOKEN"]),
        proxy: first(&proxies),
        no_proxy: first(&["NO_PROXY", "no_proxy"]),
        cache: hub_cache(),
    }
}

/// The shared cache of Hugging Face's own libraries: `HF_HUB_CACHE`, else `hub` in `HF_HOME`, else
/// `~/.cache/huggingface/hub`.
fn hub_cache() -> Option<PathBuf> {
    let folder = |name: &str| {
        let value = std::env::var_os(name).filter(|value| !value.is_empty())?;
        Some(PathBuf::from(value))
    };
    let user_cache = || {
        let of_home = || Some(BaseDirs::new()?.home_dir().join(".cache"));
        folder("XDG_CACHE_HOME").or_else(of_home)
    };
    let home = || folder("HF_HOME").or_else(|| Some(user_cache()?.join("huggingface")));
    folder("HF_HUB_CACHE").or_else(|| Some(home()?.join("hub")))
}

/// Opens ONNX Runtime on this machine, called when an encoder is first needed.
///
/// If `ORT_DYLIB_PATH` is set, no other place is searched: a wrong value is an error, never
/// silently another library. A program that lets its users name one sets [`TELEMETRY_OFF`] first,
/// while it has one thread, as `sightline` does.
pub fn runtime_source() -> impl Fn() -> Result<Runtime, RuntimeError> + Send + Sync + 'static {
    || match std::env::var_os("ORT_DYLIB_PATH") {
        Some(library) if !library.is_empty() => Runtime::open_exactly(Path::new(&library)),
        _ => Runtime::open(&runtime_candidates()),
    }
}

#[cfg(test)]
#[cfg(all(feature = "serve", target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;

    #[test]
    fn the_c_library_takes_the_limit_on_heaps() {
        assert!(limit_heaps());
    }
}
