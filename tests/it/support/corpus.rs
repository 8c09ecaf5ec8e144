//! Generated pictures and damaged files.

use std::io::{Cursor, Write};
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::{ImageFormat, Rgb, RgbImage};

/// The colours that the colour model has words for.
pub(crate) const COLOURS: [(&str, [u8; 3]); 8] = [
    ("red", [255, 0, 0]),
    ("green", [0, 255, 0]),
    ("blue", [0, 0, 255]),
    ("yellow", [255, 255, 0]),
    ("pink", [255, 0, 255]),
    ("cyan", [0, 255, 255]),
    ("white", [255, 255, 255]),
    ("black", [0, 0, 0]),
];

pub(crate) fn colour(name: &str) -> [u8; 3] {
    let found = COLOURS.iter().find(|(colour, _)| *colour == name);
    found.unwrap_or_else(|| panic!("no colour {name}")).1
}

/// A picture of one colour, in the format that the path's extension names.
pub(crate) fn plain(path: &Path, name: &str) {
    save(path, &RgbImage::from_pixel(48, 32, Rgb(colour(name))));
}

/// A picture of two colours, left and right.
pub(crate) fn halves(left: &str, right: &str) -> RgbImage {
    RgbImage::from_fn(48, 32, |x, _| {
        Rgb(colour(if x < 24 { left } else { right }))
    })
}

pub(crate) fn save(path: &Path, picture: &RgbImage) {
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    if path.extension().is_some_and(|extension| extension == "ico") {
        // Icons have alpha.
        let rgba = image::DynamicImage::from(picture.clone()).into_rgba8();
        rgba.save(path).unwrap();
    } else {
        picture.save(path).unwrap();
    }
}

/// Writes one picture per colour into a folder: `red.png`, `green.png` and so on.
pub(crate) fn one_of_each(folder: &Path) {
    for (name, _) in COLOURS {
        plain(&folder.join(format!("{name}.png")), name);
    }
}

/// Writes `n` small, different pictures, named from `0000.png`.
pub(crate) fn numbered(folder: &Path, n: usize) {
    fs_err::create_dir_all(folder).unwrap();
    for number in 0..n {
        let path = folder.join(format!("{number:04}.png"));
        fs_err::write(path, one_numbered(number)).unwrap();
    }
}

/// Writes [`numbered`] pictures and `captions.jsonl`, in which every tenth picture has the captions
/// `number N` and `more`.
pub(crate) fn numbered_with_captions(folder: &Path, n: usize, more: &[&str]) {
    numbered(folder, n);
    let line = |number: usize| {
        let caption = format!("number {number}");
        let mut captions = vec![caption.as_str()];
        captions.extend(more);
        let image = format!("{number:04}.png");
        format!(
            "{}\n",
            serde_json::json!({ "image": image, "captions": captions })
        )
    };
    let lines: Vec<String> = (0..n).step_by(10).map(line).collect();
    fs_err::write(folder.join("captions.jsonl"), lines.concat()).unwrap();
}

/// A small PNG, different for each number.
pub(crate) fn one_numbered(number: usize) -> Vec<u8> {
    let [_, _, high, low] = u32::try_from(number).unwrap().to_be_bytes();
    // The number is in one corner, so that no two pictures are equal.
    let mut picture = RgbImage::from_pixel(8, 8, Rgb([high.wrapping_mul(40), low, 128]));
    picture.put_pixel(0, 0, Rgb([high, low, 0]));
    let mut png = Cursor::new(Vec::new());
    picture.write_to(&mut png, ImageFormat::Png).unwrap();
    png.into_inner()
}

pub(crate) fn jpeg(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 95)
        .encode_image(picture)
        .unwrap();
    bytes
}

/// A JPEG with an EXIF orientation of 1 to 8 (TIFF 6.0 tag 0x0112).
pub(crate) fn jpeg_with_orientation(picture: &RgbImage, orientation: u16) -> Vec<u8> {
    let mut exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01".to_vec();
    exif.extend([0x01, 0x12, 0, 3, 0, 0, 0, 1]);
    exif.extend(orientation.to_be_bytes());
    exif.extend([0, 0, 0, 0, 0, 0]);
    let mut bytes = vec![0xff, 0xd8, 0xff, 0xe1];
    bytes.extend(u16::try_from(exif.len() + 2).unwrap().to_be_bytes());
    bytes.extend(exif);
    bytes.extend(&jpeg(picture)[2..]);
    bytes
}

/// A JPEG with a camera and a date in EXIF, and places in XMP. The camera's name contains an
/// escape sequence.
pub(crate) fn jpeg_with_details(picture: &RgbImage) -> Vec<u8> {
    let entry = |tag: u16, kind: u16, n: usize, value: u32| {
        let n = u32::try_from(n).unwrap().to_be_bytes();
        [
            &tag.to_be_bytes()[..],
            &kind.to_be_bytes(),
            &n,
            &value.to_be_bytes(),
        ]
        .concat()
    };
    let (make, model, taken) = ("NIKON\0", "NIKON \x1b[31m D750\0", "2023:08:14 17:03:21\0");
    // Two directories of three entries and one, then the texts.
    let (below, texts) = (8 + 2 + 3 * 12 + 4, 8 + 2 + 3 * 12 + 4 + 2 + 12 + 4);
    let at = |n_before: usize| texts + u32::try_from(n_before).unwrap();
    let exif = [
        b"Exif\0\0MM\0*\0\0\0\x08\0\x03".to_vec(),
        entry(271, 2, make.len(), at(0)),
        entry(272, 2, model.len(), at(make.len())),
        entry(34_665, 4, 1, below),
        vec![0; 4],
        vec![0, 1],
        entry(36_867, 2, taken.len(), at(make.len() + model.len())),
        vec![0; 4],
        [make, model, taken].concat().into_bytes(),
    ]
    .concat();
    let xmp = "http://ns.adobe.com/xap/1.0/\0<x xmlns:p='http://ns.adobe.com/photoshop/1.0/' \
               xmlns:i='http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/' i:Location='Fushimi Inari'>\
               <p:City>Kyoto</p:City><p:Country>Japan</p:Country></x>";
    let mut bytes = vec![0xff, 0xd8];
    for segment in [&exif[..], xmp.as_bytes()] {
        bytes.extend([0xff, 0xe1]);
        bytes.extend(u16::try_from(segment.len() + 2).unwrap().to_be_bytes());
        bytes.extend(segment);
    }
    bytes.extend(&jpeg(picture)[2..]);
    bytes
}

/// Writes a valid PNG of 30,000 × 30,000 black pixels in about 100 kB.
pub(crate) fn bomb(path: &Path) {
    const SIDE: u32 = 30_000;
    let mut encoder = png::Encoder::new(fs_err::File::create(path).unwrap(), SIDE, SIDE);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let mut writer = encoder.write_header().unwrap();
    let mut rows = writer.stream_writer().unwrap();
    let row = vec![0; SIDE.div_ceil(8) as usize];
    for _ in 0..SIDE {
        rows.write_all(&row).unwrap();
    }
    rows.finish().unwrap();
    writer.finish().unwrap();
    let n_bytes = fs_err::metadata(path).unwrap().len();
    assert!(
        n_bytes < 2_000_000,
        "{n_bytes} bytes are too many for a bomb"
    );
}

/// A JPEG whose header claims 30,000 × 30,000 pixels.
pub(crate) fn jpeg_bomb() -> Vec<u8> {
    let mut bytes = jpeg(&halves("red", "blue"));
    let frame = bytes
        .windows(2)
        .position(|pair| pair == [0xff, 0xc0])
        .expect("a frame header");
    // Marker, length, precision, then height and width (ITU T.81, B.2.2).
    bytes[frame + 5..frame + 7].copy_from_slice(&30_000_u16.to_be_bytes());
    bytes[frame + 7..frame + 9].copy_from_slice(&30_000_u16.to_be_bytes());
    bytes
}
