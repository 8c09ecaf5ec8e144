//! Texts in a shell's quotes.

use std::path::Path;

/// A text as one word of a shell's command line, in quotes where it needs them.
pub(in crate::cli) fn shell_word(text: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "/._-+,:@%=".contains(letter);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        in_quotes(text)
    }
}

/// The folder that contains a file.
pub(super) fn parent_of(path: &Path) -> String {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .map_or_else(|| ".".into(), |parent| parent.display().to_string())
}

pub(super) fn in_quotes(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
