//! Pairs of images that look the same.
//!
//! Vectors alone say that two pictures show the same thing, as those of a burst do; perceptual
//! hashes alone may agree by chance among many pictures. Both together are right: each image is
//! searched in the graph once, the files of the nearest are decoded, and their hashes decide.
//!
//! A model sees less in a small picture, so a small copy is not very similar to its photo, while
//! its hash and its colours are nearly the same. A crop is the other way round. So there are bounds
//! for each, far from all pairs of different photos; benches/RESULTS.md has the figures.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::time::Instant;

use image::RgbImage;
use sightline_index::{IdSet, IndexError, IndexReader, Item, ItemId, ItemKind, Near, Nearest};
use sightline_picture::{ColourGrid, PerceptualHash};

use super::copies::current;
use super::report::SkippedFiles;
use crate::engine::decode::{DecodeOptions, Decoder};
use crate::engine::error::EngineError;
use crate::engine::indexing::pipeline::{self, Event, Shape, prepare_all};
use crate::engine::indexing::prepare::io_reason;
use crate::engine::report::{FirstRuns, OnProgress, Progress, Stage};

/// Images less similar than this do not look the same, whatever their hashes say. Unrelated
/// pictures are above it in one pair of a hundred, the copies of a fifth of the size in nearly all.
const MIN_SIMILARITY: f32 = 0.3;

/// The hash distance, in bits of 256, up to which images above it look the same if their colours
/// agree, too.
const MAX_DISTANCE: u32 = 32;

/// How much the colours of such images may differ, as by [`ColourGrid::difference`].
const MAX_COLOUR_DIFFERENCE: f32 = 4.0;

/// Images this similar show the same thing at least: two photos of one scene, or a crop.
const HIGH_SIMILARITY: f32 = 0.9;

/// The hash distance up to which images above it look the same.
const MAX_DISTANCE_IF_SIMILAR: u32 = 48;

/// Nearest images that are asked for at first; more while all of them are highly similar.
const N_NEAREST: usize = 32;

/// The most that are asked for. Of a larger crowd of equal vectors, each image is compared with
/// this many others.
const MAX_NEAREST: usize = 128;

/// Images searched before the files of their candidates are read.
const CHUNK: usize = 1024;

/// How much two images agree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LookAlike {
    pub(super) similarity: f32,
    pub(super) hash_distance: u32,
}

/// What the pixels of an image say.
#[derive(Clone)]
struct Looks {
    hash: PerceptualHash,
    colours: ColourGrid,
}

impl Looks {
    fn of(picture: &RgbImage) -> Self {
        Self {
            hash: PerceptualHash::of(picture),
            colours: ColourGrid::of(picture),
        }
    }

    /// How much two images of this similarity agree, if they look the same.
    fn agreement(&self, other: &Self, similarity: f32) -> Option<LookAlike> {
        let hash_distance = self.hash.distance(other.hash);
        let looks_alike = if similarity >= HIGH_SIMILARITY {
            hash_distance <= MAX_DISTANCE_IF_SIMILAR
        } else {
            similarity >= MIN_SIMILARITY
                && hash_distance <= MAX_DISTANCE
                && self.colours.difference(&other.colours) <= MAX_COLOUR_DIFFERENCE
        };
        looks_alike.then_some(LookAlike {
            similarity,
            hash_distance,
        })
    }
}

/// Pairs of images that look the same, the lower id first.
pub(super) type Pairs = BTreeMap<(ItemId, ItemId), LookAlike>;

/// What a search found.
#[derive(Default)]
pub(super) struct NearPairs {
    pub(super) pairs: Pairs,
    pub(super) n_searched: usize,
    pub(super) skipped: SkippedFiles,
    pub(super) interrupted: bool,
}

/// A search for pairs.
pub(super) struct NearSearch<'a, 'p> {
    reader: &'a IndexReader,
    decoder: Decoder<'a>,
    progress: &'a mut OnProgress<'p>,
    began: Instant,
    n_total: usize,
    /// Of each image met as a candidate; `None` if none of its files can be read.
    looks: HashMap<ItemId, Option<Looks>>,
    found: NearPairs,
}

/// Why a search ends early.
enum EndedEarly {
    Interrupted,
    Failed(EngineError),
}

impl<'a, 'p> NearSearch<'a, 'p> {
    pub(super) fn new(
        reader: &'a IndexReader,
        decode: &'a DecodeOptions,
        progress: &'a mut OnProgress<'p>,
    ) -> Self {
        Self {
            reader,
            decoder: Decoder::new(decode, PerceptualHash::SMALLEST),
            progress,
            began: Instant::now(),
            n_total: 0,
            looks: HashMap::new(),
            found: NearPairs::default(),
        }
    }

    /// Finds the pairs of these images, of those that they are in pairs with, and so on, so that
    /// the groups around them are complete.
    pub(super) fn run(&mut self, images: Vec<ItemId>) -> Result<(), EngineError> {
        match self.search(images) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(EndedEarly::Interrupted) => {
                self.found.interrupted = true;
                Ok(())
            }
            ControlFlow::Break(EndedEarly::Failed(error)) => Err(error),
        }
    }

    pub(super) fn finish(self) -> NearPairs {
        self.found
    }

    fn search(&mut self, images: Vec<ItemId>) -> ControlFlow<EndedEarly> {
        let mut known = IdSet::new();
        for &id in &images {
            known.insert(id);
        }
        let mut round = images;
        while !round.is_empty() {
            self.n_total += round.len();
            let mut next = Vec::new();
            for chunk in round.chunks(CHUNK) {
                let candidates = self.candidates(chunk)?;
                self.look_at(&candidates)?;
                for ((a, b), similarity) in candidates {
                    let looks = [a, b].map(|id| self.looks.get(&id).and_then(Option::as_ref));
                    let [Some(looks), Some(other)] = looks else {
                        continue;
                    };
                    if let Some(agreement) = looks.agreement(other, similarity) {
                        self.found.pairs.insert((a, b), agreement);
                        next.extend([a, b].into_iter().filter(|&id| known.insert(id)));
                    }
                }
            }
            round = next;
        }
        ControlFlow::Continue(())
    }

    /// Pairs of images of which one is in `images` and the other near it.
    fn candidates(
        &mut self,
        images: &[ItemId],
    ) -> ControlFlow<EndedEarly, BTreeMap<(ItemId, ItemId), f32>> {
        let reader = self.reader;
        let mut candidates = BTreeMap::new();
        self.each(
            images.iter().copied(),
            |id, _| (id, nearest(reader, id)),
            |found, (id, near)| {
                found.n_searched += 1;
                for near in near? {
                    let pair = (id.min(near.id), id.max(near.id));
                    candidates.insert(pair, near.similarity);
                }
                Ok(())
            },
        )?;
        ControlFlow::Continue(candidates)
    }

    /// Decodes the images of these pairs that were not decoded yet.
    fn look_at(&mut self, pairs: &BTreeMap<(ItemId, ItemId), f32>) -> ControlFlow<EndedEarly> {
        let ids: BTreeSet<ItemId> = pairs.keys().flat_map(|&(a, b)| [a, b]).collect();
        let ids = ids.into_iter().filter(|id| !self.looks.contains_key(id));
        let ids: Vec<ItemId> = ids.collect();
        let reader = self.reader;
        let mut looks = Vec::with_capacity(ids.len());
        self.each(
            ids.into_iter(),
            |id, decoder| {
                let mut skipped = SkippedFiles::new();
                let looks = looks_of(reader, decoder, id, &mut skipped);
                (id, looks, skipped)
            },
            |found, (id, found_looks, skipped)| {
                looks.push((id, found_looks?));
                found.skipped.extend(skipped);
                Ok(())
            },
        )?;
        self.looks.extend(looks);
        ControlFlow::Continue(())
    }

    /// Runs `work` for each image, on one thread per core, and `take` with each result here.
    fn each<R: Send>(
        &mut self,
        images: impl Iterator<Item = ItemId> + Send,
        work: impl Fn(ItemId, &Decoder<'_>) -> R + Sync,
        mut take: impl FnMut(&mut NearPairs, R) -> Result<(), EngineError>,
    ) -> ControlFlow<EndedEarly> {
        let n_workers = pipeline::default_workers();
        let shape = Shape {
            n_workers,
            n_prepared: n_workers,
            n_encoders: 1,
            n_encoded: n_workers,
        };
        let Self {
            decoder,
            progress,
            began,
            n_total,
            found,
            ..
        } = self;
        let decoder: &Decoder<'_> = decoder;
        prepare_all(
            images,
            shape,
            |id| work(id, decoder),
            |event| {
                if let Event::Ready(result) = event
                    && let Err(error) = take(found, result)
                {
                    return ControlFlow::Break(EndedEarly::Failed(error));
                }
                let now = Progress {
                    stage: Stage::Comparing,
                    n_done: found.n_searched,
                    n_total: *n_total,
                    n_skipped: found.skipped.len(),
                    elapsed: began.elapsed(),
                    first_runs: FirstRuns::default(),
                };
                match (**progress)(&now) {
                    ControlFlow::Continue(()) => ControlFlow::Continue(()),
                    ControlFlow::Break(()) => ControlFlow::Break(EndedEarly::Interrupted),
                }
            },
        )
    }
}

/// The images whose vectors are near that of an image.
fn nearest(reader: &IndexReader, id: ItemId) -> Result<Vec<Near>, IndexError> {
    let Some(vector) = reader.vector(id)? else {
        return Ok(Vec::new());
    };
    let mut n = N_NEAREST;
    loop {
        let mut near = reader.nearest(ItemKind::Image, &vector, n, &Nearest::default())?;
        let is_crowd = near.iter().all(|near| near.similarity >= HIGH_SIMILARITY);
        if !is_crowd || near.len() < n || n >= MAX_NEAREST {
            near.retain(|near| near.id != id && near.similarity >= MIN_SIMILARITY);
            return Ok(near);
        }
        n = (4 * n).min(MAX_NEAREST);
    }
}

/// What an image looks like, from the first of its files that is as it was and can be read.
fn looks_of(
    reader: &IndexReader,
    decoder: &Decoder<'_>,
    id: ItemId,
    skipped: &mut SkippedFiles,
) -> Result<Option<Looks>, EngineError> {
    let Some(Item::Image(image)) = reader.item(id)? else {
        return Ok(None);
    };
    for path in image.paths {
        let Some(record) = reader.file(&path)? else {
            continue;
        };
        let looks = current(&path, &record).and_then(|_| {
            let content = decoder.content(&path);
            let (bytes, _share) = content.map_err(|error| reason(&error))?;
            let looks = decoder.decode(bytes, |decoded| Looks::of(&decoded.image));
            looks.map_err(|error| error.reason())
        });
        match looks {
            Ok(looks) => return Ok(Some(looks)),
            Err(reason) => drop(skipped.insert(path, reason)),
        }
    }
    Ok(None)
}

/// The cause alone; the report names the path beside it.
fn reason(error: &EngineError) -> String {
    match error {
        EngineError::Picture { source, .. } => source.reason(),
        EngineError::Io(error) => io_reason(error),
        error => error.to_string(),
    }
}
