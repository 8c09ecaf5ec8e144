//! Which items meet a [`Filter`]: read from the facets of the records, or computed from the items
//! of an index whose facets are not recorded.

use std::sync::{Arc, Mutex, PoisonError};

use super::IndexReader;
use crate::error::{IndexError, Within};
use crate::filter::{Filter, Leaf, Verdict};
use crate::ids::IdSet;
use crate::item::{ItemId, ItemKind};
use crate::records::facet_keys;
use crate::records::facets::{self, PORTION};
use crate::records::keys::{self, Column};
use crate::records::read::Records;
use crate::records::store::Store;
use crate::records::{RecordsError, damaged};

/// The number of selections that a reader remembers. One takes an eighth of a byte per id.
const N_REMEMBERED: usize = 32;

/// A value with more chunks than this is skipped by a new search for the next value.
const N_STEPS: u32 = 16;

/// Captions are looked up image by image if that reads less than one in this many of them.
const COST_OF_LOOKUP: usize = 32;

/// The images that meet conditions asked before, the latest last.
#[derive(Default)]
pub(super) struct Selections {
    known: Mutex<Vec<(Condition, Arc<IdSet>)>>,
}

/// What is remembered: a filter on one facet, or that an image exists.
#[derive(Clone, PartialEq, Eq)]
enum Condition {
    EveryImage,
    Filter(Filter),
}

impl Condition {
    fn leaf(&self) -> Result<Option<Leaf>, RecordsError> {
        match self {
            Self::EveryImage => Ok(Some(Leaf::every_image())),
            Self::Filter(filter) => Leaf::new(filter),
        }
    }
}

impl Selections {
    fn get(&self, condition: &Condition) -> Option<Arc<IdSet>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let at = known.iter().position(|(known, _)| known == condition)?;
        let found = known.remove(at);
        let ids = Arc::clone(&found.1);
        known.push(found);
        Some(ids)
    }

    fn put(&self, condition: Condition, ids: &Arc<IdSet>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(known, _)| *known != condition);
        if known.len() == N_REMEMBERED {
            known.remove(0);
        }
        known.push((condition, Arc::clone(ids)));
    }
}

impl IndexReader {
    /// The items of a kind that meet a filter.
    ///
    /// The reader remembers the answers to the last 32 conditions on one property.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn select(&self, kind: ItemKind, filter: &Filter) -> Result<Arc<IdSet>, IndexError> {
        let images = self.images_that(filter).within(self.dir())?;
        match kind {
            ItemKind::Image => Ok(images),
            ItemKind::Caption => {
                let captions = self.captions_of_images(&images).within(self.dir())?;
                Ok(Arc::new(captions))
            }
        }
    }

    fn images_that(&self, filter: &Filter) -> Result<Arc<IdSet>, RecordsError> {
        let conditions = if facets::are_complete(&self.store)? {
            None
        } else {
            let mut wanted = vec![Condition::EveryImage];
            conditions_in(filter, &mut wanted);
            Some(self.compute(wanted)?)
        };
        let selecting = Selecting {
            reader: self,
            computed: conditions,
        };
        selecting.images_that(filter)
    }

    /// The images that meet each condition, computed from items and paths.
    fn compute(
        &self,
        wanted: Vec<Condition>,
    ) -> Result<Vec<(Condition, Arc<IdSet>)>, RecordsError> {
        let (mut computed, mut missing) = (Vec::new(), Vec::new());
        for condition in wanted {
            match (self.selections.get(&condition), condition.leaf()?) {
                (Some(known), _) => computed.push((condition, known)),
                (None, Some(leaf)) => missing.push((condition, leaf, IdSet::new())),
                (None, None) => {}
            }
        }
        let end = self.store.next_id()?.0;
        let mut first = if missing.is_empty() { end } else { 0 };
        while first < end {
            let last = ItemId(first.saturating_add(PORTION - 1));
            facets::scan(&self.store, ItemId(first), last, &mut |id, values| {
                for (_, leaf, ids) in &mut missing {
                    if leaf.accepts(&values) {
                        ids.insert(id);
                    }
                }
            })?;
            first = first.saturating_add(PORTION);
        }
        for (condition, _, ids) in missing {
            let ids = Arc::new(ids);
            self.selections.put(condition.clone(), &ids);
            computed.push((condition, ids));
        }
        Ok(computed)
    }

    /// The captions of these images.
    fn captions_of_images(&self, images: &IdSet) -> Result<IdSet, RecordsError> {
        let mut captions = IdSet::new();
        let n_captions = usize::try_from(self.counts.n_captions).unwrap_or(usize::MAX);
        if images.len().saturating_mul(COST_OF_LOOKUP) < n_captions {
            for image in images.iter() {
                captions.extend(self.store.caption_ids(&keys::owner_prefix(Some(image)))?);
            }
            return Ok(captions);
        }
        let store = &self.store;
        store.scan(Column::Captions, keys::OWNERS, &[], &mut |key, value| {
            let owner = keys::owner_in(key).ok_or(damaged("the key of a caption"))?;
            if owner.is_some_and(|owner| images.contains(owner)) {
                captions.insert(crate::records::codec::decode_id(value)?);
            }
            Ok(true)
        })?;
        Ok(captions)
    }
}

/// The conditions in a filter that are answered from one facet.
fn conditions_in(filter: &Filter, found: &mut Vec<Condition>) {
    match filter {
        Filter::All(parts) | Filter::Any(parts) => {
            for part in parts {
                conditions_in(part, found);
            }
        }
        Filter::Not(part) => conditions_in(part, found),
        Filter::Ids(_) => {}
        leaf => found.push(Condition::Filter(leaf.clone())),
    }
}

/// One evaluation of a filter.
struct Selecting<'a> {
    reader: &'a IndexReader,
    /// The answers to all conditions where the facets are not recorded.
    computed: Option<Vec<(Condition, Arc<IdSet>)>>,
}

impl Selecting<'_> {
    fn images_that(&self, filter: &Filter) -> Result<Arc<IdSet>, RecordsError> {
        match filter {
            Filter::All(parts) => {
                let mut chosen: Option<Arc<IdSet>> = None;
                for part in parts {
                    let more = self.images_that(part)?;
                    match &mut chosen {
                        Some(chosen) => Arc::make_mut(chosen).intersect_with(&more),
                        None => chosen = Some(more),
                    }
                    if chosen.as_ref().is_some_and(|chosen| chosen.is_empty()) {
                        break;
                    }
                }
                chosen.map_or_else(|| self.condition(Condition::EveryImage), Ok)
            }
            Filter::Any(parts) => {
                let mut chosen: Option<Arc<IdSet>> = None;
                for part in parts {
                    let more = self.images_that(part)?;
                    match &mut chosen {
                        Some(chosen) => Arc::make_mut(chosen).union_with(&more),
                        None => chosen = Some(more),
                    }
                }
                Ok(chosen.unwrap_or_default())
            }
            Filter::Not(part) => {
                let mut chosen = self.condition(Condition::EveryImage)?;
                let unwanted = self.images_that(part)?;
                Arc::make_mut(&mut chosen).subtract(&unwanted);
                Ok(chosen)
            }
            Filter::Ids(ids) => {
                let mut chosen = self.condition(Condition::EveryImage)?;
                Arc::make_mut(&mut chosen).intersect_with(ids);
                Ok(chosen)
            }
            leaf => self.condition(Condition::Filter(leaf.clone())),
        }
    }

    fn condition(&self, condition: Condition) -> Result<Arc<IdSet>, RecordsError> {
        if let Some(computed) = &self.computed {
            let found = computed.iter().find(|(known, _)| *known == condition);
            return Ok(found.map(|(_, ids)| Arc::clone(ids)).unwrap_or_default());
        }
        let selections = &self.reader.selections;
        if let Some(known) = selections.get(&condition) {
            return Ok(known);
        }
        let ids = match condition.leaf()? {
            Some(leaf) => read(&self.reader.store, &leaf)?,
            None => IdSet::new(),
        };
        let ids = Arc::new(ids);
        selections.put(condition, &ids);
        Ok(ids)
    }
}

/// Reads the images that meet a condition from the facets.
fn read(store: &Store, leaf: &Leaf) -> Result<IdSet, RecordsError> {
    let mut ids = IdSet::new();
    let prefix = facet_keys::prefix(leaf.facet);
    let mut start = facet_keys::first(leaf.facet, &leaf.start);
    loop {
        // The value that is being read, how it is judged, and how many of its chunks were passed.
        let mut current: Option<(Vec<u8>, Verdict, u32)> = None;
        let mut is_skipped = false;
        store.scan(Column::Default, &prefix, &start, &mut |key, bytes| {
            let (value, number) = facet_keys::parts(key).ok_or(damaged("the key of a facet"))?;
            match &mut current {
                Some((known, _, n_steps)) if known == value => *n_steps += 1,
                _ => {
                    let verdict = leaf.judge(&facet_keys::unescaped(value));
                    current = Some((value.to_vec(), verdict, 0));
                }
            }
            let Some((_, verdict, n_steps)) = &current else {
                return Ok(false);
            };
            match verdict {
                Verdict::Yes => facets::add_to(&mut ids, number, bytes)?,
                Verdict::No if *n_steps == N_STEPS => {
                    is_skipped = true;
                    return Ok(false);
                }
                Verdict::No => {}
                Verdict::Beyond => return Ok(false),
            }
            Ok(true)
        })?;
        let Some((value, ..)) = current.filter(|_| is_skipped) else {
            return Ok(ids);
        };
        start = facet_keys::after(leaf.facet, &value);
    }
}
