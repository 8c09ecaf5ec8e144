//! Titles, descriptions and keywords: what somebody wrote about a picture, without what cameras and
//! programs write into the same fields.

use super::fields::clean_to;
use crate::formats::is_picture;

/// Maximum length of a description in characters; longer ones are cut. IPTC allows 2,000.
const MAX_TEXT_CHARS: usize = 2_000;

/// Maximum number of titles and descriptions, and of keywords.
pub(super) const MAX_TEXTS: usize = 8;
pub(super) const MAX_KEYWORDS: usize = 64;

/// Maximum length of a keyword in characters; longer ones are left out.
const MAX_KEYWORD_CHARS: usize = 100;

/// What cameras, phones and programs write where a description belongs, in lower case.
const NOT_WRITTEN: [&str; 44] = [
    "ascii",
    "binary comment",
    "btf",
    "camera",
    "charset=ascii",
    "charset=unicode",
    "cof",
    "created with gimp",
    "created with the gimp",
    "dav",
    "dcf 1.0",
    "default",
    "description",
    "digital camera",
    "digital image",
    "edf",
    "exif_jpeg_picture",
    "exif_jpeg_420",
    "fbt",
    "file source: dsc",
    "hdr",
    "hdrpl",
    "image description",
    "jpeg",
    "maker:0x,date:0-0-0,ver:0,lens:0x,act:lar,e-y",
    "mde",
    "minolta dimage",
    "no description",
    "nor",
    "null",
    "oznor",
    "oznorwo",
    "photo",
    "picture",
    "ptr",
    "rbt",
    "rhdr",
    "rptnb",
    "screenshot",
    "sdr",
    "sony dsc",
    "untitled",
    "user comments",
    "vsc",
];

/// Endings of what a maker writes: its name before them.
const NOT_WRITTEN_ENDS: [&str; 5] = [
    " digital camera",
    " digital still camera",
    " camera pictures",
    " dsc",
    " picture",
];

/// Makers whose names precede [`NOT_WRITTEN_ENDS`], in lower case.
const MAKERS: [&str; 19] = [
    "agfa",
    "canon",
    "casio",
    "digimax",
    "epson",
    "fujifilm",
    "hp",
    "kodak",
    "konica",
    "minolta",
    "nikon",
    "olympus",
    "panasonic",
    "pentax",
    "polaroid",
    "ricoh",
    "samsung",
    "sony",
    "toshiba",
];

/// A title or description, if somebody wrote it.
pub(super) fn written(text: &str) -> Option<String> {
    let text = clean_to(MAX_TEXT_CHARS, text)?;
    let lower = text.to_lowercase();
    let is_by_maker = |end: &&str| {
        let before = lower.strip_suffix(end);
        before.is_some_and(|before| before.split(' ').all(|word| MAKERS.contains(&word)))
    };
    let is_said_by_maker = NOT_WRITTEN_ENDS.iter().any(is_by_maker);
    let is_words = text.chars().any(char::is_alphabetic);
    // Data of a program, not words.
    let is_data = text.starts_with(['{', '[', '<']) || is_file_name(&lower);
    let is_written = is_words
        && !is_data
        && !is_said_by_maker
        && !NOT_WRITTEN.contains(&&*lower)
        && !lower.starts_with("lead technologies")
        && !lower.starts_with("casio computer co")
        && !lower.starts_with("maker:0x");
    is_written.then_some(text)
}

/// Whether a text is the name of a picture file, with or without folders: `dcim/100media/a.jpg`.
fn is_file_name(text: &str) -> bool {
    let ending = text.rsplit_once('.').map(|(_, ending)| ending);
    !text.contains(' ') && ending.is_some_and(is_picture)
}

/// A keyword, if it is one.
pub(super) fn keyword(text: &str) -> Option<String> {
    let keyword = clean_to(MAX_KEYWORD_CHARS + 1, text)?;
    let is_keyword =
        keyword.chars().count() <= MAX_KEYWORD_CHARS && keyword.chars().any(char::is_alphanumeric);
    is_keyword.then_some(keyword)
}

/// Adds texts that are not there yet, up to a number of them. Case does not matter.
pub(super) fn add(to: &mut Vec<String>, texts: impl IntoIterator<Item = String>, max: usize) {
    for text in texts {
        let lower = text.to_lowercase();
        if to.len() < max && !to.iter().any(|known| known.to_lowercase() == lower) {
            to.push(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cameras_and_programs_write_is_no_description() {
        let junk = [
            "OLYMPUS DIGITAL CAMERA         ",
            "SONY DSC",
            "KONICA MINOLTA DIGITAL CAMERA",
            "SAMSUNG CAMERA PICTURES",
            "KODAK Digital Still Camera",
            "Exif_JPEG_PICTURE",
            "CASIO COMPUTER CO.,LTD",
            "LEAD Technologies Inc. V1.01",
            "DCIM\\100MEDIA\\DJI_0017.JPG",
            "IMG_1234.jpg",
            "oznor",
            "Screenshot",
            "Untitled",
            "     ",
            "\0\0\0",
            "0",
            "----",
            "{\"effects\": []}",
        ];
        for text in junk {
            assert_eq!(written(text), None, "{text:?}");
        }
        let real = [
            "Grandma's 80th birthday",
            "A digital camera on a table",
            "Sony and the picture",
            "犬",
            "Our Olympus",
            "see IMG_1.jpg",
        ];
        for text in real {
            assert_eq!(written(text).as_deref(), Some(text));
        }
        assert_eq!(written(" two \n lines ").as_deref(), Some("two lines"));
        assert_eq!((junk.len(), real.len()), (18, 6));
        let long = "word ".repeat(1000);
        assert_eq!(written(&long).unwrap().chars().count(), MAX_TEXT_CHARS - 1);
    }

    #[test]
    fn keywords_are_short_and_kept_once() {
        assert_eq!(keyword(" two  words ").as_deref(), Some("two words"));
        assert_eq!(keyword("2023").as_deref(), Some("2023"));
        assert_eq!(keyword("--"), None);
        assert_eq!(keyword(&"x".repeat(101)), None);
        let mut kept = vec!["Sea".to_owned()];
        add(&mut kept, ["sea", "sun", "SUN", "sky"].map(String::from), 3);
        assert_eq!(kept, ["Sea", "sun", "sky"]);
    }
}
