//! A second run over the same folder reads, decodes and encodes only what is new.

use std::path::Path;
use std::time::{Duration, SystemTime};

use sightline_index::{
    Binding, Details, FileRecord, IndexReader, IndexWriter, Item, ItemKind, Library, UnitVector,
};

use crate::engine::tests::{Place, counts};
use crate::engine::{DecodeOptions, Engine, IndexReport, IndexRequest, fake, quietly};

const COLOURS: [[u8; 3]; 3] = [[220, 20, 20], [20, 200, 20], [20, 20, 220]];

fn place() -> Place {
    let place = Place::new();
    for (name, colour) in ["a.png", "b.png", "c.png"].into_iter().zip(COLOURS) {
        place.draw(name, colour, 30);
    }
    assert_eq!(counts(&place.index()), [3, 0, 0, 0, 0, 0, 0]);
    place
}

fn set_modified(path: &Path, time: SystemTime) {
    let file = fs_err::OpenOptions::new().write(true).open(path).unwrap();
    file.file().set_modified(time).unwrap();
}

/// Skips every picture that is decoded: they all exceed the limit.
fn without_decoding(place: &Place) -> IndexReport {
    run_without_decoding(place, &IndexRequest::folder(&place.photos))
}

fn run_without_decoding(place: &Place, request: &IndexRequest) -> IndexReport {
    let mut options = DecodeOptions::default();
    options.limits.max_pixels = 1;
    let engine = place.engine().with_decode_options(options);
    engine.index(request, &mut quietly).unwrap()
}

/// Replaces the content of a file by one of the same size and time, as `exiftool -P` does.
fn replace_quietly(path: &Path, content: &[u8]) {
    let before = fs_err::metadata(path).unwrap();
    assert_eq!(before.len(), content.len() as u64);
    fs_err::write(path, content).unwrap();
    set_modified(path, before.modified().unwrap());
}

/// Changes the `ctime` of a file and nothing else.
fn change_status(path: &Path) {
    let before = fs_err::metadata(path).unwrap();
    // Time stamps come from a clock that ticks every few milliseconds.
    std::thread::sleep(Duration::from_millis(30));
    fs_err::set_permissions(path, before.permissions()).unwrap();
}

fn rereads(report: &IndexReport) -> [usize; 3] {
    [report.n_unchanged, report.n_reread, report.n_encoded()]
}

#[test]
fn content_that_changed_behind_the_same_size_and_time_is_noticed() {
    let place = place();
    assert_eq!(rereads(&place.index()), [3, 0, 0]);
    let path = place.photos.join("a.png");
    // The decoder ignores what follows the end of a picture.
    let padded = |name: &str| {
        let mut content = fs_err::read(place.photos.join(name)).unwrap();
        content.resize(10_000, 0);
        content
    };
    fs_err::write(&path, padded("a.png")).unwrap();
    let blue = padded("c.png");
    place.index();
    assert_eq!(place.found("red")[0], "a.png");
    replace_quietly(&path, &blue);
    assert_eq!(rereads(&place.index()), [2, 0, 1]);
    assert_eq!(
        place.found("red").first().map(String::as_str),
        Some("b.png")
    );
    assert_eq!(rereads(&place.index()), [3, 0, 0]);
}

#[test]
fn a_change_of_the_status_alone_is_a_reason_to_read_but_not_to_decode() {
    let place = place();
    let path = place.photos.join("a.png");
    for _ in 1..=4 {
        change_status(&path);
        assert_eq!(rereads(&without_decoding(&place)), [3, 1, 0]);
        assert_eq!(rereads(&without_decoding(&place)), [3, 0, 0]);
    }
    // From the fifth on it is a reason only now and then, whether it changes again or not.
    change_status(&path);
    for n_reread in [0, 0, 0, 1, 0] {
        assert_eq!(rereads(&without_decoding(&place)), [3, n_reread, 0]);
    }
    change_status(&path);
    assert_eq!(rereads(&without_decoding(&place)), [3, 0, 0]);
    // Asked for, everything is read, and false alarms are counted from the start.
    let reread = IndexRequest {
        reread: true,
        ..IndexRequest::folder(&place.photos)
    };
    assert_eq!(rereads(&run_without_decoding(&place, &reread)), [3, 3, 0]);
    change_status(&path);
    assert_eq!(rereads(&without_decoding(&place)), [3, 1, 0]);
}

#[test]
fn content_that_changed_after_many_false_alarms_is_noticed() {
    let place = place();
    let path = place.photos.join("a.png");
    let mut green = fs_err::read(place.photos.join("b.png")).unwrap();
    // The decoder ignores what follows the end of a picture.
    let n_bytes = fs_err::metadata(&path)
        .unwrap()
        .len()
        .max(green.len() as u64)
        + 1;
    let file = fs_err::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(n_bytes).unwrap();
    green.resize(usize::try_from(n_bytes).unwrap(), 0);
    place.index();
    for _ in 1..=4 {
        change_status(&path);
        place.index();
    }
    replace_quietly(&path, &green);
    for n_encoded in [0, 0, 0, 1, 0] {
        assert_eq!(place.index().n_encoded(), n_encoded);
    }
    // Its alarms are counted from the start.
    change_status(&path);
    assert_eq!(rereads(&place.index()), [3, 1, 0]);
}

#[test]
fn records_of_an_older_version_learn_the_status_without_reading() {
    let place = place();
    let binding = place.engine().encoders.binding();
    let mut writer = IndexWriter::open_or_create(&place.index, &binding).unwrap();
    for (path, record) in writer.files_under(&place.photos).unwrap() {
        assert!(record.change.is_some());
        writer
            .put_file(
                &path,
                FileRecord {
                    change: None,
                    ..record
                },
            )
            .unwrap();
    }
    writer.finish().unwrap();
    change_status(&place.photos.join("a.png"));
    assert_eq!(rereads(&place.index()), [3, 0, 0]);
    change_status(&place.photos.join("b.png"));
    assert_eq!(rereads(&place.index()), [3, 1, 0]);
}

#[test]
fn everything_is_read_again_when_asked_for() {
    let place = place();
    let path = place.photos.join("a.png");
    let n_bytes = fs_err::metadata(&path).unwrap().len();
    // A file system without a `ctime` of its own does not show the change.
    let binding = place.engine().encoders.binding();
    let record = |path: &Path| {
        let reader = IndexReader::open(&place.index, None).unwrap();
        reader.file(path).unwrap().unwrap()
    };
    replace_quietly(&path, &vec![b'x'; usize::try_from(n_bytes).unwrap()]);
    let mut writer = IndexWriter::open_or_create(&place.index, &binding).unwrap();
    let without = FileRecord {
        change: None,
        ..record(&path)
    };
    writer.put_file(&path, without).unwrap();
    writer.finish().unwrap();
    assert_eq!(rereads(&place.index()), [3, 0, 0]);
    let reread = IndexRequest {
        reread: true,
        ..IndexRequest::folder(&place.photos)
    };
    let report = run_without_decoding(&place, &reread);
    assert_eq!((rereads(&report), report.skipped.len()), ([2, 2, 0], 1));
    assert_eq!(
        place.found("red").len(),
        2,
        "a file that is no picture any more is removed"
    );
}

#[test]
fn a_touched_file_is_read_but_not_decoded() {
    let place = place();
    for name in ["a.png", "b.png"] {
        set_modified(&place.photos.join(name), SystemTime::UNIX_EPOCH);
    }
    assert_eq!(counts(&without_decoding(&place)), [0, 3, 0, 0, 0, 0, 0]);
    // Its new time is stored, so that the next run does not read it.
    fs_err::write(place.photos.join("a.png"), b"").unwrap();
    assert_eq!(counts(&without_decoding(&place)), [0, 2, 0, 0, 0, 0, 1]);
    // A new picture does exceed the limit.
    place.draw("new.png", COLOURS[0], 31);
    assert_eq!(without_decoding(&place).skipped.len(), 1 + 1);
}

#[test]
fn moved_files_keep_their_image_and_copies_share_one() {
    let place = place();
    let image = |name: &str| {
        let reader = IndexReader::open(&place.index, None).unwrap();
        let file = reader.file(&place.photos.join(name)).unwrap();
        file.map(|file| file.image)
    };
    let (a, b) = (image("a.png").unwrap(), image("b.png").unwrap());
    fs_err::create_dir(place.photos.join("sub")).unwrap();
    fs_err::rename(
        place.photos.join("a.png"),
        place.photos.join("sub/renamed.png"),
    )
    .unwrap();
    fs_err::copy(place.photos.join("b.png"), place.photos.join("sub/b.png")).unwrap();
    assert_eq!(counts(&without_decoding(&place)), [0, 2, 0, 1, 1, 0, 0]);
    assert_eq!((image("a.png"), image("sub/renamed.png")), (None, Some(a)));
    assert_eq!((image("b.png"), image("sub/b.png")), (Some(b), Some(b)));
    let reader = IndexReader::open(&place.index, None).unwrap();
    assert_eq!((reader.counts().n_images, reader.counts().n_files), (3, 4));
}

#[test]
fn an_emptied_folder_is_not_held_back_when_another_library_has_its_pictures() {
    let place = Place::new();
    place.draw("own.png", COLOURS[0], 20);
    for number in 0..10 {
        place.draw(&format!("copied/{number}.png"), COLOURS[1], 30 + number);
    }
    let copied = place.photos.join("copied");
    let elsewhere = place.photos.with_file_name("elsewhere");
    fs_err::create_dir(&elsewhere).unwrap();
    let names = (0..10).map(|number| format!("{number}.png"));
    let names: Vec<String> = names.collect();
    for name in &names {
        fs_err::copy(copied.join(name), elsewhere.join(name)).unwrap();
    }
    let elsewhere_alone = IndexRequest::folder(&elsewhere);
    place.index();
    let report = place.engine().index(&elsewhere_alone, &mut quietly);
    assert_eq!(report.unwrap().n_copies, 10);
    let empty = || {
        for name in &names {
            fs_err::remove_file(copied.join(name)).unwrap();
        }
    };
    empty();
    let report = place.index();
    assert_eq!((report.held_back, report.n_removed), (vec![], 10));
    // The index still has the other library's files, but they do not exist.
    for name in &names {
        fs_err::copy(elsewhere.join(name), copied.join(name)).unwrap();
    }
    place.index();
    fs_err::remove_dir_all(&elsewhere).unwrap();
    empty();
    let report = place.index();
    assert_eq!(
        (report.held_back, report.n_removed),
        (vec![(copied, 10)], 0)
    );
}

#[test]
fn deleted_files_are_removed_by_the_commit_that_adds_new_ones() {
    let place = place();
    let generation = || {
        IndexReader::open(&place.index, None)
            .unwrap()
            .generation()
            .0
    };
    let before = generation();
    fs_err::remove_file(place.photos.join("a.png")).unwrap();
    fs_err::remove_file(place.photos.join("b.png")).unwrap();
    place.draw("new.png", COLOURS[1], 33);
    assert_eq!(counts(&place.index()), [1, 1, 0, 0, 0, 2, 0]);
    // One for the pictures, one for the note about the run.
    assert!(
        generation() <= before + 2,
        "{} after {before}",
        generation()
    );
    assert_eq!(place.found("red").len(), 2);
}

/// Names rotate by one, and each new file is committed: every image but one is without a path for a
/// moment, the first one until the last file is read.
#[test]
fn files_that_take_each_others_names_are_not_decoded_again() {
    const N: u32 = 30;
    let place = Place::new();
    let path = |number: u32| place.photos.join(format!("{number:02}.png"));
    for number in 0..N {
        place.draw(&format!("{number:02}.png"), COLOURS[0], 30 + number);
    }
    place.index();
    fs_err::rename(path(0), path(N)).unwrap();
    for number in 0..N {
        fs_err::rename(path(number + 1), path(number)).unwrap();
    }
    let request = IndexRequest {
        commit_every: 1,
        // Short queues, so that files are read after earlier ones were committed.
        n_decoders: Some(1),
        batch_size: Some(1),
        ..IndexRequest::folder(&place.photos)
    };
    let report = run_without_decoding(&place, &request);
    assert_eq!(counts(&report), [0, 0, N as usize, 0, 0, 0, 0]);
    let reader = IndexReader::open(&place.index, None).unwrap();
    assert_eq!(reader.counts().n_images, u64::from(N));
}

#[test]
fn images_without_a_path_left_by_a_killed_run_are_used_or_removed_by_the_next() {
    let place = place();
    let binding = place.engine().encoders.binding();
    let mut writer = IndexWriter::open_or_create(&place.index, &binding).unwrap();
    let path = |name: &str| place.photos.join(name);
    let image = |writer: &IndexWriter, name: &str| writer.file(&path(name)).unwrap().unwrap().image;
    let [a, b, c] = ["a.png", "b.png", "c.png"].map(|name| image(&writer, name));
    for name in ["a.png", "c.png"] {
        let file = FileRecord {
            n_bytes: 0,
            modified_ns: 0,
            image: b,
            change: None,
        };
        writer.put_file(&path(name), file).unwrap();
    }
    writer.checkpoint().unwrap();
    drop(writer);
    assert_eq!(place.found("red").len(), 1, "only images with a path");
    fs_err::remove_file(path("c.png")).unwrap();
    assert_eq!(counts(&without_decoding(&place)), [0, 1, 1, 0, 0, 1, 0]);
    let reader = IndexReader::open(&place.index, None).unwrap();
    assert_eq!(reader.file(&path("a.png")).unwrap().unwrap().image, a);
    assert!(reader.item(c).unwrap().is_none());
    assert_eq!(reader.counts().n_images, 2);
}

#[test]
fn commits_follow_number_and_time() {
    const N: u32 = 12;
    let n_commits = |commit_every: usize, commit_interval: Duration| {
        let place = Place::new();
        for width in 0..N {
            place.draw(&format!("{width}.png"), COLOURS[0], 30 + width);
        }
        let request = IndexRequest {
            commit_every,
            commit_interval,
            ..IndexRequest::folder(&place.photos)
        };
        let report = place.engine().index(&request, &mut quietly).unwrap();
        assert_eq!(report.n_added, N as usize);
        IndexReader::open(&place.index, None)
            .unwrap()
            .generation()
            .0
    };
    let never = Duration::from_hours(24);
    let few = n_commits(1000, never);
    assert!(few <= 2, "{few}");
    let by_number = n_commits(1, never);
    assert!(by_number >= u64::from(N), "{by_number}");
    let by_time = n_commits(1000, Duration::ZERO);
    assert!(by_time >= u64::from(N), "{by_time}");
}

/// The start of a JPEG with an XMP packet and no pixels.
fn torso(model: &str) -> Vec<u8> {
    let packet = format!(
        "http://ns.adobe.com/xap/1.0/\0<x xmlns:t='http://ns.adobe.com/tiff/1.0/' \
         t:Model='{model}'/>"
    );
    let length = u16::try_from(packet.len() + 2).unwrap().to_be_bytes();
    [
        b"\xff\xd8\xff\xe1",
        &length[..],
        packet.as_bytes(),
        b"\xff\xd9",
    ]
    .concat()
}

#[test]
fn metadata_that_an_older_version_did_not_read_is_read_once_without_decoding() {
    let root = tempfile::tempdir().unwrap();
    let base = root.path().canonicalize().unwrap();
    let (photos, index) = (base.join("photos"), base.join("index"));
    fs_err::create_dir(&photos).unwrap();
    let binding = Binding {
        dimension: 4,
        fingerprint: "one".into(),
        model: "colours".into(),
    };
    let mut writer = IndexWriter::open_or_create(&index, &binding).unwrap();
    // Without it the random name of the temporary folder would count as words.
    let library = Library {
        folder: photos.clone(),
        n_files: 3,
        last_run_unix_s: 0,
    };
    writer.put_library(library).unwrap();
    // The second file has changed, and is not a picture.
    for (number, model) in [(1u8, "X100"), (2, "X200"), (3, "X300")] {
        let path = photos.join(format!("{number}.jpg"));
        fs_err::write(&path, torso(model)).unwrap();
        let about = fs_err::metadata(&path).unwrap();
        let since = about
            .modified()
            .unwrap()
            .duration_since(SystemTime::UNIX_EPOCH);
        let vector = UnitVector::new(vec![1.0, 0.0, 0.0, 0.0]).unwrap();
        let image = writer.put_image([number; 32], 4, 3, vector).unwrap();
        let n_bytes = about.len() + u64::from(number == 2);
        let modified_ns = i128::try_from(since.unwrap().as_nanos()).unwrap();
        let file = FileRecord {
            n_bytes,
            modified_ns,
            image,
            change: None,
        };
        writer.put_file(&path, file).unwrap();
    }
    writer.finish().unwrap();
    let run = || {
        let engine = Engine::open(&index, fake::encoders("one"));
        let request = IndexRequest::folder(&photos);
        let report = engine.index(&request, &mut quietly).unwrap();
        (report.n_unchanged, report.skipped.len())
    };
    let cameras = || {
        let reader = IndexReader::open(&index, None).unwrap();
        let mut cameras = Vec::new();
        for (_, file) in reader.files().unwrap() {
            let Some(Item::Image(image)) = reader.item(file.image).unwrap() else {
                panic!("not an image");
            };
            cameras.push(image.details.and_then(|details| details.camera));
        }
        let found = reader.matching(ItemKind::Image, "X100 X300", 9).unwrap();
        (cameras, found.len())
    };
    assert_eq!(cameras(), (vec![None, None, None], 0));
    assert_eq!(run(), (2, 1), "the changed file is read as a picture");
    let own = |model: &str| Some(model.to_owned());
    assert_eq!(cameras(), (vec![own("X100"), own("X300")], 2));
    // It is not looked for again.
    let writer = IndexWriter::open_or_create(&index, &binding).unwrap();
    assert!(writer.images_without_details().unwrap().is_empty());
    drop(writer);
    assert_eq!(run(), (2, 1));
    assert_eq!(cameras(), (vec![own("X100"), own("X300")], 2));
}

#[test]
fn metadata_that_an_older_version_read_otherwise_are_set_by_a_reread_without_decoding() {
    let place = place();
    let path = place.photos.join("a.png");
    let details = |index: &Path| {
        let reader = IndexReader::open(index, None).unwrap();
        let image = reader.file(&path).unwrap().unwrap().image;
        let Some(Item::Image(image)) = reader.item(image).unwrap() else {
            panic!("not an image");
        };
        image.details.unwrap()
    };
    let right = details(&place.index);
    let binding = place.engine().encoders.binding();
    let mut writer = IndexWriter::open_or_create(&place.index, &binding).unwrap();
    let image = writer.file(&path).unwrap().unwrap().image;
    let camera = Some("X100".to_owned());
    let wrong = Details {
        camera,
        ..right.clone()
    };
    writer.set_details(image, wrong.clone()).unwrap();
    writer.finish().unwrap();
    without_decoding(&place);
    assert_eq!(details(&place.index), wrong);
    let reread = IndexRequest {
        reread: true,
        ..IndexRequest::folder(&place.photos)
    };
    assert_eq!(rereads(&run_without_decoding(&place, &reread)), [3, 3, 0]);
    assert_eq!(details(&place.index), right);
    let reader = IndexReader::open(&place.index, None).unwrap();
    assert_eq!(
        reader.matching(ItemKind::Image, "X100", 9).unwrap().len(),
        0
    );
}

#[test]
fn a_library_folder_in_another_keeps_what_the_rules_of_that_one_leave_out() {
    let place = Place::new();
    place.draw("a.png", COLOURS[0], 30);
    let inner = place.photos.join("sub");
    let removed = place.draw("sub/b.png", COLOURS[1], 31);
    place.draw("sub/c.png", COLOURS[2], 32);
    fs_err::write(place.photos.join("sub/c.txt"), "a blue lake").unwrap();
    place.draw("private/p.png", COLOURS[1], 33);
    fs_err::write(
        place.photos.join(".sightlineignore"),
        "sub/\nprivate/\n*.bak.png\n",
    )
    .unwrap();
    assert_eq!(counts(&place.index()), [1, 0, 0, 0, 0, 0, 0]);
    let engine = place.engine();
    let report = engine.index(&IndexRequest::folder(&inner), &mut quietly);
    assert_eq!(counts(&report.unwrap())[0], 2);
    let report = place.index();
    assert_eq!((report.n_unchanged, report.n_removed), (3, 0));
    let status = Engine::status(&place.index).unwrap();
    assert_eq!((status.n_files, status.n_captions), (3, 1));
    // It is kept up to date with the folder around it, and with another model.
    place.draw("sub/new.png", COLOURS[0], 34);
    fs_err::remove_file(removed).unwrap();
    let report = place.index();
    assert_eq!((report.n_added, report.n_removed), (1, 1));
    let request = IndexRequest {
        change_model: true,
        ..IndexRequest::folder(&place.photos)
    };
    let engine = Engine::open(&place.index, fake::encoders("two"));
    let report = engine.index(&request, &mut quietly).unwrap();
    assert!(report.model_change.unwrap().is_done);
    let files = IndexReader::open(&place.index, None).unwrap().files();
    let names = files.unwrap().into_iter().map(|(path, _)| {
        let below = path.strip_prefix(&place.photos).unwrap();
        below.display().to_string()
    });
    let names: Vec<String> = names.collect();
    assert_eq!(names, ["a.png", "sub/c.png", "sub/new.png"]);
}
