//! What a second run over the same folder costs: no reading, no decoding, no new vectors where nothing is new.

use std::time::SystemTime;

use sightline_index::IndexReader;

use crate::engine::tests::{Place, counts};
use crate::engine::*;

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

/// Not one picture may be decoded: it would be too large.
fn without_decoding(place: &Place) -> IndexReport {
    let mut options = DecodeOptions::default();
    options.limits.max_pixels = 1;
    let request = IndexRequest::folder(&place.photos);
    let engine = place.engine().with_decode_options(options);
    engine.index(&request, &mut quietly).unwrap()
}

#[test]
fn an_unchanged_file_is_not_read() {
    let place = place();
    let path = place.photos.join("a.png");
    let before = fs_err::metadata(&path).unwrap();
    // Whoever reads it finds no picture.
    fs_err::write(&path, vec![b'x'; usize::try_from(before.len()).unwrap()]).unwrap();
    set_modified(&path, before.modified().unwrap());
    assert_eq!(counts(&place.index()), [0, 3, 0, 0, 0, 0, 0]);
    assert_eq!(place.found("red")[0], "a.png");
    // It is its time that made the difference.
    set_modified(&path, SystemTime::UNIX_EPOCH);
    assert_eq!(counts(&place.index()), [0, 2, 0, 0, 0, 0, 1]);
}

#[test]
fn a_touched_file_is_read_but_not_decoded() {
    let place = place();
    for name in ["a.png", "b.png"] {
        set_modified(&place.photos.join(name), SystemTime::UNIX_EPOCH);
    }
    assert_eq!(counts(&without_decoding(&place)), [0, 3, 0, 0, 0, 0, 0]);
    // Its new time is noted, so that the next run does not read it either.
    fs_err::write(place.photos.join("a.png"), b"").unwrap();
    assert_eq!(counts(&without_decoding(&place)), [0, 2, 0, 0, 0, 0, 1]);
    // The limit does refuse what is new.
    place.draw("new.png", COLOURS[0], 31);
    assert_eq!(without_decoding(&place).skipped.len(), 1 + 1);
}

#[test]
fn a_moved_file_keeps_its_picture_and_copies_share_one() {
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

/// What leaves the folder leaves the index in the same generation as what comes into it.
#[test]
fn removed_files_leave_in_the_same_commit() {
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
    // One for the pictures, one for the note that the folder was looked at.
    assert!(
        generation() <= before + 2,
        "{} after {before}",
        generation()
    );
    assert_eq!(place.found("red").len(), 2);
}

/// A commit comes after so many items, or after so long.
#[test]
fn commits_come_by_number_and_by_time() {
    const N: u32 = 12;
    let n_commits = |commit_every: usize, commit_interval: std::time::Duration| {
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
    let never = std::time::Duration::from_hours(24);
    let few = n_commits(1000, never);
    assert!(few <= 2, "{few}");
    let by_number = n_commits(1, never);
    assert!(by_number >= u64::from(N), "{by_number}");
    let by_time = n_commits(1000, std::time::Duration::ZERO);
    assert!(by_time >= u64::from(N), "{by_time}");
}
