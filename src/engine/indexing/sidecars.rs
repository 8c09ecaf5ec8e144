//! Which text beside which picture: `photo.txt` and `photo.jpg.txt` beside `photo.jpg`.
//!
//! Names are matched as they are; a text that no picture matches exactly goes to the only one whose
//! name looks like its own (composed or decomposed), or differs in case alone, as cameras and
//! computers disagree about that. Names that look like several different ones match none.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::path::Path;

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

/// The names that sidecars of some pictures may have.
pub(crate) struct SidecarNames<'a>(HashSet<(&'a Path, Vec<u8>)>);

impl<'a> SidecarNames<'a> {
    pub(crate) fn of(pictures: impl IntoIterator<Item = &'a Path>) -> Self {
        let mut names = HashSet::new();
        for picture in pictures {
            if let Some(folder) = picture.parent() {
                let of_picture = names_of(picture).into_iter().flatten();
                names.extend(of_picture.map(|name| (folder, folded(name))));
            }
        }
        Self(names)
    }

    /// Whether a file may be a sidecar of one of the pictures.
    pub(crate) fn contains(&self, file: &Path) -> bool {
        let (Some(folder), Some(stem)) = (file.parent(), file.file_stem()) else {
            return false;
        };
        extension(file) == "txt" && self.0.contains(&(folder, folded(stem)))
    }
}

/// What a sidecar of the picture may be called, without `.txt`: with and without the picture's own
/// extension.
fn names_of(picture: &Path) -> Option<[&OsStr; 2]> {
    Some([picture.file_stem()?, picture.file_name()?])
}

/// The sidecars among the texts of a run.
#[derive(Debug, Default)]
pub(crate) struct Sidecars<'a> {
    /// For each picture that has any: `photo.txt`, then `photo.jpg.txt`.
    pub(crate) of: HashMap<&'a Path, Vec<&'a Path>>,
    /// Texts that look like sidecars and are not used, and why.
    pub(crate) passed_over: Vec<(&'a Path, String)>,
    /// Texts beside pictures none of which has their name.
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

struct Text<'a> {
    path: &'a Path,
    stem: &'a OsStr,
    fit: Fit,
    /// The pictures that it fits that well, and which of their two names it has.
    claims: Vec<(&'a Path, usize)>,
}

#[derive(Default)]
struct Folder {
    has_pictures: bool,
    /// Positions of its texts, by the folded name without extension.
    texts: HashMap<Vec<u8>, Vec<usize>>,
}

/// Finds the sidecars of pictures among texts, each text at most once per picture.
pub(crate) fn assign<'a>(
    pictures: impl Iterator<Item = &'a Path>,
    texts: impl Iterator<Item = &'a Path>,
) -> Sidecars<'a> {
    let mut paths: Vec<&Path> = texts.collect();
    paths.sort_unstable();
    let mut texts: Vec<Text<'a>> = Vec::new();
    let mut folders: HashMap<&OsStr, Folder> = HashMap::new();
    for path in paths {
        let (Some(folder), Some(stem)) = (path.parent(), path.file_stem()) else {
            continue;
        };
        let folder = folders.entry(folder.as_os_str()).or_default();
        folder
            .texts
            .entry(folded(stem))
            .or_default()
            .push(texts.len());
        texts.push(Text {
            path,
            stem,
            fit: Fit::OtherCase,
            claims: Vec::new(),
        });
    }
    if texts.is_empty() {
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
        for (place, name) in names_of(picture).into_iter().flatten().enumerate() {
            for &text in folder.texts.get(&folded(name)).into_iter().flatten() {
                texts[text].claim(picture, place, name);
            }
        }
    }
    let has_pictures = |text: &Text<'_>| {
        let folder = text
            .path
            .parent()
            .and_then(|at| folders.get(at.as_os_str()));
        folder.is_some_and(|folder| folder.has_pictures)
    };
    let mut sidecars = Sidecars::default();
    for text in &texts {
        if text.claims.is_empty() && has_pictures(text) && !is_document(text.stem) {
            sidecars.unclaimed.push(text.path);
        }
    }
    settle(&texts, &mut sidecars);
    sidecars
}

impl<'a> Text<'a> {
    fn claim(&mut self, picture: &'a Path, place: usize, name: &OsStr) {
        let fit = if name == self.stem {
            Fit::Exact
        } else if composed(name) == composed(self.stem) {
            Fit::SameLooks
        } else {
            Fit::OtherCase
        };
        if fit < self.fit {
            self.claims.clear();
            self.fit = fit;
        }
        if fit == self.fit {
            self.claims.push((picture, place));
        }
    }

    /// Whether it looks like the names of different pictures.
    fn is_ambiguous(&self) -> bool {
        let names = self
            .claims
            .iter()
            .filter_map(|&(picture, place)| names_of(picture).map(|names| names[place]));
        names.collect::<HashSet<&OsStr>>().len() > 1
    }

    /// The better of two texts for the same name of a picture comes first.
    fn rank(&self) -> (Fit, bool, &'a Path) {
        let is_plain = self.path.extension() == Some(OsStr::new("txt"));
        (self.fit, !is_plain, self.path)
    }
}

/// One text per name of a picture; the others are passed over.
fn settle<'a>(texts: &[Text<'a>], sidecars: &mut Sidecars<'a>) {
    let mut best: HashMap<(&'a Path, usize), &Text<'a>> = HashMap::new();
    let mut claimants = Vec::new();
    for text in texts.iter().filter(|text| !text.claims.is_empty()) {
        if text.is_ambiguous() {
            let reason = "not used: it looks like the text of several pictures".to_owned();
            sidecars.passed_over.push((text.path, reason));
            continue;
        }
        claimants.push(text);
        for &claim in &text.claims {
            let held = best.entry(claim).or_insert(text);
            if text.rank() < held.rank() {
                *held = text;
            }
        }
    }
    for text in claimants {
        let (won, lost): (Vec<_>, Vec<_>) = text
            .claims
            .iter()
            .partition(|&&claim| best.get(&claim).is_some_and(|held| held.path == text.path));
        if let ([], [claim, ..]) = (won.as_slice(), lost.as_slice())
            && let Some(name) = best.get(claim).and_then(|held| held.path.file_name())
        {
            let reason = format!("not used: {} is read instead", name.to_string_lossy());
            sidecars.passed_over.push((text.path, reason));
        }
    }
    let mut found: Vec<_> = best.into_iter().collect();
    found.sort_unstable_by_key(|&((_, place), text)| (place, text.path));
    for ((picture, _), text) in found {
        sidecars.of.entry(picture).or_default().push(text.path);
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
}
