//! The languages of a model's text towers.

use std::collections::BTreeSet;
use std::path::Path;

use super::manifest::Manifest;
use crate::error::ModelError;

/// Checks that each of several text towers names its languages and shares none with another, and
/// names the towers besides the first by them. `file` is the manifest, for messages.
pub(super) fn check(folder: &Path, file: &Path, manifest: &mut Manifest) -> Result<(), ModelError> {
    if manifest.others.is_empty() {
        return Ok(());
    }
    let mut seen = BTreeSet::new();
    for (n, text) in manifest.texts_mut().enumerate() {
        let table = if n == 0 { "text" } else { "text.other" };
        let Some([first, others @ ..]) = text.languages.as_deref() else {
            return Err(ModelError::Unknown {
                folder: folder.to_path_buf(),
                keys: vec![format!("{table}.languages")],
                why: "each of several text towers names its languages".to_owned(),
            });
        };
        if n > 0 {
            text.hints.place = Some(format!("{table}[{first}]"));
        }
        for language in std::iter::once(first).chain(others) {
            if !seen.insert(*language) {
                let (key, reason) = (
                    text.hints.text_key("languages"),
                    "another text tower has this language",
                );
                return Err(ModelError::invalid(file, key, language, reason));
            }
        }
    }
    Ok(())
}
