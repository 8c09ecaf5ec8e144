//! Finds files by how their names look.
//!
//! One name has several spellings: `é` is one character or an `e` with an accent (NFC and NFD;
//! macOS writes the latter), and programs on Windows write `\` between folders. What a name means
//! exactly always goes first; another spelling counts only when one single file looks like it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

/// What all spellings of a name or path that differ in composition have in common. Names that are
/// not UTF-8 have one spelling.
pub(crate) fn composed(name: &OsStr) -> Cow<'_, [u8]> {
    match name.to_str() {
        Some(text) if is_nfc_quick(text.chars()) != IsNormalized::Yes => {
            Cow::Owned(text.nfc().collect::<String>().into_bytes())
        }
        _ => Cow::Borrowed(name.as_encoded_bytes()),
    }
}

/// The same for spellings that differ in case too.
pub(crate) fn folded(name: &OsStr) -> Vec<u8> {
    match name.to_str() {
        Some(text) if !text.is_ascii() => {
            let lower = text.nfc().flat_map(char::to_lowercase);
            lower.nfc().collect::<String>().into_bytes()
        }
        _ => name.as_encoded_bytes().to_ascii_lowercase(),
    }
}

/// The path with `/` for each `\`; `None` if it has no `\`, or `\` separates folders here.
pub(crate) fn with_slashes(path: &Path) -> Option<PathBuf> {
    let text = path.to_str()?;
    (!cfg!(windows) && text.contains('\\')).then(|| PathBuf::from(text.replace('\\', "/")))
}

/// Finds files on disk by how their paths look, and remembers the folders that it lists for that.
#[derive(Debug, Default)]
pub(crate) struct Finder {
    /// The names in each listed folder, by what their spellings have in common.
    listed: HashMap<PathBuf, HashMap<Vec<u8>, Vec<OsString>>>,
}

impl Finder {
    /// The file or folder at `path`, or else the only one whose path looks like it, or else `path`
    /// itself, so that the error about it names what was asked for.
    pub(crate) fn find(&mut self, path: &Path) -> PathBuf {
        let found = self.look_up(path);
        let found = found.or_else(|| self.look_up(&with_slashes(path)?));
        found.unwrap_or_else(|| path.to_path_buf())
    }

    fn look_up(&mut self, path: &Path) -> Option<PathBuf> {
        if exists(path) {
            return Some(path.to_path_buf());
        }
        let (parent, name) = (path.parent()?, path.file_name()?);
        let parent = if parent.as_os_str().is_empty() {
            PathBuf::new()
        } else {
            self.look_up(parent)?
        };
        let exact = parent.join(name);
        if exists(&exact) {
            return Some(exact);
        }
        match self.names_in(&parent).get(&*composed(name))?.as_slice() {
            [only] => Some(parent.join(only)),
            _ => None,
        }
    }

    fn names_in(&mut self, folder: &Path) -> &HashMap<Vec<u8>, Vec<OsString>> {
        self.listed.entry(folder.to_path_buf()).or_insert_with(|| {
            let place = if folder.as_os_str().is_empty() {
                Path::new(".")
            } else {
                folder
            };
            let mut names: HashMap<Vec<u8>, Vec<OsString>> = HashMap::new();
            // A folder that cannot be listed has nothing that looks like anything.
            for entry in fs_err::read_dir(place).into_iter().flatten().flatten() {
                let name = entry.file_name();
                let key = composed(&name).into_owned();
                names.entry(key).or_default().push(name);
            }
            names
        })
    }
}

fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// The forms in which a path can be in the index: links are resolved only up to the library folder,
/// and a missing file cannot be resolved at all.
pub(crate) fn places(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let absolute = std::path::absolute(path)?;
    let plain = without_dots(&absolute);
    let mut places = vec![plain.clone(), resolved(&plain)];
    if let (Some(parent), Some(name)) = (plain.parent(), plain.file_name()) {
        places.push(resolved(parent).join(name));
    }
    // `a/../b` is not `b` where `a` is a link.
    places.extend(fs_err::canonicalize(&absolute));
    let mut distinct: Vec<PathBuf> = Vec::new();
    for place in places {
        if !distinct.contains(&place) {
            distinct.push(place);
        }
    }
    Ok(distinct)
}

fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            component => plain.push(component),
        }
    }
    plain
}

/// Canonicalizes the longest existing prefix of a path.
pub(crate) fn resolved(path: &Path) -> PathBuf {
    match (fs_err::canonicalize(path), path.parent(), path.file_name()) {
        (Ok(resolved), _, _) => resolved,
        (Err(_), Some(parent), Some(name)) => resolved(parent).join(name),
        _ => path.to_path_buf(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPOSED: &str = "Z\u{fc}rich";
    const DECOMPOSED: &str = "Zu\u{308}rich";

    #[test]
    fn spellings_of_a_name_have_one_key() {
        let key = |name: &str| composed(OsStr::new(name)).into_owned();
        assert_eq!(key(COMPOSED), key(DECOMPOSED));
        // Korean syllables are composed of letters.
        assert_eq!(key("\u{ac00}"), key("\u{1100}\u{1161}"));
        assert_ne!(key("Zurich"), key(COMPOSED));
        assert_ne!(key("ZURICH"), key("zurich"));
        let folded = |name: &str| folded(OsStr::new(name));
        assert_eq!(folded("Z\u{dc}RICH.JPG"), folded("zu\u{308}rich.jpg"));
        assert_eq!(folded("IMG_1.TXT"), b"img_1.txt");
        assert_ne!(folded("IMG_1"), folded("IMG_2"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn names_that_are_not_utf8_look_like_nothing_else() {
        use std::os::unix::ffi::OsStrExt as _;
        let (first, second) = (OsStr::from_bytes(b"caf\xe9"), OsStr::from_bytes(b"caf\xe8"));
        assert_ne!(composed(first), composed(second));
        assert_ne!(folded(first), folded(second));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_is_found_by_its_looks_only_if_it_is_the_only_one() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str| {
            let path = folder.path().join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, "").unwrap();
        };
        let find = |path: &str| {
            let found = Finder::default().find(&folder.path().join(path));
            found.strip_prefix(folder.path()).unwrap().to_path_buf()
        };
        write(&format!("{DECOMPOSED}/sub/{COMPOSED}.jpg"));
        let there = PathBuf::from(format!("{DECOMPOSED}/sub/{COMPOSED}.jpg"));
        for asked in [
            format!("{DECOMPOSED}/sub/{COMPOSED}.jpg"),
            format!("{COMPOSED}/sub/{DECOMPOSED}.jpg"),
            format!("{COMPOSED}\\sub\\{DECOMPOSED}.jpg"),
        ] {
            assert_eq!(find(&asked), there, "{asked:?}");
        }
        assert_eq!(find("absent/a.jpg"), Path::new("absent/a.jpg"));
        // Exactly this name goes first: a file whose name has a backslash, and either spelling.
        write("sub/c.jpg");
        assert_eq!(find("sub\\c.jpg"), Path::new("sub/c.jpg"));
        write("sub\\c.jpg");
        assert_eq!(find("sub\\c.jpg"), Path::new("sub\\c.jpg"));
        write("\u{e9}\u{e9}.jpg");
        write("e\u{301}e\u{301}.jpg");
        assert_eq!(find("\u{e9}\u{e9}.jpg"), Path::new("\u{e9}\u{e9}.jpg"));
        assert_eq!(
            find("e\u{301}e\u{301}.jpg"),
            Path::new("e\u{301}e\u{301}.jpg")
        );
        // A third spelling could mean both.
        let mixed = "\u{e9}e\u{301}.jpg";
        assert_eq!(find(mixed), Path::new(mixed));
    }

    #[test]
    fn the_existing_prefix_of_a_missing_path_is_resolved() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs_err::canonicalize(folder.path()).unwrap();
        fs_err::create_dir(root.join("real")).unwrap();
        std::os::unix::fs::symlink(root.join("real"), root.join("link")).unwrap();
        let asked = root.join("link/../link/missing/./a.jpg");
        let places = places(&asked).unwrap();
        assert_eq!(
            places,
            [
                root.join("link/missing/a.jpg"),
                root.join("real/missing/a.jpg")
            ]
        );
    }
}
