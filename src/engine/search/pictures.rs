//! Ranks pictures by all that is known of them: what they show, what their captions say, and which
//! words match.

use std::cmp::Ordering;
use std::collections::hash_map::Entry;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use sightline_index::{
    Candidate, Caption, Filter, IdSet, IndexReader, Item, ItemId, ItemKind, Nearest, SearchQuery,
    UnitVector,
};
use sightline_onnx::Calibration;

use super::evidence::{Asked, Confidence, Evidence, Scale};
use super::query::{EncodedQuery, FUSION_DEPTH};
use super::rank;
use crate::engine::error::EngineError;
use crate::engine::hubs;

/// Maximum number of captions with the same vector whose pictures are found by it.
const MAX_SHARING: usize = FUSION_DEPTH;

/// A caption is named as a reason for a hit from this similarity on, in standard deviations of
/// unrelated pairs.
const MIN_CAPTION: f32 = 3.0;

/// A picture in the order of the answer.
#[derive(Clone)]
pub(super) struct Ranked {
    pub(super) candidate: Candidate,
    /// `None` where the model's cosines are not calibrated, and in a search by words alone.
    pub(super) confidence: Option<Confidence>,
    /// Its caption nearest to the query, if that is near.
    pub(super) caption: Option<NearCaption>,
}

/// A caption near a query.
#[derive(Debug, Clone, Copy)]
pub(super) struct NearCaption {
    pub(super) id: ItemId,
    pub(super) similarity: f32,
}

/// The best `n` images, best first.
pub(super) fn ranked(
    reader: &IndexReader,
    query: &EncodedQuery,
    calibration: Option<Calibration>,
    n: usize,
) -> Result<Vec<Ranked>, EngineError> {
    let without_confidence = |candidate| Ranked {
        candidate,
        confidence: None,
        caption: None,
    };
    if query.is_list {
        let listed = listed(reader, query, n)?.into_iter();
        return Ok(listed.map(without_confidence).collect());
    }
    let candidates = reader.search(&SearchQuery {
        kind: ItemKind::Image,
        vector: query.vector.as_ref(),
        words: query.words.as_deref(),
        n: n.max(FUSION_DEPTH),
        among: query.chosen.as_deref(),
        filter: None,
        nearest: Nearest::default(),
    })?;
    let Some((vector, calibration)) = query.vector.as_ref().zip(calibration) else {
        let fused = rank::fuse(candidates, n).into_iter();
        return Ok(fused.map(without_confidence).collect());
    };
    let scale = Scale::new(calibration, query.asked);
    let mut pool = Pool::new(reader, scale, candidates);
    if query.asked == Asked::Words {
        pool.add_captions(vector, query)?;
        pool.subtract_hubs()?;
    }
    pool.best(n)
}

/// The newest `n` of the chosen images.
fn listed(
    reader: &IndexReader,
    query: &EncodedQuery,
    n: usize,
) -> Result<Vec<Candidate>, EngineError> {
    let chosen = query.chosen.as_deref();
    let ids = chosen.map_or_else(|| Ok(Vec::new()), |chosen| reader.newest(chosen, n))?;
    Ok(ids.into_iter().map(Candidate::unranked).collect())
}

/// All candidates of a query.
struct Pool<'a> {
    reader: &'a IndexReader,
    scale: Scale,
    candidates: Vec<Candidate>,
    /// The share of each hub bias that counts.
    biases: Vec<f32>,
    captions: HashMap<ItemId, NearCaption>,
    rest: Rest,
    /// The images that have captions, for a long list; `None` where each is looked up.
    captioned: Option<Arc<IdSet>>,
}

/// What is known of the captions that are not among the nearest.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Rest {
    /// There are none, or captions do not count.
    None,
    /// They are no nearer than this.
    Below(f32),
}

/// A candidate in the order of its log-odds.
#[derive(Debug, Clone, Copy)]
struct Contender {
    log_odds: f32,
    /// Whether `log_odds` is exact, as opposed to an upper bound.
    is_exact: bool,
    evidence: Evidence,
    id: ItemId,
    at: usize,
}

impl<'a> Pool<'a> {
    fn new(reader: &'a IndexReader, scale: Scale, candidates: Vec<Candidate>) -> Self {
        Self {
            reader,
            scale,
            biases: vec![0.0; candidates.len()],
            candidates,
            captions: HashMap::new(),
            rest: Rest::None,
            captioned: None,
        }
    }

    /// Adds the pictures of the captions nearest to a text.
    fn add_captions(
        &mut self,
        vector: &UnitVector,
        query: &EncodedQuery,
    ) -> Result<(), EngineError> {
        let (kind, how) = (ItemKind::Caption, Nearest::default());
        let depth = FUSION_DEPTH;
        let of_chosen = |chosen: &Arc<IdSet>| {
            let filter = Filter::Ids(IdSet::clone(chosen));
            self.reader.select(kind, &filter)
        };
        let among = query.chosen.as_ref().map(of_chosen).transpose()?;
        let near = self.reader.nearest_distinct(
            kind,
            vector,
            depth,
            MAX_SHARING,
            &how,
            among.as_deref(),
        )?;
        let Some(last) = near.last() else {
            return Ok(());
        };
        if near.len() == depth || near.iter().any(|near| near.n_items > near.ids.len()) {
            self.rest = Rest::Below(last.similarity);
        }
        for near in &near {
            for &id in &near.ids {
                let Some(Item::Caption(Caption {
                    image: Some(image), ..
                })) = self.reader.item(id)?
                else {
                    continue;
                };
                if let Entry::Vacant(place) = self.captions.entry(image) {
                    place.insert(NearCaption {
                        id,
                        similarity: near.similarity,
                    });
                }
            }
        }
        let known = self.candidates.iter().map(|candidate| candidate.id);
        let mut others: Vec<ItemId> = {
            let known: std::collections::HashSet<ItemId> = known.collect();
            let all = self.captions.keys().copied();
            all.filter(|image| !known.contains(image)).collect()
        };
        others.sort_unstable();
        for id in others {
            let similarity = self.reader.similarity(ItemKind::Image, id, vector)?;
            if similarity.is_some() {
                self.candidates.push(Candidate {
                    similarity,
                    ..Candidate::unranked(id)
                });
            }
        }
        self.biases.resize(self.candidates.len(), 0.0);
        Ok(())
    }

    /// Computes what pictures owe to being near everything.
    fn subtract_hubs(&mut self) -> Result<(), EngineError> {
        let ids: Vec<ItemId> = self.candidates.iter().map(|found| found.id).collect();
        let (kind, min) = (ItemKind::Image, hubs::MIN_PICTURES);
        let biases = self.reader.hub_biases(kind, &ids, min)?;
        self.biases = biases
            .into_iter()
            .map(|bias| hubs::SHARE_OF_PICTURE * bias)
            .collect();
        Ok(())
    }

    /// The best `n`, best first. Whether a picture has captions is only looked up where it matters.
    fn best(mut self, n: usize) -> Result<Vec<Ranked>, EngineError> {
        // Found once per generation, in the time of a few hundred lookups.
        if n > FUSION_DEPTH && matches!(self.rest, Rest::Below(_)) {
            let captioned = self.reader.select(ItemKind::Image, &Filter::Captioned)?;
            self.captioned = Some(captioned);
        }
        let mut heap: BinaryHeap<Contender> = self.places().collect();
        let scale = self.scale;
        let is_near = |caption: &NearCaption| scale.caption(caption.similarity) >= MIN_CAPTION;
        let mut ranked = Vec::new();
        while ranked.len() < n
            && let Some(place) = heap.pop()
        {
            if !place.is_exact {
                heap.push(self.resolved(place)?);
                continue;
            }
            let candidate = &mut self.candidates[place.at];
            ranked.push(Ranked {
                confidence: Some(self.scale.confidence(place.evidence)),
                caption: self.captions.get(&place.id).copied().filter(is_near),
                candidate: candidate.clone(),
            });
        }
        Ok(ranked)
    }

    fn places(&self) -> impl Iterator<Item = Contender> {
        let candidates = self.candidates.iter().zip(&self.biases).enumerate();
        candidates.map(|(at, (candidate, bias))| {
            let caption = self.captions.get(&candidate.id);
            let evidence = Evidence {
                picture: candidate.similarity.unwrap_or(-1.0) - bias,
                caption: caption.map(|caption| caption.similarity),
                coverage: candidate.coverage,
            };
            let log_odds = self.scale.log_odds(evidence);
            let (log_odds, is_exact) = match self.rest {
                Rest::Below(highest) if caption.is_none() => {
                    let with_caption = Evidence {
                        caption: Some(highest),
                        ..evidence
                    };
                    (log_odds.max(self.scale.log_odds(with_caption)), false)
                }
                _ => (log_odds, true),
            };
            Contender {
                log_odds,
                is_exact,
                evidence,
                id: candidate.id,
                at,
            }
        })
    }

    /// A place whose log-odds are exact, but for a caption that is not among the nearest, which
    /// counts as the last of those.
    fn resolved(&self, place: Contender) -> Result<Contender, EngineError> {
        let is_captioned = match &self.captioned {
            Some(captioned) => captioned.contains(place.id),
            None => !self.reader.captions_of(place.id)?.is_empty(),
        };
        let evidence = Evidence {
            caption: match self.rest {
                Rest::Below(highest) if is_captioned => Some(highest),
                _ => None,
            },
            ..place.evidence
        };
        Ok(Contender {
            log_odds: self.scale.log_odds(evidence),
            is_exact: true,
            evidence,
            ..place
        })
    }
}

impl Ord for Contender {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_log_odds = self.log_odds.total_cmp(&other.log_odds);
        let (own, others) = (self.evidence.picture, other.evidence.picture);
        by_log_odds
            .then_with(|| own.total_cmp(&others))
            .then_with(|| other.id.cmp(&self.id))
    }
}

impl PartialOrd for Contender {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Contender {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Contender {}
