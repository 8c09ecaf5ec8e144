//! How often `duplicates` is right, with the starter model: `cargo bench --bench duplicates --
//! PHOTOS [N]`.
//!
//! First all photos of the folder are one library, in which nothing should look the same but what
//! does: every group is printed. Then up to N of them (default 1,000) are a library together with
//! copies that are made of them, and the share of the copies is printed that are in the group of
//! their photo, with the bounds within which similarity and hash distance of all copies lie.
#![expect(clippy::unwrap_used, reason = "a benchmark ends where something fails")]
#![expect(clippy::print_stdout, reason = "its figures are what it is for")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
use sightline::engine::{DuplicatesReport, DuplicatesRequest, Encoders, Engine, IndexRequest};
use sightline::{platform, quietly};
use sightline_picture::PerceptualHash;

const N_PHOTOS: usize = 1000;

/// Most hits that are asked for to find the copies of a photo.
const N_SIMILAR: usize = 200;

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench");
    let folder = arguments.next().unwrap();
    let n = arguments.next().map_or(N_PHOTOS, |n| n.parse().unwrap());
    let folder = fs_err::canonicalize(folder).unwrap();
    let mut photos: Vec<PathBuf> = fs_err::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "jpg"))
        .collect();
    photos.sort();
    false_groups(&folder);
    let step = photos.len().div_ceil(n).max(1);
    let chosen: Vec<PathBuf> = photos.into_iter().step_by(step).collect();
    recall(&chosen);
}

/// An index of a folder.
fn indexed(folder: &Path, index: &Path) -> Engine {
    let engine = Engine::open(
        index,
        Encoders::starter(platform::runtime_source()).unwrap(),
    );
    let began = Instant::now();
    let report = engine
        .index(&IndexRequest::folder(folder), &mut quietly)
        .unwrap();
    println!(
        "{} files indexed in {:.0} s",
        report.n_seen,
        began.elapsed().as_secs_f64()
    );
    engine
}

fn duplicates(index: &Path) -> DuplicatesReport {
    Engine::duplicates(index, &DuplicatesRequest::default(), &mut quietly).unwrap()
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

fn false_groups(folder: &Path) {
    let index = tempfile::tempdir().unwrap();
    indexed(folder, index.path());
    let report = duplicates(index.path());
    println!(
        "{} groups among {} photos in {:.1} s",
        report.groups.len(),
        report.n_compared,
        report.elapsed.as_secs_f64()
    );
    for group in &report.groups {
        for other in &group.others {
            let names = [&group.keep, other].map(|file| file_name(&file.path));
            let (similarity, distance) = (other.similarity, other.hash_distance);
            println!(
                "  {}: similarity {similarity:?}, {distance} bits",
                names.join(" and ")
            );
        }
    }
}

/// A way to make a copy.
type Make = fn(&RgbImage, &Path);

const COPIES: [(&str, Make); 9] = [
    ("q40.jpg", |photo, to| as_jpeg(photo, to, 40)),
    ("q20.jpg", |photo, to| as_jpeg(photo, to, 20)),
    ("half.jpg", |photo, to| as_jpeg(&scaled(photo, 2), to, 85)),
    ("third-q40.jpg", |photo, to| {
        as_jpeg(&scaled(photo, 3), to, 40);
    }),
    ("twice.png", |photo, to| {
        let (width, height) = photo.dimensions();
        let twice = imageops::resize(photo, 2 * width, 2 * height, FilterType::CatmullRom);
        twice.save(to).unwrap();
    }),
    ("lossless.png", |photo, to| photo.save(to).unwrap()),
    ("brighter.jpg", |photo, to| {
        as_jpeg(&imageops::brighten(photo, 20), to, 90);
    }),
    ("crop98.jpg", |photo, to| {
        as_jpeg(&cropped(photo, 98), to, 90);
    }),
    ("crop90.jpg", |photo, to| {
        as_jpeg(&cropped(photo, 90), to, 90);
    }),
];

fn as_jpeg(photo: &RgbImage, to: &Path, quality: u8) {
    let mut bytes = Vec::new();
    photo
        .write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, quality))
        .unwrap();
    fs_err::write(to, bytes).unwrap();
}

fn scaled(photo: &RgbImage, by: u32) -> RgbImage {
    let (width, height) = photo.dimensions();
    imageops::resize(photo, width / by, height / by, FilterType::Lanczos3)
}

/// The middle of a photo; its width and height in per cent of the photo's.
fn cropped(photo: &RgbImage, per_cent: u32) -> RgbImage {
    let (width, height) = photo.dimensions();
    let (w, h) = (width * per_cent / 100, height * per_cent / 100);
    imageops::crop_imm(photo, (width - w) / 2, (height - h) / 2, w, h).to_image()
}

fn hash(path: &Path) -> PerceptualHash {
    PerceptualHash::of(&image::open(path).unwrap().to_rgb8())
}

fn recall(photos: &[PathBuf]) {
    let place = tempfile::tempdir().unwrap();
    let place = fs_err::canonicalize(place.path()).unwrap();
    let (library, index) = (place.join("photos"), place.join("index"));
    // Each photo and its copies, in one folder.
    for (number, photo) in photos.iter().enumerate() {
        let folder = library.join(number.to_string());
        fs_err::create_dir_all(&folder).unwrap();
        fs_err::copy(photo, folder.join("photo.jpg")).unwrap();
        let decoded = image::open(photo).unwrap().to_rgb8();
        for (name, make) in COPIES {
            make(&decoded, &folder.join(name));
        }
    }
    let engine = indexed(&library, &index);
    let report = duplicates(&index);
    println!(
        "{} groups in {:.1} s",
        report.groups.len(),
        report.elapsed.as_secs_f64()
    );
    let mut group_of: HashMap<&Path, usize> = HashMap::new();
    let mut n_mixed = 0;
    for (number, group) in report.groups.iter().enumerate() {
        let files = || group.others.iter().chain([&group.keep]);
        group_of.extend(files().map(|file| (file.path.as_path(), number)));
        let folder = group.keep.path.parent();
        n_mixed += usize::from(files().any(|file| file.path.parent() != folder));
    }
    println!("{n_mixed} groups with copies of different photos");
    for (name, _) in COPIES {
        let (mut n_found, mut similarities, mut distances) = (0, Vec::new(), Vec::new());
        for number in 0..photos.len() {
            let folder = library.join(number.to_string());
            let (photo, copy) = (folder.join("photo.jpg"), folder.join(name));
            let group = group_of.get(photo.as_path());
            n_found += usize::from(group.is_some() && group == group_of.get(copy.as_path()));
            let hits = engine.similar(&photo, N_SIMILAR, None).unwrap();
            let hit = hits.iter().find(|hit| hit.paths.contains(&copy));
            similarities.push(hit.and_then(|hit| hit.similarity).unwrap_or(-1.0));
            distances.push(hash(&photo).distance(hash(&copy)));
        }
        similarities.sort_by(f32::total_cmp);
        distances.sort_unstable();
        let n = photos.len();
        println!(
            "{name}: {:.1} % found; similarity {:.3}, 1 % below {:.3}; {} bits, 1 % above {}",
            100.0 * f64::from(u32::try_from(n_found).unwrap())
                / f64::from(u32::try_from(n).unwrap()),
            similarities[n / 2],
            similarities[n / 100],
            distances[n / 2],
            distances[n - 1 - n / 100]
        );
    }
    fs_err::remove_dir_all(place).unwrap();
}
