//! Devices besides the processor, and session options.

use image::RgbImage;
use sightline_onnx::{Device, DeviceError, EncodeError, ImageTower, Model, SessionOptions};

use crate::support::runtime;

#[test]
fn an_unavailable_device_is_an_error_and_never_replaced_by_the_processor() {
    let (runtime, model) = (runtime(), Model::starter().unwrap());
    let mut n_refused = 0;
    for device in [Device::Cuda, Device::CoreMl, Device::DirectMl] {
        let options = SessionOptions::default().with_device(device);
        match ImageTower::load(&runtime, &model, &options) {
            Err(EncodeError::Device(DeviceError::NotBuiltIn { device: named })) => {
                assert!(!device.is_built_in() && named == device);
            }
            // The tests' library is built for the processor only.
            Err(EncodeError::Device(error @ DeviceError::NotInLibrary { .. })) => {
                assert!(device.is_built_in());
                let message = error.to_string();
                let expected = format!("this ONNX Runtime was built without {device}");
                assert!(
                    message.contains(&expected) && message.contains("onnxruntime"),
                    "{message}"
                );
            }
            Err(error) => panic!("{device}: {error}"),
            Ok(_) => panic!("{device} was replaced by something else"),
        }
        n_refused += 1;
    }
    assert_eq!(n_refused, 3);
}

#[test]
fn embeddings_do_not_depend_on_threads_or_spinning() {
    let (runtime, model) = (runtime(), Model::starter().unwrap());
    let picture = RgbImage::from_fn(320, 280, |x, y| {
        image::Rgb([x, y, x ^ y].map(|value| u8::try_from(value % 256).unwrap()))
    });
    let pixels = [model.preprocessor().pixels(&picture)];
    let default = SessionOptions::default();
    let vectors: Vec<_> = [
        default.clone(),
        default.clone().with_threads(1),
        default.clone().with_threads(3).with_spin(true),
        default.with_device(Device::Cpu).with_threads(0),
    ]
    .iter()
    .map(|options| {
        let mut encoder = ImageTower::load(&runtime, &model, options).unwrap();
        encoder.encode(&pixels).unwrap().swap_remove(0)
    })
    .collect();
    assert_eq!(vectors.len(), 4);
    for other in &vectors[1..] {
        let similarity = vectors[0].similarity(other);
        assert!(similarity > 0.999_99, "{similarity}");
    }
}
