//! The images that meet a [`Filter`], and the answers that a reader remembers.

use std::sync::{Arc, Mutex, PoisonError};

use crate::filter::{Filter, Leaf, Verdict};
use crate::ids::IdSet;
use crate::item::ItemId;
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

/// Conditions with the images that meet them.
type Answers = Vec<(Condition, Arc<IdSet>)>;

impl Selections {
    fn get(&self, condition: &Condition) -> Option<Arc<IdSet>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let at = known.iter().position(|(known, _)| known == condition)?;
        let found = known.remove(at);
        let ids = Arc::clone(&found.1);
        known.push(found);
        Some(ids)
    }

    /// Takes over what an older view remembers. Images that changed since are judged again.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub(super) fn take_over(
        &self,
        older: &Self,
        store: &Store,
        changed: &IdSet,
    ) -> Result<(), RecordsError> {
        let mut answers = older.answers();
        answers.retain(|(condition, _)| *condition != Condition::Filter(Filter::Captioned));
        let leaves = answers.iter().map(|(condition, _)| condition.leaf());
        let leaves = leaves.collect::<Result<Vec<_>, _>>()?;
        if !answers.is_empty() {
            for id in changed.iter() {
                let values = facets::stored(store, id)?;
                for (leaf, (_, ids)) in leaves.iter().zip(&mut answers) {
                    let is_in = leaf.as_ref().is_some_and(|leaf| leaf.accepts(&values));
                    match (is_in, ids.contains(id)) {
                        (true, false) => _ = Arc::make_mut(ids).insert(id),
                        (false, true) => _ = Arc::make_mut(ids).remove(id),
                        _ => {}
                    }
                }
            }
        }
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = answers;
        Ok(())
    }

    /// Everything that is remembered.
    fn answers(&self) -> Answers {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.clone()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.answers().len()
    }

    fn put(&self, condition: Condition, ids: &Arc<IdSet>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(known, _)| *known != condition);
        if known.len() == N_REMEMBERED {
            known.remove(0);
        }
        known.push((condition, Arc::clone(ids)));
    }

    /// The images that meet a filter.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub(super) fn images_that(
        &self,
        store: &Store,
        filter: &Filter,
    ) -> Result<Arc<IdSet>, RecordsError> {
        let computed = if facets::are_complete(store)? {
            None
        } else {
            let mut wanted = vec![Condition::EveryImage];
            conditions_in(filter, &mut wanted);
            Some(self.compute(store, wanted)?)
        };
        let selecting = Selecting {
            selections: self,
            store,
            computed,
        };
        selecting.images_that(filter)
    }

    /// The images that meet each condition, computed from items and paths.
    fn compute(&self, store: &Store, wanted: Vec<Condition>) -> Result<Answers, RecordsError> {
        let (mut computed, mut missing) = (Vec::new(), Vec::new());
        for condition in wanted {
            match (self.get(&condition), condition.leaf()?) {
                (Some(known), _) => computed.push((condition, known)),
                (None, Some(leaf)) => missing.push((condition, leaf, IdSet::new())),
                (None, None) => {}
            }
        }
        let end = store.next_id()?.0;
        let mut first = if missing.is_empty() { end } else { 0 };
        while first < end {
            let last = ItemId(first.saturating_add(PORTION - 1));
            facets::scan(store, ItemId(first), last, &mut |id, values| {
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
            self.put(condition.clone(), &ids);
            computed.push((condition, ids));
        }
        Ok(computed)
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
        Filter::Ids(_) | Filter::Captioned => {}
        leaf => found.push(Condition::Filter(leaf.clone())),
    }
}

/// One evaluation of a filter.
struct Selecting<'a> {
    selections: &'a Selections,
    store: &'a Store,
    /// The answers to all conditions where the facets are not recorded.
    computed: Option<Answers>,
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
            Filter::Captioned => self.captioned(),
            leaf => self.condition(Condition::Filter(leaf.clone())),
        }
    }

    /// The images with captions, remembered for this view only: a change of captions does not say
    /// of which images they were.
    fn captioned(&self) -> Result<Arc<IdSet>, RecordsError> {
        let condition = Condition::Filter(Filter::Captioned);
        if let Some(known) = self.selections.get(&condition) {
            return Ok(known);
        }
        let mut ids = IdSet::new();
        self.store
            .scan(Column::Captions, keys::OWNERS, &[], &mut |key, _| {
                let owner = keys::owner_in(key).ok_or(damaged("the key of a caption"))?;
                ids.extend(owner);
                Ok(true)
            })?;
        ids.intersect_with(&*self.condition(Condition::EveryImage)?);
        let ids = Arc::new(ids);
        self.selections.put(condition, &ids);
        Ok(ids)
    }

    fn condition(&self, condition: Condition) -> Result<Arc<IdSet>, RecordsError> {
        if let Some(computed) = &self.computed {
            let found = computed.iter().find(|(known, _)| *known == condition);
            return Ok(found.map(|(_, ids)| Arc::clone(ids)).unwrap_or_default());
        }
        if let Some(known) = self.selections.get(&condition) {
            return Ok(known);
        }
        let ids = match condition.leaf()? {
            Some(leaf) => read(self.store, &leaf)?,
            None => IdSet::new(),
        };
        let ids = Arc::new(ids);
        self.selections.put(condition, &ids);
        Ok(ids)
    }
}

/// Reads the images that meet a condition from the facets.
fn read(store: &Store, leaf: &Leaf) -> Result<IdSet, RecordsError> {
    let mut ids = IdSet::new();
    for (first, last) in leaf.ranges() {
        read_range(store, leaf, &first, last.as_deref(), &mut ids)?;
    }
    Ok(ids)
}

/// Adds the images with a value from `first` to `last` that meets a condition.
fn read_range(
    store: &Store,
    leaf: &Leaf,
    first: &[u8],
    last: Option<&[u8]>,
    ids: &mut IdSet,
) -> Result<(), RecordsError> {
    let prefix = facet_keys::prefix(leaf.facet);
    let mut start = facet_keys::first(leaf.facet, first);
    loop {
        // The value that is being read, how it is judged, and how many of its chunks were passed.
        let mut current: Option<(Vec<u8>, Verdict, u32)> = None;
        let mut is_skipped = false;
        store.scan(Column::Default, &prefix, &start, &mut |key, bytes| {
            let (value, number) = facet_keys::parts(key).ok_or(damaged("the key of a facet"))?;
            match &mut current {
                Some((known, _, n_steps)) if known == value => *n_steps += 1,
                _ => {
                    let plain = facet_keys::unescaped(value);
                    let verdict = match last {
                        Some(last) if *plain > *last => Verdict::Beyond,
                        _ => leaf.judge(&plain),
                    };
                    current = Some((value.to_vec(), verdict, 0));
                }
            }
            let Some((_, verdict, n_steps)) = &current else {
                return Ok(false);
            };
            match verdict {
                Verdict::Yes => facets::add_to(ids, number, bytes)?,
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
            return Ok(());
        };
        start = facet_keys::after(leaf.facet, &value);
    }
}
