//! A reader that moves on: a newer view of the same index, which shares what did not change.

use super::IndexReader;
use super::look::Look;
use crate::disk::layout::Layout;
use crate::disk::manifest::Manifest;
use crate::error::{IndexError, Within};
use crate::ids::IdSet;
use crate::item::ItemKind;
use crate::records::read::Records;

impl IndexReader {
    /// A view of the newest generation, or none while nothing was committed since this one was
    /// opened. To find that out takes well under a millisecond.
    ///
    /// The new view shares with this one the graph segments and the words that did not change and
    /// the blocks of records in memory, and has read what this one has read, so that no search has
    /// to. This one stays as it is for as long as it is kept. Call it on a thread beside those that
    /// search.
    ///
    /// # Errors
    /// As [`open`](Self::open), also when the index has another model now. This view stays usable.
    pub fn newer(&self) -> Result<Option<Self>, IndexError> {
        if Look::at(&self.layout).is_ok_and(|look| look == self.look) {
            return Ok(None);
        }
        let (newer, settled) = Self::open_after(self.dir(), Some(&self.binding), Some(self))?;
        // A writer is in the middle of a commit. The next call sees the end of it. If nothing
        // moves, words or graphs are missing.
        if !settled && Look::at(&newer.layout)? != newer.look {
            return Ok(None);
        }
        if newer.index_id == self.index_id && newer.layout.data() == self.layout.data() {
            newer.take_over(self)?;
        }
        Ok(Some(newer))
    }

    /// Whether this is a view of the data that a manifest names.
    pub(super) fn is_of(&self, layout: &Layout, manifest: &Manifest) -> bool {
        self.index_id == manifest.index_id() && self.layout.data() == layout.data()
    }

    /// Reads what an older view has read, as far as it cannot be taken over.
    fn take_over(&self, older: &Self) -> Result<(), IndexError> {
        let changes = self.changes_since(older)?;
        for kind in ItemKind::ALL {
            let (own, old) = (&self.kinds[kind.number()], &older.kinds[kind.number()]);
            if !old.is_read() {
                continue;
            }
            if let Some(changes) = &changes {
                own.take_over(old, &self.store, &changes[kind.number()])
                    .within(self.dir())?;
            }
            own.vectors(&self.store).within(self.dir())?;
        }
        if let Some([images, _]) = &changes {
            self.selections
                .take_over(&older.selections, &self.store, images)
                .within(self.dir())?;
        }
        if older.words.is_used() {
            self.words()?;
        }
        Ok(())
    }

    /// The items of each kind that were put or removed since an older view, if the lists of changes
    /// go back that far.
    fn changes_since(&self, older: &Self) -> Result<Option<[IdSet; 2]>, IndexError> {
        if self.generation < older.generation {
            return Ok(None);
        }
        let lists = self.store.changes_after(older.generation);
        let lists = lists.within(self.dir())?;
        let generations = lists.iter().map(|(generation, _)| generation.0);
        if !generations.eq(older.generation.0 + 1..=self.generation.0) {
            return Ok(None);
        }
        let mut changes = [IdSet::new(), IdSet::new()];
        for (kind, id) in lists.into_iter().flat_map(|(_, ids)| ids) {
            changes[kind.number()].insert(id);
        }
        Ok(Some(changes))
    }
}
