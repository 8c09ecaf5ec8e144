//! Measures how close indexing comes to the upper bound on this machine.
//!
//! Three rates are measured in turn, so that a disturbance affects all: encoding alone (E),
//! reading, decoding and preprocessing alone (D), each on all cores, and indexing (P), which does
//! both. On the same cores, both kinds of work together reach at best 1 / (1/E + 1/D).

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sightline_onnx::Pixels;

use super::process::{cpu_time, peak_memory, reset_peak_memory, resident_memory};
use crate::engine::decode::{DecodeOptions, Decoding};
use crate::engine::encoder::{Encoders, Lane};
use crate::engine::error::EngineError;
use crate::engine::indexing::pipeline::{self, Event};
use crate::engine::indexing::tuning::{finder, lanes, shape};
use crate::engine::indexing::walk::{Candidate, walk};
use crate::engine::indexing::{self, IndexRequest};
use crate::engine::report::{EncodingFigures, Progress, Stage};

/// Prepared pictures for measuring the encoder alone.
const N_KEPT: usize = 64;

/// Pictures between two measurements of memory.
const MEMORY_STEP: usize = 1000;

/// What to measure.
#[derive(Debug, Clone)]
pub struct BenchRequest {
    /// How to index; its folders hold the pictures to measure with.
    pub index: IndexRequest,
    /// How pictures are decoded.
    pub decode: DecodeOptions,
    /// An empty folder for temporary indexes.
    pub work: PathBuf,
    /// Number of rounds; each measures every rate once.
    pub n_rounds: usize,
    /// Leaves out E and D, so that the memory is that of indexing alone.
    pub only_index: bool,
    /// Time limit for measuring E in a round, which needs no more pictures to be exact.
    pub longest_encoding: Duration,
}

/// Rates of one round, in pictures per second.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BenchRound {
    /// The encoder alone; 0 if left out.
    pub encode: f64,
    /// Reading, decoding and preprocessing alone; 0 if left out.
    pub decode: f64,
    /// Indexing, from the first file read to the last one written.
    pub index: f64,
    /// Processor time per picture in each of the three, where it can be measured. Unlike the rates
    /// it hardly depends on other work on the machine.
    pub cpu_ms: Option<CpuTimes>,
    /// How the encoder was kept busy while indexing.
    pub encoding: EncodingFigures,
    /// Share of the run spent on the last commit and the search graphs, after the last picture was
    /// written.
    pub finish_share: f64,
}

/// Milliseconds of processor time per picture.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CpuTimes {
    /// The encoder alone; 0 if left out.
    pub encode: f64,
    /// Reading, decoding and preprocessing alone; 0 if left out.
    pub decode: f64,
    /// Indexing.
    pub index: f64,
}

impl BenchRound {
    /// Upper bound of the rate at which both kinds of work run on the same cores.
    #[must_use]
    pub fn ideal(&self) -> f64 {
        1.0 / (1.0 / self.encode + 1.0 / self.decode)
    }

    /// Indexing rate ÷ upper bound.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.index / self.ideal()
    }
}

/// Result of [`bench()`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BenchReport {
    /// Pictures found.
    pub n_pictures: usize,
    /// Size of their files in bytes.
    pub n_bytes: u64,
    /// Pictures that could not be read.
    pub n_skipped: usize,
    /// Time to load the image tower.
    pub load: Duration,
    /// All rounds, in order.
    pub rounds: Vec<BenchRound>,
    /// Peak memory while indexing, in bytes, where it can be measured.
    pub peak_memory: Option<u64>,
    /// Memory in bytes by number of pictures indexed in the first round.
    pub memory: BTreeMap<usize, u64>,
}

impl BenchReport {
    /// Median of a value over all rounds.
    pub fn median(&self, of: impl Fn(&BenchRound) -> f64) -> f64 {
        let mut values: Vec<f64> = self.rounds.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        let n = values.len();
        match n {
            0 => 0.0,
            _ if n % 2 == 1 => values[n / 2],
            _ => f64::midpoint(values[n / 2 - 1], values[n / 2]),
        }
    }
}

/// What is being measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BenchStage {
    /// Decoding the first pictures and loading the encoder.
    Preparing,
    /// E.
    Encoding,
    /// D.
    Decoding,
    /// P.
    Indexing,
}

/// Called with the round, from 1, and what is measured; breaking stops soon.
pub type OnStage<'a> = dyn FnMut(usize, BenchStage) -> ControlFlow<()> + 'a;

/// Measures a model on the pictures of some folders; `None` if it was stopped.
///
/// # Errors
/// When the folders hold no readable pictures, or as for
/// [`Engine::index`](crate::engine::Engine::index).
pub fn bench(
    encoders: &Encoders,
    request: &BenchRequest,
    on_stage: &mut OnStage<'_>,
) -> Result<Option<BenchReport>, EngineError> {
    let files: Vec<Candidate> = request
        .index
        .folders
        .iter()
        .flat_map(|folder| walk(folder).candidates)
        .collect();
    let mut report = BenchReport {
        n_pictures: files.len(),
        n_bytes: files.iter().map(|file| file.n_bytes).sum(),
        ..BenchReport::default()
    };
    if on_stage(1, BenchStage::Preparing).is_break() {
        return Ok(None);
    }
    let began = Instant::now();
    for lane in lanes(&request.index, encoders, files.len()) {
        encoders.image().load(lane)?;
    }
    report.load = began.elapsed();
    let kept = if request.only_index {
        Vec::new()
    } else {
        decode(encoders, request, &files[..files.len().min(N_KEPT)]).1
    };
    if files.is_empty() || (kept.is_empty() && !request.only_index) {
        let path = request.index.folders.first().cloned().unwrap_or_default();
        return Err(EngineError::NoPictures { path });
    }
    for round in 1..=request.n_rounds {
        let (mut figures, mut times) = (BenchRound::default(), CpuTimes::default());
        if !request.only_index {
            if on_stage(round, BenchStage::Encoding).is_break() {
                return Ok(None);
            }
            let (rate, cpu) = encode(encoders, request, &kept, files.len())?;
            figures.encode = rate;
            times.encode = cpu;
            if on_stage(round, BenchStage::Decoding).is_break() {
                return Ok(None);
            }
            let before = cpu_time();
            figures.decode = decode(encoders, request, &files).0;
            times.decode = cpu_ms(before, files.len());
        }
        if on_stage(round, BenchStage::Indexing).is_break() {
            return Ok(None);
        }
        if index(
            encoders,
            request,
            on_stage,
            round,
            &mut figures,
            &mut report,
        )?
        .is_break()
        {
            return Ok(None);
        }
        figures.cpu_ms = figures.cpu_ms.map(|ours| CpuTimes {
            index: ours.index,
            ..times
        });
        report.rounds.push(figures);
    }
    Ok(Some(report))
}

/// Measures E: encodes the kept pictures repeatedly, in the lanes that indexing would use and with
/// the best batch size for these. Returns pictures per second and processor milliseconds per
/// picture.
fn encode(
    encoders: &Encoders,
    request: &BenchRequest,
    kept: &[Pixels],
    n_pictures: usize,
) -> Result<(f64, f64), EngineError> {
    let lanes = lanes(&request.index, encoders, n_pictures);
    let finder = Mutex::new(finder(&request.index, encoders, &lanes));
    let finder = || finder.lock().unwrap_or_else(PoisonError::into_inner);
    let batch = |n: usize| -> Vec<Pixels> { kept.iter().cycle().take(n).cloned().collect() };
    let is_device = encoders.image().has_own_device();
    in_all(&lanes, |lane| {
        let mut sizes = HashSet::new();
        while finder().chosen().is_none() {
            let batch = batch(finder().size());
            let began = Instant::now();
            encoders.image().encode_in(lane, &batch)?;
            if !is_device || !sizes.insert(batch.len()) {
                finder().note(batch.len(), began.elapsed());
            }
        }
        Ok(())
    })?;
    let batch = batch(finder().size());
    if is_device {
        // The first run of a size sets the device up for it.
        in_all(&lanes, |lane| {
            encoders.image().encode_in(lane, &batch).map(|_| ())
        })?;
    }
    let n_encoded = AtomicUsize::new(0);
    let (began, before) = (Instant::now(), cpu_time());
    in_all(&lanes, |lane| {
        while n_encoded.load(Ordering::Relaxed) < n_pictures
            && began.elapsed() < request.longest_encoding
        {
            encoders.image().encode_in(lane, &batch)?;
            n_encoded.fetch_add(batch.len(), Ordering::Relaxed);
        }
        Ok(())
    })?;
    let n_encoded = n_encoded.into_inner();
    let rate = n_encoded as f64 / began.elapsed().as_secs_f64();
    Ok((rate, cpu_ms(before, n_encoded)))
}

/// Does the same work in all lanes in parallel.
fn in_all(
    lanes: &[Lane],
    work: impl Fn(Lane) -> Result<(), EngineError> + Sync,
) -> Result<(), EngineError> {
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = lanes
            .iter()
            .map(|&lane| scope.spawn(move || work(lane)))
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

/// Milliseconds of processor time per picture since `before`; 0 where it cannot be measured.
fn cpu_ms(before: Option<Duration>, n_pictures: usize) -> f64 {
    let used = cpu_time().zip(before);
    used.map_or(0.0, |(after, before)| {
        (after.saturating_sub(before)).as_secs_f64() * 1e3 / n_pictures.max(1) as f64
    })
}

/// Measures D: reads, decodes and preprocesses the files. Returns pictures per second and the first
/// pictures.
fn decode(encoders: &Encoders, request: &BenchRequest, files: &[Candidate]) -> (f64, Vec<Pixels>) {
    let decoding = Decoding::new(&request.decode, encoders);
    let lanes = lanes(&request.index, encoders, files.len());
    let shape = shape(
        &request.index,
        &finder(&request.index, encoders, &lanes),
        &lanes,
    );
    let kept = Mutex::new(Vec::new());
    let (began, mut n_decoded) = (Instant::now(), 0_usize);
    let _: ControlFlow<()> = pipeline::prepare_all(
        files.iter(),
        shape,
        |file| {
            let read = decoding
                .decoder()
                .read(&file.path, file.n_bytes, |bytes| decoding.picture(bytes));
            let pixels = read.ok()?.ok()?.pixels;
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() < N_KEPT {
                kept.push(pixels);
            }
            Some(())
        },
        |event| {
            n_decoded += usize::from(matches!(event, Event::Ready(Some(()))));
            ControlFlow::Continue(())
        },
    );
    let rate = n_decoded as f64 / began.elapsed().as_secs_f64();
    let kept = kept.into_inner().unwrap_or_else(PoisonError::into_inner);
    (rate, kept)
}

/// Measures P: indexes the folders.
fn index(
    encoders: &Encoders,
    request: &BenchRequest,
    on_stage: &mut OnStage<'_>,
    round: usize,
    figures: &mut BenchRound,
    report: &mut BenchReport,
) -> Result<ControlFlow<()>, EngineError> {
    let folder = request.work.join(format!("index-{round}"));
    reset_peak_memory();
    let memory = &mut report.memory;
    let mut cpu_at_pictures = None;
    let cpu_before = cpu_time();
    let mut watch = |progress: &Progress| {
        if progress.stage == Stage::Pictures {
            let step = progress.n_done / MEMORY_STEP * MEMORY_STEP;
            if round == 1
                && step > 0
                && !memory.contains_key(&step)
                && let Some(n_bytes) = resident_memory()
            {
                memory.insert(step, n_bytes);
            }
            if progress.n_done == progress.n_total {
                cpu_at_pictures = cpu_time();
            }
        }
        on_stage(round, BenchStage::Indexing)
    };
    let (decode, request) = (&request.decode, &request.index);
    let indexed = indexing::index(&folder, encoders, decode, request, &mut watch)?;
    if indexed.interrupted {
        return Ok(ControlFlow::Break(()));
    }
    figures.index = indexed.rate();
    figures.cpu_ms = cpu_before
        .zip(cpu_at_pictures)
        .map(|(before, after)| CpuTimes {
            index: (after.saturating_sub(before)).as_secs_f64() * 1e3
                / indexed.n_encoded().max(1) as f64,
            ..CpuTimes::default()
        });
    let finish = indexed.elapsed.saturating_sub(indexed.elapsed_pictures);
    figures.finish_share = finish.as_secs_f64() / indexed.elapsed.as_secs_f64().max(1e-9);
    figures.encoding = indexed.encoding;
    report.n_skipped = indexed.skipped.len();
    report.peak_memory = report.peak_memory.max(peak_memory());
    fs_err::remove_dir_all(folder)?;
    Ok(ControlFlow::Continue(()))
}
