//! Downloads models from the Hugging Face hub, or from one with the same public API.
//!
//! Of the API (<https://huggingface.co/docs/hub/api>) two paths are used:
//! `/api/models/REPO/revision/REV` lists the files of a repository with sizes and hashes, and
//! `/REPO/resolve/REV/PATH` returns one of them, usually by a redirect. All files are of the commit
//! that the listing names, and each is compared with its hash.

mod choose;
mod download;
mod error;
mod http;

use std::ops::ControlFlow;
use std::path::Path;

use sightline_onnx::Precision;

pub use choose::{Choice, RemoteFile};
pub(super) use choose::{MAX_DESCRIPTION_BYTES, is_description};
pub use download::{ByteProgress, PullReport};
pub use error::HubError;
pub use http::HubOptions;

use http::Client;

/// Whether this is a valid name of a repository on the hub, `OWNER/REPO`.
#[must_use]
pub fn is_repository(name: &str) -> bool {
    let is_part = |part: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        !part.is_empty() && part.chars().all(allowed) && !part.starts_with('.')
    };
    matches!(name.split_once('/'), Some((owner, name)) if is_part(owner) && is_part(name))
}

/// Lists a repository and chooses the files to download: the graphs at this precision (`None`: fp32
/// and, if it exists, int8), their external weights, and the small files that describe the model.
///
/// # Errors
/// When the hub cannot be reached, the repository does not exist or is not accessible, or it holds
/// no graphs in a known layout.
pub fn look_up(
    options: &HubOptions,
    repository: &str,
    precision: Option<Precision>,
) -> Result<Choice, HubError> {
    let client = Client::new(options)?;
    let listing = client.listing(repository)?;
    choose::choose(repository, &listing, precision)
}

/// Downloads the small files of a choice that describe the model, as [`pull`] does, and checks what
/// they say, so that what cannot work is refused before its graphs are downloaded.
///
/// # Errors
/// As [`pull`]; [`HubError::Unsupported`] or [`HubError::BadDescription`].
pub fn pull_description(
    options: &HubOptions,
    choice: &Choice,
    folder: &Path,
    progress: &mut dyn FnMut(&ByteProgress) -> ControlFlow<()>,
) -> Result<PullReport, HubError> {
    let client = Client::new(options)?;
    let cache = options.cache.as_deref();
    let report = download::some(&client, cache, &choice.descriptions(), folder, progress)?;
    choose::check_description(choice, folder)?;
    Ok(report)
}

/// Downloads the chosen files into a folder. Complete files with the right hash are kept, those in
/// the shared cache are copied, partial ones are resumed. After an error everything downloaded so
/// far is kept.
///
/// # Errors
/// When a file cannot be downloaded, does not match its hash, or cannot be written;
/// [`HubError::Stopped`] when `progress` breaks.
pub fn pull(
    options: &HubOptions,
    choice: &Choice,
    folder: &Path,
    progress: &mut dyn FnMut(&ByteProgress) -> ControlFlow<()>,
) -> Result<PullReport, HubError> {
    let client = Client::new(options)?;
    download::all(&client, options.cache.as_deref(), choice, folder, progress)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_has_an_owner_and_a_name() {
        for good in [
            "Xenova/clip-vit-base-patch32",
            "a/b",
            "immich-app/ViT-B-32__openai",
        ] {
            assert!(is_repository(good), "{good}");
        }
        for bad in [
            "", "clip", "/a", "a/", "a/b/c", "../b", "a/..", "a b/c", "a/b?x", "é/b",
        ] {
            assert!(!is_repository(bad), "{bad}");
        }
    }
}
