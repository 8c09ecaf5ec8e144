//! Why a folder or a repository that looks like a model cannot work: what it is instead.
//!
//! A missing file, or keys that nobody can fill in, are symptoms. Where the list of files and the
//! small files among them show the cause, the cause is reported: before a download, when a model is
//! added, checked or opened.

use std::path::Path;

use serde::Deserialize;
use sightline_onnx::{graph_inputs, is_lfs_pointer};

/// What a folder or a repository is, instead of a model that works here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsupported {
    /// Files are missing: what is there in their place says where they are.
    #[error("{place}: {file} is a git-lfs pointer, not the file itself")]
    LfsPointer {
        /// The folder.
        place: String,
        /// The file, or the first of them.
        file: String,
    },
    /// The only graphs of a tower have 4-bit weights.
    #[error("{place}: only 4-bit graphs, such as {graph}")]
    FourBit {
        /// The folder or repository.
        place: String,
        /// One of them.
        graph: String,
    },
    /// Only pictures or only texts can be encoded.
    #[error("{place}: only {}", tower.described())]
    OneTower {
        /// The folder or repository.
        place: String,
        /// The tower that is there.
        tower: TowerKind,
    },
    /// The image tower takes patches of any number instead of pictures of one size.
    #[error("{place}: a NaFlex model, whose image tower takes patches instead of pictures")]
    NaFlex {
        /// The folder or repository.
        place: String,
    },
    /// Weights of a training framework, without graphs.
    #[error("{place}: {weights} without an ONNX export")]
    NoExport {
        /// The folder or repository.
        place: String,
        /// The file with the weights.
        weights: String,
        /// The folder of the weights, relative to the place.
        folder: String,
        /// Whether they are `open_clip`'s.
        is_open_clip: bool,
    },
}

/// One of the two towers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TowerKind {
    /// It encodes pictures.
    Image,
    /// It encodes texts.
    Text,
}

impl TowerKind {
    fn described(self) -> &'static str {
        match self {
            Self::Image => "an image tower, without a text tower",
            Self::Text => "a text tower, without an image tower",
        }
    }
}

/// Endings of a graph's name with weights of 4 bits or fewer.
const FOUR_BIT: [&str; 9] = [
    "_q4", "_q4f16", "_bnb4", "_q2", "_q2f16", "_q1", "_q1f16", "_int4", "_uint4",
];

/// Graphs of image towers: file names without ending, or the folder of a `model.onnx`.
const IMAGE_NAMES: [&str; 4] = ["vision_model", "visual", "vision", "image"];
const TEXT_NAMES: [&str; 3] = ["text_model", "textual", "text"];

/// Files of which each tokenizer has one.
const TOKENIZERS: [&str; 7] = [
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.txt",
    "vocab.json",
    "spiece.model",
    "sentencepiece.bpe.model",
];

/// Files that describe preprocessing.
const PREPROCESSING: [&str; 4] = [
    "preprocessor_config.json",
    "processor_config.json",
    "open_clip_config.json",
    "preprocess_cfg.json",
];

/// The files of a folder or a repository.
pub(super) struct Files<'a> {
    /// What to call it in messages.
    pub(super) place: String,
    /// Paths relative to it, separated by `/`.
    pub(super) paths: Vec<String>,
    /// The folder in which those that are available lie.
    pub(super) folder: Option<&'a Path>,
}

/// The parts of `preprocessor_config.json` that show a `NaFlex` model.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Processor {
    image_processor_type: Option<String>,
    max_num_patches: Option<serde_json::Value>,
    #[serde(rename = "image_processor")]
    of_images: Option<Box<Self>>,
}

/// The same of `sightline.toml`: whether it names the graphs.
#[derive(Default, Deserialize)]
#[serde(default)]
struct OwnManifest {
    image: toml::Table,
    text: toml::Table,
}

/// What the folder of a model that cannot be opened is; `None` if its files do not show it.
pub(super) fn in_folder(folder: &Path) -> Option<Unsupported> {
    let mut paths = Vec::new();
    list(folder, "", &mut paths);
    paths.sort_unstable();
    let files = Files {
        place: folder.display().to_string(),
        paths,
        folder: Some(folder),
    };
    files.judge()
}

/// The first of a model's files that is a git-lfs pointer.
pub(super) fn pointer_among(folder: &Path, files: &[impl AsRef<Path>]) -> Option<Unsupported> {
    let file = files.iter().find(|file| is_lfs_pointer(file.as_ref()))?;
    let file = file.as_ref();
    Some(Unsupported::LfsPointer {
        place: folder.display().to_string(),
        file: file
            .strip_prefix(folder)
            .unwrap_or(file)
            .display()
            .to_string(),
    })
}

/// Adds the files of a folder and those in its own folders.
fn list(folder: &Path, prefix: &str, paths: &mut Vec<String>) {
    for entry in fs_err::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if name.starts_with('.') {
            continue;
        }
        let path = entry.path();
        if path.is_file() {
            paths.push(format!("{prefix}{name}"));
        } else if prefix.is_empty() {
            list(&path, &format!("{name}/"), paths);
        }
    }
}

impl Files<'_> {
    /// What it is; `None` if its files do not show why it cannot work.
    pub(super) fn judge(&self) -> Option<Unsupported> {
        if self.names_its_graphs() {
            return self.pointer();
        }
        let place = || self.place.clone();
        if let Some(pointer) = self.pointer() {
            return Some(pointer);
        }
        let graphs: Vec<Graph<'_>> = self.paths.iter().filter_map(|path| graph(path)).collect();
        if graphs.is_empty() {
            return self.weights();
        }
        if self.is_naflex(&graphs) {
            return Some(Unsupported::NaFlex { place: place() });
        }
        let missing = |tower: TowerKind| {
            let of_tower: Vec<_> = graphs
                .iter()
                .filter(|one| one.tower.is_none_or(|of| of == tower))
                .collect();
            let four_bit = of_tower
                .first()
                .filter(|_| of_tower.iter().all(|g| g.is_four_bit));
            four_bit.map(|graph| graph.path.to_owned())
        };
        let four_bit = missing(TowerKind::Image).or_else(|| missing(TowerKind::Text));
        if let Some(graph) = four_bit {
            return Some(Unsupported::FourBit {
                place: place(),
                graph,
            });
        }
        self.only_tower(&graphs).map(|tower| Unsupported::OneTower {
            place: place(),
            tower,
        })
    }

    fn has(&self, names: &[&str]) -> bool {
        self.paths.iter().any(|path| names.contains(&name_of(path)))
    }

    /// Whether a manifest says which graphs to run, so that other names do not matter.
    fn names_its_graphs(&self) -> bool {
        let text = self
            .folder
            .and_then(|folder| fs_err::read_to_string(folder.join("sightline.toml")).ok());
        let manifest: OwnManifest = text
            .and_then(|text| toml::from_str(&text).ok())
            .unwrap_or_default();
        let names = |table: &toml::Table| {
            ["file", "folder"]
                .iter()
                .any(|key| table.contains_key(*key))
        };
        names(&manifest.image) || names(&manifest.text)
    }

    fn pointer(&self) -> Option<Unsupported> {
        let folder = self.folder?;
        let needed = |path: &&String| {
            let name = name_of(path);
            name.contains(".onnx")
                || [".json", ".txt", ".model", ".bin", ".safetensors"]
                    .iter()
                    .any(|end| name.ends_with(end))
        };
        let mut needed = self.paths.iter().filter(needed);
        let file = needed.find(|path| is_lfs_pointer(&folder.join(path)))?;
        Some(Unsupported::LfsPointer {
            place: self.place.clone(),
            file: file.clone(),
        })
    }

    fn weights(&self) -> Option<Unsupported> {
        let is_weights = |path: &&String| {
            let name = name_of(path);
            let by_end = [
                ".safetensors",
                ".pt",
                ".pth",
                ".ckpt",
                ".h5",
                ".msgpack",
                ".gguf",
            ];
            by_end.iter().any(|end| name.ends_with(end))
                || (name.contains("model") && has_extension(name, "bin"))
        };
        let weights = self.paths.iter().find(is_weights)?;
        let (folder, name) = weights.rsplit_once('/').unwrap_or(("", weights));
        Some(Unsupported::NoExport {
            place: self.place.clone(),
            weights: weights.clone(),
            folder: folder.to_owned(),
            is_open_clip: name.starts_with("open_clip") || self.has(&["open_clip_config.json"]),
        })
    }

    fn is_naflex(&self, graphs: &[Graph<'_>]) -> bool {
        let Some(folder) = self.folder else {
            return false;
        };
        let is_described = ["preprocessor_config.json", "processor_config.json"]
            .iter()
            .filter_map(|name| fs_err::read(folder.join(name)).ok())
            .filter_map(|bytes| serde_json::from_slice::<Processor>(&bytes).ok())
            .any(|processor| processor.is_naflex());
        is_described
            || graphs.iter().any(|graph| {
                let inputs = graph_inputs(&folder.join(graph.path)).unwrap_or_default();
                let is_mark =
                    |name: &String| name == "spatial_shapes" || name == "pixel_attention_mask";
                inputs.iter().any(is_mark)
            })
    }

    /// The tower of all graphs, if they have only one.
    fn only_tower(&self, graphs: &[Graph<'_>]) -> Option<TowerKind> {
        let first = graphs.first()?.tower;
        if first.is_some() && graphs.iter().all(|graph| graph.tower == first) {
            return first;
        }
        if graphs.iter().any(|graph| graph.tower.is_some()) {
            return None;
        }
        // Graphs called `model.onnx`: what they take, else what lies beside them.
        let inputs = self.folder.and_then(|folder| {
            let inputs = graph_inputs(&folder.join(graphs.first()?.path))?;
            (!inputs.is_empty()).then_some(inputs)
        });
        let (takes_pictures, takes_texts) = match inputs {
            Some(inputs) => {
                let is_text = |name: &String| name.contains("ids") || name == "attention_mask";
                (
                    inputs
                        .iter()
                        .any(|name| name.contains("pixel") || name.contains("image")),
                    inputs.iter().any(is_text),
                )
            }
            None => (self.has(&PREPROCESSING), self.has(&TOKENIZERS)),
        };
        match (takes_pictures, takes_texts) {
            (true, false) => Some(TowerKind::Image),
            (false, true) => Some(TowerKind::Text),
            _ => None,
        }
    }
}

impl Processor {
    fn is_naflex(&self) -> bool {
        let kind = self.image_processor_type.as_deref().unwrap_or_default();
        kind.starts_with("Siglip2ImageProcessor")
            || self.max_num_patches.is_some()
            || self.of_images.as_deref().is_some_and(Self::is_naflex)
    }
}

/// A graph, by its path.
struct Graph<'a> {
    path: &'a str,
    /// `None` for one of both towers, or of a name that does not say.
    tower: Option<TowerKind>,
    is_four_bit: bool,
}

fn graph(path: &str) -> Option<Graph<'_>> {
    let stem = path.strip_suffix(".onnx")?;
    let is_four_bit = FOUR_BIT.iter().any(|end| stem.ends_with(end));
    let mut parts = stem.rsplit('/');
    let name = parts.next().unwrap_or_default();
    let folder = parts.next().unwrap_or_default();
    let is = |names: &[&str]| {
        let starts = |known: &&str| {
            let rest = name.strip_prefix(*known);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
        };
        names.iter().any(starts) || (name.starts_with("model") && names.contains(&folder))
    };
    let tower = if is(&IMAGE_NAMES) {
        Some(TowerKind::Image)
    } else if is(&TEXT_NAMES) {
        Some(TowerKind::Text)
    } else {
        None
    };
    Some(Graph {
        path,
        tower,
        is_four_bit,
    })
}

fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|found| found == extension)
}

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(paths: &[&str]) -> Option<Unsupported> {
        let files = Files {
            place: "a/b".to_owned(),
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            folder: None,
        };
        files.judge()
    }

    #[test]
    fn lists_of_files_show_what_cannot_work() {
        let described = ["config.json", "preprocessor_config.json", "tokenizer.json"];
        let with = |more: &[&'static str]| judged(&[&described[..], more].concat());
        let four_bit = |graph: &str| {
            let (place, graph) = ("a/b".to_owned(), graph.to_owned());
            Some(Unsupported::FourBit { place, graph })
        };
        let one = |tower| {
            let place = "a/b".to_owned();
            Some(Unsupported::OneTower { place, tower })
        };
        // Models, complete or with extras.
        let models: [&[&str]; 6] = [
            &["onnx/vision_model.onnx", "onnx/text_model_int8.onnx"],
            &[
                "onnx/vision_model_q4.onnx",
                "onnx/text_model_q4.onnx",
                "onnx/model.onnx",
            ],
            &["model_quantized.onnx", "model_q4f16.onnx"],
            &["visual/model.onnx", "textual/model.onnx"],
            &["visual.onnx", "textual.onnx", "model.safetensors"],
            &[
                "vision_model.onnx",
                "vision_model_q4.onnx",
                "text_model.onnx",
            ],
        ];
        for model in models {
            assert_eq!(with(model), None, "{model:?}");
        }
        assert_eq!(
            with(&["onnx/vision_model_q4.onnx", "onnx/text_model_bnb4.onnx"]),
            four_bit("onnx/vision_model_q4.onnx")
        );
        assert_eq!(
            with(&["onnx/vision_model.onnx", "onnx/text_model_q4f16.onnx"]),
            four_bit("onnx/text_model_q4f16.onnx")
        );
        assert_eq!(
            with(&["onnx/model_q4.onnx"]),
            four_bit("onnx/model_q4.onnx")
        );
        assert_eq!(with(&["onnx/vision_model.onnx"]), one(TowerKind::Image));
        assert_eq!(with(&["textual/model.onnx"]), one(TowerKind::Text));
        let image = ["config.json", "model.onnx", "preprocessor_config.json"];
        assert_eq!(judged(&image), one(TowerKind::Image));
        let text = ["config.json", "model.onnx", "tokenizer.json"];
        assert_eq!(judged(&text), one(TowerKind::Text));
        assert!(matches!(
            with(&["pytorch_model.bin"]),
            Some(Unsupported::NoExport {
                is_open_clip: false,
                ..
            })
        ));
        assert!(matches!(
            judged(&["open_clip_config.json", "open_clip_model.safetensors"]),
            Some(Unsupported::NoExport {
                is_open_clip: true,
                ..
            })
        ));
        assert_eq!(judged(&["notes.txt", "photo.jpg"]), None);
    }
}
