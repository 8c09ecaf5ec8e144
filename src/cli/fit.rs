//! Texts that fit the width of a terminal. Widths are in columns.

use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

/// Stands for what was left out.
const ELLIPSIS: &str = "…";

/// Columns that a text takes on a terminal.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// The beginning of a text, with `…` at its end if it is wider than `columns`.
pub(super) fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    beginning(text, columns.saturating_sub(1)).to_owned() + ELLIPSIS
}

/// A path, with `…` in its middle if it is wider than `columns`. The file's name is kept if there
/// is room for it.
pub(super) fn shorten(path: &str, columns: usize) -> String {
    if path.width() <= columns {
        return path.to_owned();
    }
    let room = columns.saturating_sub(1);
    let slash = path.rfind('/').unwrap_or_default();
    let names = [&path[slash..], path[slash..].trim_start_matches('/')];
    let mut names = names.into_iter().filter(|name| *name != path);
    let name = names.find(|name| name.width() <= room);
    let half = room.div_ceil(2);
    let end = end(path, name.map_or(half, |name| name.width().max(half)));
    let beginning = beginning(path, room - end.width());
    format!("{beginning}{ELLIPSIS}{end}")
}

/// The longest beginning of at most this width. Characters that are shown as one are kept together.
fn beginning(text: &str, columns: usize) -> &str {
    let mut left = columns;
    let fits = |&(_, shown): &(usize, &str)| match left.checked_sub(shown.width()) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    let last = text.grapheme_indices(true).take_while(fits).last();
    last.map_or("", |(at, shown)| &text[..at + shown.len()])
}

/// The longest end of at most this width.
fn end(text: &str, columns: usize) -> &str {
    let mut left = columns;
    let fits = |&(_, shown): &(usize, &str)| match left.checked_sub(shown.width()) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    let last = text.grapheme_indices(true).rev().take_while(fits).last();
    last.map_or("", |(at, _)| &text[at..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_are_cut_and_paths_shortened_in_the_middle() {
        let rows = [
            ("short", 5, "short", "short"),
            ("a long caption", 8, "a long …", "a l…tion"),
            (
                "photos/2023/summer/IMG_1.jpg",
                20,
                "photos/2023/summer/…",
                "photos/20…/IMG_1.jpg",
            ),
            (
                "photos/2023/summer/IMG_1.jpg",
                10,
                "photos/20…",
                "…IMG_1.jpg",
            ),
            ("photos/2023/summer/IMG_1.jpg", 6, "photo…", "ph…jpg"),
            ("猫猫猫猫", 5, "猫猫…", "猫…猫"),
            ("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…", "…e\u{301}"),
            ("abc", 1, "…", "…"),
        ];
        assert_eq!(rows.len(), 8);
        for (text, columns, expected, shortened) in rows {
            assert_eq!(cut(text, columns), expected);
            assert_eq!(shorten(text, columns), shortened);
        }
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_asked(text in "\\PC{0,60}", columns in 1_usize..60) {
            prop_assert!(width(&cut(&text, columns)) <= columns);
            prop_assert!(width(&shorten(&text, columns)) <= columns);
            prop_assert_eq!(cut(&text, 400), text.clone());
        }
    }
}
