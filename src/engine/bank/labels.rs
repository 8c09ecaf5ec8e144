//! Labels that pictures are tagged with: the tags of the bank, or those of a file.

use std::collections::HashSet;
use std::path::Path;

use crate::engine::EngineError;

/// The most labels that a file may have: each is encoded in every run.
const MAX_LABELS: usize = 10_000;

/// Something that a picture may be tagged with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Label {
    /// The set of labels that exclude each other; `None`: it goes with any other.
    pub(crate) set: Option<String>,
    /// The tag.
    pub(crate) name: String,
    /// The tag in Chinese, if that is known.
    pub(crate) chinese: Option<String>,
    /// What is encoded. The label's vector is their mean, scaled to unit length.
    pub(crate) texts: Vec<String>,
}

impl Label {
    /// With `a photo of …` beside each text. A mean of several prompts is nearer to the pictures
    /// than any one of them (Radford et al., "Learning Transferable Visual Models From Natural
    /// Language Supervision", 2021).
    pub(crate) fn photographed(mut self) -> Self {
        let photos = self.texts.iter().map(|text| format!("a photo of {text}"));
        let photos: Vec<String> = photos.collect();
        self.texts.extend(photos);
        self
    }
}

/// A label that a file has again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepeatedLabel {
    /// Its line, from 1.
    pub line: usize,
    /// The label as it is written there.
    pub name: String,
}

/// Reads a file with one label per line. Empty lines and those that begin with `#` are left out;
/// `set: label` is a label of an exclusive set. Of a label that is there again, in capitals or not,
/// the first counts.
///
/// # Errors
/// When it cannot be read, is not UTF-8 text, has a line without a label, more than 10,000 labels,
/// or none.
pub(crate) fn read_file(path: &Path) -> Result<(Vec<Label>, Vec<RepeatedLabel>), EngineError> {
    let bytes = fs_err::read(path)?;
    let text = String::from_utf8(bytes).map_err(|_| EngineError::NotText {
        path: path.to_path_buf(),
    })?;
    parse(&text).map_err(|what| EngineError::BadLabels {
        path: path.to_path_buf(),
        what,
    })
}

fn parse(text: &str) -> Result<(Vec<Label>, Vec<RepeatedLabel>), String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut labels, mut names) = (Vec::new(), HashSet::new());
    let mut repeated = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (set, name) = match line.split_once(':') {
            Some((set, name)) => (Some(set.trim()), name.trim()),
            None => (None, line),
        };
        if name.is_empty() || set == Some("") {
            return Err(format!("line {number}: expected `label` or `set: label`"));
        }
        if name.contains(char::is_control) {
            return Err(format!("line {number}: the label has a control character"));
        }
        if !names.insert(name.to_lowercase()) {
            repeated.push(RepeatedLabel {
                line: number,
                name: name.to_owned(),
            });
            continue;
        }
        labels.push(Label {
            set: set.map(ToOwned::to_owned),
            name: name.to_owned(),
            chinese: None,
            texts: vec![name.to_owned()],
        });
        if labels.len() > MAX_LABELS {
            return Err(format!("more than {MAX_LABELS} labels"));
        }
    }
    if labels.is_empty() {
        return Err("no labels: expected one per line".to_owned());
    }
    Ok((labels, repeated))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_one_label_per_line_some_of_them_in_sets() {
        let text = "\u{feff}# mine\n\n our dog \nplace: at home\r\nplace: at work\n狗\n";
        let (labels, repeated) = parse(text).unwrap();
        let found: Vec<_> = labels
            .iter()
            .map(|label| (label.set.as_deref(), label.name.as_str()))
            .collect();
        let expected = [
            (None, "our dog"),
            (Some("place"), "at home"),
            (Some("place"), "at work"),
            (None, "狗"),
        ];
        assert_eq!(found, expected);
        assert_eq!(repeated, []);
    }

    #[test]
    fn of_a_label_that_is_there_again_the_first_counts() {
        let (labels, repeated) = parse("dog\ncat\n\nDog\nplace: dog\n").unwrap();
        let names: Vec<&str> = labels.iter().map(|label| label.name.as_str()).collect();
        assert_eq!(names, ["dog", "cat"]);
        let repeated: Vec<(usize, &str)> = repeated
            .iter()
            .map(|label| (label.line, label.name.as_str()))
            .collect();
        assert_eq!(repeated, [(4, "Dog"), (5, "dog")]);
    }

    #[test]
    fn other_files_are_refused_with_the_line_at_fault() {
        let rows = [
            ("", "no labels: expected one per line"),
            ("# only this\n", "no labels: expected one per line"),
            ("dog\nplace:\n", "line 2: expected `label` or `set: label`"),
            (": dog", "line 1: expected `label` or `set: label`"),
            ("a\tb", "line 1: the label has a control character"),
        ];
        assert_eq!(rows.len(), 5);
        for (text, expected) in rows {
            assert_eq!(parse(text).unwrap_err(), expected);
        }
    }
}
