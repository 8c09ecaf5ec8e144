//! Completes a model's description: reads from the graphs what the files leave open, and reports
//! everything that is still missing.

use std::path::{Path, PathBuf};

use super::files::{check_dimension, name_of};
use super::manifest::{self, CropKey, FILE_NAME, Hints, ImageKeys, Manifest, ResizeKey, TextKeys};
use super::variants;
use crate::description::{Description, ImageSpec, TextSpec};
use crate::error::ModelError;
use crate::file::interface::{Interface, Port};
use crate::file::mapped::stays_inside;
use crate::precision::Precision;
use crate::preprocess::{PreprocessConfig, Resize};
use crate::source::Source;
use crate::tokenize::{Frame, Pad, TokenizeConfig};

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
            path: tokenizer,
            beside: Vec::new(),
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
    [image_source, text_source, tokenizer]: [Source; 3],
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
    let mut embedding =
        |key, given: Option<String>, graph: &Option<Interface>, hints: &Hints, usual| {
            let (None, Some(graph)) = (&given, graph) else {
                return gaps.require(key, given, hints);
            };
            let found = output(graph, &[hints.outputs, usual], dimension);
            found.map_err(|why| gaps.add(key, Some(why))).ok()
        };
    let given = (image.output.take(), text.output.take());
    let image_output = embedding(
        "image.output",
        given.0,
        &of_image,
        &image.hints,
        IMAGE_OUTPUTS,
    );
    let text_output = embedding("text.output", given.1, &of_text, &text.hints, TEXT_OUTPUTS);
    let pixels = gaps.require("image.input", image.input.take(), &image.hints);
    let input_ids = gaps.require("text.input_ids", text.input_ids.take(), &text.hints);
    // Where no file gives the dimension, a graph's output does.
    let of = |graph: &Option<Interface>, output: &Option<String>| {
        graph.as_ref()?.output(output.as_ref()?)?.fixed(1)
    };
    let mut dimension = dimension
        .or_else(|| of(&of_image, &image_output))
        .or_else(|| of(&of_text, &text_output));
    // As long as no output is known, naming one may give the dimension as well.
    if image_output.is_some() || text_output.is_some() {
        dimension = gaps.require("dimension", dimension, &image.hints);
    }
    let preprocess = preprocess(&image, &mut gaps)?;
    let tokenize = tokenize(&text, &mut gaps)?;
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
            },
            text: TextSpec {
                source: text_source,
                input_ids: input_ids?,
                attention_mask: text.attention_mask,
                token_type_ids: text.token_type_ids,
                position_ids: text.position_ids,
                output: text_output?,
                tokenizer,
                tokenize: tokenize?,
            },
        })
    };
    complete().ok_or_else(|| gaps.into_error())
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
    // Masked padding changes nothing.
    if text.pad.is_none() && text.attention_mask.is_some() {
        text.pad = Some(Pad::Longest);
    }
}

/// The output that is the embedding: one of the candidate names, else the only output of shape
/// `[batch, dimension]`. The error says why there is none.
fn output(
    graph: &Interface,
    candidates: &[&[&str]],
    dimension: Option<usize>,
) -> Result<String, String> {
    let fits = |port: &Port| {
        let length = port.fixed(1);
        port.is_float()
            && port.rank().is_none_or(|rank| rank == 2)
            && (length.is_none() || dimension.is_none() || length == dimension)
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
        .filter(|port| port.rank() == Some(2) && fits(port) && !is_other(port));
    if let (Some(port), None) = (others.next(), others.next()) {
        return Ok(port.name.clone());
    }
    let all: Vec<&str> = graph.outputs.iter().map(|p| p.name.as_str()).collect();
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
        return Ok(None);
    };
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
fn tokenize(text: &TextKeys, gaps: &mut Gaps<'_>) -> Result<Option<TokenizeConfig>, ModelError> {
    let (hints, file) = (&text.hints, &text.hints.file);
    let required = (
        gaps.require("text.context_length", text.context_length, hints),
        gaps.require("text.pad", text.pad, hints),
    );
    let (Some(context_length), Some(pad)) = required else {
        return Ok(None);
    };
    // Memory grows with it, and no text tower sees more.
    if context_length > 1 << 20 {
        let (key, reason) = ("text.context_length", "expected at most 1048576 tokens");
        return Err(ModelError::invalid(file, key, context_length, reason));
    }
    let frame = Frame {
        start: text.start_token.clone(),
        end: text.end_token.clone(),
    };
    Ok(Some(TokenizeConfig {
        context_length,
        pad,
        pad_token: text.pad_token.clone(),
        pad_id: text.pad_id,
        lowercase: text.lowercase.unwrap_or(true),
        clean: text.clean.unwrap_or_default(),
        frame: (frame != Frame::default()).then_some(frame),
        mask: text.mask.unwrap_or_default(),
    }))
}
