//! Inputs and outputs of a model's graphs.

use sightline_onnx::{
    EncodeError, ImageTower, Model, Runtime, SessionOptions, Signature, TextTower,
};

/// Inputs and outputs of each tower of a model.
#[derive(Debug, Clone)]
pub struct Signatures {
    /// Those of the image tower.
    pub image: Signature,
    /// Those of each text tower, in order.
    pub texts: Vec<Signature>,
}

impl Signatures {
    /// Loads all towers, one after another.
    ///
    /// # Errors
    /// When the device is not available, or a graph cannot be loaded.
    pub fn load(
        model: &Model,
        runtime: &Runtime,
        options: &SessionOptions,
    ) -> Result<Self, EncodeError> {
        let image = ImageTower::load(runtime, model, options)?.signature();
        let texts = (0..model.text_languages().len())
            .map(|n| Ok(TextTower::load_nth(runtime, model, n, options)?.signature()));
        Ok(Self {
            texts: texts.collect::<Result<_, EncodeError>>()?,
            image,
        })
    }
}
