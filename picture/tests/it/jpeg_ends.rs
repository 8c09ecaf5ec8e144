use image::RgbImage;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use sightline_picture::{DecodeError, DecodeLimits, Smallest, decode, decode_reduced};

use crate::data;

const END: [u8; 2] = [0xFF, 0xD9];

/// What stands behind the data of pictures: nothing, an end marker, zeros, an erased block of a
/// card, a film, makers' trailers, another picture.
fn tails() -> Vec<(&'static str, Vec<u8>)> {
    let film = |n_bytes: u32| {
        let mut film = b"\0\0\0\x18ftypmp42\0\0\0\0isommp42".to_vec();
        film.extend((n_bytes + 8).to_be_bytes());
        film.extend(b"mdat");
        // Pseudo-random, as a film's data are (Knuth's MMIX constants).
        let mut state = 0x2026_1126_u64;
        film.extend((0..n_bytes).map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        }));
        film
    };
    let other = sample("pictures/grey.jpg");
    vec![
        ("nothing", Vec::new()),
        ("end", END.to_vec()),
        ("end and film", [&END[..], &film(900)].concat()),
        ("half an end", vec![0xFF]),
        ("zeros", vec![0; 4096]),
        ("a zero", vec![0]),
        ("ones", vec![0xFF; 4096]),
        ("zeros and an end", [&[0; 64][..], &END].concat()),
        ("film", film(9000)),
        ("short film", film(16)),
        (
            "Samsung",
            b"\0\0\x01\x0a\x0e\0\0\0Image_UTC_Data1700000000000SEFH\x6a\0\0\0\x01\0\0\0SEFT"
                .to_vec(),
        ),
        ("text", b"a trailer, as some cameras write".to_vec()),
        ("picture", other),
    ]
}

fn sample(name: &str) -> Vec<u8> {
    fs_err::read(data().join(name)).unwrap()
}

/// JPEGs of all kinds by name, each ending with its end marker.
fn jpegs() -> Vec<(String, Vec<u8>)> {
    let mut jpegs: Vec<(String, Vec<u8>)> = Vec::new();
    for folder in ["jpeg", "pictures", "formats"] {
        for entry in fs_err::read_dir(data().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let bytes = sample(&format!("{folder}/{name}"));
            if name.ends_with("jpg") && bytes.starts_with(&[0xFF, 0xD8]) && bytes.ends_with(&END) {
                jpegs.push((name, bytes));
            }
        }
    }
    jpegs.sort();
    let photo = decode(
        &sample("pictures/landscape_420.jpg"),
        &DecodeLimits::default(),
    )
    .unwrap();
    for (sampling, interval) in [
        (SamplingFactor::R_4_2_0, 1),
        (SamplingFactor::R_4_4_4, 20),
        (SamplingFactor::R_4_1_0, 0),
    ] {
        for kind in ["sequential", "scans", "progressive"] {
            let mut bytes = Vec::new();
            let mut encoder = Encoder::new(&mut bytes, 90);
            encoder.set_sampling_factor(sampling);
            match kind {
                "sequential" => encoder.set_restart_interval(interval),
                "scans" => encoder.set_optimized_huffman_tables(true),
                _ => encoder.set_progressive_scans(12),
            }
            encoder.encode(&photo, 320, 214, ColorType::Rgb).unwrap();
            jpegs.push((format!("{kind} {sampling:?} {interval}"), bytes));
        }
    }
    jpegs
}

/// Whole, and as small as it gets.
fn decoded(bytes: &[u8]) -> [Result<RgbImage, DecodeError>; 2] {
    let limits = DecodeLimits::default();
    [Smallest::whole(), Smallest::shorter_side(1)]
        .map(|smallest| decode_reduced(bytes, &limits, smallest).map(|decoded| decoded.image))
}

#[test]
fn whatever_follows_the_data_a_whole_jpeg_is_read() {
    let mut n_cases = 0;
    let mut wrong = Vec::new();
    for (name, bytes) in jpegs() {
        let expected = decoded(&bytes);
        let data = bytes.strip_suffix(&END).unwrap();
        for (tail, follows) in tails() {
            let found = decoded(&[data, &follows].concat());
            for (n, (expected, found)) in expected.iter().zip(found).enumerate() {
                let expected = expected.as_ref().unwrap();
                let is_same = found.as_ref().is_ok_and(|found| found == expected);
                if !is_same {
                    let found = found.map(|found| found.dimensions());
                    wrong.push(format!("{name}, then {tail}, {n}: {found:?}"));
                }
                n_cases += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {n_cases}: {wrong:#?}", wrong.len());
    assert_eq!(n_cases, 1404);
}

#[test]
fn whatever_follows_the_data_a_cut_jpeg_is_refused() {
    let mut n_cases = 0;
    let mut wrong = Vec::new();
    for (name, bytes) in jpegs() {
        let data = bytes.strip_suffix(&END).unwrap();
        let scan = data.windows(2).rposition(|w| w == [0xFF, 0xDA]).unwrap();
        let n_coded = data.len() - scan;
        let kept = |per_mille| scan + n_coded * per_mille / 1000;
        for at in [kept(500), kept(900), kept(980), data.len() - 6] {
            if at < scan + 20 {
                continue;
            }
            for (tail, follows) in tails() {
                let found = decoded(&[&data[..at], &follows].concat());
                let is_progressive = name.contains("progressive");
                let is_closed = tail.contains("end");
                let is_marked = matches!(tail, "end" | "end and film");
                // Nothing tells a text of unknown meaning from the last few bytes, nor zeros.
                let is_likely = matches!(tail, "text" | "a zero" | "zeros");
                if (at > kept(980) || at + 8 > data.len()) && is_likely {
                    continue;
                }
                if is_closed && tail.starts_with("zeros") {
                    continue;
                }
                // The last scan of a progressive picture may well end with zeros.
                if is_progressive && tail == "zeros" {
                    continue;
                }
                for (n, found) in found.into_iter().enumerate() {
                    // What is skipped at a reduced size does not matter to it.
                    if n == 1 && is_progressive && is_marked {
                        continue;
                    }
                    n_cases += 1;
                    if found.is_ok() {
                        wrong.push(format!("{name} at {at} of {}, {tail}, {n}", data.len()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {n_cases}: {wrong:#?}", wrong.len());
    assert!(n_cases > 4000, "{n_cases}");
}
