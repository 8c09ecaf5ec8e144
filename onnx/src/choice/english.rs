//! Which words are English.

use std::cmp::Ordering;

/// Lower-case words of a to z, sorted, one per line; `onnx/data/english/README.md` says where they
/// are from.
const WORDS: &str = include_str!("../../data/english/words.txt");

/// A plural of fewer letters is in the list itself, as is one that does not end in -s.
const SHORTEST_PLURAL: usize = 4;

/// Whether a word in lower case, or each part of one with hyphens, is English.
pub(super) fn is_word(word: &str) -> bool {
    let is_part = |part: &str| part.len() < 2 || is_listed(part) || is_plural(part);
    word.split('-').all(is_part)
}

fn is_plural(word: &str) -> bool {
    let singular = word.strip_suffix('s');
    word.len() >= SHORTEST_PLURAL && singular.is_some_and(is_listed)
}

fn is_listed(word: &str) -> bool {
    let (mut start, mut end) = (0, WORDS.len());
    while start < end {
        let middle = usize::midpoint(start, end);
        let line = WORDS[start..middle].rfind('\n');
        let line = line.map_or(start, |at| start + at + 1);
        let line_end = WORDS[line..end].find('\n').map_or(end, |at| line + at);
        match WORDS[line..line_end].cmp(word) {
            Ordering::Equal => return true,
            Ordering::Less => start = line_end + 1,
            Ordering::Greater => end = line,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_word_is_found() {
        let lines: Vec<&str> = WORDS.lines().collect();
        assert!(lines.is_sorted_by(|a, b| a < b));
        assert_eq!(lines.len(), 47_840);
        for word in lines {
            assert!(
                word.bytes().all(|letter| letter.is_ascii_lowercase()),
                "{word}"
            );
            assert!(is_listed(word), "{word}");
            assert!(!is_listed(&format!("{word}qq")), "{word}");
        }
    }

    #[test]
    fn inflected_words_and_both_spellings_are_english() {
        for word in [
            "dogs",
            "boxes",
            "children",
            "running",
            "painted",
            "brass",
            "colour",
            "color",
            "christmas",
            "japanese",
            "tv",
            "hot-air",
            "x-ray",
            "t-shirts",
        ] {
            assert!(is_word(word), "{word}");
        }
        for word in [
            "katze",
            "kot",
            "bahnhof",
            "treinstation",
            "girafe",
            "ein-hund",
            "café",
        ] {
            assert!(!is_word(word), "{word}");
        }
    }
}
