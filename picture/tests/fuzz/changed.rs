use std::cell::Cell;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use sightline_picture::{
    DecodeError, DecodeLimits, Smallest, decode, decode_reduced, memory_needed,
};

use crate::change::Change;
use crate::counted::{alone, counted};
use crate::samples;

/// Changes per file.
const N_CASES: u32 = 24;

#[test]
fn changed_files_stay_within_the_limits() {
    let _alone = alone();
    let limits = DecodeLimits::default()
        .with_max_pixels(1 << 20)
        .with_max_bytes(64 << 20)
        .with_max_time(Duration::from_secs(3));
    let n_cases = Cell::new(0);
    let n_refused = Cell::new(0);
    let mut n_extensions = 0;
    for (extension, files) in samples() {
        n_extensions += 1;
        let reduces = matches!(extension.as_str(), "jpg" | "cr2" | "dng" | "nef");
        for (name, bytes) in files {
            let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
            let config = Config {
                cases: N_CASES,
                failure_persistence: None,
                ..Config::default()
            };
            let mut runner = TestRunner::new_with_rng(config, rng);
            let outcome = runner.run(&Change::any(), |change| {
                let changed = change.apply(&bytes);
                let check = |work: &dyn Fn() -> Result<(), DecodeError>| {
                    let (result, took) = counted(work);
                    n_cases.set(n_cases.get() + 1);
                    n_refused.set(n_refused.get() + u32::from(result.is_err()));
                    prop_assert!(took.time < Duration::from_secs(5), "{:?}", took.time);
                    prop_assert!(took.memory <= limits.max_bytes, "{} bytes", took.memory);
                    if let Err(error) = result {
                        let reason = error.reason();
                        prop_assert!(is_plain(&reason), "{reason:?}");
                    }
                    Ok(())
                };
                check(&|| decode(&changed, &limits).map(drop))?;
                if reduces {
                    let smallest = Smallest::shorter_side(8);
                    check(&|| decode_reduced(&changed, &limits, smallest).map(drop))?;
                }
                // The estimate reads headers only.
                let (_, took) = counted(|| memory_needed(&changed));
                prop_assert!(took.memory <= limits.max_bytes / 4, "{} bytes", took.memory);
                Ok(())
            });
            assert!(outcome.is_ok(), "{name}: {}", outcome.unwrap_err());
        }
    }
    assert_eq!(n_extensions, 25);
    let (n_cases, n_refused) = (n_cases.get(), n_refused.get());
    assert!(n_cases >= 138 * N_CASES, "{n_cases}");
    // Most changes make a file undecodable, but not all.
    assert!(
        n_refused > n_cases / 2 && n_refused < n_cases,
        "{n_refused} of {n_cases}"
    );
}

/// Whether a reason is one line of plain words: no data structure of a decoder, no name of a Rust
/// type, nothing that a terminal interprets.
fn is_plain(reason: &str) -> bool {
    const NAMES: [&str; 7] = [
        "WebP",
        "BigTIFF",
        "DirectDraw",
        "OpenEXR",
        "CgBI",
        "JPEG-LS",
        "10bit",
    ];
    let is_name = |word: &str| {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        let letters: Vec<char> = word.chars().collect();
        let is_mixed = letters
            .windows(2)
            .any(|pair| pair[0].is_lowercase() && pair[1].is_uppercase());
        !is_mixed || NAMES.contains(&word)
    };
    let is_safe = |c: char| !c.is_control() && !"{}[]<>\"\\\u{202e}".contains(c);
    !reason.is_empty()
        && reason.chars().all(is_safe)
        && !reason.contains("::")
        && reason.split(' ').all(is_name)
}
