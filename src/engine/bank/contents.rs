//! What the bank says: phrases and tags, as they are in the files beside this one.
//!
//! `make.py` writes the phrases from word lists of our own, so both files have Sightline's licence.

use super::labels::Label;

const PHRASES: &str = include_str!("phrases.tsv");
const TAGS: &str = include_str!("tags.tsv");

/// A phrase of the bank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Phrase {
    /// What kind of phrase it is: `animals`, `scenes` and so on.
    pub(crate) group: &'static str,
    pub(crate) text: &'static str,
}

/// The phrases, each once.
pub(crate) fn phrases() -> impl Iterator<Item = Phrase> {
    let phrase = |line: &'static str| {
        let (group, text) = line.split_once('\t')?;
        Some(Phrase { group, text })
    };
    PHRASES.lines().filter_map(phrase)
}

/// The tags. Of a set, a picture has at most one.
pub(crate) fn tags() -> Vec<Label> {
    let lines = TAGS.lines().filter(|line| !line.starts_with('#'));
    let label = |line: &str| {
        let mut cells = line.split('\t');
        let (set, name, texts) = (cells.next()?, cells.next()?, cells.next()?);
        let label = Label {
            set: (set != "-").then(|| set.to_owned()),
            name: name.to_owned(),
            chinese: cells.next().map(ToOwned::to_owned),
            texts: texts
                .split('|')
                .map(|text| text.trim().to_owned())
                .collect(),
        };
        // The bank says what a set is described by; a thing is named, and named as in captions.
        Some(match label.set {
            Some(_) => label,
            None => label.photographed(),
        })
    };
    lines.filter_map(label).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet, HashSet};

    use super::*;

    const GROUPS: [&str; 18] = [
        "activities",
        "animals",
        "buildings",
        "colours",
        "food",
        "materials",
        "nature",
        "numbers",
        "objects",
        "people",
        "places",
        "plants",
        "rooms",
        "scenes",
        "sport",
        "styles",
        "vehicles",
        "weather",
    ];

    #[test]
    fn the_bank_has_thousands_of_different_short_phrases() {
        let lines = PHRASES.lines().count();
        let phrases: Vec<Phrase> = phrases().collect();
        assert_eq!(phrases.len(), lines);
        assert!(lines >= 5_000, "{lines}");
        let distinct: HashSet<&str> = phrases.iter().map(|phrase| phrase.text).collect();
        assert_eq!(distinct.len(), lines);
        let mut groups: BTreeMap<&str, usize> = BTreeMap::new();
        for Phrase { group, text } in phrases {
            *groups.entry(group).or_default() += 1;
            let is_plain = |letter: char| letter.is_alphanumeric() || " '-".contains(letter);
            assert!(text.chars().all(is_plain), "{text}");
            assert!((1..=12).contains(&text.split(' ').count()), "{text}");
            assert_eq!(text.split_whitespace().collect::<Vec<_>>().join(" "), text);
        }
        assert_eq!(groups.keys().copied().collect::<Vec<_>>(), GROUPS);
        assert!(groups.values().all(|&n| n >= 90), "{groups:?}");
    }

    #[test]
    fn every_tag_has_a_chinese_name_and_no_two_are_the_same() {
        let tags = tags();
        assert_eq!(tags.len(), TAGS.lines().count() - 1);
        assert!(tags.len() >= 300);
        let names: HashSet<&str> = tags.iter().map(|tag| tag.name.as_str()).collect();
        assert_eq!(names.len(), tags.len());
        let of_sets = tags.iter().filter_map(|tag| tag.set.as_deref());
        let sets: BTreeSet<&str> = of_sets.collect();
        let expected = ["medium", "place", "time"];
        assert_eq!(sets.into_iter().collect::<Vec<_>>(), expected);
        for tag in &tags {
            let is_chinese = |letter: char| ('\u{4e00}'..='\u{9fff}').contains(&letter);
            let chinese = tag.chinese.as_deref().unwrap_or_default();
            assert!(
                !chinese.is_empty() && chinese.chars().all(is_chinese),
                "{tag:?}"
            );
            assert!(!tag.texts.is_empty() && tag.texts.iter().all(|text| !text.is_empty()));
        }
    }
}
