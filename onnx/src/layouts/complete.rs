//! Completes a model's description: reads from the graphs what the files leave open, and reports
//! everything that is still missing.

use std::path::{Path, PathBuf};

use super::files::{check_dimension, name_of};
use super::manifest::{self, CropKey, FILE_NAME, Hints, ImageKeys, Manifest, ResizeKey, TextKeys};
use super::tokenizer::names_padding;
use super::variants;
use crate::description::{Description, ImageSpec, TextSpec};
use crate::error::ModelError;
use crate::file::interface::{Interface, Port};
use crate::file::mapped::stays_inside;
use crate::head::{HeadSpec, Pool};
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

/// Usual names of outputs with a vector for each token or patch, which are to be pooled.
const HIDDEN_OUTPUTS: &[&str] = &["last_hidden_state", "token_embeddings"];

/// Describes a model whose files are built in by its manifest, which must say everything. `file` is
/// for messages; `locate` finds a file by its name in the manifest.
pub(crate) fn describe_built_in(
    manifest: &str,
    file: &Path,
    locate: impl Fn(&str) -> Option<Source>,
) -> Result<Description, ModelError> {
    let manifest = Manifest {
        layout: "built in",
        ..manifest::parse(manifest, file)?
    };
    let source =
        |name: &str| locate(name).ok_or_else(|| ModelError::MissingFile { file: name.into() });
    let [image, text, tokenizer] = file_names(file, &manifest)?;
    let sources = [source(&image)?, source(&text)?, source(&tokenizer)?];
    let precision = manifest.precision.unwrap_or(Precision::Fp32);
    describe(file, manifest, sources, None, precision)
}

/// Describes the model in a folder by what its files say, with the graphs of one precision.
pub(super) fn describe_in(
    folder: &Path,
    manifest: Manifest,
    asked: Option<Precision>,
) -> Result<Description, ModelError> {
    let hints = (&manifest.image.hints, &manifest.text.hints);
    let locate = |key: &'static str, name: &str, hints: &Hints| {
        if !stays_inside(name) {
            let reason = "a model's files must be inside its folder";
            return Err(ModelError::invalid(&hints.file, key, name, reason));
        }
        Ok(folder.join(name))
    };
    let plain = manifest.precision.unwrap_or(Precision::Fp32);
    let [image, text, tokenizer] = file_names(folder, &manifest)?;
    let image = locate("image.file", &image, hints.0)?;
    let text = locate("text.file", &text, hints.1)?;
    let tokenizer = locate("text.tokenizer", &tokenizer, hints.1)?;
    let name = manifest.name.clone().unwrap_or_else(|| name_of(folder));
    let chosen = variants::choose(&name, &image, &text, plain, asked)?;
    // A manifest that names everything is trusted without reading the graphs. Where one graph holds
    // both towers, the inputs that feed the other tower must be known.
    let is_joint = image == text;
    let is_exact = manifest.layout == FILE_NAME && manifest.names_all();
    let graphs = [
        Interface::read(&chosen.image),
        Interface::read(&chosen.text),
    ];
    let source = |graph: &Result<Interface, ModelError>, path: PathBuf, hints| {
        let beside = match graph {
            Ok(graph) => weight_files(graph, &path, hints)?,
            // Reported below, or when the graph is loaded.
            Err(_) => Vec::new(),
        };
        Ok(Source {
            path,
            beside,
            built_in: None,
        })
    };
    let sources = [
        source(&graphs[0], chosen.image, hints.0)?,
        source(&graphs[1], chosen.text, hints.1)?,
        Source {
            beside: merges_of(&tokenizer),
            path: tokenizer,
            built_in: None,
        },
    ];
    let [of_image, of_text] = graphs;
    let graphs = if is_exact && !is_joint {
        None
    } else {
        Some((of_image?, of_text?))
    };
    let mut description = describe(folder, manifest, sources, graphs, chosen.precision)?;
    description.folder = Some(folder.to_path_buf());
    description.name = name;
    description.is_joint = is_joint;
    Ok(description)
}

/// The file of merges that belongs to a vocabulary of byte pairs.
fn merges_of(tokenizer: &Path) -> Vec<PathBuf> {
    let is_vocabulary = tokenizer
        .file_name()
        .is_some_and(|name| name == VOCABULARY_JSON);
    let merges = is_vocabulary.then(|| tokenizer.with_file_name(MERGES));
    merges.into_iter().collect()
}

/// Names of the image tower's graph, the text tower's graph and the tokenizer.
fn file_names(folder: &Path, manifest: &Manifest) -> Result<[String; 3], ModelError> {
    let Manifest { image, text, .. } = manifest;
    let mut gaps = Gaps::new(folder);
    let names = (
        gaps.require("image.file", image.file.clone(), &image.hints),
        gaps.require("text.file", text.file.clone(), &text.hints),
        gaps.require("text.tokenizer", text.tokenizer.clone(), &text.hints),
    );
    let (Some(image), Some(text), Some(tokenizer)) = names else {
        return Err(gaps.into_error());
    };
    Ok([image, text, tokenizer])
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

/// Collects the keys that have no value, so that they are reported together.
struct Gaps<'a> {
    folder: &'a Path,
    keys: Vec<&'static str>,
    whys: Vec<String>,
}

impl<'a> Gaps<'a> {
    fn new(folder: &'a Path) -> Self {
        Self {
            folder,
            keys: Vec::new(),
            whys: Vec::new(),
        }
    }

    fn require<T>(&mut self, key: &'static str, value: Option<T>, hints: &Hints) -> Option<T> {
        if value.is_none() {
            self.add(key, hints.why.clone());
        }
        value
    }

    /// The output that is the embedding or is pooled to it. `keys` are those of the output and of
    /// its pooling, `width` the length of its last dimension.
    fn output(
        &mut self,
        keys: (&'static str, &'static str),
        given: Option<String>,
        (pool, width): (Option<Pool>, Option<usize>),
        graph: Option<&Interface>,
        (hints, usual): (&Hints, &[&str]),
    ) -> Result<Option<String>, ModelError> {
        let Some(graph) = graph else {
            return Ok(self.require(keys.0, given, hints));
        };
        let hidden: &[&str] = if pool.is_some() { HIDDEN_OUTPUTS } else { &[] };
        let found = match given {
            Some(name) => Ok(name),
            None => output(graph, &[hints.outputs, usual, hidden], pool, width),
        };
        let name = match found {
            Ok(name) => name,
            Err(_) if output(graph, &[hints.outputs, usual, hidden], pool, None).is_ok() => {
                let reason = "this tower's embeddings have another number of values: its other \
                              tower belongs to another model";
                let width = width.unwrap_or_default();
                return Err(ModelError::invalid(&hints.file, "dimension", width, reason));
            }
            Err(why) => {
                // Where every token has a vector of its own and nothing else is returned, the way
                // of pooling is what is missing.
                let is_hidden = |port: &Port| port.rank() == Some(3);
                let has_hidden = graph.outputs.iter().any(is_hidden);
                let has_rows = graph.outputs.iter().any(|port| port.rank() == Some(2));
                let is_open = pool.is_none() && has_hidden && !has_rows;
                let key = if is_open { keys.1 } else { keys.0 };
                self.add(key, Some(why));
                return Ok(None);
            }
        };
        match (graph.output(&name).and_then(Port::rank), pool) {
            (Some(3), None) => {
                let why = format!("the output {name} has a vector for each token or patch");
                self.add(keys.1, Some(why));
                Ok(None)
            }
            (Some(2), Some(pool)) => {
                let reason = "the graph's output is pooled already";
                Err(ModelError::invalid(
                    &hints.file,
                    keys.1,
                    format!("{pool:?}"),
                    reason,
                ))
            }
            _ => Ok(Some(name)),
        }
    }

    fn add(&mut self, key: &'static str, why: Option<String>) {
        self.keys.push(key);
        self.whys.extend(why.filter(|why| !self.whys.contains(why)));
    }

    fn into_error(self) -> ModelError {
        ModelError::Unknown {
            folder: self.folder.to_path_buf(),
            keys: self.keys,
            why: self.whys.join("; "),
        }
    }
}

/// Reports all values that are missing together. `graphs` are the image tower's and the text
/// tower's, where what they say themselves is needed.
fn describe(
    folder: &Path,
    manifest: Manifest,
    [image_source, mut text_source, tokenizer]: [Source; 3],
    graphs: Option<(Interface, Interface)>,
    precision: Precision,
) -> Result<Description, ModelError> {
    let Manifest {
        dimension,
        mut image,
        mut text,
        ..
    } = manifest;
    let (of_image, of_text) = graphs.unzip();
    if let Some(graph) = &of_image {
        complete_image(graph, &mut image);
    }
    if let Some(graph) = &of_text {
        complete_text(graph, &mut text);
    }
    check_dimension(&image.hints.file, "dimension", dimension)?;
    let mut gaps = Gaps::new(folder);
    let Outputs {
        image: image_output,
        text: text_output,
        dimension,
    } = outputs(
        (&mut image, of_image.as_ref()),
        (&mut text, of_text.as_ref()),
        dimension,
        &mut gaps,
    )?;
    let pixels = gaps.require("image.input", image.input.take(), &image.hints);
    let input_ids = gaps.require("text.input_ids", text.input_ids.take(), &text.hints);
    let image_is_part = is_part(of_image.as_ref(), &[&pixels]);
    let text_inputs = [
        &input_ids,
        &text.attention_mask,
        &text.token_type_ids,
        &text.position_ids,
    ];
    let text_is_part = is_part(of_text.as_ref(), &text_inputs);
    text_source.beside.append(&mut text.hints.beside);
    let preprocess = preprocess(&image, &mut gaps)?;
    let tokenize = tokenize(&text, &tokenizer, &mut gaps)?;
    let complete = || {
        Some(Description {
            name: manifest.name.unwrap_or_default(),
            license: manifest.license,
            dimension: dimension?,
            folder: None,
            layout: manifest.layout,
            precision,
            is_joint: false,
            preprocess: preprocess?,
            image: ImageSpec {
                source: image_source,
                input: pixels?,
                output: image_output?,
                head: HeadSpec {
                    pool: image.pool,
                    layer_norm: image.layer_norm.unwrap_or(false),
                    dense: None,
                },
                is_part: image_is_part,
            },
            text: TextSpec {
                source: text_source,
                input_ids: input_ids?,
                attention_mask: text.attention_mask,
                token_type_ids: text.token_type_ids,
                position_ids: text.position_ids,
                output: text_output?,
                head: HeadSpec {
                    pool: text.pool,
                    layer_norm: text.layer_norm.unwrap_or(false),
                    dense: text.dense,
                },
                is_part: text_is_part,
                tokenizer,
                tokenize: tokenize?,
            },
        })
    };
    complete().ok_or_else(|| gaps.into_error())
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
        ("image.output", "image.pool"),
        image.output.take(),
        (image.pool, dimension),
        of_image,
        (&image.hints, IMAGE_OUTPUTS),
    )?;
    let dense = text.dense.as_ref();
    let width = dense.map_or(dimension, |dense| Some(dense.n_in));
    let text_output = gaps.output(
        ("text.output", "text.pool"),
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

/// The output that is the embedding, or that is pooled to it: one of the candidate names, else the
/// only output of shape `[batch, width]`, or `[batch, n_tokens, width]` to be pooled. The error
/// says why there is none.
fn output(
    graph: &Interface,
    candidates: &[&[&str]],
    pool: Option<Pool>,
    width: Option<usize>,
) -> Result<String, String> {
    let wanted = if pool.is_some() { 3 } else { 2 };
    let fits = |port: &Port| {
        let length = port.fixed(wanted - 1);
        port.is_float()
            && port.rank().is_none_or(|rank| rank == wanted)
            && (length.is_none() || width.is_none() || length == width)
    };
    let named = candidates.iter().copied().flatten();
    let mut named = named.filter_map(|name| graph.output(name));
    if let Some(port) = named.find(|port| fits(port)) {
        return Ok(port.name.clone());
    }
    // Taken before the projection, or of both towers together: of the right shape only by chance.
    let is_other = |port: &Port| port.name == "pooler_output" || port.name.starts_with("logits");
    let mut others = graph
        .outputs
        .iter()
        .filter(|port| port.rank() == Some(wanted) && fits(port) && !is_other(port));
    if let (Some(port), None) = (others.next(), others.next()) {
        return Ok(port.name.clone());
    }
    let shown = |port: &Port| {
        let length = port
            .rank()
            .and_then(|rank| port.fixed(rank.checked_sub(1)?));
        match (length, width) {
            (Some(length), Some(width)) if length != width => {
                format!("{} ({length} values, not {width})", port.name)
            }
            _ => port.name.clone(),
        }
    };
    let all: Vec<String> = graph.outputs.iter().map(shown).collect();
    Err(format!("the graph's outputs are {}", all.join(", ")))
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
        let n_gaps = gaps.keys.len();
        if !matches!(resize, ResizeKey::Squash | ResizeKey::Keep) {
            gaps.require("image.edge", image.edge, hints);
        }
        gaps.require("image.rescale", image.rescale, hints);
        if gaps.keys.len() > n_gaps {
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
    let n_gaps = gaps.keys.len();
    let context_length = gaps.require("text.context_length", text.context_length, hints);
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
            gaps.add("text.pad_token", Some(why.to_owned()));
        }
    }
    for &key in &hints.needs {
        let is_given = match key {
            "text.clean" => text.clean.is_some(),
            "text.end_token" => text.end_token.is_some(),
            "text.lowercase" => text.lowercase.is_some(),
            "text.pad_side" => text.pad_side.is_some() || pad == Pad::Longest,
            "text.start_token" => text.start_token.is_some(),
            _ => false,
        };
        if !is_given {
            gaps.add(key, hints.why.clone());
        }
    }
    let (Some(context_length), true) = (context_length, gaps.keys.len() == n_gaps) else {
        return Ok(None);
    };
    // Memory grows with it, and no text tower sees more.
    if context_length > 1 << 20 {
        let (key, reason) = ("text.context_length", "expected at most 1048576 tokens");
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
