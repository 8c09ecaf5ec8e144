//! Does a model work, how fast is it here, and which copy of its graphs should be run?

use std::fmt;
use std::ops::ControlFlow;
use std::time::{Duration, Instant, SystemTime};

use sightline_onnx::{
    Embedding, EncodeError, ImageTower, Model, Pixels, Precision, Runtime, SessionOptions,
    TextTower,
};
use sightline_picture::DecodeLimits;

use super::error::ModelsError;
use super::registry::{Entry, Registry};
use super::verdict::{Agreement, Figures, Verdict};

/// Speed is measured in this many rounds, or as many as fit into [`MEASURING`]. The best round
/// counts: other work on the machine only ever slows it down.
const ROUNDS: usize = 5;
const MEASURING: Duration = Duration::from_secs(4);

/// Values of embeddings that differ by less are the same.
const SAME: f32 = 1e-6;

/// Pictures, each with a text about it: name, JPEG file, text.
const PAIRS: [(&str, &[u8], &str); 8] = [
    (
        "citrus slices",
        include_bytes!("pictures/citrus_slices.jpg"),
        "slices of orange, lemon and lime",
    ),
    (
        "coffee",
        include_bytes!("pictures/coffee.jpg"),
        "a cup of coffee with a spoon on a wooden table",
    ),
    (
        "Colosseum",
        include_bytes!("pictures/colosseum.jpg"),
        "the Colosseum in Rome",
    ),
    (
        "dog",
        include_bytes!("pictures/german_shepherd.jpg"),
        "a dog",
    ),
    (
        "horses",
        include_bytes!("pictures/horses.jpg"),
        "horses on a meadow",
    ),
    (
        "orchestra",
        include_bytes!("pictures/orchestra.jpg"),
        "an orchestra playing on stage with a conductor",
    ),
    (
        "panda",
        include_bytes!("pictures/panda.jpg"),
        "a giant panda sitting on rocks",
    ),
    (
        "tulips",
        include_bytes!("pictures/tulips.jpg"),
        "a field of pink tulips",
    ),
];

/// What was found out about a model on this machine.
#[derive(Debug, Clone)]
pub struct Check {
    /// Each precision that was looked at, the most exact one first.
    pub checked: Vec<Checked>,
    /// Which of them should be run.
    pub verdict: Verdict,
}

/// What was found out about one precision of a model.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The model at this precision.
    pub model: Model,
    /// What was measured, or in one line why the model cannot be used.
    pub outcome: Result<Outcome, String>,
}

/// What was measured of one precision of a model.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The image tower.
    pub image: Tower,
    /// The text tower.
    pub text: Tower,
    /// How many pictures and texts there are, each of them one half of a pair.
    pub n_pairs: usize,
    /// For how many texts their own picture is the most similar one.
    pub n_texts_first: usize,
    /// For how many pictures their own text is the most similar one.
    pub n_pictures_first: usize,
    /// Speed, and how near it comes to fp32.
    pub figures: Figures,
}

/// What was measured of one tower.
#[derive(Debug, Clone)]
pub struct Tower {
    /// How long it took to load.
    pub load: Duration,
    /// Lowest and highest length of what it puts out, before that is scaled to 1.
    pub raw_norm: (f32, f32),
}

impl Check {
    /// Runs the precisions of one model on built-in pictures and texts. `progress` is told which
    /// one is next and may stop the check: `Ok(None)`.
    ///
    /// With `must_match`, a picture or text whose other half is not the most similar one is a
    /// failure; else it is only counted, since the texts are English and no model is perfect.
    ///
    /// # Errors
    /// When ONNX Runtime or the device cannot be had. A model that does not work is no error but
    /// an outcome.
    pub fn run(
        models: &[Model],
        runtime: &Runtime,
        options: &SessionOptions,
        must_match: bool,
        progress: &mut dyn FnMut(Precision) -> ControlFlow<()>,
    ) -> Result<Option<Self>, ModelsError> {
        let mut reference: Option<Loaded> = None;
        let mut checked = Vec::new();
        for model in models {
            if progress(model.precision()).is_break() {
                return Ok(None);
            }
            let outcome = Loaded::load(model, runtime, options).and_then(|mut loaded| {
                let outcome = loaded.outcome(reference.as_mut(), must_match)?;
                if model.precision() == Precision::Fp32 {
                    reference = Some(loaded);
                }
                Ok(outcome)
            });
            let outcome = match outcome {
                Ok(outcome) => Ok(outcome),
                Err(Failure::Encode(error @ EncodeError::Device(_))) => return Err(error.into()),
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

    /// Whether every precision that was looked at works.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.checked.iter().all(|checked| checked.outcome.is_ok())
    }
}

impl Registry {
    /// Writes down what a check of all precisions of a model found, and with it which of them is
    /// run from now on.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub fn note_check(&self, entry: &Entry, check: &Check) -> Result<(), ModelsError> {
        let mut noted = Vec::new();
        for Checked { model, outcome } in &check.checked {
            let fingerprint = model.fingerprint();
            let stamp = match entry.folder() {
                Some(folder) if model.folder() != Some(folder) => {
                    // They were copied since: the bytes are the same, their times are not.
                    let known = |_: &str| Some(fingerprint.to_owned());
                    let copied = Model::open_known(folder, Some(model.precision()), &known)?;
                    copied.stamp().map(ToOwned::to_owned)
                }
                _ => model.stamp().map(ToOwned::to_owned),
            };
            let figures = outcome.as_ref().ok().map(|outcome| outcome.figures.clone());
            noted.push((
                model.precision(),
                fingerprint,
                stamp.unwrap_or_default(),
                figures,
            ));
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        self.note(entry, |record| {
            for (precision, fingerprint, stamp, figures) in noted {
                record.note(precision, fingerprint, stamp);
                if let Some(variant) = record.precisions.get_mut(precision.as_str()) {
                    variant.figures = figures;
                }
            }
            record.precision = check.verdict.chosen.map(|chosen| chosen.to_string());
            record.checked_unix_s = now.ok().map(|since| since.as_secs());
        })
    }
}

/// Which of the precisions that work should be run.
fn verdict(checked: &[Checked]) -> Verdict {
    let sound = checked.iter().filter_map(|one| {
        let outcome = one.outcome.as_ref().ok()?;
        Some((one.model.precision(), outcome.figures.to_fp32))
    });
    Verdict::choose(&sound.collect::<Vec<_>>())
}

/// Why a precision of a model cannot be used.
enum Failure {
    Encode(EncodeError),
    /// What is wrong with what it put out.
    Output(String),
}

impl From<EncodeError> for Failure {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Output(what) => f.write_str(what),
            Self::Encode(error) => {
                let mut told = error.to_string();
                let mut cause = std::error::Error::source(error);
                while let Some(next) = cause {
                    let next_told = next.to_string();
                    if !told.contains(&next_told) {
                        told = format!("{told}: {next_told}");
                    }
                    cause = next.source();
                }
                f.write_str(&told)
            }
        }
    }
}

/// Both towers, loaded, with the pictures and texts that they are shown.
struct Loaded {
    images: ImageTower,
    texts: TextTower,
    loading: (Duration, Duration),
    pixels: Vec<Pixels>,
    of_pictures: Vec<Embedding>,
    of_texts: Vec<Embedding>,
}

impl Loaded {
    /// Loads both towers and lets them encode everything once.
    fn load(model: &Model, runtime: &Runtime, options: &SessionOptions) -> Result<Self, Failure> {
        let began = Instant::now();
        let mut images = ImageTower::load(runtime, model, options)?;
        let of_image = began.elapsed();
        let began = Instant::now();
        let mut texts = TextTower::load(runtime, model, options)?;
        let of_text = began.elapsed();
        let preprocessor = model.preprocessor();
        let mut pixels = Vec::new();
        for (name, jpeg, _) in PAIRS {
            let picture = sightline_picture::decode(jpeg, &DecodeLimits::default())
                .map_err(|error| Failure::Output(format!("{name}: {}", error.reason())))?;
            pixels.push(preprocessor.pixels(&picture));
        }
        let of_pictures = usable("image", "picture", images.encode(&pixels))?;
        let of_texts = usable(
            "text",
            "text",
            texts.encode(&PAIRS.map(|(_, _, text)| text)),
        )?;
        Ok(Self {
            images,
            texts,
            loading: (of_image, of_text),
            pixels,
            of_pictures,
            of_texts,
        })
    }

    fn outcome(
        &mut self,
        reference: Option<&mut Self>,
        must_match: bool,
    ) -> Result<Outcome, Failure> {
        let (n_texts_first, n_pictures_first) = self.n_first();
        let n_pairs = PAIRS.len();
        if must_match && n_texts_first + n_pictures_first < 2 * n_pairs {
            let what = "a picture and the text about it are not the most similar ones";
            return Err(Failure::Output(what.to_owned()));
        }
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
                let (mean_cosine, worst_cosine) = self.nearness(reference);
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
        Ok(Outcome {
            image: Tower {
                load: self.loading.0,
                raw_norm: norms(&self.of_pictures),
            },
            text: Tower {
                load: self.loading.1,
                raw_norm: norms(&self.of_texts),
            },
            n_pairs,
            n_texts_first,
            n_pictures_first,
            figures,
        })
    }

    /// For how many texts, and for how many pictures, their other half comes first.
    fn n_first(&self) -> (usize, usize) {
        let n_first = |from: &[Embedding], to: &[Embedding]| {
            let is_first = |(at, one): (usize, &Embedding)| {
                let own = one.similarity(&to[at]);
                let mut others = to.iter().enumerate().filter(|(other, _)| *other != at);
                others.all(|(_, other)| one.similarity(other) < own)
            };
            from.iter().enumerate().filter(|one| is_first(*one)).count()
        };
        (
            n_first(&self.of_texts, &self.of_pictures),
            n_first(&self.of_pictures, &self.of_texts),
        )
    }

    /// Mean and lowest cosine to the embeddings of another one.
    fn nearness(&self, other: &Self) -> (f64, f64) {
        let own = self.of_pictures.iter().chain(&self.of_texts);
        let others = other.of_pictures.iter().chain(&other.of_texts);
        let cosines: Vec<f64> = own.zip(others).map(|(a, b)| cosine(a, b)).collect();
        let mean = cosines.iter().sum::<f64>() / cosines.len() as f64;
        (mean, cosines.into_iter().fold(f64::INFINITY, f64::min))
    }

    /// Milliseconds a picture, all at once, and a text, one by one.
    fn time(&mut self) -> Result<(f64, f64), EncodeError> {
        let began = Instant::now();
        self.images.encode(&self.pixels)?;
        let of_pictures = began.elapsed();
        let began = Instant::now();
        for (_, _, text) in PAIRS {
            self.texts.encode(&[text])?;
        }
        let of_texts = began.elapsed();
        // To the microsecond; below that it is noise.
        let each = |whole: Duration| whole.as_micros() as f64 / 1e3 / PAIRS.len() as f64;
        Ok((each(of_pictures), each(of_texts)))
    }
}

/// The best times of each, measured in turns, so that what else the machine does meets them all
/// alike.
fn measure(all: &mut [&mut Loaded]) -> Result<Vec<(f64, f64)>, EncodeError> {
    let mut best = vec![(f64::INFINITY, f64::INFINITY); all.len()];
    let began = Instant::now();
    for round in 0..ROUNDS {
        if round > 0 && began.elapsed() > MEASURING {
            break;
        }
        for (one, best) in all.iter_mut().zip(&mut best) {
            let (of_picture, of_text) = one.time()?;
            *best = (best.0.min(of_picture), best.1.min(of_text));
        }
    }
    Ok(best)
}

/// Embeddings that tell things apart.
fn usable(
    tower: &str,
    kind: &str,
    embeddings: Result<Vec<Embedding>, EncodeError>,
) -> Result<Vec<Embedding>, Failure> {
    let embeddings = match embeddings {
        Err(EncodeError::ZeroOrNotFinite { position }) => {
            let name = PAIRS.get(position).map_or("?", |(name, _, _)| name);
            return Err(Failure::Output(format!(
                "the {tower} tower puts out zeros, infinities or no numbers for the {kind} of \
                 the {name}"
            )));
        }
        embeddings => embeddings?,
    };
    let is_same = |a: &Embedding, b: &Embedding| {
        let values = a.as_slice().iter().zip(b.as_slice());
        values.into_iter().all(|(a, b)| (a - b).abs() < SAME)
    };
    if embeddings.windows(2).all(|two| is_same(&two[0], &two[1])) {
        return Err(Failure::Output(format!(
            "the {tower} tower puts out the same for every {kind}"
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
