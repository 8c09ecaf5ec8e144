//! Which sidecar beside which picture: texts (`photo.txt` and `photo.jpg.txt` beside `photo.jpg`),
//! XMP (`photo.xmp`, `photo.jpg.xmp`) and the metadata of Google Takeout, in [`takeout_names`].
//!
//! Names are matched as they are; a sidecar that no picture matches exactly goes to the only one
//! whose name looks like its own (composed or decomposed), or differs in case alone, as cameras and
//! computers disagree about that. Names that look like several different ones match none.
//!
//! [`takeout_names`]: super::takeout_names

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::path::Path;

use super::takeout_names::{self, Numbered};
use crate::engine::decode::extension;
use crate::engine::names::{composed, folded};

/// Names of texts that lie beside pictures for other reasons.
const DOCUMENTS: [&str; 10] = [
    "authors",
    "changelog",
    "copying",
    "credits",
    "licence",
    "license",
    "notice",
    "readme",
    "requirements",
    "robots",
];

/// The kinds of sidecar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum SidecarKind {
    /// Captions, one per line.
    Text,
    /// XMP.
    Xmp,
    /// Metadata of Google Takeout in JSON.
    Takeout,
}

impl SidecarKind {
    /// The kind of a file by its extension; `None` if it is no sidecar.
    pub(crate) fn of(file: &Path) -> Option<Self> {
        match extension(file).as_str() {
            "txt" => Some(Self::Text),
            "xmp" => Some(Self::Xmp),
            "json" => Some(Self::Takeout),
            _ => None,
        }
    }

    /// Its extension as most programs write it.
    fn extension(self) -> &'static str {
        match self {
            Self::Text => "txt",
            Self::Xmp => "xmp",
            Self::Takeout => "json",
        }
    }
}

/// What a picture's sidecars of a kind are called, without their extension. In this order they are
/// read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum NameSlot {
    TextStem,
    TextName,
    XmpName,
    XmpStem,
    Takeout,
    /// The picture is an edited copy: the metadata of the original.
    TakeoutOfOriginal,
}

impl NameSlot {
    fn kind(self) -> SidecarKind {
        match self {
            Self::TextStem | Self::TextName => SidecarKind::Text,
            Self::XmpStem | Self::XmpName => SidecarKind::Xmp,
            Self::Takeout | Self::TakeoutOfOriginal => SidecarKind::Takeout,
        }
    }
}

/// A name that a sidecar of a picture may have, without the extension.
type SlotName<'a> = (NameSlot, Cow<'a, OsStr>, Option<u32>);

/// What the sidecars of a picture may be called: with and without the picture's own extension, and
/// as Google Takeout calls them.
fn names_of(picture: &Path) -> Vec<SlotName<'_>> {
    let (Some(stem), Some(name)) = (picture.file_stem(), picture.file_name()) else {
        return Vec::new();
    };
    let plain = [
        (NameSlot::TextStem, stem),
        (NameSlot::TextName, name),
        (NameSlot::XmpName, name),
        (NameSlot::XmpStem, stem),
    ];
    let plain = plain.map(|(slot, name)| (slot, Cow::Borrowed(name), None));
    let numbered = |slot| {
        move |Numbered { name, number }: Numbered<'_>| {
            (slot, Cow::Owned(name.into_owned().into()), number)
        }
    };
    let mut names = plain.to_vec();
    if let Some(name) = name.to_str() {
        let own = takeout_names::of_picture(name).into_iter();
        names.extend(own.map(numbered(NameSlot::Takeout)));
        let original = takeout_names::of_original(name).into_iter();
        names.extend(original.map(numbered(NameSlot::TakeoutOfOriginal)));
    }
    names
}

/// The names, without extension, that a sidecar answers to.
fn answers_to(sidecar: &Path, kind: SidecarKind) -> Vec<(Cow<'_, OsStr>, Option<u32>)> {
    let Some(stem) = sidecar.file_stem() else {
        return Vec::new();
    };
    match (kind, stem.to_str()) {
        (SidecarKind::Takeout, Some(stem)) => {
            let names = takeout_names::of_sidecar(stem).into_iter();
            let owned = |name: Cow<'_, str>| Cow::Owned(name.into_owned().into());
            names
                .map(|Numbered { name, number }| (owned(name), number))
                .collect()
        }
        _ => vec![(Cow::Borrowed(stem), None)],
    }
}

/// A kind, a folded name and a number.
type Key = (SidecarKind, Vec<u8>, Option<u32>);

/// The names that sidecars of some pictures may have.
pub(crate) struct SidecarNames<'a> {
    pictures: HashSet<&'a Path>,
    names: HashSet<(&'a Path, Key)>,
}

impl<'a> SidecarNames<'a> {
    pub(crate) fn of(pictures: impl IntoIterator<Item = &'a Path>) -> Self {
        let pictures: HashSet<&Path> = pictures.into_iter().collect();
        let mut names = HashSet::new();
        for picture in &pictures {
            if let Some(folder) = picture.parent() {
                let key = |(slot, name, number): SlotName<'_>| (slot.kind(), folded(&name), number);
                names.extend(
                    names_of(picture)
                        .into_iter()
                        .map(|name| (folder, key(name))),
                );
            }
        }
        Self { pictures, names }
    }

    /// Whether a file may be a sidecar of one of the pictures, or is one of them, from which
    /// captions may come too.
    pub(crate) fn contains(&self, file: &Path) -> bool {
        if self.pictures.contains(file) {
            return true;
        }
        let (Some(folder), Some(kind)) = (file.parent(), SidecarKind::of(file)) else {
            return false;
        };
        answers_to(file, kind).into_iter().any(|(name, number)| {
            self.names
                .contains(&(folder, (kind, folded(&name), number)))
        })
    }
}

/// The sidecars of the pictures of a run.
#[derive(Debug, Default)]
pub(crate) struct Sidecars<'a> {
    /// For each picture that has any: `photo.txt`, `photo.jpg.txt`, `photo.jpg.xmp`, `photo.xmp`,
    /// then that of Google Takeout.
    pub(crate) of: HashMap<&'a Path, Vec<&'a Path>>,
    /// Files that look like sidecars and are not used, and why.
    pub(crate) passed_over: Vec<(&'a Path, String)>,
    /// Texts beside pictures none of which has their name. Other files are not listed: programs
    /// write XMP and JSON for videos too.
    pub(crate) unclaimed: Vec<&'a Path>,
}

/// How well a name fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Exact,
    /// Composed otherwise.
    SameLooks,
    OtherCase,
}

struct Sidecar<'a> {
    path: &'a Path,
    kind: SidecarKind,
    fit: Fit,
    /// The pictures that it fits that well, and which of their names it has.
    claims: Vec<(&'a Path, NameSlot)>,
}

#[derive(Default)]
struct Folder {
    has_pictures: bool,
    /// Its sidecars by what they answer to: their numbers, and the names as they are.
    sidecars: HashMap<Key, Vec<(usize, std::ffi::OsString)>>,
}

/// Finds the sidecars of pictures among files, each at most once per picture.
pub(crate) fn assign<'a>(
    pictures: impl Iterator<Item = &'a Path>,
    files: impl Iterator<Item = &'a Path>,
) -> Sidecars<'a> {
    let mut paths: Vec<&Path> = files.collect();
    paths.sort_unstable();
    let mut sidecars: Vec<Sidecar<'a>> = Vec::new();
    let mut folders: HashMap<&OsStr, Folder> = HashMap::new();
    for path in paths {
        let (Some(folder), Some(kind)) = (path.parent(), SidecarKind::of(path)) else {
            continue;
        };
        let folder = folders.entry(folder.as_os_str()).or_default();
        for (name, number) in answers_to(path, kind) {
            let known = folder.sidecars.entry((kind, folded(&name), number));
            known.or_default().push((sidecars.len(), name.into_owned()));
        }
        sidecars.push(Sidecar {
            path,
            kind,
            fit: Fit::OtherCase,
            claims: Vec::new(),
        });
    }
    if sidecars.is_empty() {
        return Sidecars::default();
    }
    for picture in pictures {
        let Some(folder) = picture
            .parent()
            .and_then(|at| folders.get_mut(at.as_os_str()))
        else {
            continue;
        };
        folder.has_pictures = true;
        for (slot, name, number) in names_of(picture) {
            let key = (slot.kind(), folded(&name), number);
            for (sidecar, written) in folder.sidecars.get(&key).into_iter().flatten() {
                sidecars[*sidecar].claim(picture, slot, &name, written);
            }
        }
    }
    let has_pictures = |sidecar: &Sidecar<'_>| {
        let folder = sidecar.path.parent();
        let folder = folder.and_then(|at| folders.get(at.as_os_str()));
        folder.is_some_and(|folder| folder.has_pictures)
    };
    let mut assigned = Sidecars::default();
    for sidecar in &sidecars {
        let is_text = sidecar.kind == SidecarKind::Text;
        let is_document = sidecar.path.file_stem().is_some_and(is_document);
        if is_text && sidecar.claims.is_empty() && has_pictures(sidecar) && !is_document {
            assigned.unclaimed.push(sidecar.path);
        }
    }
    settle(&sidecars, &mut assigned);
    assigned
}

impl<'a> Sidecar<'a> {
    /// Notes that a picture has this name for the sidecar, which is written as `written`.
    fn claim(&mut self, picture: &'a Path, slot: NameSlot, name: &OsStr, written: &OsStr) {
        let fit = if name == written {
            Fit::Exact
        } else if composed(name) == composed(written) {
            Fit::SameLooks
        } else {
            Fit::OtherCase
        };
        if fit < self.fit {
            self.claims.clear();
            self.fit = fit;
        }
        if fit == self.fit && !self.claims.contains(&(picture, slot)) {
            self.claims.push((picture, slot));
        }
    }

    /// Whether it looks like the names of different pictures.
    fn is_ambiguous(&self) -> bool {
        let names = self
            .claims
            .iter()
            .filter_map(|&(picture, slot)| match slot {
                NameSlot::TextStem | NameSlot::XmpStem => picture.file_stem(),
                NameSlot::TextName | NameSlot::XmpName | NameSlot::Takeout => picture.file_name(),
                // Copies of one picture share its metadata.
                NameSlot::TakeoutOfOriginal => None,
            });
        names.collect::<HashSet<&OsStr>>().len() > 1
    }

    /// The better of two sidecars for the same name of a picture comes first.
    fn rank(&self) -> (Fit, bool, &'a Path) {
        let is_plain = self.path.extension() == Some(OsStr::new(self.kind.extension()));
        (self.fit, !is_plain, self.path)
    }
}

/// One sidecar per name of a picture; the others are passed over.
fn settle<'a>(sidecars: &[Sidecar<'a>], assigned: &mut Sidecars<'a>) {
    let mut best: HashMap<(&'a Path, NameSlot), &Sidecar<'a>> = HashMap::new();
    let mut claimants = Vec::new();
    for sidecar in sidecars.iter().filter(|sidecar| !sidecar.claims.is_empty()) {
        if sidecar.is_ambiguous() {
            let what = match sidecar.kind {
                SidecarKind::Text => "text",
                SidecarKind::Xmp | SidecarKind::Takeout => "metadata",
            };
            let reason = format!("not used: it looks like the {what} of several pictures");
            assigned.passed_over.push((sidecar.path, reason));
            continue;
        }
        claimants.push(sidecar);
        for &claim in &sidecar.claims {
            let held = best.entry(claim).or_insert(sidecar);
            if sidecar.rank() < held.rank() {
                *held = sidecar;
            }
        }
    }
    for sidecar in claimants {
        let holder = |claim: &(&'a Path, NameSlot)| best.get(claim).map(|held| held.path);
        let has_won = |claim: &(&'a Path, NameSlot)| holder(claim) == Some(sidecar.path);
        if !sidecar.claims.iter().any(has_won)
            && let Some(name) = sidecar.claims.first().and_then(holder)
            && let Some(name) = name.file_name()
        {
            let reason = format!("not used: {} is read instead", name.to_string_lossy());
            assigned.passed_over.push((sidecar.path, reason));
        }
    }
    let mut found: Vec<_> = best.into_iter().collect();
    found.sort_unstable_by_key(|&((_, slot), sidecar)| (slot, sidecar.path));
    let has_own: HashSet<&Path> = found
        .iter()
        .filter(|((_, slot), _)| *slot == NameSlot::Takeout)
        .map(|((picture, _), _)| *picture)
        .collect();
    for ((picture, slot), sidecar) in found {
        if slot != NameSlot::TakeoutOfOriginal || !has_own.contains(picture) {
            assigned.of.entry(picture).or_default().push(sidecar.path);
        }
    }
}

fn is_document(stem: &OsStr) -> bool {
    let stem = stem.to_ascii_lowercase();
    DOCUMENTS.iter().any(|name| stem == *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NFC: &str = "J\u{e4}ger";
    const NFD: &str = "Ja\u{308}ger";

    /// What is assigned, passed over and unclaimed, as text.
    fn assigned(pictures: &[&str], texts: &[&str]) -> String {
        let paths = |names: &[&str]| -> Vec<_> {
            names
                .iter()
                .map(|name| Path::new("/p").join(name))
                .collect()
        };
        let (pictures, texts) = (paths(pictures), paths(texts));
        let found = assign(
            pictures.iter().map(|path| &**path),
            texts.iter().map(|path| &**path),
        );
        let name = |path: &Path| {
            path.strip_prefix("/p")
                .unwrap()
                .to_string_lossy()
                .into_owned()
        };
        let mut lines: Vec<String> = found
            .of
            .iter()
            .map(|(picture, texts)| {
                let texts: Vec<String> = texts.iter().map(|text| name(text)).collect();
                for text in &found.of[picture] {
                    assert!(SidecarNames::of([*picture]).contains(text));
                }
                format!("{} < {}", name(picture), texts.join(" "))
            })
            .collect();
        lines.sort();
        for (text, reason) in &found.passed_over {
            lines.push(format!("{}: {reason}", name(text)));
        }
        for text in &found.unclaimed {
            lines.push(format!("{} is unclaimed", name(text)));
        }
        lines.join("\n")
    }

    #[test]
    fn a_sidecar_replaces_the_extension_or_follows_it() {
        let found = assigned(&["a.b.jpg", "c.jpg"], &["a.b.jpg.txt", "a.b.txt", "a.txt"]);
        assert_eq!(found, "a.b.jpg < a.b.txt a.b.jpg.txt\na.txt is unclaimed");
        // Of pictures with the same name both.
        let found = assigned(&["a.jpg", "a.png"], &["a.txt", "a.png.txt"]);
        assert_eq!(found, "a.jpg < a.txt\na.png < a.txt a.png.txt");
        // Not across folders.
        let found = assigned(&["one/a.jpg", "two/b.jpg"], &["two/a.txt", "three/b.txt"]);
        assert_eq!(found, "two/a.txt is unclaimed");
    }

    #[test]
    fn case_and_composition_do_not_matter_unless_a_name_fits_exactly() {
        let pictures = [
            "IMG_1.JPG",
            "IMG_2.JPG",
            "img_3.jpg",
            "IMG_4.JPG",
            "IMG_5.JPG",
        ];
        let texts = [
            "IMG_1.TXT",
            "IMG_2.txt",
            "IMG_3.txt",
            "IMG_4.JPG.TXT",
            "IMG_5.Txt",
        ];
        let expected = "IMG_1.JPG < IMG_1.TXT\nIMG_2.JPG < IMG_2.txt\nIMG_4.JPG < IMG_4.JPG.TXT\n\
                        IMG_5.JPG < IMG_5.Txt\nimg_3.jpg < IMG_3.txt";
        assert_eq!(assigned(&pictures, &texts), expected);
        for (picture, text) in [(NFC, NFD), (NFD, NFC)] {
            let (picture, text) = (format!("{picture}.jpg"), format!("{text}.TXT"));
            assert_eq!(
                assigned(&[&picture], &[&text]),
                format!("{picture} < {text}")
            );
        }
        // Different pictures on a file system that distinguishes case.
        let found = assigned(&["a.jpg", "A.jpg"], &["a.txt", "A.txt"]);
        assert_eq!(found, "A.jpg < A.txt\na.jpg < a.txt");
        assert_eq!(assigned(&["a.jpg", "A.jpg"], &["a.txt"]), "a.jpg < a.txt");
        let (nfc, nfd) = (format!("{NFC}.jpg"), format!("{NFD}.jpg"));
        let text = format!("{NFD}.txt");
        assert_eq!(assigned(&[&nfc, &nfd], &[&text]), format!("{nfd} < {text}"));
    }

    #[test]
    fn of_several_texts_for_a_name_the_most_exact_is_used_and_the_others_are_named() {
        let found = assigned(&["IMG.JPG"], &["IMG.TXT", "IMG.txt", "img.txt"]);
        let expected = "IMG.JPG < IMG.txt\nIMG.TXT: not used: IMG.txt is read instead\n\
                        img.txt: not used: IMG.txt is read instead";
        assert_eq!(found, expected);
    }

    #[test]
    fn a_text_that_looks_like_several_names_is_used_for_none() {
        let found = assigned(&["ab.jpg", "AB.jpg"], &["Ab.txt"]);
        assert_eq!(
            found,
            "Ab.txt: not used: it looks like the text of several pictures"
        );
    }

    #[test]
    fn documents_are_not_taken_for_forgotten_captions() {
        let found = assigned(&["a.jpg"], &["README.txt", "license.txt", "IMG_7.txt"]);
        assert_eq!(found, "IMG_7.txt is unclaimed");
    }

    #[test]
    fn xmp_belongs_to_pictures_as_text_does_and_is_not_missed_elsewhere() {
        let pictures = ["a.jpg", "a.cr2", "B.JPG"];
        let files = [
            "a.xmp",
            "a.jpg.xmp",
            "a.jpg.txt",
            "b.xmp",
            "video.xmp",
            "c.json",
        ];
        let expected = "B.JPG < b.xmp\na.cr2 < a.xmp\na.jpg < a.jpg.txt a.jpg.xmp a.xmp";
        assert_eq!(assigned(&pictures, &files), expected);
    }

    #[test]
    fn metadata_of_takeout_is_found_in_all_its_names() {
        let long = "Screenshot_20220207_102421_com.snapchat.android.jpg";
        let rows = [
            ("photo.jpg", "photo.jpg.json"),
            ("photo.jpg", "photo.jpg.supplemental-metadata.json"),
            ("photo.jpg", "photo.jpg.supplemental-me.json"),
            ("photo.jpg", "photo.jpg.s.json"),
            ("photo(1).jpg", "photo.jpg(1).json"),
            ("photo(12).jpg", "photo.jpg.supplemental-metadata(12).json"),
            ("photo(12).jpg", "photo.jpg.suppl(12).json"),
            ("photo(1).jpg", "photo(1).jpg.json"),
            ("photo-edited.jpg", "photo.jpg.json"),
            (
                "photo-bearbeitet.jpg",
                "photo.jpg.supplemental-metadata.json",
            ),
            ("photo-edited(2).jpg", "photo.jpg(2).json"),
            ("Photo.JPG", "photo.jpg.json"),
            (long, "Screenshot_20220207_102421_com.snapchat.androi.json"),
            (
                "D7157814-D2D5-4A62-AFCE-9CF465CB7D66.jpeg",
                "D7157814-D2D5-4A62-AFCE-9CF465CB7D66.jpeg.supp.json",
            ),
            (
                "123456789012345678901234567890123456789012.jpg",
                "123456789012345678901234567890123456789012.jpg.json",
            ),
            (
                "12345678901234567890123456789012345678901.jpg",
                "12345678901234567890123456789012345678901.jpg..json",
            ),
            (
                "12345678901234567890123456789012345678901234567(3).jpg",
                "1234567890123456789012345678901234567890123456(3).json",
            ),
        ];
        for (picture, file) in rows {
            assert_eq!(assigned(&[picture], &[file]), format!("{picture} < {file}"));
        }
        assert_eq!(rows.len(), 17);
        // Each picture has its own, an edited copy that of its original.
        let pictures = ["p(1).jpg", "p-edited.jpg", "p.jpg", "q-edited.jpg", "q.jpg"];
        let files = [
            "p.jpg(1).json",
            "p.jpg.json",
            "q.jpg.json",
            "q-edited.jpg.json",
            "metadata.json",
        ];
        let expected = "p(1).jpg < p.jpg(1).json\np-edited.jpg < p.jpg.json\np.jpg < p.jpg.json\n\
                        q-edited.jpg < q-edited.jpg.json\nq.jpg < q.jpg.json";
        assert_eq!(assigned(&pictures, &files), expected);
        // Neither the metadata of a video nor of an original with another number.
        let found = assigned(&["p.jpg", "p(2).jpg"], &["p.mp4.json", "p.jpg(1).json"]);
        assert_eq!(found, "");
        // Names that are cut to the same could be of both.
        let twins = [1, 2].map(|n| format!("{}-{n}.jpg", "x".repeat(50)));
        let file = format!("{}.json", "x".repeat(46));
        let found = assigned(&[&twins[0], &twins[1]], &[&file]);
        let reason = "not used: it looks like the metadata of several pictures";
        assert_eq!(found, format!("{file}: {reason}"));
        let found = assigned(
            &["p.jpg"],
            &["p.jpg.json", "p.jpg.supplemental-metadata.json"],
        );
        let reason = "not used: p.jpg.json is read instead";
        let expected = format!("p.jpg < p.jpg.json\np.jpg.supplemental-metadata.json: {reason}");
        assert_eq!(found, expected);
    }

    #[test]
    fn a_picture_counts_among_its_own_sources() {
        let names = SidecarNames::of([Path::new("/p/a.jpg")]);
        assert!(names.contains(Path::new("/p/a.jpg")));
        assert!(!names.contains(Path::new("/p/b.jpg")));
        assert!(!names.contains(Path::new("/p/a.json")));
    }
}
