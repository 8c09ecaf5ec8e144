//! `sightline refine` and `search -i`: turns, undo, and the command that has the same hits.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::OnceLock;

use serde_json::Value;

use crate::support::corpus::{self, COLOURS};
use crate::support::{Ran, TestEnv, Typing, file_names, set_mode, wait_until};

const PHOTOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/photos");

/// Index of the sample photos by the built-in model, without captions.
fn sample() -> &'static TestEnv {
    static SAMPLE: OnceLock<TestEnv> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let env = TestEnv::new();
        env.sightline(["index", PHOTOS]).starter().run().expect(0);
        env
    })
}

/// Eight pictures of one colour each in two folders, one with a caption, one with a date, and one
/// whose name is not UTF-8.
fn colours() -> TestEnv {
    let env = TestEnv::new();
    for (number, (name, _)) in COLOURS.iter().enumerate() {
        let folder = ["warm", "the cold's"][number % 2];
        corpus::plain(&env.path(format!("photos/{folder}/IMG_{number}.png")), name);
    }
    let details = corpus::jpeg_with_details(&corpus::halves("red", "black"));
    env.write("photos/camera.jpg", details);
    env.write("photos/warm/IMG_0.txt", "a red engine in the old town\n");
    let odd = OsStr::from_bytes(b"caf\xe9 $HOME.png");
    corpus::save(
        &env.path("photos").join(odd),
        &corpus::halves("blue", "cyan"),
    );
    env.index_photos();
    env
}

/// Answers of the turns that were shown, and the command below each.
fn turns(ran: &Ran) -> Vec<(Value, String)> {
    let answers = ran
        .stdout()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let commands = ran
        .stderr()
        .lines()
        .filter(|line| line.starts_with("sightline search "));
    let turns: Vec<_> = answers.zip(commands.map(str::to_owned)).collect();
    assert_eq!(turns.len(), ran.stdout().lines().count(), "{ran}");
    turns
}

/// Names of the files that were found.
fn names(answer: &Value) -> Vec<String> {
    crate::support::hits(answer)
        .into_iter()
        .map(|hit| hit.0)
        .collect()
}

/// The shown command, run in a shell, finds the same, with the same similarities.
#[track_caller]
fn assert_repeated(env: &TestEnv, (answer, command): &(Value, String), starter: bool) {
    let line = command.replacen("sightline search", "sightline search --json", 1);
    let ran = env.shell(&line);
    let ran = if starter { ran.starter() } else { ran };
    let again = ran.run();
    let hits = again.json()["hits"].as_array().unwrap().clone();
    let expected = answer["hits"].as_array().unwrap();
    // After `next`, those before were shown already.
    let n_before = expected
        .first()
        .map_or(0, |hit| hit["rank"].as_u64().unwrap() - 1);
    let n_before = usize::try_from(n_before).unwrap();
    let hits = &hits[n_before..];
    assert_eq!(hits.len(), expected.len(), "{command}");
    for (hit, expected) in hits.iter().zip(expected) {
        // The built-in model rounds otherwise where it runs once only.
        let mut same = hit.clone();
        for key in ["similarity", "confidence"] {
            let (value, expected) = (hit[key].as_f64(), expected[key].as_f64());
            assert_eq!(value.is_some(), expected.is_some(), "{command}");
            let apart = value.zip(expected).map_or(0.0, |(a, b)| (a - b).abs());
            assert!(apart < 1e-5, "{command}: {hit}");
            same[key] = Value::from(expected);
        }
        assert_eq!(&same, expected, "{command}");
    }
}

#[test]
fn each_turn_shows_a_command_with_the_same_hits() {
    let env = colours();
    let typed = "\
        more like 3\n\
        +3 -2\n\
        but green\n\
        only in \"the cold's\"\n\
        undo\n\
        no blue\n\
        only type:png\n\
        -engine\n\
        -type:jpg\n\
        next\n\
        \"fire engine\" red's 12:30 -\"in the town\" date:2023\n\
        undo\n\
        search a $HOME `x` \\ 'quoted'\n\
        + IMG_0.png\n\
        and 2:red\n\
        less like 1\n\
        only 2023\n\
        -engine\n\
        more like 1\n\
        only \"red engine\"\n";
    // Every hit is liked once, whatever its name.
    let each = (1..=10).map(|n| format!("more like {n}\nundo\n"));
    let all = each.collect::<Vec<String>>().concat();
    let rows: [(&[&str], &str); 6] = [
        (&["red", "-k", "4"], typed),
        (
            &[
                "--image",
                "photos/camera.jpg",
                "--plus",
                "red",
                "--minus",
                "0.3:blue",
            ],
            typed,
        ),
        (&["--plus", "2:red", "--in", "photos/warm"], typed),
        (&["red without green after:2020", "--by", "meaning"], typed),
        (&["--literal", "red -blue", "--phrase", "old town"], typed),
        (&["red"], &all),
    ];
    let mut commands = BTreeSet::new();
    for (arguments, typed) in rows {
        let ran = env
            .sightline(["refine", "--json"])
            .args(arguments)
            .typed(typed)
            .run();
        for turn in turns(&ran) {
            if commands.insert(turn.1.clone()) {
                assert_repeated(&env, &turn, false);
            }
        }
    }
    assert!(commands.len() >= 60, "only {} commands", commands.len());
}

#[test]
fn more_like_a_hit_moves_its_neighbours_up() {
    let env = sample();
    let mut n_asked = 0;
    for text in ["a dog", "a building", "food on a table", "water"] {
        let typed = "more like 3\nundo\nless like 3\nreset\n";
        let ran = env
            .sightline(["refine", text, "--json", "-k", "100"])
            .typed(typed);
        let ran = ran.starter().run().expect(0);
        let turns = turns(&ran);
        assert_eq!(turns.len(), 5, "{ran}");
        let lists: Vec<Vec<String>> = turns.iter().map(|turn| names(&turn.0)).collect();
        let [asked, liked, undone, disliked, reset] = &lists[..] else {
            panic!("{ran}");
        };
        assert_eq!(turns[0].0["hits"], turns[2].0["hits"]);
        assert_eq!((undone, reset), (asked, asked));
        let third = turns[0].0["hits"][2]["path"].as_str().unwrap();
        let near = env
            .sightline(["similar", third, "-k", "5", "--json"])
            .starter()
            .run();
        let near = names(&near.expect(0).json());
        let mean_rank = |list: &[String]| {
            let ranks = near
                .iter()
                .map(|name| list.iter().position(|other| other == name));
            ranks.map(Option::unwrap).sum::<usize>() as f64 / near.len() as f64
        };
        assert!(mean_rank(liked) < mean_rank(asked), "{text}: {near:?}");
        assert!(mean_rank(disliked) > mean_rank(asked), "{text}: {near:?}");
        for turn in &turns {
            assert_repeated(env, turn, true);
        }
        n_asked += 1;
    }
    assert_eq!(n_asked, 4);
}

/// Types a line, and returns the paths and the command that follow.
#[track_caller]
fn turn(terminal: &mut Typing, line: &str) -> (Vec<String>, String) {
    terminal.press(&format!("{line}\r"));
    shown(terminal)
}

#[track_caller]
fn shown(terminal: &mut Typing) -> (Vec<String>, String) {
    let before = terminal.wait_for("\nsightline search ");
    let paths = before.lines().filter(|line| line.starts_with('/'));
    let paths = paths.map(str::to_owned).collect();
    let command = format!("sightline search {}", terminal.wait_for("\n").trim_end());
    (paths, command)
}

#[test]
fn a_search_is_refined_on_a_terminal() {
    let env = sample();
    let ran = env.sightline(["search", "-i", "a dog", "-k", "8", "--paths"]);
    let mut terminal = ran.starter().type_on_terminal();
    let asked = shown(&mut terminal);
    assert_eq!(asked.0.len(), 8);
    terminal.wait_for("refine> ");
    let liked = turn(&mut terminal, "more like 3");
    assert_ne!(liked.0, asked.0);
    assert!(liked.1.contains(" --like 2:"), "{}", liked.1);
    let night = turn(&mut terminal, "but at night");
    assert!(night.1.contains(" --plus '1:at night'"), "{}", night.1);
    for (paths, command) in [&asked, &liked, &night] {
        let again = command.replacen("search", "search --paths", 1);
        let ran = env.shell(&again).starter().run();
        assert_eq!(
            &ran.stdout().lines().collect::<Vec<_>>(),
            paths,
            "{command}"
        );
    }
    assert_eq!(turn(&mut terminal, "undo"), liked);
    assert_eq!(turn(&mut terminal, "undo"), asked);
    assert_eq!(turn(&mut terminal, "redo 2"), night);
    // Nothing is found, and that can be undone.
    terminal.press("only 1999\r");
    let nothing = terminal.wait_for("`undo` goes back");
    assert!(nothing.contains("\nno picture found\n"), "{nothing}");
    assert!(shown(&mut terminal).0.is_empty());
    assert_eq!(turn(&mut terminal, "undo"), night);
    let rows = [
        (
            "udno",
            "error: unknown command `udno`: did you mean `undo`?",
        ),
        ("more like 99", "error: no hit 99: there are 8"),
        ("undo 9", "error: cannot undo 9 turns: there are 2"),
        (
            "only in nowhere",
            "error: nowhere: no such folder in the index",
        ),
        ("help", "more like 3, +3"),
    ];
    for (line, expected) in rows {
        terminal.press(&format!("{line}\r"));
        terminal.wait_for(&format!("\n{expected}"));
    }
    assert_eq!(rows.len(), 5);
    // Ctrl-C gives a line up, the arrow keys bring others back.
    terminal.press("a sentence that is not sea");
    terminal.wait_for("not sea");
    terminal.press("\u{3}");
    terminal.wait_for("\nrefine> ");
    assert_eq!(turn(&mut terminal, "undo"), liked);
    assert_eq!(turn(&mut terminal, "redo"), night);
    terminal.press("\u{1b}[A\u{1b}[A\r");
    assert_eq!(shown(&mut terminal), liked);
    // What is typed ahead and what is pasted is not lost.
    terminal.press("redo\rundo\r\u{1b}[200~redo\nundo\n\u{1b}[201~\r");
    for expected in [&night, &liked, &night, &liked] {
        assert_eq!(&shown(&mut terminal), expected);
    }
    terminal.press("\u{4}");
    assert_eq!(terminal.end(), Some(0));
}

#[test]
fn a_session_without_a_query_begins_with_the_first_line() {
    let env = TestEnv::indexed();
    let mut terminal = env.sightline(["refine", "--paths"]).type_on_terminal();
    terminal.wait_for("type what to look for");
    terminal.press("more like 1\r");
    terminal.wait_for("error: nothing was searched for yet");
    assert_eq!(turn(&mut terminal, "red").0.len(), 8);
    terminal.press("quit\r");
    assert_eq!(terminal.end(), Some(0));
    // So does one whose lines are read from a pipe; what is typed there may be a filter.
    for arguments in [&["refine"][..], &["search", "-i"]] {
        let ran = env
            .sightline(arguments)
            .args(["--paths"])
            .typed("type:png\n\n  \nquit\nred\n");
        let ran = ran.run().expect(0);
        assert_eq!(ran.stdout().lines().count(), 8);
        assert!(
            ran.stderr().contains("\nsightline search --type png"),
            "{ran}"
        );
    }
    let empty = env.sightline(["refine"]).typed("").run().expect(0);
    assert_eq!(empty.stdout(), "");
}

#[test]
fn hits_are_opened_copied_explained_and_continued() {
    let env = TestEnv::indexed();
    let viewer = env.write(
        "bin/xdg-open",
        "#!/bin/sh\necho \"$1\" >> \"$HOME/opened\"\n",
    );
    set_mode(&viewer, 0o755);
    let run = |typed: &str| -> Ran {
        let ran = env.sightline(["search", "-i", "red", "--by", "meaning", "-k", "3"]);
        ran.typed(typed).env("PATH", env.path("bin")).run()
    };
    let lines = |ran: &Ran| -> Vec<String> {
        let ranked = ran.stdout().lines().filter(|line| line.contains(".png"));
        ranked
            .map(|line| line.split_whitespace().next().unwrap().to_owned())
            .collect()
    };
    let ran = run("next\nnext\nnext\nshow 2\nmore like 1\n").expect(0);
    let pages = "1 2 3 4 5 6 7 8 1 2 1 2 3";
    assert_eq!(lines(&ran).join(" "), pages, "{ran}");
    assert!(ran.stderr().contains("these are all hits"), "{ran}");
    assert!(ran.stderr().contains(" -k 9"), "{ran}");
    let ran = run("why 2\nwhy\n").expect(0);
    assert_eq!(lines(&ran).join(" "), "1 2 3 2 1 2 3", "{ran}");
    assert_eq!(ran.stdout().matches("cosine ").count(), 4, "{ran}");
    let ran = run("copy cats\ncopy 2 and 3 to ~/some\n").expect(0);
    assert!(
        ran.stderr().contains("copied 3 pictures to cats\n"),
        "{ran}"
    );
    assert_eq!(file_names(&env.path("cats")).len(), 3);
    assert_eq!(file_names(&env.path("home/some")).len(), 2);
    let ran = run("open 1 and 3\n").expect(0);
    let read = || fs_err::read_to_string(env.path("home/opened")).unwrap_or_default();
    wait_until("a viewer", || read().lines().count() == 2);
    assert!(read().contains("red.png"), "{ran}");
    let broken = env.write("bin/xdg-open", "#!/bin/sh\nexit 3\n");
    set_mode(&broken, 0o755);
    let ran = run("open 1\n").expect(2);
    let refused = "red.png: cannot be opened in a viewer: the program that opens pictures failed";
    assert!(ran.stderr().contains(refused), "{ran}");
    assert!(!ran.stderr().contains("xdg-open"), "{ran}");
    let ran = run("green\nred.png\n").expect(0);
    assert!(
        ran.stderr().contains("new query: green (`undo` goes back)"),
        "{ran}"
    );
}

#[test]
fn refused_lines_are_named_and_make_the_exit_status_2() {
    let env = TestEnv::indexed();
    let run = |typed: &str| {
        env.sightline(["refine", "red", "--json"])
            .typed(typed)
            .run()
    };
    let rows = [
        ("more like 9", "error: no hit 9: there are 8"),
        (
            "more like",
            "error: `more like`: expected the number of a hit",
        ),
        ("3", "error: `3`: expected a command"),
        ("only dogs", "error: `only dogs`: expected a date"),
        ("undo", "error: nothing to undo"),
        ("redo", "error: nothing to redo"),
        ("undo 0", "error: `undo 0`: expected a number from 1"),
        ("show 0", "error: `show 0`: expected a number from 1"),
        ("but", "error: `but`: expected what to add"),
        ("more like 7-9", "error: no hit 9: there are 8"),
        ("copy", "error: `copy`: expected a folder"),
    ];
    assert_eq!(rows.len(), 11);
    for (line, expected) in rows {
        let ran = run(&format!("{line}\nmore like 1\n")).expect(2);
        assert!(ran.stderr().contains(expected), "{ran}");
        // The session goes on, from where it was.
        assert_eq!(ran.stdout().lines().count(), 2, "{ran}");
    }
    // A picture cannot be searched by words, nor come through the stdin of the commands.
    let ran = env
        .sightline(["refine", "red", "--by", "words"])
        .typed("more like 1\n");
    let ran = ran.run().expect(2);
    assert!(
        ran.stderr()
            .contains("a picture cannot be searched by words alone"),
        "{ran}"
    );
    // The command below the hits takes no more.
    env.write("lines.txt", "show 30000\nshow 10000\n");
    let ran = env.sightline(["refine", "red"]);
    let ran = ran.stdin(&env.path("lines.txt")).run().expect(2);
    assert!(
        ran.stderr()
            .contains("error: a list has at most 10,000 hits"),
        "{ran}"
    );
    assert!(ran.stderr().contains("search red -k 10000 "), "{ran}");
    for option in ["--image", "--plus", "--minus"] {
        let ran = env
            .sightline(["refine", "red", option, "-"])
            .run()
            .expect(2);
        assert!(ran.stderr().contains("stdin holds the commands"), "{ran}");
    }
    for wrong in [
        "--html=a.html",
        "--csv",
        "--open",
        "--copy-to=a",
        "--link-to=a",
        "--find=images",
    ] {
        env.sightline(["search", "-i", "red", wrong])
            .run()
            .expect_usage_error();
        env.sightline(["refine", "red", wrong])
            .run()
            .expect_usage_error();
    }
    for (option, value) in [("--like", "0:a.png"), ("--unlike", "2:")] {
        let ran = env
            .sightline(["search", "red", option, value])
            .run()
            .expect(2);
        assert!(ran.stderr().contains("expected a weight above 0"), "{ran}");
    }
}
