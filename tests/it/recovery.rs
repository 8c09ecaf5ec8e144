//! Killed and interrupted runs: nothing committed is lost, and the next run resumes.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use sightline_index::{
    GraphState, IndexReader, IndexWriter, ItemKind, Nearest, Problem, UnitVector, WriterOptions,
};

use crate::support::numbers::Numbers;
use crate::support::{Content, Running, TestCommand, TestEnv, content, corpus, hits, wait_until};

/// Number of pictures; a run commits every thousand.
const N_PICTURES: usize = 3_500;
/// Number of runs to kill.
const N_KILLS: usize = 12;
/// Minimum number of kills that leave a partial index.
const N_PARTIAL: usize = 3;
const SEED: u64 = 0x5165_6874;

/// Thousands of pictures, with captions for every tenth.
fn numbered_pictures() -> TestEnv {
    let env = TestEnv::new();
    corpus::numbered_with_captions(&env.path("photos"), N_PICTURES, &["of tens"]);
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

/// Asserts that everything in `before` is still in `now`.
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

/// Hits of a few queries, chosen so that no two have equal similarity: the order in which the
/// pictures were encoded decides between those.
fn answers(env: &TestEnv, index: &str) -> Vec<Vec<(String, f64)>> {
    let queries: [&[&str]; 5] = [
        &["search", "red", "--by", "meaning", "-k", "5"],
        &["search", "a pink thing", "--by", "meaning", "-k", "5"],
        &["search", "--image", "photos/0777.png", "-k", "5"],
        &["search", "1230", "--by", "words"],
        &["search", "1111", "--by", "words"],
    ];
    let answer = |query: &&[&str]| {
        let ran = env
            .sightline(*query)
            .args(["--json", "--index", index])
            .run();
        let hits = hits(&ran.expect(0).json());
        hits.into_iter()
            .map(|(name, similarity)| (name, if similarity.is_nan() { 0.0 } else { similarity }))
            .collect()
    };
    queries.iter().map(answer).collect()
}

/// Asserts that all problems are in derived data, which the next writer rebuilds.
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
fn killed_runs_lose_nothing_that_was_committed() {
    let env = numbered_pictures();
    let began = Instant::now();
    let clean_report = index_into(&env, "clean").run().expect(0).json();
    let time_of_a_run = began.elapsed();
    assert_eq!(clean_report["added"], N_PICTURES);
    let clean = content(&env.path("clean"));
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
        let now = content(&env.path(&index));
        assert_nothing_lost(&before, &now, &when);
        assert_nothing_lost(&now, &clean, &when);
        if !now.is_empty() {
            assert_records_sound(&env, &index, &when);
        }
        // Everything committed is found by words, whatever the state of the word index.
        if let Some(path) = now.keys().nth(now.len() / 2) {
            let name = path.file_stem().unwrap().to_str().unwrap();
            let found = [
                "search", name, "--by", "words", "--index", &index, "--paths",
            ];
            let ran = env.succeed(found);
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

    // The last run completes, and encodes only the rest.
    let n_there = before.len();
    let report = index_into(&env, &index).run().expect(0).json();
    assert_eq!(
        (&report["unchanged"], &report["added"]),
        (&n_there.into(), &(N_PICTURES - n_there).into())
    );
    assert_eq!(content(&env.path(&index)), clean);
    assert_sound(&env, &index);
    assert_eq!(answers(&env, &index), answers(&env, "clean"));
    let nothing_left = index_into(&env, &index).run().expect(0).json();
    assert_eq!(nothing_left["unchanged"], N_PICTURES);
    assert_eq!(nothing_left["captions_added"], 0);
}

/// Starts a run and waits until it has created the index.
fn start_run(env: &TestEnv) -> Running {
    let running = index_into(env, "index").spawn();
    wait_until("the run has begun", || env.index().exists());
    running
}

#[test]
fn an_interrupted_run_keeps_what_it_reports() {
    let env = numbered_pictures();
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let running = start_run(&env);
        running.signal(signal);
        let ran = running.wait().expect(130);
        let report = ran.json();
        assert_eq!(report["interrupted"], true);
        let last = ran.stderr().lines().last().unwrap_or_default();
        assert_eq!(
            last,
            "interrupted; finished work is kept. Run the same command again to resume."
        );

        // Everything reported is in the index, and the next run adds the rest.
        let n_done = report["added"].as_u64().unwrap();
        assert!(n_done < N_PICTURES as u64, "it was interrupted too late");
        assert_eq!(content(&env.path("index")).len() as u64, n_done);
        assert_sound(&env, "index");
        let rest = index_into(&env, "index").run().expect(0).json();
        assert_eq!(
            (&rest["interrupted"], &rest["unchanged"]),
            (&false.into(), &n_done.into())
        );
        assert_eq!(rest["added"], N_PICTURES as u64 - n_done);
        assert_eq!(content(&env.path("index")).len(), N_PICTURES);
        assert_sound(&env, "index");
        fs_err::remove_dir_all(env.index()).unwrap();
    }
}

/// Captions whose graph takes seconds to build.
const N_CAPTIONS: u32 = 80_000;

/// A unit vector, evenly far from those of other numbers: a point of a spiral around a sphere.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the numbers of a vector are f32"
)]
fn on_a_sphere(dimension: usize, number: u32) -> UnitVector {
    let height = 2.0 * (f64::from(number) + 0.5) / f64::from(N_CAPTIONS) - 1.0;
    let radius = (1.0 - height * height).sqrt();
    let angle = f64::from(number) * std::f64::consts::PI * (3.0 - 5.0_f64.sqrt());
    let mut values = vec![0.0; dimension];
    values[0] = (radius * angle.cos()) as f32;
    values[1] = (radius * angle.sin()) as f32;
    values[2] = height as f32;
    UnitVector::new(values).unwrap()
}

#[test]
fn ctrl_c_ends_the_building_of_a_graph_and_the_next_run_builds_it() {
    let env = TestEnv::indexed();
    let dir = env.index();
    let binding = sightline_index::binding(&dir).unwrap().unwrap();
    let vector = |number| on_a_sphere(binding.dimension, number);
    let mut options = WriterOptions::default();
    options.min_graph_items = usize::MAX;
    let mut writer = IndexWriter::open_or_create_with(&dir, &binding, options).unwrap();
    let captions = (0..N_CAPTIONS).map(|number| (format!("caption {number}"), vector(number)));
    let captions = captions.collect();
    writer
        .set_captions(None, &env.path("list.txt"), captions)
        .unwrap();
    let generation = writer.finish().unwrap();
    let open = || IndexReader::open(&dir, None).unwrap();
    let index = || env.sightline(["index", "photos", "--json"]);

    let running = index().spawn();
    // One commit after the pictures, one after the captions; then graphs are built.
    wait_until("the run has committed", || {
        open().generation().0 >= generation.0 + 2
    });
    running.signal(Signal::SIGINT);
    let ran = running.wait().expect(130);
    let report = ran.json();
    assert_eq!(
        (&report["interrupted"], &report["unchanged"]),
        (&true.into(), &8.into())
    );
    let last = ran.stderr().lines().last().unwrap_or_default();
    assert_eq!(
        last,
        "interrupted; finished work is kept. Run the same command again to resume."
    );
    let found = |reader: &IndexReader| {
        let counts = reader.counts();
        assert_eq!(
            (counts.n_images, counts.n_captions),
            (8, u64::from(N_CAPTIONS))
        );
        for number in (0..N_CAPTIONS).step_by(10_007) {
            let near = reader.nearest(ItemKind::Caption, &vector(number), 1, &Nearest::default());
            let item = reader.item(near.unwrap()[0].id).unwrap();
            let text = format!("caption {number}");
            assert!(format!("{item:?}").contains(&text), "{item:?} for {text}");
            let words = reader.matching(ItemKind::Caption, &text, 1).unwrap();
            assert_eq!(words.len(), 1, "{text}");
        }
        counts.caption_graph
    };
    let graph = found(&open());
    assert!(!matches!(graph, GraphState::Ready { .. }), "{graph:?}");

    let rest = index().run().expect(0).json();
    assert_eq!(
        (&rest["interrupted"], &rest["unchanged"]),
        (&false.into(), &8.into())
    );
    let ready = GraphState::Ready {
        n_items: u64::from(N_CAPTIONS),
        n_fresh: 0,
    };
    assert_eq!(found(&open()), ready);
    env.succeed(["check"]);
}

#[test]
fn a_second_ctrl_c_quits_at_once() {
    let env = TestEnv::new();
    corpus::numbered(&env.path("photos"), 400);
    let index = || env.sightline(["index", "photos", "--json"]).starter();
    // The time until the single large batch is being encoded is unknown; interrupted before, the
    // run ends normally.
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
        // The first Ctrl-C was acknowledged; the run neither waited nor reported.
        assert_eq!(
            (ran.stderr(), ran.stdout()),
            (
                "finishing the work in progress; press Ctrl-C again to quit at once\n",
                ""
            )
        );
        let report = index().run().expect(0).json();
        let n = |key: &str| report[key].as_u64().unwrap();
        assert_eq!(n("added") + n("unchanged"), 400);
        assert_sound(&env, "index");
        return;
    }
    panic!("no batch took long enough in {n_tries} attempts");
}

#[test]
fn an_index_can_be_searched_while_its_writer_is_paused_and_after_it_was_killed() {
    let env = numbered_pictures();
    corpus::plain(&env.path("first/red.png"), "red");
    env.succeed(["index", "first"]);
    let running = index_into(&env, "index").spawn();
    // Paused anywhere, the writer holds its lock or has not started.
    std::thread::sleep(Duration::from_millis(300));
    running.signal(Signal::SIGSTOP);
    assert_eq!(
        env.found(["red", "-k1", "--by", "meaning"]),
        ["first/red.png"]
    );
    running.signal(Signal::SIGKILL);
    running.wait();
    // The lock of a dead writer is free.
    let report = index_into(&env, "index").run().expect(0).json();
    assert_eq!(report["seen"], N_PICTURES);
    assert_sound(&env, "index");
}
