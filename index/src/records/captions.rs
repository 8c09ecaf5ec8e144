//! Uncommitted changes of captions: single ones in the list that an image (or none) has from one
//! file. The list is in the order of ranks, which may have gaps.

use std::path::Path;

use super::codec::{self, StoredItem};
use super::keys::{self, Column};
use super::overlay::Overlay;
use super::read::Records;
use super::{RecordsError, damaged};
use crate::item::{ItemId, ItemKind};
use crate::vector::UnitVector;

/// A caption in a list.
pub(crate) struct ListedCaption {
    pub(crate) id: ItemId,
    pub(crate) rank: u32,
    pub(crate) text: String,
}

impl Overlay {
    /// The captions that `owner` has from the file `source`, by rank.
    pub(crate) fn listed_captions(
        &self,
        owner: Option<ItemId>,
        source: &Path,
    ) -> Result<Vec<ListedCaption>, RecordsError> {
        let prefix = keys::owner_source_prefix(owner, source)?;
        let mut captions = Vec::new();
        for id in self.caption_ids(&prefix)? {
            let Some(StoredItem::Caption { rank, text, .. }) = self.stored_item(id)? else {
                return Err(damaged("the list of an image's captions"));
            };
            captions.push(ListedCaption { id, rank, text });
        }
        Ok(captions)
    }

    /// Adds a caption at a free rank of a list.
    pub(crate) fn add_caption(
        &mut self,
        owner: Option<ItemId>,
        source: &Path,
        rank: u32,
        (text, vector): (String, &UnitVector),
    ) -> Result<ItemId, RecordsError> {
        let id = self.take_id()?;
        self.put(Column::Captions, keys::source(source, owner)?, Vec::new());
        self.put(
            Column::Captions,
            keys::caption(owner, source, rank)?,
            codec::encode_id(id),
        );
        let source = source.to_owned();
        let item = StoredItem::Caption {
            owner,
            rank,
            source,
            text,
        };
        self.put_item(id, &item, vector)?;
        self.touch_owner(owner);
        self.change_counts(|counts| counts.n_captions += 1)?;
        Ok(id)
    }

    /// Gives a caption a free rank of its list. Nothing is derived from ranks, so it does not count
    /// as changed.
    pub(crate) fn move_caption(&mut self, id: ItemId, rank: u32) -> Result<(), RecordsError> {
        let Some(StoredItem::Caption {
            owner,
            rank: before,
            source,
            text,
        }) = self.stored_item(id)?
        else {
            return Err(damaged("the list of an image's captions"));
        };
        self.remove(Column::Captions, keys::caption(owner, &source, before)?);
        self.put(
            Column::Captions,
            keys::caption(owner, &source, rank)?,
            codec::encode_id(id),
        );
        let item = StoredItem::Caption {
            owner,
            rank,
            source,
            text,
        };
        let value = codec::encode_item(&item)?;
        self.put(Column::Items, keys::item(id).to_vec(), value);
        Ok(())
    }

    /// Removes a caption. The caller removes the list when it was the last one in it.
    pub(crate) fn remove_caption(&mut self, id: ItemId) -> Result<(), RecordsError> {
        let Some(StoredItem::Caption {
            owner,
            rank,
            source,
            ..
        }) = self.stored_item(id)?
        else {
            return Ok(());
        };
        self.drop_item(ItemKind::Caption, id);
        self.remove(Column::Captions, keys::caption(owner, &source, rank)?);
        self.touch_owner(owner);
        self.change_counts(|counts| counts.n_captions = counts.n_captions.saturating_sub(1))
    }

    /// Removes a list whose captions were all removed.
    pub(crate) fn remove_caption_list(
        &mut self,
        owner: Option<ItemId>,
        source: &Path,
    ) -> Result<(), RecordsError> {
        self.remove(Column::Captions, keys::source(source, owner)?);
        Ok(())
    }

    /// Removes all captions of an owner.
    pub(crate) fn remove_captions_of(&mut self, owner: Option<ItemId>) -> Result<(), RecordsError> {
        for source in self.caption_sources_of(owner)? {
            self.remove_caption_list(owner, &source)?;
        }
        for caption in self.caption_ids(&keys::owner_prefix(owner))? {
            self.remove_caption(caption)?;
        }
        Ok(())
    }

    /// An image is found by the words of its captions too.
    fn touch_owner(&mut self, owner: Option<ItemId>) {
        if let Some(image) = owner {
            self.touched.insert((ItemKind::Image, image));
        }
    }
}
