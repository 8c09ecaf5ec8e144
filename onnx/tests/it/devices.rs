//! Devices besides the processor, and session options.

use image::RgbImage;
use sightline_onnx::{Device, DeviceError, EncodeError, ImageTower, Model, SessionOptions};

use crate::support::runtime;

#[test]
fn an_unavailable_device_is_an_error_and_never_replaced_by_the_processor() {
    let (runtime, model) = (runtime(), Model::starter().unwrap());
    let mut n_refused = 0;
    for device in [Device::Cuda, Device::CoreMl, Device::DirectMl] {
        let options = SessionOptions {
            device,
            ..SessionOptions::default()
        };
        match ImageTower::load(&runtime, &model, &options) {
            Err(EncodeError::Device(DeviceError::NotBuiltIn { device: named })) => {
                assert!(device.check().is_err() && named == device);
            }
            // The tests' library is built for the processor only.
            Err(EncodeError::Device(error @ DeviceError::NotInLibrary { .. })) => {
                assert!(device.check().is_ok());
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
fn embeddings_do_not_depend_on_the_number_of_threads() {
    let (runtime, model) = (runtime(), Model::starter().unwrap());
    let picture = RgbImage::from_fn(320, 280, |x, y| {
        image::Rgb([x, y, x ^ y].map(|value| u8::try_from(value % 256).unwrap()))
    });
    let pixels = [model.preprocessor().pixels(&picture)];
    let vectors: Vec<_> = [None, Some(1), Some(3), Some(0)]
        .into_iter()
        .map(|n_threads| {
            let options = SessionOptions {
                n_threads,
                device: Device::Cpu,
                ..SessionOptions::default()
            };
            let mut encoder = ImageTower::load(&runtime, &model, &options).unwrap();
            encoder.encode(&pixels).unwrap().swap_remove(0)
        })
        .collect();
    assert_eq!(vectors.len(), 4);
    for other in &vectors[1..] {
        let similarity = vectors[0].similarity(other);
        assert!(similarity > 0.999_99, "{similarity}");
    }
}
