//! The hub biases of images, in a file beside the graphs, so that a query only looks them up.
//!
//! A bias depends on the references that stand for all pictures, so the file has both. References
//! stay while the index grows, and are chosen again when it has doubled or halved: then all biases
//! are computed again, otherwise only those of newer images. An id never gets another vector, so a
//! bias is valid as long as its references. Without a usable file, readers choose references and
//! compute biases themselves.

use std::io::{self, Write as _};
use std::ops::ControlFlow;

use rayon::prelude::*;

use crate::atomic::AtomicFile;
use crate::bias::{HubReferences, MAX_REFERENCES};
use crate::derived::graph_files::{BuildProgress, BuildStep, OnBuild};
use crate::disk::layout::Layout;
use crate::disk::manifest::Manifest;
use crate::disk::steps::{Step, Steps};
use crate::error::{IndexError, Within};
use crate::graph::codes;
use crate::item::{ItemId, ItemKind};
use crate::records::RecordsError;
use crate::records::codec::StoredItem;
use crate::records::read::Records;
use crate::records::store::Store;

/// With fewer images, readers compute the few biases that there are.
const MIN_IMAGES: u64 = if cfg!(test) { 8 } else { 256 };

/// Newer images wait until they are one in this many.
const NEWER_SHARE: usize = 100;

/// Vectors read before their biases are computed, on all cores.
const PORTION: usize = 4096;

/// Biases that a check computes.
const MAX_CHECKED: usize = 2_048;

const MAGIC: &[u8; 8] = b"SLHUBS\0\n";
const FORMAT: u32 = 1;

/// Bytes before the references.
const HEADER: usize = 64;

/// The content of the file.
#[derive(Debug)]
pub(crate) struct HubBiases {
    pub(crate) references: HubReferences,
    /// Number of images when the references were chosen.
    n_images: u32,
    /// The newest image that has a bias here.
    last_id: ItemId,
    /// The mean of the biases.
    pub(crate) mean: f32,
    /// Ascending. Those of removed images stay until references are chosen again.
    ids: Vec<u32>,
    /// As many as ids.
    biases: Vec<f32>,
}

/// What there is of the file.
pub(crate) enum FoundBiases {
    Missing,
    Unusable(String),
    Usable(HubBiases),
}

impl HubBiases {
    /// Reads the file of this index. A file that cannot be read is no error: nothing depends on it
    /// but the time of a query.
    pub(crate) fn read(layout: &Layout, index_id: [u8; 16], dimension: usize) -> FoundBiases {
        let bytes = match fs_err::read(layout.hubs()) {
            Ok(bytes) => bytes,
            Err(error) if super::is_unreadable(&error) => return FoundBiases::Missing,
            Err(error) => return FoundBiases::Unusable(error.to_string()),
        };
        match Self::decode(&bytes, index_id, dimension) {
            Ok(found) => FoundBiases::Usable(found),
            Err(what) => FoundBiases::Unusable(what.to_owned()),
        }
    }

    /// The bias of an image, −1…1.
    pub(crate) fn bias(&self, id: ItemId) -> Option<f32> {
        let (&first, &last) = (self.ids.first()?, self.ids.last()?);
        if !(first..=last).contains(&id.0) {
            return None;
        }
        // Ids ascend, so its place is at most its distance from the first, and as near the end as
        // its distance from the last: with no gaps between the ids, that is one place.
        let highest = (id.0 - first) as usize;
        let lowest = self.ids.len().saturating_sub((last - id.0) as usize + 1);
        let places = lowest..=highest.min(self.ids.len() - 1);
        let at = self.ids.get(places)?.binary_search(&id.0).ok()?;
        self.biases.get(lowest + at).copied()
    }

    /// Whether its references may stand for this many images.
    pub(crate) fn is_fit_for(&self, n_images: u64) -> bool {
        let (before, n_biases) = (u64::from(self.n_images), self.ids.len() as u64);
        n_images < 2 * before && before <= 2 * n_images && n_biases <= 4 * n_images
    }

    fn encode(&self, manifest: &Manifest) -> Vec<u8> {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
        let mut bytes = MAGIC.to_vec();
        bytes.extend(FORMAT.to_le_bytes());
        bytes.extend(number(manifest.binding.dimension));
        bytes.extend(manifest.index_id());
        bytes.extend(self.n_images.to_le_bytes());
        let stride = self.references.stride.max(1);
        bytes.extend(number(self.references.rows.len() / stride));
        bytes.extend(self.last_id.0.to_le_bytes());
        bytes.extend(number(self.ids.len()));
        bytes.extend(self.mean.to_le_bytes());
        bytes.resize(HEADER, 0);
        bytes.extend(&self.references.rows);
        bytes.extend(self.ids.iter().flat_map(|id| id.to_le_bytes()));
        bytes.extend(self.biases.iter().flat_map(|bias| bias.to_le_bytes()));
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8], index_id: [u8; 16], dimension: usize) -> Result<Self, &'static str> {
        const DAMAGED: &str = "their file is damaged";
        let (content, sum) = bytes.split_last_chunk::<4>().ok_or(DAMAGED)?;
        if crc32fast::hash(content) != u32::from_le_bytes(*sum) {
            return Err(DAMAGED);
        }
        let (header, rest) = content.split_at_checked(HEADER).ok_or(DAMAGED)?;
        let (fields, []) = header.as_chunks::<4>() else {
            return Err(DAMAGED);
        };
        let number = |at: usize| u32::from_le_bytes(fields[at / 4]);
        if !header.starts_with(MAGIC) || number(8) != FORMAT {
            return Err("their file has another format");
        }
        if header[16..32] != index_id || number(12) as usize != dimension {
            return Err("they are those of another index");
        }
        let stride = codes::stride(dimension);
        let (n_references, n_ids) = (number(36) as usize, number(44) as usize);
        if n_references > MAX_REFERENCES {
            return Err(DAMAGED);
        }
        let rows = rest.split_at_checked(n_references * stride);
        let (rows, rest) = rows.ok_or(DAMAGED)?;
        let (values, []) = rest.as_chunks::<4>() else {
            return Err(DAMAGED);
        };
        let (ids, biases) = values.split_at_checked(n_ids).ok_or(DAMAGED)?;
        let found = Self {
            references: HubReferences {
                rows: rows.to_vec(),
                stride,
            },
            n_images: number(32),
            last_id: ItemId(number(40)),
            mean: f32::from_bits(number(48)),
            ids: ids.iter().map(|id| u32::from_le_bytes(*id)).collect(),
            biases: biases
                .iter()
                .map(|bias| f32::from_le_bytes(*bias))
                .collect(),
        };
        if found.is_consistent() {
            Ok(found)
        } else {
            Err(DAMAGED)
        }
    }

    fn is_consistent(&self) -> bool {
        let is_bias = |bias: &f32| (-1.0..=1.0).contains(bias);
        self.ids.len() == self.biases.len()
            && self.ids.is_sorted_by(|a, b| a < b)
            && self.ids.last().is_none_or(|&id| id <= self.last_id.0)
            && self.biases.iter().all(is_bias)
            && is_bias(&self.mean)
    }

    /// What is wrong with it, given the images of the records: one that it lacks, or whose bias is
    /// another. Of many, some are computed. `vector` returns none for an image without a sound one,
    /// which has no bias.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub(crate) fn defect(
        &self,
        images: &[ItemId],
        vector: impl Fn(ItemId) -> Result<Option<Vec<f32>>, RecordsError>,
    ) -> Result<Option<String>, RecordsError> {
        let old = || images.iter().filter(|&&id| id <= self.last_id);
        for &id in old().filter(|&&id| self.bias(id).is_none()) {
            if vector(id)?.is_some() {
                return Ok(Some(format!("that of item {} is missing", id.0)));
            }
        }
        let step = images.len().div_ceil(MAX_CHECKED).max(1);
        for &id in old().step_by(step) {
            let bias = vector(id)?.map(|vector| self.references.bias(ItemKind::Image, &vector));
            // Another processor may round differently.
            let is_equal = |bias: f32| self.bias(id).is_some_and(|own| (own - bias).abs() < 1e-5);
            if !bias.is_none_or(is_equal) {
                return Ok(Some(format!("that of item {} is another", id.0)));
            }
        }
        Ok(None)
    }
}

/// Brings the file up to date with the committed records. It is replaced as a whole, or stays, as
/// when `progress` breaks.
///
/// # Errors
/// When the records cannot be read or the file cannot be written.
pub(crate) fn update(
    layout: &Layout,
    manifest: &Manifest,
    store: &Store,
    steps: Steps,
    progress: &mut OnBuild<'_>,
) -> Result<(), IndexError> {
    let (dir, path) = (layout.dir(), layout.hubs());
    let dimension = manifest.binding.dimension;
    let n_images = store.stored_counts().within(dir)?.n_images;
    if n_images < MIN_IMAGES {
        return layout.discard(&path);
    }
    let mut biases = match HubBiases::read(layout, manifest.index_id(), dimension) {
        FoundBiases::Usable(known) if known.is_fit_for(n_images) => known,
        _ => HubBiases {
            references: references(store, dimension).within(dir)?,
            n_images: u32::try_from(n_images).unwrap_or(u32::MAX),
            last_id: ItemId(0),
            mean: 0.0,
            ids: Vec::new(),
            biases: Vec::new(),
        },
    };
    let is_due = is_due(store, dimension, &biases).within(dir)?;
    if !is_due
        || add_newer(store, dimension, n_images, &mut biases, progress)
            .within(dir)?
            .is_break()
    {
        return Ok(());
    }
    biases.mean = mean(&biases.biases);
    let write = || -> io::Result<()> {
        fs_err::create_dir_all(layout.graphs())?;
        let mut file = AtomicFile::create(&path)?;
        file.write_all(&biases.encode(manifest))?;
        file.commit(|| steps.reach(Step::HubsAside))
    };
    write().map_err(|source| IndexError::writing(dir, &path, source))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a mean of values within −1…1 needs no more digits than they have"
)]
fn mean(biases: &[f32]) -> f32 {
    let sum: f64 = biases.iter().map(|&bias| f64::from(bias)).sum();
    (sum / biases.len().max(1) as f64) as f32
}

/// Images at equal distances in the order of their ids.
fn references(store: &Store, dimension: usize) -> Result<HubReferences, RecordsError> {
    let mut images = Vec::new();
    store.scan_items(&mut |id, item| {
        if matches!(item, StoredItem::Image { .. }) {
            images.push(id);
        }
        Ok(())
    })?;
    let step = images.len().div_ceil(MAX_REFERENCES).max(1);
    let mut rows = Vec::new();
    for &id in images.iter().step_by(step) {
        if let Some(vector) = store.vector_values(ItemKind::Image, id, dimension)? {
            codes::encode(&vector, &mut rows);
        }
    }
    Ok(HubReferences {
        rows,
        stride: codes::stride(dimension),
    })
}

/// Whether there are enough newer images to write the file again.
fn is_due(store: &Store, dimension: usize, known: &HubBiases) -> Result<bool, RecordsError> {
    let (mut n_newer, mut is_due) = (0, false);
    store.scan_vectors(ItemKind::Image, known.last_id, dimension, &mut |_, _| {
        n_newer += 1;
        is_due = n_newer * NEWER_SHARE >= known.ids.len() + n_newer;
        Ok(!is_due)
    })?;
    Ok(is_due)
}

/// Adds the biases of images that are newer than the last, until `progress` breaks.
fn add_newer(
    store: &Store,
    dimension: usize,
    n_images: u64,
    known: &mut HubBiases,
    progress: &mut OnBuild<'_>,
) -> Result<ControlFlow<()>, RecordsError> {
    let kind = ItemKind::Image;
    let n_total = usize::try_from(n_images).unwrap_or(usize::MAX);
    let n_total = n_total.saturating_sub(known.ids.len());
    let n_before = known.ids.len();
    loop {
        let mut portion: Vec<(ItemId, Vec<f32>)> = Vec::new();
        store.scan_vectors(kind, known.last_id, dimension, &mut |id, vector| {
            portion.push((id, vector.to_vec()));
            Ok(portion.len() < PORTION)
        })?;
        let references = &known.references;
        let bias = |(_, vector): &(ItemId, Vec<f32>)| references.bias(kind, vector);
        known.biases.par_extend(portion.par_iter().map(bias));
        known.ids.extend(portion.iter().map(|(id, _)| id.0));
        known.last_id = portion.last().map_or(known.last_id, |&(id, _)| id);
        if portion.len() < PORTION {
            return Ok(ControlFlow::Continue(()));
        }
        let n_done = known.ids.len() - n_before;
        let done = BuildProgress {
            step: BuildStep::HubBiases,
            kind,
            n_done,
            n_total: n_total.max(n_done),
        };
        if progress(done).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_ids(ids: &[u32]) -> HubBiases {
        HubBiases {
            references: HubReferences::of(&[]),
            n_images: 0,
            last_id: ItemId(0),
            mean: 0.0,
            ids: ids.to_vec(),
            biases: ids.iter().map(|&id| id as f32).collect(),
        }
    }

    #[test]
    fn a_bias_is_found_whatever_the_gaps() {
        let sets: [&[u32]; 6] = [
            &[],
            &[7],
            &[1, 2, 3, 4, 5],
            &[0, 1, 2, 30, 31, 32],
            &[3, 9, 10, 11, 40, u32::MAX],
            &[1, 2, 1_000, 1_001, 1_002, 1_003, 1_004],
        ];
        for ids in sets {
            let biases = with_ids(ids);
            for id in (0..1_100).chain(u32::MAX - 3..=u32::MAX) {
                let expected = ids.contains(&id).then_some(id as f32);
                assert_eq!(biases.bias(ItemId(id)), expected, "{id} of {ids:?}");
            }
        }
    }
}
