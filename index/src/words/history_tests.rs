//! Answers depend on the documents alone: whatever happened to a word index, it answers as one that
//! was just built from the same documents.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// An event in the life of a word index.
#[derive(Debug, Clone)]
enum Event {
    Put(Document),
    Remove(u32),
    Commit,
    /// Changes since the last commit are dropped.
    Rollback,
    /// Closed, merged and opened.
    Merge(Merge),
}

const WORDS: [&str; 10] = [
    "dog",
    "the",
    "beach",
    "Café",
    "2023-08-14",
    "海滩散步",
    "08.2023",
    "runs",
    "IMG",
    "snow",
];

/// Queries with single terms, several, pairs, alternatives and excluded terms.
const QUERIES: [&str; 8] = [
    "dog",
    "the beach dog",
    "2023-08",
    "海滩",
    "cafe 散步 runs",
    "14.8.2023 dog",
    "the",
    "unicorn",
];

fn document() -> impl Strategy<Value = Document> {
    let text = proptest::collection::vec(proptest::sample::select(&WORDS[..]), 0..60);
    (0..2_usize, 0..25_u32, text).prop_map(|(kind, id, text)| Document {
        kind,
        // An item has one kind for ever.
        id: id * 2 + u32::from(kind == 1),
        text: text.join(" "),
    })
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        12 => document().prop_map(Event::Put),
        3 => (0..50_u32).prop_map(Event::Remove),
        4 => Just(Event::Commit),
        1 => Just(Event::Rollback),
        1 => Just(Event::Merge(Merge::Worthwhile)),
        1 => Just(Event::Merge(Merge::Everything)),
    ]
}

type Documents = BTreeMap<u32, Document>;

fn built(documents: &Documents) -> Words {
    Words::in_memory::<WordsError>(Language::English, |put| {
        documents.values().try_for_each(put)
    })
    .unwrap()
}

/// Everything that can be asked, with every bit of BM25.
fn answers(words: &Words) -> Vec<String> {
    let mut answers = Vec::new();
    let some: IdSet = (0..50).step_by(3).map(crate::ItemId).collect();
    for kind in 0..2 {
        for query in QUERIES {
            for (n, among) in [(3, None), (100, None), (100, Some(&some))] {
                let found = words.matching(kind, query, n, among).unwrap();
                let found = found
                    .iter()
                    .map(|found| (found.id, found.bm25.to_bits(), &found.words));
                answers.push(format!("{query}: {:?}", found.collect::<Vec<_>>()));
            }
        }
    }
    answers
}

/// A word index on disk, what it should contain, and a reader of an earlier commit.
struct Life {
    dir: tempfile::TempDir,
    writer: Option<WordsWriter>,
    committed: Documents,
    pending: Documents,
    view: Option<(Words, Documents)>,
    generation: u64,
}

impl Life {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let writer = WordsWriter::open(dir.path(), Language::English).unwrap();
        Self {
            dir,
            writer: Some(writer),
            committed: Documents::new(),
            pending: Documents::new(),
            view: None,
            generation: 0,
        }
    }

    fn live(&mut self, event: Event) {
        let writer = self.writer.as_mut().unwrap();
        match event {
            Event::Put(document) => {
                writer.put(&document).unwrap();
                self.pending.insert(document.id, document);
            }
            Event::Remove(id) => {
                writer.remove(id);
                self.pending.remove(&id);
            }
            Event::Commit => {
                self.generation += 1;
                let stamp = WordsStamp {
                    index_id: [7; 16],
                    generation: self.generation,
                };
                writer.prepare(stamp).unwrap().commit().unwrap();
                self.committed = self.pending.clone();
                self.look();
            }
            Event::Rollback => {
                writer.rollback().unwrap();
                self.pending = self.committed.clone();
            }
            Event::Merge(merge) => {
                self.writer.take().unwrap().close().unwrap();
                WordsWriter::merge(self.dir.path(), Language::English, merge).unwrap();
                let writer = WordsWriter::open(self.dir.path(), Language::English);
                self.writer = Some(writer.unwrap());
                self.pending = self.committed.clone();
            }
        }
    }

    /// Compares the newest commit, opened from scratch and by an older view, and that view
    /// completed by an overlay, with an index that was just built.
    fn look(&mut self) {
        let dir = self.dir.path();
        let expected = answers(&built(&self.committed));
        assert_eq!(
            answers(&Words::open(dir, None).unwrap()),
            expected,
            "opened"
        );
        if let Some((old, documents)) = &self.view {
            assert_eq!(answers(&old.newer(dir).unwrap()), expected, "newer");
            assert_eq!(answers(old), answers(&built(documents)), "the old view");
            let ids: BTreeSet<u32> = documents
                .keys()
                .chain(self.committed.keys())
                .copied()
                .collect();
            let is_changed = |id: &u32| {
                let text =
                    |documents: &Documents| documents.get(id).map(|found| found.text.clone());
                text(documents) != text(&self.committed)
            };
            let changed: Vec<u32> = ids.into_iter().filter(is_changed).collect();
            let new = changed
                .iter()
                .filter_map(|id| self.committed.get(id))
                .cloned();
            let overlaid = old.overlaid(&changed, &new.collect::<Vec<_>>()).unwrap();
            assert_eq!(answers(&overlaid), expected, "an overlay");
        }
        // A view stays for a few commits.
        if self.generation % 3 == 1 {
            let words = Words::open(dir, None).unwrap();
            self.view = Some((words, self.committed.clone()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn words_grown_merged_and_completed_answer_as_words_just_built(
        events in proptest::collection::vec(event(), 20..100)
    ) {
        let mut life = Life::new();
        for event in events.into_iter().chain([Event::Commit]) {
            life.live(event);
        }
    }
}
