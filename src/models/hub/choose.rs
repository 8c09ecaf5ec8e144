//! Chooses the files of a repository that make up a model.

use std::collections::BTreeMap;
use std::path::Path;

use sightline_onnx::{Model, ModelError, Precision};

use super::error::HubError;
use crate::models::unsupported::Files;

/// Larger files are not descriptions.
pub(in crate::models) const MAX_DESCRIPTION_BYTES: u64 = 64 << 20;

/// Descriptions up to this size are read before the graphs are downloaded. It leaves out the
/// vocabularies of many languages.
const MAX_SMALL_BYTES: u64 = 1 << 20;

/// A file of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFile {
    /// Its path in the repository, separated by `/`. It stays inside the folder.
    pub path: String,
    /// Its size in bytes.
    pub n_bytes: u64,
    /// Its SHA-256 in hexadecimal, which the hub knows for large files.
    pub sha256: Option<String>,
    /// The SHA-1 of its git blob in hexadecimal, which the hub knows for all others.
    pub git_sha1: Option<String>,
}

/// A repository at one commit.
#[derive(Debug, Clone)]
pub(super) struct Listing {
    pub(super) commit: String,
    pub(super) license: Option<String>,
    pub(super) files: Vec<RemoteFile>,
}

/// What to download from a repository.
#[derive(Debug, Clone)]
pub struct Choice {
    /// The repository.
    pub repository: String,
    /// The commit of all files.
    pub commit: String,
    /// The licence as stated by the repository.
    pub license: Option<String>,
    /// The precisions of the graphs, the most exact one first.
    pub precisions: Vec<Precision>,
    /// The files, by path.
    pub files: Vec<RemoteFile>,
}

impl Choice {
    /// Size of all files in bytes.
    #[must_use]
    pub fn n_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.n_bytes).sum()
    }

    /// The choice of only the small files that describe the model.
    pub(super) fn descriptions(&self) -> Self {
        let is_small =
            |file: &&RemoteFile| file.n_bytes <= MAX_SMALL_BYTES && is_description(&file.path);
        Self {
            files: self.files.iter().filter(is_small).cloned().collect(),
            ..self.clone()
        }
    }
}

/// Paths of the graphs in each layout, without suffix and extension: those of both towers, or the
/// one that holds both.
const LAYOUTS: [&[&str]; 7] = [
    &["onnx/vision_model", "onnx/text_model"],
    &["visual/model", "textual/model"],
    &["onnx/model"],
    &["vision_model", "text_model"],
    &["onnx/visual", "onnx/textual"],
    &["visual", "textual"],
    &["model"],
];

/// Files that describe preprocessing. A model without any of them takes text only.
const PREPROCESSING: [&str; 4] = [
    "preprocessor_config.json",
    "processor_config.json",
    "open_clip_config.json",
    "visual/preprocess_cfg.json",
];

/// Suffixes of the graphs of each precision, the preferred one first. Among those of 8 bits,
/// `_quantized` is what the publishers' own programs run: its convolutions have unsigned weights,
/// which older ONNX Runtimes support too.
const SUFFIXES: [(Precision, &[&str]); 3] = [
    (Precision::Fp32, &[""]),
    (Precision::Fp16, &["_fp16"]),
    (Precision::Int8, &["_quantized", "_uint8", "_int8"]),
];

pub(super) fn choose(
    repository: &str,
    listing: &Listing,
    asked: Option<Precision>,
) -> Result<Choice, HubError> {
    let files: BTreeMap<&str, &RemoteFile> = listing
        .files
        .iter()
        .map(|file| (file.path.as_str(), file))
        .collect();
    let mut chosen = BTreeMap::new();
    let precisions;
    if files.contains_key("sightline.toml") {
        // Its graphs may have any name; a missing precision shows when the model is opened.
        precisions = asked.map_or_else(|| vec![Precision::Fp32, Precision::Int8], |one| vec![one]);
        let others = SUFFIXES.iter().filter(|(one, _)| !precisions.contains(one));
        let others: Vec<&str> = others
            .flat_map(|(_, suffixes)| *suffixes)
            .copied()
            .collect();
        for (path, file) in &files {
            let is_other = others
                .iter()
                .any(|suffix| !suffix.is_empty() && path.contains(&format!("{suffix}.onnx")));
            if path.contains(".onnx") && !is_other {
                chosen.insert(*path, *file);
            }
        }
    } else {
        let layout = LAYOUTS.iter().find_map(|stems| {
            let variants = variants(stems, &files);
            (!variants.is_empty()).then_some(variants)
        });
        let variants = layout.ok_or_else(|| {
            judged(repository, listing).unwrap_or_else(|| HubError::NoModel {
                repository: repository.to_owned(),
            })
        })?;
        if !PREPROCESSING.iter().any(|file| files.contains_key(file)) {
            return Err(
                judged(repository, listing).unwrap_or_else(|| HubError::NoDescription {
                    repository: repository.to_owned(),
                }),
            );
        }
        // A tower by itself, as a graph called `model.onnx`.
        if let Some(error) = judged(repository, listing) {
            return Err(error);
        }
        precisions = wanted(repository, &variants, asked)?;
        for (_, graphs) in variants.iter().filter(|(one, _)| precisions.contains(one)) {
            for graph in graphs {
                take_graph(graph, &files, &mut chosen);
            }
        }
    }
    let mut folders: Vec<&str> = chosen.keys().map(|path| folder(path)).collect();
    folders.push("");
    for (path, file) in &files {
        if folders.contains(&folder(path))
            && is_description(path)
            && file.n_bytes <= MAX_DESCRIPTION_BYTES
        {
            chosen.insert(*path, *file);
        }
    }
    Ok(Choice {
        repository: repository.to_owned(),
        commit: listing.commit.clone(),
        license: listing.license.clone(),
        precisions,
        files: chosen.into_values().cloned().collect(),
    })
}

/// What a repository is, instead of a model, if its list of files shows it.
fn judged(repository: &str, listing: &Listing) -> Option<HubError> {
    let paths = listing.files.iter().map(|file| file.path.clone());
    let files = Files {
        place: repository.to_owned(),
        paths: paths.collect(),
        folder: None,
    };
    files.judge().map(HubError::Unsupported)
}

/// Checks the descriptions of a choice, which are in a folder, before its graphs are downloaded.
pub(super) fn check_description(choice: &Choice, folder: &Path) -> Result<(), HubError> {
    let paths = choice.files.iter().map(|file| file.path.clone());
    let files = Files {
        place: choice.repository.clone(),
        paths: paths.collect(),
        folder: Some(folder),
    };
    if let Some(unsupported) = files.judge() {
        return Err(unsupported.into());
    }
    match Model::check_description(folder) {
        // The vocabulary may be among the larger files.
        Ok(()) | Err(ModelError::MissingFile { .. }) => Ok(()),
        Err(source) => Err(HubError::BadDescription {
            repository: choice.repository.clone(),
            source: Box::new(source),
        }),
    }
}

/// The precisions in which all these graphs exist, with the paths of the graphs.
fn variants(stems: &[&str], files: &BTreeMap<&str, &RemoteFile>) -> Vec<(Precision, Vec<String>)> {
    let path = |stem: &&str, suffixes: &[&str]| {
        let names = suffixes.iter().map(|suffix| format!("{stem}{suffix}.onnx"));
        names
            .into_iter()
            .find(|path| files.contains_key(path.as_str()))
    };
    let all = SUFFIXES.iter().filter_map(|(precision, suffixes)| {
        let graphs: Option<Vec<String>> = stems.iter().map(|stem| path(stem, suffixes)).collect();
        Some((*precision, graphs?))
    });
    all.collect()
}

/// The precisions to download: the one asked for, else all but fp16, unless there is nothing else.
fn wanted(
    repository: &str,
    variants: &[(Precision, Vec<String>)],
    asked: Option<Precision>,
) -> Result<Vec<Precision>, HubError> {
    let found: Vec<Precision> = variants.iter().map(|(precision, _)| *precision).collect();
    match asked {
        Some(asked) if found.contains(&asked) => Ok(vec![asked]),
        Some(asked) => Err(HubError::NoPrecision {
            repository: repository.to_owned(),
            asked,
            found: found.iter().map(|precision| precision.as_str()).collect(),
        }),
        None => {
            let usual = |one: &Precision| *one != Precision::Fp16;
            let usual: Vec<Precision> = found.iter().copied().filter(usual).collect();
            Ok(if usual.is_empty() { found } else { usual })
        }
    }
}

/// Chooses a graph with its external weights. These are named after the graph; in Immich's folders,
/// which hold one graph each, they have any name.
fn take_graph<'a>(
    graph: &str,
    files: &BTreeMap<&'a str, &'a RemoteFile>,
    chosen: &mut BTreeMap<&'a str, &'a RemoteFile>,
) {
    let holds_one_graph = graph.starts_with("visual/") || graph.starts_with("textual/");
    for (path, file) in files {
        let rest = path.strip_prefix(graph);
        let is_its_own = rest.is_some_and(|rest| {
            rest.is_empty() || rest.starts_with("_data") || rest.starts_with(".data")
        });
        let is_beside = holds_one_graph
            && folder(path) == folder(graph)
            && !path.contains(".onnx")
            && ![".armnn", ".rknn", ".mlmodel", ".ort"]
                .iter()
                .any(|ending| path.ends_with(ending));
        if is_its_own || is_beside {
            chosen.insert(*path, *file);
        }
    }
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Whether a file of this name describes a model or states its licence.
pub(in crate::models) fn is_description(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    let by_end = [".json", ".toml", ".txt", ".md", ".model"];
    let by_start = ["license", "licence", "notice", "copying", "readme"];
    !name.starts_with('.')
        && (by_end.iter().any(|end| name.ends_with(end))
            || by_start.iter().any(|start| name.starts_with(start)))
}

/// Whether a relative path stays inside its folder, on every system.
pub(super) fn is_inside(path: &str) -> bool {
    !path.is_empty()
        && !path.contains(['\\', ':', '\0'])
        && path
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(paths: &[&str], asked: Option<Precision>) -> Result<Vec<String>, HubError> {
        let file = |path: &&str| RemoteFile {
            path: (*path).to_owned(),
            n_bytes: 1,
            sha256: None,
            git_sha1: None,
        };
        let listing = Listing {
            commit: "c".to_owned(),
            license: None,
            files: paths.iter().map(file).collect(),
        };
        let choice = choose("a/b", &listing, asked)?;
        Ok(choice.files.into_iter().map(|file| file.path).collect())
    }

    #[test]
    fn only_files_of_the_layout_are_chosen() {
        let transformers_js = [
            ".gitattributes",
            "README.md",
            "config.json",
            "preprocessor_config.json",
            "tokenizer.json",
            "onnx/model.onnx",
            "onnx/model_quantized.onnx",
            "onnx/text_model.onnx",
            "onnx/text_model.onnx_data",
            "onnx/text_model_fp16.onnx",
            "onnx/text_model_int8.onnx",
            "onnx/text_model_q4.onnx",
            "onnx/text_model_quantized.onnx",
            "onnx/text_model_uint8.onnx",
            "onnx/vision_model.onnx",
            "onnx/vision_model_fp16.onnx",
            "onnx/vision_model_int8.onnx",
            "onnx/vision_model_q4.onnx",
            "onnx/vision_model_quantized.onnx",
            "onnx/vision_model_uint8.onnx",
            "pytorch_model.bin",
        ];
        let texts = ["README.md", "config.json"];
        let more = ["preprocessor_config.json", "tokenizer.json"];
        let with = |graphs: &[&'static str]| {
            let mut all = [&texts[..], graphs, &more[..]].concat();
            all.sort_unstable();
            all
        };
        assert_eq!(
            chosen(&transformers_js, None).unwrap(),
            with(&[
                "onnx/text_model.onnx",
                "onnx/text_model.onnx_data",
                "onnx/text_model_quantized.onnx",
                "onnx/vision_model.onnx",
                "onnx/vision_model_quantized.onnx",
            ])
        );
        assert_eq!(
            chosen(&transformers_js, Some(Precision::Fp16)).unwrap(),
            with(&["onnx/text_model_fp16.onnx", "onnx/vision_model_fp16.onnx"])
        );
        let combined = [
            "config.json",
            "onnx/model.onnx",
            "onnx/model.onnx_data",
            "preprocessor_config.json",
            "tokenizer.json",
        ];
        assert_eq!(chosen(&combined, None).unwrap(), combined);
        let error = chosen(&combined, Some(Precision::Int8)).unwrap_err();
        assert_eq!(error.to_string(), "a/b: no int8 graphs, only fp32");
    }

    #[test]
    fn weights_and_graphs_of_any_name_are_chosen_where_the_layout_allows_it() {
        // Immich: weights of any name, but no graphs of other runtimes.
        let immich = [
            "config.json",
            "textual/model.onnx",
            "textual/onnx__MatMul_2679",
            "textual/tokenizer.json",
            "visual/2202c01a-47f5-11ef-ab4b-00155d655292",
            "visual/fp16/model.armnn",
            "visual/model.armnn",
            "visual/model.onnx",
            "visual/preprocess_cfg.json",
        ];
        let expected: Vec<_> = immich
            .into_iter()
            .filter(|p| !p.contains("armnn"))
            .collect();
        assert_eq!(chosen(&immich, None).unwrap(), expected);
        let own = [
            "sightline.toml",
            "a.onnx",
            "a_fp16.onnx",
            "b.onnx",
            "b_int8.onnx",
            "b-other.onnx",
            "t.json",
            "t-other.json",
        ];
        let taken = chosen(&own, None).unwrap();
        assert_eq!(
            taken,
            [
                "a.onnx",
                "b-other.onnx",
                "b.onnx",
                "b_int8.onnx",
                "sightline.toml",
                "t-other.json",
                "t.json"
            ]
        );
        let error = chosen(&["config.json"], None).unwrap_err();
        assert!(matches!(error, HubError::NoModel { .. }), "{error}");
        let error = chosen(&["config.json", "model.safetensors"], None).unwrap_err();
        assert!(matches!(error, HubError::Unsupported(_)), "{error}");
        // A model that takes text only is refused before hundreds of megabytes are downloaded.
        let error = chosen(&["config.json", "onnx/model.onnx"], None).unwrap_err();
        assert!(matches!(error, HubError::NoDescription { .. }), "{error}");
        let open_clip = ["open_clip_config.json", "textual.onnx", "visual.onnx"];
        assert_eq!(chosen(&open_clip, None).unwrap(), open_clip);
        // One tower is not a model.
        assert!(chosen(&["onnx/vision_model.onnx", "config.json"], None).is_err());
    }

    #[test]
    fn paths_that_leave_the_folder_are_refused() {
        for good in ["a", "a/b.onnx", "a b/..c"] {
            assert!(is_inside(good), "{good}");
        }
        for bad in [
            "", "/a", "../a", "a/../b", "a//b", "a\\b", "C:a", "a/.", "a\0",
        ] {
            assert!(!is_inside(bad), "{bad:?}");
        }
    }
}
