//! What must hold in the records of a sound index: one list of rules, by which an index is checked
//! and by which a repair decides what it keeps.
//!
//! An item and its vector follow from nothing. Everything else follows from them and from the
//! paths, so a repair keeps complete items and their paths, and the writer makes the rest again.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::problem::Problem;
use crate::item::{FileRecord, Generation, ItemId, ItemKind};
use crate::records::RecordsError;
use crate::records::codec::{self, StoredCounts, StoredItem};
use crate::records::facets;
use crate::records::keys::{self, Column};
use crate::records::read::Records;
use crate::records::store::Store;

/// A rule. FORMAT.md lists all of them.
pub(super) struct Rule<'a, R> {
    /// What must hold.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "a test compares it with FORMAT.md")
    )]
    pub(super) holds: &'static str,
    /// What a repair does with whatever breaks it.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "a test compares it with FORMAT.md")
    )]
    pub(super) repair: &'static str,
    /// Finds what breaks it. The rules before it have been applied.
    apply: fn(&mut Survey<'a, R>) -> Result<(), RecordsError>,
}

/// All rules, in the order in which they are applied.
pub(super) fn rules<'a, R: Source>() -> [Rule<'a, R>; 11] {
    let rule = |holds, repair, apply| Rule {
        holds,
        repair,
        apply,
    };
    [
        rule(
            "a vector has the dimension of the model and unit length",
            "the item is lost",
            Survey::vectors,
        ),
        rule(
            "an item can be decoded and has a vector, and a vector has an item",
            "the item is lost",
            Survey::items,
        ),
        rule(
            "no two images have the same content, no two captions the same place",
            "the older one is lost",
            Survey::duplicates,
        ),
        rule("every id was assigned", "the item is kept", Survey::ids),
        rule(
            "hashes and images correspond one to one",
            "the writer makes the hashes again",
            Survey::hashes,
        ),
        rule(
            "a path names an image, and the image names the path",
            "either is enough; without an image the file is lost, without its size and time it is \
             read again; if paths could not be read, an image without one is lost",
            Survey::paths,
        ),
        rule(
            "the image of a caption exists, and the lists of captions name the caption",
            "without its image it is lost; the writer makes the lists again",
            Survey::captions,
        ),
        rule(
            "the facets are those of the images and their paths",
            "the writer makes the facets again",
            Survey::facets,
        ),
        rule(
            "the counts are right",
            "the writer counts again; if something could not be read, the difference is lost",
            Survey::counts,
        ),
        rule(
            "the notes about library folders, the last run and the language can be decoded",
            "the note is lost",
            Survey::notes,
        ),
        rule(
            "the lists of changes end with the newest generation, and no item is marked as removed",
            "the writer begins new lists",
            Survey::history,
        ),
    ]
}

/// Records that may be damaged.
pub(super) trait Source: Records {
    /// Whether anything may be missing.
    fn is_damaged(&self) -> bool;

    /// Whether something in a column could not be read so far.
    fn has_gaps(&self, column: Column) -> bool;
}

impl Source for Store {
    fn is_damaged(&self) -> bool {
        false
    }

    fn has_gaps(&self, _: Column) -> bool {
        false
    }
}

/// What is lost.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Losses {
    #[serde(with = "paths_as_bytes")]
    pub(super) files: BTreeSet<PathBuf>,
    pub(super) n_images: u64,
    pub(super) n_captions: u64,
    /// Files that lost captions came from.
    #[serde(with = "paths_as_bytes")]
    pub(super) sources: BTreeSet<PathBuf>,
    pub(super) n_libraries: u64,
    /// Commits known to other parts but missing from the records.
    pub(super) n_generations: u64,
    /// Files of existing images whose size and modification time are lost.
    pub(super) n_files_to_read: u64,
}

/// Paths in JSON: their bytes, which need not be UTF-8.
mod paths_as_bytes {
    use super::{BTreeSet, PathBuf, keys};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(
        paths: &BTreeSet<PathBuf>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let bytes = paths.iter().filter_map(|path| keys::path_bytes(path).ok());
        bytes.collect::<Vec<_>>().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeSet<PathBuf>, D::Error> {
        let all = Vec::<Vec<u8>>::deserialize(deserializer)?;
        let paths = all.iter().filter_map(|bytes| keys::path_from(bytes).ok());
        Ok(paths.collect())
    }
}

/// An item without its text and metadata.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) enum Brief {
    Image {
        content_hash: [u8; 32],
    },
    Caption {
        owner: Option<ItemId>,
        rank: u32,
        source: Rc<Path>,
    },
}

impl Brief {
    pub(super) fn kind(&self) -> ItemKind {
        match self {
            Self::Image { .. } => ItemKind::Image,
            Self::Caption { .. } => ItemKind::Caption,
        }
    }
}

type Key = (ItemKind, ItemId);

/// What the records say, without texts, metadata and vectors: what is wrong with it, and what can
/// be kept of it.
pub(super) struct Survey<'a, R> {
    pub(super) records: &'a R,
    pub(super) dimension: usize,
    pub(super) problems: Vec<Problem>,
    /// All items that can be decoded.
    pub(super) items: BTreeMap<ItemId, Brief>,
    /// The items that are not kept, and vectors or list entries without an item.
    pub(super) lost: BTreeSet<Key>,
    /// The files of images that are kept.
    pub(super) files: BTreeMap<PathBuf, FileRecord>,
    pub(super) losses: Losses,
    /// The highest id of which there is a trace.
    pub(super) last_id: ItemId,
    /// The kinds of records that were reported as damaged.
    damaged: BTreeSet<&'static str>,
    vectors: BTreeSet<Key>,
    sources: HashSet<Rc<Path>>,
    n_files: u64,
}

impl<'a, R: Source> Survey<'a, R> {
    /// Reads all records and applies every rule.
    ///
    /// # Errors
    /// When the records cannot be read, or a record has another version.
    pub(super) fn of(records: &'a R, dimension: usize) -> Result<Self, RecordsError> {
        let mut survey = Self {
            records,
            dimension,
            problems: Vec::new(),
            items: BTreeMap::new(),
            lost: BTreeSet::new(),
            files: BTreeMap::new(),
            losses: Losses::default(),
            last_id: ItemId(0),
            damaged: BTreeSet::new(),
            vectors: BTreeSet::new(),
            sources: HashSet::new(),
            n_files: 0,
        };
        for rule in rules() {
            (rule.apply)(&mut survey)?;
        }
        Ok(survey)
    }

    fn report(&mut self, id: ItemId, what: &'static str) {
        self.problems.push(Problem::Item { id, what });
    }

    /// The value, or none and a reported problem when it is damaged.
    fn sound<T>(&mut self, decoded: Result<T, RecordsError>) -> Result<Option<T>, RecordsError> {
        match decoded {
            Ok(value) => return Ok(Some(value)),
            Err(RecordsError::Damaged { what }) => {
                if self.damaged.insert(what) {
                    let what = format!("{what} is damaged");
                    self.problems.push(Problem::Records { what });
                }
            }
            Err(error) => return Err(error),
        }
        Ok(None)
    }

    /// Visits a part of a column, with this survey.
    fn scan(
        &mut self,
        column: Column,
        prefix: &[u8],
        mut visit: impl FnMut(&mut Self, &[u8], &[u8]) -> Result<(), RecordsError>,
    ) -> Result<(), RecordsError> {
        let records = self.records;
        records.scan(column, prefix, &[], &mut |key, value| {
            visit(self, key, value)?;
            Ok(true)
        })
    }

    fn note_id(&mut self, id: ItemId) {
        self.last_id = self.last_id.max(id);
    }

    fn is_image(&self, id: ItemId) -> bool {
        matches!(self.items.get(&id), Some(Brief::Image { .. }))
    }

    fn keeps_image(&self, id: ItemId) -> bool {
        self.is_image(id) && !self.lost.contains(&(ItemKind::Image, id))
    }

    /// The items that are kept, by id.
    pub(super) fn kept(&self) -> impl Iterator<Item = (ItemId, ItemKind)> {
        let items = self.items.iter().map(|(&id, item)| (id, item.kind()));
        items.filter(|&(id, kind)| !self.lost.contains(&(kind, id)))
    }

    fn vectors(&mut self) -> Result<(), RecordsError> {
        let mut values = Vec::with_capacity(self.dimension);
        self.scan(Column::Vectors, &[], |survey, key, value| {
            let Some(name) = survey.sound(keys::vector_in(key))? else {
                return Ok(());
            };
            survey.note_id(name.1);
            values.clear();
            let what = match codec::decode_vector(value, survey.dimension, &mut values) {
                Err(_) => "its vector is of another dimension",
                Ok(()) if !is_unit(&values) => "its vector is not of unit length",
                Ok(()) => {
                    survey.vectors.insert(name);
                    return Ok(());
                }
            };
            survey.report(name.1, what);
            survey.lost.insert(name);
            Ok(())
        })
    }

    fn items(&mut self) -> Result<(), RecordsError> {
        self.scan(Column::Items, &[], |survey, key, value| {
            let id = keys::id_at_end(key).filter(|_| key.len() == 4);
            let id = id.ok_or(RecordsError::Damaged {
                what: "the key of an item",
            });
            let Some(id) = survey.sound(id)? else {
                return Ok(());
            };
            survey.note_id(id);
            if let Some(item) = survey.sound(codec::decode_item(value))? {
                let brief = survey.brief(item);
                survey.items.insert(id, brief);
            }
            Ok(())
        })?;
        let mut alone = std::mem::take(&mut self.vectors);
        for (id, kind) in self.items.iter().map(|(&id, item)| (id, item.kind())) {
            if !alone.remove(&(kind, id)) && self.lost.insert((kind, id)) {
                let what = "it has no vector";
                self.problems.push(Problem::Item { id, what });
            }
        }
        for (kind, id) in alone {
            self.report(id, "it has a vector, but does not exist with that kind");
            self.lost.insert((kind, id));
        }
        Ok(())
    }

    fn brief(&mut self, item: StoredItem) -> Brief {
        match item {
            StoredItem::Image { content_hash, .. } => Brief::Image { content_hash },
            StoredItem::Caption {
                owner,
                rank,
                source,
                ..
            } => {
                let known = self.sources.get(source.as_path()).cloned();
                let source = known.unwrap_or_else(|| Rc::from(source));
                self.sources.insert(Rc::clone(&source));
                Brief::Caption {
                    owner,
                    rank,
                    source,
                }
            }
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "as every rule")]
    fn duplicates(&mut self) -> Result<(), RecordsError> {
        let mut known = HashSet::new();
        let mut older = Vec::new();
        for (&id, item) in self.items.iter().rev() {
            if !self.lost.contains(&(item.kind(), id)) && !known.insert(item) {
                older.push((item.kind(), id));
            }
        }
        for (kind, id) in older {
            self.report(id, "a newer item has the same content or place");
            self.lost.insert((kind, id));
        }
        Ok(())
    }

    fn ids(&mut self) -> Result<(), RecordsError> {
        let next = self.sound(self.records.next_id())?.unwrap_or(ItemId(1));
        let beyond: Vec<ItemId> = self.items.range(next..).map(|(&id, _)| id).collect();
        for id in beyond {
            self.report(id, "its id was never assigned");
        }
        self.note_id(ItemId(next.0.saturating_sub(1)));
        Ok(())
    }

    fn hashes(&mut self) -> Result<(), RecordsError> {
        let images = self.items.iter();
        let mut without: BTreeSet<ItemId> = images
            .filter(|(_, item)| item.kind() == ItemKind::Image)
            .map(|(&id, _)| id)
            .collect();
        self.scan(Column::Hashes, &[], |survey, key, value| {
            let Some(id) = survey.sound(codec::decode_id(value))? else {
                return Ok(());
            };
            match survey.items.get(&id) {
                Some(Brief::Image { content_hash }) if content_hash == key => {
                    without.remove(&id);
                }
                _ => survey.report(id, "a hash refers to it that it does not have"),
            }
            Ok(())
        })?;
        for id in without {
            self.report(id, "its hash does not refer to it");
        }
        Ok(())
    }

    fn paths(&mut self) -> Result<(), RecordsError> {
        self.scan(Column::Paths, keys::FILES, |survey, key, value| {
            let file = keys::path_of_file(key).and_then(|path| {
                let file = codec::decode_file(value)?;
                Ok((path, file))
            });
            let Some((path, file)) = survey.sound(file)? else {
                return Ok(());
            };
            survey.n_files += 1;
            survey.note_id(file.image);
            if survey.keeps_image(file.image) {
                survey.files.insert(path, file);
                return Ok(());
            }
            if !survey.is_image(file.image) {
                survey.report_file(&path, "its image does not exist");
            }
            survey.losses.files.insert(path);
            Ok(())
        })?;
        self.links()?;
        if self.records.has_gaps(Column::Paths) {
            let with_path: HashSet<_> = self.files.values().map(|file| file.image).collect();
            let kept = self.kept();
            let pathless: Vec<Key> = kept
                .filter(|(id, kind)| *kind == ItemKind::Image && !with_path.contains(id))
                .map(|(id, kind)| (kind, id))
                .collect();
            self.lost.extend(pathless);
        }
        Ok(())
    }

    fn report_file(&mut self, path: &Path, what: &'static str) {
        let path = path.to_owned();
        self.problems.push(Problem::File { path, what });
    }

    /// The second half of the paths, by image. Only the first has the size and time.
    fn links(&mut self) -> Result<(), RecordsError> {
        let mut n_linked = 0;
        // The newest image of a path comes last.
        let mut unknown = BTreeMap::new();
        self.scan(Column::Paths, keys::LINKS, |survey, key, _| {
            let Some((image, path)) = survey.sound(keys::link_in(key))? else {
                return Ok(());
            };
            survey.note_id(image);
            let known = survey.files.get(&path).map(|file| file.image);
            if known == Some(image) {
                n_linked += 1;
                return Ok(());
            }
            let is_kept = survey.keeps_image(image);
            if is_kept || !survey.is_image(image) {
                survey.report_file(&path, "an image that it does not contain refers to it");
            }
            if known.is_none() && is_kept {
                unknown.insert(path, image);
            } else if known.is_none() {
                survey.losses.files.insert(path);
            }
            Ok(())
        })?;
        if n_linked != self.files.len() {
            for (path, file) in &self.files {
                let link = keys::link(file.image, path)?;
                if self.records.get(Column::Paths, &link)?.is_none() {
                    let path = path.clone();
                    let what = "its image does not refer to it";
                    self.problems.push(Problem::File { path, what });
                }
            }
        }
        self.losses.n_files_to_read = unknown.len() as u64;
        for (path, image) in unknown {
            self.losses.files.remove(&path);
            // No file has this size and time, so the next run reads it and finds its content in the
            // index.
            let file = FileRecord {
                n_bytes: u64::MAX,
                modified_ns: 0,
                image,
                change: None,
            };
            self.files.insert(path, file);
        }
        Ok(())
    }

    fn captions(&mut self) -> Result<(), RecordsError> {
        let mut unlisted = BTreeSet::new();
        let mut places: HashMap<Rc<Path>, HashSet<Option<ItemId>>> = HashMap::new();
        let (mut orphans, mut lost) = (Vec::new(), Vec::new());
        for (&id, item) in &self.items {
            let Brief::Caption { owner, source, .. } = item else {
                continue;
            };
            unlisted.insert(id);
            places.entry(Rc::clone(source)).or_default().insert(*owner);
            orphans.extend(owner.filter(|&owner| !self.is_image(owner)).map(|_| id));
            let is_orphan = owner.is_some_and(|owner| !self.keeps_image(owner));
            if is_orphan || self.lost.contains(&(ItemKind::Caption, id)) {
                lost.push((ItemKind::Caption, id));
                self.losses.sources.insert(source.to_path_buf());
            }
        }
        self.lost.extend(lost);
        for id in orphans {
            self.report(id, "its image does not exist");
        }
        self.scan(Column::Captions, keys::OWNERS, |survey, key, value| {
            let Some(id) = survey.sound(codec::decode_id(value))? else {
                return Ok(());
            };
            survey.note_id(id);
            if survey.is_listed_by(id, key)? {
                unlisted.remove(&id);
                return Ok(());
            }
            survey.report(id, "it is listed as a caption, but is not one");
            if !matches!(survey.items.get(&id), Some(Brief::Caption { .. })) {
                survey.lost.insert((ItemKind::Caption, id));
            }
            // At least its file is known.
            survey.losses.sources.extend(keys::source_in(key));
            Ok(())
        })?;
        for id in unlisted {
            self.report(id, "its owner does not list it");
        }
        self.caption_files(&places)
    }

    /// Checks the list of caption files against those of the captions.
    fn caption_files(
        &mut self,
        places: &HashMap<Rc<Path>, HashSet<Option<ItemId>>>,
    ) -> Result<(), RecordsError> {
        let mut n_missing: usize = places.values().map(HashSet::len).sum();
        let mut is_stray = false;
        self.scan(Column::Captions, keys::SOURCES, |survey, key, _| {
            let place = keys::source_in(key).zip(keys::owner_at_end(key));
            let is_known = place.as_ref().is_some_and(|(source, owner)| {
                let owners = places.get(source.as_path());
                owners.is_some_and(|owners| owners.contains(owner))
            });
            if is_known {
                n_missing -= 1;
            } else {
                is_stray = true;
                survey.losses.sources.extend(place.map(|place| place.0));
            }
            Ok(())
        })?;
        if is_stray || n_missing > 0 {
            self.problems.push(Problem::Generations {
                what: "the list of caption files does not match the captions",
            });
        }
        Ok(())
    }

    /// Whether a key of the list by owner is the one of a caption.
    fn is_listed_by(&self, id: ItemId, key: &[u8]) -> Result<bool, RecordsError> {
        Ok(match self.items.get(&id) {
            Some(Brief::Caption {
                owner,
                rank,
                source,
            }) => keys::caption(*owner, source, *rank)? == key,
            _ => false,
        })
    }

    /// An upgrade that was interrupted has recorded some of them; the next writer records the rest.
    fn facets(&mut self) -> Result<(), RecordsError> {
        let records = self.records;
        if self.sound(facets::are_complete(records))? != Some(true) {
            return Ok(());
        }
        let Some(expected) = self.sound(facets::computed(records))? else {
            return Ok(());
        };
        let (mut n_equal, mut is_stray) = (0, false);
        self.scan(Column::Default, keys::FACETS, |_, key, value| {
            match expected.get(key) {
                Some(right) if right == value => n_equal += 1,
                _ => is_stray = true,
            }
            Ok(())
        })?;
        if is_stray || n_equal < expected.len() {
            let what = "they are not those of the images";
            self.problems.push(Problem::Facets { what });
        }
        Ok(())
    }

    fn counts(&mut self) -> Result<(), RecordsError> {
        let stored = self.sound(self.records.stored_counts())?;
        let n_of = |kind| {
            self.items
                .values()
                .filter(|item| item.kind() == kind)
                .count() as u64
        };
        let found = StoredCounts {
            n_images: n_of(ItemKind::Image),
            n_captions: n_of(ItemKind::Caption),
            n_files: self.n_files,
        };
        if let Some(stored) = stored.filter(|stored| *stored != found) {
            let text = |counts: StoredCounts| {
                let StoredCounts {
                    n_images,
                    n_captions,
                    n_files,
                } = counts;
                format!("{n_images} images, {n_captions} captions and {n_files} files")
            };
            self.problems.push(Problem::Counts {
                stored: text(stored),
                found: text(found),
            });
        }
        // Items without any trace are still included in the stored counts.
        let stored = stored
            .filter(|_| self.records.is_damaged())
            .unwrap_or_default();
        let n_lost = |stored: u64, kind| {
            let n_kept = self.kept().filter(|&(_, kept)| kept == kind).count() as u64;
            let n_known = self.lost.iter().filter(|lost| lost.0 == kind).count() as u64;
            stored.saturating_sub(n_kept).max(n_known)
        };
        let n_captions = n_lost(stored.n_captions, ItemKind::Caption);
        self.losses.n_images = n_lost(stored.n_images, ItemKind::Image);
        self.losses.n_captions = n_captions;
        Ok(())
    }

    fn notes(&mut self) -> Result<(), RecordsError> {
        self.scan(Column::Default, keys::LIBRARIES, |survey, key, value| {
            let library = keys::path_from(key.get(1..).unwrap_or(&[]))
                .and_then(|folder| codec::decode_library(&folder, value));
            if survey.sound(library)?.is_none() {
                survey.losses.n_libraries += 1;
            }
            Ok(())
        })?;
        self.sound(self.records.last_run())?;
        self.sound(self.records.language())?;
        self.sound(self.records.noted_pathless())?;
        Ok(())
    }

    fn history(&mut self) -> Result<(), RecordsError> {
        let generation = self.sound(self.records.generation())?;
        let lists = self.sound(self.records.changes_after(Generation(0)))?;
        if let Some((lists, generation)) = lists.zip(generation) {
            // The newest list is kept until the next commit, older ones for words and readers that
            // are behind.
            let first = lists.first().map_or(1, |(first, _)| first.0);
            let numbers = lists.iter().map(|(number, _)| number.0);
            if !numbers.eq(first..=generation.0) {
                self.problems.push(Problem::Generations {
                    what: "the lists of changes do not end with the newest generation",
                });
            }
        }
        for kind in ItemKind::ALL {
            let removed = self.sound(self.records.removed(kind))?;
            for id in removed.unwrap_or_default() {
                self.note_id(id);
                if self.items.contains_key(&id) {
                    self.report(id, "it exists, but is marked as removed");
                }
            }
        }
        for kind in ItemKind::ALL {
            self.sound(self.records.segments(kind))?;
        }
        let purged = self.sound(self.records.purged())?;
        if let Some((purged, generation)) = purged.zip(generation)
            && !self.records.is_segmented()?
            && purged.iter().any(|&purged| purged > generation)
        {
            self.problems.push(Problem::Generations {
                what: "a graph is recorded for a future generation",
            });
        }
        Ok(())
    }
}

/// Whether a stored vector has unit length. False when a value is not finite.
fn is_unit(values: &[f32]) -> bool {
    let length = values
        .iter()
        .map(|&value| f64::from(value) * f64::from(value))
        .sum::<f64>()
        .sqrt();
    (length - 1.0).abs() < 1e-3
}
