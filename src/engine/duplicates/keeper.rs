//! Which of several files that show the same picture is worth keeping?

use std::cmp::Ordering;
use std::path::Path;

use unicode_normalization::UnicodeNormalization as _;

use super::report::{DuplicateFile, KeepReason};
use crate::engine::decode::extension;

/// A file with what is compared of it.
pub(super) struct Rated {
    pub(super) file: DuplicateFile,
    modified_ns: i128,
    /// Whether its format holds what the camera or the drawer made.
    is_source: bool,
    is_lossless: bool,
    is_named_copy: bool,
}

/// Compares two files by one criterion; the better one is less.
type Criterion = fn(&Rated, &Rated) -> Ordering;

const CRITERIA: [(KeepReason, Criterion); 10] = [
    (KeepReason::Source, |a, b| b.is_source.cmp(&a.is_source)),
    (KeepReason::MorePixels, |a, b| {
        b.n_pixels().cmp(&a.n_pixels())
    }),
    (KeepReason::Lossless, |a, b| {
        b.is_lossless.cmp(&a.is_lossless)
    }),
    (KeepReason::LargerFile, |a, b| {
        b.file.n_bytes.cmp(&a.file.n_bytes)
    }),
    (KeepReason::Dated, |a, b| b.is_dated().cmp(&a.is_dated())),
    (KeepReason::TakenEarlier, |a, b| {
        a.file.taken.cmp(&b.file.taken)
    }),
    (KeepReason::PlainName, |a, b| {
        a.is_named_copy.cmp(&b.is_named_copy)
    }),
    (KeepReason::OlderFile, |a, b| {
        a.modified_ns.cmp(&b.modified_ns)
    }),
    (KeepReason::ShorterName, |a, b| {
        a.name_length().cmp(&b.name_length())
    }),
    (KeepReason::FirstPath, |a, b| a.file.path.cmp(&b.file.path)),
];

impl Rated {
    pub(super) fn new(file: DuplicateFile, modified_ns: i128) -> Self {
        let format = format(&file.path);
        Self {
            modified_ns,
            is_source: matches!(format, "camera RAW" | "SVG"),
            is_lossless: LOSSLESS.contains(&format),
            is_named_copy: is_named_copy(&file.path),
            file,
        }
    }

    /// The better file is less; equal are only files of one path.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        self.difference(other)
            .map_or(Ordering::Equal, |(_, order)| order)
    }

    /// Why this file is better than `other`, which is worse.
    pub(super) fn reason(&self, other: &Self) -> KeepReason {
        self.difference(other)
            .map_or(KeepReason::FirstPath, |(reason, _)| reason)
    }

    fn difference(&self, other: &Self) -> Option<(KeepReason, Ordering)> {
        let mut orders = CRITERIA
            .iter()
            .map(|(reason, criterion)| (*reason, criterion(self, other)));
        orders.find(|(_, order)| order.is_ne())
    }

    fn n_pixels(&self) -> u64 {
        u64::from(self.file.width) * u64::from(self.file.height)
    }

    fn is_dated(&self) -> bool {
        self.file.taken.is_some()
    }

    fn name_length(&self) -> usize {
        let name = self.file.path.file_name().unwrap_or_default();
        name.to_string_lossy().chars().count()
    }
}

/// Formats, as [`sightline_picture::formats`] names them, that keep pixels as they were.
const LOSSLESS: [&str; 9] = [
    "PNG",
    "TIFF",
    "BMP",
    "PNM",
    "ICO",
    "QOI",
    "TGA",
    "OpenEXR",
    "Radiance HDR",
];

/// The format that the name of a file says; empty if none.
fn format(path: &Path) -> &'static str {
    let extension = extension(path);
    let mut formats = sightline_picture::formats().iter();
    let format = formats.find(|format| format.extensions.contains(&extension.as_str()));
    format.map_or("", |format| format.name)
}

/// What systems call a copy of a file, as a word of its name: in English, French, Spanish and
/// Italian, Portuguese, German and Dutch, Polish and Swedish, Danish and Norwegian, Russian.
const COPY_WORDS: [&str; 8] = [
    "copy",
    "copie",
    "copia",
    "cópia",
    "kopie",
    "kopia",
    "kopi",
    "копия",
];

/// The same in languages that do not put spaces around it: Chinese, Japanese, Korean.
const COPY_PARTS: [&str; 4] = ["副本", "拷贝", "コピー", "복사본"];

/// Whether a name says that the file is a copy: `a copy.jpg`, `Kopie von a.jpg`, `a (1).jpg`.
fn is_named_copy(path: &Path) -> bool {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    // macOS stores names decomposed.
    let stem: String = stem.nfc().collect::<String>().to_lowercase();
    let mut words = stem.split(|letter: char| !letter.is_alphanumeric());
    let numbered = stem
        .strip_suffix(')')
        .and_then(|rest| rest.rsplit_once('('));
    let is_number = |text: &str| {
        !text.is_empty() && text.len() <= 3 && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    words.any(|word| COPY_WORDS.contains(&word))
        || COPY_PARTS.iter().any(|part| stem.contains(part))
        || numbered.is_some_and(|(name, number)| !name.trim().is_empty() && is_number(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rated(path: &str, (width, height): (u32, u32), n_bytes: u64, taken: &str) -> Rated {
        let file = DuplicateFile {
            path: path.into(),
            id: sightline_index::ItemId(1),
            width,
            height,
            n_bytes,
            taken: taken.parse().ok(),
            similarity: None,
            hash_distance: 0,
        };
        Rated::new(file, i128::from(n_bytes % 10))
    }

    #[test]
    fn the_better_file_is_kept_and_the_reason_is_true() {
        let (small, large) = ((800, 600), (1600, 1200));
        // The better one first. The last digit of the size is the modification time.
        let rows = [
            (
                ("a.nef", small, 10, ""),
                ("a.jpg", large, 90, ""),
                KeepReason::Source,
            ),
            (
                ("a.jpg", large, 10, ""),
                ("a.png", small, 90, ""),
                KeepReason::MorePixels,
            ),
            (
                ("a.png", small, 10, ""),
                ("a.jpg", small, 90, ""),
                KeepReason::Lossless,
            ),
            (
                ("a (1).jpg", small, 20, ""),
                ("a.jpg", small, 10, "2001"),
                KeepReason::LargerFile,
            ),
            (
                ("b copy.jpg", small, 10, "2001"),
                ("a.jpg", small, 10, ""),
                KeepReason::Dated,
            ),
            (
                ("b copy.jpg", small, 10, "2001"),
                ("a.jpg", small, 10, "2002"),
                KeepReason::TakenEarlier,
            ),
            (
                ("holiday.jpg", small, 10, ""),
                ("h (1).jpg", small, 10, ""),
                KeepReason::PlainName,
            ),
            (
                ("x/a.jpg", small, 10, ""),
                ("abc.jpg", small, 10, ""),
                KeepReason::ShorterName,
            ),
            (
                ("x/a.jpg", small, 10, ""),
                ("y/a.jpg", small, 10, ""),
                KeepReason::FirstPath,
            ),
        ];
        assert_eq!(rows.len(), CRITERIA.len() - 1);
        let of = |(path, size, n_bytes, taken)| rated(path, size, n_bytes, taken);
        for (better, worse, reason) in rows {
            let (better, worse) = (of(better), of(worse));
            assert_eq!(better.compare(&worse), Ordering::Less, "{reason:?}");
            assert_eq!(worse.compare(&better), Ordering::Greater, "{reason:?}");
            assert_eq!(better.reason(&worse), reason);
            assert!(!reason.text().is_empty());
        }
        let [mut older, newer] = [of(("b.jpg", small, 10, "")), of(("a.jpg", small, 10, ""))];
        older.modified_ns = -5;
        assert_eq!(older.reason(&newer), KeepReason::OlderFile);
        assert_eq!(older.compare(&newer), Ordering::Less);
    }

    #[test]
    fn names_of_copies_are_recognized() {
        let copies = [
            "a copy.jpg",
            "copy of a.jpg",
            "a - Copy (2).jpg",
            "a (1).jpg",
            "a(12).jpg",
            "Kopie von a.jpg",
            "a-copie.jpg",
            "копия a.jpg",
            "a - 副本.jpg",
            "a のコピー.jpg",
        ];
        for name in copies {
            assert!(is_named_copy(Path::new(name)), "{name}");
        }
        let plain = [
            "a.jpg",
            "copyright.jpg",
            "a (b).jpg",
            "(1).jpg",
            "a (2023).jpg",
            "IMG_1.jpg",
            "copy/a.jpg",
            "photocopy.jpg",
            "a () .jpg",
        ];
        for name in plain {
            assert!(!is_named_copy(Path::new(name)), "{name}");
        }
        assert_eq!((copies.len(), plain.len()), (10, 9));
    }
}
