//! The forms that real `preprocessor_config.json` files have.

use std::path::Path;

use image::RgbImage;
use serde_json::{Value, json};
use sightline_onnx::{
    Channels, Interpolation, Model, Pad, PreprocessConfig, Preprocessor, Resize, Rounding, SeenPart,
};

use crate::support::{chain, copy_of, edit};

/// A folder of the tiny CLIP whose `preprocessor_config.json` is replaced by another file.
fn with(model_type: &str, file: &str, content: &Value) -> tempfile::TempDir {
    let folder = copy_of("clip");
    let types = ("\"model_type\": \"clip\"", model_type);
    edit(
        &folder.path().join("config.json"),
        types.0,
        &format!("\"model_type\": \"{}\"", types.1),
    );
    fs_err::remove_file(folder.path().join("preprocessor_config.json")).unwrap();
    fs_err::write(folder.path().join(file), content.to_string()).unwrap();
    folder
}

fn read(folder: &Path) -> PreprocessConfig {
    let model = Model::open(folder).unwrap();
    model.preprocess().clone()
}

const CLIP_MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];

#[test]
fn every_form_of_a_processor_is_read() {
    use Interpolation::{Bicubic, Bilinear, Lanczos};
    use Resize::{Keep, ShortestEdge, Squash, SquashTo};
    let file = "preprocessor_config.json";
    let half = [0.5; 3];
    let cases = [
        // openai/clip-vit-base-patch32 for years: numbers, and the old class name.
        (
            json!({"crop_size": 32, "do_center_crop": true, "do_normalize": true, "do_resize": true,
                   "feature_extractor_type": "CLIPFeatureExtractor", "image_mean": CLIP_MEAN,
                   "image_std": [0.26, 0.26, 0.27], "resample": 3, "size": 36}),
            (ShortestEdge(36), 32, Bicubic, CLIP_MEAN),
        ),
        // The same from transformers.js.
        (
            json!({"crop_size": {"height": 32, "width": 32}, "size": {"shortest_edge": 36},
                   "feature_extractor_type": "CLIPFeatureExtractor",
                   "image_processor_type": "CLIPImageProcessor"}),
            (ShortestEdge(36), 32, Bicubic, CLIP_MEAN),
        ),
        // Nulls, as transformers 5 writes them, and keys without effect.
        (
            json!({"crop_size": {"height": 32, "width": 32}, "data_format": "channels_first",
                   "default_to_square": false, "device": null, "do_center_crop": true,
                   "do_convert_rgb": true, "do_pad": null, "image_mean": null, "resample": null,
                   "image_processor_type": "CLIPImageProcessorFast",
                   "size": {"shortest_edge": 32}}),
            (ShortestEdge(32), 32, Bicubic, CLIP_MEAN),
        ),
        // Nothing: the defaults of CLIP's processor.
        (json!({}), (ShortestEdge(224), 224, Bicubic, CLIP_MEAN)),
        // SigLIP, with the size as a dictionary, a number, a pair.
        (
            json!({"image_processor_type": "SiglipImageProcessor", "resample": 2,
                   "size": {"height": 32, "width": 32}}),
            (Squash, 32, Bilinear, half),
        ),
        (
            json!({"image_processor_type": "SiglipImageProcessor", "size": 32}),
            (Squash, 32, Bicubic, half),
        ),
        (
            json!({"image_processor_type": "SiglipImageProcessor", "size": [32, 32]}),
            (Squash, 32, Bicubic, half),
        ),
        (
            json!({"image_processor_type": "ViTFeatureExtractor", "size": 32, "resample": 1}),
            (Squash, 32, Lanczos, half),
        ),
        // Both sides to 256, then a crop: DeiT's default, and a CLIP configured so.
        (
            json!({"image_processor_type": "DeiTImageProcessor"}),
            (SquashTo(256), 224, Bicubic, half),
        ),
        (
            json!({"image_processor_type": "CLIPImageProcessor", "crop_size": 32,
                   "size": {"height": 40, "width": 40}}),
            (SquashTo(40), 32, Bicubic, CLIP_MEAN),
        ),
        (
            json!({"image_processor_type": "CLIPImageProcessor", "do_center_crop": false,
                   "size": {"height": 32, "width": 32}}),
            (Squash, 32, Bicubic, CLIP_MEAN),
        ),
        (
            json!({"image_processor_type": "CLIPImageProcessor", "do_resize": false,
                   "crop_size": 32, "do_normalize": false}),
            (Keep, 32, Bicubic, [0.0; 3]),
        ),
    ];
    for (content, (resize, side, interpolation, mean)) in &cases {
        let found = read(with("clip", file, content).path());
        assert_eq!(found.resize, *resize, "{content}");
        assert_eq!([found.height, found.width], [*side, *side], "{content}");
        assert_eq!(found.interpolation, *interpolation, "{content}");
        assert_eq!(found.mean, *mean, "{content}");
        assert!((found.rescale * 255.0 - 1.0).abs() < 1e-9, "{content}");
    }
    assert_eq!(cases.len(), 12);
}

#[test]
fn defaults_of_a_processor_depend_on_the_model() {
    // The newer file, with the processor one level down.
    let nested = json!({"processor_class": "SiglipProcessor", "image_processor": {"size": 32}});
    let folder = copy_of("layouts/siglip");
    fs_err::remove_file(folder.path().join("preprocessor_config.json")).unwrap();
    let file = folder.path().join("processor_config.json");
    fs_err::write(file, nested.to_string()).unwrap();
    let found = read(folder.path());
    assert_eq!((found.resize, found.mean), (Resize::Squash, [0.5; 3]));
    assert_eq!([found.height, found.width], [32, 32]);

    let unnamed = json!({"size": 32, "crop_size": 32});
    let found = read(with("clip", "preprocessor_config.json", &unnamed).path());
    assert_eq!(
        (found.resize, found.mean),
        (Resize::ShortestEdge(32), CLIP_MEAN)
    );

    let flipped = json!({"image_processor_type": "MobileViTImageProcessor", "size": 32,
                         "crop_size": 32, "do_rescale": false});
    let found = read(with("clip", "preprocessor_config.json", &flipped).path());
    assert_eq!((found.channels, found.mean), (Channels::Bgr, [0.0; 3]));
    assert!((found.rescale - 1.0).abs() < f64::EPSILON);
}

#[test]
fn an_unsupported_processor_says_why() {
    let cases = [
        (json!({"size": {"longest_edge": 32}}), "expected a size"),
        (json!({"size": "large"}), "expected a size"),
        (json!({"resample": 9}), "invalid resample = 9: "),
        (json!({"image_mean": [0.5]}), "invalid length 1"),
        (json!({"image_std": [0.5, 0.0, 0.5]}), "image.std"),
        (
            json!({"size": {"height": 30, "width": 40}, "crop_size": 32}),
            "invalid size = 30 × 40: ",
        ),
        (
            json!({"size": 0, "crop_size": 0}),
            "expected sides of 1 to 8192",
        ),
        (
            json!({"image_processor_type": "Siglip2ImageProcessor"}),
            "cannot determine image.resize, image.interpolation, image.mean, image.std, \
             image.edge, image.rescale",
        ),
    ];
    let mut n_cases = 0;
    for (content, expected) in &cases {
        let folder = with("clip", "preprocessor_config.json", content);
        let message = chain(&Model::open(folder.path()).unwrap_err()).join(": ");
        assert!(message.contains(expected), "{content}: {message}");
        assert!(!message.contains('\n'), "{message}");
        n_cases += 1;
    }
    assert_eq!(n_cases, 8);
}

/// `MobileCLIP`'s exports for transformers.js have the type `clip` and say nothing more.
#[test]
fn texts_are_padded_to_the_context_unless_padding_is_known_not_to_matter() {
    let folder = copy_of("layouts/mobileclip");
    assert_eq!(
        Model::open(folder.path()).unwrap().tokenize().pad,
        Pad::Context
    );
    // Even if the graph leaves the length open.
    let folder = copy_of("clip");
    assert_eq!(
        Model::open(folder.path()).unwrap().tokenize().pad,
        Pad::Longest
    );
    let config = folder.path().join("config.json");
    fs_err::write(config, "{\"model_type\": \"clip\", \"projection_dim\": 24}").unwrap();
    let model = Model::open(folder.path()).unwrap();
    assert_eq!(model.tokenize().pad, Pad::Context);
}

#[test]
fn a_squashed_picture_is_cropped() {
    let picture = RgbImage::from_fn(61, 47, |x, y| {
        let value = |n: u32| u8::try_from(n % 256).unwrap();
        image::Rgb([value(x * 7 + y), value(y * 5), value(x * y)])
    });
    let folder = copy_of("clip");
    let mut config = Model::open(folder.path()).unwrap().preprocess().clone();
    (config.resize, config.rounding) = (Resize::Squash, Rounding::Transformers);
    (config.height, config.width) = (41, 41);
    let squashed = Preprocessor::new(&config).resized(&picture);
    (config.height, config.width) = (32, 30);
    config.resize = Resize::SquashTo(41);
    let cropped = Preprocessor::new(&config).resized(&picture);
    let expected = image::imageops::crop_imm(&squashed, 5, 4, 30, 32).to_image();
    assert_eq!(cropped, expected);
}

#[test]
fn the_part_that_is_seen_is_what_the_crop_leaves() {
    let folder = copy_of("clip");
    let mut config = Model::open(folder.path()).unwrap().preprocess().clone();
    (config.height, config.width) = (32, 32);
    let part = |left, top, right, bottom| SeenPart {
        left,
        top,
        right,
        bottom,
    };
    let rows = [
        (
            Resize::ShortestEdge(32),
            (64, 32),
            part(0.25, 0.0, 0.75, 1.0),
        ),
        (
            Resize::ShortestEdge(32),
            (30, 60),
            part(0.0, 0.25, 1.0, 0.75),
        ),
        (Resize::ShortestEdge(32), (500, 500), SeenPart::WHOLE),
        (
            Resize::ShortestEdge(64),
            (10, 10),
            part(0.25, 0.25, 0.75, 0.75),
        ),
        (Resize::LongestEdge(32), (64, 32), SeenPart::WHOLE),
        (Resize::Squash, (64, 32), SeenPart::WHOLE),
        (Resize::SquashTo(64), (9, 5), part(0.25, 0.25, 0.75, 0.75)),
        (Resize::Keep, (64, 128), part(0.25, 0.375, 0.75, 0.625)),
        (Resize::Keep, (8, 8), SeenPart::WHOLE),
        (Resize::Squash, (0, 0), SeenPart::WHOLE),
    ];
    assert_eq!(rows.len(), 10);
    for (resize, (width, height), expected) in rows {
        config.resize = resize;
        let seen = Preprocessor::new(&config).seen(width, height);
        assert_eq!(seen, expected, "{resize:?} {width} × {height}");
    }
}
