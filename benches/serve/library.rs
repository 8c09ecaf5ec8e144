//! An index of many items for the real model, without encoding a picture for each, and a folder of
//! photos that are still to be indexed.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::Deserialize;
use sightline::engine::{Encoders, LanguageHint};
use sightline_index::{
    Binding, Details, FileRecord, IndexWriter, ItemId, Library, Moment, UnitVector, WriterOptions,
};

/// Photos that wait to be indexed: more than a run of all measurements gets to.
const N_WAITING: u32 = 6_000;

/// How far a made vector is from that of a real photo or caption: the length of what is added to a
/// vector of unit length. The cosine between both is 0.8, as between photos of one subject.
const SPREAD: f32 = 0.75;

/// The sample photos, their captions and the vectors of both.
pub(crate) struct Samples {
    binding: Binding,
    photos: Vec<(PathBuf, Vec<f32>)>,
    captions: Vec<(String, Vec<f32>)>,
}

#[derive(Deserialize)]
struct Row {
    image: PathBuf,
    captions: Vec<String>,
}

impl Samples {
    /// Encodes the sample photos.
    pub(crate) fn new(encoders: &Encoders) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/photos");
        let rows = fs_err::read_to_string(folder.join("captions.jsonl")).unwrap();
        let (mut photos, mut captions) = (Vec::new(), Vec::new());
        for row in rows.lines() {
            let row: Row = serde_json::from_str(row).unwrap();
            let path = folder.join(&row.image);
            let Ok(picture) = image::open(&path) else {
                continue;
            };
            let pixels = encoders.image().prepare(&picture.into_rgb8());
            let vector = encoders.image().encode(&[pixels]).unwrap().remove(0);
            photos.push((path, vector));
            for caption in row.captions {
                let text = encoders.text(&caption, LanguageHint::default()).unwrap();
                let vector = text.encode(&[&caption]).unwrap().remove(0);
                captions.push((caption, vector));
            }
        }
        assert!(photos.len() > 50, "{} photos", photos.len());
        let identity = encoders.identity().clone();
        let binding = Binding {
            dimension: identity.dimension,
            fingerprint: identity.fingerprint,
            model: identity.name,
        };
        Self {
            binding,
            photos,
            captions,
        }
    }

    /// A text that no other number has: words of several captions.
    pub(crate) fn text(&self, number: u64) -> String {
        let mut rng = StdRng::seed_from_u64(number);
        let mut words = Vec::new();
        for _ in 0..2 {
            let caption = &self.captions[rng.random_range(0..self.captions.len())].0;
            let all: Vec<&str> = caption.split(' ').collect();
            let first = rng.random_range(0..all.len());
            words.extend(all.into_iter().skip(first).take(4));
        }
        format!("{} {number}", words.join(" "))
    }

    /// Makes an index of `n` images in `index`, each second with a caption, in the library folder
    /// `library`, where there are no files.
    pub(crate) fn make_index(&self, index: &Path, library: &Path, n: u32) {
        let options = WriterOptions::default();
        let mut writer = IndexWriter::open_or_create_with(index, &self.binding, options).unwrap();
        let mut rng = StdRng::seed_from_u64(5);
        for number in 0..n {
            let vector = near(
                &self.photos[number as usize % self.photos.len()].1,
                &mut rng,
            );
            let mut hash = [7; 32];
            hash[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b1).to_be_bytes());
            let image = writer.put_image(hash, 4_000, 3_000, vector).unwrap();
            let (year, day) = (2_000 + number % 25, 1 + number % 28);
            let taken = Moment::new(
                u16::try_from(year).unwrap(),
                u8::try_from(1 + number % 12).unwrap(),
                u8::try_from(day).unwrap(),
                Some([12, 0, 0]),
            );
            let details = Details {
                taken,
                ..Details::default()
            };
            writer.set_details(image, details).unwrap();
            put_file(&mut writer, library, number, image);
            if number % 2 == 0 {
                self.put_caption(&mut writer, library, number, image, &mut rng);
            }
            if number % 5_000 == 4_999 {
                writer.commit().unwrap();
            }
        }
        note_library(&mut writer, library, u64::from(n));
        writer.finish().unwrap();
    }

    fn put_caption(
        &self,
        writer: &mut IndexWriter,
        library: &Path,
        number: u32,
        image: ItemId,
        rng: &mut StdRng,
    ) {
        let (_, vector) = &self.captions[number as usize % self.captions.len()];
        let caption = (self.text(u64::from(number)), near(vector, rng));
        let source = library.join("captions.jsonl");
        writer
            .set_captions(Some(image), &source, vec![caption])
            .unwrap();
    }

    /// Fills `folder` with photos, all different, and adds it to the library folders of the index.
    pub(crate) fn make_waiting(&self, index: &Path, folder: &Path) {
        fs_err::create_dir_all(folder).unwrap();
        let small: Vec<Vec<u8>> = self.photos.iter().map(|(path, _)| small(path)).collect();
        for number in 0..N_WAITING {
            // What follows the end of a JPEG is no part of the picture, but of the content.
            let mut bytes = small[number as usize % small.len()].clone();
            bytes.extend(number.to_be_bytes());
            fs_err::write(folder.join(format!("{number:05}.jpg")), bytes).unwrap();
        }
        let options = WriterOptions::default();
        let mut writer = IndexWriter::open_or_create_with(index, &self.binding, options).unwrap();
        note_library(&mut writer, folder, 0);
        writer.finish().unwrap();
    }
}

fn put_file(writer: &mut IndexWriter, library: &Path, number: u32, image: ItemId) {
    let file = FileRecord {
        n_bytes: 1,
        modified_ns: 2,
        image,
        change: None,
    };
    let path = library.join(format!("{}/IMG_{number:08}.jpg", number % 100));
    writer.put_file(&path, file).unwrap();
}

fn note_library(writer: &mut IndexWriter, folder: &Path, n_files: u64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let library = Library {
        folder: folder.to_path_buf(),
        n_files,
        last_run_unix_s: now.as_secs(),
    };
    writer.put_library(library).unwrap();
}

/// A photo of 640 pixels as JPEG.
fn small(path: &Path) -> Vec<u8> {
    let picture = image::open(path).unwrap().thumbnail(640, 640).into_rgb8();
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture
        .write_to(&mut bytes, image::ImageFormat::Jpeg)
        .unwrap();
    bytes.into_inner()
}

fn near(vector: &[f32], rng: &mut StdRng) -> UnitVector {
    let each = SPREAD / (vector.len() as f32).sqrt();
    let values = vector.iter().map(|value| value + each * normal(rng));
    let mut values: Vec<f32> = values.collect();
    let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    for value in &mut values {
        *value /= length;
    }
    UnitVector::new(values).unwrap()
}

fn normal(rng: &mut StdRng) -> f32 {
    let (u, v) = (1.0 - rng.random::<f32>(), rng.random::<f32>());
    (-2.0 * u.ln()).sqrt() * (std::f32::consts::TAU * v).cos()
}
