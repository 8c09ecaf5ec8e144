//! Repairs of a text that `open_clip` makes before everything else: HTML's entities, and those of
//! ftfy's repairs (Speer 2019, <https://ftfy.readthedocs.io>, version 6.3) that change one
//! character at a time. What ftfy does about text decoded with the wrong encoding is left out.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

/// The text in NFC with plain quotes, ligatures taken apart, characters of usual width, without
/// control characters and entities.
pub(super) fn repaired(text: &str) -> Cow<'_, str> {
    // Nearly every text is ASCII without an entity.
    let is_plain = |c: u8| c != b'&' && (c == b' ' || c.is_ascii_graphic());
    if text.bytes().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut repaired = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\u{2bc}' | '\u{2018}'..='\u{201b}' => repaired.push('\''),
            '\u{201c}'..='\u{201f}' => repaired.push('"'),
            '\u{fb00}'..='\u{fb06}' | '\u{132}' | '\u{133}' | '\u{149}' => {
                repaired.extend(std::iter::once(letter).nfkd());
            }
            // Full-width Latin, half-width Japanese and Korean, the ideographic space.
            '\u{ff01}'..='\u{ffef}' | '\u{3000}' => {
                repaired.extend(std::iter::once(letter).nfkc());
            }
            '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => repaired.push('\n'),
            '\0'..='\x08'
            | '\x0b'
            | '\x0e'..='\x1f'
            | '\x7f'
            | '\u{206a}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffc}' => {}
            letter => repaired.push(letter),
        }
    }
    let repaired: String = repaired.nfc().collect();
    // Some data sets were escaped twice.
    let once = htmlize::unescape(repaired.as_str());
    Cow::Owned(htmlize::unescape(once.as_ref()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The right sides are what `html.unescape(html.unescape(ftfy.fix_text(text)))` of Python gives
    /// (ftfy 6.3.1).
    #[test]
    fn texts_are_repaired_as_by_open_clip() {
        let cases = [
            ("a dog", "a dog"),
            (
                "the dog\u{2019}s \u{201c}bone\u{201d}",
                "the dog's \"bone\"",
            ),
            ("\u{fb01}sh and co\u{fb00}ee", "fish and coffee"),
            ("cafe\u{301}", "caf\u{e9}"),
            ("\u{ff24}\u{ff4f}\u{ff47}\u{ff01}", "Dog!"),
            ("salt &amp; pepper", "salt & pepper"),
            ("salt &amp;amp; pepper", "salt & pepper"),
            ("caf&eacute; &#8364;5 &lt;b&gt;", "caf\u{e9} \u{20ac}5 <b>"),
            ("R&D, AT&T", "R&D, AT&T"),
            ("a\u{feff}b\u{7}c", "abc"),
        ];
        for (text, expected) in cases {
            assert_eq!(repaired(text), expected, "{text:?}");
        }
        assert_eq!(cases.len(), 10);
    }
}
