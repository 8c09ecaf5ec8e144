//! Advice on errors. The libraries say what is wrong; what to type is added here.

mod keys;
mod quoting;

use std::path::Path;

use sightline_picture::DecodeError;

use crate::engine::exchange::ExchangeError;
use crate::engine::{EngineError, IndexError, RefineError, UnfinishedChange};
use crate::models::hub::HubError;
use crate::models::{
    DeviceError, EncodeError, Entry, ModelError, ModelsError, Precision, QuantizeError, TowerKind,
    Unsupported,
};
use crate::platform;
#[cfg(feature = "serve")]
use crate::web::ServeError;
use crate::workspace::{KeptModel, Workspace, WorkspaceError};

use keys::{examples, ignoring};
pub(super) use quoting::shell_word;
use quoting::{in_quotes, parent_of};

/// Why the pictures and texts of a model do not match.
pub(super) const CAUSES_OF_MISMATCH: &str = "likely causes: preprocessing (size, mean, deviation) \
     or tokenizer of another model, padding or begin and end tokens other than in training, an \
     output that is not the embedding, towers of different models, or a language other than \
     English and Chinese; `sightline models info` shows what was read from the files, to compare \
     with what the model's authors state";

/// What to do when no more folders can be watched.
#[cfg(feature = "serve")]
pub(super) const RAISE_WATCH_LIMIT: &str =
    "raise it: `sudo sysctl fs.inotify.max_user_watches=1048576`";

/// What the user can do about an error of the engine, if known.
#[cfg(feature = "serve")]
pub(super) fn on_engine_error(error: &EngineError, index: Option<&Path>) -> Option<String> {
    error.hint(index)
}

/// What the user can do about an error, if known.
pub(super) fn hint(error: &anyhow::Error, workspace: Option<&Workspace>) -> Option<String> {
    fn of<E: Hint + std::error::Error + Send + Sync + 'static>(
        error: &anyhow::Error,
    ) -> Option<&dyn Hint> {
        error.downcast_ref::<E>().map(|error| error as &dyn Hint)
    }
    if error.chain().any(is_out_of_files) {
        return Some("raise the limit on open files, e.g. `ulimit -n 1024`".to_owned());
    }
    let advised = of::<EngineError>(error)
        .or_else(|| of::<RefineError>(error))
        .or_else(|| of::<WorkspaceError>(error))
        .or_else(|| of::<ModelsError>(error))
        .or_else(|| of::<HubError>(error))
        .or_else(|| of::<ModelError>(error))
        .or_else(|| of::<QuantizeError>(error));
    #[cfg(feature = "serve")]
    let advised = advised.or_else(|| of::<ServeError>(error));
    let advised = advised?;
    let on_model = workspace
        .filter(|_| advised.is_other_model())
        .and_then(on_other_model);
    let advice = on_model.or_else(|| advised.hint(workspace.and_then(Workspace::named_index)));
    match workspace.and_then(Workspace::model_of_environment) {
        Some(model) if is_unknown(error, model) => {
            let advice = advice.unwrap_or_default();
            Some(format!(
                "{advice}; SIGHTLINE_MODEL names it in the environment"
            ))
        }
        _ => advice,
    }
}

/// Whether an error says that there is no such model.
fn is_unknown(error: &anyhow::Error, model: &Path) -> bool {
    matches!(
        error.downcast_ref(),
        Some(WorkspaceError::Models(ModelsError::Unknown { name, .. })) if Path::new(name) == model
    )
}

/// Whether the process or the system has too many files open. RocksDB and tantivy pass on the
/// system's error as text.
fn is_out_of_files(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause.to_string().contains("Too many open files")
}

/// A command on an index: `sightline check --repair --index 'my index'`, or without a name that of
/// the default index. What a hint says to type acts on the index that the hint is about.
pub(super) fn command(arguments: &str, index: Option<&Path>) -> String {
    match index {
        Some(index) => format!(
            "sightline {arguments} --index {}",
            shell_word(&index.to_string_lossy())
        ),
        None => format!("sightline {arguments}"),
    }
}

/// The note for a run that uses the model of the index, not the default one.
pub(super) fn on_kept_model(kept: &KeptModel, index: Option<&Path>) -> String {
    let KeptModel { kept, default } = kept;
    format!(
        "the index keeps the model it was built with, {kept}; to change it to {default}: `{}`",
        command_to_change(default, None, index)
    )
}

/// The command that resumes a change of the model.
pub(super) fn command_to_resume(change: &UnfinishedChange, workspace: &Workspace) -> String {
    let index = workspace.named_index();
    match workspace.successor(change) {
        Some((entry, precision)) => command_to_change(&quoted(&entry), Some(precision), index),
        None => command_to_change(&change.model, None, index),
    }
}

/// What to do about an index that was built with another model than the requested one, or the one
/// that is there now.
fn on_other_model(workspace: &Workspace) -> Option<String> {
    let Some((built_with, precision)) = workspace.builder() else {
        return on_missing_model(workspace);
    };
    let index = workspace.named_index();
    let label = built_with.label();
    let requested = workspace.requested();
    // Without a request, an index is used with its model if that has a name.
    let is_used = requested
        .as_ref()
        .map_or(built_with.name().is_some(), |requested| {
            requested.label() == label
        });
    let requested = requested.unwrap_or_else(|| built_with.clone());
    if is_used && workspace.precision().is_none_or(|asked| asked == precision) {
        return Some(format!(
            "the files of {label} have changed since the index was built with it: restore them \
             from where the model came from; to embed everything again with the model as it is \
             now: `{}`",
            command_to_change(&quoted(&built_with), Some(precision), index)
        ));
    }
    let to_use_it = if built_with.name().is_some() {
        "leave out `--model`, `--precision` and SIGHTLINE_MODEL".to_owned()
    } else {
        format!("use `--model '{label}' --precision {precision}`")
    };
    Some(format!(
        "the index was built with {label} at {precision}: {to_use_it}, or use another index with \
         `--index`; to change its model: `{}`",
        command_to_change(&quoted(&requested), workspace.precision(), index)
    ))
}

/// What to do when the model of the index is not on this machine, and no other one was requested.
fn on_missing_model(workspace: &Workspace) -> Option<String> {
    if workspace.requested().is_some() {
        return None;
    }
    let model = workspace.model_of_index()?;
    let default = workspace.registry().default_name().ok()?;
    let index = workspace.named_index();
    if let Some((starter, n_languages)) = workspace.newer_starter() {
        let understands = match n_languages {
            0 | 1 => String::new(),
            n => format!(", and understands {n} languages"),
        };
        return Some(format!(
            "{model} is no longer built in: {starter} finds more{understands}; to move the index \
             to it: `{}`; until then, `search --by words` still works",
            command_to_change(&starter, None, index)
        ));
    }
    let has_its_name = workspace.registry().find_named(&model).is_ok();
    Some(if has_its_name {
        format!(
            "the files of {model} have changed since the index was built with it, and those of \
             then are not on this machine: restore them from where the model came from; to embed \
             everything again: `{}`",
            command_to_change(&model, None, index)
        )
    } else {
        format!(
            "its model, {model}, is not on this machine any more: bring it back with `sightline \
             models pull` or `sightline models add FOLDER`; to change the model of the index: \
             `{}`",
            command_to_change(&default, None, index)
        )
    })
}

fn command_to_change(model: &str, precision: Option<Precision>, index: Option<&Path>) -> String {
    let arguments = match precision {
        Some(precision) => format!("index --model {model} --precision {precision}"),
        None => format!("index --model {model}"),
    };
    command(&arguments, index)
}

/// A model as it is typed: a name, or a folder that may have spaces in it.
fn quoted(entry: &Entry) -> String {
    match entry.folder() {
        Some(_) if entry.name().is_none() => in_quotes(&entry.label()),
        _ => entry.label(),
    }
}

fn to_calibrate(model: &str) -> String {
    format!(
        "measure the model: `sightline models check {}`",
        shell_word(model)
    )
}

trait Hint {
    /// What the user can do about the error; commands act on the index of this name.
    fn hint(&self, index: Option<&Path>) -> Option<String>;

    /// Whether the index was built with another model than the requested one.
    fn is_other_model(&self) -> bool {
        false
    }
}

impl Hint for WorkspaceError {
    fn hint(&self, index: Option<&Path>) -> Option<String> {
        match self {
            Self::NoIndexFolder => Some("give an index folder with `--index DIR`".to_owned()),
            Self::Engine(error) => error.hint(index),
            Self::Models(error) => error.hint(index),
            _ => None,
        }
    }

    fn is_other_model(&self) -> bool {
        matches!(self, Self::Engine(error) if error.is_other_model())
    }
}

impl Hint for RefineError {
    fn hint(&self, index: Option<&Path>) -> Option<String> {
        match self {
            Self::Engine(error) => error.hint(index),
            Self::NoSuchHit { n, .. } if *n > 0 => Some("`next` shows more hits".to_owned()),
            Self::TooManyToUndo { n, .. } => {
                Some(format!("`undo {n}` goes back to the first query"))
            }
            Self::NoQuery => Some("type what to look for, such as: a dog on the beach".to_owned()),
            _ => None,
        }
    }

    fn is_other_model(&self) -> bool {
        matches!(self, Self::Engine(error) if error.is_other_model())
    }
}

/// What to do about a folder or picture that is not in the index.
fn to_index(what: &str, path: &Path, index: Option<&Path>) -> String {
    let shown = shell_word(&path.to_string_lossy());
    match what {
        "folder" if path.is_dir() => {
            let command = command(&format!("index {shown}"), index);
            format!("index it first: `{command}`")
        }
        "folder" => {
            let command = command("status", index);
            format!("to see which folders are indexed: `{command}`")
        }
        _ => {
            let command = command(&format!("search --image {shown}"), index);
            format!("index its folder, or search by the file itself: `{command}`")
        }
    }
}

impl Hint for EngineError {
    fn hint(&self, index: Option<&Path>) -> Option<String> {
        match self {
            Self::Index(error) => error.hint(index),
            Self::Exchange(error) => error.hint(index),
            Self::Runtime(_) => Some(format!("install it with `{}`", platform::install_command())),
            Self::Encode(error) => error.hint(index),
            Self::Model(error) => error.hint(index),
            Self::Io(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Some("check the path; a relative one starts at the current folder".to_owned())
            }
            Self::EmptyQuery => {
                let example = command("search \"a dog on the beach\"", index);
                Some(format!("give a text to search for: `{example}`"))
            }
            Self::PictureByWords => {
                Some("leave out `--by words`, or search by text instead of by pictures".into())
            }
            Self::NotCalibrated { model } => {
                let measure = to_calibrate(model);
                Some(format!("leave out `--min-confidence`, or {measure}"))
            }
            Self::TagsNotCalibrated { model } => Some(to_calibrate(model)),
            Self::ConfidenceByWords => Some("leave out `--by words` or `--min-confidence`".into()),
            Self::NegativeByWords => Some(
                "leave out `--by words`, or exclude words instead: `-people` in the text".into(),
            ),
            Self::OnlyNegative => Some("say what to look for, too".into()),
            Self::CancelledOut { .. } => Some("subtract less, or something else".into()),
            Self::NotIndexed { what, path } => Some(to_index(what, path, index)),
            Self::FolderMissing { n_indexed, .. } if *n_indexed > 0 => Some(format!(
                "the index keeps its {n_indexed} files from this folder; to remove them, run again \
                 with `--prune`"
            )),
            Self::FolderMissing { .. } => {
                Some("check the path; a relative one starts at the current folder".to_owned())
            }
            Self::IntoFile { .. } => Some("name a folder, which is created if missing".to_owned()),
            Self::NotAFolder { path } if path.is_file() => Some(format!(
                "index its folder: `{}`",
                command(&format!("index {}", shell_word(&parent_of(path))), index)
            )),
            Self::Picture {
                source: DecodeError::Unsupported { .. },
                ..
            } => Some("convert it, for example to JPEG or PNG".into()),
            Self::NotEncoded { what, .. } if what == "this text" => {
                Some("use other or fewer words; `--by words` searches without the model".to_owned())
            }
            Self::NotAFile { path, .. } if path.is_dir() => Some(format!(
                "give a picture in it; to index the folder: `{}`",
                command(
                    &format!("index {}", in_quotes(&path.to_string_lossy())),
                    index
                )
            )),
            Self::NotAFile { .. } => Some("save it as a file first".into()),
            Self::NotAnOverlay { .. } => Some("give another name with `-o`".into()),
            Self::NotNamedPng { .. } => Some("give a name that ends with .png".into()),
            Self::NotText { .. } => Some("save the file as UTF-8".into()),
            Self::CaptionsFolder { .. } => Some(
                "give a file in it; texts beside photos, as `photo.txt`, are read without this"
                    .into(),
            ),
            Self::UnclearCaptions { .. } => Some(
                "begin a table with a line such as `image,caption`, or name the format with \
                 `--captions-format`"
                    .into(),
            ),
            _ => None,
        }
    }

    fn is_other_model(&self) -> bool {
        matches!(
            self,
            Self::Index(IndexError::OtherModel { .. } | IndexError::OtherDimension { .. })
        )
    }
}

const SAME_MODEL: &str = "both towers must belong to one model; if a sightline.toml sets the \
                          dimension, correct it";

impl Hint for EncodeError {
    fn hint(&self, index: Option<&Path>) -> Option<String> {
        match self {
            Self::Model(error) => error.hint(index),
            Self::Device(error) => error.hint(index),
            Self::Load { .. } => Some(
                "the file may be damaged or incomplete, or require a newer ONNX Runtime".to_owned(),
            ),
            Self::NoInput { .. } | Self::NoOutput { .. } | Self::Signature { .. } => Some(
                "name the right one in a sightline.toml in the model folder; docs/models.md lists \
                 its keys"
                    .to_owned(),
            ),
            Self::Dimension { .. } => Some(SAME_MODEL.to_owned()),
            _ => None,
        }
    }
}

impl Hint for ModelError {
    fn hint(&self, _index: Option<&Path>) -> Option<String> {
        Some(match self {
            Self::NoPrecision { .. } => {
                "leave out `--precision` to use an available one".to_owned()
            }
            Self::Unknown { folder, keys, .. } => format!(
                "add what the model's authors state to {}, one key per line, such as {}; \
                 docs/models.md lists all keys",
                folder.join("sightline.toml").display(),
                examples(keys)
            ),
            Self::MissingFile { .. } => {
                "download it from where the model came from; a model needs \
                                         both towers, a tokenizer and the files that describe them"
                    .to_owned()
            }
            Self::Value { key, .. } if key == "dimension" => SAME_MODEL.to_owned(),
            Self::Value { .. } => "correct it, or override it in a sightline.toml in the model \
                                   folder; docs/models.md lists its keys"
                .to_owned(),
            Self::UnknownKeys { keys, .. } => ignoring(keys.iter().map(|(key, _)| key.as_str())),
            Self::Unsupported { key, .. } => ignoring(std::iter::once(key.as_str())),
            Self::Manifest { .. } => "docs/models.md lists all keys".to_owned(),
            Self::Unreadable { .. } | Self::Tokenizer { .. } => {
                "the file may be damaged or incomplete: download it again from where the model \
                 came from"
                    .to_owned()
            }
            Self::Json { .. } => {
                "the file may be damaged or incomplete: download it again, or describe the whole \
                 model in a sightline.toml; docs/models.md lists its keys"
                    .to_owned()
            }
            Self::NotAModel { .. } => {
                "give the folder of a model's graphs and of the files that describe them; \
                 docs/models.md lists the layouts"
                    .to_owned()
            }
            _ => "give the name or the folder of a model, or leave it out to use the built-in \
                  starter model"
                .to_owned(),
        })
    }
}

#[cfg(feature = "serve")]
impl Hint for ServeError {
    fn hint(&self, index: Option<&Path>) -> Option<String> {
        let Self::Bind { address, source } = self else {
            return None;
        };
        match source.kind() {
            std::io::ErrorKind::AddrInUse => Some(format!(
                "another program uses port {}, perhaps a server that was started before; to use a \
                 free one: `{}`",
                address.port(),
                command("serve --port 0", index)
            )),
            std::io::ErrorKind::PermissionDenied => {
                Some("choose a port from 1024 on: `--port PORT`".to_owned())
            }
            std::io::ErrorKind::AddrNotAvailable => {
                Some("give an address of this machine, or 0.0.0.0 for all: `--bind ADDRESS`".into())
            }
            _ => None,
        }
    }
}

impl Hint for IndexError {
    fn hint(&self, index: Option<&Path>) -> Option<String> {
        match self {
            Self::NoIndex { .. } => {
                let example = command("index ~/Pictures", index);
                Some(format!("index a folder first: `{example}`"))
            }
            Self::Locked { .. } => {
                Some("wait until it is done, or use another index with `--index`".to_owned())
            }
            Self::NoLock { .. } => Some(
                "without locks two writers could overwrite each other; keep the index on a local \
                 disk with `--index`, or mount the network file system with locks"
                    .to_owned(),
            ),
            Self::ReadOnly { .. } => Some(
                "make the folder writable, or use another index with `--index`; a read-only index \
                 can only be searched"
                    .to_owned(),
            ),
            Self::DiskFull { .. } => Some(
                "free some space and run the same command again to resume; everything committed \
                 is kept"
                    .to_owned(),
            ),
            Self::NotAnIndex { .. } => {
                Some("use an empty or a new folder with `--index`".to_owned())
            }
            Self::OtherModel { .. } | Self::OtherDimension { .. } => Some(format!(
                "embeddings of different models cannot be compared: use the model the index was \
                 built with, or another index with `--index`; to change the model of the index: \
                 `{}`",
                command_to_change("NAME", None, index)
            )),
            Self::NewerFormat { .. } => Some(
                "update sightline, or use another index with `--index`; nothing was changed"
                    .to_owned(),
            ),
            Self::OlderFormat { .. } => Some(
                "build a new index with `--index`, or use the version of sightline that built \
                 this one"
                    .to_owned(),
            ),
            error if error.is_damage() => Some(format!(
                "list the damage with `{}`, repair it with `{}`",
                command("check", index),
                command("check --repair", index)
            )),
            _ => None,
        }
    }
}

impl Hint for ExchangeError {
    fn hint(&self, _index: Option<&Path>) -> Option<String> {
        match self {
            Self::Exists { .. } => Some("use `--force` to replace it, or another folder".into()),
            Self::NotReplaced { .. } => Some("use another folder".into()),
            Self::NewerVersion { .. } => Some(
                "update sightline, or export the index again with this version; nothing was \
                 imported"
                    .into(),
            ),
            Self::Cut { .. } | Self::File { .. } | Self::Line { .. } => Some(
                "nothing was imported; export the index again with `sightline export DIR`".into(),
            ),
        }
    }
}

impl Hint for QuantizeError {
    fn hint(&self, _index: Option<&Path>) -> Option<String> {
        match self {
            Self::Exists { .. } => Some("use `--force` to replace it".to_owned()),
            Self::OldOpset { .. } => Some("export the model with a newer opset".to_owned()),
            _ => None,
        }
    }
}

impl Hint for DeviceError {
    fn hint(&self, _index: Option<&Path>) -> Option<String> {
        let fix = match self {
            Self::NotBuiltIn { device } => {
                format!("build it in with `cargo build --release --workspace --features {device}`")
            }
            Self::NotInLibrary { device, .. } => {
                format!("set ORT_DYLIB_PATH to an ONNX Runtime library built with {device}")
            }
            Self::Refused { device, .. } => {
                format!("check that the driver and the libraries of {device} are installed")
            }
            _ => return None,
        };
        Some(format!(
            "{fix}, or leave out `--device` to use the processor"
        ))
    }
}

impl Hint for HubError {
    fn hint(&self, index: Option<&Path>) -> Option<String> {
        Some(match self {
            Self::Offline { .. } => {
                "`models pull` needs the network; a model folder on this machine is added with \
                 `sightline models add FOLDER`"
                    .to_owned()
            }
            Self::BadEndpoint { .. } => {
                "set HF_ENDPOINT to a URL such as https://huggingface.co, or unset it".to_owned()
            }
            Self::BadProxy { .. } => {
                "set HTTPS_PROXY to a URL such as http://proxy.example:3128, or unset it".to_owned()
            }
            Self::UnknownName { known, .. } => {
                format!("models with a short name: {}", known.join(", "))
            }
            Self::NotFound { .. } => {
                "check the name; `sightline models pull --list` lists models with a short name"
                    .to_owned()
            }
            Self::Denied {
                had_token: false, ..
            } => {
                "if the model exists, accept its licence on its page, create a token in the hub's \
                  settings, and set HF_TOKEN to it"
                    .to_owned()
            }
            Self::Denied { .. } => {
                "HF_TOKEN was sent: accept the model's licence on its page, or use a token that \
                 has access to it"
                    .to_owned()
            }
            Self::NoPrecision { .. } => {
                "leave out `--precision` to download what is available".to_owned()
            }
            Self::NoModel { .. } | Self::NoDescription { .. } => {
                "give a repository with an ONNX export of a CLIP-style model, such as many by \
                 Xenova, onnx-community and immich-app; `sightline models pull --list` lists \
                 models with a short name"
                    .to_owned()
            }
            Self::Unsupported(unsupported) => on_unsupported(unsupported, true),
            Self::BadDescription { repository, source } => {
                let fix = source.hint(index).unwrap_or_default();
                format!(
                    "its graphs were not downloaded. To describe the model yourself, get it with \
                     `git clone https://huggingface.co/{repository}` (git-lfs installed); {fix}; \
                     then run `sightline models add`"
                )
            }
            Self::Unusable {
                folder,
                name,
                source,
                ..
            } => {
                let fix = source.hint(index).unwrap_or_default();
                let folder = folder.display();
                format!("{fix}; then run `sightline models add '{folder}' --name {name}`")
            }
            Self::Status { status, .. } if *status == 429 || *status >= 500 => {
                "the hub is overloaded or failing: try again later".to_owned()
            }
            Self::Broken { .. } => "run the same command again to resume".to_owned(),
            Self::HashMismatch { .. } => {
                "run the same command again to download the file again".to_owned()
            }
            Self::Busy { .. } => "wait until it is done".to_owned(),
            Self::Io(error) if error.kind() == std::io::ErrorKind::StorageFull => {
                "free some disk space and run the same command again to resume".to_owned()
            }
            _ => return None,
        })
    }
}

/// What to do about a folder, or with `on_hub` a repository, that is not a model that works here.
fn on_unsupported(unsupported: &Unsupported, on_hub: bool) -> String {
    match unsupported {
        Unsupported::LfsPointer { place, .. } => format!(
            "fetch the files: `git -C '{place}' lfs pull` in a clone (git-lfs installed), or \
             download them again from where the model came from"
        ),
        Unsupported::FourBit { .. } if on_hub => {
            "give a repository with graphs in fp32, fp16 or int8".to_owned()
        }
        Unsupported::FourBit { graph, .. } => {
            let base = graph
                .rsplit_once('_')
                .map_or(graph.as_str(), |(base, _)| base);
            format!(
                "download fp32, fp16 or int8 graphs of both towers from where the model came \
                 from: {base}.onnx, {base}_fp16.onnx or {base}_quantized.onnx"
            )
        }
        Unsupported::OneTower { place, tower } => {
            let (image, text) = match (tower, on_hub) {
                (TowerKind::Image, false) => (format!("'{place}'"), "TEXT_FOLDER".to_owned()),
                (TowerKind::Text, false) => ("IMAGE_FOLDER".to_owned(), format!("'{place}'")),
                (_, true) => ("IMAGE_FOLDER".to_owned(), "TEXT_FOLDER".to_owned()),
            };
            let first = if on_hub {
                format!(
                    "get it with `git clone https://huggingface.co/{place}` (git-lfs installed), \
                     and the other tower likewise"
                )
            } else {
                "get the folder of the other tower, trained together with this one".to_owned()
            };
            format!("{first}; then run `sightline models add {image} --text {text}`")
        }
        Unsupported::NaFlex { .. } => {
            "use the model's variant for one picture size, such as siglip2-base-patch16-224: \
             `sightline models pull siglip2-base`"
                .to_owned()
        }
        Unsupported::NoExport {
            is_open_clip: true, ..
        } => "use an ONNX export of this model, such as those of immich-app on the Hugging Face \
              hub: `sightline models pull immich-app/REPO`"
            .to_owned(),
        Unsupported::NoExport { place, folder, .. } => {
            let path = match (folder.as_str(), on_hub) {
                ("", false) => format!("'{place}'"),
                (folder, false) => format!("'{place}/{folder}'"),
                (_, true) => place.clone(),
            };
            format!(
                "export it to ONNX: `optimum-cli export onnx --model {path} --task \
                 zero-shot-image-classification NEW_FOLDER` (`pip install \"optimum[onnx]\"`), \
                 then run `sightline models add NEW_FOLDER`"
            )
        }
    }
}

impl Hint for ModelsError {
    fn hint(&self, index: Option<&Path>) -> Option<String> {
        Some(match self {
            Self::Model(error) => return error.hint(index),
            Self::Encode(error) => return error.hint(index),
            Self::Hub(error) => return error.hint(index),
            Self::Quantize(error) => return error.hint(index),
            Self::Unsupported(unsupported) => on_unsupported(unsupported, false),
            Self::NoModelFolder {
                is_file: true,
                folder,
                ..
            } => {
                let parent = in_quotes(&parent_of(folder));
                format!("give the folder of the model: `sightline models add {parent}`")
            }
            Self::NoModelFolder {
                in_catalogue: Some(name),
                ..
            } => format!("download this model with `sightline models pull {name}`"),
            Self::NoModelFolder { .. } => {
                "give the path of a model folder; `sightline models pull --list` lists the models \
                 that can be downloaded"
                    .to_owned()
            }
            Self::NoDataFolder => "set HOME or XDG_DATA_HOME".to_owned(),
            Self::Unknown {
                close: Some(close), ..
            } => format!("did you mean `{close}`?"),
            Self::Unknown {
                known, close: None, ..
            } => format!(
                "known models: {}; any other model is given by its folder",
                known.join(", ")
            ),
            Self::UnknownName { known, close, .. } => {
                let known = format!("models with a name: {}", known.join(", "));
                match close {
                    Some(close) => format!("did you mean `{close}`? {known}"),
                    None => known,
                }
            }
            Self::Unnamed { folder } => format!(
                "add it under a name first: `sightline models add '{}'`",
                folder.display()
            ),
            Self::DefaultMissing { .. } => {
                "choose another default model, such as `sightline models default starter`"
                    .to_owned()
            }
            Self::BadName { .. } => "choose a name with `--name NAME`".to_owned(),
            Self::Taken { name } => format!(
                "choose another name with `--name NAME`, or remove that model first: `sightline \
                 models remove {name}`"
            ),
            Self::Same { name, .. } => format!("use it with `--model {name}`"),
            Self::BuiltInQuantized { .. } => {
                "add a model with `sightline models pull` or `sightline models add`, and quantize \
                 that one"
                    .to_owned()
            }
            Self::NothingToQuantize { .. } => {
                "int8 copies are made from fp32 graphs: get those from where the model came from"
                    .to_owned()
            }
            Self::NoBetterThanChance { .. } => format!(
                "{CAUSES_OF_MISMATCH}; `models add` and `models pull` take the model in any case \
                 with `--anyway`"
            ),
            Self::NotUtf8 { .. } => "leave out `--link` to copy the folder".to_owned(),
            Self::Busy { .. } => "wait until it is done".to_owned(),
            Self::BadCopy { .. } => "run the same command again".to_owned(),
            Self::InvalidRegistry { .. } => {
                "correct the file, or delete it: the models in the models folder beside it are kept"
                    .to_owned()
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests;
