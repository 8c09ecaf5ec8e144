//! Every kind of file of an index is changed, truncated and deleted. Opening it must then give the
//! answers of an exact scan over all items, or an error that names the damage; never a panic, never
//! fewer items.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sightline_index::{IndexError, IndexReader, IndexWriter, ItemKind, Nearest, Problem, check};

use crate::support::{
    EXACT, binding, copy_folder, hash, make_index, put_photo, vector, with_graphs_from,
};

const DIMENSION: usize = 12;
const SEED: u64 = 0x6d61_7472_6978;

/// Number of photos in tables and graphs, and only in logs.
const N_FLUSHED: u64 = 120;
const N_LOGGED: u64 = 10;

/// Number of logs with photos.
const N_LOGS: u64 = 3;

fn open(dir: &Path) -> Result<IndexWriter, IndexError> {
    IndexWriter::open_or_create_with(dir, &binding(DIMENSION), with_graphs_from(50))
}

fn original() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    make_index(dir.path(), DIMENSION, N_FLUSHED);
    for log in 0..N_LOGS {
        let mut writer = open(dir.path()).unwrap();
        let first = N_FLUSHED + log * N_LOGGED / N_LOGS;
        for number in first..N_FLUSHED + (log + 1) * N_LOGGED / N_LOGS {
            put_photo(&mut writer, number, vector(DIMENSION, number));
        }
        writer.commit().unwrap();
    }
    dir
}

/// All content of an index, and the answers by graph and by scan, which must agree.
fn everything(dir: &Path) -> Result<Vec<String>, IndexError> {
    let reader = IndexReader::open(dir, None)?;
    let mut content = vec![format!("{:?}", reader.generation())];
    for number in 0..N_FLUSHED + N_LOGGED {
        let id = reader.image_with_hash(&hash(number))?;
        content.push(format!("{number} {id:?}"));
        if let Some(id) = id {
            content.push(format!(
                "{:?} {:?}",
                reader.item(id)?,
                reader.captions_of(id)?
            ));
        }
    }
    content.push(format!("{:?}", reader.files()?));
    for kind in ItemKind::ALL {
        for seed in 0..3 {
            let query = vector(DIMENSION, 1_000_000 + seed);
            let exact = reader.nearest(kind, &query, 200, &EXACT)?;
            let how = Nearest {
                exact: false,
                ef: 400,
            };
            let quick = reader.nearest(kind, &query, 200, &how)?;
            assert_eq!(
                quick.iter().map(|near| near.id).collect::<Vec<_>>(),
                exact.iter().map(|near| near.id).collect::<Vec<_>>()
            );
            content.push(format!("{exact:?}"));
        }
        for words in ["album3", "photo5 caption"] {
            let found = reader.matching(kind, words, 1000)?;
            content.push(format!("{found:?}"));
        }
    }
    Ok(content)
}

/// The first file of each kind, by folder and prefix or suffix of the name, and all tables and
/// logs.
fn one_of_each_kind(dir: &Path) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    for folder in ["", "records", "graphs", "words"] {
        let mut paths: Vec<PathBuf> = fs_err::read_dir(dir.join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .collect();
        paths.sort();
        for path in paths {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            // Locks and RocksDB's own log have no content that matters.
            let is_irrelevant = ["lock", "gate", "LOCK", "LOG"].contains(&name.as_str())
                || name.rsplit('.').next() == Some("lock");
            if is_irrelevant || name.starts_with("LOG.old") {
                continue;
            }
            let ending = name.rsplit('.').next().unwrap_or(&name);
            let kind = match ending {
                "sst" | "log" | "graph" | "json" => name.clone(),
                _ => ending.split('-').next().unwrap_or(ending).to_owned(),
            };
            let below = path.strip_prefix(dir).unwrap().to_owned();
            found.entry(format!("{folder}/{kind}")).or_insert(below);
        }
    }
    found
}

/// Damage to a file.
#[derive(Debug, Clone, Copy)]
enum Harm {
    Flip { byte: usize, bit: u32 },
    Cut { n_bytes: usize },
    Delete,
}

impl Harm {
    fn all(n_bytes: usize, rng: &mut StdRng) -> Vec<Self> {
        let mut harms = vec![Self::Delete];
        if n_bytes > 0 {
            harms.extend([0, n_bytes / 2, n_bytes - 1].map(|n_bytes| Self::Cut { n_bytes }));
            harms.extend((0..3).map(|_| Self::Flip {
                byte: rng.random_range(0..n_bytes),
                bit: rng.random_range(0..8),
            }));
        }
        harms
    }

    fn inflict(self, path: &Path) {
        let mut bytes = fs_err::read(path).unwrap();
        match self {
            Self::Flip { byte, bit } => bytes[byte] ^= 1 << bit,
            Self::Cut { n_bytes } => bytes.truncate(n_bytes),
            Self::Delete => return fs_err::remove_file(path).unwrap(),
        }
        fs_err::write(path, bytes).unwrap();
    }
}

/// Whether an error names damage. A changed manifest may also name another model or format.
fn is_reported(error: &IndexError, is_manifest: bool) -> bool {
    match error {
        IndexError::Damaged { .. } | IndexError::Records { .. } => true,
        IndexError::OtherModel { .. }
        | IndexError::OtherDimension { .. }
        | IndexError::NewerFormat { .. }
        | IndexError::OlderFormat { .. } => is_manifest,
        _ => false,
    }
}

#[expect(clippy::struct_field_names, reason = "they are counts")]
#[derive(Debug, Default)]
struct Tally {
    n_cases: usize,
    n_same: usize,
    n_reported: usize,
    n_repaired: usize,
}

fn check_case(dir: &Path, expected: &[String], is_manifest: bool, when: &str, tally: &mut Tally) {
    match everything(dir) {
        Ok(found) => {
            assert_eq!(found, expected, "{when}: reading");
            tally.n_same += 1;
        }
        Err(error) => {
            assert!(
                is_reported(&error, is_manifest),
                "{when}: reading: {error:?}"
            );
            tally.n_reported += 1;
        }
    }
    match open(dir).and_then(IndexWriter::finish) {
        Ok(_) => match everything(dir) {
            Ok(found) => {
                assert_eq!(found, expected, "{when}: repaired");
                // Blocks of the records that nothing above has read may still be damaged, and are
                // then reported.
                let is_reported = |problem: &Problem| matches!(problem, Problem::Records { .. });
                let problems = check(dir).unwrap();
                assert!(problems.iter().all(is_reported), "{when}: {problems:?}");
                tally.n_repaired += 1;
            }
            Err(error) => assert!(
                is_reported(&error, is_manifest),
                "{when}: repaired: {error:?}"
            ),
        },
        Err(error) => assert!(
            is_reported(&error, is_manifest),
            "{when}: writing: {error:?}"
        ),
    }
    tally.n_cases += 1;
}

#[test]
fn any_changed_truncated_or_deleted_file_is_handled() {
    let original = original();
    let expected = everything(original.path()).unwrap();
    let files = one_of_each_kind(original.path());
    for kind in [
        "records/CURRENT",
        "records/MANIFEST",
        "records/OPTIONS",
        "graphs/image-1.graph",
        "/manifest.json",
        "words/meta.json",
        "words/store",
    ] {
        assert!(files.contains_key(kind), "no {kind} among {files:?}");
    }
    let n_tables = files
        .keys()
        .filter(|kind| kind.rsplit('.').next() == Some("sst"))
        .count();
    assert!(n_tables >= 6, "{files:?}");
    let is_log = |path: &&PathBuf| {
        let n_bytes = fs_err::metadata(original.path().join(path)).unwrap().len();
        path.extension().is_some_and(|ending| ending == "log") && n_bytes > 0
    };
    assert_eq!(files.values().filter(is_log).count() as u64, N_LOGS);
    let mut rng = StdRng::seed_from_u64(SEED);
    let mut tally = Tally::default();
    let mut n_expected = 0;
    for path in files.values() {
        let n_bytes = fs_err::metadata(original.path().join(path)).unwrap().len();
        let n_bytes = usize::try_from(n_bytes).unwrap();
        n_expected += if n_bytes > 0 { 7 } else { 1 };
        for harm in Harm::all(n_bytes, &mut rng) {
            let when = format!(
                "seed {SEED:#x}, {} of {n_bytes} bytes, {harm:?}",
                path.display()
            );
            let dir = tempfile::tempdir().unwrap();
            copy_folder(original.path(), dir.path());
            harm.inflict(&dir.path().join(path));
            let is_manifest = path == Path::new("manifest.json");
            catch_unwind(AssertUnwindSafe(|| {
                check_case(dir.path(), &expected, is_manifest, &when, &mut tally);
            }))
            .unwrap_or_else(|_| panic!("{when}"));
        }
    }
    println!("{tally:?}");
    assert_eq!(tally.n_cases, n_expected);
    assert!(tally.n_cases >= 140, "{tally:?}");
    assert!(
        tally.n_reported >= 30 && tally.n_repaired >= 60,
        "{tally:?}"
    );
}
