//! Runs that are killed repeatedly over a folder that changes between the kills.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use sightline_index::{
    IndexError, IndexReader, Item, ItemId, ItemKind, Nearest, Problem, UnitVector, check,
};

use crate::support::numbers::Numbers;
use crate::support::{TestCommand, TestEnv, corpus};

const SEED: u64 = 0x6b69_6c6c;
/// Number of runs to kill.
const N_KILLS: usize = 50;
/// Minimum number of kills that leave a partial index.
const N_PARTIAL: usize = 10;
/// Number of pictures in the folder at any time.
const N_PICTURES: usize = 240;
/// Number of pictures that are deleted, and added, between two kills.
const N_CHANGED: usize = 60;
/// Number of pictures that are renamed between two kills.
const N_RENAMED: usize = 10;

/// The folder of pictures as it should be in the index. Contents are identified by number.
struct Library {
    env: TestEnv,
    /// Path of each content in the folder.
    paths: BTreeMap<usize, PathBuf>,
    hashes: BTreeMap<usize, [u8; 32]>,
    /// Contents that were never in the folder.
    unused: Vec<usize>,
}

impl Library {
    fn new() -> Self {
        let env = TestEnv::new();
        let n_all = N_PICTURES + N_CHANGED * 10 * N_KILLS;
        let mut library = Self {
            env,
            paths: BTreeMap::new(),
            hashes: BTreeMap::new(),
            unused: (0..n_all).rev().collect(),
        };
        for _ in 0..N_PICTURES {
            library.add();
        }
        library
    }

    fn add(&mut self) {
        let number = self.unused.pop().expect("enough contents");
        let path = self
            .env
            .path(format!("photos/{}/p{number}.png", number % 7));
        let bytes = corpus::one_numbered(number);
        self.hashes.insert(number, *blake3::hash(&bytes).as_bytes());
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, bytes).unwrap();
        self.paths.insert(number, path);
    }

    fn any(&self, numbers: &mut Numbers) -> usize {
        let at = numbers.below(self.paths.len());
        *self.paths.keys().nth(at).unwrap()
    }

    /// Deletes some pictures, renames some into other folders, and adds others.
    fn change(&mut self, numbers: &mut Numbers) {
        for _ in 0..N_CHANGED {
            let deleted = self.any(numbers);
            fs_err::remove_file(self.paths.remove(&deleted).unwrap()).unwrap();
        }
        for _ in 0..N_RENAMED {
            let moved = self.any(numbers);
            let name = format!(
                "photos/moved{}/m{moved}x{}.png",
                moved % 3,
                numbers.next() % 997
            );
            let to = self.env.path(name);
            fs_err::create_dir_all(to.parent().unwrap()).unwrap();
            fs_err::rename(&self.paths[&moved], &to).unwrap();
            self.paths.insert(moved, to);
        }
        for _ in 0..N_CHANGED {
            self.add();
        }
    }

    fn index(&self) -> TestCommand {
        let command = [
            "index",
            "photos",
            "--json",
            "--commit-every",
            "20",
            "--batch",
            "1",
        ];
        self.env.sightline(command)
    }

    fn reader(&self) -> Option<IndexReader> {
        match IndexReader::open(&self.env.index(), None) {
            Ok(reader) => Some(reader),
            Err(IndexError::NoIndex { .. }) => None,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Id and vector of each content in the index.
type Content = BTreeMap<usize, (ItemId, UnitVector)>;

fn content(library: &Library) -> Content {
    let Some(reader) = library.reader() else {
        return Content::new();
    };
    let mut content = Content::new();
    for (&number, hash) in &library.hashes {
        let Some(id) = reader.image_with_hash(hash).unwrap() else {
            continue;
        };
        let Some(Item::Image(image)) = reader.item(id).unwrap() else {
            panic!("{number} has no picture")
        };
        assert!(!image.paths.is_empty(), "{number} has no path");
        let vector = reader.vector(id).unwrap().expect("a vector");
        content.insert(number, (id, vector));
    }
    assert_eq!(reader.counts().n_images, content.len() as u64);
    content
}

/// Number of contents in `before` that are still in the folder but changed or missing in `now`.
fn n_lost(library: &Library, before: &Content, now: &Content) -> usize {
    let lost = |(number, was): &(&usize, &(ItemId, UnitVector))| {
        library.paths.contains_key(*number) && now.get(*number) != Some(was)
    };
    before.iter().filter(lost).count()
}

/// Asserts that the nearest pictures are those of an exact scan, and are found by words, too.
fn check_answers(library: &Library, now: &Content, when: &str) {
    let Some(reader) = library.reader().filter(|_| !now.is_empty()) else {
        return;
    };
    let dot = |a: &UnitVector, b: &UnitVector| -> f32 {
        a.as_slice()
            .iter()
            .zip(b.as_slice())
            .map(|(a, b)| a * b)
            .sum()
    };
    for (id, query) in now.values().step_by(now.len().div_ceil(3)) {
        let near = reader
            .nearest(ItemKind::Image, query, 10, &Nearest::default())
            .unwrap();
        let mut expected: Vec<f32> = now.values().map(|(_, vector)| dot(query, vector)).collect();
        expected.sort_by(|a, b| b.total_cmp(a));
        assert_eq!(near.len(), expected.len().min(10), "{when}");
        for (near, expected) in near.iter().zip(expected) {
            assert!((near.similarity - expected).abs() < 1e-5, "{when}");
        }
        let Some(Item::Image(image)) = reader.item(*id).unwrap() else {
            panic!("{when}: {id:?}")
        };
        let name = image.paths[0].file_stem().unwrap().to_str().unwrap();
        let found = reader.matching(ItemKind::Image, name, 1000).unwrap();
        assert!(found.iter().any(|found| found.id == *id), "{when}: {name}");
    }
}

fn check_records(library: &Library, now: &Content, when: &str) {
    if now.is_empty() {
        return;
    }
    let is_derived =
        |problem: &Problem| matches!(problem, Problem::Words { .. } | Problem::Graph { .. });
    let problems = check(&library.env.index()).unwrap();
    assert!(problems.iter().all(is_derived), "{when}: {problems:?}");
}

#[test]
fn killed_runs_over_a_changing_folder_lose_nothing() {
    println!("seed {SEED:#x}");
    let mut numbers = Numbers(SEED);
    let mut library = Library::new();
    let began = Instant::now();
    library.index().run().expect(0);
    let mut horizon = began.elapsed();
    fs_err::remove_dir_all(library.env.index()).unwrap();

    let (mut n_kills, mut n_partial, mut n_tries, mut n_items_lost) = (0, 0, 0, 0);
    let mut before = Content::new();
    while n_kills < N_KILLS {
        n_tries += 1;
        assert!(n_tries <= 6 * N_KILLS, "runs end before they can be killed");
        let when = format!("seed {SEED:#x}, try {n_tries}");
        let mut running = library.index().spawn();
        let share = u32::try_from(numbers.below(1000)).unwrap();
        std::thread::sleep(horizon * share / 1000);
        // A reader beside the running writer sees a complete generation with everything before.
        let beside = content(&library);
        assert_eq!(n_lost(&library, &before, &beside), 0, "{when}, beside");
        let ended = running.has_ended();
        if !ended {
            running.signal(Signal::SIGKILL);
        }
        let ran = running.wait();
        if ran.signal() == Some(Signal::SIGKILL as i32) {
            n_kills += 1;
            horizon = horizon * 21 / 20;
        } else {
            ran.expect(0);
            horizon = (horizon * 4 / 5).max(Duration::from_millis(20));
        }
        let now = content(&library);
        n_items_lost += n_lost(&library, &before, &now) + n_lost(&library, &beside, &now);
        assert_eq!(n_items_lost, 0, "{when}");
        if !now.is_empty() && library.paths.keys().any(|number| !now.contains_key(number)) {
            n_partial += 1;
        }
        check_records(&library, &now, &when);
        check_answers(&library, &now, &when);
        before = now;
        library.change(&mut numbers);
    }

    // After a complete run the index equals the folder.
    library.index().run().expect(0);
    let now = content(&library);
    assert!(now.keys().eq(library.paths.keys()));
    n_items_lost += n_lost(&library, &before, &now);
    let reader = library.reader().unwrap();
    for (number, path) in &library.paths {
        let file = reader.file(path).unwrap().expect("the file is known");
        assert_eq!(file.image, now[number].0);
    }
    assert_eq!(reader.counts().n_files, library.paths.len() as u64);
    assert_eq!(check(&library.env.index()).unwrap(), []);
    assert!(
        n_partial >= N_PARTIAL,
        "only {n_partial} of {n_kills} kills left a partial index"
    );
    println!("{n_kills} crashes survived, {n_items_lost} items lost");
    assert!(n_kills >= 50);
    assert_eq!(n_items_lost, 0);
}
