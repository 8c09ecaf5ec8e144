//! Encodes prepared pictures in batches, on one thread per lane of the encoder.
//!
//! A lane's thread does nothing else: files that need no encoding pass through, and vectors go to
//! the thread that writes.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use sightline_index::UnitVector;
use sightline_onnx::Pixels;

use super::pipeline::{Inlet, Next};
use super::prepare::{Content, NewImage, Prepared};
use super::tuning::BatchFinder;
use crate::engine::encoder::Lane;
use crate::engine::report::{EncodingFigures, FirstRuns};
use crate::engine::{Encoders, EngineError, isolate};

/// What the writing thread receives: what became of a file, or the error that ends the run.
pub(crate) type Encoded = Result<Prepared<UnitVector>, EngineError>;

/// The receiver hung up, or was sent the error that ends the run.
struct Disconnected;

/// What all lanes of a run share.
pub(crate) struct Encoding<'a> {
    encoders: &'a Encoders,
    finder: Mutex<BatchFinder>,
    figures: Mutex<EncodingFigures>,
    /// Batch sizes for which the device is set up.
    sizes: Mutex<HashSet<usize>>,
}

impl<'a> Encoding<'a> {
    pub(crate) fn new(encoders: &'a Encoders, finder: BatchFinder) -> Self {
        Self {
            encoders,
            finder: Mutex::new(finder),
            figures: Mutex::default(),
            sizes: Mutex::default(),
        }
    }

    /// Encodes what comes through the inlet in one lane and sends the results.
    pub(crate) fn run(
        &self,
        lane: Lane,
        inlet: &Inlet<'_, Prepared<Pixels>>,
        results: &Sender<Encoded>,
    ) {
        let mut thread = LaneThread {
            shared: self,
            lane,
            results,
            waited: Duration::ZERO,
        };
        // Either way the lane is done; the receiver knows why.
        let _ = thread.run(inlet);
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

    /// What the rate of the run leaves out so far.
    pub(crate) fn first_runs(&self) -> FirstRuns {
        self.figures().first_runs
    }

    /// Whether a batch of this size is the first on a device other than the processor.
    fn is_first_run(&self, n: usize) -> bool {
        let mut sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        self.encoders.image().has_own_device() && sizes.insert(n)
    }

    fn finder(&self) -> MutexGuard<'_, BatchFinder> {
        self.finder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn figures(&self) -> MutexGuard<'_, EncodingFigures> {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct LaneThread<'a> {
    shared: &'a Encoding<'a>,
    lane: Lane,
    results: &'a Sender<Encoded>,
    /// Time spent waiting while the current batch was gathered.
    waited: Duration,
}

impl LaneThread<'_> {
    fn run(&mut self, inlet: &Inlet<'_, Prepared<Pixels>>) -> Result<(), Disconnected> {
        let mut batch = Vec::new();
        loop {
            let next = inlet.next();
            self.waited += inlet.take_waited();
            match next {
                Next::Ready(Prepared::New(image, pixels)) => batch.push((image, pixels)),
                Next::Ready(Prepared::Other(file, content)) => {
                    self.send(Ok(Prepared::Other(file, content)))?;
                }
                // A batch that does not fill up must not keep the writer waiting.
                Next::Pause => self.flush(&mut batch)?,
                Next::End => return self.flush(&mut batch),
                Next::Stopped => return Ok(()),
            }
            if batch.len() >= self.shared.finder().size() {
                self.flush(&mut batch)?;
            }
        }
    }

    fn send(&self, result: Encoded) -> Result<(), Disconnected> {
        self.results.send(result).map_err(|_| Disconnected)
    }

    fn fail(&self, error: EngineError) -> Result<(), Disconnected> {
        self.send(Err(error))?;
        Err(Disconnected)
    }

    fn flush(&mut self, batch: &mut Vec<(NewImage, Pixels)>) -> Result<(), Disconnected> {
        if batch.is_empty() {
            return Ok(());
        }
        let (images, pixels): (Vec<NewImage>, Vec<Pixels>) =
            std::mem::take(batch).into_iter().unzip();
        // Loading must not count as time of the first batch.
        let encoders = self.shared.encoders;
        if let Err(error) = encoders.image().load(self.lane) {
            return self.fail(error);
        }
        let is_first = self.shared.is_first_run(pixels.len());
        let began = Instant::now();
        let encoded = encode(encoders, self.lane, &pixels);
        let (took, waited) = (began.elapsed(), std::mem::take(&mut self.waited));
        if is_first {
            self.shared.figures().note_first_run(pixels.len(), took);
        } else {
            self.shared.finder().note(pixels.len(), took);
        }
        self.shared.figures().note(pixels.len(), took, waited);
        let vectors = match encoded {
            Ok(vectors) => vectors,
            Err(error) => return self.fail(error),
        };
        for (image, vector) in images.into_iter().zip(vectors) {
            self.send(Ok(match vector {
                Ok(vector) => Prepared::New(image, vector),
                Err(reason) => {
                    let hash = Some(image.hash);
                    Prepared::Other(image.file, Content::Bad { hash, reason })
                }
            }))?;
        }
        Ok(())
    }
}

/// One vector per picture, or why it has none.
fn encode(
    encoders: &Encoders,
    lane: Lane,
    pixels: &[Pixels],
) -> Result<Vec<Result<UnitVector, String>>, EngineError> {
    let vector = |embedding: Result<Vec<f32>, EngineError>| {
        let vector = embedding.and_then(|values| Ok(UnitVector::new(values)?));
        vector.map_err(|error| error.to_string())
    };
    let embeddings = isolate::pictures(encoders, lane, pixels)?;
    Ok(embeddings.into_iter().map(vector).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fake;

    #[test]
    fn the_first_batch_of_each_size_on_a_device_is_left_out_of_rates() {
        let sizes = [4, 4, 2, 4, 2];
        let rows = [
            (
                fake::device_encoders("one"),
                [true, false, true, false, false],
            ),
            (fake::encoders("one"), [false; 5]),
        ];
        for (encoders, expected) in rows {
            let encoding = Encoding::new(&encoders, BatchFinder::fixed(4));
            assert_eq!(sizes.map(|n| encoding.is_first_run(n)), expected);
            encoding.figures().note_first_run(4, Duration::from_secs(9));
            encoding.figures().note_first_run(2, Duration::from_secs(1));
            let first_runs = encoding.first_runs();
            assert_eq!(
                (first_runs.n_pictures, first_runs.took),
                (6, Duration::from_secs(10))
            );
        }
    }
}
