//! Completes a model's description: reads from the graphs what the files leave open, and reports
//! everything that is still missing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::{check_dimension, name_of};
use super::gaps::{Gaps, other_dimension};
use super::languages;
use super::manifest::{self, CropKey, FILE_NAME, Hints, ImageKeys, Manifest, ResizeKey, TextKeys};
use super::tokenizer::names_padding;
use super::variants;
use crate::description::{Description, ImageSpec, TextSpec};
use crate::error::ModelError;
use crate::file::interface::{Interface, Port};
use crate::file::mapped::stays_inside;
use crate::head::HeadSpec;
use crate::precision::Precision;
use crate::preprocess::{PreprocessConfig, Resize};
use crate::source::Source;
use crate::tokenize::{Frame, MERGES, MaskRule, Pad, TokenizeConfig, VOCABULARY_JSON};

/// Usual output names of embeddings, the likeliest first, for layouts that do not say them.
const IMAGE_OUTPUTS: &[&str] = &[
    "l2norm_image_embeddings",
    "image_embeds",
    "image_embeddings",
    "image_features",
];
const TEXT_OUTPUTS: &[&str] = &[
    "l2norm_text_embeddings",
    "text_embeds",
    "text_embeddings",
    "text_features",
];

/// Describes a model whose files are built in by its manifest, which must say everything. `file` is
/// for messages; `locate` finds a file by its name in the manifest.
pub(crate) fn describe_built_in(
    manifest: &str,
    file: &Path,
    locate: impl Fn(&str) -> Option<Source>,
) -> Result<Description, ModelError> {
    let mut manifest = Manifest {
        layout: "built in",
        ..manifest::parse(manifest, file)?
    };
    languages::check(file, file, &mut manifest)?;
    let source =
        |name: &str| locate(name).ok_or_else(|| ModelError::MissingFile { file: name.into() });
    let names = file_names(file, &manifest)?;
    let text = |TextNames { graph, tokenizer }: &TextNames| {
        Ok(TextFiles {
            graph: source(graph)?,
            tokenizer: source(tokenizer)?,
            interface: None,
            is_exact: true,
        })
    };
    let files = Files {
        image: source(&names.image)?,
        of_image: None,
        texts: names.texts.iter().map(text).collect::<Result<_, _>>()?,
    };
    let precision = manifest.precision.unwrap_or(Precision::Fp32);
    describe(file, manifest, files, precision)
}

/// Describes the model in a folder by what its files say, with the graphs of one precision.
pub(super) fn describe_in(
    folder: &Path,
    manifest: Manifest,
    asked: Option<Precision>,
) -> Result<Description, ModelError> {
    let plain = manifest.precision.unwrap_or(Precision::Fp32);
    let names = file_names(folder, &manifest)?;
    let name = manifest.name.clone().unwrap_or_else(|| name_of(folder));
    let hints = &manifest.image.hints;
    let image = inside(folder, "image.file", &names.image, hints)?;
    let mut texts = Vec::new();
    for (names, keys) in names.texts.iter().zip(manifest.texts()) {
        let place = |key, name| inside(folder, &keys.hints.text_key(key), name, &keys.hints);
        texts.push((
            place("file", &names.graph)?,
            place("tokenizer", &names.tokenizer)?,
        ));
    }
    let chosen = variants::choose(&name, &image, &texts[0].0, plain, asked)?;
    // A manifest that names everything is trusted without reading the graphs. Where one graph holds
    // both towers, the inputs that feed the other tower must be known.
    let is_joint = image == texts[0].0;
    let is_exact = manifest.layout == FILE_NAME && manifest.names_all() && !is_joint;
    let (image, of_image) = graph_source(chosen.image, hints)?;
    let mut files = Files {
        image,
        of_image: if is_exact { None } else { Some(of_image?) },
        texts: Vec::new(),
    };
    for (n, ((graph, tokenizer), keys)) in texts.into_iter().zip(manifest.texts()).enumerate() {
        let (graph, is_exact) = if n == 0 {
            (chosen.text.clone(), is_exact)
        } else {
            let graph = variants::nearest(&graph, plain, chosen.precision)?;
            let names_all = keys.names_all() && manifest.dimension.is_some();
            (graph, names_all && keys.folder.is_none())
        };
        let (graph, interface) = graph_source(graph, &keys.hints)?;
        files.texts.push(TextFiles {
            graph,
            tokenizer: Source {
                beside: merges_of(&tokenizer),
                path: tokenizer,
                built_in: None,
            },
            interface: if is_exact {
                // Reported when the graph is loaded.
                interface.ok()
            } else {
                Some(interface?)
            },
            is_exact,
        });
    }
    let mut description = describe(folder, manifest, files, chosen.precision)?;
    description.folder = Some(folder.to_path_buf());
    description.name = name;
    description.is_joint = is_joint;
    Ok(description)
}

/// The files of a model.
struct Files {
    image: Source,
    /// What the image tower's graph says itself, where that is needed.
    of_image: Option<Interface>,
    /// The first text tower's, and those of the others.
    texts: Vec<TextFiles>,
}

/// The files of a text tower.
struct TextFiles {
    graph: Source,
    tokenizer: Source,
    /// What the graph says itself.
    interface: Option<Interface>,
    /// Whether the manifest says enough that the graph is not asked for more.
    is_exact: bool,
}

impl TextFiles {
    fn asked(&self) -> Option<&Interface> {
        self.interface.as_ref().filter(|_| !self.is_exact)
    }
}

/// The path of a file that a key names.
fn inside(folder: &Path, key: &str, name: &str, hints: &Hints) -> Result<PathBuf, ModelError> {
    if !stays_inside(name) {
        let reason = "a model's files must be inside its folder";
        return Err(ModelError::invalid(&hints.file, key, name, reason));
    }
    Ok(folder.join(name))
}

/// A graph with its weight files, and what it says itself.
fn graph_source(
    path: PathBuf,
    hints: &Hints,
) -> Result<(Source, Result<Interface, ModelError>), ModelError> {
    let graph = Interface::read(&path);
    let beside = match &graph {
        Ok(graph) => weight_files(graph, &path, hints)?,
        Err(_) => Vec::new(),
    };
    let source = Source {
        path,
        beside,
        built_in: None,
    };
    Ok((source, graph))
}

/// The file of merges that belongs to a vocabulary of byte pairs.
fn merges_of(tokenizer: &Path) -> Vec<PathBuf> {
    let is_vocabulary = tokenizer
        .file_name()
        .is_some_and(|name| name == VOCABULARY_JSON);
    let merges = is_vocabulary.then(|| tokenizer.with_file_name(MERGES));
    merges.into_iter().collect()
}

/// The names of a model's files in its manifest.
struct Names {
    image: String,
    texts: Vec<TextNames>,
}

struct TextNames {
    graph: String,
    tokenizer: String,
}

fn file_names(folder: &Path, manifest: &Manifest) -> Result<Names, ModelError> {
    let image = &manifest.image;
    let mut gaps = Gaps::new(folder);
    let image = gaps.require("image.file", image.file.clone(), &image.hints);
    let mut texts = Vec::new();
    for TextKeys {
        file,
        tokenizer,
        hints,
        ..
    } in manifest.texts()
    {
        let graph = gaps.require(hints.text_key("file"), file.clone(), hints);
        let tokenizer = gaps.require(hints.text_key("tokenizer"), tokenizer.clone(), hints);
        texts.extend(
            graph
                .zip(tokenizer)
                .map(|(graph, tokenizer)| TextNames { graph, tokenizer }),
        );
    }
    match image {
        Some(image) if gaps.n() == 0 => Ok(Names { image, texts }),
        _ => Err(gaps.into_error()),
    }
}

/// The files beside a graph that hold weights of it.
fn weight_files(graph: &Interface, file: &Path, hints: &Hints) -> Result<Vec<PathBuf>, ModelError> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let path = |name: &String| {
        if stays_inside(name) {
            return Ok(folder.join(name));
        }
        let reason = "a graph's weights must be inside its folder";
        let key = "external_data.location";
        Err(ModelError::invalid(&hints.file, key, name, reason))
    };
    graph.weight_files.keys().map(path).collect()
}

/// Reports all values that are missing together.
fn describe(
    folder: &Path,
    manifest: Manifest,
    files: Files,
    precision: Precision,
) -> Result<Description, ModelError> {
    let Manifest {
        dimension,
        mut image,
        mut text,
        others,
        ..
    } = manifest;
    let of_image = files.of_image.as_ref();
    if let Some(graph) = of_image {
        complete_image(graph, &mut image);
    }
    let of_text = files.texts.first().and_then(TextFiles::asked);
    check_dimension(&image.hints.file, "dimension", dimension)?;
    let mut gaps = Gaps::new(folder);
    let Outputs {
        image: image_output,
        text: text_output,
        dimension,
    } = outputs(
        (&mut image, of_image),
        (&mut text, of_text),
        dimension,
        &mut gaps,
    )?;
    let pixels = gaps.require("image.input", image.input.take(), &image.hints);
    let image_is_part = is_part(of_image, &[&pixels]);
    let preprocess = preprocess(&image, &mut gaps)?;
    let mut texts = Vec::new();
    for (keys, files) in std::iter::once(text).chain(others).zip(files.texts) {
        let output = if texts.is_empty() {
            text_output.clone()
        } else {
            other_output(&keys, &files, dimension, &mut gaps)?
        };
        texts.push(text_tower(keys, files, output, &mut gaps)?);
    }
    let complete = || {
        let mut texts = texts.into_iter().collect::<Option<Vec<_>>>()?.into_iter();
        Some(Description {
            name: manifest.name.unwrap_or_default(),
            license: manifest.license,
            calibration: manifest.unrelated,
            dimension: dimension?,
            folder: None,
            layout: manifest.layout,
            precision,
            is_joint: false,
            preprocess: preprocess?,
            image: ImageSpec {
                source: files.image,
                input: pixels?,
                output: image_output?,
                head: HeadSpec {
                    pool: image.pool,
                    layer_norm: image.layer_norm.unwrap_or(false),
                    dense: None,
                },
                is_part: image_is_part,
            },
            text: texts.next()?,
            others: texts.collect(),
        })
    };
    complete().ok_or_else(|| gaps.into_error())
}

/// Describes a text tower whose output is known; `None` if something is missing.
fn text_tower(
    mut text: TextKeys,
    mut files: TextFiles,
    output: Option<String>,
    gaps: &mut Gaps<'_>,
) -> Result<Option<Arc<TextSpec>>, ModelError> {
    if let Some(graph) = files.asked() {
        complete_text(graph, &mut text);
    }
    let input_ids = text.input_ids.take();
    let input_ids = gaps.require(text.hints.text_key("input_ids"), input_ids, &text.hints);
    let inputs = [
        &input_ids,
        &text.attention_mask,
        &text.token_type_ids,
        &text.position_ids,
    ];
    let is_part = is_part(files.asked(), &inputs);
    files.graph.beside.append(&mut text.hints.beside);
    let tokenize = tokenize(&text, &files.tokenizer, gaps)?;
    let complete = || {
        Some(Arc::new(TextSpec {
            languages: text.languages.unwrap_or_default(),
            source: files.graph,
            input_ids: input_ids?,
            attention_mask: text.attention_mask,
            token_type_ids: text.token_type_ids,
            position_ids: text.position_ids,
            output: output?,
            head: HeadSpec {
                pool: text.pool,
                layer_norm: text.layer_norm.unwrap_or(false),
                dense: text.dense,
            },
            is_part,
            tokenizer: files.tokenizer,
            tokenize: tokenize?,
        }))
    };
    Ok(complete())
}

/// The outputs that are embeddings or become them, and the embeddings' dimension.
struct Outputs {
    image: Option<String>,
    text: Option<String>,
    dimension: Option<usize>,
}

fn outputs(
    (image, of_image): (&mut ImageKeys, Option<&Interface>),
    (text, of_text): (&mut TextKeys, Option<&Interface>),
    dimension: Option<usize>,
    gaps: &mut Gaps<'_>,
) -> Result<Outputs, ModelError> {
    let image_output = gaps.output(
        ("image.output".to_owned(), "image.pool".to_owned()),
        image.output.take(),
        (image.pool, dimension),
        of_image,
        (&image.hints, IMAGE_OUTPUTS),
    )?;
    let dense = text.dense.as_ref();
    let width = dense.map_or(dimension, |dense| Some(dense.n_in));
    let text_output = gaps.output(
        (text.hints.text_key("output"), text.hints.text_key("pool")),
        text.output.take(),
        (text.pool, width),
        of_text,
        (&text.hints, TEXT_OUTPUTS),
    )?;
    // Where no file gives the dimension, a graph's output does.
    let of = |graph: Option<&Interface>, output: &Option<String>| {
        let port = graph?.output(output.as_ref()?)?;
        port.fixed(port.rank()?.checked_sub(1)?)
    };
    let of_image = || of(of_image, &image_output);
    let of_text = || dense.map_or(of(of_text, &text_output), |dense| Some(dense.n_out));
    let mut dimension = dimension.or_else(of_image).or_else(of_text);
    // As long as no output is known, naming one may give the dimension as well.
    if image_output.is_some() || text_output.is_some() {
        dimension = gaps.require("dimension", dimension, &image.hints);
    }
    Ok(Outputs {
        image: image_output,
        text: text_output,
        dimension,
    })
}

/// The output of a text tower besides the first, whose embeddings must have as many values as the
/// others'.
fn other_output(
    text: &TextKeys,
    files: &TextFiles,
    dimension: Option<usize>,
    gaps: &mut Gaps<'_>,
) -> Result<Option<String>, ModelError> {
    let hints = &text.hints;
    let n_out = text.dense.as_ref().map(|dense| dense.n_out);
    let is_other = |n: Option<usize>| n.is_some() && dimension.is_some() && n != dimension;
    if is_other(hints.dimension) || is_other(n_out) {
        let folder = text.folder.as_deref().unwrap_or_default();
        return Err(other_dimension(hints, "folder", folder));
    }
    let width = text
        .dense
        .as_ref()
        .map_or(dimension, |dense| Some(dense.n_in));
    let output = gaps.output(
        (hints.text_key("output"), hints.text_key("pool")),
        text.output.clone(),
        (text.pool, width),
        files.asked(),
        (hints, TEXT_OUTPUTS),
    )?;
    let port = || files.interface.as_ref()?.output(output.as_ref()?);
    let last = |port: &Port| port.fixed(port.rank()?.checked_sub(1)?);
    match (port().and_then(last), width) {
        (Some(found), Some(width)) if found != width => {
            let output = output.unwrap_or_default();
            Err(other_dimension(hints, "output", output))
        }
        _ => Ok(output),
    }
}

/// Whether a graph has inputs besides these: then it holds more than one tower, and is loaded in
/// part.
fn is_part(graph: Option<&Interface>, known: &[&Option<String>]) -> bool {
    let inputs = graph.into_iter().flat_map(|graph| &graph.inputs);
    let is_known = |port: &Port| known.iter().any(|name| name.as_ref() == Some(&port.name));
    inputs.into_iter().any(|port| !is_known(port))
}

/// Takes from the image tower's graph what the files leave open.
fn complete_image(graph: &Interface, image: &mut ImageKeys) {
    let mut pixels = graph.inputs.iter().filter(|port| port.rank() == Some(4));
    if image.input.is_none()
        && let (Some(port), None) = (pixels.next(), pixels.next())
    {
        image.input = Some(port.name.clone());
    }
    let side = |port: &Port, dimension| u32::try_from(port.fixed(dimension)?).ok();
    if image.size.is_none()
        && let Some(port) = image.input.as_ref().and_then(|name| graph.input(name))
        && let (Some(height), Some(width)) = (side(port, 2), side(port, 3))
    {
        image.size = Some([height, width]);
    }
}

/// Takes from the text tower's graph what the files leave open.
fn complete_text(graph: &Interface, text: &mut TextKeys) {
    let known = |name: &str| graph.input(name).map(|port| port.name.clone());
    let fill = |given: &mut Option<String>, name: &str| {
        if given.is_none() {
            *given = known(name);
        }
    };
    fill(&mut text.input_ids, "input_ids");
    fill(&mut text.input_ids, "text");
    let mut ids = graph.inputs.iter().filter(|port| port.is_integer());
    if text.input_ids.is_none()
        && let (Some(port), None) = (ids.next(), ids.next())
    {
        text.input_ids = Some(port.name.clone());
    }
    fill(&mut text.attention_mask, "attention_mask");
    fill(&mut text.token_type_ids, "token_type_ids");
    fill(&mut text.position_ids, "position_ids");
    // A graph of fixed length needs all texts padded to it.
    let ids = text.input_ids.as_ref().and_then(|name| graph.input(name));
    if let Some(length) = ids.and_then(|port| port.fixed(1)) {
        text.pad = Some(Pad::Context);
        let given = text.context_length.unwrap_or(length);
        text.context_length = Some(given.min(length));
    }
}

/// The settings of the preprocessing; `None` if some are missing.
fn preprocess(
    image: &ImageKeys,
    gaps: &mut Gaps<'_>,
) -> Result<Option<PreprocessConfig>, ModelError> {
    let (hints, file) = (&image.hints, &image.hints.file);
    let required = (
        gaps.require("image.size", image.size, hints),
        gaps.require("image.resize", image.resize, hints),
        gaps.require("image.interpolation", image.interpolation, hints),
        gaps.require("image.mean", image.mean, hints),
        gaps.require("image.std", image.std, hints),
    );
    let (Some(size), Some(resize), Some(interpolation), Some(mean), Some(std)) = required else {
        if hints.why.is_some() {
            gaps.require("image.edge", image.edge, hints);
            gaps.require("image.rescale", image.rescale, hints);
        }
        return Ok(None);
    };
    // A processor that is not followed may do anything: nothing has its usual value.
    if hints.why.is_some() {
        let n_gaps = gaps.n();
        if !matches!(resize, ResizeKey::Squash | ResizeKey::Keep) {
            gaps.require("image.edge", image.edge, hints);
        }
        gaps.require("image.rescale", image.rescale, hints);
        if gaps.n() > n_gaps {
            return Ok(None);
        }
    }
    let [height, width] = size;
    let resize = match (resize, image.edge.or((height == width).then_some(height))) {
        (ResizeKey::Squash, _) => Resize::Squash,
        (ResizeKey::Keep, _) => Resize::Keep,
        (ResizeKey::ShortestEdge, Some(edge)) => Resize::ShortestEdge(edge),
        (ResizeKey::LongestEdge, Some(edge)) => Resize::LongestEdge(edge),
        (ResizeKey::SquashTo, Some(edge)) => Resize::SquashTo(edge),
        (_, None) => {
            let reason = "a size that is not square needs image.edge, the length to resize to";
            let size = format!("{size:?}");
            return Err(ModelError::invalid(file, "image.size", size, reason));
        }
    };
    if resize != Resize::Squash && image.crop == Some(CropKey::None) {
        let reason = "only squashed pictures have the model's size without a crop";
        return Err(ModelError::invalid(file, "image.crop", "none", reason));
    }
    let config = PreprocessConfig {
        resize,
        interpolation,
        height,
        width,
        rescale: image.rescale.unwrap_or(1.0 / 255.0),
        mean,
        std,
        channels: image.channels.unwrap_or_default(),
        fill: image.fill.unwrap_or_default(),
        rounding: image.rounding.unwrap_or_default(),
    };
    config.checked(file).map(Some)
}

/// The settings of the tokenization; `None` if some are missing.
fn tokenize(
    text: &TextKeys,
    tokenizer: &Source,
    gaps: &mut Gaps<'_>,
) -> Result<Option<TokenizeConfig>, ModelError> {
    let (hints, file) = (&text.hints, &text.hints.file);
    let n_gaps = gaps.n();
    let context_length = gaps.require(hints.text_key("context_length"), text.context_length, hints);
    let mask = text.mask.unwrap_or_default();
    let is_masked = text.attention_mask.is_some() && mask == MaskRule::Tokens;
    // A tower that sees padding gets always the same, so that a text's vector does not depend on
    // the texts beside it.
    let ignores_padding = is_masked || hints.is_causal;
    let usual = if ignores_padding {
        Pad::Longest
    } else {
        Pad::Context
    };
    let pad = text.pad.unwrap_or(usual);
    let names_pad = text.pad_token.is_some() || text.pad_id.is_some();
    if !ignores_padding && !names_pad && tokenizer.built_in.is_none() {
        // Without a tokenizer there is a clearer error.
        if tokenizer.path.is_file() && !names_padding(&tokenizer.path)? {
            let why = "no file names the padding token, and the text tower sees padding";
            gaps.add(hints.text_key("pad_token"), Some(why.to_owned()));
        }
    }
    for &key in &hints.needs {
        let is_given = match key {
            "clean" => text.clean.is_some(),
            "end_token" => text.end_token.is_some(),
            "lowercase" => text.lowercase.is_some(),
            "pad_side" => text.pad_side.is_some() || pad == Pad::Longest,
            "start_token" => text.start_token.is_some(),
            _ => false,
        };
        if !is_given {
            gaps.add(hints.text_key(key), hints.why.clone());
        }
    }
    let (Some(context_length), true) = (context_length, gaps.n() == n_gaps) else {
        return Ok(None);
    };
    // Memory grows with it, and no text tower sees more.
    if context_length > 1 << 20 {
        let (key, reason) = (
            hints.text_key("context_length"),
            "expected at most 1048576 tokens",
        );
        return Err(ModelError::invalid(file, key, context_length, reason));
    }
    let is_plain = tokenizer.path.extension().is_some_and(|end| end == "txt");
    let has_frame = text.start_token.is_some() || text.end_token.is_some();
    let token = |token: &Option<String>| token.clone().filter(|token| !token.is_empty());
    Ok(Some(TokenizeConfig {
        context_length,
        pad,
        pad_token: text.pad_token.clone(),
        pad_id: text.pad_id,
        pad_side: text.pad_side,
        truncate_side: text.truncate_side.unwrap_or_default(),
        // A plain vocabulary lowercases by default: saying so changes nothing.
        lowercase: text.lowercase.filter(|lower| !(*lower && is_plain)),
        strip_accents: text.strip_accents,
        split_chinese: text.split_chinese,
        clean: text.clean.unwrap_or_default(),
        frame: has_frame.then(|| Frame {
            start: token(&text.start_token),
            end: token(&text.end_token),
        }),
        erased_token: text.erased_token.clone(),
        mask,
        query_prefix: text.query_prefix.clone().unwrap_or_default(),
        caption_prefix: text.caption_prefix.clone().unwrap_or_default(),
    }))
}
