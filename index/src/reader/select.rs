//! Which items meet a [`Filter`].

use std::sync::Arc;

use super::IndexReader;
use crate::error::{IndexError, Within};
use crate::filter::Filter;
use crate::ids::IdSet;
use crate::item::ItemKind;
use crate::records::keys::{self, Column};
use crate::records::read::Records;
use crate::records::{RecordsError, codec, damaged};

/// Captions are looked up image by image if that reads less than one in this many of them.
const COST_OF_LOOKUP: usize = 32;

impl IndexReader {
    /// The items of a kind that meet a filter.
    ///
    /// The reader remembers the answers to the last 32 conditions on one property.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn select(&self, kind: ItemKind, filter: &Filter) -> Result<Arc<IdSet>, IndexError> {
        let images = self.selections.images_that(&self.store, filter);
        let images = images.within(self.dir())?;
        match kind {
            ItemKind::Image => Ok(images),
            ItemKind::Caption => {
                let captions = self.captions_of_images(&images).within(self.dir())?;
                Ok(Arc::new(captions))
            }
        }
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
                captions.insert(codec::decode_id(value)?);
            }
            Ok(true)
        })?;
        Ok(captions)
    }
}
