//! Checks a model on built-in pictures and texts: whether it works, how fast, how precise.

use std::fmt;
use std::ops::ControlFlow;
use std::time::{Duration, Instant, SystemTime};

use sightline_onnx::{
    Calibration, Embedding, EncodeError, ImageTower, Model, Pixels, Precision, Runtime,
    SessionOptions, TextTower, Unrelated,
};
use sightline_picture::DecodeLimits;

use super::chance::matches_needed;
use super::error::ModelsError;
use super::pairs::{BALLS, Language, PAIRS, Pair, Writing};
use super::registry::{Entry, Registry};
use super::verdict::{Agreement, Figures, Verdict};

/// Speed is measured in this many rounds, or as many as fit into [`MAX_MEASURING`]. The best round
/// counts, since other work on the machine can only slow it down.
const ROUNDS: usize = 5;
const MAX_MEASURING: Duration = Duration::from_secs(4);

/// Pictures encoded at once.
const BATCH: usize = 8;

/// Colours count as swapped only beyond this. The starter model has ±0.22; a model that sees no
/// colours is near 0.
const MIN_COLOURS: f64 = 0.05;

/// Values of embeddings that differ by less are equal.
const TOLERANCE: f32 = 1e-6;

/// Results of checking a model on this machine.
#[derive(Debug, Clone)]
pub struct Check {
    /// Each checked precision, the most exact one first.
    pub checked: Vec<Checked>,
    /// Which of them should be used.
    pub verdict: Verdict,
}

/// Result of checking one precision of a model.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The model at this precision.
    pub model: Model,
    /// What was measured, or one line that says why the model does not work.
    pub outcome: Result<Outcome, String>,
}

/// What was measured for one precision of a model.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The image tower.
    pub image: Tower,
    /// The first text tower.
    pub text: Tower,
    /// The text towers of other languages.
    pub other_texts: Vec<OtherText>,
    /// Number of pairs of a picture and a text.
    pub n_pairs: usize,
    /// Pictures encoded at once when speed was measured.
    pub n_batch: usize,
    /// How well they match, in the language in which more texts have their own picture first.
    pub matches: Matches,
    /// Fewest texts with their own picture first that chance reaches in at most 1 % of cases.
    pub n_needed: usize,
    /// The English texts in capitals.
    pub capitals: Rewritten,
    /// The English texts with punctuation.
    pub punctuation: Rewritten,
    /// The English texts with an accent each.
    pub accents: Rewritten,
    /// How much nearer a red and a blue ball are to their own text than to the other's: the sum
    /// over both. Negative if red and blue are swapped.
    pub colours: f64,
    /// Speed, and comparison with fp32.
    pub figures: Figures,
    /// The cosines of unrelated pairs; `None` if they are all equal.
    pub calibration: Option<Calibration>,
}

/// How well pictures and texts of a language match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Matches {
    /// The language.
    pub language: Language,
    /// Texts to which their own picture is the most similar one.
    pub n_texts_first: usize,
    /// Pictures to which their own text is the most similar one.
    pub n_pictures_first: usize,
}

/// What was measured for a text tower besides the first.
#[derive(Debug, Clone)]
pub struct OtherText {
    /// Codes of its languages.
    pub languages: Vec<&'static str>,
    /// Loading and output.
    pub tower: Tower,
    /// Milliseconds per text, one at a time.
    pub ms_per_text: f64,
    /// How well pictures and texts match in one of its languages; `None` if the check has no texts
    /// in any of them.
    pub matches: Option<Matches>,
}

impl OtherText {
    /// What the tower is called in messages: `text tower for zh, de`.
    #[must_use]
    pub fn name(&self) -> String {
        name_of_text_tower(&self.languages)
    }
}

fn name_of_text_tower(languages: &[&str]) -> String {
    format!("text tower for {}", languages.join(", "))
}

/// What becomes of the texts when they are written in another way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rewritten {
    /// Mean cosine to the embeddings of the plain texts.
    pub cosine: f64,
    /// Texts to which their own picture is the most similar one.
    pub n_texts_first: usize,
}

impl Outcome {
    /// Whether pictures and texts match better than by chance.
    #[must_use]
    pub fn is_better_than_chance(&self) -> bool {
        self.at_chance().is_none()
    }

    /// The matches that chance reaches, if there are any, and the text tower besides the first that
    /// they are of.
    fn at_chance(&self) -> Option<(Matches, Option<&OtherText>)> {
        let of_others = self.other_texts.iter();
        let of_others = of_others.filter_map(|text| Some((text.matches?, Some(text))));
        let mut all = std::iter::once((self.matches, None)).chain(of_others);
        all.find(|(matches, _)| matches.n_texts_first < self.n_needed)
    }

    /// Whether the model takes red for blue.
    #[must_use]
    pub fn swaps_colours(&self) -> bool {
        self.is_better_than_chance() && self.colours < -MIN_COLOURS
    }

    /// Whether pictures and texts match, but for fewer texts than with a good model.
    #[must_use]
    pub fn is_weak(&self) -> bool {
        self.is_better_than_chance() && self.matches.n_texts_first < self.n_pairs * 7 / 8
    }
}

/// What was measured for one tower.
#[derive(Debug, Clone)]
pub struct Tower {
    /// Time to load it.
    pub load: Duration,
    /// Lowest and highest length of its output before normalization.
    pub raw_norm: (f32, f32),
}

impl Check {
    /// Checks the precisions of one model. `progress` is called before each of them and can stop
    /// the check; then the result is `Ok(None)`.
    ///
    /// With `must_match`, a picture or text whose counterpart is not the most similar one is a
    /// failure. Otherwise it is only counted, since no model is perfect.
    ///
    /// # Errors
    /// When the device is not available. A model that does not work is not an error but an outcome.
    pub fn run(
        models: &[Model],
        runtime: &Runtime,
        options: &SessionOptions,
        must_match: bool,
        progress: &mut dyn FnMut(Precision) -> ControlFlow<()>,
    ) -> Result<Option<Self>, ModelsError> {
        let mut reference: Option<LoadedModel> = None;
        let mut checked = Vec::new();
        for model in models {
            if progress(model.precision()).is_break() {
                return Ok(None);
            }
            let outcome = LoadedModel::load(model, runtime, options).and_then(|mut loaded| {
                let outcome = loaded.outcome(reference.as_mut(), must_match)?;
                if model.precision() == Precision::Fp32 {
                    reference = Some(loaded);
                }
                Ok(outcome)
            });
            let outcome = match outcome {
                Ok(outcome) => Ok(outcome),
                Err(CheckFailure::Encode(error @ EncodeError::Device(_))) => {
                    return Err(error.into());
                }
                Err(failure) => Err(failure.to_string()),
            };
            checked.push(Checked {
                model: model.clone(),
                outcome,
            });
        }
        Ok(Some(Self {
            verdict: verdict(&checked),
            checked,
        }))
    }

    /// Whether every checked precision works.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.checked.iter().all(|checked| checked.outcome.is_ok())
    }

    /// The outcome of the chosen precision.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        let is_chosen = |one: &&Checked| Some(one.model.precision()) == self.verdict.chosen;
        self.checked.iter().find(is_chosen)?.outcome.as_ref().ok()
    }

    /// Checks that pictures and texts match better than by chance at the chosen precision. `model`
    /// is its name for messages. A model that does not work at all passes.
    ///
    /// # Errors
    /// [`ModelsError::NoBetterThanChance`].
    pub fn require_matches(&self, model: &str) -> Result<(), ModelsError> {
        let Some(outcome) = self.outcome() else {
            return Ok(());
        };
        let Some((matches, other)) = outcome.at_chance() else {
            return Ok(());
        };
        let model = other.map_or_else(
            || model.to_owned(),
            |text| format!("{model}, {}", text.name()),
        );
        Err(ModelsError::NoBetterThanChance {
            model,
            n_first: matches.n_texts_first,
            n_pairs: outcome.n_pairs,
            n_needed: outcome.n_needed,
        })
    }
}

impl Registry {
    /// Records the check of all precisions of a model, and with it which of them is used by
    /// default.
    ///
    /// # Errors
    /// When `models.toml` cannot be written, or a copied model cannot be opened.
    pub fn record_check(&self, entry: &Entry, check: &Check) -> Result<(), ModelsError> {
        let mut results = Vec::new();
        for Checked { model, outcome } in &check.checked {
            let fingerprint = model.fingerprint();
            let stamp = match entry.folder() {
                Some(folder) if model.folder() != Some(folder) => {
                    // Copied since the check: the same bytes, but other times.
                    let known = |_: &str| Some(fingerprint.to_owned());
                    let copied = Model::open_known(folder, Some(model.precision()), &known)?;
                    copied.stamp().map(ToOwned::to_owned)
                }
                _ => model.stamp().map(ToOwned::to_owned),
            };
            let outcome = outcome.as_ref().ok();
            let figures = outcome.map(|outcome| outcome.figures.clone());
            let calibration = outcome.and_then(|outcome| outcome.calibration);
            results.push((
                model.precision(),
                fingerprint,
                stamp.unwrap_or_default(),
                figures,
                calibration,
            ));
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        self.update_record(entry, |record| {
            for (precision, fingerprint, stamp, figures, calibration) in results {
                record.set_fingerprint(precision, fingerprint, stamp);
                if let Some(variant) = record.precisions.get_mut(precision.as_str()) {
                    variant.figures = figures;
                    variant.unrelated = calibration;
                }
            }
            record.precision = check.verdict.chosen.map(|chosen| chosen.to_string());
            record.checked_unix_s = now.ok().map(|since| since.as_secs());
        })
    }
}

/// Which of the precisions that work should be used.
fn verdict(checked: &[Checked]) -> Verdict {
    let sound = checked.iter().filter_map(|one| {
        let outcome = one.outcome.as_ref().ok()?;
        Some((one.model.precision(), outcome.figures.to_fp32))
    });
    Verdict::choose(&sound.collect::<Vec<_>>())
}

/// Why a precision of a model does not work.
enum CheckFailure {
    Encode(EncodeError),
    /// What is wrong with its output.
    Output(String),
}

impl From<EncodeError> for CheckFailure {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

impl fmt::Display for CheckFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Output(what) => f.write_str(what),
            Self::Encode(error) => {
                let mut text = error.to_string();
                let mut cause = std::error::Error::source(error);
                while let Some(error) = cause {
                    let message = error.to_string();
                    if !text.contains(&message) {
                        text = format!("{text}: {message}");
                    }
                    cause = error.source();
                }
                f.write_str(&text)
            }
        }
    }
}

/// A text tower besides the first, loaded, with the texts that it encodes.
struct LoadedText {
    tower: TextTower,
    languages: Vec<&'static str>,
    loading: Duration,
    /// The language of the texts, if it is one of the tower's own.
    language: Option<Language>,
    texts: [&'static str; PAIRS.len()],
    of_texts: Vec<Embedding>,
}

impl LoadedText {
    /// Loads text tower `n`, and encodes everything once. An error names the tower.
    fn load(
        model: &Model,
        n: usize,
        runtime: &Runtime,
        options: &SessionOptions,
    ) -> Result<Self, CheckFailure> {
        let languages = model.text_languages().get(n).copied().unwrap_or_default();
        let languages: Vec<&str> = languages.iter().map(|language| language.code()).collect();
        let load = || {
            let began = Instant::now();
            let mut tower = TextTower::load_nth(runtime, model, n, options)?;
            let loading = began.elapsed();
            let mut own = Language::ALL.into_iter();
            let language = own.find(|language| languages.contains(&language.code()));
            let texts = in_language(language.unwrap_or(Language::English));
            let of_texts = usable("text", "text", tower.encode(&texts))?;
            Ok(Self {
                tower,
                languages: languages.clone(),
                loading,
                language,
                texts,
                of_texts,
            })
        };
        load().map_err(|failure| match failure {
            CheckFailure::Encode(EncodeError::Device(_)) => failure,
            failure => {
                let name = name_of_text_tower(&languages);
                CheckFailure::Output(format!("{name}: {failure}"))
            }
        })
    }

    fn outcome(&mut self, of_pictures: &[Embedding]) -> Result<OtherText, CheckFailure> {
        let mut fastest = Duration::MAX;
        for _ in 0..ROUNDS {
            let began = Instant::now();
            for text in self.texts {
                self.tower.encode(&[text])?;
            }
            fastest = fastest.min(began.elapsed());
        }
        Ok(OtherText {
            languages: self.languages.clone(),
            tower: Tower {
                load: self.loading,
                raw_norm: norms(&self.of_texts),
            },
            ms_per_text: ms_each(fastest),
            matches: self
                .language
                .map(|language| matches_of(language, &self.of_texts, of_pictures)),
        })
    }
}

/// All towers, loaded, with the pictures and texts that they encode.
struct LoadedModel {
    images: ImageTower,
    texts: TextTower,
    other_texts: Vec<LoadedText>,
    loading: (Duration, Duration),
    pixels: Vec<Pixels>,
    of_pictures: Vec<Embedding>,
    of_texts: Vec<Embedding>,
    of_balls: Vec<Embedding>,
}

impl LoadedModel {
    /// Loads all towers, and encodes everything once.
    fn load(
        model: &Model,
        runtime: &Runtime,
        options: &SessionOptions,
    ) -> Result<Self, CheckFailure> {
        let began = Instant::now();
        let mut images = ImageTower::load(runtime, model, options)?;
        let of_image = began.elapsed();
        let began = Instant::now();
        let mut texts = TextTower::load(runtime, model, options)?;
        let of_text = began.elapsed();
        let pixels = pixels(model, &PAIRS)?;
        let of_pictures = usable("image", "picture", in_batches(&mut images, &pixels))?;
        let of_balls = images.encode(&self::pixels(model, &BALLS)?)?;
        let english = in_language(Language::English);
        let of_texts = usable("text", "text", texts.encode(&english))?;
        let others = 1..model.text_languages().len();
        let others = others.map(|n| LoadedText::load(model, n, runtime, options));
        Ok(Self {
            images,
            texts,
            other_texts: others.collect::<Result<_, _>>()?,
            loading: (of_image, of_text),
            pixels,
            of_pictures,
            of_texts,
            of_balls,
        })
    }

    fn outcome(
        &mut self,
        reference: Option<&mut Self>,
        must_match: bool,
    ) -> Result<Outcome, CheckFailure> {
        let matches = self.best_matches();
        let n_pairs = PAIRS.len();
        if must_match && matches.n_texts_first + matches.n_pictures_first < 2 * n_pairs {
            let what = "a picture and the text about it are not each other's best match";
            return Err(CheckFailure::Output(what.to_owned()));
        }
        let capitals = self.rewritten(Writing::Capitals)?;
        let punctuation = self.rewritten(Writing::Punctuation)?;
        let accents = self.rewritten(Writing::Accents)?;
        let colours = self.colours(matches.language)?;
        let figures = match reference {
            None => {
                let own = measure(&mut [self])?;
                Figures {
                    ms_per_picture: own[0].0,
                    ms_per_text: own[0].1,
                    to_fp32: None,
                }
            }
            Some(reference) => {
                let (mean_cosine, worst_cosine) = self.cosines(reference);
                let both = measure(&mut [self, reference])?;
                Figures {
                    ms_per_picture: both[0].0,
                    ms_per_text: both[0].1,
                    to_fp32: Some(Agreement {
                        mean_cosine,
                        worst_cosine,
                        picture_speed: both[1].0 / both[0].0,
                        text_speed: both[1].1 / both[0].1,
                    }),
                }
            }
        };
        let of_pictures = &self.of_pictures;
        let others = self.other_texts.iter_mut();
        let others = others.map(|text| text.outcome(of_pictures));
        Ok(Outcome {
            calibration: calibration(&self.of_texts, &self.of_pictures),
            other_texts: others.collect::<Result<_, _>>()?,
            image: Tower {
                load: self.loading.0,
                raw_norm: norms(&self.of_pictures),
            },
            text: Tower {
                load: self.loading.1,
                raw_norm: norms(&self.of_texts),
            },
            n_pairs,
            n_batch: BATCH,
            matches,
            n_needed: n_needed(),
            capitals,
            punctuation,
            accents,
            colours,
            figures,
        })
    }

    /// The matches in the first language that is understood, else those in English.
    fn best_matches(&mut self) -> Matches {
        let english = self.matches(Language::English, &self.of_texts);
        if english.n_texts_first >= n_needed() {
            return english;
        }
        for language in Language::ALL {
            // A tokenizer may know none of the characters of another language.
            let Ok(of_texts) = self.texts.encode(&in_language(language)) else {
                continue;
            };
            let found = self.matches(language, &of_texts);
            if found.n_texts_first >= n_needed() {
                return found;
            }
        }
        english
    }

    fn matches(&self, language: Language, of_texts: &[Embedding]) -> Matches {
        matches_of(language, of_texts, &self.of_pictures)
    }

    fn rewritten(&mut self, writing: Writing) -> Result<Rewritten, EncodeError> {
        let texts = in_language(Language::English).map(|text| writing.apply(text));
        let of_texts = self.texts.encode(&texts.each_ref().map(String::as_str))?;
        let cosines = self.of_texts.iter().zip(&of_texts);
        let sum: f64 = cosines.map(|(a, b)| cosine(a, b)).sum();
        Ok(Rewritten {
            cosine: sum / texts.len() as f64,
            n_texts_first: n_first(&of_texts, &self.of_pictures),
        })
    }

    /// [`Outcome::colours`] by texts in a language.
    fn colours(&mut self, language: Language) -> Result<f64, EncodeError> {
        let of_texts = self
            .texts
            .encode(&BALLS.each_ref().map(|pair| pair.text(language)))?;
        let own = |at: usize| cosine(&of_texts[at], &self.of_balls[at]);
        let other = |at: usize| cosine(&of_texts[at], &self.of_balls[1 - at]);
        Ok(own(0) + own(1) - other(0) - other(1))
    }

    /// Mean and lowest cosine to the embeddings of another precision.
    fn cosines(&self, other: &Self) -> (f64, f64) {
        let own = self.embeddings().zip(other.embeddings());
        let cosines: Vec<f64> = own.map(|(a, b)| cosine(a, b)).collect();
        let mean = cosines.iter().sum::<f64>() / cosines.len() as f64;
        (mean, cosines.into_iter().fold(f64::INFINITY, f64::min))
    }

    fn embeddings(&self) -> impl Iterator<Item = &Embedding> {
        let of_others = self.other_texts.iter().flat_map(|text| &text.of_texts);
        self.of_pictures
            .iter()
            .chain(&self.of_texts)
            .chain(of_others)
    }

    /// Milliseconds per picture, in batches, and per text, one by one.
    fn time(&mut self) -> Result<(f64, f64), EncodeError> {
        let began = Instant::now();
        in_batches(&mut self.images, &self.pixels)?;
        let of_pictures = began.elapsed();
        let began = Instant::now();
        for text in in_language(Language::English) {
            self.texts.encode(&[text])?;
        }
        let of_texts = began.elapsed();
        Ok((ms_each(of_pictures), ms_each(of_texts)))
    }
}

/// Milliseconds per pair, to the microsecond; more digits are noise.
fn ms_each(all: Duration) -> f64 {
    all.as_micros() as f64 / 1e3 / PAIRS.len() as f64
}

fn matches_of(language: Language, of_texts: &[Embedding], of_pictures: &[Embedding]) -> Matches {
    Matches {
        language,
        n_texts_first: n_first(of_texts, of_pictures),
        n_pictures_first: n_first(of_pictures, of_texts),
    }
}

/// The pictures of these pairs, prepared for a model.
fn pixels(model: &Model, pairs: &[Pair]) -> Result<Vec<Pixels>, CheckFailure> {
    let preprocessor = model.preprocessor();
    let mut pixels = Vec::new();
    for pair in pairs {
        let picture = sightline_picture::decode(pair.jpeg, &DecodeLimits::default());
        let picture = picture
            .map_err(|error| CheckFailure::Output(format!("{}: {}", pair.name, error.reason())))?;
        pixels.push(preprocessor.pixels(&picture));
    }
    Ok(pixels)
}

/// Encodes pictures in batches, which bounds the memory that a large model takes.
fn in_batches(images: &mut ImageTower, pixels: &[Pixels]) -> Result<Vec<Embedding>, EncodeError> {
    let mut embeddings = Vec::new();
    for (number, batch) in pixels.chunks(BATCH).enumerate() {
        let encoded = images.encode(batch).map_err(|error| match error {
            EncodeError::ZeroOrNotFinite { position } => EncodeError::ZeroOrNotFinite {
                position: number * BATCH + position,
            },
            error => error,
        });
        embeddings.extend(encoded?);
    }
    Ok(embeddings)
}

/// The texts of all pairs in a language.
fn in_language(language: Language) -> [&'static str; PAIRS.len()] {
    PAIRS.each_ref().map(|pair| pair.text(language))
}

fn n_needed() -> usize {
    matches_needed(PAIRS.len(), Language::ALL.len())
}

/// The cosines of the pairs of a text and a picture, of two texts and of two pictures that do not
/// belong together.
fn calibration(of_texts: &[Embedding], of_pictures: &[Embedding]) -> Option<Calibration> {
    let unrelated = |from: &[Embedding], to: &[Embedding]| {
        let pairs = (0..from.len()).flat_map(|i| (0..to.len()).map(move |j| (i, j)));
        let others = pairs.filter(|(i, j)| i != j);
        let cosines: Vec<f32> = others.map(|(i, j)| from[i].similarity(&to[j])).collect();
        Unrelated::of(&cosines)
    };
    Some(Calibration {
        text_picture: unrelated(of_texts, of_pictures)?,
        text_text: unrelated(of_texts, of_texts)?,
        picture_picture: unrelated(of_pictures, of_pictures)?,
    })
}

/// How many embeddings are the most similar to the one at the same position among the others.
fn n_first(from: &[Embedding], to: &[Embedding]) -> usize {
    let is_first = |(at, one): (usize, &Embedding)| {
        let own = one.similarity(&to[at]);
        let mut others = to.iter().enumerate().filter(|(other, _)| *other != at);
        others.all(|(_, other)| one.similarity(other) < own)
    };
    from.iter().enumerate().filter(|one| is_first(*one)).count()
}

/// The best times of each, measured in turns, so that other work on the machine affects all alike.
fn measure(all: &mut [&mut LoadedModel]) -> Result<Vec<(f64, f64)>, EncodeError> {
    let mut best = vec![(f64::INFINITY, f64::INFINITY); all.len()];
    let began = Instant::now();
    for round in 0..ROUNDS {
        if round > 0 && began.elapsed() > MAX_MEASURING {
            break;
        }
        for (one, best) in all.iter_mut().zip(&mut best) {
            let (of_picture, of_text) = one.time()?;
            *best = (best.0.min(of_picture), best.1.min(of_text));
        }
    }
    Ok(best)
}

/// Fails for embeddings that are not finite, zero, or all equal.
fn usable(
    tower: &str,
    kind: &str,
    embeddings: Result<Vec<Embedding>, EncodeError>,
) -> Result<Vec<Embedding>, CheckFailure> {
    let embeddings = match embeddings {
        Err(EncodeError::ZeroOrNotFinite { position }) => {
            let name = PAIRS.get(position).map_or("?", |pair| pair.name);
            return Err(CheckFailure::Output(format!(
                "the {tower} tower returns zeros, infinities or NaN for the {kind} of the {name}"
            )));
        }
        embeddings => embeddings?,
    };
    let is_same = |a: &Embedding, b: &Embedding| {
        let values = a.as_slice().iter().zip(b.as_slice());
        values.into_iter().all(|(a, b)| (a - b).abs() < TOLERANCE)
    };
    if embeddings.windows(2).all(|two| is_same(&two[0], &two[1])) {
        return Err(CheckFailure::Output(format!(
            "the {tower} tower returns the same embedding for every {kind}"
        )));
    }
    Ok(embeddings)
}

fn cosine(a: &Embedding, b: &Embedding) -> f64 {
    let values = a.as_slice().iter().zip(b.as_slice());
    values.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

fn norms(embeddings: &[Embedding]) -> (f32, f32) {
    let norms = embeddings.iter().map(Embedding::raw_norm);
    norms.fold((f32::INFINITY, 0.0), |(low, high), norm| {
        (low.min(norm), high.max(norm))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_tower_must_match_better_than_chance() {
        let tower = || Tower {
            load: Duration::ZERO,
            raw_norm: (1.0, 1.0),
        };
        let matches = |n_texts_first| Matches {
            language: Language::Chinese,
            n_texts_first,
            n_pictures_first: 0,
        };
        let other = |language, matches| OtherText {
            languages: vec![language],
            tower: tower(),
            ms_per_text: 1.0,
            matches,
        };
        let rewritten = Rewritten {
            cosine: 1.0,
            n_texts_first: 16,
        };
        let refused = |n_first, others: Vec<OtherText>| {
            let outcome = Outcome {
                calibration: None,
                image: tower(),
                text: tower(),
                other_texts: others,
                n_pairs: 16,
                n_batch: 8,
                matches: matches(n_first),
                n_needed: 5,
                capitals: rewritten,
                punctuation: rewritten,
                accents: rewritten,
                colours: 0.0,
                figures: Figures {
                    ms_per_picture: 1.0,
                    ms_per_text: 1.0,
                    to_fp32: None,
                },
            };
            let model = Model::starter().unwrap();
            let check = Check {
                verdict: Verdict {
                    chosen: Some(model.precision()),
                    reason: String::new(),
                },
                checked: vec![Checked {
                    model,
                    outcome: Ok(outcome),
                }],
            };
            match check.require_matches("clip") {
                Err(ModelsError::NoBetterThanChance { model, n_first, .. }) => {
                    Some((model, n_first))
                }
                _ => None,
            }
        };
        assert_eq!(refused(5, vec![other("zh", Some(matches(5)))]), None);
        // Nothing is known of a language without texts.
        assert_eq!(refused(5, vec![other("de", None)]), None);
        let others = || vec![other("de", None), other("zh", Some(matches(4)))];
        let expected = ("clip, text tower for zh".to_owned(), 4);
        assert_eq!(refused(16, others()), Some(expected));
        assert_eq!(refused(4, others()), Some(("clip".to_owned(), 4)));
    }
}
