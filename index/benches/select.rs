//! Time of the first selection by a filter in a new reader: `cargo bench -p sightline-index --bench
//! select -- 200000`, with the number of images.
//!
//! Dates and folders follow the ids, as in a library that grew over ten years; tags, cameras and
//! places are scattered. Given the folder of an index, it is made once and used again.
#![expect(clippy::unwrap_used, reason = "a benchmark ends where something fails")]
#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sightline_index::{
    Binding, Coordinates, Details, FileRecord, Filter, IndexReader, IndexWriter, ItemKind, Library,
    Moment, Orientation, UnitVector, WriterOptions,
};

/// Tags and the number of images, of 10,000, that have them.
const TAGS: [(&str, u32); 6] = [
    ("0.01 %", 1),
    ("0.1 %", 10),
    ("1 %", 100),
    ("5 %", 500),
    ("10 %", 1_000),
    ("50 %", 5_000),
];

fn scattered(number: u32, salt: u32) -> u32 {
    let mixed = number.wrapping_add(salt.wrapping_mul(0x9E37_79B9));
    let mixed = (mixed ^ (mixed >> 16)).wrapping_mul(0x7FEB_352D);
    let mixed = (mixed ^ (mixed >> 15)).wrapping_mul(0x846C_A68B);
    mixed ^ (mixed >> 16)
}

fn date(day: u32) -> Moment {
    let (year, rest) = (2014 + day / 360, day % 360);
    let part = |number: u32| u8::try_from(number).unwrap();
    let year = u16::try_from(year).unwrap();
    // February has no 29th and 30th.
    let day = part(rest % 30 + 1).min(28);
    Moment::new(year, part(rest / 30 + 1), day, None).unwrap()
}

/// Most pictures around one of 50 towns, the others anywhere.
fn position(number: u32) -> Coordinates {
    let share = |salt: u32| f64::from(scattered(number, salt)) / f64::from(u32::MAX);
    let town = scattered(number, 4) % 60;
    let (latitude, longitude) = if town < 50 {
        let centre = f64::from(town);
        let small = [5, 6].map(|salt| 0.2 * (share(salt) + share(salt + 2) - 1.0));
        (centre + small[0], 3.0 * centre - 60.0 + small[1])
    } else {
        (180.0 * share(5) - 90.0, 360.0 * share(6) - 180.0)
    };
    Coordinates::new(latitude, longitude).unwrap()
}

fn make(dir: &Path, n: u32) {
    let binding = Binding {
        dimension: 4,
        fingerprint: "f00d".into(),
        model: "toy".into(),
    };
    let mut options = WriterOptions::default();
    options.min_graph_items = usize::MAX;
    let mut writer = IndexWriter::open_or_create_with(dir, &binding, options).unwrap();
    let folder = PathBuf::from("/photos");
    let library = Library {
        folder,
        n_files: 0,
        last_run_unix_s: 0,
    };
    writer.put_library(library).unwrap();
    let vector = UnitVector::new(vec![0.5; 4]).unwrap();
    for number in 0..n {
        let mut hash = [0; 32];
        hash[..4].copy_from_slice(&number.to_be_bytes());
        let tall = scattered(number, 1).is_multiple_of(3);
        let (width, height) = if tall { (3000, 4000) } else { (4000, 3000) };
        let image = writer
            .put_image(hash, width, height, vector.clone())
            .unwrap();
        let day = u32::try_from(u64::from(number) * 3600 / u64::from(n)).unwrap();
        let details = Details {
            camera: Some(format!("Camera {}", scattered(number, 2) % 20)),
            taken: Some(date(day)),
            places: vec![
                format!("Town {}", scattered(number, 3) % 2_000),
                format!("Country {}", scattered(number, 3) % 40),
            ],
            position: Some(position(number)),
            ..Details::default()
        };
        writer.set_details(image, details).unwrap();
        let tags = TAGS
            .iter()
            .zip(10..)
            .filter(|&(&(_, share), salt)| scattered(number, salt) % 10_000 < share);
        let tags = tags.map(|((tag, _), _)| (*tag).to_owned());
        writer.set_tags(image, tags).unwrap();
        let path = format!("/photos/{}/{day}/{number}.jpg", day / 360);
        let file = FileRecord {
            n_bytes: 1,
            modified_ns: 1,
            image,
            change: None,
        };
        writer.put_file(path.as_ref(), file).unwrap();
        if number % 10_000 == 9_999 {
            writer.commit().unwrap();
        }
    }
    writer.finish().unwrap();
}

fn filters() -> Vec<(String, Filter)> {
    let tag = |tag: &str| Filter::Tag(tag.to_owned());
    let between = |from, to| Filter::Taken {
        from: Some(date(from)),
        to: Some(date(to)),
    };
    let near = |town: i16, metres| Filter::Near {
        centre: Coordinates::new(f64::from(town), 3.0 * f64::from(town) - 60.0).unwrap(),
        metres,
    };
    let mut filters: Vec<(String, Filter)> = TAGS
        .iter()
        .map(|(name, _)| (format!("tag of {name}"), tag(name)))
        .collect();
    let more = [
        ("a day", between(1000, 1000)),
        ("a month", between(1000, 1029)),
        ("five years", between(0, 1799)),
        ("a folder of a day", Filter::Folder("/photos/3/1200".into())),
        ("a folder of a year", Filter::Folder("/photos/3".into())),
        ("all folders", Filter::Folder("/".into())),
        ("one of 20 cameras", Filter::Camera("camera 13".into())),
        ("one of 2,000 places", Filter::Place("town 1234".into())),
        ("part of 2,000 places", Filter::Place("town".into())),
        ("10 km around a town", near(20, 10_000)),
        ("1,000 km around it", near(20, 1_000_000)),
        ("10 km around nothing", near(70, 10_000)),
        ("half the earth", near(20, 10_000_000)),
        ("tall", Filter::Orientation(Orientation::Portrait)),
        ("large", Filter::SmallestSide(2000)),
        ("not a tag", Filter::Not(Box::new(tag("10 %")))),
        (
            "a tag in five years, not tall",
            Filter::All(vec![
                tag("50 %"),
                between(0, 1799),
                Filter::Not(Box::new(Filter::Orientation(Orientation::Portrait))),
            ]),
        ),
    ];
    filters.extend(more.map(|(name, filter)| (name.to_owned(), filter)));
    filters
}

fn main() {
    let given: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| arg != "--bench")
        .collect();
    let n: u32 = given.first().map_or(20_000, |n| n.parse().unwrap());
    let temporary = tempfile::tempdir().unwrap();
    let dir = given.get(1).map_or(temporary.path(), Path::new);
    if !dir.join("manifest.json").exists() {
        let began = Instant::now();
        make(dir, n);
        println!("{n} images put in {:.1} s", began.elapsed().as_secs_f64());
    }
    println!("| filter | kept | share | first, ms | again, ms |");
    println!("| --- | --: | --: | --: | --: |");
    let n = f64::from(n);
    for (name, filter) in filters() {
        let (mut first, mut again, mut n_kept) = (Duration::MAX, Duration::MAX, 0);
        for _ in 0..5 {
            let reader = IndexReader::open(dir, None).unwrap();
            for time in [&mut first, &mut again] {
                let began = Instant::now();
                n_kept = reader.select(ItemKind::Image, &filter).unwrap().len();
                *time = began.elapsed().min(*time);
            }
        }
        let share = f64::from(u32::try_from(n_kept).unwrap()) * 100.0 / n;
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let (first, again) = (ms(first), ms(again));
        println!("| {name} | {n_kept} | {share:.2} % | {first:.2} | {again:.3} |");
    }
}
