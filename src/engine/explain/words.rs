//! The words of a text, and the text without each of them. No I/O.

use std::ops::Range;

use icu_segmenter::WordSegmenter;
use icu_segmenter::options::WordBreakInvariantOptions;

/// Words that are left out one by one; further ones are not.
pub(super) const MAX_WORDS: usize = 64;

/// The words of a text in order, as byte ranges. Scripts without spaces are segmented by
/// dictionary. Words joined by a hyphen are one.
pub(super) fn words(text: &str) -> Vec<Range<usize>> {
    let segmenter = WordSegmenter::new_dictionary(WordBreakInvariantOptions::default());
    let mut words: Vec<Range<usize>> = Vec::new();
    let mut start = 0;
    for (end, kind) in segmenter.segment_str(text).iter_with_word_type() {
        if kind.is_word_like() {
            match words.last_mut() {
                Some(last) if is_hyphen(&text[last.end..start]) => last.end = end,
                _ => words.push(start..end),
            }
        }
        start = end;
    }
    words
}

fn is_hyphen(between: &str) -> bool {
    matches!(between, "-" | "\u{2010}" | "\u{2011}")
}

/// The text without one of its words.
pub(super) fn without(text: &str, word: &Range<usize>) -> String {
    let (before, after) = (&text[..word.start], &text[word.end..]);
    let is_between_spaces =
        before.ends_with(char::is_whitespace) && after.starts_with(char::is_whitespace);
    let after = if is_between_spaces || before.is_empty() {
        after.trim_start()
    } else {
        after
    };
    format!("{before}{after}").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_into_words() {
        let rows: [(&str, &[&str]); 9] = [
            ("a dog on the beach", &["a", "dog", "on", "the", "beach"]),
            ("A T-shirt, red.", &["A", "T-shirt", "red"]),
            ("the dog's 2 toys", &["the", "dog's", "2", "toys"]),
            ("dog - cat", &["dog", "cat"]),
            ("海滩上的狗", &["海滩", "上", "的", "狗"]),
            ("a 红色 car", &["a", "红色", "car"]),
            ("สุนัขสีแดง", &["สุนัข", "สี", "แดง"]),
            ("  ", &[]),
            ("?!", &[]),
        ];
        assert_eq!(rows.len(), 9);
        for (text, expected) in rows {
            let words: Vec<&str> = words(text).into_iter().map(|word| &text[word]).collect();
            assert_eq!(words, expected, "{text}");
        }
    }

    #[test]
    fn a_text_without_a_word_has_no_gap() {
        let rows: [(&str, &[&str]); 4] = [
            ("a red dog", &["red dog", "a dog", "a red"]),
            (
                "a T-shirt, red.",
                &["T-shirt, red.", "a , red.", "a T-shirt, ."],
            ),
            (
                "海滩上的狗",
                &["上的狗", "海滩的狗", "海滩上狗", "海滩上的"],
            ),
            (" dog ", &[""]),
        ];
        assert_eq!(rows.len(), 4);
        for (text, expected) in rows {
            let texts: Vec<String> = words(text).iter().map(|word| without(text, word)).collect();
            assert_eq!(texts, expected, "{text}");
        }
    }
}
