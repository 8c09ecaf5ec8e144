//! What can go wrong with a download.

use std::path::PathBuf;

use crate::models::unsupported::Unsupported;

/// Why a model could not be downloaded. Messages name the server or the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// Not a valid URL of a hub.
    #[error("{endpoint}: not a valid hub URL")]
    BadEndpoint {
        /// The URL given.
        endpoint: String,
    },
    /// Not a valid URL of a proxy.
    #[error("{proxy}: not a valid proxy URL")]
    BadProxy {
        /// The URL given.
        proxy: String,
    },
    /// Neither a name in the catalogue nor of a repository.
    #[error("{name}: neither a model in the catalogue nor an OWNER/REPO on the hub")]
    UnknownName {
        /// The requested name.
        name: String,
        /// The names in the catalogue.
        known: Vec<&'static str>,
    },
    /// The server cannot be reached.
    #[error("cannot reach {host}")]
    Offline {
        /// The server.
        host: String,
        /// The network error.
        #[source]
        source: Box<ureq::Error>,
    },
    /// The repository does not exist.
    #[error("{repository}: no such model on {host}")]
    NotFound {
        /// The repository.
        repository: String,
        /// The server.
        host: String,
    },
    /// The repository is private, or its licence must be accepted first.
    #[error("{repository}: access denied by {host}")]
    Denied {
        /// The repository.
        repository: String,
        /// The server.
        host: String,
        /// Whether a token was sent.
        had_token: bool,
    },
    /// The server responded with an unexpected status.
    #[error("{url}: the server responded with status {status}")]
    Status {
        /// The requested URL.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The listing of a repository cannot be parsed.
    #[error("{url}: the response is not that of a model hub")]
    BadListing {
        /// The requested URL.
        url: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A redirect that is not followed.
    #[error("{url}: redirect refused: {reason}")]
    Redirect {
        /// The requested URL.
        url: String,
        /// What is wrong with the redirect.
        reason: &'static str,
    },
    /// The repository is something else than a model that works here.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// The repository holds no graphs in a known layout.
    #[error("{repository}: no ONNX graphs of both an image and a text encoder")]
    NoModel {
        /// The repository.
        repository: String,
    },
    /// The repository holds graphs, but no file that describes their preprocessing.
    #[error("{repository}: no file describes how pictures are preprocessed")]
    NoDescription {
        /// The repository.
        repository: String,
    },
    /// All files were downloaded, but they do not make up a model.
    #[error("{repository}: downloaded, but not usable")]
    Unusable {
        /// The repository.
        repository: String,
        /// The folder of the files.
        folder: PathBuf,
        /// The name that the model would have had.
        name: String,
        /// What is wrong with them.
        #[source]
        source: Box<sightline_onnx::ModelError>,
    },
    /// The repository does not hold the requested precision.
    #[error("{repository}: no {asked} graphs, only {}", found.join(", "))]
    NoPrecision {
        /// The repository.
        repository: String,
        /// The requested precision.
        asked: sightline_onnx::Precision,
        /// The precisions that it holds.
        found: Vec<&'static str>,
    },
    /// The files that describe the model do not fit what is supported. Its graphs were not
    /// downloaded.
    #[error("{repository}: the files that describe the model are not usable")]
    BadDescription {
        /// The repository.
        repository: String,
        /// What is wrong.
        #[source]
        source: Box<sightline_onnx::ModelError>,
    },
    /// The connection broke repeatedly.
    #[error("{file}: the connection to {host} broke {n_tries} times in a row")]
    Broken {
        /// Path of the file in the repository.
        file: String,
        /// The server.
        host: String,
        /// Number of attempts.
        n_tries: u32,
        /// The last error.
        #[source]
        source: std::io::Error,
    },
    /// The content of a file differs from what the hub listed.
    #[error("{file}: {what} mismatch: expected {expected}, got {found}")]
    HashMismatch {
        /// Path of the file in the repository.
        file: String,
        /// The kind of hash.
        what: &'static str,
        /// The hash of the download.
        found: String,
        /// The hash in the listing.
        expected: String,
    },
    /// Another process is downloading this model.
    #[error("{}: another process is downloading this model", folder.display())]
    Busy {
        /// The folder of the partial download.
        folder: PathBuf,
    },
    /// A file could not be read or written; the message names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// Stopped on request; the partial download is kept.
    #[error("stopped")]
    Stopped,
}
