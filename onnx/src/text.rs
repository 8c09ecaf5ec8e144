//! Text towers: from texts to embeddings.

use std::sync::Arc;

use ndarray::Array2;

use crate::description::TextSpec;
use crate::embedding::Embedding;
use crate::error::EncodeError;
use crate::model::Model;
use crate::preprocess::PreprocessConfig;
use crate::session::{Feed, Runtime, Session, SessionOptions, Signature, Target};
use crate::tokenize::{Pad, TextRole, Tokenizer};

/// Texts per run; more take memory without being faster.
const MAX_BATCH: usize = 64;

/// What a text tower makes of a text before it is encoded. Answers while the tower runs.
#[derive(Clone)]
pub struct TextReader(Arc<Tokenizer>);

impl TextReader {
    /// As [`TextTower::n_tokens_dropped`].
    ///
    /// # Errors
    /// [`EncodeError::Tokenize`].
    pub fn n_tokens_dropped(&self, role: TextRole, text: &str) -> Result<usize, EncodeError> {
        self.0.n_dropped(text, Some(role))
    }

    /// As [`TextTower::knows`].
    ///
    /// # Errors
    /// [`EncodeError::Tokenize`].
    pub fn knows(&self, text: &str) -> Result<bool, EncodeError> {
        self.0.knows(text)
    }
}

/// A text tower of a model, loaded into ONNX Runtime, and its tokenizer.
pub struct TextTower {
    session: Session,
    tokenizer: Arc<Tokenizer>,
    spec: Arc<TextSpec>,
    dimension: usize,
    fixed_batch: Option<usize>,
}

impl TextTower {
    /// Loads the model's first text tower and its tokenizer, and checks the graph's inputs and
    /// outputs. No other tower is loaded.
    ///
    /// # Errors
    /// [`EncodeError`] when ONNX Runtime refuses the graph, its inputs, outputs, types or shapes
    /// differ from the model's description, or the tokenizer is invalid.
    pub fn load(
        runtime: &Runtime,
        model: &Model,
        options: &SessionOptions,
    ) -> Result<Self, EncodeError> {
        Self::load_nth(runtime, model, 0, options)
    }

    /// As [`load`](Self::load), of text tower `n`, counted from 0, as in
    /// [`Model::text_languages`].
    ///
    /// # Errors
    /// As [`load`](Self::load); [`EncodeError::NoTextTower`].
    pub fn load_nth(
        runtime: &Runtime,
        model: &Model,
        n: usize,
        options: &SessionOptions,
    ) -> Result<Self, EncodeError> {
        let tower = model.text_nth(n);
        let tower = tower.map_err(|n_towers| EncodeError::NoTextTower { n, n_towers })?;
        // Reading the vocabulary takes about as long as loading the graph, and a query on the
        // command line waits for both.
        let (tokenizer, session) = std::thread::scope(|scope| {
            let tokenizer = scope.spawn(|| Tokenizer::load(&tower.tokenizer, &tower.tokenize));
            let target = Target {
                source: &tower.source,
                output: &tower.output,
                head: &tower.head,
                dimension: model.dimension(),
                is_part: tower.is_part,
            };
            let session = Session::load(runtime, &target, options);
            let tokenizer = tokenizer
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            (tokenizer, session)
        });
        let (tokenizer, mut session) = (tokenizer?, session?);
        let padded = match tower.tokenize.pad {
            Pad::Longest => None,
            Pad::Context => Some(tower.tokenize.context_length),
        };
        let inputs = tower.inputs();
        for name in &inputs {
            session.check_ids(name, padded)?;
        }
        let fixed_batch = session.check_ids(&tower.input_ids, padded)?;
        if tower.source.path == model.image().source.path {
            let PreprocessConfig { height, width, .. } = *model.preprocess();
            session.feed_unused_pixels(&model.image().input, height, width)?;
        }
        session.check_no_other_inputs(&inputs)?;
        Ok(Self {
            session,
            tokenizer: Arc::new(tokenizer),
            spec: Arc::clone(tower),
            dimension: model.dimension(),
            fixed_batch,
        })
    }

    /// The graph's inputs and outputs, including unused ones. Of a graph with both towers, those of
    /// the text tower.
    #[must_use]
    pub fn signature(&self) -> Signature {
        self.session.signature()
    }

    /// What it makes of texts before they are encoded.
    #[must_use]
    pub fn reader(&self) -> TextReader {
        TextReader(Arc::clone(&self.tokenizer))
    }

    /// Encodes texts as they are; one embedding per text, in order. The embedding of an empty text
    /// is that of its special tokens. A text beyond the context length is truncated, see
    /// [`n_tokens_dropped`](Self::n_tokens_dropped).
    ///
    /// Texts of similar length share a run, so any number of texts can be given.
    ///
    /// # Errors
    /// [`EncodeError::Tokenize`], [`EncodeError::Run`] or [`EncodeError::ZeroOrNotFinite`].
    pub fn encode(&mut self, texts: &[&str]) -> Result<Vec<Embedding>, EncodeError> {
        self.encode_all(texts, None)
    }

    /// As [`encode`](Self::encode), with the words before each text that the model expects for this
    /// role, if it expects any.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_as(
        &mut self,
        role: TextRole,
        texts: &[&str],
    ) -> Result<Vec<Embedding>, EncodeError> {
        self.encode_all(texts, Some(role))
    }

    fn encode_all(
        &mut self,
        texts: &[&str],
        role: Option<TextRole>,
    ) -> Result<Vec<Embedding>, EncodeError> {
        let tokens = self.tokenizer.encode(texts, role)?;
        let mut order: Vec<usize> = (0..tokens.len()).collect();
        order.sort_by_key(|&i| tokens[i].len());
        let mut embeddings: Vec<Option<Embedding>> = vec![None; texts.len()];
        let n_at_once = self.fixed_batch.unwrap_or(MAX_BATCH).max(1);
        // Padding before a text moves its tokens to other positions, so that texts of different
        // lengths cannot share a run that pads to the longest.
        let is_alike = |&a: &usize, &b: &usize| {
            !self.tokenizer.moves_texts() || tokens[a].len() == tokens[b].len()
        };
        let runs: Vec<&[usize]> = order
            .chunk_by(is_alike)
            .flat_map(|alike| alike.chunks(n_at_once))
            .collect();
        for chunk in runs {
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
        Ok(self.tokenizer.encode(&[text], None)?.concat())
    }

    /// Number of tokens of a text in this role beyond the model's context length, which the model
    /// does not see; 0 if the text fits.
    ///
    /// # Errors
    /// [`EncodeError::Tokenize`].
    pub fn n_tokens_dropped(&self, role: TextRole, text: &str) -> Result<usize, EncodeError> {
        self.tokenizer.n_dropped(text, Some(role))
    }

    /// Whether the vocabulary has any part of a text. Of a text without one, such as a Chinese word
    /// given to an English model, the model sees only that there is something.
    ///
    /// # Errors
    /// [`EncodeError::Tokenize`].
    pub fn knows(&self, text: &str) -> Result<bool, EncodeError> {
        self.tokenizer.knows(text)
    }

    /// Runs the graph on these texts. Returns `[chunk, dimension]` values, followed by rows to be
    /// ignored if the graph fixes its batch size.
    fn run(&mut self, tokens: &[Vec<u32>], chunk: &[usize]) -> Result<Vec<f32>, EncodeError> {
        let n = self.fixed_batch.unwrap_or(chunk.len());
        let chosen: Vec<&[u32]> = chunk.iter().map(|&i| tokens[i].as_slice()).collect();
        let batch = self.tokenizer.pad(&chosen, n);
        let types = Array2::zeros(batch.ids.dim());
        let positions = Array2::from_shape_fn(batch.ids.dim(), |(_, position)| {
            i64::try_from(position).unwrap_or(i64::MAX)
        });
        let tower = &self.spec;
        // A mean leaves out padding, unless the model was trained to see it.
        let mask = batch.mask.clone();
        let mut feeds = vec![(tower.input_ids.as_str(), Feed::Ids(batch.ids))];
        for (name, values) in [
            (&tower.attention_mask, batch.mask),
            (&tower.token_type_ids, types),
            (&tower.position_ids, positions),
        ] {
            feeds.extend(name.as_deref().map(|name| (name, Feed::Ids(values))));
        }
        self.session.run(n, &feeds, Some(&mask))
    }
}
