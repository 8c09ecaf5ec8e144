//! `sightline watch` and `serve --watch`, on files that really change. What the index holds in the
//! end is what a fresh index of the folder holds.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;
use sightline_index::{IndexReader, IndexWriter, WriterOptions};

use crate::support::{Running, TestEnv, content, corpus};

/// The longest time that a machine under load may need for anything here.
const LONGEST: Duration = Duration::from_mins(10);

/// A watcher that runs.
struct Watcher {
    env: TestEnv,
    running: Running,
}

impl Watcher {
    fn start(env: TestEnv, arguments: &str) -> Self {
        Self::run(env, &format!("watch --json {arguments}"))
    }

    /// Starts a command whose output goes to files, so that it can be read meanwhile.
    fn run(env: TestEnv, arguments: &str) -> Self {
        let line = format!("exec sightline {arguments} >>out.jsonl 2>>err.txt");
        let running = env.shell(&line).spawn();
        Self { env, running }
    }

    fn stderr(&self) -> String {
        fs_err::read_to_string(self.env.path("err.txt")).unwrap_or_default()
    }

    /// The reports so far.
    fn reports(&self) -> Vec<Value> {
        let text = fs_err::read_to_string(self.env.path("out.jsonl")).unwrap_or_default();
        let complete = text.rsplit_once('\n').map_or("", |(lines, _)| lines);
        let lines = complete.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The sum of a number over all reports.
    fn sum(&self, key: &str) -> u64 {
        let reports = self.reports();
        reports.iter().map(|one| one[key].as_u64().unwrap()).sum()
    }

    /// Waits until a condition holds.
    #[track_caller]
    fn until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let began = Instant::now();
        while !holds(self) {
            let ended = self.running.has_ended();
            assert!(
                !ended && began.elapsed() < LONGEST,
                "{what}: {}\n{}",
                if ended { "ended" } else { "timeout" },
                self.stderr()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    #[track_caller]
    fn until_first_run(&mut self) {
        self.until("the first run", |watcher| !watcher.reports().is_empty());
    }

    /// Waits until the index has the files of the folder `photos`.
    #[track_caller]
    fn until_current(&mut self, what: &str) {
        self.until(what, |watcher| {
            let photos = watcher.env.path("photos");
            indexed(&watcher.env.index()).is_some_and(|files| files == pictures(&photos))
        });
    }

    /// Stops it, and asserts that the index holds what a fresh one holds.
    #[track_caller]
    fn stop(self, signal: Signal) -> TestEnv {
        self.running.signal(signal);
        self.running.wait().expect(0);
        let env = self.env;
        env.succeed(["index", "photos", "--index", "fresh", "--quiet"]);
        let (now, fresh) = (content(&env.index()), content(&env.path("fresh")));
        let paths = |content: &crate::support::Content| content.keys().cloned().collect::<Vec<_>>();
        assert_eq!(paths(&now), paths(&fresh));
        for (path, (vector, captions)) in &now {
            let (other_vector, other_captions) = &fresh[path];
            assert_eq!(captions, other_captions, "{}", path.display());
            let pairs = vector.iter().zip(other_vector);
            let is_same = pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-4);
            assert!(is_same, "another vector of {}", path.display());
        }
        let problems = sightline_index::check(&env.index()).unwrap();
        assert!(problems.is_empty(), "{problems:?}");
        env
    }
}

/// The files in an index; `None` while it cannot be opened.
fn indexed(index: &Path) -> Option<BTreeSet<PathBuf>> {
    let reader = IndexReader::open(index, None).ok()?;
    let files = reader.files().ok()?;
    Some(files.into_iter().map(|(path, _)| path).collect())
}

/// The pictures below a folder.
fn pictures(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(pictures(&path));
        } else if path.extension().is_some_and(|extension| extension == "png") {
            found.insert(path);
        }
    }
    found
}

#[test]
fn changes_are_indexed_as_they_happen() {
    let mut watcher = Watcher::start(TestEnv::indexed(), "");
    watcher.until_first_run();
    let photos = watcher.env.path("photos");
    // A new file, in a new folder.
    corpus::numbered(&photos.join("new"), 3);
    watcher.until_current("added");
    // Renamed: nothing is encoded again.
    fs_err::rename(photos.join("red.png"), photos.join("rouge.png")).unwrap();
    fs_err::rename(photos.join("new"), photos.join("renamed")).unwrap();
    watcher.until("renamed", |watcher| watcher.sum("moved") == 4);
    assert_eq!(watcher.sum("added"), 3);
    // Other content, first beside the old one, as many programs save.
    corpus::save(&photos.join(".saved.png"), &corpus::halves("pink", "blue"));
    fs_err::rename(photos.join(".saved.png"), photos.join("blue.png")).unwrap();
    corpus::save(&photos.join("green.png"), &corpus::halves("red", "green"));
    watcher.until("changed", |watcher| watcher.sum("changed") == 2);
    // Captions, changed and deleted.
    let note = photos.join("rouge.txt");
    fs_err::write(&note, "a wall\n").unwrap();
    watcher.until("a caption", |watcher| watcher.sum("captions_added") == 1);
    fs_err::write(&note, "another wall\n").unwrap();
    watcher.until("another", |watcher| watcher.sum("captions_added") == 2);
    fs_err::remove_file(&note).unwrap();
    watcher.until("no caption", |watcher| watcher.sum("captions_removed") == 2);
    // A rule takes files out, and a parent is deleted with what is below.
    corpus::numbered(&photos.join("deep/below/it"), 2);
    watcher.until_current("deeper");
    fs_err::remove_dir_all(photos.join("deep")).unwrap();
    watcher.until_current("the parent is deleted");
    fs_err::remove_dir_all(photos.join("renamed")).unwrap();
    fs_err::write(photos.join(".sightlineignore"), "cyan.png\n").unwrap();
    watcher.until("the rule", |watcher| watcher.sum("removed") == 6);
    let stderr = watcher.stderr();
    for line in ["watching photos", "up to date (8 picture files)"] {
        assert!(stderr.contains(line), "{line}: {stderr}");
    }
    watcher.stop(Signal::SIGINT);
}

#[test]
fn a_burst_of_5000_files_becomes_few_runs() {
    const N: usize = 5_000;
    let mut watcher = Watcher::start(TestEnv::indexed(), "");
    watcher.until_first_run();
    corpus::numbered(&watcher.env.path("photos/burst"), N);
    watcher.until("all files", |watcher| watcher.sum("added") == N as u64);
    // Each run is preceded by two seconds in which nothing changed, or half a minute.
    let n_runs = watcher.reports().len();
    assert!((2..=20).contains(&n_runs), "{n_runs} runs");
    watcher.stop(Signal::SIGTERM);
}

#[test]
fn a_file_is_read_when_it_is_complete() {
    let env = TestEnv::indexed();
    let mut watcher = Watcher::start(env, "");
    watcher.until_first_run();
    // Large enough to be cut short: the first half cannot be decoded.
    let whole = corpus::one_numbered(77);
    let mut n_complete = 0;
    for attempt in 0..20 {
        let name = format!("photos/slow-{attempt}.png");
        let mut file = fs_err::File::create(watcher.env.path(&name)).unwrap();
        let mut longest_pause = Duration::ZERO;
        let mut last = Instant::now();
        for part in whole.chunks(whole.len().div_ceil(8)) {
            file.write_all(part).unwrap();
            longest_pause = longest_pause.max(last.elapsed());
            last = Instant::now();
            std::thread::sleep(Duration::from_millis(600));
        }
        // The same picture is the same item, so each gets bytes of its own after the end.
        file.write_all(&[attempt]).unwrap();
        longest_pause = longest_pause.max(last.elapsed());
        drop(file);
        watcher.until_current("complete");
        // On a machine that stops for so long, the file stood still.
        if longest_pause < Duration::from_millis(1500) {
            n_complete += 1;
            assert_eq!(watcher.sum("changed"), 0, "{}", watcher.stderr());
            assert!(
                !watcher.stderr().contains("skipped"),
                "{}",
                watcher.stderr()
            );
        }
        if n_complete == 2 {
            break;
        }
        if n_complete == 0 {
            watcher = Watcher::start(TestEnv::indexed(), "");
            watcher.until_first_run();
        }
    }
    assert_eq!(n_complete, 2, "the machine is too slow for this test");
    watcher.stop(Signal::SIGINT);
}

#[test]
fn a_library_folder_that_is_missing_is_waited_for() {
    let env = TestEnv::indexed();
    let [photos, later, aside] = ["photos", "later", "aside"].map(|name| env.path(name));
    corpus::numbered(&later, 2);
    env.succeed(["index", "later"]);
    fs_err::rename(&later, &aside).unwrap();
    let mut watcher = Watcher::start(env, "photos later");
    watcher.until_first_run();
    watcher.until("the missing folder", |watcher| {
        watcher
            .stderr()
            .contains("later is missing: waiting for it")
    });
    fs_err::rename(&aside, &later).unwrap();
    watcher.until("the later folder", |watcher| watcher.reports().len() == 2);
    // As when its disk is unmounted: its items stay.
    fs_err::rename(&later, &aside).unwrap();
    watcher.until("missing again", |watcher| {
        watcher.stderr().matches("later is missing").count() == 2
    });
    corpus::plain(&photos.join("more.png"), "red");
    watcher.until("the other folder", |watcher| watcher.sum("copies") == 1);
    assert_eq!(indexed(&watcher.env.index()).unwrap().len(), 11);
    // An empty folder in its place, as a mount point is.
    fs_err::create_dir(&later).unwrap();
    watcher.until("the mount point", |watcher| {
        watcher.stderr().contains("nothing was removed")
    });
    assert_eq!(indexed(&watcher.env.index()).unwrap().len(), 11);
    fs_err::remove_dir(&later).unwrap();
    fs_err::rename(&aside, &later).unwrap();
    // What changes in it is seen again.
    corpus::plain(&later.join("sub/pink.png"), "pink");
    watcher.until("back", |watcher| watcher.sum("copies") == 2);
    assert_eq!((watcher.sum("added"), watcher.sum("removed")), (0, 0));
    watcher.running.signal(Signal::SIGINT);
    watcher.running.wait().expect(0);
}

#[test]
fn a_missing_folder_that_never_was_a_library_folder_is_refused() {
    let env = TestEnv::indexed();
    let expected = "error: photo: no such folder\n\nhint: check the path; a relative one starts at \
                    the current folder\n";
    for line in [vec!["watch", "photo"], vec!["watch", "photos", "photo"]] {
        assert_eq!(env.fail(line).stderr(), expected);
    }
    // Nor is one below a library folder.
    let ran = env.fail(["watch", "photos/none"]);
    assert!(
        ran.stderr().contains("photos/none: no such folder"),
        "{ran}"
    );
    // Without any index.
    let ran = env.fail(["watch", "photo", "--index", "none"]);
    assert_eq!(ran.stderr(), expected);
}

#[test]
fn another_writer_is_waited_for() {
    let env = TestEnv::indexed();
    let reader = IndexReader::open(&env.index(), None).unwrap();
    let binding = reader.binding().clone();
    let open = |env: &TestEnv| {
        IndexWriter::open_or_create_with(&env.index(), &binding, WriterOptions::default()).unwrap()
    };
    let writer = open(&env);
    let mut watcher = Watcher::start(env, "");
    watcher.until("waiting", |watcher| {
        watcher.stderr().contains("waiting until it is done")
    });
    // Long enough for another attempt.
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(watcher.reports().len(), 0);
    writer.finish().unwrap();
    watcher.until_first_run();
    let stderr = watcher.stderr();
    let expected = format!("is being written by process {}", std::process::id());
    assert_eq!(stderr.matches(&expected).count(), 1, "{stderr}");
    watcher.stop(Signal::SIGINT);
}

/// A file with another name outside of the folder, by which it is changed: no event tells of it, as
/// with a change that another machine makes on a network share.
#[test]
fn a_scan_finds_what_is_not_reported() {
    let env = TestEnv::indexed();
    let [inside, outside] = ["photos/red.png", "outside.png"].map(|name| env.path(name));
    fs_err::hard_link(&inside, &outside).unwrap();
    let mut watcher = Watcher::start(env, "--every 3s");
    watcher.until_first_run();
    let mut png = std::io::Cursor::new(Vec::new());
    let halves = corpus::halves("red", "blue");
    halves.write_to(&mut png, image::ImageFormat::Png).unwrap();
    fs_err::write(&outside, png.into_inner()).unwrap();
    watcher.until("the scan", |watcher| watcher.sum("changed") == 1);
    // Runs that change nothing are not reported to people.
    watcher.until("another scan", |watcher| watcher.reports().len() >= 4);
    let stderr = watcher.stderr();
    assert_eq!(stderr.lines().count(), 3, "{stderr}");
    watcher.stop(Signal::SIGINT);
}

#[test]
fn a_bad_file_is_named_once() {
    let mut watcher = Watcher::start(TestEnv::indexed(), "");
    watcher.until_first_run();
    watcher.env.write("photos/bad.png", "no picture");
    watcher.until("the bad file", |watcher| {
        watcher.stderr().contains("skipped photos/bad.png")
    });
    corpus::numbered(&watcher.env.path("photos/good"), 1);
    watcher.until("the good file", |watcher| watcher.sum("added") == 1);
    let stderr = watcher.stderr();
    assert_eq!(stderr.matches("bad.png").count(), 1, "{stderr}");
    assert!(stderr.contains("1 added (10 picture files)"), "{stderr}");
    watcher.stop(Signal::SIGINT);
}

#[test]
fn what_cannot_be_watched_is_an_error() {
    let env = TestEnv::new();
    let ran = env.fail(["watch"]);
    assert!(ran.stderr().contains("index a folder first"), "{ran}");
    env.write("words.txt", "a caption\n");
    env.succeed(["index", "--captions", "words.txt"]);
    let ran = env.fail(["watch"]);
    assert!(ran.stderr().contains("name the folders to watch"), "{ran}");
    let file = env.write("photos/a.txt", "");
    let ran = env.fail(["watch".as_ref(), file.as_os_str()]);
    assert!(ran.stderr().contains("not a folder"), "{ran}");
    for every in ["0s", "5", "1w"] {
        let ran = env.fail(["watch", "--every", every]);
        assert!(ran.stderr().contains("such as 10m"), "{ran}");
    }
    env.sightline(["serve", "--every", "1h"])
        .run()
        .expect_usage_error();
}

/// The answer to a request for a path.
fn get(url: &str, path: &str) -> String {
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let mut connection = TcpStream::connect(address).unwrap();
    write!(
        connection,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_server_that_watches_answers_from_what_changed() {
    let env = TestEnv::indexed();
    let mut watcher = Watcher::run(env, "serve --watch --port 0");
    let mut url = String::new();
    watcher.until("the address", |watcher| {
        let stderr = watcher.stderr();
        let address = stderr
            .split_whitespace()
            .find(|word| word.starts_with("http://"));
        url = address.unwrap_or_default().to_owned();
        stderr.contains("up to date") && !url.is_empty()
    });
    assert!(!get(&url, "/v1/search?q=").contains("0000.png"));
    corpus::numbered(&watcher.env.path("photos/new"), 1);
    watcher.until("the new picture", |_| {
        get(&url, "/v1/search?q=").contains("0000.png")
    });
    watcher.stop(Signal::SIGINT);
}
