//! Images in the order of their dates.

use std::cmp::Reverse;

use super::IndexReader;
use crate::error::{IndexError, Within};
use crate::ids::IdSet;
use crate::item::{ItemId, Moment};
use crate::records::codec::{StoredItem, joined};
use crate::records::facet_keys::{self, Facet};
use crate::records::facets;
use crate::records::keys::Column;
use crate::records::read::Records;
use crate::records::{RecordsError, damaged};

impl IndexReader {
    /// The `n` newest of these images: by date and time taken, as their files or else their
    /// sidecars say, the latest first, of equal ones that with the highest id; then those without a
    /// date, the highest id first. Of an imprecise date, what is not known counts as the earliest.
    /// Ids of other items are ignored.
    ///
    /// Reads the days of all pictures, and the items of those days that are among the newest.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn newest(&self, images: &IdSet, n: usize) -> Result<Vec<ItemId>, IndexError> {
        self.newest_of(images, n).within(self.dir())
    }

    fn newest_of(&self, images: &IdSet, n: usize) -> Result<Vec<ItemId>, RecordsError> {
        let days = if facets::are_complete(&self.store)? {
            self.days()?
        } else {
            vec![images.clone()]
        };
        let (mut found, mut rest) = (Vec::new(), images.clone());
        for mut day in days.into_iter().rev() {
            if found.len() >= n {
                break;
            }
            day.intersect_with(&rest);
            let mut dated: Vec<(Moment, ItemId)> = Vec::with_capacity(day.len());
            for id in day.iter() {
                dated.extend(self.taken(id)?.flatten().map(|taken| (taken, id)));
            }
            dated.sort_unstable_by_key(|&dated| Reverse(dated));
            for (_, id) in dated {
                rest.remove(id);
                found.push(id);
            }
        }
        if found.len() < n {
            let mut undated: Vec<ItemId> = rest.iter().collect();
            undated.reverse();
            for id in undated {
                if found.len() >= n {
                    break;
                }
                // Neither a caption nor an item that does not exist.
                found.extend(self.taken(id)?.map(|_| id));
            }
        }
        found.truncate(n);
        Ok(found)
    }

    /// The images of each day, or of what is known of it, the earliest first.
    fn days(&self) -> Result<Vec<IdSet>, RecordsError> {
        let prefix = facet_keys::prefix(Facet::Taken);
        let mut days: Vec<(Vec<u8>, IdSet)> = Vec::new();
        self.store
            .scan(Column::Default, &prefix, &[], &mut |key, bytes| {
                let (value, number) =
                    facet_keys::parts(key).ok_or(damaged("the key of a facet"))?;
                if days.last().is_none_or(|(day, _)| day != value) {
                    days.push((value.to_vec(), IdSet::new()));
                }
                if let Some((_, images)) = days.last_mut() {
                    facets::add_to(images, number, bytes)?;
                }
                Ok(true)
            })?;
        Ok(days.into_iter().map(|(_, images)| images).collect())
    }

    /// When an image was taken, as far as that is known; the outer `None` for what is not an image.
    #[expect(
        clippy::option_option,
        reason = "an image without a date is not an unknown item"
    )]
    fn taken(&self, id: ItemId) -> Result<Option<Option<Moment>>, RecordsError> {
        Ok(match self.store.stored_item(id)? {
            Some(StoredItem::Image {
                details, beside, ..
            }) => Some(joined(details, &beside).and_then(|details| details.taken)),
            _ => None,
        })
    }
}
