use image::RgbImage;
use sightline_onnx::{ImageTower, Model, SessionOptions};
use sightline_picture::DecodeLimits;

use crate::support::{Tensors, copy_of, cosine, data, edit, runtime, sample_pictures};

/// Tolerance of a picture's golden values, in steps of 255: decoders of lossy formats round the
/// cosine transform and the colour conversion differently; others are exact except for compositing
/// transparent pixels and converting inks.
fn decode_tolerance(name: &str) -> u8 {
    let is_lossy = name.contains(".jpg") && name != "png_named_jpg.jpg" || name == "lossy.webp";
    if is_lossy { 3 } else { 1 }
}

fn golden() -> (serde_json::Value, Tensors) {
    let listing = fs_err::read_to_string(data().join("golden.json")).unwrap();
    let tensors = Tensors::read(&data().join("golden.safetensors"));
    (serde_json::from_str(&listing).unwrap(), tensors)
}

/// A golden picture by its name in the listings.
pub(crate) fn decoded(name: &str) -> RgbImage {
    if name == FORMULA {
        return formula(4000, 3000);
    }
    let bytes = fs_err::read(sample_pictures().join(name)).unwrap();
    sightline_picture::decode(&bytes, &DecodeLimits::default())
        .unwrap_or_else(|e| panic!("{name}: {e}"))
}

const FORMULA: &str = "formula 4000 x 3000";

/// A picture by a formula that `make_golden.py` uses too.
fn formula(width: u32, height: u32) -> RgbImage {
    let byte = |value: u32| u8::try_from(value % 256).unwrap();
    RgbImage::from_fn(width, height, |x, y| {
        image::Rgb([
            byte(x * 255 / width + (x / 37 + y / 53) % 2 * 60),
            byte(y * 255 / height + (x * y / 997) % 40),
            byte((x + y) / 5 + (x / 400) * 31),
        ])
    })
}

/// Number of values that differ by more than one step, and the largest difference.
fn differences(found: &[u8], expected: &[u8]) -> (usize, u8) {
    assert_eq!(found.len(), expected.len());
    let pairs = found.iter().zip(expected);
    let n_off = pairs.clone().filter(|(a, b)| a.abs_diff(**b) > 1).count();
    (n_off, pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap())
}

#[test]
fn decoded_pictures_equal_the_reference() {
    let (listing, _) = golden();
    let pictures = listing["pictures"].as_object().unwrap();
    let mut failures = Vec::new();
    for (name, expected) in pictures {
        let picture = decoded(name);
        let size = (picture.width(), picture.height());
        let expected_size = (&expected["width"], &expected["height"]);
        if expected_size != (&size.0.into(), &size.1.into()) {
            failures.push(format!("{name}: {size:?}, not {expected_size:?}"));
            continue;
        }
        let points: Vec<[u32; 5]> = serde_json::from_value(expected["points"].clone()).unwrap();
        assert_eq!(points.len(), 64);
        let tolerance = u32::from(decode_tolerance(name));
        for [x, y, red, green, blue] in points {
            let found = picture.get_pixel(x, y).0.map(u32::from);
            let off = found
                .iter()
                .zip([red, green, blue])
                .map(|(a, b)| a.abs_diff(b))
                .max();
            if off > Some(tolerance) {
                failures.push(format!(
                    "{name} at {x}, {y}: {found:?}, not {:?}",
                    [red, green, blue]
                ));
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} wrong:\n{}",
        failures.len(),
        failures.join("\n")
    );
    assert_eq!(pictures.len(), 43);
}

#[test]
fn resized_and_cropped_pictures_are_within_one_step_of_pillow() {
    let (_, tensors) = golden();
    let (mut n_pictures, mut n_values, mut n_all_off) = (0, 0, 0);
    for folder in ["clip", "plain"] {
        let model = Model::open(&data().join(folder)).unwrap();
        let preprocessor = model.preprocessor();
        let prefix = format!("{folder}/resized/");
        for name in tensors.names().filter(|name| name.starts_with(&prefix)) {
            let resized = preprocessor.resized(&decoded(&name[prefix.len()..]));
            assert_eq!(
                tensors.shape(name),
                [resized.height(), resized.width(), 3],
                "{name}"
            );
            let (n_off, largest) = differences(resized.as_raw(), tensors.u8s(name));
            assert!(
                n_off * 100 <= resized.len() && largest <= 3,
                "{name}: {n_off} off, up to {largest}"
            );
            n_pictures += 1;
            n_values += resized.len();
            n_all_off += n_off;
        }
    }
    assert_eq!(n_pictures, 2 * 44);
    assert!(
        n_all_off * 1000 <= n_values,
        "{n_all_off} of {n_values} values are off"
    );
}

#[test]
fn every_resize_rule_and_filter_equals_pillow() {
    let (_, tensors) = golden();
    let folder = copy_of("plain");
    let manifest = folder.path().join("sightline.toml");
    edit(&manifest, "size = [24, 40]", "size = [27, 22]\nedge = 30");
    edit(&manifest, "crop = \"none\"", "crop = \"center\"");
    let template = fs_err::read_to_string(&manifest).unwrap();
    let (mut n_cases, mut n_values, mut n_all_off) = (0, 0, 0);
    for name in tensors.names().filter(|name| name.starts_with("resize/")) {
        let parts: Vec<&str> = name.split('/').collect();
        let [_, picture, rule, filter] = parts[..] else {
            panic!("{name}")
        };
        let text = template
            .replace("\"squash\"", &format!("\"{rule}\""))
            .replace("\"bilinear\"", &format!("\"{filter}\""));
        fs_err::write(&manifest, text).unwrap();
        let preprocessor = Model::open(folder.path()).unwrap().preprocessor();
        let resized = preprocessor.resized(&decoded(picture));
        assert_eq!(
            tensors.shape(name),
            [resized.height(), resized.width(), 3],
            "{name}"
        );
        let (n_off, largest) = differences(resized.as_raw(), tensors.u8s(name));
        assert!(largest <= 3, "{name}: {n_off} off, up to {largest}");
        n_cases += 1;
        n_values += resized.len();
        n_all_off += n_off;
    }
    assert_eq!(n_cases, 4 * 3 * 3);
    assert!(
        n_all_off * 1000 <= n_values,
        "{n_all_off} of {n_values} values are off"
    );
}

#[test]
fn normalized_values_equal_the_reference() {
    let (_, tensors) = golden();
    let mut n_tensors = 0;
    for folder in ["clip", "plain"] {
        let model = Model::open(&data().join(folder)).unwrap();
        // One step of 255 in the resized picture, divided by the smallest deviation.
        let step = f64::from(model.preprocess().std.into_iter().reduce(f32::min).unwrap());
        let step = 1.0 / 255.0 / step + 1e-5;
        let prefix = format!("{folder}/pixels/");
        for name in tensors.names().filter(|name| name.starts_with(&prefix)) {
            let pixels = model.preprocessor().pixels(&decoded(&name[prefix.len()..]));
            assert_eq!(tensors.shape(name), [3, pixels.height(), pixels.width()]);
            let expected = tensors.f32s(name);
            let n_off = pixels
                .as_slice()
                .iter()
                .zip(&expected)
                .filter(|(a, b)| (f64::from(**a) - f64::from(**b)).abs() > step)
                .count();
            assert!(
                n_off * 200 <= expected.len(),
                "{name}: {n_off} of {}",
                expected.len()
            );
            let n_same = pixels
                .as_slice()
                .iter()
                .zip(&expected)
                .filter(|(a, b)| a == b)
                .count();
            assert!(
                n_same * 2 > expected.len(),
                "{name}: only {n_same} are equal"
            );
            n_tensors += 1;
        }
    }
    assert_eq!(n_tensors, 2 * 3);
}

#[test]
fn embeddings_of_pictures_equal_the_reference() {
    let (_, tensors) = golden();
    let runtime = runtime();
    let (mut n_pictures, mut failures) = (0, Vec::new());
    for folder in ["clip", "plain"] {
        let model = Model::open(&data().join(folder)).unwrap();
        let mut encoder = ImageTower::load(&runtime, &model, &SessionOptions::default()).unwrap();
        let preprocessor = model.preprocessor();
        let prefix = format!("{folder}/embedding/");
        let names: Vec<&str> = tensors
            .names()
            .filter(|name| name.starts_with(&prefix))
            .collect();
        let pixels: Vec<_> = names
            .iter()
            .map(|name| preprocessor.pixels(&decoded(&name[prefix.len()..])))
            .collect();
        let embeddings = encoder.encode(&pixels).unwrap();
        assert_eq!(embeddings.len(), names.len());
        for (name, embedding) in names.iter().zip(&embeddings) {
            let cosine = cosine(embedding.as_slice(), &tensors.f32s(name));
            if cosine < 0.9999 {
                failures.push(format!("{name}: {cosine}"));
            }
            assert_eq!(embedding.as_slice().len(), model.dimension());
            n_pictures += 1;
        }
        // A batch of one gives the same embedding.
        let alone = encoder.encode(&pixels[..1]).unwrap();
        assert!(alone[0].similarity(&embeddings[0]) > 0.999_999);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!(n_pictures, 2 * 44);
}
