//! Errors of the engine. Their messages contain no advice; the command line adds hints.

use std::borrow::Cow;
use std::path::PathBuf;

use sightline_index::{IndexError, VectorError};
use sightline_onnx::{DeviceError, EncodeError, ModelError, RuntimeError, UnlistedLanguage};
use sightline_picture::DecodeError;

use super::quoting::in_quotes;

/// Any failure of an [`Engine`](crate::engine::Engine) call.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The index could not be opened, read or written.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The model's files are missing or do not fit together.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// An index could not be exported or imported.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// ONNX Runtime could not be opened.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// A loaded model failed to encode.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The model returned an embedding that is not a unit vector.
    #[error("the model returned an unusable embedding")]
    Embedding(#[from] VectorError),
    /// The model cannot encode a picture or a text, while it works on others.
    #[error("the model cannot encode {what}: {reason}")]
    NotEncoded {
        /// `this picture`, `this text`, or the file.
        what: Cow<'static, str>,
        /// Why not, in a few words.
        reason: String,
    },
    /// A picture named by the user could not be read.
    #[error("{}: {}", path.display(), source.reason())]
    Picture {
        /// The picture.
        path: PathBuf,
        /// Why not.
        source: DecodeError,
    },
    /// A folder, a pipe or a device was given where a picture is expected.
    #[error("{}: {what}, not a file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What it is: `a folder`, `a pipe or device`.
        what: &'static str,
    },
    /// A file could not be read or written; the message names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The language given for a text is one that no text tower of the model is for.
    #[error("{model}: {source}")]
    UnlistedLanguage {
        /// The model's name.
        model: String,
        /// The language, and those that there are.
        source: UnlistedLanguage,
    },
    /// The query is empty.
    #[error("the query is empty")]
    EmptyQuery,
    /// A search by words was requested for a picture.
    #[error("a picture cannot be searched by words alone")]
    PictureByWords,
    /// A lowest confidence was requested, and what the model's cosines mean is not known.
    #[error("model {model} is not calibrated, so its hits have no confidence")]
    NotCalibrated {
        /// The model's name.
        model: String,
    },
    /// Tags were requested, and what the model's cosines mean is not known.
    #[error("model {model} is not calibrated, so nothing says which tags are likely")]
    TagsNotCalibrated {
        /// The model's name.
        model: String,
    },
    /// A lowest confidence was requested of a search that has none.
    #[error("a search by words alone has no confidence")]
    ConfidenceByWords,
    /// A search by words was requested that subtracts something.
    #[error("a search by words alone cannot subtract")]
    NegativeByWords,
    /// All parts of the query are subtracted.
    #[error("the query has only negative parts")]
    OnlyNegative,
    /// The weighted sum of the query has no direction.
    #[error("the parts of the query cancel out: {query}")]
    CancelledOut {
        /// The sum.
        query: String,
    },
    /// The weight of a part of the query is not usable, or has nothing after it.
    #[error("`{0}`: expected a weight above 0 and at most 100, a colon and a text or a picture")]
    BadWeight(String),
    /// A condition has a value that its key cannot have.
    #[error(transparent)]
    Condition(#[from] BadCondition),
    /// A file or folder named in a query is not in the index.
    #[error("{}: no such {what} in the index", path.display())]
    NotIndexed {
        /// The path as it was given.
        path: PathBuf,
        /// `folder` or `picture`.
        what: &'static str,
    },
    /// A file that a heat map was to be written to is something else.
    #[error("{}: not a map that Sightline wrote; refusing to replace it", path.display())]
    NotAnOverlay {
        /// The file.
        path: PathBuf,
    },
    /// A file that a heat map is to be written to has another ending.
    #[error("{}: the map is written as PNG", path.display())]
    NotNamedPng {
        /// The file.
        path: PathBuf,
    },
    /// A folder to index does not exist.
    #[error("{}: no such folder", path.display())]
    FolderMissing {
        /// The folder.
        path: PathBuf,
        /// How many of its files the index still holds.
        n_indexed: usize,
    },
    /// A path to index is not a folder.
    #[error("{}: not a folder", path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// Pictures are to be copied or linked into what is not a folder.
    #[error("{}: is a file, not a folder", path.display())]
    IntoFile {
        /// The file.
        path: PathBuf,
    },
    /// A folder contains no readable pictures.
    #[error("{}: no readable pictures", path.display())]
    NoPictures {
        /// The folder.
        path: PathBuf,
    },
    /// A line of a captions file or data set is malformed.
    #[error("{}: line {line}: expected {form}", path.display())]
    BadLine {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The expected form.
        form: &'static str,
        /// What the parser said.
        source: LineError,
    },
    /// A captions file or data set is not UTF-8 text.
    #[error("{}: not UTF-8 text", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// A file of labels has no labels, or a line that is none.
    #[error("{}: {what}", path.display())]
    BadLabels {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line.
        what: String,
    },
    /// The format of a captions file is unclear, or not the one that was asked for.
    #[error("{}: {what}", path.display())]
    UnclearCaptions {
        /// The file.
        path: PathBuf,
        /// What is unclear.
        what: &'static str,
    },
    /// A captions file in one JSON document is malformed.
    #[error("{}: not a data set", path.display())]
    CaptionsDocument {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: DocumentError,
    },
    /// A folder was given where a captions file or data set is expected.
    #[error("{}: a folder, not a file of captions", path.display())]
    CaptionsFolder {
        /// The folder.
        path: PathBuf,
    },
    /// A data set has nothing to measure.
    #[error("{}: no pictures with captions{}", path.display(), in_brackets(bad_line.as_ref()))]
    EmptyDataset {
        /// The file.
        path: PathBuf,
        /// Its first bad line, and what is wrong with it.
        bad_line: Option<String>,
    },
}

/// A condition of a query with a value that its key cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}:{}: expected {expected}", in_quotes(value))]
pub struct BadCondition {
    /// The key.
    pub key: &'static str,
    /// The value.
    pub value: String,
    /// What the value must be.
    pub expected: &'static str,
}

fn in_brackets(text: Option<&String>) -> String {
    text.map_or_else(String::new, |text| format!(" ({text})"))
}

/// Why an index could not be exported or imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// The target folder exists and is not empty, or is a file.
    #[error("{}: already exists", path.display())]
    Exists {
        /// The target.
        path: PathBuf,
    },
    /// The target to be replaced is not an export.
    #[error("{}: not a Sightline export; refusing to overwrite it", path.display())]
    NotReplaced {
        /// The target.
        path: PathBuf,
    },
    /// A file of an export is not valid.
    #[error("{}: {what}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The export was written by a newer program.
    #[error("{}: the export has version {found}, but this program reads only version {supported}",
        path.display())]
    NewerVersion {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The supported version.
        supported: u32,
    },
    /// A file of an export ends in the middle of a line.
    #[error("{}: line {line} is incomplete: the file was cut off", path.display())]
    Cut {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A line of an export is not valid, or contradicts the rest.
    #[error("{}: line {line}: {what}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
}

/// A parser's error about a single line, of whose position only the column is meaningful.
#[derive(Debug, thiserror::Error)]
#[error("{} at column {}", fault(.0), .0.column())]
pub struct LineError(pub(crate) serde_json::Error);

/// A parser's error about a JSON document.
#[derive(Debug, thiserror::Error)]
#[error("{} at line {}, column {}", fault(.0), .0.line(), .0.column())]
pub struct DocumentError(pub(crate) serde_json::Error);

/// What is wrong with a JSON text, in plain words and without the place.
fn fault(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    let fault = match message {
        "EOF while parsing an object" => "not valid JSON: an object is not closed with `}`",
        "EOF while parsing a list" => "not valid JSON: a list is not closed with `]`",
        "EOF while parsing a string" => "not valid JSON: a text is not closed with `\"`",
        "EOF while parsing a value" => "not valid JSON: it ends where a value is expected",
        "expected ident" | "expected value" | "invalid number" => {
            "not valid JSON: expected a text in double quotes, a number, a list or an object"
        }
        "key must be a string" => "not valid JSON: a key is not in double quotes",
        "trailing characters" => "not valid JSON: something follows its end",
        "invalid escape"
        | "unexpected end of hex escape"
        | "lone leading surrogate in hex escape"
        | "invalid unicode code point" => {
            "not valid JSON: an escape that begins with `\\` is wrong"
        }
        _ if message.starts_with("control character") => {
            "not valid JSON: a line break or control character in a text is not escaped"
        }
        _ if error.is_data() => return data_fault(message),
        _ => return format!("not valid JSON: {message}"),
    };
    fault.to_owned()
}

/// What is wrong with the values of a valid JSON text.
fn data_fault(message: &str) -> String {
    if let Some(key) = message.strip_prefix("missing field ") {
        return format!("{key} is missing");
    }
    if let Some(key) = message.strip_prefix("duplicate field ") {
        return format!("{key} occurs twice");
    }
    let Some(found) = message.strip_prefix("invalid type: ") else {
        return message.to_owned();
    };
    let names = [("sequence,", "a list,"), ("map,", "an object,")];
    let mut text = format!("found {found}");
    for (name, plain) in names {
        if let Some(rest) = found.strip_prefix(name) {
            text = format!("found {plain}{rest}");
        }
    }
    match text.strip_suffix("expected a sequence") {
        Some(found) => format!("{found}expected a list"),
        None => text,
    }
}

impl From<DeviceError> for EngineError {
    fn from(error: DeviceError) -> Self {
        Self::Encode(EncodeError::Device(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(expecting = "an object")]
    #[expect(dead_code, reason = "only read")]
    struct Line {
        image: String,
        captions: Vec<String>,
    }

    #[test]
    fn faults_of_json_are_named_in_plain_words() {
        let expected = "expected a text in double quotes, a number, a list or an object";
        let rows = [
            ("nope", expected),
            ("{\"image\": }", expected),
            ("", "it ends where a value is expected"),
            ("{\"image\"", "an object is not closed with `}`"),
            ("{\"captions\": [\"a\"", "a list is not closed with `]`"),
            ("{\"image\": \"a", "a text is not closed with `\"`"),
            ("{image: 1}", "a key is not in double quotes"),
            (
                "{\"image\": \"\\x\"}",
                "an escape that begins with `\\` is wrong",
            ),
            (
                "{\"image\": \"\\ud83d\"}",
                "an escape that begins with `\\` is wrong",
            ),
            (
                "{\"image\": \"a\tb\"}",
                "a line break or control character in a text",
            ),
            ("{\"image\": \"a\",}", "trailing comma"),
            ("{\"image\" 1}", "expected `:`"),
            ("{}", "`image` is missing at column 2"),
            ("[1]", "found integer `1`, expected a string"),
            ("{\"image\": [1]}", "found a list, expected a string"),
            ("{\"image\": {}}", "found an object, expected a string"),
            (
                "{\"captions\": \"a\"}",
                "found string \"a\", expected a list",
            ),
            ("5", "found integer `5`, expected an object"),
            ("{\"image\": \"\", \"image\": \"\"}", "`image` occurs twice"),
        ];
        for (text, expected) in rows {
            let error = serde_json::from_str::<Line>(text).unwrap_err();
            let fault = LineError(error).to_string();
            assert!(fault.contains(expected), "{text}: {fault}");
            assert!(
                !fault.contains("EOF") && fault.contains(" at column "),
                "{fault}"
            );
        }
        assert_eq!(rows.len(), 19);
        let error = serde_json::from_str::<Line>("{\n}").unwrap_err();
        let fault = DocumentError(error).to_string();
        assert_eq!(fault, "`image` is missing at line 2, column 1");
    }
}
