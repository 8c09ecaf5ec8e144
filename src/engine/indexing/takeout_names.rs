//! The names that Google Takeout gives the metadata of a picture.
//!
//! Beside `photo.jpg` it is `photo.jpg.json` or, since 2024,
//! `photo.jpg.supplemental-metadata.json`. Names are cut to 46 characters before `.json`, in the
//! middle of the long ending or of the picture's own name. The number of a picture with the name of
//! another comes last: `photo(1).jpg` has `photo.jpg(1).json`. An edited copy, `photo-edited.jpg`
//! in English, has none of its own.

use std::borrow::Cow;

/// Length to which names are cut, in characters, without `.json`.
const MAX_CHARS: usize = 46;

/// What follows the picture's name since 2024, whole or cut.
const ENDING: &str = ".supplemental-metadata";

/// What follows the name of an original in that of an edited copy, in the languages of Google
/// Photos where it is known.
const EDITED: [&str; 13] = [
    "-bearbeitet",
    "-bewerkt",
    "-edited",
    "-editada",
    "-editado",
    "-editat",
    "-edytowane",
    "-effects",
    "-ha editado",
    "-modificato",
    "-modifié",
    "-redigerad",
    "-編集済み",
];

/// A name without the number in brackets that tells pictures of equal names apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Numbered<'a> {
    pub(crate) name: Cow<'a, str>,
    pub(crate) number: Option<u32>,
}

/// What the metadata of a picture may be called, without ending and `.json`.
pub(crate) fn of_picture(name: &str) -> Vec<Numbered<'_>> {
    let mut names = whole_and_cut(Cow::Borrowed(name), None);
    let (stem, extension) = split(name);
    if let (stem, Some(number)) = without_number(stem) {
        names.extend(whole_and_cut(
            Cow::Owned(format!("{stem}{extension}")),
            Some(number),
        ));
    }
    names
}

/// The same of the original if the picture's name is that of an edited copy.
pub(crate) fn of_original(name: &str) -> Vec<Numbered<'static>> {
    let (stem, extension) = split(name);
    let (stem, number) = without_number(stem);
    let original = EDITED.iter().find_map(|end| stem.strip_suffix(end));
    let original = original.filter(|original| !original.is_empty());
    let names = original
        .map(|original| whole_and_cut(Cow::Owned(format!("{original}{extension}")), number));
    names.unwrap_or_default()
}

/// What the metadata in a file belong to, by the file's name without `.json`.
pub(crate) fn of_sidecar(stem: &str) -> Vec<Numbered<'_>> {
    let mut names = Vec::new();
    let mut add = |name: &str, number| {
        let name = name.to_owned();
        let found = Numbered {
            name: Cow::Owned(name),
            number,
        };
        if !names.contains(&found) {
            names.push(found);
        }
    };
    let (bare, number) = without_number(stem);
    for (name, number) in [(stem, None), (bare, number)] {
        add(name, number);
        if let Some(dot) = name.rfind('.')
            && ENDING.starts_with(&name[dot..])
        {
            add(&name[..dot], number);
        }
    }
    names
}

fn whole_and_cut(name: Cow<'_, str>, number: Option<u32>) -> Vec<Numbered<'_>> {
    let cut = name.char_indices().nth(MAX_CHARS).map(|(end, _)| {
        let name = Cow::Owned(name[..end].to_owned());
        Numbered { name, number }
    });
    let mut names = vec![Numbered { name, number }];
    names.extend(cut);
    names
}

/// A name and its extension with the dot.
fn split(name: &str) -> (&str, &str) {
    name.split_at(name.rfind('.').unwrap_or(name.len()))
}

/// A name without a number in brackets at its end, and the number.
fn without_number(name: &str) -> (&str, Option<u32>) {
    let split = || {
        let (name, number) = name.strip_suffix(')')?.rsplit_once('(')?;
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
        Some((name, number.parse().ok().filter(|_| is_number)?))
    };
    split().map_or((name, None), |(name, number)| (name, Some(number)))
}
