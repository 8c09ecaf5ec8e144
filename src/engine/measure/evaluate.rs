//! Measures how well a model finds pictures by their captions, and captions by their pictures.
//!
//! Recall@K and median rank over a captioned data set by exact scan, as retrieval papers report
//! for Flickr30k and COCO (Karpathy and Fei-Fei, CVPR 2015). No index is read or written.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rayon::prelude::*;
use sightline_index::{HubReferences, ItemKind};

use crate::engine::decode::{DecodeOptions, Decoding};
use crate::engine::encoder::{Encoders, Lane, LanguageHint};
use crate::engine::error::EngineError;
use crate::engine::hubs;
use crate::engine::indexing::caption_file::{CaptionText, RowPlace, read_json_lines};
use crate::engine::indexing::pipeline::{self, Event, Shape};
use crate::engine::isolate;
use crate::engine::names::Finder;
use crate::engine::report::{FirstRuns, Progress, Skipped, Stage};

/// Pictures or captions per batch.
const BATCH: usize = 16;

/// Percentage of queries answered within the first K, and the median rank.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recalls {
    /// Recall@1, in percent.
    pub r1: f64,
    /// Recall@5, in percent.
    pub r5: f64,
    /// Recall@10, in percent.
    pub r10: f64,
    /// Median rank of the first right answer, from 1.
    pub median_rank: f64,
}

/// Result of [`evaluate`].
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Pictures measured.
    pub n_images: usize,
    /// Captions measured.
    pub n_captions: usize,
    /// Captions among them that are too long for the model, which ignored their last tokens.
    pub n_captions_cut: usize,
    /// Each caption as a query for its picture among all pictures.
    pub text_to_image: Recalls,
    /// Each picture as a query for any of its captions among all captions.
    pub image_to_text: Recalls,
    /// The same less the hub biases of the images, as searches are ranked; the same as
    /// [`text_to_image`](Self::text_to_image) for few images, which show no hubs.
    pub text_to_image_without_hubs: Recalls,
    /// The same less the hub biases of the captions.
    pub image_to_text_without_hubs: Recalls,
    /// Pictures that could not be read or encoded, which are left out with their captions, and
    /// captions and lines that were left out.
    pub skipped: Vec<Skipped>,
}

impl Recalls {
    /// Of these ranks, from 1, of the right answers. NaN if there are none.
    fn of(mut ranks: Vec<usize>) -> Self {
        ranks.sort_unstable();
        let n = ranks.len();
        let within = |k| 100.0 * ranks.partition_point(|&rank| rank <= k) as f64 / n as f64;
        let median = match n {
            0 => f64::NAN,
            n if n % 2 == 1 => ranks[n / 2] as f64,
            n => f64::midpoint(ranks[n / 2 - 1] as f64, ranks[n / 2] as f64),
        };
        Self {
            r1: within(1),
            r5: within(5),
            r10: within(10),
            median_rank: median,
        }
    }
}

/// Measures retrieval on a data set of JSON lines `{"image": …, "captions": […]}` with paths
/// relative to the file. `hint` chooses the text towers of the captions. `Ok(None)` if `progress`
/// stopped it.
///
/// A tie with the right answer counts against it, so that a model with equal embeddings for
/// everything scores 0.
///
/// # Errors
/// When the data set cannot be read or is empty, or the model cannot be run. A bad line, and a
/// picture or caption that cannot be read or encoded, is skipped and reported.
pub fn evaluate(
    encoders: &Encoders,
    decode: &DecodeOptions,
    dataset: &Path,
    hint: LanguageHint,
    progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Option<Evaluation>, EngineError> {
    let file = read_json_lines(dataset)?;
    let mut finder = Finder::default();
    let sets: Vec<(PathBuf, Vec<CaptionText>)> = file
        .sets
        .into_iter()
        .filter(|set| !set.captions.is_empty())
        .filter_map(|set| Some((finder.find(&set.image?), set.captions)))
        .collect();
    let paths: Vec<&Path> = sets.iter().map(|(image, _)| image.as_path()).collect();
    let Some(files) = encode_files(encoders, decode, &paths, progress)? else {
        return Ok(None);
    };
    let of_read = files
        .vectors
        .iter()
        .zip(&sets)
        .filter(|(vector, _)| vector.is_some());
    let lines: Vec<&CaptionText> = of_read.flat_map(|(_, (_, captions))| captions).collect();
    let texts: Vec<&str> = lines.iter().map(|caption| caption.text.as_str()).collect();
    let Some((encoded, asked)) = encode_captions(encoders, &texts, hint, progress)? else {
        return Ok(None);
    };
    let mut asked = asked.into_iter().flatten();
    let mut skipped = files.skipped;
    skipped.extend(
        file.bad
            .iter()
            .map(|bad| skipped_row(dataset, Some(bad.at), &bad.reason)),
    );
    let mut n_captions_cut = 0;
    // Only pictures and captions that could be encoded, renumbered.
    let (mut images, mut captions, mut owners) = (Vec::new(), Vec::new(), Vec::new());
    let mut queries = Vec::new();
    let mut encoded = lines.iter().zip(encoded);
    for (vector, (_, of_image)) in files.vectors.into_iter().zip(&sets) {
        let Some(vector) = vector else { continue };
        let n_before = captions.len();
        for (caption, embedding) in encoded.by_ref().take(of_image.len()) {
            match (embedding, asked.next().transpose()) {
                (Ok(embedding), Ok(query)) => {
                    let tower = encoders.text(&caption.text, hint)?;
                    let n_dropped = tower.n_tokens_dropped(&caption.text)?;
                    n_captions_cut += usize::from(n_dropped > 0);
                    owners.push(images.len());
                    captions.push(embedding);
                    queries.extend(query);
                }
                (Err(error), _) | (_, Err(error)) => {
                    skipped.push(skipped_row(dataset, caption.at, &error.to_string()));
                }
            }
        }
        if captions.len() > n_before {
            images.push(vector);
        }
    }
    if images.is_empty() {
        let bad_line = file.bad.first();
        return Err(EngineError::EmptyDataset {
            path: dataset.to_path_buf(),
            bad_line: bad_line.map(|bad| format!("{}: {}", bad.at, bad.reason)),
        });
    }
    let queries = if queries.is_empty() {
        &captions
    } else {
        &queries
    };
    Ok(Some(Evaluation {
        n_captions_cut,
        skipped,
        ..measured(&images, queries, &captions, &owners)
    }))
}

/// Recall, with and without hub biases. `queries` are the captions as queries, `owners` the picture
/// of each.
fn measured(
    images: &[Vec<f32>],
    queries: &[Vec<f32>],
    captions: &[Vec<f32>],
    owners: &[usize],
) -> Evaluation {
    let to_images = |biases: &[f32]| Recalls::of(ranks_of_images(images, queries, owners, biases));
    let to_captions =
        |biases: &[f32]| Recalls::of(ranks_of_captions(images, captions, owners, biases));
    let (of_images, of_captions) = hub_biases(images, captions);
    Evaluation {
        n_images: images.len(),
        n_captions: captions.len(),
        n_captions_cut: 0,
        text_to_image: to_images(&vec![0.0; images.len()]),
        image_to_text: to_captions(&vec![0.0; captions.len()]),
        text_to_image_without_hubs: to_images(&of_images),
        image_to_text_without_hubs: to_captions(&of_captions),
        skipped: Vec::new(),
    }
}

fn skipped_row(dataset: &Path, at: Option<RowPlace>, reason: &str) -> Skipped {
    Skipped {
        path: dataset.to_path_buf(),
        reason: at.map_or_else(|| reason.to_owned(), |at| format!("{at}: {reason}")),
    }
}

struct EncodedFiles {
    /// One per file, `None` for those that could not be read.
    vectors: Vec<Option<Vec<f32>>>,
    skipped: Vec<Skipped>,
}

/// Encodes files. `Ok(None)` if `progress` stopped it.
fn encode_files(
    encoders: &Encoders,
    decode: &DecodeOptions,
    paths: &[&Path],
    progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Option<EncodedFiles>, EngineError> {
    let began = Instant::now();
    let decoding = Decoding::new(decode, encoders);
    let mut vectors: Vec<Option<Vec<f32>>> = vec![None; paths.len()];
    let mut skipped = Vec::new();
    let (mut places, mut batch) = (Vec::new(), Vec::new());
    let mut n_done = 0;
    let prepare = |place: usize| {
        let pixels = match decoding.file(paths[place]) {
            Ok(picture) => Ok(picture.pixels),
            Err(EngineError::Picture { source, .. }) => Err(source.reason()),
            Err(error) => Err(error.to_string()),
        };
        (place, pixels)
    };
    let mut encode = |places: &mut Vec<usize>, batch: &mut Vec<_>, skipped: &mut Vec<_>| {
        let embeddings = isolate::pictures(encoders, Lane::Whole, batch)?;
        for (place, embedding) in places.drain(..).zip(embeddings) {
            match embedding {
                Ok(vector) => vectors[place] = Some(vector),
                Err(error) => skipped.push(Skipped {
                    path: paths[place].to_path_buf(),
                    reason: error.to_string(),
                }),
            }
        }
        batch.clear();
        Ok(())
    };
    let shape = Shape {
        n_workers: pipeline::default_workers(),
        n_prepared: 2 * BATCH,
        n_encoders: 1,
        n_encoded: 2 * BATCH,
    };
    let flow = pipeline::prepare_all(0..paths.len(), shape, prepare, |event| {
        if let Event::Ready((place, pixels)) = event {
            n_done += 1;
            match pixels {
                Ok(pixels) => {
                    places.push(place);
                    batch.push(pixels);
                }
                Err(reason) => {
                    skipped.push(Skipped {
                        path: paths[place].to_path_buf(),
                        reason,
                    });
                }
            }
            if batch.len() >= BATCH
                && let Err(error) = encode(&mut places, &mut batch, &mut skipped)
            {
                return ControlFlow::Break(Some(error));
            }
        }
        let now = Progress {
            stage: Stage::Pictures,
            n_done,
            n_total: paths.len(),
            n_skipped: skipped.len(),
            elapsed: began.elapsed(),
            first_runs: FirstRuns::default(),
        };
        match progress(&now) {
            ControlFlow::Continue(()) => ControlFlow::Continue(()),
            ControlFlow::Break(()) => ControlFlow::Break(None),
        }
    });
    match flow {
        ControlFlow::Break(Some(error)) => return Err(error),
        ControlFlow::Break(None) => return Ok(None),
        ControlFlow::Continue(()) => {}
    }
    if !batch.is_empty() {
        encode(&mut places, &mut batch, &mut skipped)?;
    }
    // The threads finish in any order.
    skipped.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Some(EncodedFiles { vectors, skipped }))
}

/// Encodes texts as captions, and as queries where that makes a difference. `Ok(None)` if
/// `progress` stopped it.
fn encode_captions(
    encoders: &Encoders,
    texts: &[&str],
    hint: LanguageHint,
    progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Option<(isolate::Embeddings, Option<isolate::Embeddings>)>, EngineError> {
    let as_captions = |batch: &[&str]| isolate::texts(encoders, batch, hint);
    let Some(captions) = encode_texts(&as_captions, texts, progress)? else {
        return Ok(None);
    };
    if !encoders.tells_queries() {
        return Ok(Some((captions, None)));
    }
    let as_queries = |batch: &[&str]| isolate::queries(encoders, batch, hint);
    let queries = encode_texts(&as_queries, texts, progress)?;
    Ok(queries.map(|queries| (captions, Some(queries))))
}

/// Encodes texts. `Ok(None)` if `progress` stopped it.
fn encode_texts(
    encode: &dyn Fn(&[&str]) -> Result<isolate::Embeddings, EngineError>,
    texts: &[&str],
    progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Option<isolate::Embeddings>, EngineError> {
    let began = Instant::now();
    let mut vectors = Vec::with_capacity(texts.len());
    for batch in texts.chunks(BATCH) {
        vectors.extend(encode(batch)?);
        let now = Progress {
            stage: Stage::Captions,
            n_done: vectors.len(),
            n_total: texts.len(),
            n_skipped: 0,
            elapsed: began.elapsed(),
            first_runs: FirstRuns::default(),
        };
        if progress(&now).is_break() {
            return Ok(None);
        }
    }
    Ok(Some(vectors))
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// What is subtracted from the similarities of images and captions because they are near
/// everything.
fn hub_biases(images: &[Vec<f32>], captions: &[Vec<f32>]) -> (Vec<f32>, Vec<f32>) {
    let references = HubReferences::of(images);
    let biases = |kind, vectors: &[Vec<f32>], share| {
        let bias = |vector: &Vec<f32>| share * references.bias(kind, vector);
        vectors.par_iter().map(bias).collect()
    };
    let of_images = if images.len() < hubs::MIN_PICTURES {
        vec![0.0; images.len()]
    } else {
        biases(ItemKind::Image, images, hubs::SHARE_OF_PICTURE)
    };
    let of_captions = biases(ItemKind::Caption, captions, hubs::SHARE_OF_CAPTION);
    (of_images, of_captions)
}

/// The rank of each caption's picture among all pictures. `biases` of the pictures are subtracted.
fn ranks_of_images(
    images: &[Vec<f32>],
    queries: &[Vec<f32>],
    owners: &[usize],
    biases: &[f32],
) -> Vec<usize> {
    queries
        .par_iter()
        .zip(owners)
        .map(|(caption, &owner)| {
            let similarity = |place: usize| dot(caption, &images[place]) - biases[place];
            let right = similarity(owner);
            let before = |&place: &usize| place != owner && similarity(place) >= right;
            1 + (0..images.len()).filter(before).count()
        })
        .collect()
}

/// The rank of each picture's best caption among the captions of other pictures. `biases` of the
/// captions are subtracted.
fn ranks_of_captions(
    images: &[Vec<f32>],
    captions: &[Vec<f32>],
    owners: &[usize],
    biases: &[f32],
) -> Vec<usize> {
    images
        .par_iter()
        .enumerate()
        .map(|(place, image)| {
            let captions = captions.iter().zip(biases);
            let similarities = captions.map(|(caption, bias)| dot(image, caption) - bias);
            let similarities: Vec<f32> = similarities.collect();
            let own = |&(_, &owner): &(&f32, &usize)| owner == place;
            let best = similarities
                .iter()
                .zip(owners)
                .filter(own)
                .map(|(&similarity, _)| similarity)
                .fold(f32::NEG_INFINITY, f32::max);
            let before =
                |(similarity, owner): (&f32, &usize)| *owner != place && *similarity >= best;
            1 + similarities
                .iter()
                .zip(owners)
                .filter(|&pair| before(pair))
                .count()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recalls_count_ranks_within_k_in_percent() {
        let recalls = Recalls::of(vec![1, 12, 3, 1, 10]);
        assert_eq!(
            recalls,
            Recalls {
                r1: 40.0,
                r5: 60.0,
                r10: 80.0,
                median_rank: 3.0
            }
        );
        assert_eq!(Recalls::of(vec![2, 4]).median_rank, 3.0);
    }

    #[test]
    fn ranks_of_a_small_example() {
        let images = vec![vec![1.0, 0.0], vec![0.0, 1.0]];
        // The third caption belongs to the second picture but points at the first.
        let captions = vec![vec![0.9, 0.1], vec![0.1, 0.9], vec![0.8, 0.2]];
        let owners = [0, 1, 1];
        let (none, of_second) = ([0.0; 3], [0.0, 0.0, 0.9]);
        let to_images = |biases: &[f32]| ranks_of_images(&images, &captions, &owners, biases);
        assert_eq!(to_images(&none), [1, 1, 2]);
        assert_eq!(to_images(&[0.9, 0.0]), [2, 1, 1]);
        let to_captions = |owners, biases| ranks_of_captions(&images, &captions, owners, biases);
        assert_eq!(to_captions(&owners, &none), [1, 1]);
        assert_eq!(to_captions(&[1, 0, 1], &none), [3, 2]);
        assert_eq!(to_captions(&[1, 0, 1], &of_second), [2, 2]);
    }

    #[test]
    fn equal_embeddings_score_nothing() {
        let same = vec![vec![1.0, 0.0]; 20];
        let owners: Vec<usize> = (0..20).collect();
        for ranks in [
            ranks_of_images(&same, &same, &owners, &[0.0; 20]),
            ranks_of_captions(&same, &same, &owners, &[0.0; 20]),
        ] {
            assert_eq!(Recalls::of(ranks).r10, 0.0);
        }
    }
}
