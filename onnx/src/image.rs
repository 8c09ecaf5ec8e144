//! How do prepared pictures become embeddings?

use ndarray::{ArrayView2, ArrayView4};

use crate::description::Unused;
use crate::embedding::Embedding;
use crate::error::EncodeError;
use crate::model::Model;
use crate::preprocess::Pixels;
use crate::session::{Feed, Runtime, Session, SessionOptions, Signature};

/// The image tower of a model, loaded into ONNX Runtime.
///
/// One encoder runs one batch at a time and spreads it over its threads; for two batches at once,
/// load two encoders and give each a share of the cores.
pub struct ImageTower {
    session: Session,
    input: String,
    /// What the text tower of a joint graph is fed with.
    unused_texts: Vec<UnusedText>,
    height: u32,
    width: u32,
    dimension: usize,
    fixed_batch: Option<usize>,
}

impl ImageTower {
    /// Loads the model's image tower and checks its signature. The text tower is not touched.
    ///
    /// # Errors
    /// [`EncodeError`] when ONNX Runtime refuses the graph, or when its inputs, outputs, types or
    /// shapes are not those that the model's description promises.
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
        let (height, width) = model.preprocess().output_size();
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

    /// The graph's inputs and outputs, those included that are not used. Of a graph that holds both
    /// towers, those of the image tower.
    #[must_use]
    pub fn signature(&self) -> Signature {
        self.session.signature()
    }

    /// How many values an embedding has.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// Encodes pictures in one run, in order. No picture gives no embedding.
    ///
    /// Memory grows with the batch: besides the model's own, `12 × height × width` bytes for each
    /// picture going in. Towers quantised dynamically scale a whole batch together, so with them
    /// an embedding depends slightly on its neighbours (cosine about 0.999).
    ///
    /// # Errors
    /// [`EncodeError::OtherSize`] for a picture prepared for another model, [`EncodeError::Run`]
    /// when ONNX Runtime fails, [`EncodeError::NoDirection`] for a row that cannot be scaled to
    /// length 1.
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
        // A graph of fixed batch size wants its last batch filled up; the rows are dropped again.
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

/// One input of the text tower in a joint graph, and what it is fed with.
struct UnusedText {
    input: String,
    shape: (usize, usize),
    values: Vec<i64>,
}

/// A text of ones for all inputs: they are sound ids, and a mask of them is a whole text. None
/// where only the image tower was loaded.
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
