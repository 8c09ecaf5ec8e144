//! Hugging Face image processors: `preprocessor_config.json`, or the part of the newer
//! `processor_config.json` with the same keys. What a file leaves out has the default of the
//! processor that it names.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::files::json;
use super::keys::{Guard, Others};
use super::manifest::{CropKey, Hints, ImageKeys, ResizeKey};
use crate::error::ModelError;
use crate::preprocess::{Channels, Interpolation, Rounding};

pub(super) const PREPROCESSOR: &str = "preprocessor_config.json";
pub(super) const PROCESSOR: &str = "processor_config.json";

/// Keys of an image processor that change no value of a picture in RGB.
const HARMLESS: &[&str] = &[
    "_valid_processor_keys",
    "data_format",
    "device",
    "disable_grouping",
    "do_convert_rgb",
    "do_reduce_labels",
    "image_seq_length",
    "model_input_names",
    "processor_class",
    "return_tensors",
    "use_fast",
];
/// Keys beside the image processor in `processor_config.json`: the program that joins it with the
/// tokenizer, and chats.
const HARMLESS_BESIDE: &[&str] = &[
    "auto_map",
    "chat_template",
    "feature_extractor",
    "image_seq_length",
    "processor_class",
    "tokenizer",
];

#[derive(Deserialize)]
struct Processors {
    image_processor: Option<Processor>,
    #[serde(flatten)]
    others: Others,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Processor {
    image_processor_type: Option<String>,
    feature_extractor_type: Option<String>,
    do_resize: Option<bool>,
    size: Option<Size>,
    resample: Option<u8>,
    do_center_crop: Option<bool>,
    crop_size: Option<Size>,
    do_rescale: Option<bool>,
    rescale_factor: Option<f64>,
    do_normalize: Option<bool>,
    image_mean: Option<[f32; 3]>,
    image_std: Option<[f32; 3]>,
    do_flip_channel_order: Option<bool>,
    default_to_square: Option<bool>,
    do_pad: Option<bool>,
    auto_map: Option<Value>,
    // Keys of jina-clip.
    resize_mode: Option<String>,
    interpolation: Option<String>,
    fill_color: Option<u8>,
    mean: Option<[f32; 3]>,
    std: Option<[f32; 3]>,
    #[serde(flatten)]
    others: Others,
}

#[derive(Deserialize, Debug, Clone, Copy)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "expected a size: one or two numbers, height and width, or shortest_edge"
)]
pub(super) enum Size {
    Sides { height: u32, width: u32 },
    ShortestEdge { shortest_edge: u32 },
    Edge(u32),
    EdgeInList([u32; 1]),
    Pair([u32; 2]),
}

impl Size {
    /// The length of the shortest edge, if it is given alone.
    fn edge(self) -> Option<u32> {
        match self {
            Self::Edge(edge)
            | Self::EdgeInList([edge])
            | Self::ShortestEdge {
                shortest_edge: edge,
            } => Some(edge),
            Self::Sides { .. } | Self::Pair(_) => None,
        }
    }

    /// Height and width, of a square if one length is given.
    fn sides(self) -> [u32; 2] {
        match self {
            Self::Sides { height, width } | Self::Pair([height, width]) => [height, width],
            Self::Edge(edge)
            | Self::EdgeInList([edge])
            | Self::ShortestEdge {
                shortest_edge: edge,
            } => [edge, edge],
        }
    }
}

/// What a processor does by default.
struct Defaults {
    size: Size,
    /// Whether a single number is the side of a square rather than the shortest edge.
    is_square: bool,
    crop: Option<u32>,
    resample: u8,
    mean: [f32; 3],
    std: [f32; 3],
    normalizes: bool,
    flips: bool,
}

const CLIP_MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
const CLIP_STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];
const HALF: [f32; 3] = [0.5; 3];

const CLIP: Defaults = Defaults {
    size: Size::Edge(224),
    is_square: false,
    crop: Some(224),
    resample: 3,
    mean: CLIP_MEAN,
    std: CLIP_STD,
    normalizes: true,
    flips: false,
};

/// The supported processors by the start of their class names: `CLIPImageProcessor`,
/// `CLIPImageProcessorFast`, `CLIPImageProcessorPil` and `CLIPFeatureExtractor` are the same.
fn defaults(class: &str) -> Option<Defaults> {
    let name = ["ImageProcessor", "FeatureExtractor"]
        .iter()
        .find_map(|end| class.split_once(end))?
        .0;
    Some(match name {
        "CLIP" | "ChineseCLIP" | "Bit" => CLIP,
        "Siglip" => Defaults {
            size: Size::Edge(224),
            is_square: true,
            crop: None,
            mean: HALF,
            std: HALF,
            ..CLIP
        },
        "ViT" => Defaults {
            is_square: true,
            crop: None,
            resample: 2,
            mean: HALF,
            std: HALF,
            ..CLIP
        },
        "DeiT" => Defaults {
            size: Size::Edge(256),
            is_square: true,
            mean: HALF,
            std: HALF,
            ..CLIP
        },
        "MobileViT" => Defaults {
            crop: Some(256),
            resample: 2,
            normalizes: false,
            flips: true,
            ..CLIP
        },
        _ => return None,
    })
}

/// Reads a model's image processor. Where the file names no class, the model type decides, for the
/// types whose processor is known.
pub(super) fn read(
    folder: &Path,
    model_type: &str,
    ignored: &[String],
) -> Result<ImageKeys, ModelError> {
    let nested = nested(folder, ignored)?;
    if !folder.join(PREPROCESSOR).is_file() {
        let processor = match nested {
            Some(processor) => processor,
            None => json(folder, PREPROCESSOR)?,
        };
        return of_file(&folder.join(PROCESSOR), &processor, model_type, ignored);
    }
    let file = folder.join(PREPROCESSOR);
    let own = of_file(&file, &json(folder, PREPROCESSOR)?, model_type, ignored)?;
    // Versions of transformers differ in which of the two they read.
    if let Some(nested) = nested {
        let file = folder.join(PROCESSOR);
        if !is_same(&own, &of_file(&file, &nested, model_type, ignored)?) {
            let reason = "preprocessor_config.json says something else";
            Guard::new(&file, ignored).refuse("image_processor", "…", reason)?;
        }
    }
    Ok(own)
}

/// Whether two processors do the same.
fn is_same(a: &ImageKeys, b: &ImageKeys) -> bool {
    let steps = |keys: &ImageKeys| {
        (
            (keys.size, keys.resize, keys.edge, keys.interpolation),
            (keys.crop, keys.rounding, keys.fill, keys.rescale),
            (keys.mean, keys.std, keys.channels),
        )
    };
    steps(a) == steps(b)
}

/// What the image processor in a file does.
fn of_file(
    file: &Path,
    processor: &Processor,
    model_type: &str,
    ignored: &[String],
) -> Result<ImageKeys, ModelError> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let guard = Guard::new(file, ignored);
    let class = processor.image_processor_type.as_ref();
    let class = class.or(processor.feature_extractor_type.as_ref());
    let usual = match model_type {
        "siglip" | "siglip2" | "siglip_vision_model" => Some("SiglipImageProcessor"),
        "jina_clip" => Some("JinaCLIPImageProcessor"),
        "clip" | "clip_vision_model" => Some("CLIPImageProcessor"),
        "chinese_clip" => Some("ChineseCLIPImageProcessor"),
        _ => None,
    };
    let class = class.map(String::as_str).or(usual);
    let is_jina = class.is_some_and(|class| class.starts_with("JinaCLIP"));
    let mut why = None;
    let image = if is_jina {
        guard.check("", &processor.others, HARMLESS)?;
        check_jina(&guard, processor)?;
        of_jina(file, processor)?
    } else if let Some(defaults) = class.and_then(defaults) {
        guard.check("", &processor.others, HARMLESS)?;
        check(&guard, processor, &defaults)?;
        of_transformers(file, processor, &defaults)?
    } else {
        // It may do anything, so nothing is assumed.
        why = Some(match class {
            Some(class) => format!("{name} names the unsupported image processor {class:?}"),
            None => format!(
                "{name} names no image processor, and that of the model type {model_type:?} is \
                 unknown"
            ),
        });
        ImageKeys::default()
    };
    let hints = Hints {
        file: file.to_path_buf(),
        why,
        ..Hints::default()
    };
    Ok(ImageKeys { hints, ..image })
}

/// The image processor inside `processor_config.json`. Without a `preprocessor_config.json`, it
/// must be there.
fn nested(folder: &Path, ignored: &[String]) -> Result<Option<Processor>, ModelError> {
    if !folder.join(PROCESSOR).is_file() {
        return Ok(None);
    }
    let both: Processors = json(folder, PROCESSOR)?;
    let file = folder.join(PROCESSOR);
    Guard::new(&file, ignored).check("", &both.others, HARMLESS_BESIDE)?;
    let is_alone = !folder.join(PREPROCESSOR).is_file();
    Ok(both
        .image_processor
        .or_else(|| is_alone.then(Processor::default)))
}

/// Refuses what the processors of transformers can do and this program cannot.
fn check(guard: &Guard<'_>, processor: &Processor, defaults: &Defaults) -> Result<(), ModelError> {
    let reason = "this image processor does not do that";
    if processor.do_flip_channel_order == Some(true) && !defaults.flips {
        guard.refuse("do_flip_channel_order", true, reason)?;
    }
    if processor.do_normalize == Some(true) && !defaults.normalizes {
        guard.refuse("do_normalize", true, reason)?;
    }
    if processor.do_pad == Some(true) {
        guard.refuse("do_pad", true, "")?;
    }
    let map = processor.auto_map.as_ref();
    if let Some(program) = map.and_then(|map| map.get("AutoImageProcessor")) {
        guard.refuse(
            "auto_map",
            program,
            "the model has an image processor of its own",
        )?;
    }
    // Keys of jina-clip, which no other processor follows.
    let texts = [
        ("resize_mode", &processor.resize_mode),
        ("interpolation", &processor.interpolation),
    ];
    for (key, value) in texts {
        if let Some(value) = value {
            guard.refuse(key, value, reason)?;
        }
    }
    for (key, value) in [("mean", processor.mean), ("std", processor.std)] {
        if let Some(value) = value {
            let value = format!("{value:?}");
            guard.refuse(key, value, reason)?;
        }
    }
    if let Some(value) = processor.fill_color {
        guard.refuse("fill_color", value, reason)?;
    }
    Ok(())
}

fn of_transformers(
    file: &Path,
    from: &Processor,
    defaults: &Defaults,
) -> Result<ImageKeys, ModelError> {
    let interpolation = match from.resample.unwrap_or(defaults.resample) {
        0 => Interpolation::Nearest,
        1 => Interpolation::Lanczos,
        2 => Interpolation::Bilinear,
        3 => Interpolation::Bicubic,
        4 => Interpolation::Box,
        5 => Interpolation::Hamming,
        other => {
            let reason = "expected one of Pillow's filters, 0 to 5";
            return Err(ModelError::invalid(file, "resample", other, reason));
        }
    };
    let is_square = from.default_to_square.unwrap_or(defaults.is_square);
    let size = match from.size.unwrap_or(defaults.size) {
        Size::Edge(edge) | Size::EdgeInList([edge]) if is_square => Size::Pair([edge, edge]),
        size => size,
    };
    let crops = from.do_center_crop.unwrap_or(defaults.crop.is_some());
    let crop = from.crop_size.or(defaults.crop.map(Size::Edge));
    let crop = crop.filter(|_| crops).map(Size::sides);
    let resizes = from.do_resize.unwrap_or(true);
    let (resize, edge, size) = match (resizes, size.edge(), crop) {
        (true, Some(edge), Some(crop)) => (ResizeKey::ShortestEdge, Some(edge), crop),
        (true, None, None) => (ResizeKey::Squash, None, size.sides()),
        (true, None, Some(crop)) => match size.sides() {
            size if size == crop => (ResizeKey::Squash, None, crop),
            [edge, width] if edge == width => (ResizeKey::SquashTo, Some(edge), crop),
            [height, width] => {
                let reason = "sides that differ must equal those of crop_size";
                let size = format!("{height} × {width}");
                return Err(ModelError::invalid(file, "size", size, reason));
            }
        },
        (false, _, Some(crop)) => (ResizeKey::Keep, None, crop),
        _ => {
            let reason = "with this size and do_resize, pictures have no fixed size";
            return Err(ModelError::invalid(file, "do_center_crop", crops, reason));
        }
    };
    let normalizes = from.do_normalize.unwrap_or(defaults.normalizes);
    let rescales = from.do_rescale.unwrap_or(true);
    let factor = from.rescale_factor.unwrap_or(1.0 / 255.0);
    let flips = from.do_flip_channel_order.unwrap_or(defaults.flips);
    let scaled = |given: Option<[f32; 3]>, usual, none| {
        Some(if normalizes {
            given.unwrap_or(usual)
        } else {
            none
        })
    };
    Ok(ImageKeys {
        size: Some(size),
        resize: Some(resize),
        edge,
        interpolation: Some(interpolation),
        rescale: Some(if rescales { factor } else { 1.0 }),
        mean: scaled(from.image_mean, defaults.mean, [0.0; 3]),
        std: scaled(from.image_std, defaults.std, [1.0; 3]),
        channels: Some(if flips { Channels::Bgr } else { Channels::Rgb }),
        ..ImageKeys::default()
    })
}

/// Refuses keys of transformers that jina-clip's processor does not follow, unless they say what
/// it does anyway.
fn check_jina(guard: &Guard<'_>, from: &Processor) -> Result<(), ModelError> {
    let reason = "this image processor does not do that";
    let steps = [
        ("do_resize", from.do_resize),
        ("do_center_crop", from.do_center_crop),
        ("do_rescale", from.do_rescale),
        ("do_normalize", from.do_normalize),
    ];
    for (key, step) in steps {
        if step == Some(false) {
            guard.refuse(key, false, reason)?;
        }
    }
    for (key, step) in [
        ("do_flip_channel_order", from.do_flip_channel_order),
        ("do_pad", from.do_pad),
        ("default_to_square", from.default_to_square),
    ] {
        if step == Some(true) {
            guard.refuse(key, true, reason)?;
        }
    }
    if let Some(factor) = from
        .rescale_factor
        .filter(|f| (f * 255.0 - 1.0).abs() > 1e-6)
    {
        guard.refuse("rescale_factor", factor, reason)?;
    }
    if let Some(filter) = from.resample.filter(|filter| *filter != 3) {
        guard.refuse("resample", filter, reason)?;
    }
    let crop = from.crop_size.map(Size::sides);
    if let Some([height, width]) = crop.filter(|crop| Some(*crop) != from.size.map(Size::sides)) {
        guard.refuse("crop_size", format!("{height} × {width}"), reason)?;
    }
    Ok(())
}

/// jina-clip's processor is `open_clip`'s under other keys.
fn of_jina(file: &Path, from: &Processor) -> Result<ImageKeys, ModelError> {
    let steps = Steps {
        size: from.size,
        mode: None,
        mean: from.mean.or(from.image_mean),
        std: from.std.or(from.image_std),
        interpolation: from.interpolation.clone(),
        resize_mode: from.resize_mode.clone(),
        fill_color: from.fill_color,
        others: Others::new(),
    };
    open_clip_steps(file, &steps)
}

/// `open_clip`'s preprocessing. An unknown key might be another step.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Steps {
    pub(super) size: Option<Size>,
    mode: Option<String>,
    mean: Option<[f32; 3]>,
    std: Option<[f32; 3]>,
    interpolation: Option<String>,
    resize_mode: Option<String>,
    fill_color: Option<u8>,
    #[serde(flatten)]
    pub(super) others: Others,
}

/// Resizes, crops and normalises as `open_clip`'s transform for inference does. What is left out
/// has its default, except the size.
pub(super) fn open_clip_steps(file: &Path, steps: &Steps) -> Result<ImageKeys, ModelError> {
    if let Some(mode) = steps.mode.as_deref()
        && mode != "RGB"
    {
        let reason = "only RGB is supported";
        return Err(ModelError::invalid(file, "mode", mode, reason));
    }
    let interpolation = match steps.interpolation.as_deref().unwrap_or("bicubic") {
        // Training drew one of several at random; for inference open_clip takes bicubic.
        "bicubic" | "random" => Interpolation::Bicubic,
        "bilinear" => Interpolation::Bilinear,
        other => {
            let reason = "expected bicubic, bilinear or random";
            return Err(ModelError::invalid(file, "interpolation", other, reason));
        }
    };
    let resize = match steps.resize_mode.as_deref().unwrap_or("shortest") {
        "shortest" => ResizeKey::ShortestEdge,
        "longest" => ResizeKey::LongestEdge,
        "squash" => ResizeKey::Squash,
        other => {
            let reason = "expected shortest, longest or squash";
            return Err(ModelError::invalid(file, "resize_mode", other, reason));
        }
    };
    Ok(ImageKeys {
        size: steps.size.map(Size::sides),
        resize: Some(resize),
        interpolation: Some(interpolation),
        crop: Some(CropKey::Center),
        rounding: Some(Rounding::Torchvision),
        fill: Some([steps.fill_color.unwrap_or(0); 3]),
        mean: Some(steps.mean.unwrap_or(CLIP_MEAN)),
        std: Some(steps.std.unwrap_or(CLIP_STD)),
        ..ImageKeys::default()
    })
}
