//! The architecture's rules, checked on the source text.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Maximum number of lines of a source file, its tests not counted.
const MAX_LINES: usize = 800;

/// Maximum width of a line, comments included.
const MAX_COLUMNS: usize = 100;

/// Maximum number of words in README.md, code included.
const MAX_README_WORDS: usize = 700;

struct Source {
    /// From the project's folder.
    path: PathBuf,
    text: String,
}

impl Source {
    fn is_below(&self, folder: &str) -> bool {
        self.path.starts_with(folder)
    }

    /// Lines of code, with their numbers: no comments, nothing after `#[cfg(test)] mod`.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_test_module = |pair: &[&str]| {
            pair[0].trim() == "#[cfg(test)]"
                && pair[1].starts_with("mod ")
                && pair[1].trim_end().ends_with('{')
        };
        let lines: Vec<&str> = self.text.lines().collect();
        let end = lines
            .windows(2)
            .position(is_test_module)
            .unwrap_or(lines.len());
        let numbered = lines.into_iter().take(end).enumerate();
        numbered
            .map(|(number, line)| (number + 1, line.split("//").next().unwrap_or_default()))
            .filter(|(_, line)| !line.trim().is_empty())
    }

    /// Lines of code in which one of these stands as a word of its own.
    fn naming<'a>(&'a self, words: &'a [impl AsRef<str>]) -> impl Iterator<Item = String> + 'a {
        self.code().flat_map(move |(number, line)| {
            let named = words
                .iter()
                .map(AsRef::as_ref)
                .filter(move |word| names(line, word));
            named.map(move |word| format!("{}:{number}: {word}", self.path.display()))
        })
    }
}

/// Whether `word` stands in the line, and not as a part of a longer name.
fn names(line: &str, word: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let goes_on_before = before.is_some_and(part_of_name) && word.starts_with(part_of_name);
        let goes_on_after = after.is_some_and(part_of_name) && word.ends_with(part_of_name);
        !goes_on_before && !goes_on_after
    })
}

/// The ways to name a crate, of which a method or a string of the same name is none.
fn paths_into(crates: &[&str]) -> Vec<String> {
    crates
        .iter()
        .flat_map(|name| [format!("{name}::"), format!("use {name}")])
        .collect()
}

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files below a folder whose names end so, sorted.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![project().join(folder)];
    while let Some(folder) = folders.pop() {
        if !folder.is_dir() {
            continue;
        }
        for entry in fs_err::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// All Rust sources of the three packages and of the tests.
fn sources() -> Vec<Source> {
    let folders = ["src", "index", "onnx", "picture", "tests"];
    let paths = folders.iter().flat_map(|folder| files(folder, ".rs"));
    let sources: Vec<Source> = paths
        .map(|path| Source {
            text: fs_err::read_to_string(&path).unwrap(),
            path: path.strip_prefix(project()).unwrap().to_path_buf(),
        })
        .collect();
    for folder in folders {
        let n = sources
            .iter()
            .filter(|source| source.is_below(folder))
            .count();
        assert!(n >= 10, "only {n} sources seen in {folder}");
    }
    sources
}

/// Fails when one of the words is named in the code of sources that `bound` chooses, of which
/// there must be at least `n_least`. This file, which has to name them all, is left out.
fn assert_not_named(n_least: usize, words: &[impl AsRef<str>], bound: impl Fn(&Source) -> bool) {
    let sources: Vec<Source> = sources()
        .into_iter()
        .filter(|source| bound(source) && source.path != Path::new("tests/it/tidy.rs"))
        .collect();
    let n = sources.len();
    assert!(n >= n_least, "only {n} files looked at");
    let named: Vec<String> = sources
        .iter()
        .flat_map(|source| source.naming(words))
        .collect();
    assert!(
        named.is_empty(),
        "named where they must not be:\n{}",
        named.join("\n")
    );
}

#[test]
fn the_rule_itself_sees_what_it_must_see() {
    assert!(names("use ort::session;", "ort"));
    assert!(!names("sort();", "ort") && !names("let port = 1;", "ort"));
    assert!(!names("report.n", "ort") && names("(ort)", "ort"));
    assert!(names("    std::process::exit(1)", "process::exit"));
    assert!(names("println!(\"{x}\")", "println!"));
    let source = Source {
        path: PathBuf::from("src/a.rs"),
        text: "// use ort;\nuse ort; // why\n#[cfg(test)]\nmod tests {\nuse ort;\n".to_owned(),
    };
    let named: Vec<String> = source.naming(&["ort"]).collect();
    assert_eq!(named, ["src/a.rs:2: ort"]);
    let named: Vec<String> = source.naming(&paths_into(&["ort"])).collect();
    assert_eq!(named, ["src/a.rs:2: use ort"]);
    // Today's sources do name what is allowed where it is allowed.
    let of = |folder: &str, word: &str| {
        let sources = sources();
        let words = paths_into(&[word]);
        let naming = |source: &Source| source.naming(&words).next().is_some();
        sources
            .iter()
            .filter(|source| source.is_below(folder))
            .any(naming)
    };
    assert!(of("onnx", "ort") && of("index", "rocksdb") && of("src/cli", "clap"));
}

#[test]
fn lower_packages_do_not_know_each_other_nor_the_program() {
    assert_not_named(
        10,
        &paths_into(&["sightline_index", "sightline_onnx", "sightline"]),
        |source| source.is_below("picture/src"),
    );
    assert_not_named(
        10,
        &paths_into(&["sightline_onnx", "sightline_picture", "sightline"]),
        |source| source.is_below("index/src"),
    );
    assert_not_named(
        10,
        &paths_into(&["sightline_index", "sightline"]),
        |source| source.is_below("onnx/src"),
    );
}

#[test]
fn every_room_of_the_program_names_only_what_lies_below_it() {
    // Faces turn a request into calls of the engine; what they need of a lower package, the engine
    // and the models pass on. Only pictures are theirs to use: thumbnails and formats.
    let lower = paths_into(&["sightline_index", "sightline_onnx"]);
    assert_not_named(20, &lower, |source| source.is_below("src/cli"));
    let rooms: [(&str, &[&str]); 5] = [
        ("src/answers", &["cli"]),
        ("src/workspace.rs", &["cli", "answers"]),
        ("src/models", &["cli", "answers", "workspace"]),
        ("src/engine", &["cli", "answers", "workspace", "models"]),
        ("src/platform.rs", &["cli", "answers", "workspace"]),
    ];
    for (room, above) in rooms {
        let above: Vec<String> = above.iter().map(|name| format!("crate::{name}")).collect();
        assert_not_named(1, &above, |source| source.is_below(room));
    }
}

#[test]
fn each_large_library_is_named_in_one_place() {
    assert_not_named(40, &paths_into(&["ort", "tokenizers"]), |source| {
        !source.is_below("onnx")
    });
    let of_index = paths_into(&["rocksdb", "hnsw_rs", "tantivy"]);
    assert_not_named(40, &of_index, |source| !source.is_below("index"));
    assert_not_named(40, &paths_into(&["ureq"]), |source| {
        !source.is_below("src/models/hub")
    });
    assert_not_named(40, &paths_into(&["clap"]), |source| {
        !source.is_below("src/cli")
    });
}

#[test]
fn each_store_of_the_index_keeps_to_itself() {
    let stores = ["records", "graph", "words"];
    for store in stores {
        let others: Vec<String> = stores
            .iter()
            .filter(|other| **other != store)
            .flat_map(|other| [format!("crate::{other}"), format!("super::{other}")])
            .collect();
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        assert_not_named(1, &others, |source| {
            source.is_below(&format!("index/src/{store}"))
        });
    }
    assert_not_named(1, &paths_into(&["rocksdb"]), |source| {
        // What waiting for the disk costs, and what settings do, is measured on RocksDB itself.
        let benches = ["index/benches/durability.rs", "index/benches/tables.rs"];
        source.is_below("index")
            && !source.is_below("index/src/records")
            && !benches.iter().any(|bench| source.is_below(bench))
    });
    assert_not_named(1, &paths_into(&["tantivy"]), |source| {
        source.is_below("index") && !source.is_below("index/src/words")
    });
    assert_not_named(1, &paths_into(&["hnsw_rs"]), |source| {
        source.is_below("index") && !source.is_below("index/src/graph")
    });
}

#[test]
fn the_engine_and_the_libraries_print_nothing_and_read_no_environment() {
    let forbidden = [
        "println!",
        "print!",
        "eprintln!",
        "eprint!",
        "dbg!",
        "std::env",
        "env::var",
        "env::current_dir",
        "process::exit",
        "process::abort",
        "crate::cli",
        "crate::web",
        "crate::platform",
        "env_logger",
    ];
    assert_not_named(30, &forbidden, |source| {
        [
            "src/engine",
            "src/models",
            "index/src",
            "onnx/src",
            "picture/src",
        ]
        .iter()
        .any(|folder| source.is_below(folder))
            && !source.path.to_string_lossy().ends_with("_tests.rs")
    });
    // Only one file of the command line writes to the terminal.
    assert_not_named(
        10,
        &["println!", "print!", "eprintln!", "eprint!", "io::stdout"],
        |source| source.is_below("src") && source.path != Path::new("src/cli/printer.rs"),
    );
}

#[test]
fn manifests_name_only_what_their_package_may_use() {
    let read = |path: &str| fs_err::read_to_string(project().join(path)).unwrap();
    let rules: [(&str, &[&str]); 4] = [
        (
            "picture/Cargo.toml",
            &[
                "sightline",
                "sightline-index",
                "sightline-onnx",
                "ort",
                "tokenizers",
            ],
        ),
        (
            "index/Cargo.toml",
            &[
                "sightline",
                "sightline-onnx",
                "ort",
                "tokenizers",
                "clap",
                "image",
            ],
        ),
        (
            "onnx/Cargo.toml",
            &[
                "sightline",
                "sightline-index",
                "rocksdb",
                "hnsw_rs",
                "tantivy",
                "clap",
            ],
        ),
        (
            "Cargo.toml",
            &["ort", "tokenizers", "rocksdb", "hnsw_rs", "tantivy"],
        ),
    ];
    for (manifest, forbidden) in rules {
        let text = read(manifest);
        let dependencies: BTreeSet<&str> = keys_of_dependencies(&text).collect();
        assert!(dependencies.len() >= 8, "{manifest}: {dependencies:?}");
        for name in forbidden {
            assert!(!dependencies.contains(name), "{manifest} depends on {name}");
        }
    }
}

/// Keys in the tables whose names end with `dependencies`, but for the workspace's own list.
fn keys_of_dependencies(manifest: &str) -> impl Iterator<Item = &str> {
    let mut within = false;
    manifest.lines().filter_map(move |line| {
        if line.starts_with('[') {
            within =
                line.trim_end().ends_with("dependencies]") && line != "[workspace.dependencies]";
            return None;
        }
        let key = line.split(['=', '.']).next()?.trim();
        (within && !key.is_empty() && !key.starts_with('#')).then_some(key)
    })
}

/// A command in a hint must name the index that the hint is about, which `hints::command` adds.
/// `export` in a hint is about another index, the one that was exported.
#[test]
fn commands_on_an_index_are_built_in_one_place() {
    let verbs = [
        "index",
        "search",
        "refine",
        "captions",
        "similar",
        "duplicates",
        "status",
        "remove",
        "check",
        "compact",
        "import",
        "eval",
        "bench",
    ];
    let mut found = Vec::new();
    let mut n_seen = 0;
    for source in sources() {
        // The options have the examples of `--help`.
        let is_help = source.is_below("src/cli/args.rs") || source.is_below("src/cli/args");
        if !source.is_below("src/cli") || is_help {
            continue;
        }
        n_seen += 1;
        let is_typed = |line: &str| {
            let mut commands = line.split("`sightline ").skip(1);
            commands.any(|rest| verbs.iter().any(|verb| rest.starts_with(verb)))
        };
        let lines = source.code().filter(|(_, line)| is_typed(line));
        found.extend(lines.map(|(number, _)| format!("{}:{number}", source.path.display())));
    }
    assert!(n_seen > 15, "{n_seen}");
    assert_eq!(found, [""; 0]);
}

#[test]
fn source_files_stay_short_enough_to_read() {
    let mut n_files = 0;
    for source in sources()
        .iter()
        .filter(|source| !source.path.iter().any(|part| part == "tests"))
    {
        n_files += 1;
        // Comments and blank lines count: they are read too. Tests at the end do not.
        let n_lines = source.code().last().map_or(0, |(number, _)| number);
        assert!(
            n_lines <= MAX_LINES,
            "{}: {n_lines} lines",
            source.path.display()
        );
    }
    assert!(n_files >= 50, "only {n_files} files looked at");
}

#[test]
fn lines_fit_the_width() {
    let mut too_wide = Vec::new();
    for source in sources() {
        // What the program prints stands in snapshots as it is.
        let mut is_output = false;
        for (number, line) in source.text.lines().enumerate() {
            is_output = match line.trim_start() {
                start if start.starts_with("\")") || start.starts_with("\"#)") => false,
                start => is_output || start.contains("@r\"") || start.contains("@r#\""),
            };
            if !is_output && line.chars().count() > MAX_COLUMNS {
                too_wide.push(format!("{}:{}", source.path.display(), number + 1));
            }
        }
    }
    assert!(
        too_wide.is_empty(),
        "over {MAX_COLUMNS} columns:\n{}",
        too_wide.join("\n")
    );
}

#[test]
fn nothing_is_left_for_later() {
    // In two parts, so that this file does not find itself.
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("X", "XX"),
        concat!("todo", "!"),
        concat!("unimplemented", "!"),
        concat!("#[ign", "ore"),
        concat!("#![allow(warn", "ings"),
    ];
    let mut n_files = 0;
    for source in sources() {
        n_files += 1;
        for (number, line) in source.text.lines().enumerate() {
            for word in words {
                let found = names(line, word);
                assert!(!found, "{}:{}: {word}", source.path.display(), number + 1);
            }
        }
    }
    assert!(n_files >= 60, "only {n_files} files looked at");
}

/// Markdown documents outside `docs/`.
const DOCUMENTS: [&str; 7] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "benches/RESULTS.md",
    "index/FORMAT.md",
    "onnx/starter/MODEL_CARD.md",
];

#[test]
fn every_path_that_the_documents_name_exists() {
    let below_docs = files("docs", ".md");
    assert!(below_docs.len() >= 6, "only {} in docs", below_docs.len());
    let documents = DOCUMENTS.iter().map(|document| project().join(document));
    let mut n_paths = 0;
    for document in documents.chain(below_docs) {
        let text = fs_err::read_to_string(&document).unwrap();
        let folder = document.parent().unwrap();
        let mut of_document = 0;
        for path in paths_in(&text) {
            of_document += 1;
            assert!(
                project().join(path).exists() || folder.join(path).exists(),
                "{} names {path}, which does not exist",
                document.display()
            );
        }
        for link in links_in(&text) {
            of_document += 1;
            assert!(
                folder.join(link).exists(),
                "{} links to {link}, which does not exist",
                document.display()
            );
        }
        assert!(
            !document.ends_with("ARCHITECTURE.md") || of_document >= 20,
            "{of_document} in {}",
            document.display()
        );
        n_paths += of_document;
    }
    assert!(n_paths >= 120, "only {n_paths} paths checked");
}

/// Pieces of a text's code spans that look like paths of the project.
fn paths_in(text: &str) -> impl Iterator<Item = &str> {
    let tops = [
        "src/", "index/", "onnx/", "picture/", "tests/", "scripts/", "docs/", "benches/", ".ci/",
    ];
    text.split('`')
        .skip(1)
        .step_by(2)
        .flat_map(str::split_whitespace)
        .map(|piece| piece.trim_end_matches(['/', '.', ',', ':']))
        .filter(move |piece| {
            let is_path = tops.iter().any(|top| piece.starts_with(top));
            // Models of others have a folder named `onnx` too.
            is_path && !piece.contains(['*', '{', '<', '…']) && !piece.ends_with("_model.onnx")
        })
}

/// Targets of a document's links and pictures within the project, from the document's folder.
fn links_in(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', '#']).next())
        .filter(|link| !link.is_empty() && !link.contains("://"))
}

#[test]
fn readme_stays_short() {
    let text = fs_err::read_to_string(project().join("README.md")).unwrap();
    let n_words = text.split_whitespace().count();
    assert!(n_words <= MAX_README_WORDS, "README.md has {n_words} words");
    let n_pictures = text.matches("![").count();
    assert_eq!(n_pictures, 2, "README.md has {n_pictures} pictures");
}
