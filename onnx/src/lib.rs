//! Sightline's encoders: from pictures and texts to unit vectors in one space.
//!
//! A CLIP-style model is two networks, an image tower and a text tower, trained to give a picture
//! and a text about it similar embeddings; it may have further text towers, for other languages.
//! This package finds and checks a model's files, prepares decoded pictures, tokenizes texts, and
//! runs the towers in ONNX Runtime. It knows no index and walks no folders.
//!
//! ```
//! use sightline_onnx::{ImageTower, Model, Runtime, SessionOptions, TextTower};
//! use sightline_picture::DecodeLimits;
//! # fn library() -> std::path::PathBuf {
//! #     use std::env::{self, consts};
//! #     use std::path::{Path, PathBuf};
//! #     let name = format!("{}onnxruntime{}", consts::DLL_PREFIX, consts::DLL_SUFFIX);
//! #     env::var_os("ORT_DYLIB_PATH").map(PathBuf::from).unwrap_or_else(|| {
//! #         let here = Path::new(env!("CARGO_MANIFEST_DIR"));
//! #         let target = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
//! #         target.unwrap_or_else(|| here.join("../target")).join("release").join(name)
//! #     })
//! # }
//! # let package = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
//! # let folder = package.join("tests/data/clip");
//! # let photo = package.join("../picture/tests/data/pictures/landscape_420.jpg");
//!
//! let runtime = Runtime::open(&[library()])?;
//! let model = Model::open(&folder)?;
//! let options = SessionOptions::default();
//!
//! let bytes = std::fs::read(photo)?;
//! let picture = sightline_picture::decode(&bytes, &DecodeLimits::default())?;
//! let pixels = model.preprocessor().pixels(&picture);
//! let pictures = ImageTower::load(&runtime, &model, &options)?.encode(&[pixels])?;
//!
//! let texts = TextTower::load(&runtime, &model, &options)?.encode(&["a dog", "two dogs"])?;
//! let similarity = pictures[0].similarity(&texts[1]);
//! assert!((-1.0..=1.0).contains(&similarity));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What a model folder holds
//!
//! The files of a CLIP-style model in the layout of transformers.js, Optimum, Immich or
//! `open_clip`; or two graphs, a tokenizer, and a manifest `sightline.toml` that describes them.
//! Beside the files of another layout, the manifest gives what they leave open. `docs/models.md`
//! lists all keys:
//!
//! ```toml
//! name = "my-model"
//! dimension = 384                # of the embeddings
//! license = "Apache-2.0"         # optional
//! # ignore = ["new_key"]         # keys of other layouts' files that change no vector
//!
//! [image]
//! file = "image.onnx"            # f32 [batch, 3, height, width] -> f32 [batch, dimension]
//! input = "pixel_values"
//! output = "embedding"
//! size = [224, 224]              # height, width
//! resize = "shortest-edge"       # or "longest-edge", "squash"
//! edge = 256                     # length of that edge; default: the side of a square size
//! interpolation = "bicubic"      # or "bilinear", "lanczos", …; always antialiased, as in Pillow
//! crop = "center"                # the default; "none" only with "squash"
//! rescale = 0.00392156862745098  # the default, 1 / 255
//! mean = [0.48, 0.46, 0.41]      # after rescaling: (x - mean) / std
//! std = [0.27, 0.26, 0.28]
//!
//! [text]
//! languages = ["en"]             # optional without further text towers, each in a [[text.other]]
//! file = "text.onnx"             # inputs i64 or i32 [batch, n_tokens]
//! input_ids = "input_ids"
//! attention_mask = "attention_mask"  # optional
//! token_type_ids = "token_type_ids"  # optional; always zeros
//! output = "embedding"
//! tokenizer = "tokenizer.json"
//! context_length = 77            # tokens, special tokens included
//! pad = "longest"                # the default with a mask; "context": always to context_length
//! pad_token = "[PAD]"            # optional if the tokenizer's file names it, or padding is masked
//!
//! [unrelated]                    # optional: cosines of unrelated pairs
//! text-picture = { mean = 0.0, deviation = 0.1 }
//! text-text = { mean = 0.0, deviation = 0.1 }
//! picture-picture = { mean = 0.0, deviation = 0.1 }
//! ```

mod calibration;
mod choice;
mod description;
mod device;
mod embedding;
mod error;
mod file;
mod head;
mod image;
mod language;
mod layouts;
mod model;
mod precision;
mod preprocess;
mod session;
mod source;
mod starter;
mod text;
mod tokenize;

pub use calibration::{Calibration, Unrelated};
pub use choice::{Choice, UnlistedLanguage, choose};
pub use device::{Device, DeviceError};
pub use embedding::Embedding;
pub use error::{EncodeError, ModelError};
pub use file::interface::{check_complete, graph_inputs};
pub use file::pointer::is_lfs_pointer;
pub use file::quantize;
pub use head::Pool;
pub use image::ImageTower;
pub use language::{Language, UnknownLanguage};
pub use model::Model;
pub use precision::{Precision, UnknownPrecision};
pub use preprocess::{
    Channels, Interpolation, Pixels, PreprocessConfig, Preprocessor, Resize, Rounding, SeenPart,
};
pub use session::{Runtime, RuntimeError, SessionOptions, Signature};
pub use text::{TextReader, TextTower};
pub use tokenize::{Clean, Frame, MaskRule, Pad, Side, TextRole, TokenizeConfig};
