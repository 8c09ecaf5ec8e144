//! Errors stay plain; advice is added here, one hint an error.

use sightline_index::IndexError;
use sightline_onnx::quantize::QuantizeError;
use sightline_onnx::{DeviceError, EncodeError, ModelError};
use sightline_picture::DecodeError;

use crate::engine::EngineError;
use crate::engine::exchange::ExchangeError;
use crate::models::ModelsError;
use crate::models::hub::HubError;
use crate::platform;

/// What the user can do about an error, if we know.
pub(super) trait Hint {
    fn hint(&self) -> Option<String>;
}

impl Hint for anyhow::Error {
    fn hint(&self) -> Option<String> {
        let of_engine = self.downcast_ref::<EngineError>().map(Hint::hint);
        let of_models = || self.downcast_ref::<ModelsError>().map(Hint::hint);
        of_engine.or_else(of_models)?
    }
}

impl Hint for EngineError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Index(error) => error.hint(),
            Self::Exchange(error) => error.hint(),
            Self::Runtime(_) => Some(format!("install it with: {}", platform::install_command())),
            Self::Encode(error) => error.hint(),
            Self::Model(error) => error.hint(),
            Self::EmptyQuery => {
                Some("say what to look for, as in: sightline search \"a dog on the beach\"".into())
            }
            Self::PictureByWords => {
                Some("leave out --by words, or search with words instead of --image".into())
            }
            Self::FolderMissing { n_indexed: 0, .. } => Some("check the path".into()),
            Self::FolderMissing { n_indexed, .. } => Some(format!(
                "the index holds {n_indexed} of its files and keeps them; if they are gone for \
                 good, run again with --prune"
            )),
            Self::NotAFolder { path } if path.is_file() => Some(format!(
                "index the folder it is in: sightline index {}",
                path.parent()
                    .filter(|p| !p.as_os_str().is_empty())
                    .map_or_else(|| ".".to_owned(), |parent| parent.display().to_string())
            )),
            Self::NotText { .. } => Some("save the file as UTF-8".into()),
            Self::Picture {
                source: DecodeError::Unsupported { .. },
                ..
            } => Some("convert it, for example to JPEG or PNG".into()),
            _ => None,
        }
    }
}

impl Hint for EncodeError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Model(error) => error.hint(),
            Self::Device(error) => error.hint(),
            Self::Load { .. } => Some(
                "it may be damaged or cut short, or too new for this ONNX Runtime".to_owned(),
            ),
            Self::NoInput { .. } | Self::NoOutput { .. } | Self::Signature { .. } => Some(
                "a sightline.toml in the model's folder can name the right one: docs/models.md has \
                 its keys"
                    .to_owned(),
            ),
            Self::Dimension { .. } => Some(
                "both towers must be of one model; where a sightline.toml says dimension, correct it"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

impl Hint for QuantizeError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Exists { .. } => Some("replace it with --force".to_owned()),
            Self::OldOpset { .. } => Some("export the model with a newer opset".to_owned()),
            _ => None,
        }
    }
}

impl Hint for ModelError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoPrecision { .. } => "leave out --precision to use what there is".to_owned(),
            Self::Unknown { folder, keys, .. } => format!(
                "write what the model's authors say into {}, such as {}; docs/models.md has all \
                 keys",
                folder.join("sightline.toml").display(),
                examples(keys)
            ),
            Self::MissingFile { .. } => "get it from where the model came from; both towers, a \
                                         tokenizer and the files that describe them are needed"
                .to_owned(),
            Self::Value { .. } => {
                "correct it, or say otherwise in a sightline.toml in the model's \
                                   folder: docs/models.md has its keys"
                    .to_owned()
            }
            Self::Manifest { .. } => "docs/models.md has all keys".to_owned(),
            Self::Unreadable { .. } | Self::Json { .. } | Self::Tokenizer { .. } => {
                "it may be damaged or cut short: get it anew from where the model came from, or \
                 describe the whole model in a sightline.toml: docs/models.md has its keys"
                    .to_owned()
            }
            _ => "give a model's name or its folder, or leave it out to use the built-in starter \
                  model"
                .to_owned(),
        })
    }
}

/// `below [image]: resize = "shortest-edge", mean = [0.48, 0.46, 0.41]`
fn examples(keys: &[&str]) -> String {
    let value = |key: &str| match key {
        "dimension" | "image.edge" => "512",
        "image.size" => "[224, 224]",
        "image.resize" => "\"shortest-edge\"",
        "image.interpolation" => "\"bicubic\"",
        "image.mean" => "[0.48, 0.46, 0.41]",
        "image.std" => "[0.27, 0.26, 0.28]",
        "image.input" => "\"pixel_values\"",
        "image.output" => "\"image_embeds\"",
        "image.file" => "\"vision_model.onnx\"",
        "text.file" => "\"text_model.onnx\"",
        "text.input_ids" => "\"input_ids\"",
        "text.output" => "\"text_embeds\"",
        "text.tokenizer" => "\"tokenizer.json\"",
        "text.context_length" => "77",
        "text.pad" => "\"context\"",
        _ => "…",
    };
    let mut told: Vec<String> = Vec::new();
    let mut table = "";
    for key in keys {
        let (its_table, name) = key.split_once('.').unwrap_or(("", key));
        let line = format!("{name} = {}", value(key));
        told.push(if its_table == table {
            line
        } else {
            table = its_table;
            format!("below [{its_table}] {line}")
        });
    }
    told.join(", ")
}

impl Hint for IndexError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NoIndex { .. } => {
                Some("index a folder first: sightline index ~/Pictures".to_owned())
            }
            Self::Locked { .. } => {
                Some("wait until it is done, or use another --index folder".to_owned())
            }
            Self::ReadOnly { .. } => Some(
                "make the folder writable, or use another --index folder; only searching works \
                 without"
                    .to_owned(),
            ),
            Self::DiskFull { .. } => Some(
                "make room there and run the same command again to go on; what was committed is \
                 kept"
                    .to_owned(),
            ),
            Self::NotAnIndex { .. } => Some(
                "give an empty folder, or one that does not exist yet, with --index".to_owned(),
            ),
            Self::OtherModel { .. } | Self::OtherDimension { .. } => Some(
                "vectors of two models cannot be compared: use the --model it was built with, or \
                 another --index folder; to embed all that it holds again with another model: \
                 sightline index --model NAME"
                    .to_owned(),
            ),
            Self::NewerFormat { .. } => Some(
                "a newer sightline made it and nothing was touched: use that one or a newer, or \
                 another --index folder"
                    .to_owned(),
            ),
            Self::OlderFormat { .. } => Some(
                "index the folders anew with another --index folder, or use the sightline that \
                 made it"
                    .to_owned(),
            ),
            error if error.is_damage() => Some(
                "see what is damaged with: sightline check; mend it with: sightline check --repair"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

impl Hint for ExchangeError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Exists { .. } => Some("replace it with --force, or give another folder".into()),
            Self::NotReplaced { .. } => Some("give another folder".into()),
            Self::File { .. } | Self::Line { .. } => {
                Some("export it again: sightline export DIR; nothing was imported".into())
            }
        }
    }
}

impl Hint for DeviceError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NotBuiltIn { device } => Some(format!(
                "build it in with: cargo build --release --workspace --features {device}; or leave \
                 out --device to use the processor"
            )),
            Self::NotInLibrary { device, .. } => Some(format!(
                "set ORT_DYLIB_PATH to an ONNX Runtime library built with {device}; or leave out \
                 --device to use the processor"
            )),
            Self::Refused { device, .. } => Some(format!(
                "check that the driver and the libraries of {device} are installed; or leave out \
                 --device to use the processor"
            )),
            _ => None,
        }
    }
}

impl Hint for HubError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Offline { .. } => {
                "models pull needs the network; to add a model folder that is already on this \
                 machine: sightline models add FOLDER"
                    .to_owned()
            }
            Self::BadEndpoint { .. } => {
                "set HF_ENDPOINT to a URL such as https://huggingface.co, or unset it"
                    .to_owned()
            }
            Self::BadProxy { .. } => {
                "set HTTPS_PROXY to a URL such as http://proxy.example:3128, or unset it"
                    .to_owned()
            }
            Self::UnknownName { known, .. } => {
                format!("models in the catalogue: {}", known.join(", "))
            }
            Self::NotFound { .. } => {
                "check the name; to list models with a short name: sightline models pull --list"
                    .to_owned()
            }
            Self::Denied {
                had_token: false, ..
            } => "if the model exists: accept its licence on its page, create a token in the hub's \
                  settings, and set the environment variable HF_TOKEN"
                .to_owned(),
            Self::Denied { .. } => {
                "HF_TOKEN was sent: accept the model's licence on its page, or use a token that \
                 may read it"
                    .to_owned()
            }
            Self::NoPrecision { .. } => {
                "leave out --precision to download what exists".to_owned()
            }
            Self::NoModel { .. } | Self::NoDescription { .. } => {
                "use a repository with an ONNX export of a CLIP-style model, such as those of Xenova, \
                 onnx-community and immich-app; to list models with a short name: sightline models \
                 pull --list"
                    .to_owned()
            }
            Self::Unusable {
                folder,
                name,
                source,
                ..
            } => {
                let way = source.hint().unwrap_or_default();
                let folder = folder.display();
                format!("{way}; then: sightline models add '{folder}' --name {name}")
            }
            Self::Status { status, .. } if *status == 429 || *status >= 500 => {
                "the hub is overloaded or failing: try again later".to_owned()
            }
            Self::Broken { .. } => "run the same command again to resume".to_owned(),
            Self::HashMismatch { .. } => "run the same command again to download it again".to_owned(),
            Self::Busy { .. } => "wait until it is done".to_owned(),
            Self::Io(error) if error.kind() == std::io::ErrorKind::StorageFull => {
                "free some disk space and run the same command again to resume".to_owned()
            }
            _ => return None,
        })
    }
}

impl Hint for ModelsError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Model(error) => return error.hint(),
            Self::Encode(error) => return error.hint(),
            Self::Hub(error) => return error.hint(),
            Self::Quantize(error) => return error.hint(),
            Self::NoDataFolder => "set HOME or XDG_DATA_HOME".to_owned(),
            Self::Unknown {
                close: Some(close), ..
            } => format!("did you mean {close}?"),
            Self::Unknown {
                known, close: None, ..
            } => format!(
                "models with a name: {}; for any other, give its folder",
                known.join(", ")
            ),
            Self::Unnamed { folder } => format!(
                "give it one first: sightline models add '{}'",
                folder.display()
            ),
            Self::DefaultMissing { .. } => {
                "choose another one, such as: sightline models default starter".to_owned()
            }
            Self::BadName { .. } => "give it one with --name NAME".to_owned(),
            Self::Taken { name } => format!(
                "choose another one with --name NAME, or first: sightline models remove {name}"
            ),
            Self::Same { name, .. } => format!("use it with: --model {name}"),
            Self::NotUtf8 { .. } => "leave out --link to copy it".to_owned(),
            Self::Busy { .. } => "wait until it is done".to_owned(),
            Self::BadCopy { .. } => "run it again".to_owned(),
            Self::InvalidRegistry { .. } => {
                "correct it or delete it; the models in the folder `models` beside it are kept"
                    .to_owned()
            }
            _ => return None,
        })
    }
}
