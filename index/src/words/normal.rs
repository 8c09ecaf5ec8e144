//! Normalizes characters: composed and decomposed, wide and narrow, with and without accents.
//!
//! Some systems decompose file names, while captions are usually composed. Normalized text is
//! always composed (Unicode form NFKC), and each character keeps its position in the original text.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{canonical_combining_class, is_combining_mark};

/// A character of the normal form, and its byte range in the original text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Letter {
    pub(super) character: char,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// The characters of a text in their normal form.
pub(super) fn letters(text: &str) -> Vec<Letter> {
    let mut letters = Vec::with_capacity(text.len());
    let mut rest = text.char_indices().peekable();
    while let Some((from, first)) = rest.next() {
        let mut to = from + first.len_utf8();
        while let Some(&(at, next)) = rest.peek()
            && continues(next)
        {
            to = at + next.len_utf8();
            rest.next();
        }
        if to == from + 1 {
            letters.push(Letter {
                character: first,
                from,
                to,
            });
        } else {
            let cluster = text.get(from..to).unwrap_or("");
            letters.extend(cluster.nfkc().map(|character| Letter {
                character,
                from,
                to,
            }));
        }
    }
    letters
}

/// Whether a character may combine with the one before it: marks, later letters of a Korean
/// syllable, and half-width Japanese marks.
fn continues(character: char) -> bool {
    !character.is_ascii()
        && (is_mark(character)
            || canonical_combining_class(character) != 0
            || matches!(character, '\u{1160}'..='\u{11ff}' | '\u{ff9e}' | '\u{ff9f}'))
}

/// Whether a character is a mark on the one before it.
pub(super) fn is_mark(character: char) -> bool {
    !character.is_ascii() && is_combining_mark(character)
}

/// A lowercase word without accents: `straße` becomes `strasse`, `ø` becomes `o`, `ё` becomes `е`.
///
/// Marks are kept in scripts that read differently without them (Japanese, Thai, those of India).
pub(super) fn folded(word: &str) -> String {
    if word.is_ascii() {
        return word.to_owned();
    }
    let mut folded = String::with_capacity(word.len());
    for character in word.nfkd() {
        match character {
            // Accents of Latin, Greek and Cyrillic; points of Hebrew and Arabic.
            '\u{300}'..='\u{36f}'
            | '\u{591}'..='\u{5bd}'
            | '\u{5bf}'..='\u{5c7}'
            | '\u{640}'
            | '\u{64b}'..='\u{652}'
            | '\u{670}'
            | '\u{1ab0}'..='\u{1aff}'
            | '\u{1dc0}'..='\u{1dff}'
            | '\u{20d0}'..='\u{20ff}'
            | '\u{fe00}'..='\u{fe2f}' => {}
            'ß' | 'ẞ' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'þ' => folded.push_str("th"),
            'ø' => folded.push('o'),
            'đ' | 'ð' => folded.push('d'),
            'ł' => folded.push('l'),
            'ħ' => folded.push('h'),
            'ŧ' => folded.push('t'),
            'ŋ' => folded.push('n'),
            'ı' => folded.push('i'),
            'ς' => folded.push('σ'),
            other => folded.push(other),
        }
    }
    // Recompose Korean and Japanese, which the loop above decomposed.
    folded.nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equivalent_spellings_have_one_normal_form() {
        let rows = [
            ("cafe\u{301}", "café"),
            ("\u{1107}\u{1161}\u{1103}\u{1161}", "바다"),
            ("\u{ff8b}\u{ff9e}\u{ff70}\u{ff81}", "ビーチ"),
            ("ヒ\u{3099}ーチ", "ビーチ"),
            ("ＡＢＣ１", "ABC1"),
            ("ﬁre", "fire"),
            ("plain", "plain"),
            ("", ""),
        ];
        assert_eq!(rows.len(), 8);
        for (text, expected) in rows {
            let letters = letters(text);
            let found: String = letters.iter().map(|letter| letter.character).collect();
            assert_eq!(found, expected, "{text:?}");
            for letter in letters {
                assert!(text.get(letter.from..letter.to).is_some(), "{text:?}");
            }
        }
    }

    #[test]
    fn accents_are_removed_unless_they_change_the_reading() {
        let rows = [
            ("café", "cafe"),
            ("straße", "strasse"),
            ("smørrebrød", "smorrebrod"),
            ("łódź", "lodz"),
            ("ёлка", "елка"),
            ("οδός", "οδοσ"),
            ("شَمْس", "شمس"),
            ("ビーチ", "ビーチ"),
            ("바다", "바다"),
            ("हिन्दी", "हिन्दी"),
            ("œuvre", "oeuvre"),
        ];
        assert_eq!(rows.len(), 11);
        for (word, expected) in rows {
            assert_eq!(folded(word), expected);
        }
    }
}
