//! How does a model come from a hub onto this machine?
//!
//! The hub is that of Hugging Face, or one that speaks its public API
//! (<https://huggingface.co/docs/hub/api>): `/api/models/REPO/revision/REV` lists the files of a
//! repository with sizes and hashes, `/REPO/resolve/REV/PATH` gives one of them, usually by way of
//! a redirection. All files are taken at the commit that the list names. Each is compared with its
//! hash before it counts as there.

mod choose;
mod download;
mod error;
mod http;

use std::ops::ControlFlow;
use std::path::Path;

use sightline_onnx::Precision;

pub use choose::{Choice, RemoteFile};
pub use error::HubError;
pub use http::HubOptions;

use http::Client;

/// How far a download has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PullProgress {
    /// Bytes that are here, earlier ones too.
    pub n_done: u64,
    /// Bytes of all files.
    pub n_total: u64,
}

/// Whether this has the form of a repository's name on the hub, `OWNER/REPO`.
#[must_use]
pub fn is_repository(name: &str) -> bool {
    let is_part = |part: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        !part.is_empty() && part.chars().all(allowed) && !part.starts_with('.')
    };
    matches!(name.split_once('/'), Some((owner, name)) if is_part(owner) && is_part(name))
}

/// Asks the hub what is in a repository and chooses the files that are needed: the graphs at this
/// precision (`None`: fp32 and, where there is one, int8), the weights beside them, and the small
/// files that describe the model.
///
/// # Errors
/// When the hub cannot be reached, has no such repository or does not give it away, or when it
/// holds no graphs of a known layout.
pub fn look_up(
    options: &HubOptions,
    repository: &str,
    precision: Option<Precision>,
) -> Result<Choice, HubError> {
    let client = Client::new(options)?;
    let listing = client.listing(repository)?;
    choose::choose(repository, &listing, precision)
}

/// Downloads what was chosen into a folder. Files that are there and are right are left; those that
/// came in part are continued. Nothing in the folder is deleted when it fails.
///
/// # Errors
/// When a file does not come, is not what the hub says, or cannot be written;
/// [`HubError::Stopped`] when `progress` breaks.
pub fn pull(
    options: &HubOptions,
    choice: &Choice,
    folder: &Path,
    progress: &mut dyn FnMut(&PullProgress) -> ControlFlow<()>,
) -> Result<(), HubError> {
    let client = Client::new(options)?;
    download::all(&client, choice, folder, progress)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_have_an_owner_and_a_name() {
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
