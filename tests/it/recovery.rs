//! Killed and stopped runs: nothing committed is lost, the next run goes on.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use sightline_index::{IndexError, IndexReader, Item, Problem};

use crate::support::numbers::Numbers;
use crate::support::{TestCommand, TestEnv, corpus, hits};

/// Pictures: enough for several commits, which come every thousand.
const N_PICTURES: usize = 3_500;
/// Runs that are killed.
const N_KILLS: usize = 12;
/// Of those, so many at least must have left an index that was begun and not finished, for the
/// test to have tested something.
const N_PARTIAL: usize = 3;
const SEED: u64 = 0x5165_6874;

/// Thousands of pictures, and captions for every tenth.
fn world() -> TestEnv {
    let env = TestEnv::new();
    corpus::numbered(&env.path("photos"), N_PICTURES);
    let lines: Vec<String> = (0..N_PICTURES)
        .step_by(10)
        .map(|number| {
            let name = format!("{number:04}.png");
            format!("{{\"image\": \"{name}\", \"captions\": [\"number {number}\", \"of tens\"]}}\n")
        })
        .collect();
    env.write("photos/captions.jsonl", lines.concat());
    env
}

fn index_into(env: &TestEnv, index: &str) -> TestCommand {
    let command = [
        "index",
        "photos",
        "--captions",
        "photos/captions.jsonl",
        "--json",
        "--index",
    ];
    env.sightline(command).args([index])
}

/// Everything that a commit has made last: per picture its vector, its captions with theirs.
type Content = BTreeMap<PathBuf, (Vec<f32>, Vec<String>)>;

/// What a reader sees. An index that does not exist yet holds nothing.
fn content(env: &TestEnv, index: &str) -> Content {
    let reader = match IndexReader::open(&env.path(index), None) {
        Ok(reader) => reader,
        Err(IndexError::NoIndex { .. }) => return Content::new(),
        Err(error) => panic!("{index}: {error}"),
    };
    let mut content = Content::new();
    for number in 0..N_PICTURES {
        let path = env.path(format!("photos/{number:04}.png"));
        let Some(record) = reader.file(&path).unwrap() else {
            continue;
        };
        let Some(Item::Image(image)) = reader.item(record.image).unwrap() else {
            panic!("{} has no picture", path.display())
        };
        assert_eq!(image.paths, std::slice::from_ref(&path));
        let vector = reader
            .vector(record.image)
            .unwrap()
            .expect("a vector")
            .as_slice()
            .to_vec();
        let captions = reader.captions_of(record.image).unwrap();
        let captions = captions.into_iter().map(|caption| caption.text).collect();
        content.insert(path, (vector, captions));
    }
    assert_eq!(reader.counts().n_files, content.len() as u64);
    content
}

/// Fails when something that was there before is not there now.
fn assert_nothing_lost(before: &Content, now: &Content, when: &str) {
    for (path, (vector, captions)) in before {
        let kept = now
            .get(path)
            .unwrap_or_else(|| panic!("{when}: {} is lost", path.display()));
        assert_eq!(
            &kept.0,
            vector,
            "{when}: another vector for {}",
            path.display()
        );
        let lost = captions.iter().find(|caption| !kept.1.contains(caption));
        assert_eq!(
            lost,
            None,
            "{when}: a caption of {} is lost",
            path.display()
        );
    }
}

/// Answers of the program to a few questions, with nothing in them that depends on the order in
/// which the pictures were encoded: that order decides between equals.
fn answers(env: &TestEnv, index: &str) -> Vec<Vec<(String, f64)>> {
    let questions: [&[&str]; 5] = [
        &["search", "red", "--by", "meaning", "-k", "5"],
        &["search", "a pink thing", "--by", "meaning", "-k", "5"],
        &["search", "--image", "photos/0777.png", "-k", "5"],
        &["search", "1230", "--by", "words"],
        &["search", "1111", "--by", "words"],
    ];
    let answer = |question: &&[&str]| {
        let ran = env
            .sightline(*question)
            .args(["--json", "--index", index])
            .run();
        let hits = hits(&ran.expect(0).json());
        hits.into_iter()
            .map(|(name, similarity)| (name, if similarity.is_nan() { 0.0 } else { similarity }))
            .collect()
    };
    questions.iter().map(answer).collect()
}

/// Nothing is wrong but what every writer makes anew from the records when it opens the index.
fn assert_records_sound(env: &TestEnv, index: &str, when: &str) {
    let problems = sightline_index::check(&env.path(index)).unwrap();
    let derived =
        |problem: &Problem| matches!(problem, Problem::Words { .. } | Problem::Graph { .. });
    let wrong: Vec<_> = problems
        .into_iter()
        .filter(|problem| !derived(problem))
        .collect();
    assert!(wrong.is_empty(), "{when}: {wrong:?}");
}

fn assert_sound(env: &TestEnv, index: &str) {
    let problems = sightline_index::check(&env.path(index)).unwrap();
    assert!(problems.is_empty(), "{index}: {problems:?}");
}

#[test]
fn killed_again_and_again() {
    let env = world();
    let began = Instant::now();
    let clean_report = index_into(&env, "clean").run().expect(0).json();
    let time_of_a_run = began.elapsed();
    assert_eq!(clean_report["added"], N_PICTURES);
    let clean = content(&env, "clean");
    assert_eq!(clean.len(), N_PICTURES);

    let mut numbers = Numbers(SEED);
    let (mut n_kills, mut n_partial, mut n_tries, mut n_indexes) = (0, 0, 0, 0);
    let mut index = String::new();
    let mut before = Content::new();
    let mut ended = true;
    while n_kills < N_KILLS {
        n_tries += 1;
        assert!(
            n_tries <= 10 * N_KILLS,
            "runs end before they can be killed"
        );
        if ended {
            n_indexes += 1;
            (index, before) = (format!("killed-{n_indexes}"), Content::new());
        }
        let when = format!("seed {SEED:#x}, try {n_tries}, {index}");
        let mut running = index_into(&env, &index).spawn();
        let moment = time_of_a_run.mul_f64(1.1 * numbers.share());
        std::thread::sleep(moment);
        ended = running.has_ended();
        if !ended {
            running.signal(Signal::SIGKILL);
        }
        let ran = running.wait();
        ended = ran.signal() != Some(Signal::SIGKILL as i32);
        if ended {
            ran.expect(0);
        } else {
            n_kills += 1;
        }
        let now = content(&env, &index);
        assert_nothing_lost(&before, &now, &when);
        assert_nothing_lost(&now, &clean, &when);
        if !now.is_empty() {
            assert_records_sound(&env, &index, &when);
        }
        // Readers find by words all that was committed, whatever state the word index is in.
        if let Some(path) = now.keys().nth(now.len() / 2) {
            let name = path.file_stem().unwrap().to_str().unwrap();
            let found = [
                "search", name, "--by", "words", "--index", &index, "--paths",
            ];
            let ran = env.sightline(found).run().expect(0);
            assert!(
                ran.stdout().contains(path.to_str().unwrap()),
                "{when}: {ran}"
            );
        }
        if ended {
            assert_eq!(now, clean, "{when}");
        } else if !now.is_empty() && now != clean {
            n_partial += 1;
        }
        before = now;
    }
    assert!(
        n_partial >= N_PARTIAL,
        "only {n_partial} of {n_kills} kills left a partial index"
    );

    // The last one is brought to its end, and does only what was left.
    let n_there = before.len();
    let report = index_into(&env, &index).run().expect(0).json();
    assert_eq!(
        (&report["unchanged"], &report["added"]),
        (&n_there.into(), &(N_PICTURES - n_there).into())
    );
    assert_eq!(content(&env, &index), clean);
    assert_sound(&env, &index);
    assert_eq!(answers(&env, &index), answers(&env, "clean"));
    let nothing_left = index_into(&env, &index).run().expect(0).json();
    assert_eq!(nothing_left["unchanged"], N_PICTURES);
    assert_eq!(nothing_left["captions_added"], 0);
}

/// Starts a run and waits until it is under way.
fn under_way(env: &TestEnv) -> crate::support::Running {
    let running = index_into(env, "index").spawn();
    let began = Instant::now();
    while !env.index().exists() {
        assert!(
            began.elapsed() < Duration::from_mins(1),
            "the run does not begin"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    running
}

#[test]
fn stopped_by_ctrl_c_or_by_the_system() {
    let env = world();
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let running = under_way(&env);
        running.signal(signal);
        let ran = running.wait().expect(130);
        let report = ran.json();
        assert_eq!(report["interrupted"], true);
        let last = ran.stderr().lines().last().unwrap_or_default();
        assert_eq!(
            last,
            "stopped; what is finished is kept. Run the same command to go on."
        );

        // What it says it did is there, and the next run does the rest.
        let n_done = report["added"].as_u64().unwrap();
        assert!(
            n_done < N_PICTURES as u64,
            "it was stopped too late to test anything"
        );
        assert_eq!(content(&env, "index").len() as u64, n_done);
        assert_sound(&env, "index");
        let rest = index_into(&env, "index").run().expect(0).json();
        assert_eq!(
            (&rest["interrupted"], &rest["unchanged"]),
            (&false.into(), &n_done.into())
        );
        assert_eq!(rest["added"], N_PICTURES as u64 - n_done);
        assert_eq!(content(&env, "index").len(), N_PICTURES);
        assert_sound(&env, "index");
        fs_err::remove_dir_all(env.index()).unwrap();
    }
}

/// The first Ctrl-C waits for the batch that is under way, the second does not.
#[test]
fn a_second_ctrl_c_quits_at_once() {
    let env = TestEnv::new();
    corpus::numbered(&env.path("photos"), 400);
    let index = || env.sightline(["index", "photos", "--json"]).starter();
    // How long it takes until the one large batch is being encoded is not known; whoever asks too
    // early is answered by an end in good order.
    let mut n_tries = 0;
    for tenths in [10, 20, 40, 80, 160, 320] {
        n_tries += 1;
        let mut running = index().args(["--batch", "400", "--no-split"]).spawn();
        std::thread::sleep(Duration::from_millis(100 * tenths));
        running.signal(Signal::SIGINT);
        std::thread::sleep(Duration::from_millis(300));
        if running.has_ended() {
            running.wait().expect(130);
            continue;
        }
        running.signal(Signal::SIGINT);
        let ran = running.wait().expect(130);
        // It has said that it heard the first, and neither waited nor reported.
        assert_eq!(
            (ran.stderr(), ran.stdout()),
            (
                "stopping after what is under way; Ctrl-C again quits at once\n",
                ""
            )
        );
        let report = index().run().expect(0).json();
        let n = |key: &str| report[key].as_u64().unwrap();
        assert_eq!(n("added") + n("unchanged"), 400);
        assert_sound(&env, "index");
        return;
    }
    panic!("no batch took long enough in {n_tries} tries");
}

/// Whether the writer holds the gate of the index.
fn moves_records(env: &TestEnv) -> bool {
    // The stop takes effect a moment after the signal was sent.
    std::thread::sleep(Duration::from_millis(5));
    let gate = fs_err::File::open(env.index().join("gate")).unwrap();
    gate.into_file().try_lock_shared().is_err()
}

#[test]
fn a_search_while_a_run_is_under_way_and_after_it_was_paused_and_killed() {
    let env = world();
    corpus::plain(&env.path("first/red.png"), "red");
    env.sightline(["index", "first"]).run().expect(0);
    let running = index_into(&env, "index").spawn();
    // Wherever it is stopped, it holds the lock or has not begun.
    std::thread::sleep(Duration::from_millis(300));
    running.signal(Signal::SIGSTOP);
    // Only not while it moves the records, which takes a moment that readers wait for: whoever
    // sleeps there keeps them out.
    let mut n_moments = 0;
    while moves_records(&env) {
        n_moments += 1;
        assert!(n_moments < 1000, "it never ends moving the records");
        running.signal(Signal::SIGCONT);
        std::thread::sleep(Duration::from_millis(7));
        running.signal(Signal::SIGSTOP);
    }
    assert_eq!(
        env.found(["red", "-k1", "--by", "meaning"]),
        ["first/red.png"]
    );
    running.signal(Signal::SIGKILL);
    running.wait();
    // A dead writer's lock binds nobody.
    let report = index_into(&env, "index").run().expect(0).json();
    assert_eq!(report["seen"], N_PICTURES);
    assert_sound(&env, "index");
}
