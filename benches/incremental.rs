//! Time to find that nothing changed in an index of many files: 100,000 tiny pictures with
//! `cargo bench --bench incremental`, fewer with `cargo bench --bench incremental -- 1000`. The
//! encoder is a fake, so filling the index is mostly building its graph; unchanged files never
//! reach it.
#![expect(clippy::unwrap_used, reason = "a benchmark ends where something fails")]
#![expect(clippy::print_stdout, reason = "its figures are what it is for")]

use std::path::Path;
use std::time::Instant;

use image::{ImageFormat, Rgb, RgbImage};
use sightline::engine::{
    Encoders, Engine, EngineError, ImageEncoder, IndexReport, IndexRequest, Lane, ModelIdentity,
    TextEncoder, quietly,
};
use sightline_onnx::{
    Channels, Interpolation, Pixels, PreprocessConfig, Preprocessor, Resize, Rounding,
};

const N_FILES: usize = 100_000;
const N_FOLDERS: usize = 100;
const SIDE: u32 = 4;
const N_RUNS: usize = 5;

/// The pixels themselves are the vector.
struct PixelEncoder(Preprocessor);

impl ImageEncoder for PixelEncoder {
    fn prepare(&self, picture: &RgbImage) -> Pixels {
        self.0.pixels(picture)
    }

    fn encode_in(&self, _: Lane, batch: &[Pixels]) -> Result<Vec<Vec<f32>>, EngineError> {
        let unit = |pixels: &Pixels| {
            let values = pixels.as_slice();
            let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
            values.iter().map(|value| value / length).collect()
        };
        Ok(batch.iter().map(unit).collect())
    }
}

/// There are no texts.
struct NoTexts;

impl TextEncoder for NoTexts {
    fn encode(&self, _: &[&str]) -> Result<Vec<Vec<f32>>, EngineError> {
        Ok(Vec::new())
    }

    fn n_tokens_dropped(&self, _: &str) -> Result<usize, EngineError> {
        Ok(0)
    }

    fn knows(&self, _: &str) -> Result<bool, EngineError> {
        Ok(true)
    }
}

fn encoders() -> Encoders {
    let config = PreprocessConfig {
        width: SIDE,
        height: SIDE,
        resize: Resize::Squash,
        interpolation: Interpolation::Bilinear,
        rescale: 1.0 / 255.0,
        mean: [0.5; 3],
        std: [0.5; 3],
        channels: Channels::default(),
        fill: [0; 3],
        rounding: Rounding::default(),
    };
    let identity = ModelIdentity {
        name: "pixels".to_owned(),
        fingerprint: "pixels".to_owned(),
        dimension: 3 * 16,
    };
    let image = PixelEncoder(Preprocessor::new(&config));
    Encoders::new(identity, Box::new(image), Box::new(NoTexts))
}

/// Tiny pictures in folders, each with a content of its own.
fn draw(folder: &Path, n_files: usize) {
    for number in 0..n_files {
        let parent = folder.join(format!("album{}", number % N_FOLDERS));
        if number < N_FOLDERS {
            fs_err::create_dir_all(&parent).unwrap();
        }
        // Numbers as noise (SplitMix64), so that vectors point everywhere, as those of photos do.
        let mut state = number as u64;
        let mut next = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            (mixed ^ (mixed >> 27)).to_be_bytes()
        };
        let picture = RgbImage::from_fn(SIDE, SIDE, |_, _| {
            let [red, green, blue, ..] = next();
            Rgb([red, green, blue])
        });
        let path = parent.join(format!("IMG_{number:06}.png"));
        picture.save_with_format(path, ImageFormat::Png).unwrap();
    }
}

fn run(index: &Path, photos: &Path) -> (IndexReport, f64) {
    let engine = Engine::open(index, encoders());
    let began = Instant::now();
    let report = engine
        .index(&IndexRequest::folder(photos), &mut quietly)
        .unwrap();
    (report, began.elapsed().as_secs_f64())
}

fn main() {
    let asked = std::env::args()
        .skip(1)
        .find_map(|argument| argument.parse().ok());
    let n_files: usize = asked.unwrap_or(N_FILES);
    let folder = tempfile::tempdir().unwrap();
    let (photos, index) = (folder.path().join("photos"), folder.path().join("index"));
    let began = Instant::now();
    draw(&photos, n_files);
    println!(
        "{n_files} files drawn in {:.1} s",
        began.elapsed().as_secs_f64()
    );
    let (report, seconds) = run(&index, &photos);
    assert_eq!((report.n_added, report.skipped.len()), (n_files, 0));
    println!("indexed in {seconds:.1} s");
    let mut times = Vec::new();
    for _ in 0..N_RUNS {
        let (report, seconds) = run(&index, &photos);
        assert_eq!(report.n_unchanged, n_files);
        times.push(seconds);
        println!("found unchanged in {seconds:.2} s");
    }
    times.sort_by(f64::total_cmp);
    println!(
        "{n_files} unchanged files: {:.2} s at the median of {N_RUNS}",
        times[N_RUNS / 2]
    );
}
