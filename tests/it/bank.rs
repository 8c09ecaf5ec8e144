//! `sightline tag`, and phrases of the built-in bank, with a model that knows colours.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{TestEnv, corpus, snapshot};

/// Photos of eight colours, and a calibrated colour model.
fn calibrated() -> (TestEnv, PathBuf) {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    let model = env.colour_model("calibrated", "0.5");
    let manifest = fs_err::read_to_string(model.join("sightline.toml")).unwrap();
    let kinds = ["text-picture", "text-text", "picture-picture"];
    let kinds = kinds.map(|kind| format!("{kind} = {{ mean = 0.0, deviation = 0.15 }}\n"));
    let manifest = format!("{manifest}\n[unrelated]\n{}", kinds.concat());
    env.write("calibrated/sightline.toml", manifest);
    env.write("labels.txt", "# colours\nred\ntone: green\ntone: blue\n");
    (env, model)
}

#[test]
fn pictures_are_tagged_with_the_labels_of_a_file() {
    let (env, model) = calibrated();
    let tag = |arguments: &[&str]| {
        let command = env.sightline(["tag", "--labels", "labels.txt"]);
        command.env("SIGHTLINE_MODEL", &model).args(arguments).run()
    };
    snapshot!(env, tag(&["photos/red.png", "photos/green.png", "photos/white.png"]), @r"
    exit code: 0
    ----- stdout -----
    photos/red.png  red 1.00
    photos/green.png  green 1.00
    photos/white.png  no tags

    ----- stderr -----
    ");
    let table = tag(&["photos/red.png", "photos/green.png", "--csv"]).expect(0);
    let lines: Vec<&str> = table.stdout().lines().collect();
    assert_eq!(
        lines[0],
        "path,path_base64,tag,set,confidence,strength,similarity"
    );
    // In a table a file is named as those of a folder are.
    let path = |name: &str| env.path(name).display().to_string();
    let red = format!("{},,red,,0.99", path("photos/red.png"));
    let green = format!("{},,green,tone,0.99", path("photos/green.png"));
    assert!(lines[1].starts_with(&red), "{table}");
    assert!(lines[2].starts_with(&green), "{table}");
    assert_eq!(lines.len(), 3);
    let answer = tag(&["photos", "--json"]).expect(0).json();
    let pictures = answer["pictures"].as_array().unwrap();
    assert_eq!(pictures.len(), 8);
    assert_eq!(
        tag(&["photos/white.png"]).expect(1).stdout(),
        "photos/white.png  no tags\n"
    );
    assert!(
        tag(&["photos/none.png"])
            .expect(2)
            .stderr()
            .contains("none.png")
    );
    let stdin = env.sightline(["tag", "--labels", "labels.txt", "-", "photos/green.png"]);
    let stdin = stdin.env("SIGHTLINE_MODEL", &model);
    snapshot!(env, stdin.stdin(&env.path("photos/red.png")).run(), @r"
    exit code: 0
    ----- stdout -----
    -  red 1.00
    photos/green.png  green 1.00

    ----- stderr -----
    ");
    let named = tag(&["photos/red.png", "--json"]).expect(0).json();
    let path = named["pictures"][0]["path"].as_str().unwrap();
    assert_eq!(Path::new(path), env.path("photos/red.png"));
    env.write("labels.txt", "red\nblue\n\nRed\nplace: RED\n");
    snapshot!(env, tag(&["photos/red.png"]), @r"
    exit code: 0
    ----- stdout -----
    photos/red.png  red 1.00

    ----- stderr -----
    labels.txt: line 4: the label `Red` is there already, so it was left out (1 more was, too)
    ");
    let answer = tag(&["photos/red.png", "--json"]).expect(0).json();
    assert_eq!(answer["repeated_labels"][1]["line"], 5);
    env.write("labels.txt", "red\n: blue\n");
    snapshot!(env, tag(&["photos"]), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: labels.txt: line 2: expected `label` or `set: label`
    ");
}

#[test]
fn sidecars_get_the_tags_that_they_lack() {
    let (env, model) = calibrated();
    let tag = || {
        let command = env.sightline(["tag", "photos", "--labels", "labels.txt", "--write-xmp"]);
        command.env("SIGHTLINE_MODEL", &model).run()
    };
    let before = fs_err::read(env.path("photos/red.png")).unwrap();
    env.write("photos/green.xmp", "<broken>");
    snapshot!(env, tag(), @r"
    exit code: 2
    ----- stdout -----
    photos/black.png  no tags
    photos/blue.png  blue 1.00
    photos/cyan.png  no tags
    photos/green.png  green 1.00
    photos/pink.png  blue 0.81
    photos/red.png  red 1.00
    photos/white.png  no tags
    photos/yellow.png  green 0.81

    ----- stderr -----
    photos/green.xmp not written: cannot add keywords to this XMP: the root node was opened but never closed
    4 sidecars written, 0 had all tags already
    ");
    assert_eq!(fs_err::read(env.path("photos/red.png")).unwrap(), before);
    let xmp = env.path("photos/red.png.xmp");
    let written = fs_err::read(&xmp).unwrap();
    let found = sightline_picture::sidecar_metadata(&written).unwrap();
    assert_eq!(found.keywords, ["red"]);
    tag().expect(2);
    assert_eq!(fs_err::read(&xmp).unwrap(), written);
    exiftool_reads(&xmp, "red");
    // Other programs' keywords are those of people to the index; tags are kept apart.
    fs_err::remove_file(env.path("photos/green.xmp")).unwrap();
    let command = env.sightline(["index", "photos"]);
    command.env("SIGHTLINE_MODEL", &model).run().expect(0);
    let found = env.sightline(["search", "tag:red", "--json"]);
    let found = found.env("SIGHTLINE_MODEL", &model).run().expect(0).json();
    let hit = &found["hits"][0];
    assert_eq!(
        (&hit["keywords"][0], hit["tags"].as_array().unwrap().len()),
        (&"red".into(), 0)
    );
}

/// Asks exiftool, where it is installed, what the keywords of a sidecar are.
fn exiftool_reads(xmp: &Path, keyword: &str) {
    let mut exiftool = Command::new("exiftool");
    let Ok(ran) = exiftool.args(["-s3", "-Subject"]).arg(xmp).output() else {
        return;
    };
    let (read, errors) = (ran.stdout.as_slice(), String::from_utf8_lossy(&ran.stderr));
    assert_eq!(String::from_utf8_lossy(read).trim(), keyword, "{errors}");
}

#[test]
fn tags_are_stored_in_the_index_and_kept() {
    let (env, model) = calibrated();
    let run = |arguments: &[&str]| {
        let command = env.sightline(arguments);
        command.env("SIGHTLINE_MODEL", &model).run()
    };
    let save = ["tag", "photos", "--labels", "labels.txt", "--save", "-q"];
    assert!(run(&save).expect(2).stderr().contains("no index here"));
    run(&["index", "photos"]).expect(0);
    run(&save).expect(0);
    // The path and the tags of each picture with this tag.
    let tagged = |query: &str| {
        let found = run(&["search", query, "--json"]).expect(0).json();
        let hits = found["hits"].as_array().unwrap().clone().into_iter();
        let tags = hits.map(|hit| {
            (
                env.shown(hit["path"].as_str().unwrap()),
                hit["tags"].clone(),
            )
        });
        tags.collect::<BTreeMap<_, _>>()
    };
    let blue = tagged("tag:blue");
    assert_eq!(blue["photos/blue.png"], serde_json::json!(["blue"]));
    assert!(!blue.contains_key("photos/red.png"));
    run(&["index", "photos", "--reread"]).expect(0);
    assert_eq!(tagged("tag:blue"), blue);
    // `index --tag` tags only what has no tags, and says how many it tagged.
    let report = run(&["index", "photos", "--tag", "--json"])
        .expect(0)
        .json();
    assert!(report["tagged"].as_u64().unwrap() <= 5, "{report}");
    assert_eq!(tagged("tag:blue"), blue);
    assert_eq!(
        run(&["index", "photos", "--json"]).expect(0).json()["tagged"],
        serde_json::Value::Null
    );
}

#[test]
fn the_bank_answers_where_there_are_no_captions_and_says_so() {
    let env = TestEnv::new();
    corpus::plain(&env.path("photos/red.png"), "red");
    let bank = ["captions", "photos/red.png", "-k1"];
    let first = env.succeed(bank);
    assert!(first.stdout().contains("red"), "{first}");
    assert!(
        first
            .stderr()
            .starts_with("there is no index: answered with phrases"),
        "{first}"
    );
    env.index_photos();
    let said = env.succeed(bank);
    assert_eq!(said.stdout(), first.stdout());
    assert!(
        said.stderr()
            .starts_with("the index has no captions: answered"),
        "{said}"
    );
    let asked = env.succeed([
        "captions",
        "photos/red.png",
        "-k1",
        "--from",
        "bank",
        "--json",
    ]);
    assert_eq!(asked.stderr(), "");
    assert_eq!(asked.json()["hits"][0]["from"], "bank");
    let ran = env.sightline(["captions", "photos/red.png", "--from", "captions"]);
    assert!(ran.run().expect(1).stderr().starts_with("no caption found"));
    env.write("photos/red.txt", "my red one\n");
    env.index_photos();
    let own = env
        .succeed(["captions", "photos/red.png", "-k1", "--json"])
        .json();
    assert_eq!(
        (&own["hits"][0]["from"], &own["hits"][0]["text"]),
        (&"captions".into(), &"my red one".into())
    );
    // The vectors are kept; a damaged file is replaced, and one line says so.
    let folder = env.path("data/sightline/bank");
    let kept = fs_err::read_dir(&folder)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let whole = fs_err::read(&kept).unwrap();
    fs_err::write(&kept, &whole[..whole.len() / 2]).unwrap();
    let again = env.succeed(["captions", "photos/red.png", "-k1", "--from", "bank"]);
    assert_eq!(again.stdout(), first.stdout());
    let stderr = again.stderr();
    assert!(
        stderr.contains("is damaged: the phrase bank was encoded again"),
        "{again}"
    );
    assert_eq!(fs_err::read(&kept).unwrap(), whole);
}

#[test]
fn a_model_that_is_not_calibrated_gives_no_tags() {
    let env = TestEnv::indexed();
    snapshot!(env, env.sightline(["tag", "photos"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: model colours is not calibrated, so nothing says which tags are likely

    hint: measure the model: `sightline models check colours`
    ");
}
