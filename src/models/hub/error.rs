//! What can go wrong with a download.

use std::path::PathBuf;

/// Why a model could not be downloaded. Messages are one line, and name the server or the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// The address of the hub is none.
    #[error("{endpoint}: this is no address of a model hub")]
    BadEndpoint {
        /// The address given.
        endpoint: String,
    },
    /// The proxy's address is none.
    #[error("{proxy}: this is no address of a proxy")]
    BadProxy {
        /// The address given.
        proxy: String,
    },
    /// Neither a name of the catalogue nor one of a repository.
    #[error("{name}: neither a model of the catalogue nor OWNER/REPO on the hub")]
    UnknownName {
        /// What was asked for.
        name: String,
        /// The names of the catalogue.
        known: Vec<&'static str>,
    },
    /// The server cannot be reached.
    #[error("{host} cannot be reached")]
    Offline {
        /// The server.
        host: String,
        /// What the network said.
        #[source]
        source: Box<ureq::Error>,
    },
    /// The hub has no such repository.
    #[error("{repository}: there is no such model on {host}")]
    NotFound {
        /// The repository.
        repository: String,
        /// The server.
        host: String,
    },
    /// The repository is private, or its licence must be accepted first.
    #[error("{repository}: {host} does not give this model to everyone")]
    Denied {
        /// The repository.
        repository: String,
        /// The server.
        host: String,
        /// Whether a token was sent.
        had_token: bool,
    },
    /// The server answered with something else than what was asked for.
    #[error("{url}: the server answered with status {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The answer about a repository is not of the known form.
    #[error("{url}: the answer is not that of a model hub")]
    Answer {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A redirection that is not followed.
    #[error("{url}: the server redirects {how}")]
    Redirect {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        how: &'static str,
    },
    /// The repository holds no graphs in a layout that is understood.
    #[error(
        "{repository}: this repository holds no ONNX graphs of both an image and a text encoder"
    )]
    NoModel {
        /// The repository.
        repository: String,
    },
    /// The repository holds graphs, but no file that says how pictures are prepared for them.
    #[error(
        "{repository}: nothing in this repository says how pictures are prepared for its graphs"
    )]
    NoDescription {
        /// The repository.
        repository: String,
    },
    /// All files came, and they make no model.
    #[error("{repository}: all files came, but the model cannot be used")]
    Unusable {
        /// The repository.
        repository: String,
        /// Where the files are.
        folder: PathBuf,
        /// The name that the model was to have.
        name: String,
        /// What is wrong with them.
        #[source]
        source: Box<sightline_onnx::ModelError>,
    },
    /// The repository does not hold the precision asked for.
    #[error("{repository}: no {asked} graphs; there are: {}", there.join(", "))]
    NoPrecision {
        /// The repository.
        repository: String,
        /// The precision asked for.
        asked: sightline_onnx::Precision,
        /// Those that there are.
        there: Vec<&'static str>,
    },
    /// The connection broke again and again.
    #[error("{file}: the connection to {host} broke {n_tries} times in a row")]
    Broken {
        /// The file, as it is called on the hub.
        file: String,
        /// The server.
        host: String,
        /// How often.
        n_tries: u32,
        /// What broke it the last time.
        #[source]
        source: std::io::Error,
    },
    /// A file came whole, but is not the one that the hub describes.
    #[error(
        "{file}: what came is not what the hub describes: its {what} is {found}, not {expected}"
    )]
    Different {
        /// The file, as it is called on the hub.
        file: String,
        /// What was compared.
        what: &'static str,
        /// What came.
        found: String,
        /// What the hub says.
        expected: String,
    },
    /// Another process downloads this model.
    #[error("{}: another process is downloading this model", folder.display())]
    Busy {
        /// The folder with what came so far.
        folder: PathBuf,
    },
    /// A file could not be read or written; the message names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The work was stopped; what came so far is kept.
    #[error("stopped")]
    Stopped,
}
