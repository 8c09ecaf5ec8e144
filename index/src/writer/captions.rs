//! Changes the captions that an image (or none) has from one file, compared by text: a text that
//! stays keeps its id and its vector. A long list is changed in steps, with commits in between.
//!
//! New captions are appended to the list, so that every step leaves a valid one; its order follows
//! at the end. Ranks have gaps: removing a caption moves no other.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};

use super::IndexWriter;
use crate::error::{IndexError, Within};
use crate::item::ItemId;
use crate::language::Language;
use crate::records::RecordsError;
use crate::records::captions::ListedCaption;
use crate::records::overlay::Overlay;
use crate::records::read::Records as _;
use crate::vector::UnitVector;

impl IndexWriter {
    /// Sets the captions that `image` (or none) has from the file `source`; an empty list removes
    /// them. They are compared by text: one that the index has keeps its id and its vector.
    ///
    /// # Errors
    /// When there is no such image, a vector has another dimension than the index, or the records
    /// cannot be read.
    pub fn set_captions(
        &mut self,
        image: Option<ItemId>,
        source: &Path,
        captions: Vec<(String, UnitVector)>,
    ) -> Result<(), IndexError> {
        for (_, vector) in &captions {
            self.check_dimension(vector)?;
        }
        let mut revision = self.revise_captions(image, source)?;
        for (text, vector) in captions {
            if !revision.keep(&text) {
                revision.add(text, &vector)?;
            }
        }
        revision.settle(usize::MAX)?;
        Ok(())
    }

    /// The language of the words, which is also that of texts that could be in several.
    #[must_use]
    pub fn language(&self) -> Language {
        self.language
    }

    /// Whether the language was changed and the captions have not been checked since. An
    /// encoder that goes by the language may embed some of them differently now.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn is_language_changed(&self) -> Result<bool, IndexError> {
        self.overlay.is_language_changed().within(self.dir())
    }

    /// Sets [`is_language_changed`](Self::is_language_changed) with the next commit: false when the
    /// captions have been checked, true when captions were added that were embedded under
    /// another language.
    pub fn note_language_changed(&mut self, is_changed: bool) {
        self.overlay.note_language_changed(is_changed);
    }

    /// Begins a change of the captions that `image` (or none) has from the file `source`, for which
    /// only new texts need vectors, and which can be committed in steps.
    ///
    /// # Errors
    /// When there is no such image, or the records cannot be read.
    pub fn revise_captions(
        &mut self,
        image: Option<ItemId>,
        source: &Path,
    ) -> Result<CaptionRevision<'_>, IndexError> {
        CaptionRevision::new(self, image, source)
    }
}

/// A caption of the list and its rank.
type Place = (ItemId, u32);

/// A change of the captions that an image (or none) has from one file; see
/// [`IndexWriter::revise_captions`].
///
/// The texts of the new list are passed to [`keep`](Self::keep) or [`add`](Self::add) in their
/// order, then [`settle`](Self::settle) is called until it returns false. All changes are pending
/// until the writer commits, which it may do between any two calls. A revision that is dropped
/// before keeps all old captions, followed by those that were added; the next one goes on from
/// there.
///
/// Takes memory for the texts of the old list and 8 bytes for each caption of the new one.
pub struct CaptionRevision<'w> {
    writer: &'w mut IndexWriter,
    image: Option<ItemId>,
    source: PathBuf,
    /// Captions of the old list that are not in the new one yet.
    old: HashMap<String, VecDeque<Place>>,
    /// The new list so far.
    new: Vec<Place>,
    /// Whether the index has captions in the list.
    is_listed: bool,
    /// Above all ranks in use.
    next_rank: u64,
    /// What is left to do when all texts are known.
    rest: Option<Rest>,
}

/// The steps that settle a list: removals, then moves.
struct Rest {
    removed: std::vec::IntoIter<ItemId>,
    moved: std::vec::IntoIter<Place>,
}

impl<'w> CaptionRevision<'w> {
    pub(super) fn new(
        writer: &'w mut IndexWriter,
        image: Option<ItemId>,
        source: &Path,
    ) -> Result<Self, IndexError> {
        let listed = || {
            if let Some(image) = image {
                writer.overlay.require_image(image)?;
            }
            writer.overlay.listed_captions(image, source)
        };
        let listed = listed().within(writer.dir())?;
        let next_rank = listed.last().map_or(0, |last| u64::from(last.rank) + 1);
        let is_listed = !listed.is_empty();
        let mut old: HashMap<String, VecDeque<Place>> = HashMap::new();
        for ListedCaption { id, rank, text } in listed {
            old.entry(text).or_default().push_back((id, rank));
        }
        Ok(Self {
            writer,
            image,
            source: source.to_owned(),
            old,
            new: Vec::new(),
            is_listed,
            next_rank,
            rest: None,
        })
    }

    /// The writer, for commits between two calls.
    pub fn writer(&mut self) -> &mut IndexWriter {
        self.writer
    }

    /// Number of captions of the old list that are not in the new one so far.
    #[must_use]
    pub fn n_left(&self) -> usize {
        self.old.values().map(VecDeque::len).sum()
    }

    /// Takes the next text of the new list from the old one. False when the old one has none (of
    /// several equal ones: no further one) with this text.
    pub fn keep(&mut self, text: &str) -> bool {
        let Some(places) = self.old.get_mut(text) else {
            return false;
        };
        let kept = places.pop_front();
        if places.is_empty() {
            self.old.remove(text);
        }
        self.new.extend(kept);
        kept.is_some()
    }

    /// Adds the next text of the new list.
    ///
    /// # Errors
    /// When the vector has another dimension than the index, or the records cannot be read.
    pub fn add(&mut self, text: String, vector: &UnitVector) -> Result<(), IndexError> {
        self.writer.check_dimension(vector)?;
        let dir = self.writer.layout.dir().to_owned();
        let rank = self.free_ranks(1).within(&dir)?;
        let overlay = &mut self.writer.overlay;
        let added = overlay.add_caption(self.image, &self.source, rank, (text, vector));
        self.new.push((added.within(&dir)?, rank));
        self.next_rank += 1;
        Ok(())
    }

    /// Does up to `n` of the steps that are left when all texts of the new list are known: removes
    /// old captions that are not in it, and moves those that stand in another order. True when
    /// there is more to do.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn settle(&mut self, n: usize) -> Result<bool, IndexError> {
        let dir = self.writer.layout.dir().to_owned();
        self.settle_some(n).within(&dir)
    }

    fn settle_some(&mut self, n: usize) -> Result<bool, RecordsError> {
        let mut rest = match self.rest.take() {
            Some(rest) => rest,
            None => self.rest()?,
        };
        let overlay = &mut self.writer.overlay;
        let mut n_done = 0;
        for id in rest.removed.by_ref().take(n) {
            overlay.remove_caption(id)?;
            n_done += 1;
        }
        for (id, rank) in rest.moved.by_ref().take(n - n_done) {
            overlay.move_caption(id, rank)?;
        }
        let is_more = rest.removed.len() + rest.moved.len() > 0;
        if !is_more && self.new.is_empty() && std::mem::take(&mut self.is_listed) {
            overlay.remove_caption_list(self.image, &self.source)?;
        }
        self.rest = Some(rest);
        Ok(is_more)
    }

    fn rest(&mut self) -> Result<Rest, RecordsError> {
        // From the first caption that stands before an earlier one, all are moved to the end.
        let is_ascending = |places: &&[Place]| places[0].1 < places[1].1;
        let n_ascending = self.new.windows(2).take_while(is_ascending).count() + 1;
        let n_moved = self.new.len().saturating_sub(n_ascending);
        let mut moved: Vec<Place> = Vec::new();
        if n_moved > 0 {
            let first = self.free_ranks(n_moved as u64)?;
            let places = self.new[n_ascending..].iter();
            moved.extend(places.map(|place| place.0).zip(first..));
            self.next_rank += n_moved as u64;
        }
        let removed = std::mem::take(&mut self.old).into_values().flatten();
        let mut removed: Vec<ItemId> = removed.map(|place| place.0).collect();
        removed.sort_unstable();
        Ok(Rest {
            removed: removed.into_iter(),
            moved: moved.into_iter(),
        })
    }

    /// The first of `n` free ranks after all others. If there are fewer, all captions of the
    /// list get new ranks from 0, at once.
    fn free_ranks(&mut self, n: u64) -> Result<u32, RecordsError> {
        let is_enough = |next: u64| next + n <= 1 << u32::BITS;
        if !is_enough(self.next_rank) {
            self.renumber()?;
        }
        let first = u32::try_from(self.next_rank).ok();
        first
            .filter(|_| is_enough(self.next_rank))
            .ok_or(RecordsError::IdsExhausted)
    }

    fn renumber(&mut self) -> Result<(), RecordsError> {
        let old = self.old.values_mut().flatten();
        let mut places: Vec<&mut Place> = old.chain(&mut self.new).collect();
        places.sort_unstable_by_key(|place| place.1);
        self.next_rank = places.len() as u64;
        let overlay: &mut Overlay = &mut self.writer.overlay;
        for ((id, rank), next) in places
            .into_iter()
            .map(|place| (place.0, &mut place.1))
            .zip(0..)
        {
            // Ranks only fall, in their order, so that the new one is free.
            if *rank != next {
                overlay.move_caption(id, next)?;
                *rank = next;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::manifest::Binding;
    use crate::reader::IndexReader;

    const DIMENSION: usize = 4;

    fn new_index() -> (tempfile::TempDir, IndexWriter) {
        let dir = tempfile::tempdir().unwrap();
        let binding = Binding {
            dimension: DIMENSION,
            fingerprint: "one".into(),
            model: "test".into(),
        };
        let writer = IndexWriter::open_or_create(dir.path(), &binding).unwrap();
        (dir, writer)
    }

    fn source() -> &'static Path {
        Path::new("/c.txt")
    }

    fn vector(text: &str) -> UnitVector {
        let angle = f32::from(text.as_bytes()[0]);
        UnitVector::new(vec![angle.cos(), angle.sin(), 0.0, 0.0]).unwrap()
    }

    fn set(writer: &mut IndexWriter, texts: &[&str]) {
        let captions = texts.iter().map(|&text| (text.to_owned(), vector(text)));
        writer
            .set_captions(None, source(), captions.collect())
            .unwrap();
    }

    fn listed(writer: &IndexWriter) -> Vec<(String, ItemId, u32)> {
        let listed = writer.overlay.listed_captions(None, source()).unwrap();
        let one = |caption: ListedCaption| (caption.text, caption.id, caption.rank);
        listed.into_iter().map(one).collect()
    }

    fn texts(writer: &IndexWriter) -> Vec<String> {
        listed(writer)
            .into_iter()
            .map(|caption| caption.0)
            .collect()
    }

    #[test]
    fn only_captions_in_another_order_get_new_ranks() {
        /// Texts, and the id and rank of each.
        type Row<'a> = (&'a [&'a str], &'a [(u32, u32)]);

        let (_dir, mut writer) = new_index();
        let ranks = |writer: &IndexWriter| -> Vec<(ItemId, u32)> {
            let listed = listed(writer).into_iter();
            listed.map(|caption| (caption.1, caption.2)).collect()
        };
        let rows: [Row<'_>; 6] = [
            (&["a", "b", "c", "d"], &[(1, 0), (2, 1), (3, 2), (4, 3)]),
            // Appended.
            (
                &["a", "b", "c", "d", "e"],
                &[(1, 0), (2, 1), (3, 2), (4, 3), (5, 4)],
            ),
            // Removed from the middle.
            (&["a", "c", "d", "e"], &[(1, 0), (3, 2), (4, 3), (5, 4)]),
            // Moved to the end.
            (&["a", "d", "e", "c"], &[(1, 0), (4, 3), (5, 4), (3, 5)]),
            // Inserted: what follows is moved behind it.
            (
                &["a", "x", "d", "e", "c"],
                &[(1, 0), (6, 6), (4, 7), (5, 8), (3, 9)],
            ),
            (&[], &[]),
        ];
        for (texts, expected) in rows {
            set(&mut writer, texts);
            let expected: Vec<_> = expected
                .iter()
                .map(|&(id, rank)| (ItemId(id), rank))
                .collect();
            assert_eq!(ranks(&writer), expected, "{texts:?}");
        }
        writer.commit().unwrap();
        let below_root = writer.caption_sources_under(Path::new("/"), None, 1);
        assert_eq!(below_root.unwrap(), []);
    }

    #[test]
    fn a_list_without_free_ranks_after_it_gets_new_ones() {
        for texts_after in [
            ["a", "b", "c", "d"],
            ["c", "b", "a", "d"],
            ["a", "c", "b", "d"],
        ] {
            let (dir, mut writer) = new_index();
            for (text, rank) in [("a", 7), ("b", u32::MAX - 1), ("c", u32::MAX)] {
                let caption = (text.to_owned(), &vector(text));
                writer
                    .overlay
                    .add_caption(None, source(), rank, caption)
                    .unwrap();
            }
            writer.commit().unwrap();
            let ids: HashMap<String, ItemId> = listed(&writer)
                .into_iter()
                .map(|(text, id, _)| (text, id))
                .collect();
            set(&mut writer, &["c", "b", "a"]);
            assert_eq!(texts(&writer), ["c", "b", "a"]);
            set(&mut writer, &texts_after);
            assert_eq!(texts(&writer), texts_after);
            for (text, id, rank) in listed(&writer) {
                assert!(rank < 20, "{text} {rank}");
                assert!(ids.get(&text).is_none_or(|before| *before == id), "{text}");
            }
            writer.finish().unwrap();
            assert_eq!(crate::check(dir.path()).unwrap(), []);
        }
        // Without a caption to move, none is.
        let (_dir, mut writer) = new_index();
        for (text, rank) in [("a", 7), ("b", u32::MAX)] {
            let caption = (text.to_owned(), &vector(text));
            writer
                .overlay
                .add_caption(None, source(), rank, caption)
                .unwrap();
        }
        set(&mut writer, &["b"]);
        assert_eq!(listed(&writer), [("b".to_owned(), ItemId(2), u32::MAX)]);
    }

    #[test]
    fn a_long_list_is_changed_in_steps_each_of_which_can_be_committed() {
        let (dir, mut writer) = new_index();
        let name = |number: u32| format!("{number:02}");
        let before: Vec<String> = (0..30).map(name).collect();
        set(
            &mut writer,
            &before.iter().map(String::as_str).collect::<Vec<_>>(),
        );
        writer.commit().unwrap();
        // Backwards, without every fifth and with ten new ones in between.
        let after: Vec<String> = (0..30)
            .rev()
            .filter(|number| number % 5 != 0)
            .flat_map(|number| [Some(number), (number % 3 == 0).then_some(number + 60)])
            .flatten()
            .map(name)
            .collect();
        let mut n_commits = 0;
        let mut seen = |writer: &mut IndexWriter| {
            writer.checkpoint().unwrap();
            n_commits += 1;
            assert_eq!(crate::check(dir.path()).unwrap(), []);
            let reader = IndexReader::open(dir.path(), None).unwrap();
            let captions = reader.captions_alone().unwrap();
            let found = |text: &String| captions.iter().any(|caption| caption.text == *text);
            assert!(before.iter().filter(|text| after.contains(text)).all(found));
        };
        // The first attempt ends after a few texts, the second after a few steps.
        for end in [Some(9), Some(usize::MAX), None] {
            let mut revision = writer.revise_captions(None, source()).unwrap();
            for text in after.iter().take(end.unwrap_or(usize::MAX)) {
                if !revision.keep(text) {
                    revision.add(text.clone(), &vector(text)).unwrap();
                    seen(revision.writer());
                }
            }
            let mut n_steps = if end == Some(9) { 0 } else { usize::MAX };
            while n_steps > 0 && revision.settle(4).unwrap() {
                seen(revision.writer());
                n_steps = if end.is_some() {
                    n_steps.min(3) - 1
                } else {
                    n_steps
                };
            }
        }
        assert_eq!(texts(&writer), after);
        let mut ids: Vec<ItemId> = listed(&writer).iter().map(|caption| caption.1).collect();
        ids.sort_unstable();
        let old = (0..30)
            .filter(|number| number % 5 != 0)
            .map(|number| ItemId(number + 1));
        let new = (0..8).map(|number| ItemId(number + 31));
        assert_eq!(ids, old.chain(new).collect::<Vec<_>>());
        assert!(n_commits > 15, "{n_commits}");
        writer.finish().unwrap();
        assert_eq!(crate::check(dir.path()).unwrap(), []);
    }
}
