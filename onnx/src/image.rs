//! The image tower: from prepared pictures to embeddings.

use ndarray::Array4;

use crate::embedding::Embedding;
use crate::error::EncodeError;
use crate::model::Model;
use crate::preprocess::{Pixels, PreprocessConfig};
use crate::session::{Feed, Runtime, Session, SessionOptions, Signature, Target};

/// The image tower of a model, loaded into ONNX Runtime.
///
/// A tower runs one batch at a time on all of its threads. To run two batches at once, load two
/// towers and give each a share of the cores.
pub struct ImageTower {
    session: Session,
    model: Model,
    fixed_batch: Option<usize>,
}

impl ImageTower {
    /// Loads the model's image tower and checks its inputs and outputs. The text tower is not
    /// loaded.
    ///
    /// # Errors
    /// [`EncodeError`] when ONNX Runtime refuses the graph, or its inputs, outputs, types or shapes
    /// differ from the model's description.
    pub fn load(
        runtime: &Runtime,
        model: &Model,
        options: &SessionOptions,
    ) -> Result<Self, EncodeError> {
        let tower = model.image();
        let target = Target {
            source: &tower.source,
            output: &tower.output,
            head: &tower.head,
            dimension: model.dimension(),
            is_part: tower.is_part,
        };
        let mut session = Session::load(runtime, &target, options)?;
        let PreprocessConfig { height, width, .. } = *model.preprocess();
        let fixed_batch = session.check_pixels(&tower.input, height, width)?;
        if model.is_joint() {
            session.feed_unused_texts(&model.text().inputs())?;
        }
        session.check_no_other_inputs(&[&tower.input])?;
        Ok(Self {
            session,
            model: model.clone(),
            fixed_batch,
        })
    }

    /// The graph's inputs and outputs, including unused ones. Of a graph with both towers, those of
    /// the image tower.
    #[must_use]
    pub fn signature(&self) -> Signature {
        self.session.signature()
    }

    /// Encodes a batch of pictures; one embedding per picture, in order.
    ///
    /// Memory grows with the batch: besides the model's own, `12 × height × width` bytes of input
    /// per picture. A dynamically quantised tower scales a whole batch together, so an embedding
    /// depends slightly on the rest of its batch (cosine about 0.999).
    ///
    /// # Errors
    /// [`EncodeError::OtherSize`] for a picture prepared for another model, [`EncodeError::Run`]
    /// when ONNX Runtime fails, [`EncodeError::ZeroOrNotFinite`] for an embedding that cannot be
    /// scaled to length 1.
    pub fn encode(&mut self, batch: &[Pixels]) -> Result<Vec<Embedding>, EncodeError> {
        let PreprocessConfig { height, width, .. } = *self.model.preprocess();
        for (position, pixels) in batch.iter().enumerate() {
            if (pixels.height(), pixels.width()) != (height, width) {
                return Err(EncodeError::OtherSize {
                    position,
                    found_height: pixels.height(),
                    found_width: pixels.width(),
                    height,
                    width,
                });
            }
        }
        let mut embeddings = Vec::with_capacity(batch.len());
        for chunk in batch.chunks(self.fixed_batch.unwrap_or(batch.len()).max(1)) {
            let n = self.fixed_batch.unwrap_or(chunk.len());
            // A graph of fixed batch size needs its last batch padded; those rows are dropped.
            let mut input = Array4::zeros((n, 3, height as usize, width as usize));
            if let Some(values) = input.as_slice_mut() {
                let n_values = 3 * height as usize * width as usize;
                for (values, pixels) in values.chunks_exact_mut(n_values).zip(chunk) {
                    values.copy_from_slice(pixels.as_slice());
                }
            }
            let feed = (self.model.image().input.as_str(), Feed::Pixels(input));
            let rows = self.session.run(n, &[feed], None)?;
            for row in rows.chunks_exact(self.model.dimension()).take(chunk.len()) {
                embeddings.push(Embedding::from_output(row, embeddings.len())?);
            }
        }
        Ok(embeddings)
    }
}
