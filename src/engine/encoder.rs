//! The encoders that the engine needs, and their implementation with `sightline-onnx`.
//!
//! The traits belong to the engine, so that tests can run on a fake encoder without a model or ONNX
//! Runtime.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use image::RgbImage;
use sightline_index::{Binding, Language};
use sightline_onnx::{
    Calibration, Choice, Device, EncodeError, Language as TextLanguage, Model, ModelError, Pixels,
    Precision, Preprocessor, Runtime, RuntimeError, SeenPart, SessionOptions, TextReader, TextRole,
};
use sightline_picture::Smallest;

use crate::engine::error::EngineError;
use crate::engine::gathering::Gathering;
use crate::engine::memory;
use crate::engine::report::Reading;

/// Turns pictures into embeddings.
pub trait ImageEncoder: Send + Sync {
    /// Resizes, crops and normalises an upright RGB picture; called from many threads at once.
    fn prepare(&self, picture: &RgbImage) -> Pixels;

    /// The part that remains of a picture of this size, in pixels, after the crop.
    fn seen(&self, _width: u32, _height: u32) -> SeenPart {
        SeenPart::WHOLE
    }

    /// The smallest size to which a picture may be reduced while it is decoded.
    fn smallest(&self) -> Smallest {
        Smallest::whole()
    }

    /// Whether it runs on a device other than the CPU.
    fn has_own_device(&self) -> bool {
        false
    }

    /// Number of batches that can be encoded at the same time, each on a part of the machine.
    fn n_parts(&self) -> usize {
        1
    }

    /// Loads a lane, so that its first batch takes no longer than later ones.
    ///
    /// # Errors
    /// When the model cannot be loaded.
    fn load(&self, _lane: Lane) -> Result<(), EngineError> {
        Ok(())
    }

    /// Frees what was loaded, as far as nobody encodes with it; it is loaded again when needed.
    fn unload(&self) {}

    /// Encodes a batch in a lane; one embedding of unit length per picture, in order. Lanes encode
    /// at the same time, one batch each.
    ///
    /// # Errors
    /// When the model cannot be loaded or run.
    fn encode_in(&self, lane: Lane, batch: &[Pixels]) -> Result<Vec<Vec<f32>>, EngineError>;

    /// Encodes a batch on the whole machine.
    ///
    /// # Errors
    /// When the model cannot be loaded or run.
    fn encode(&self, batch: &[Pixels]) -> Result<Vec<Vec<f32>>, EngineError> {
        self.encode_in(Lane::Whole, batch)
    }
}

/// The part of the machine that encodes a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// All of it: the lowest latency of a batch.
    Whole,
    /// One of several parts, by number from 0: the highest throughput, since threads of different
    /// batches do not wait for each other.
    Part(usize),
}

impl Lane {
    /// The lanes of a machine that is split into this many parts.
    pub(crate) fn all(n_parts: usize) -> Vec<Self> {
        if n_parts < 2 {
            vec![Self::Whole]
        } else {
            (0..n_parts).map(Self::Part).collect()
        }
    }
}

/// Number of parts that a CPU is split into for encoding. Two cores take 7 to 9 % less time per
/// picture apart than together (benches/RESULTS.md); more parts were not measured, and each takes
/// memory.
const N_PARTS: usize = 2;

/// The largest image tower, in bytes of its files, that is loaded once per part.
const LARGEST_IN_PARTS: u64 = 400 << 20;

/// Turns texts into embeddings.
pub trait TextEncoder: Send + Sync {
    /// Encodes a batch of captions; one embedding of unit length per text, in order.
    ///
    /// # Errors
    /// When the model cannot be loaded or run.
    fn encode(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EngineError>;

    /// Frees what was loaded, as [`ImageEncoder::unload`] does.
    fn unload(&self) {}

    /// Encodes a batch of queries. Some models were trained with other words before a query than
    /// before a caption.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    fn encode_queries(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EngineError> {
        self.encode(texts)
    }

    /// Whether a text has another embedding as a query than as a caption.
    fn tells_queries(&self) -> bool {
        false
    }

    /// Number of tokens at the end of a caption that exceed the model's context and are ignored.
    ///
    /// # Errors
    /// When the tokenizer cannot be loaded.
    fn n_tokens_dropped(&self, text: &str) -> Result<usize, EngineError>;

    /// As [`n_tokens_dropped`](Self::n_tokens_dropped), of a query.
    ///
    /// # Errors
    /// When the tokenizer cannot be loaded.
    fn n_query_tokens_dropped(&self, text: &str) -> Result<usize, EngineError> {
        self.n_tokens_dropped(text)
    }

    /// Whether the model's vocabulary has any part of a text. The embedding of a text without one
    /// is the same for all such texts of a length, and means nothing.
    ///
    /// # Errors
    /// When the tokenizer cannot be loaded.
    fn knows(&self, text: &str) -> Result<bool, EngineError>;
}

/// Identifies a model. Vectors are comparable only if their models have the same fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelIdentity {
    /// The model's name, for display.
    pub name: String,
    /// Hash of the model's files and preprocessing.
    pub fingerprint: String,
    /// Length of its embeddings.
    pub dimension: usize,
}

/// Opens ONNX Runtime; called when the first encoder is needed.
pub type RuntimeSource = Box<dyn Fn() -> Result<Runtime, RuntimeError> + Send + Sync>;

/// The image encoder and the text encoders of a model. Each is loaded when first used: a text query
/// loads one text tower and never the image tower.
pub struct Encoders {
    identity: ModelIdentity,
    image: Box<dyn ImageEncoder>,
    /// The first is for texts of all languages that no other one is for.
    texts: Vec<LanguageTower>,
    calibration: Option<Calibration>,
}

/// A text encoder and the languages that it is for; a model with one may state none.
struct LanguageTower {
    languages: Vec<TextLanguage>,
    encoder: Box<dyn TextEncoder>,
}

/// Languages that English is distinguished from.
const OTHER_LANGUAGES: [&str; 15] = [
    "zh", "de", "fr", "es", "it", "pt", "nl", "pl", "cs", "tr", "ru", "ar", "ja", "ko", "th",
];

/// What is known of the language of some texts, which chooses among the text towers of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LanguageHint {
    /// The language that they are in, whatever they look like.
    pub asked: Option<TextLanguage>,
    /// The language of a text that could be in several; without one, such a text is for the first
    /// tower.
    pub usual: Option<TextLanguage>,
}

impl LanguageHint {
    /// Texts of an index, or queries for it, whose language may be given.
    pub(crate) fn of_index(language: Language, asked: Option<TextLanguage>) -> Self {
        Self {
            asked,
            usual: language.code().parse().ok(),
        }
    }

    /// Whether a text is taken for English, whichever languages the model has text towers for.
    pub(crate) fn is_english(self, text: &str) -> bool {
        let code = |code: &str| code.parse::<TextLanguage>().ok();
        let english: Vec<TextLanguage> = code("en").into_iter().collect();
        if let Some(asked) = self.asked {
            return english.contains(&asked);
        }
        let others: Vec<TextLanguage> = OTHER_LANGUAGES.into_iter().filter_map(code).collect();
        let choice = sightline_onnx::choose(&[&english, &others], text, None, self.usual);
        choice.is_ok_and(|choice| choice.tower == 0)
    }
}

impl Encoders {
    /// Joins two encoders of one embedding space.
    #[must_use]
    pub fn new(
        identity: ModelIdentity,
        image: Box<dyn ImageEncoder>,
        text: Box<dyn TextEncoder>,
    ) -> Self {
        Self {
            identity,
            image,
            texts: vec![LanguageTower {
                languages: Vec::new(),
                encoder: text,
            }],
            calibration: None,
        }
    }

    /// Adds a text encoder for some languages; those of the first one are given too.
    #[must_use]
    pub fn with_text_tower(
        mut self,
        of_first: Vec<TextLanguage>,
        languages: Vec<TextLanguage>,
        encoder: Box<dyn TextEncoder>,
    ) -> Self {
        self.texts[0].languages = of_first;
        self.texts.push(LanguageTower { languages, encoder });
        self
    }

    /// The small model that is built into the program.
    ///
    /// # Errors
    /// When the built-in files are inconsistent, which a test rules out.
    pub fn starter(
        runtime: impl Fn() -> Result<Runtime, RuntimeError> + Send + Sync + 'static,
    ) -> Result<Self, ModelError> {
        Ok(Self::from_model(
            &Model::starter()?,
            runtime,
            &SessionOptions::default(),
        ))
    }

    /// An opened model, run with these options. The device is opened when a tower is first used.
    pub fn from_model(
        model: &Model,
        runtime: impl Fn() -> Result<Runtime, RuntimeError> + Send + Sync + 'static,
        options: &SessionOptions,
    ) -> Self {
        let runtime = Arc::new(LazyRuntime {
            source: Box::new(runtime),
            opened: Mutex::new(None),
        });
        let identity = ModelIdentity {
            name: model.name().to_owned(),
            fingerprint: model.fingerprint().to_owned(),
            dimension: model.dimension(),
        };
        let picture = |options| LazyTower::new(model.clone(), Arc::clone(&runtime), options);
        let text = |options| LazyTower::new(model.clone(), Arc::clone(&runtime), options);
        let image = OnnxImageEncoder {
            preprocessor: OnceLock::new(),
            whole: picture(options.clone()),
            parts: options_of_parts(model, options)
                .into_iter()
                .map(picture)
                .collect(),
        };
        let languages = model.text_languages().into_iter().enumerate();
        let texts = languages.map(|(number, languages)| LanguageTower {
            languages: languages.to_vec(),
            encoder: Box::new(OnnxTextEncoder {
                tower: text(options.clone()),
                number,
                reader: OnceLock::new(),
                queries: Gathering::default(),
            }),
        });
        Self {
            identity,
            image: Box::new(image),
            texts: texts.collect(),
            calibration: model.calibration(),
        }
    }

    /// Sets what the model's cosines mean. Without it, hits have no confidence, and rankings are
    /// fused by rank alone.
    #[must_use]
    pub fn with_calibration(self, calibration: Option<Calibration>) -> Self {
        Self {
            calibration,
            ..self
        }
    }

    /// What the model's cosines mean, if that is known.
    #[must_use]
    pub fn calibration(&self) -> Option<Calibration> {
        self.calibration
    }

    /// Which model this is.
    #[must_use]
    pub fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    /// The model as an index records it.
    pub(crate) fn binding(&self) -> Binding {
        let identity = self.identity.clone();
        Binding {
            dimension: identity.dimension,
            fingerprint: identity.fingerprint,
            model: identity.name,
        }
    }

    /// The image encoder.
    #[must_use]
    pub fn image(&self) -> &dyn ImageEncoder {
        self.image.as_ref()
    }

    /// Frees the memory of the image encoder, and with `texts` that of the text encoders, as far as
    /// nobody encodes with them. They are loaded again when they are needed.
    pub fn unload(&self, texts: bool) {
        self.image.unload();
        if texts {
            for text in &self.texts {
                text.encoder.unload();
            }
        }
        memory::give_back();
    }

    /// The languages of each text encoder, in order. A single one may have none.
    #[must_use]
    pub fn text_languages(&self) -> Vec<&[TextLanguage]> {
        let languages = self.texts.iter().map(|text| text.languages.as_slice());
        languages.collect()
    }

    /// Which text encoder a text is for: that of its language.
    ///
    /// # Errors
    /// When a language was asked for that no text encoder is for.
    pub fn choose(&self, text: &str, hint: LanguageHint) -> Result<Choice, EngineError> {
        let LanguageHint { asked, usual } = hint;
        let choice = sightline_onnx::choose(&self.text_languages(), text, asked, usual);
        choice.map_err(|unlisted| EngineError::UnlistedLanguage {
            model: self.identity.name.clone(),
            source: unlisted,
        })
    }

    /// The text encoder for a text.
    ///
    /// # Errors
    /// As [`choose`](Self::choose).
    pub fn text(&self, text: &str, hint: LanguageHint) -> Result<&dyn TextEncoder, EngineError> {
        let choice = self.choose(text, hint)?;
        Ok(self.texts[choice.tower].encoder.as_ref())
    }

    /// What the model makes of a text as a query.
    ///
    /// # Errors
    /// When the model cannot be loaded, or a language was asked for that no text encoder is for.
    pub fn reading(&self, text: &str, hint: LanguageHint) -> Result<Reading, EngineError> {
        let choice = self.choose(text, hint)?;
        let tower = self.text_tower(choice.tower);
        Ok(Reading {
            language: choice.language,
            tower: (self.texts.len() > 1).then_some(choice.tower),
            is_known: tower.knows(text)?,
            n_tokens_dropped: tower.n_query_tokens_dropped(text)?,
        })
    }

    /// Some text encoder, by its position in [`text_languages`](Self::text_languages).
    pub(crate) fn text_tower(&self, number: usize) -> &dyn TextEncoder {
        self.texts[number].encoder.as_ref()
    }

    /// Whether a text may have another embedding as a query than as a caption.
    pub(crate) fn tells_queries(&self) -> bool {
        self.texts.iter().any(|text| text.encoder.tells_queries())
    }

    /// Whether the usual language decides which text encoder a text is for.
    pub(crate) fn goes_by_usual_language(&self, text: &str) -> Result<bool, EngineError> {
        let mut towers = Vec::new();
        for of in &self.texts {
            let usual = of.languages.first().copied();
            let hint = LanguageHint { asked: None, usual };
            towers.push(self.choose(text, hint)?.tower);
        }
        Ok(towers.iter().any(|tower| *tower != towers[0]))
    }
}

/// ONNX Runtime, opened when first used.
struct LazyRuntime {
    source: RuntimeSource,
    opened: Mutex<Option<Runtime>>,
}

impl LazyRuntime {
    fn get(&self) -> Result<Runtime, RuntimeError> {
        let mut slot = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = slot.as_ref() {
            return Ok(runtime.clone());
        }
        let runtime = (self.source)()?;
        *slot = Some(runtime.clone());
        Ok(runtime)
    }
}

/// A tower of a model, loaded when first used. Sessions of ONNX Runtime serve one caller at a time,
/// so the lock is held while it runs.
struct LazyTower<T> {
    model: Model,
    runtime: Arc<LazyRuntime>,
    options: SessionOptions,
    loaded: Mutex<Option<T>>,
}

impl<T> LazyTower<T> {
    fn new(model: Model, runtime: Arc<LazyRuntime>, options: SessionOptions) -> Self {
        Self {
            model,
            runtime,
            options,
            loaded: Mutex::new(None),
        }
    }

    fn with<R>(
        &self,
        load: impl FnOnce(&Runtime, &Model, &SessionOptions) -> Result<T, EncodeError>,
        run: impl FnOnce(&mut T) -> Result<R, EncodeError>,
    ) -> Result<R, EngineError> {
        let mut slot = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.is_none() {
            *slot = Some(load(&self.runtime.get()?, &self.model, &self.options)?);
        }
        match slot.as_mut() {
            Some(tower) => Ok(run(tower)?),
            None => unreachable!("the tower was loaded just above"),
        }
    }
}

impl<T> LazyTower<T> {
    /// Drops the tower, unless it is encoding.
    fn unload(&self) {
        if let Ok(mut slot) = self.loaded.try_lock() {
            *slot = None;
        }
    }
}

/// Session options of each part of the machine; empty when splitting is not worthwhile.
pub(crate) fn options_of_parts(model: &Model, options: &SessionOptions) -> Vec<SessionOptions> {
    let n_threads = options.threads();
    let is_small = || matches!(model.n_image_bytes(), Ok(n) if n <= LARGEST_IN_PARTS);
    if options.device != Device::Cpu || n_threads < N_PARTS || !is_small() {
        return Vec::new();
    }
    (0..N_PARTS)
        .map(|part| (n_threads + part) / N_PARTS)
        .map(|n_threads| SessionOptions {
            n_threads: Some(n_threads),
            ..options.clone()
        })
        .collect()
}

struct OnnxImageEncoder {
    preprocessor: OnceLock<Preprocessor>,
    /// Uses all threads.
    whole: LazyTower<sightline_onnx::ImageTower>,
    /// The same tower, each with a share of the threads.
    parts: Vec<LazyTower<sightline_onnx::ImageTower>>,
}

impl OnnxImageEncoder {
    fn preprocessor(&self) -> &Preprocessor {
        self.preprocessor
            .get_or_init(|| self.whole.model.preprocessor())
    }

    fn tower(&self, lane: Lane) -> &LazyTower<sightline_onnx::ImageTower> {
        match lane {
            Lane::Whole => &self.whole,
            Lane::Part(number) => self.parts.get(number).unwrap_or(&self.whole),
        }
    }
}

impl ImageEncoder for OnnxImageEncoder {
    fn prepare(&self, picture: &RgbImage) -> Pixels {
        self.preprocessor().pixels(picture)
    }

    fn seen(&self, width: u32, height: u32) -> SeenPart {
        self.preprocessor().seen(width, height)
    }

    fn smallest(&self) -> Smallest {
        self.preprocessor().smallest()
    }

    fn has_own_device(&self) -> bool {
        self.whole.options.device != Device::Cpu
    }

    fn n_parts(&self) -> usize {
        self.parts.len().max(1)
    }

    fn load(&self, lane: Lane) -> Result<(), EngineError> {
        self.tower(lane)
            .with(sightline_onnx::ImageTower::load, |_| Ok(()))
    }

    fn unload(&self) {
        self.whole.unload();
        for part in &self.parts {
            part.unload();
        }
    }

    fn encode_in(&self, lane: Lane, batch: &[Pixels]) -> Result<Vec<Vec<f32>>, EngineError> {
        let embeddings = self
            .tower(lane)
            .with(sightline_onnx::ImageTower::load, |tower| {
                tower.encode(batch)
            })?;
        Ok(embeddings
            .into_iter()
            .map(sightline_onnx::Embedding::into_vec)
            .collect())
    }
}

struct OnnxTextEncoder {
    tower: LazyTower<sightline_onnx::TextTower>,
    /// Position among the text towers of the model.
    number: usize,
    /// Its tokenizer, for what is asked while the tower runs.
    reader: OnceLock<TextReader>,
    /// Queries that wait for the tower.
    queries: Gathering,
}

impl OnnxTextEncoder {
    fn with<R>(
        &self,
        run: impl FnOnce(&mut sightline_onnx::TextTower) -> Result<R, EncodeError>,
    ) -> Result<R, EngineError> {
        let load = |runtime: &Runtime, model: &Model, options: &SessionOptions| {
            sightline_onnx::TextTower::load_nth(runtime, model, self.number, options)
        };
        self.tower.with(load, run)
    }

    fn reader(&self) -> Result<&TextReader, EngineError> {
        if let Some(reader) = self.reader.get() {
            return Ok(reader);
        }
        let reader = self.with(|tower| Ok(tower.reader()))?;
        Ok(self.reader.get_or_init(|| reader))
    }

    /// Whether the embedding of a text may depend on the texts that are encoded with it: int8
    /// models quantise the values of a run by its largest one.
    fn mixes_texts(&self) -> bool {
        self.tower.model.precision() == Precision::Int8
    }

    fn encode_as(&self, role: TextRole, texts: &[&str]) -> Result<Vec<Vec<f32>>, EngineError> {
        let embeddings = self.with(|tower| tower.encode_as(role, texts))?;
        Ok(embeddings
            .into_iter()
            .map(sightline_onnx::Embedding::into_vec)
            .collect())
    }
}

impl TextEncoder for OnnxTextEncoder {
    fn unload(&self) {
        self.tower.unload();
    }

    fn encode(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EngineError> {
        self.encode_as(TextRole::Caption, texts)
    }

    fn encode_queries(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EngineError> {
        let encode = |texts: &[&str]| self.encode_as(TextRole::Query, texts);
        match texts {
            [text] if !self.mixes_texts() => Ok(vec![self.queries.encode(text, encode)?]),
            texts => encode(texts),
        }
    }

    fn tells_queries(&self) -> bool {
        let config = self.tower.model.tokenize_nth(self.number);
        config.is_some_and(|config| config.query_prefix != config.caption_prefix)
    }

    fn n_tokens_dropped(&self, text: &str) -> Result<usize, EngineError> {
        Ok(self.reader()?.n_tokens_dropped(TextRole::Caption, text)?)
    }

    fn n_query_tokens_dropped(&self, text: &str) -> Result<usize, EngineError> {
        Ok(self.reader()?.n_tokens_dropped(TextRole::Query, text)?)
    }

    fn knows(&self, text: &str) -> Result<bool, EngineError> {
        Ok(self.reader()?.knows(text)?)
    }
}
