//! Encodes what was prepared, batch after batch: a thread that owns a lane of the encoder.
//!
//! It does nothing else. What needs no encoding it passes on at once; what it encoded, it hands
//! to the writer.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use sightline_index::{Details, UnitVector};
use sightline_onnx::Pixels;

use super::batch_size::BatchFinder;
use super::pipeline::{Inlet, Next};
use super::prepare::{Content, Hash, Prepared};
use super::walk::Candidate;
use crate::engine::encoder::Lane;
use crate::engine::report::EncodingFigures;
use crate::engine::{Encoders, EngineError};

/// A picture's file, content and size: what is known of it besides its vector.
pub(crate) struct Source {
    pub(crate) candidate: Candidate,
    pub(crate) hash: Hash,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) details: Details,
}

/// What the writer is given.
pub(crate) enum Finding {
    /// A file that needs no encoding.
    Seen(Prepared),
    /// A picture and its vector, or why it has none.
    Encoded(Source, Result<UnitVector, String>),
    /// Nothing can be encoded: the run is over.
    Failed(EngineError),
}

/// The writer has broken off, or was told that nothing can be encoded.
struct Over;

/// What all lanes of a run share.
pub(crate) struct Encoding<'a> {
    encoders: &'a Encoders,
    finder: Mutex<BatchFinder>,
    figures: Mutex<EncodingFigures>,
}

impl<'a> Encoding<'a> {
    pub(crate) fn new(encoders: &'a Encoders, finder: BatchFinder) -> Self {
        Self {
            encoders,
            finder: Mutex::new(finder),
            figures: Mutex::default(),
        }
    }

    /// Encodes, in one lane, what comes through the inlet, and sends what becomes of it.
    pub(crate) fn run(&self, lane: Lane, inlet: &Inlet<'_, Prepared>, findings: &Sender<Finding>) {
        let mut owner = Owner {
            shared: self,
            lane,
            findings,
            waited: Duration::ZERO,
        };
        // Either way it is over; the writer has been told why.
        let _ = owner.run(inlet);
    }

    /// What all lanes did.
    pub(crate) fn into_figures(self) -> EncodingFigures {
        let finder = self.finder.into_inner();
        let figures = self.figures.into_inner();
        EncodingFigures {
            batch_size: finder.unwrap_or_else(PoisonError::into_inner).chosen(),
            ..figures.unwrap_or_else(PoisonError::into_inner)
        }
    }

    fn finder(&self) -> MutexGuard<'_, BatchFinder> {
        self.finder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn figures(&self) -> MutexGuard<'_, EncodingFigures> {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Owner<'a> {
    shared: &'a Encoding<'a>,
    lane: Lane,
    findings: &'a Sender<Finding>,
    /// While the batch in the making was gathered.
    waited: Duration,
}

impl Owner<'_> {
    fn run(&mut self, inlet: &Inlet<'_, Prepared>) -> Result<(), Over> {
        let mut batch = Vec::new();
        loop {
            let next = inlet.next();
            self.waited += inlet.take_waited();
            match next {
                Next::Ready(Prepared { candidate, content }) => match content {
                    Content::Fresh {
                        hash,
                        width,
                        height,
                        pixels,
                        details,
                    } => {
                        let source = Source {
                            candidate,
                            hash,
                            width,
                            height,
                            details,
                        };
                        batch.push((source, pixels));
                    }
                    content => self.send(Finding::Seen(Prepared { candidate, content }))?,
                },
                // A batch that does not fill is not kept from the writer for long.
                Next::Pause => self.flush(&mut batch)?,
                Next::End => return self.flush(&mut batch),
                Next::Stopped => return Ok(()),
            }
            if batch.len() >= self.shared.finder().size() {
                self.flush(&mut batch)?;
            }
        }
    }

    fn send(&self, finding: Finding) -> Result<(), Over> {
        self.findings.send(finding).map_err(|_| Over)
    }

    fn flush(&mut self, batch: &mut Vec<(Source, Pixels)>) -> Result<(), Over> {
        if batch.is_empty() {
            return Ok(());
        }
        let (sources, pixels): (Vec<Source>, Vec<Pixels>) =
            std::mem::take(batch).into_iter().unzip();
        // Loading must not count as the time of the first batch.
        let encoders = self.shared.encoders;
        if let Err(error) = encoders.image().load(self.lane) {
            self.send(Finding::Failed(error))?;
            return Err(Over);
        }
        let began = Instant::now();
        let encoded = encode(encoders, self.lane, &pixels);
        let (took, waited) = (began.elapsed(), std::mem::take(&mut self.waited));
        self.shared.finder().note(pixels.len(), took);
        self.shared.figures().note(pixels.len(), took, waited);
        match encoded {
            Ok(vectors) => {
                for (source, vector) in sources.into_iter().zip(vectors) {
                    self.send(Finding::Encoded(source, vector))?;
                }
                Ok(())
            }
            Err(error) => {
                self.send(Finding::Failed(error))?;
                Err(Over)
            }
        }
    }
}

/// One vector a picture, or why it has none. When a batch fails it is tried one by one, so that
/// one picture the model chokes on does not take its neighbours along; when all fail, the batch's
/// error is that of the run.
pub(crate) fn encode(
    encoders: &Encoders,
    lane: Lane,
    pixels: &[Pixels],
) -> Result<Vec<Result<UnitVector, String>>, EngineError> {
    let image = encoders.image();
    let embeddings = match image.encode_in(lane, pixels) {
        Ok(embeddings) => embeddings.into_iter().map(Ok).collect(),
        Err(error) if pixels.len() == 1 || error.is_runtime() => return Err(error),
        Err(error) => {
            let one = |pixels| image.encode_in(lane, std::slice::from_ref(pixels));
            let singly: Vec<_> = pixels.iter().map(one).collect();
            if singly.iter().all(Result::is_err) {
                return Err(error);
            }
            singly
                .into_iter()
                .map(|one| one.map(|mut one| one.swap_remove(0)))
                .collect::<Vec<_>>()
        }
    };
    let vector = |embedding: Result<Vec<f32>, EngineError>| {
        embedding
            .map_err(|error| error.to_string())
            .and_then(|values| UnitVector::new(values).map_err(|error| error.to_string()))
    };
    Ok(embeddings.into_iter().map(vector).collect())
}
