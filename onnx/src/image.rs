//! The image tower: from prepared pictures to embeddings.

use ndarray::{ArrayView2, ArrayView4};

use crate::description::Unused;
use crate::embedding::Embedding;
use crate::error::EncodeError;
use crate::model::Model;
use crate::preprocess::Pixels;
use crate::session::{Feed, Runtime, Session, SessionOptions, Signature};

/// The image tower of a model, loaded into ONNX Runtime.
///
/// A tower runs one batch at a time on all of its threads. To run two batches at once, load two
/// towers and give each a share of the cores.
pub struct ImageTower {
    session: Session,
    input: String,
    /// What the text inputs of a joint graph are fed with.
    unused_texts: Vec<UnusedText>,
    height: u32,
    width: u32,
    dimension: usize,
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
        let session = Session::load(
            runtime,
            &tower.source,
            &tower.output,
            model.dimension(),
            options,
            tower.unused != Unused::None,
        )?;
        let (height, width) = (model.preprocess().height, model.preprocess().width);
        let fixed_batch = session.check_pixels(&tower.input, height, width)?;
        let unused_texts = match &tower.unused {
            Unused::Texts(inputs) => unused_texts(&session, inputs)?,
            _ => Vec::new(),
        };
        let texts = unused_texts.iter().map(|text| text.input.as_str());
        let known: Vec<&str> = std::iter::once(tower.input.as_str()).chain(texts).collect();
        session.check_no_other_inputs(&known)?;
        Ok(Self {
            session,
            unused_texts,
            input: tower.input.clone(),
            height,
            width,
            dimension: model.dimension(),
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
        for (position, pixels) in batch.iter().enumerate() {
            if (pixels.height(), pixels.width()) != (self.height, self.width) {
                return Err(EncodeError::OtherSize {
                    position,
                    found_height: pixels.height(),
                    found_width: pixels.width(),
                    height: self.height,
                    width: self.width,
                });
            }
        }
        let n_at_once = self.fixed_batch.unwrap_or(batch.len()).max(1);
        let mut embeddings = Vec::with_capacity(batch.len());
        for chunk in batch.chunks(n_at_once) {
            self.encode_chunk(chunk, &mut embeddings)?;
        }
        Ok(embeddings)
    }

    fn encode_chunk(
        &mut self,
        chunk: &[Pixels],
        embeddings: &mut Vec<Embedding>,
    ) -> Result<(), EncodeError> {
        let n = self.fixed_batch.unwrap_or(chunk.len());
        let (height, width) = (self.height as usize, self.width as usize);
        let mut values = Vec::with_capacity(n * 3 * height * width);
        for pixels in chunk {
            values.extend_from_slice(pixels.as_slice());
        }
        // A graph of fixed batch size needs its last batch padded; those rows are dropped below.
        values.resize(n * 3 * height * width, 0.0);
        let view = ArrayView4::from_shape((n, 3, height, width), &values);
        let file = self.session.file().to_path_buf();
        let run = |source| EncodeError::Run {
            file: file.clone(),
            source: Box::new(source),
        };
        let mut feeds = vec![(self.input.as_str(), Feed::Pixels(view.map_err(run)?))];
        for text in &self.unused_texts {
            let view = ArrayView2::from_shape(text.shape, &text.values).map_err(run)?;
            feeds.push((&text.input, Feed::Ids(view)));
        }
        let rows = self.session.run(n, &feeds)?;
        for row in rows.chunks_exact(self.dimension).take(chunk.len()) {
            embeddings.push(Embedding::from_output(row, embeddings.len())?);
        }
        Ok(())
    }
}

/// One text input of a joint graph, and what it is fed with.
struct UnusedText {
    input: String,
    shape: (usize, usize),
    values: Vec<i64>,
}

/// A text of ones for all text inputs: ones are valid ids, and a mask of ones is a whole text.
/// Empty where only the image tower was loaded.
fn unused_texts(session: &Session, inputs: &[String]) -> Result<Vec<UnusedText>, EncodeError> {
    let inputs = inputs.iter().filter(|input| session.takes(input));
    let inputs: Vec<&String> = inputs.collect();
    let n_tokens = inputs.iter().find_map(|input| session.fixed_tokens(input));
    let n_tokens = n_tokens.unwrap_or(2);
    let one = |input: &&String| {
        let n = session.check_ids(input, Some(n_tokens))?.unwrap_or(1);
        Ok(UnusedText {
            input: (*input).clone(),
            shape: (n, n_tokens),
            values: vec![1; n * n_tokens],
        })
    };
    inputs.iter().map(one).collect()
}
