//! How often `duplicates` is right, with the starter model: `cargo bench --bench duplicates --
//! PHOTOS [N [INDEX]]`.
//!
//! First all photos of the folder are a library, in which nothing should look the same but what
//! does. It prints how many pairs are within every pair of bounds, the pairs that are nearest to
//! them, how many photos have a neighbour above each similarity, and the groups that `duplicates`
//! finds. INDEX is where their index is or will be, so that the next run need not encode them.
//!
//! Then up to N of them (default 100, evenly spread over their names) are a library together with
//! copies that are made of them. For each kind of copy it prints in how many bits its hash differs
//! from that of its photo, how similar the vectors are, the share that is within every pair of
//! bounds, the share that is among the nearest photos of the whole folder, and the share that
//! `duplicates` finds.
#![expect(clippy::unwrap_used, reason = "a benchmark ends where something fails")]
#![expect(clippy::print_stdout, reason = "its figures are what it is for")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
use rayon::prelude::*;
use sightline::engine::{DuplicatesReport, DuplicatesRequest, Encoders, Engine, IndexRequest};
use sightline::{platform, quietly};
use sightline_index::{IndexReader, ItemKind, Nearest, UnitVector};
use sightline_picture::{ColourGrid, DecodeLimits, PerceptualHash, decode_reduced};

const N_PHOTOS: usize = 100;

/// Bounds of similarity that are tried; −1 is none.
const SIMILARITIES: [f32; 10] = [-1.0, 0.3, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95];

/// Bounds of the hash distance that are tried, in bits.
const DISTANCES: [u32; 9] = [4, 8, 16, 24, 32, 40, 48, 56, 64];

/// Numbers of nearest photos that are tried.
const NEAREST: [usize; 5] = [8, 16, 32, 64, 128];

/// Pairs of different photos that are printed differ in no more bits.
const MAX_PRINTED: u32 = 80;

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench");
    let Some(folder) = arguments.next() else {
        println!("give a folder: cargo bench --bench duplicates -- PHOTOS");
        return;
    };
    let n = arguments.next().map_or(N_PHOTOS, |n| n.parse().unwrap());
    let index = arguments.next().map(PathBuf::from);
    let folder = fs_err::canonicalize(folder).unwrap();
    let mut photos: Vec<PathBuf> = fs_err::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "jpg"))
        .collect();
    photos.sort();
    let temporary = tempfile::tempdir().unwrap();
    let all = different(&folder, index.as_deref().unwrap_or(temporary.path()));
    let step = photos.len().div_ceil(n).max(1);
    let chosen: Vec<PathBuf> = photos.into_iter().step_by(step).collect();
    copies(&chosen, &all);
}

/// Indexes a folder.
fn index(folder: &Path, index: &Path) {
    let encoders = Encoders::starter(platform::runtime_source()).unwrap();
    let began = Instant::now();
    let report = Engine::open(index, encoders)
        .index(&IndexRequest::folder(folder), &mut quietly)
        .unwrap();
    println!(
        "{} files indexed in {:.0} s",
        report.n_seen,
        began.elapsed().as_secs_f64()
    );
}

fn duplicates(index: &Path) -> DuplicatesReport {
    let request = DuplicatesRequest::default();
    let report = Engine::duplicates(index, &request, &mut quietly).unwrap();
    println!(
        "{} groups among {} photos in {:.1} s",
        report.groups.len(),
        report.n_compared,
        report.elapsed.as_secs_f64()
    );
    report
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// What a pair of pictures is judged by.
struct Picture {
    vector: UnitVector,
    hash: PerceptualHash,
    colours: ColourGrid,
}

/// Each file of an index.
fn pictures(reader: &IndexReader) -> HashMap<PathBuf, Picture> {
    let files = reader.files().unwrap();
    let picture = |(path, file): (PathBuf, sightline_index::FileRecord)| {
        let bytes = fs_err::read(&path).unwrap();
        let limits = DecodeLimits::default();
        let decoded = decode_reduced(&bytes, &limits, PerceptualHash::SMALLEST).unwrap();
        let picture = Picture {
            vector: reader.vector(file.image).unwrap().unwrap(),
            hash: PerceptualHash::of(&decoded.image),
            colours: ColourGrid::of(&decoded.image),
        };
        (path, picture)
    };
    files.into_par_iter().map(picture).collect()
}

/// Prints how many of these pairs of similarity and hash distance are within each pair of bounds.
fn print_grid(pairs: &[(f32, u32)]) {
    let columns = DISTANCES.map(|bits| format!("{bits:>6}"));
    println!("  similarity | bits {}", columns.join(""));
    for min in SIMILARITIES {
        let counts = DISTANCES.map(|max| {
            let is_within = |&&(similarity, bits): &&(f32, u32)| similarity >= min && bits <= max;
            format!("{:>6}", pairs.iter().filter(is_within).count())
        });
        println!("  {min:>10} |      {}", counts.join(""));
    }
}

/// Prints how far copies are from their photos: in similarity and bits, in colour, and in number of
/// other photos between them.
fn print_spread(pairs: &[(f32, u32)], mut colours: Vec<f32>, ranks: &[usize]) {
    let n = pairs.len();
    let mut similarities: Vec<f32> = pairs.iter().map(|pair| pair.0).collect();
    let mut distances: Vec<u32> = pairs.iter().map(|pair| pair.1).collect();
    similarities.sort_by(f32::total_cmp);
    distances.sort_unstable();
    colours.sort_by(f32::total_cmp);
    println!(
        "  similarity {:.3}, 1 % below {:.3}; {} bits, 1 % above {}",
        similarities[n / 2],
        similarities[n / 100],
        distances[n / 2],
        distances[n - 1 - n / 100]
    );
    println!(
        "  colours differ by {:.1}, from {:.1} to {:.1}",
        colours[n / 2],
        colours[0],
        colours[n - 1]
    );
    for n in NEAREST {
        let n_near = ranks.iter().filter(|&&rank| rank < n).count();
        print!("  {n_near} among the nearest {n}");
    }
    println!();
}

/// A way to make a copy.
type Make = fn(&RgbImage, &Path);

const COPIES: [(&str, Make); 14] = [
    ("q40.jpg", |photo, to| as_jpeg(photo, to, 40)),
    ("q20.jpg", |photo, to| as_jpeg(photo, to, 20)),
    ("half.jpg", |photo, to| as_jpeg(&scaled(photo, 2), to, 85)),
    ("third.jpg", |photo, to| as_jpeg(&scaled(photo, 3), to, 85)),
    ("third-q40.jpg", |photo, to| {
        as_jpeg(&scaled(photo, 3), to, 40);
    }),
    ("fifth.jpg", |photo, to| as_jpeg(&scaled(photo, 5), to, 85)),
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
    ("crop95.jpg", |photo, to| {
        as_jpeg(&cropped(photo, 95), to, 90);
    }),
    ("crop90.jpg", |photo, to| {
        as_jpeg(&cropped(photo, 90), to, 90);
    }),
    // The last two are no copies: in other colours, and without any.
    ("swapped.jpg", |photo, to| {
        let mut other = photo.clone();
        for image::Rgb([red, _, blue]) in other.pixels_mut() {
            std::mem::swap(red, blue);
        }
        as_jpeg(&other, to, 90);
    }),
    ("grey.jpg", |photo, to| {
        let grey = imageops::grayscale(photo);
        as_jpeg(&image::DynamicImage::ImageLuma8(grey).to_rgb8(), to, 90);
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

fn copies(photos: &[PathBuf], all: &HashMap<PathBuf, Picture>) {
    let place = tempfile::tempdir().unwrap();
    let place = fs_err::canonicalize(place.path()).unwrap();
    let (library, at) = (place.join("photos"), place.join("index"));
    // Each photo and its copies, in one folder.
    photos.par_iter().enumerate().for_each(|(number, photo)| {
        let folder = library.join(number.to_string());
        fs_err::create_dir_all(&folder).unwrap();
        fs_err::copy(photo, folder.join("photo.jpg")).unwrap();
        let decoded = image::open(photo).unwrap().to_rgb8();
        for (name, make) in COPIES {
            make(&decoded, &folder.join(name));
        }
    });
    index(&library, &at);
    let pictures = pictures(&IndexReader::open(&at, None).unwrap());
    let report = duplicates(&at);
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
        let (mut n_found, mut pairs, mut ranks) = (0, Vec::new(), Vec::new());
        let mut colours = Vec::new();
        for (number, original) in photos.iter().enumerate() {
            let folder = library.join(number.to_string());
            let (photo, copy) = (folder.join("photo.jpg"), folder.join(name));
            let group = group_of.get(photo.as_path());
            n_found += usize::from(group.is_some() && group == group_of.get(copy.as_path()));
            let [a, b] = [photo, copy].map(|path| &pictures[&path]);
            let similarity = a.vector.similarity(&b.vector);
            pairs.push((similarity, a.hash.distance(b.hash)));
            colours.push(a.colours.difference(&b.colours));
            let rank = |vector: &UnitVector| {
                let others = all.iter().filter(|(path, _)| *path != original);
                let nearer =
                    others.filter(|(_, other)| vector.similarity(&other.vector) > similarity);
                nearer.count()
            };
            ranks.push(rank(&a.vector).min(rank(&b.vector)));
        }
        println!("{name}: {n_found} of {} found", photos.len());
        print_spread(&pairs, colours, &ranks);
        print_grid(&pairs);
    }
    fs_err::remove_dir_all(place).unwrap();
}

fn different(folder: &Path, at: &Path) -> HashMap<PathBuf, Picture> {
    index(folder, at);
    let reader = IndexReader::open(at, None).unwrap();
    let began = Instant::now();
    let pictures: Vec<(PathBuf, Picture)> = pictures(&reader).into_iter().collect();
    println!(
        "{} photos hashed in {:.1} s",
        pictures.len(),
        began.elapsed().as_secs_f64()
    );
    let pairs_of = |at: usize| {
        let (_, a) = &pictures[at];
        let others = pictures.iter().enumerate().skip(at + 1);
        let pairs = others.filter_map(|(other, (_, b))| {
            let bits = a.hash.distance(b.hash);
            (bits <= MAX_PRINTED).then(|| (a.vector.similarity(&b.vector), bits, at, other))
        });
        pairs.collect::<Vec<_>>()
    };
    let all = (0..pictures.len()).into_par_iter().flat_map_iter(pairs_of);
    let mut all: Vec<(f32, u32, usize, usize)> = all.collect();
    all.sort_by_key(|pair| pair.1);
    let grid: Vec<(f32, u32)> = all.iter().map(|pair| (pair.0, pair.1)).collect();
    println!("pairs of photos within the bounds");
    print_grid(&grid);
    for (similarity, bits, a, b) in all {
        let names = [a, b].map(|at| file_name(&pictures[at].0));
        println!("  {bits} bits, {similarity:.3}: {}", names.join(" and "));
    }
    let nearest = |(_, picture): &(PathBuf, Picture)| {
        let near = reader.nearest(ItemKind::Image, &picture.vector, 2, &Nearest::default());
        near.unwrap().last().unwrap().similarity
    };
    let nearest: Vec<f32> = pictures.par_iter().map(nearest).collect();
    for min in SIMILARITIES {
        let n = nearest.iter().filter(|&&nearest| nearest >= min).count();
        println!("{n} photos have a neighbour of similarity {min}");
    }
    for group in &duplicates(at).groups {
        for other in &group.others {
            let names = [&group.keep, other].map(|file| file_name(&file.path));
            let (similarity, distance) = (other.similarity, other.hash_distance);
            println!(
                "  {}: similarity {similarity:?}, {distance} bits",
                names.join(" and ")
            );
        }
    }
    pictures.into_iter().collect()
}
