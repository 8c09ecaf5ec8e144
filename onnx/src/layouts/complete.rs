//! What is still missing in a model's description, and can its graphs tell?

use std::path::{Component, Path, PathBuf};

use super::graph::{Graph, Port};
use super::{Found, name_of};
use crate::error::ModelError;
use crate::manifest::{CropKey, FILE_NAME, Hints, Image, Manifest, ResizeKey, Text};
use crate::model::{Description, ImageTower, TextTower, Unused};
use crate::precision::Precision;
use crate::preprocess::{PreprocessConfig, Resize};
use crate::source::Source;
use crate::tokenize::{Frame, Pad, TokenizeConfig};

/// Names of embeddings among the outputs, the likeliest first: where no layout knows better.
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

/// Completes the description of a model whose files are built in; it must say everything.
pub(crate) fn complete_built_in(
    manifest: Manifest,
    file: &Path,
    locate: impl Fn(&str) -> Option<Source>,
) -> Result<Description, ModelError> {
    let unsaid = Unsaid { folder: file };
    let source = |key, name: Option<String>| {
        let name = unsaid.told(key, name, &Hints::default())?;
        locate(&name).ok_or_else(|| ModelError::MissingFile { file: name.into() })
    };
    let sources = [
        source("image.file", manifest.image.file.clone())?,
        source("text.file", manifest.text.file.clone())?,
        source("text.tokenizer", manifest.text.tokenizer.clone())?,
    ];
    let precision = manifest.precision.unwrap_or(Precision::Fp32);
    describe(
        Found {
            manifest,
            layout: "built in",
        },
        &unsaid,
        sources,
        &Towers::default(),
        precision,
    )
}

/// Completes the description of the model in a folder, with the graphs of one precision.
pub(crate) fn complete_in(
    folder: &Path,
    found: Found,
    asked: Option<Precision>,
) -> Result<Description, ModelError> {
    let unsaid = Unsaid { folder };
    let hints = (&found.manifest.image.hints, &found.manifest.text.hints);
    let locate = |key: &'static str, name: &Option<String>, hints: &Hints| {
        let name = unsaid.told(key, name.clone(), hints)?;
        if !stays_inside(&name) {
            let reason = "a model's files must lie in its folder";
            return Err(unsaid.value(hints, key, &name, reason));
        }
        Ok(folder.join(name))
    };
    let plain = found.manifest.precision.unwrap_or(Precision::Fp32);
    let image = locate("image.file", &found.manifest.image.file, hints.0)?;
    let text = locate("text.file", &found.manifest.text.file, hints.1)?;
    let tokenizer = locate("text.tokenizer", &found.manifest.text.tokenizer, hints.1)?;
    let name = found.manifest.name.clone();
    let name = name.unwrap_or_else(|| name_of(folder));
    let chosen = crate::precision::choose(&name, &image, &text, plain, asked)?;
    // A manifest that names everything is taken at its word, and its graphs are not looked into.
    // Where both towers are in one graph, the inputs that feed the other tower must be known.
    let is_joint = image == text;
    let is_exact = found.layout == FILE_NAME && found.manifest.names_all();
    let graphs = [Graph::read(&chosen.image), Graph::read(&chosen.text)];
    let beside = |graph: &Result<Graph, ModelError>, file: &Path, hints| match graph {
        Ok(graph) => beside(graph, file, hints, &unsaid),
        // Told below, or when it is loaded.
        Err(_) => Ok(Vec::new()),
    };
    let sources = [
        Source::File {
            beside: beside(&graphs[0], &chosen.image, hints.0)?,
            path: chosen.image,
        },
        Source::File {
            beside: beside(&graphs[1], &chosen.text, hints.1)?,
            path: chosen.text,
        },
        Source::File {
            path: tokenizer,
            beside: Vec::new(),
        },
    ];
    let towers = if is_exact && !is_joint {
        Towers::default()
    } else {
        let [image, text] = graphs;
        Towers {
            image: Some(image?),
            text: Some(text?),
            is_joint,
        }
    };
    let mut description = describe(found, &unsaid, sources, &towers, chosen.precision)?;
    description.folder = Some(folder.to_path_buf());
    description.name = name;
    Ok(description)
}

/// The files beside a graph that hold weights of it.
fn beside(
    graph: &Graph,
    file: &Path,
    hints: &Hints,
    unsaid: &Unsaid<'_>,
) -> Result<Vec<PathBuf>, ModelError> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let path = |name: &String| {
        if stays_inside(name) {
            return Ok(folder.join(name));
        }
        let reason = "the weights of a graph must lie in its folder";
        Err(unsaid.value(hints, "external_data.location", name, reason))
    };
    graph.beside.iter().map(path).collect()
}

/// Whether a relative path leads out of no folder.
fn stays_inside(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    !name.is_empty() && parts.all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

/// What the graphs say of themselves, where it matters.
#[derive(Default)]
struct Towers {
    image: Option<Graph>,
    text: Option<Graph>,
    is_joint: bool,
}

/// Asks for what nobody says of the model in a folder.
struct Unsaid<'a> {
    folder: &'a Path,
}

impl Unsaid<'_> {
    fn told<T>(&self, key: &'static str, value: Option<T>, hints: &Hints) -> Result<T, ModelError> {
        value.ok_or_else(|| self.unknown(key, hints.why.clone().unwrap_or_default()))
    }

    fn unknown(&self, key: &'static str, why: String) -> ModelError {
        ModelError::Unknown {
            folder: self.folder.to_path_buf(),
            keys: vec![key],
            why,
        }
    }

    /// Fails with all of these keys that are not said.
    fn all_told(&self, hints: &Hints, said: &[(&'static str, bool)]) -> Result<(), ModelError> {
        let missing = said.iter().filter(|(_, is_said)| !is_said);
        let keys: Vec<_> = missing.map(|(key, _)| *key).collect();
        if keys.is_empty() {
            return Ok(());
        }
        Err(ModelError::Unknown {
            folder: self.folder.to_path_buf(),
            keys,
            why: hints.why.clone().unwrap_or_default(),
        })
    }

    fn value(
        &self,
        hints: &Hints,
        key: &'static str,
        value: &dyn ToString,
        reason: &'static str,
    ) -> ModelError {
        ModelError::Value {
            file: hints.file.clone().unwrap_or_else(|| self.folder.into()),
            key,
            value: value.to_string(),
            reason,
        }
    }
}

/// Everything that nobody says, so that it is asked for at once and not piece by piece.
#[derive(Default)]
struct Gaps {
    keys: Vec<&'static str>,
    whys: Vec<String>,
}

impl Gaps {
    fn take<T>(&mut self, found: Result<T, ModelError>) -> Result<Option<T>, ModelError> {
        match found {
            Ok(value) => Ok(Some(value)),
            Err(ModelError::Unknown { keys, why, .. }) => {
                self.keys.extend(keys);
                if !why.is_empty() && !self.whys.contains(&why) {
                    self.whys.push(why);
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn into_error(self, folder: &Path) -> ModelError {
        ModelError::Unknown {
            folder: folder.to_path_buf(),
            keys: self.keys,
            why: self.whys.join("; "),
        }
    }
}

#[expect(
    clippy::too_many_lines,
    reason = "it takes one value after the other, so that all that are missing are told at once"
)]
fn describe(
    found: Found,
    unsaid: &Unsaid<'_>,
    [image_source, text_source, tokenizer]: [Source; 3],
    towers: &Towers,
    precision: Precision,
) -> Result<Description, ModelError> {
    let Manifest {
        name,
        dimension,
        license,
        precision: _,
        mut image,
        mut text,
    } = found.manifest;
    if let Some(graph) = &towers.image {
        look_into_image(graph, &mut image);
    }
    if let Some(graph) = &towers.text {
        look_into_text(graph, &mut text);
    }
    if let Some(found) = dimension
        && !(1..=65_536).contains(&found)
    {
        let reason = "it must be 1 to 65536";
        return Err(unsaid.value(&image.hints, "dimension", &found, reason));
    }
    let embedding = |key, given: Option<String>, graph: &Option<Graph>, hints: &Hints, usual| match (
        given, graph,
    ) {
        (None, Some(graph)) => output(graph, &[hints.outputs, usual], dimension)
            .map_err(|why| unsaid.unknown(key, why)),
        (given, _) => unsaid.told(key, given, hints),
    };
    let given = (image.output.take(), text.output.take());
    let (of_image, of_text) = (&towers.image, &towers.text);
    let mut gaps = Gaps::default();
    let image_output = gaps.take(embedding(
        "image.output",
        given.0,
        of_image,
        &image.hints,
        IMAGE_OUTPUTS,
    ))?;
    let text_output = gaps.take(embedding(
        "text.output",
        given.1,
        of_text,
        &text.hints,
        TEXT_OUTPUTS,
    ))?;
    let pixels = gaps.take(unsaid.told("image.input", image.input.take(), &image.hints))?;
    let input_ids = gaps.take(unsaid.told("text.input_ids", text.input_ids.take(), &text.hints))?;
    // Where no file tells it, a graph's output does.
    let of = |graph: &Option<Graph>, output: &Option<String>| {
        graph.as_ref()?.output(output.as_ref()?)?.fixed(1)
    };
    let dimension = dimension
        .or_else(|| of(&towers.image, &image_output))
        .or_else(|| of(&towers.text, &text_output));
    // Who names the outputs need not count their values too.
    let dimension = if image_output.is_some() || text_output.is_some() {
        gaps.take(unsaid.told("dimension", dimension, &image.hints))?
    } else {
        dimension
    };
    let preprocess = gaps.take(preprocess(&image, unsaid))?;
    let tokenize = gaps.take(tokenize(&text, unsaid))?;
    let (
        Some(image_output),
        Some(text_output),
        Some(pixels),
        Some(input_ids),
        Some(dimension),
        Some(preprocess),
        Some(tokenize),
    ) = (
        image_output,
        text_output,
        pixels,
        input_ids,
        dimension,
        preprocess,
        tokenize,
    )
    else {
        return Err(gaps.into_error(unsaid.folder));
    };
    let (unused_texts, unused_pixels) = if towers.is_joint {
        let pixels = Unused::Pixels(pixels.clone(), preprocess.height, preprocess.width);
        (unused_texts(&input_ids, &text), pixels)
    } else {
        (Unused::None, Unused::None)
    };
    Ok(Description {
        name: name.unwrap_or_default(),
        license,
        dimension,
        folder: None,
        layout: found.layout,
        precision,
        preprocess,
        image: ImageTower {
            source: image_source,
            input: pixels,
            output: image_output,
            unused: unused_texts,
        },
        text: TextTower {
            source: text_source,
            input_ids,
            attention_mask: text.attention_mask,
            token_type_ids: text.token_type_ids,
            position_ids: text.position_ids,
            output: text_output,
            unused: unused_pixels,
            tokenizer,
            tokenize,
        },
    })
}

/// The inputs for texts of a graph that holds both towers.
fn unused_texts(input_ids: &str, text: &Text) -> Unused {
    let others = [
        &text.attention_mask,
        &text.token_type_ids,
        &text.position_ids,
    ];
    let others = others.into_iter().flatten().cloned();
    Unused::Texts(
        std::iter::once(input_ids.to_owned())
            .chain(others)
            .collect(),
    )
}

/// Takes from the image tower's graph what the files leave open.
fn look_into_image(graph: &Graph, image: &mut Image) {
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
fn look_into_text(graph: &Graph, text: &mut Text) {
    let known = |name: &str| graph.input(name).map(|port| port.name.clone());
    let extra = |given: &mut Option<String>, name: &str| {
        if given.is_none() {
            *given = known(name);
        }
    };
    extra(&mut text.input_ids, "input_ids");
    extra(&mut text.input_ids, "text");
    let mut ids = graph.inputs.iter().filter(|port| port.is_integer());
    if text.input_ids.is_none()
        && let (Some(port), None) = (ids.next(), ids.next())
    {
        text.input_ids = Some(port.name.clone());
    }
    extra(&mut text.attention_mask, "attention_mask");
    extra(&mut text.token_type_ids, "token_type_ids");
    extra(&mut text.position_ids, "position_ids");
    // A graph of fixed length wants all texts filled up to it.
    let ids = text.input_ids.as_ref().and_then(|name| graph.input(name));
    if let Some(length) = ids.and_then(|port| port.fixed(1)) {
        text.pad = Some(Pad::Context);
        let told = text.context_length.unwrap_or(length);
        text.context_length = Some(told.min(length));
    }
    // Padding that is masked does no harm.
    if text.pad.is_none() && text.attention_mask.is_some() {
        text.pad = Some(Pad::Longest);
    }
}

/// The output that is the embedding: one that has such a name, else the only one of the shape
/// `[batch, dimension]`. The error says why there is none.
fn output(
    graph: &Graph,
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
    // Before the projection, or of both towers at once: of the right shape by chance at most.
    let is_other = |port: &Port| port.name == "pooler_output" || port.name.starts_with("logits");
    let mut others = graph.outputs.iter();
    let mut others = others
        .by_ref()
        .filter(|port| port.rank() == Some(2) && fits(port) && !is_other(port));
    if let (Some(port), None) = (others.next(), others.next()) {
        return Ok(port.name.clone());
    }
    let all: Vec<&str> = graph.outputs.iter().map(|p| p.name.as_str()).collect();
    Err(format!("the graph's outputs are {}", all.join(", ")))
}

fn preprocess(image: &Image, unsaid: &Unsaid<'_>) -> Result<PreprocessConfig, ModelError> {
    let hints = &image.hints;
    unsaid.all_told(
        hints,
        &[
            ("image.size", image.size.is_some()),
            ("image.resize", image.resize.is_some()),
            ("image.interpolation", image.interpolation.is_some()),
            ("image.mean", image.mean.is_some()),
            ("image.std", image.std.is_some()),
        ],
    )?;
    let wrong = |key, value: String, reason| Err(unsaid.value(hints, key, &value, reason));
    let size = unsaid.told("image.size", image.size, hints)?;
    let [height, width] = size;
    let edge = match image.edge {
        Some(edge) => edge,
        None if height == width => height,
        None => 0,
    };
    let resize = match unsaid.told("image.resize", image.resize, hints)? {
        ResizeKey::ShortestEdge => Resize::ShortestEdge(edge),
        ResizeKey::LongestEdge => Resize::LongestEdge(edge),
        ResizeKey::Squash => Resize::Squash,
        ResizeKey::SquashTo => Resize::SquashTo(edge),
        ResizeKey::Keep => Resize::Keep,
    };
    let needs_edge = !matches!(resize, Resize::Squash | Resize::Keep);
    if needs_edge && image.edge.is_none() && height != width {
        let reason = "a size that is not square needs image.edge, the length to resize to";
        return wrong("image.size", format!("{size:?}"), reason);
    }
    if resize != Resize::Squash && image.crop == Some(CropKey::None) {
        let reason = "only squashed pictures have the model's size without a crop";
        return wrong("image.crop", "none".to_owned(), reason);
    }
    let file = hints.file.clone().unwrap_or_else(|| unsaid.folder.into());
    PreprocessConfig {
        resize,
        interpolation: unsaid.told("image.interpolation", image.interpolation, hints)?,
        height,
        width,
        rescale: image.rescale.unwrap_or(1.0 / 255.0),
        mean: unsaid.told("image.mean", image.mean, hints)?,
        std: unsaid.told("image.std", image.std, hints)?,
        channels: image.channels.unwrap_or_default(),
        fill: image.fill.unwrap_or_default(),
        rounding: image.rounding.unwrap_or_default(),
    }
    .checked(&file)
}

fn tokenize(text: &Text, unsaid: &Unsaid<'_>) -> Result<TokenizeConfig, ModelError> {
    let hints = &text.hints;
    unsaid.all_told(
        hints,
        &[
            ("text.context_length", text.context_length.is_some()),
            ("text.pad", text.pad.is_some()),
        ],
    )?;
    let context_length = unsaid.told("text.context_length", text.context_length, hints)?;
    // Memory grows with it, and no text tower sees more.
    if context_length > 1 << 20 {
        let reason = "it must be at most 1048576 tokens";
        return Err(unsaid.value(hints, "text.context_length", &context_length, reason));
    }
    let frame = Frame {
        start: text.start_token.clone(),
        end: text.end_token.clone(),
    };
    Ok(TokenizeConfig {
        context_length,
        pad: unsaid.told("text.pad", text.pad, hints)?,
        pad_token: text.pad_token.clone(),
        pad_id: text.pad_id,
        clean: text.clean.unwrap_or_default(),
        frame: (frame != Frame::default()).then_some(frame),
        mask: text.mask.unwrap_or_default(),
    })
}
