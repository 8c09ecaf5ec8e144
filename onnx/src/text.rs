//! The text tower: from texts to embeddings.

use ndarray::{ArrayView2, ArrayView4};

use crate::description::Unused;
use crate::embedding::Embedding;
use crate::error::EncodeError;
use crate::model::Model;
use crate::session::{Feed, Runtime, Session, SessionOptions, Signature};
use crate::tokenize::{Pad, Tokenizer, Tokens};

/// Texts per run; more take memory without being faster.
const MAX_BATCH: usize = 64;

/// The text tower of a model, loaded into ONNX Runtime, and its tokenizer.
pub struct TextTower {
    session: Session,
    tokenizer: Tokenizer,
    input_ids: String,
    attention_mask: Option<String>,
    token_type_ids: Option<String>,
    position_ids: Option<String>,
    /// What the image input of a joint graph is fed with.
    unused_pixels: Option<UnusedPixels>,
    dimension: usize,
    fixed_batch: Option<usize>,
}

impl TextTower {
    /// Loads the model's text tower and tokenizer and checks the graph's inputs and outputs. The
    /// image tower is not loaded.
    ///
    /// # Errors
    /// [`EncodeError`] when ONNX Runtime refuses the graph, its inputs, outputs, types or shapes
    /// differ from the model's description, or the tokenizer is invalid.
    pub fn load(
        runtime: &Runtime,
        model: &Model,
        options: &SessionOptions,
    ) -> Result<Self, EncodeError> {
        let tower = model.text();
        // Reading the vocabulary takes about as long as loading the graph, and a query on the
        // command line waits for both.
        let (tokenizer, session) = std::thread::scope(|scope| {
            let tokenizer = scope.spawn(|| Tokenizer::load(&tower.tokenizer, &tower.tokenize));
            let session = Session::load(
                runtime,
                &tower.source,
                &tower.output,
                model.dimension(),
                options,
                tower.unused != Unused::None,
            );
            let tokenizer = tokenizer
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            (tokenizer, session)
        });
        let (tokenizer, session) = (tokenizer?, session?);
        let padded = match tower.tokenize.pad {
            Pad::Longest => None,
            Pad::Context => Some(tower.tokenize.context_length),
        };
        let fixed_batch = session.check_ids(&tower.input_ids, padded)?;
        let mut known = vec![tower.input_ids.as_str()];
        let others = [
            &tower.attention_mask,
            &tower.token_type_ids,
            &tower.position_ids,
        ];
        for name in others.into_iter().flatten() {
            session.check_ids(name, padded)?;
            known.push(name);
        }
        let mut unused_pixels = None;
        if let Unused::Pixels(input, height, width) = &tower.unused
            && session.takes(input)
        {
            let n = session.check_pixels(input, *height, *width)?.unwrap_or(1);
            let shape = [n, 3, *height as usize, *width as usize];
            unused_pixels = Some(UnusedPixels {
                input: input.clone(),
                shape,
                values: vec![0.0; shape.iter().product()],
            });
            known.push(input);
        }
        session.check_no_other_inputs(&known)?;
        Ok(Self {
            input_ids: tower.input_ids.clone(),
            attention_mask: tower.attention_mask.clone(),
            token_type_ids: tower.token_type_ids.clone(),
            position_ids: tower.position_ids.clone(),
            unused_pixels,
            dimension: model.dimension(),
            fixed_batch,
            session,
            tokenizer,
        })
    }

    /// The graph's inputs and outputs, including unused ones. Of a graph with both towers, those of
    /// the text tower.
    #[must_use]
    pub fn signature(&self) -> Signature {
        self.session.signature()
    }

    /// Encodes texts; one embedding per text, in order. The embedding of an empty text is that of
    /// its special tokens. A text beyond the context length is truncated, see
    /// [`n_tokens_dropped`](Self::n_tokens_dropped).
    ///
    /// Texts of similar length share a run, so any number of texts can be given.
    ///
    /// # Errors
    /// [`EncodeError::Tokenize`], [`EncodeError::Run`] or [`EncodeError::ZeroOrNotFinite`].
    pub fn encode(&mut self, texts: &[&str]) -> Result<Vec<Embedding>, EncodeError> {
        let tokens = self.tokenizer.encode(texts)?;
        let mut order: Vec<usize> = (0..tokens.len()).collect();
        order.sort_by_key(|&i| tokens[i].ids.len());
        let mut embeddings: Vec<Option<Embedding>> = vec![None; texts.len()];
        let n_at_once = self.fixed_batch.unwrap_or(MAX_BATCH).max(1);
        for chunk in order.chunks(n_at_once) {
            let rows = self.run(&tokens, chunk)?;
            for (&i, row) in chunk.iter().zip(rows.chunks_exact(self.dimension)) {
                embeddings[i] = Some(Embedding::from_output(row, i)?);
            }
        }
        Ok(embeddings.into_iter().flatten().collect())
    }

    /// The token ids of a text as the model sees them: with special tokens, truncated to the
    /// context length, without padding.
    ///
    /// # Errors
    /// [`EncodeError::Tokenize`].
    pub fn token_ids(&self, text: &str) -> Result<Vec<u32>, EncodeError> {
        let tokens = self.tokenizer.encode(&[text])?;
        Ok(tokens.into_iter().flat_map(|one| one.ids).collect())
    }

    /// Number of tokens of a text beyond the model's context length, which the model does not see;
    /// 0 if the text fits.
    ///
    /// # Errors
    /// [`EncodeError::Tokenize`].
    pub fn n_tokens_dropped(&self, text: &str) -> Result<usize, EncodeError> {
        self.tokenizer.n_dropped(text)
    }

    /// Runs the graph on these texts. Returns `[chunk, dimension]` values, followed by rows to be
    /// ignored if the graph fixes its batch size.
    fn run(&mut self, tokens: &[Tokens], chunk: &[usize]) -> Result<Vec<f32>, EncodeError> {
        let n = self.fixed_batch.unwrap_or(chunk.len());
        let chosen: Vec<&Tokens> = chunk.iter().map(|&i| &tokens[i]).collect();
        let batch = self.tokenizer.pad(&chosen, n);
        let shape = (n, batch.n_tokens);
        let file = self.session.file().to_path_buf();
        let view = |values| {
            ArrayView2::from_shape(shape, values).map_err(|source| EncodeError::Run {
                file: file.clone(),
                source: Box::new(source),
            })
        };
        let types = vec![0; n * batch.n_tokens];
        let mut feeds = vec![(self.input_ids.as_str(), Feed::Ids(view(&batch.ids)?))];
        if let Some(name) = &self.attention_mask {
            feeds.push((name, Feed::Ids(view(&batch.mask)?)));
        }
        if let Some(name) = &self.token_type_ids {
            feeds.push((name, Feed::Ids(view(&types)?)));
        }
        let positions: Vec<i64> = (0..n).flat_map(|_| (0..).take(batch.n_tokens)).collect();
        if let Some(name) = &self.position_ids {
            feeds.push((name, Feed::Ids(view(&positions)?)));
        }
        if let Some(pixels) = &self.unused_pixels {
            let view = ArrayView4::from_shape(pixels.shape, &pixels.values);
            let view = view.map_err(|source| EncodeError::Run {
                file: file.clone(),
                source: Box::new(source),
            })?;
            feeds.push((&pixels.input, Feed::Pixels(view)));
        }
        self.session.run(n, &feeds)
    }
}

/// The image input of a joint graph, and the black picture that it is fed with.
struct UnusedPixels {
    input: String,
    shape: [usize; 4],
    values: Vec<f32>,
}
