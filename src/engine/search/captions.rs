//! Captions that match a query. Equal texts are one hit, however many pictures they describe: the
//! index returns distinct vectors, and of each only its first captions are read.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use sightline_index::{
    Candidate, Caption, FullItem, IdSet, IndexReader, Item, ItemId, ItemKind, NearVector, Nearest,
    UnitVector,
};
use sightline_onnx::Calibration;

use super::evidence::{Asked, Confidence, Scale};
use super::query::{EncodedQuery, FUSION_DEPTH};
use super::rank;
use crate::engine::error::EngineError;
use crate::engine::hubs;

/// Captions with the same vector that are read.
const MAX_READ: usize = 32;

/// A caption that matches a query.
#[derive(Debug, Clone, PartialEq)]
pub struct CaptionHit {
    /// The caption.
    pub text: String,
    /// Cosine of query and caption, −1…1; `None` in a search by words alone.
    pub similarity: Option<f32>,
    /// How likely it is about the picture that was asked for, or about the same picture as the text
    /// that was. Falls from hit to hit. `None` in a search by words alone, and for a model whose
    /// cosines are not calibrated.
    pub confidence: Option<Confidence>,
    /// Words of the query found in it.
    pub words: Vec<String>,
    /// Files of the pictures it describes, at most [`MAX_PICTURES`](Self::MAX_PICTURES); empty for
    /// a caption of a plain text list.
    pub pictures: Vec<PathBuf>,
    /// How many captions have this text. Of more than 32, those that the model cannot distinguish
    /// from it count too.
    pub n_captions: usize,
    /// Whether the texts of all of them were read, and are equal.
    pub are_equal: bool,
    /// The file it came from.
    pub source: PathBuf,
}

impl CaptionHit {
    /// The maximum number of pictures that a hit names.
    pub const MAX_PICTURES: usize = 20;
}

/// Captions with the same vector: the first of them, and how many there are.
struct Equal {
    ids: Vec<ItemId>,
    n_items: usize,
}

/// What is ranked, and the captions of each candidate by its id.
#[derive(Default)]
struct Candidates {
    /// Whether there is one for each text, as opposed to each vector.
    is_by_text: bool,
    ranked: Vec<Candidate>,
    equal: HashMap<ItemId, Equal>,
    confidence: HashMap<ItemId, Confidence>,
}

/// The best `n` captions with different texts, best first.
pub(super) fn ranked(
    reader: &IndexReader,
    query: &EncodedQuery,
    calibration: Option<Calibration>,
    n: usize,
) -> Result<Vec<CaptionHit>, EngineError> {
    let among = query.chosen.as_deref();
    if query.is_list {
        return listed(reader, among, n);
    }
    let Candidates {
        is_by_text,
        ranked,
        mut equal,
        confidence,
    } = candidates(reader, query, calibration, n, among)?;
    let mut hits = Vec::new();
    let mut texts = HashSet::new();
    for candidate in in_order(ranked, &confidence) {
        if hits.len() >= n {
            break;
        }
        let equal = match equal.remove(&candidate.id) {
            Some(equal) => equal,
            None => equal_to(reader, candidate.id, among)?,
        };
        let confidence = confidence.get(&candidate.id).copied();
        for hit in hits_of(reader, &candidate, equal, is_by_text)? {
            if texts.insert(hit.text.clone()) {
                hits.push(CaptionHit { confidence, ..hit });
            }
        }
    }
    hits.truncate(n);
    Ok(hits)
}

/// The candidates, the likeliest first; without confidence, their two rankings fused.
fn in_order(
    mut candidates: Vec<Candidate>,
    confidence: &HashMap<ItemId, Confidence>,
) -> Vec<Candidate> {
    if candidates.iter().any(|of| !confidence.contains_key(&of.id)) {
        return rank::fuse(candidates, usize::MAX);
    }
    let value = |of: &Candidate| confidence.get(&of.id).map_or(0.0, |found| found.value());
    // Stable: of equal confidence, the more similar one first.
    candidates.sort_by(|a, b| value(b).total_cmp(&value(a)));
    candidates
}

/// The chosen captions, the last added first.
fn listed(
    reader: &IndexReader,
    chosen: Option<&IdSet>,
    n: usize,
) -> Result<Vec<CaptionHit>, EngineError> {
    let mut ids: Vec<ItemId> = chosen.map_or_else(Vec::new, |chosen| chosen.iter().collect());
    ids.reverse();
    let (mut hits, mut texts) = (Vec::new(), HashSet::new());
    for id in ids {
        if hits.len() >= n {
            break;
        }
        // The list may have ids of other items.
        let Some(Item::Caption(Caption { text, .. })) = reader.item(id)? else {
            continue;
        };
        if !texts.insert(text) {
            continue;
        }
        hits.extend(hits_of(
            reader,
            &Candidate::unranked(id),
            equal_to(reader, id, chosen)?,
            true,
        )?);
    }
    hits.truncate(n);
    Ok(hits)
}

/// The candidates for a query: one for each text where any matches by words, and otherwise one for
/// each vector, whose texts are read when it is a hit.
fn candidates(
    reader: &IndexReader,
    query: &EncodedQuery,
    calibration: Option<Calibration>,
    n: usize,
    among: Option<&IdSet>,
) -> Result<Candidates, EngineError> {
    let depth = n.saturating_mul(2).max(FUSION_DEPTH);
    let (kind, how) = (ItemKind::Caption, Nearest::default());
    let near = match &query.vector {
        Some(vector) => reader.nearest_distinct(kind, vector, depth, MAX_READ, &how, among)?,
        None => Vec::new(),
    };
    let matches = match &query.words {
        Some(words) => reader.matching_texts(words, depth, among)?,
        None => Vec::new(),
    };
    let (near, confidence) = match query.asked {
        Asked::Picture => without_hubs(reader, near, calibration)?,
        Asked::Words => (near, HashMap::new()),
    };
    let mut candidates = Candidates {
        confidence,
        is_by_text: !matches.is_empty(),
        ..Candidates::default()
    };
    let mut places: HashMap<String, usize> = HashMap::new();
    // Ranks by similarity, for texts that are not among the first of a vector.
    let mut ranks: HashMap<u32, usize> = HashMap::new();
    for near in near {
        let next_rank = candidates.ranked.len() + 1;
        ranks.entry(near.similarity.to_bits()).or_insert(next_rank);
        let equal = Equal {
            ids: near.ids,
            n_items: near.n_items,
        };
        if !candidates.is_by_text {
            candidates.put_near(near.similarity, equal);
            continue;
        }
        for (text, equal) in by_text(reader, equal)? {
            if let Entry::Vacant(place) = places.entry(text) {
                place.insert(candidates.ranked.len());
                candidates.put_near(near.similarity, equal);
            }
        }
    }
    for ((text, found), rank) in matches.into_iter().zip(1..) {
        let known = places.get(&text).copied();
        let place = known.unwrap_or(candidates.ranked.len());
        if known.is_none() {
            let similarity = match &query.vector {
                Some(vector) => reader.similarity(kind, found.id, vector)?,
                None => None,
            };
            let bits = similarity.map(f32::to_bits);
            let rank_by_meaning = bits.and_then(|bits| ranks.get(&bits).copied());
            candidates.put(found.id, similarity, rank_by_meaning);
        }
        let candidate = &mut candidates.ranked[place];
        candidate.rank_by_words = Some(rank);
        candidate.bm25 = Some(found.bm25);
        candidate.words = found.words;
        candidate.coverage = found.coverage;
    }
    if let (Asked::Words, Some(calibration)) = (query.asked, calibration) {
        candidates.weigh(Scale::new(calibration, Asked::Words));
    }
    Ok(candidates)
}

/// Captions near a picture in a new order: less by their similarity that they owe to being near
/// everything. With the confidence in the first caption of each vector.
fn without_hubs(
    reader: &IndexReader,
    near: Vec<NearVector>,
    calibration: Option<Calibration>,
) -> Result<(Vec<NearVector>, HashMap<ItemId, Confidence>), EngineError> {
    let first = |near: &NearVector| near.ids.first().copied().unwrap_or(ItemId(0));
    let ids: Vec<ItemId> = near.iter().map(first).collect();
    let biases = reader.hub_biases(ItemKind::Caption, &ids, 1)?;
    let corrected = near.into_iter().zip(biases).map(|(near, bias)| {
        let similarity = near.similarity - hubs::SHARE_OF_CAPTION * bias;
        (similarity, near)
    });
    let mut corrected: Vec<(f32, NearVector)> = corrected.collect();
    corrected.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let scale = calibration.map(|calibration| Scale::new(calibration, Asked::Picture));
    let mut confidence = HashMap::new();
    for (similarity, near) in &corrected {
        if let Some(scale) = scale {
            confidence.insert(first(near), scale.confidence_in_caption(*similarity));
        }
    }
    let near = corrected.into_iter().map(|(_, near)| near);
    Ok((near.collect(), confidence))
}

impl Candidates {
    /// Adds the next of the ranking by meaning.
    fn put_near(&mut self, similarity: f32, equal: Equal) {
        if let Some(&id) = equal.ids.first() {
            self.put(id, Some(similarity), Some(self.ranked.len() + 1));
            self.equal.insert(id, equal);
        }
    }

    /// Adds the confidence in captions that were found for a text.
    fn weigh(&mut self, scale: Scale) {
        for candidate in &self.ranked {
            if let Some(similarity) = candidate.similarity {
                let confidence = scale.confidence_in_text(similarity, candidate.coverage);
                self.confidence.insert(candidate.id, confidence);
            }
        }
    }

    fn put(&mut self, id: ItemId, similarity: Option<f32>, rank_by_meaning: Option<usize>) {
        self.ranked.push(Candidate {
            similarity,
            rank_by_meaning,
            ..Candidate::unranked(id)
        });
    }
}

/// Captions with the same vector by their texts, in the order of the first of each. Those that are
/// not read count as the most frequent text.
fn by_text(reader: &IndexReader, equal: Equal) -> Result<Vec<(String, Equal)>, EngineError> {
    let n_more = equal.n_items.saturating_sub(equal.ids.len());
    let mut texts: Vec<(String, Equal)> = Vec::new();
    for id in equal.ids {
        let Some(Item::Caption(Caption { text, .. })) = reader.item(id)? else {
            continue;
        };
        let known = texts.iter().position(|known| known.0 == text);
        let place = known.unwrap_or(texts.len());
        if known.is_none() {
            let ids = Vec::new();
            texts.push((text, Equal { ids, n_items: 0 }));
        }
        texts[place].1.ids.push(id);
        texts[place].1.n_items += 1;
    }
    let most = texts.iter_mut().rev().max_by_key(|text| text.1.n_items);
    if let Some((_, most)) = most {
        most.n_items += n_more;
    }
    Ok(texts)
}

/// The captions with the same vector as this one, which comes first. With `among`, only those.
fn equal_to(reader: &IndexReader, id: ItemId, among: Option<&IdSet>) -> Result<Equal, EngineError> {
    let alone = Equal {
        ids: vec![id],
        n_items: 1,
    };
    let Some(vector) = reader.vector(id)? else {
        return Ok(alone);
    };
    let (kind, how) = (ItemKind::Caption, Nearest::default());
    let found = reader.nearest_distinct(kind, &vector, 1, MAX_READ, &how, among)?;
    let Some(near) = found.into_iter().next() else {
        return Ok(alone);
    };
    // An approximate search may miss it, and rounding may prefer another one.
    if !has_vector(reader, near.ids.first(), &vector)? {
        return Ok(alone);
    }
    let others = near.ids.into_iter().filter(|&other| other != id);
    Ok(Equal {
        ids: std::iter::once(id).chain(others).collect(),
        n_items: near.n_items,
    })
}

fn has_vector(
    reader: &IndexReader,
    id: Option<&ItemId>,
    vector: &UnitVector,
) -> Result<bool, EngineError> {
    Ok(match id {
        Some(&id) => reader.vector(id)?.as_ref() == Some(vector),
        None => false,
    })
}

/// A hit for each text among captions with the same vector, or only for that of the candidate.
fn hits_of(
    reader: &IndexReader,
    candidate: &Candidate,
    equal: Equal,
    is_by_text: bool,
) -> Result<Vec<CaptionHit>, EngineError> {
    let mut hits = Vec::new();
    for (_, Equal { ids, n_items }) in by_text(reader, equal)? {
        if !is_by_text || ids.contains(&candidate.id) {
            hits.extend(hit(reader, candidate, &ids, n_items)?);
        }
    }
    Ok(hits)
}

/// The hit of captions with the same text; none when the pictures of all have lost their files.
fn hit(
    reader: &IndexReader,
    candidate: &Candidate,
    ids: &[ItemId],
    n_captions: usize,
) -> Result<Option<CaptionHit>, EngineError> {
    let mut items = reader.items(ids)?;
    let mut hit: Option<CaptionHit> = None;
    for id in ids {
        let Some(FullItem::Caption {
            caption,
            image_paths,
        }) = items.remove(id)
        else {
            continue;
        };
        // Its file was overwritten by a run that may still find the content elsewhere.
        if caption.image.is_some() && image_paths.is_empty() {
            continue;
        }
        let hit = hit.get_or_insert_with(|| CaptionHit {
            text: caption.text,
            similarity: candidate.similarity,
            confidence: None,
            words: candidate.words.clone(),
            pictures: Vec::new(),
            n_captions,
            are_equal: ids.len() == n_captions,
            source: caption.source,
        });
        for path in image_paths {
            if hit.pictures.len() < CaptionHit::MAX_PICTURES && !hit.pictures.contains(&path) {
                hit.pictures.push(path);
            }
        }
    }
    Ok(hit)
}
