//! Where captions and facts come from beside plain text: files of data sets, XMP, Google Takeout,
//! and what is written in the pictures themselves.

use serde_json::{Value, json};

use crate::support::TestEnv;
use crate::support::corpus::{self, halves};

/// Paths found by words.
fn found(env: &TestEnv, query: &str) -> Vec<String> {
    let ran = env.sightline(["search", "--by", "words", "--paths", query]);
    let ran = ran.run();
    ran.stdout().lines().map(|path| env.shown(path)).collect()
}

fn hit(env: &TestEnv, query: &str) -> Value {
    let ran = env.sightline(["search", "--by", "words", "--json", query]);
    ran.run().expect(0).json()["hits"][0].clone()
}

/// Added, removed and skipped captions of `sightline index` with these arguments.
#[track_caller]
fn index(env: &TestEnv, arguments: &[&str]) -> [u64; 3] {
    let arguments = ["index", "--json"].iter().chain(arguments);
    let report = env.succeed(arguments).json();
    ["captions_added", "captions_removed", "captions_skipped"]
        .map(|key| report[key].as_u64().unwrap())
}

/// What `sightline index` with these arguments skipped, and why.
#[track_caller]
fn skipped(env: &TestEnv, arguments: &[&str]) -> Vec<String> {
    let arguments = ["index", "--json"].iter().chain(arguments);
    let report = env.succeed(arguments).json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let skipped = report["skipped"].as_array().unwrap().iter();
    skipped
        .map(|one| {
            format!(
                "{}: {}",
                env.shown(text(&one["path"])),
                text(&one["reason"])
            )
        })
        .collect()
}

/// Captions files of every format about two pictures.
const DATA_SETS: [(&str, &str); 6] = [
    (
        "set/captions.txt",
        "image,caption\nred.png,alpha one\nred.png,\"alpha two, quoted\"\n\
             blue.png,alpha three\n",
    ),
    (
        "set/results_20130124.csv",
        "image_name| comment_number| comment\nred.png| 0| beta one\nblue.png| 1| beta \"two\n",
    ),
    (
        "set/Flickr8k.token.txt",
        "red.png#0\tgamma one\nblue.png#1\tgamma two\n",
    ),
    (
        "set/annotations/captions_val2014.json",
        r#"{"info": {}, "images": [{"id": 1, "file_name": "red.png"},
                                       {"id": 2, "file_name": "blue.png"}],
                "annotations": [{"image_id": 1, "caption": "delta one"},
                                {"image_id": 2, "caption": "delta two"}]}"#,
    ),
    (
        "set/dataset_coco.json",
        r#"{"images": [{"filepath": "val2014", "filename": "red.png",
                            "sentences": [{"raw": "epsilon one"}]}]}"#,
    ),
    (
        "set/list.tsv",
        "title\tnotes\tpath\nzeta one\t-\timages/val2014/red.png\n",
    ),
];

#[test]
fn captions_of_public_data_sets_are_linked_by_file_name() {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("set/images/val2014"));
    let mut arguments = vec!["set"];
    for (name, text) in DATA_SETS {
        env.write(name, text);
        arguments.extend(["--captions", name]);
    }
    assert_eq!(index(&env, &arguments), [3 + 2 + 2 + 2 + 1 + 1, 0, 0]);
    let (red, blue) = ("set/images/val2014/red.png", "set/images/val2014/blue.png");
    let mut n_asked = 0;
    for (words, path) in [
        ("alpha quoted", red),
        ("alpha three", blue),
        ("beta one", red),
        ("beta two", blue),
        ("gamma one", red),
        ("gamma two", blue),
        ("delta one", red),
        ("delta two", blue),
        ("epsilon one", red),
        ("zeta one", red),
    ] {
        assert_eq!(found(&env, words)[0], path, "{words}");
        n_asked += 1;
    }
    assert_eq!(n_asked, 10);
    // Nothing is encoded again, and what a file no longer says is removed.
    assert_eq!(index(&env, &arguments), [0, 0, 0]);
    env.write("set/captions.txt", "image,caption\nred.png,alpha one\n");
    assert_eq!(index(&env, &arguments), [0, 2, 0]);
    // A name that two pictures have is none's, and pictures outside the folders do not count.
    corpus::save(&env.path("set/more/red.png"), &halves("red", "green"));
    corpus::save(&env.path("other/white.png"), &halves("white", "green"));
    env.succeed(["index", "other"]);
    env.write(
        "more.csv",
        "image,caption\nred.png,eta one\nmore/red.png,eta two\nwhite.png,eta three\n",
    );
    let skipped = skipped(&env, &["set", "--captions", "more.csv"]);
    assert_eq!(skipped.len(), 1, "{skipped:?}");
    assert!(
        skipped[0].starts_with("red.png: has captions in "),
        "{skipped:?}"
    );
    assert!(
        skipped[0].ends_with("more.csv (line 2) but looks like several pictures of the index"),
        "{skipped:?}"
    );
    assert_eq!(found(&env, "two eta")[0], "set/more/red.png");
    assert_eq!(found(&env, "three eta")[0], "set/images/val2014/white.png");
}

#[test]
fn a_captions_file_of_unclear_format_is_refused_before_anything_is_written() {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    env.write("list.csv", "red.png,a tomato\n");
    let ran = env.fail(["index", "photos", "--captions", "list.csv"]);
    let what = "list.csv: looks like a table, but its first line does not name a picture and a";
    assert!(ran.stderr().contains(what), "{ran}");
    assert!(
        ran.stderr()
            .contains("hint: begin a table with a line such as"),
        "{ran}"
    );
    assert!(!env.index().join("manifest.json").exists());
    let text = [
        "photos",
        "--captions",
        "list.csv",
        "--captions-format",
        "text",
    ];
    assert_eq!(index(&env, &text), [1, 0, 0]);
    env.write("cut.json", "{\"images\": [{\"id\": 1, ");
    let ran = env.fail(["index", "photos", "--captions", "cut.json"]);
    let what = "cut.json: not a data set: not valid JSON: it ends where a value is expected";
    assert!(ran.stderr().contains(what), "{ran}");
    env.sightline(["index", "photos", "--captions-format", "csv"])
        .run()
        .expect_usage_error();
    env.write(
        "bad.csv",
        "image,caption\nred.png,a cherry\nblue.png\n,nobody\nabsent.png,a ghost\n",
    );
    let mut skipped = skipped(&env, &["photos", "--captions", "bad.csv"]);
    let ghost = skipped.remove(0);
    assert!(
        ghost.ends_with("bad.csv (line 5) but is not in the index"),
        "{ghost}"
    );
    let expected = [
        "bad.csv: line 3: it has too few columns",
        "bad.csv: line 4: the name of the picture is empty",
    ];
    assert_eq!(skipped, expected);
    assert_eq!(found(&env, "cherry"), ["photos/red.png"]);
}

const XMP: &str = "<x:xmpmeta xmlns:x='adobe:ns:meta/'>
<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>
<rdf:Description xmlns:dc='http://purl.org/dc/elements/1.1/'
 xmlns:photoshop='http://ns.adobe.com/photoshop/1.0/' photoshop:City='Lisbon'>
<dc:title><rdf:Alt><rdf:li xml:lang='x-default'>An old tram</rdf:li></rdf:Alt></dc:title>
<dc:description><rdf:Alt>
<rdf:li xml:lang='x-default'>Line 28 uphill</rdf:li></rdf:Alt></dc:description>
<dc:subject><rdf:Bag><rdf:li>street</rdf:li><rdf:li>yellow car</rdf:li></rdf:Bag></dc:subject>
</rdf:Description></rdf:RDF></x:xmpmeta>";

#[test]
fn xmp_sidecars_give_captions_keywords_and_places() {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    env.write("photos/red.xmp", XMP);
    env.write("photos/blue.png.XMP", XMP.replace("tram", "bus"));
    env.write("photos/film.xmp", XMP);
    env.write("photos/green.xmp", "<a><b></a>");
    let skipped = skipped(&env, &["photos"]);
    assert_eq!(skipped.len(), 1, "{skipped:?}");
    assert!(
        skipped[0].starts_with("photos/green.xmp: not valid XMP: "),
        "{skipped:?}"
    );
    assert_eq!(env.counts()[2], 4);
    for words in ["tram", "uphill tram", "lisbon tram", "street tram"] {
        assert_eq!(found(&env, words)[0], "photos/red.png", "{words}");
    }
    assert_eq!(found(&env, "bus")[0], "photos/blue.png");
    assert_eq!(hit(&env, "tram")["places"], json!(["Lisbon"]));
    assert_eq!(index(&env, &["photos"]), [0, 0, 0]);
    // Changes are noticed, and what a deleted sidecar said is forgotten.
    env.write(
        "photos/red.xmp",
        XMP.replace("street", "avenue").replace("Line 28 ", ""),
    );
    assert_eq!(index(&env, &["photos"]), [1, 1, 0]);
    assert_eq!(found(&env, "avenue"), ["photos/red.png"]);
    assert_eq!(found(&env, "street"), ["photos/blue.png"]);
    fs_err::remove_file(env.path("photos/red.xmp")).unwrap();
    assert_eq!(index(&env, &["photos"]), [0, 2, 0]);
    assert_eq!(found(&env, "tram avenue"), [""; 0]);
    assert_eq!(hit(&env, "red")["places"], json!([]));
    // One that cannot be read keeps what the index has of it.
    env.write("photos/blue.png.XMP", "<x");
    index(&env, &["photos"]);
    assert_eq!(found(&env, "bus street lisbon"), ["photos/blue.png"]);
    env.succeed(["check"]);
}

fn takeout(description: &str, latitude: f64, longitude: f64) -> String {
    json!({
        "title": "IMG_1.jpg",
        "description": description,
        "photoTakenTime": {"timestamp": "1692032601", "formatted": "14 Aug 2023, 17:03:21 UTC"},
        "geoData": {"latitude": latitude, "longitude": longitude, "altitude": 0.0},
        "people": [{"name": "Grandma Ada"}]
    })
    .to_string()
}

#[test]
fn the_metadata_of_google_takeout_are_found_in_all_their_names() {
    let env = TestEnv::new();
    let photo = |name: &str, left: &str, right: &str| {
        env.write(format!("photos/{name}"), corpus::jpeg(&halves(left, right)));
    };
    photo("IMG_1.jpg", "red", "blue");
    photo("IMG_1(1).jpg", "green", "blue");
    photo("IMG_1-edited.jpg", "red", "green");
    photo(
        "Screenshot_20220207_102421_com.snapchat.android.jpg",
        "black",
        "white",
    );
    env.write(
        "photos/IMG_2.jpg",
        corpus::jpeg_with_details(&halves("white", "pink")),
    );
    let paris = takeout("cake with candles", 48.8583, 2.2945);
    env.write("photos/IMG_1.jpg.supplemental-metadata.json", paris);
    env.write(
        "photos/IMG_1.jpg.supplemental-metadata(1).json",
        takeout("a walrus", 0.0, 0.0),
    );
    env.write(
        "photos/Screenshot_20220207_102421_com.snapchat.androi.json",
        takeout("a map", 48.1, 11.5),
    );
    env.write(
        "photos/IMG_2.jpg.supplemental-me.json",
        takeout("a gate", 48.1, 11.5),
    );
    env.write("photos/metadata.json", "{\"title\": \"Album\"}");
    env.write("photos/clip.mp4.json", takeout("a film", 1.0, 1.0));
    assert_eq!(index(&env, &["photos"]), [5, 0, 0]);
    let both = found(&env, "candles");
    assert_eq!(both.len(), 2, "{both:?}");
    assert!(
        both.iter().all(|path| path.starts_with("photos/IMG_1")),
        "{both:?}"
    );
    assert_eq!(found(&env, "walrus"), ["photos/IMG_1(1).jpg"]);
    assert_eq!(found(&env, "map").len(), 1);
    assert_eq!(found(&env, "film"), [""; 0]);
    let candles = hit(&env, "candles");
    assert_eq!(candles["taken"], json!("2023-08-14T17:03:21"));
    assert!(
        candles["places"]
            .as_array()
            .unwrap()
            .contains(&json!("France"))
    );
    assert_eq!(found(&env, "Grandma Ada").len(), 5);
    // What the file itself says goes first: its date, and its places with those of its position.
    let gate = hit(&env, "gate");
    assert_eq!(gate["camera"], json!("NIKON [31m D750"));
    assert_eq!(gate["places"][2], json!("Japan"));
    assert_eq!(index(&env, &["photos"]), [0, 0, 0]);
    // A file of that name that is something else is named.
    env.write("photos/IMG_2.jpg.supplemental-me.json", "{\"size\": 3}");
    let expected = "photos/IMG_2.jpg.supplemental-me.json: not valid metadata of Google Takeout: \
                    it has none of `photoTakenTime`, `geoData` and `description`";
    assert_eq!(skipped(&env, &["photos"]), [expected]);
    assert_eq!(found(&env, "gate"), ["photos/IMG_2.jpg"]);
    // Moved with its picture, it is found there.
    fs_err::create_dir(env.path("photos/album")).unwrap();
    for name in ["IMG_1(1).jpg", "IMG_1.jpg.supplemental-metadata(1).json"] {
        let (from, to) = (format!("photos/{name}"), format!("photos/album/{name}"));
        fs_err::rename(env.path(from), env.path(to)).unwrap();
    }
    index(&env, &["photos"]);
    assert_eq!(found(&env, "walrus"), ["photos/album/IMG_1(1).jpg"]);
    env.succeed(["check"]);
}

/// A JPEG with an EXIF description, a position, and keywords in XMP.
fn described(left: &str, description: &str, keyword: &str) -> Vec<u8> {
    let mut exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x02".to_vec();
    let n = u32::try_from(description.len() + 1).unwrap();
    // Two entries; the GPS directory of four; the values.
    let gps_at: u32 = 8 + 2 + 2 * 12 + 4;
    let values_at = gps_at + 2 + 4 * 12 + 4;
    let mut entry = |tag: u16, kind: u16, n: u32, value: [u8; 4]| {
        exif.extend([tag.to_be_bytes(), kind.to_be_bytes()].concat());
        exif.extend([n.to_be_bytes(), value].concat());
    };
    entry(270, 2, n, (values_at + 48).to_be_bytes());
    entry(34_853, 4, 1, gps_at.to_be_bytes());
    exif.extend([0, 0, 0, 0, 0, 4]);
    let mut entry = |tag: u16, kind: u16, n: u32, value: [u8; 4]| {
        exif.extend([tag.to_be_bytes(), kind.to_be_bytes()].concat());
        exif.extend([n.to_be_bytes(), value].concat());
    };
    entry(1, 2, 2, *b"N\0\0\0");
    entry(2, 5, 3, values_at.to_be_bytes());
    entry(3, 2, 2, *b"E\0\0\0");
    entry(4, 5, 3, (values_at + 24).to_be_bytes());
    exif.extend([0; 4]);
    for (value, unit) in [(48, 1), (8, 1), (15, 1), (11, 1), (34, 1), (32, 1)] {
        exif.extend([u32::to_be_bytes(value), u32::to_be_bytes(unit)].concat());
    }
    exif.extend(description.bytes().chain([0]));
    let xmp = format!(
        "http://ns.adobe.com/xap/1.0/\0<x xmlns:dc='http://purl.org/dc/elements/1.1/'>\
         <dc:subject><li>{keyword}</li></dc:subject></x>"
    );
    let mut bytes = vec![0xff, 0xd8];
    for segment in [&exif[..], xmp.as_bytes()] {
        bytes.extend([0xff, 0xe1]);
        bytes.extend(u16::try_from(segment.len() + 2).unwrap().to_be_bytes());
        bytes.extend(segment);
    }
    bytes.extend(&corpus::jpeg(&halves(left, "blue"))[2..]);
    bytes
}

#[test]
fn what_is_written_in_a_picture_is_its_caption_and_follows_it() {
    let env = TestEnv::new();
    env.write(
        "photos/a.jpg",
        described("red", "a wedding in the rain", "family"),
    );
    env.write(
        "photos/b.jpg",
        described("green", "OLYMPUS DIGITAL CAMERA", "work"),
    );
    assert_eq!(index(&env, &["photos"]), [1, 0, 0]);
    assert_eq!(found(&env, "wedding"), ["photos/a.jpg"]);
    assert_eq!(found(&env, "family"), ["photos/a.jpg"]);
    assert_eq!(found(&env, "work"), ["photos/b.jpg"]);
    assert_eq!(found(&env, "olympus"), [""; 0]);
    // The position has names.
    let places = hit(&env, "wedding")["places"].clone();
    assert_eq!(
        places,
        json!(["Munich", "Upper Bavaria", "Bavaria", "Germany"])
    );
    assert_eq!(found(&env, "munich").len(), 2);
    // And is found by distance: the centre of the town is 9 m from it, Augsburg 57 km.
    for (value, n) in [
        ("munich", 2),
        ("48.1375,11.5755556,0.001", 2),
        ("\"48.2, 11.5\"", 2),
        ("48.2,11.5,8", 0),
        ("augsburg,50", 0),
        ("\"Augsburg, Germany, 60\"", 2),
    ] {
        let ran = env.sightline(["search", "--paths", &format!("near:{value}")]);
        let ran = ran.run();
        assert_eq!(ran.stdout().lines().count(), n, "{value}: {ran}");
    }
    assert_eq!(index(&env, &["photos"]), [0, 0, 0]);
    // As a caption, it is found by a picture too, and named with its source.
    let ran = env.succeed(["captions", "photos/a.jpg", "--json"]).json();
    assert_eq!(ran["hits"][0]["text"], json!("a wedding in the rain"));
    // It moves with the picture, and a copy does not double it.
    fs_err::rename(env.path("photos/a.jpg"), env.path("photos/c.jpg")).unwrap();
    index(&env, &["photos"]);
    assert_eq!(found(&env, "wedding"), ["photos/c.jpg"]);
    assert_eq!(env.counts()[2], 1);
    fs_err::copy(env.path("photos/c.jpg"), env.path("photos/a.jpg")).unwrap();
    index(&env, &["photos"]);
    assert_eq!(env.counts()[2], 1);
    let copied = env.succeed(["search", "--paths", "is:duplicate"]);
    assert_eq!(copied.stdout().lines().count(), 1, "{copied}");
    fs_err::remove_file(env.path("photos/a.jpg")).unwrap();
    index(&env, &["photos"]);
    let copied = env.sightline(["search", "--is", "duplicate"]);
    copied.run().expect(1);
    assert_eq!(env.counts()[2], 1);
    // Another text in the file replaces it.
    env.write(
        "photos/c.jpg",
        described("red", "a funeral in the sun", "family"),
    );
    index(&env, &["photos"]);
    assert_eq!(found(&env, "wedding"), [""; 0]);
    assert_eq!(found(&env, "funeral"), ["photos/c.jpg"]);
    assert_eq!(env.counts()[2], 1);
    env.succeed(["check"]);
    // An export has all of it.
    env.succeed(["export", "out"]);
    let items = fs_err::read_to_string(env.path("out/items.jsonl")).unwrap();
    assert!(
        items.contains(r#""keywords":["family"],"texts":["a funeral in the sun"]"#),
        "{items}"
    );
    assert!(
        items.contains(r#""position":[48.1375,11.5755556]"#),
        "{items}"
    );
    let ran = env.sightline(["import", "out", "--index", "second"]).run();
    ran.expect(0);
    let ran = env.sightline([
        "search", "--by", "words", "--paths", "family", "--index", "second",
    ]);
    assert_eq!(env.shown(ran.run().stdout().trim()), "photos/c.jpg");
}
