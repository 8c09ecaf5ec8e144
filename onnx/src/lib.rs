//! Sightline's encoders: pictures and texts in, unit vectors of one space out.
mod embedding;
mod error;
mod image;
mod manifest;
mod model;
pub mod picture;
mod preprocess;
mod runtime;
mod session;
#[cfg(starter)]
mod starter;
mod text;
mod tokenize;
mod transformers_js;

#[cfg(not(starter))]
impl Model {
    /// Fails until the starter model's files are there.
    ///
    /// # Errors
    /// Always.
    pub fn starter() -> Result<Self, ModelError> {
        Err(ModelError::NoFolder {
            folder: "onnx/starter".into(),
        })
    }
}

pub use embedding::Embedding;
pub use error::{EncodeError, ModelError, RuntimeError};
pub use image::ImageEncoder;
pub use model::Model;
pub use preprocess::{Interpolation, Pixels, PreprocessConfig, Preprocessor, Resize};
pub use runtime::Runtime;
pub use session::SessionOptions;
pub use text::TextEncoder;
pub use tokenize::{Pad, TokenizeConfig};
