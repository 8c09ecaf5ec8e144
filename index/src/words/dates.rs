//! Dates in queries. An index has a term for each date that it knows, `1993-08-14`, and for its
//! month, `1993-08`. People type other forms, too.

use std::collections::HashSet;

use super::split::{Piece, PieceKind, is_day, is_month};
use super::terms::{Alternative, Terms};

/// A date in a query.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct QueryDate {
    /// Its range in the query, in bytes.
    pub(super) from: usize,
    pub(super) to: usize,
    /// The terms that it stands for.
    pub(super) alternatives: Terms,
}

/// Whether a piece of the query is a part of one of the dates, which are in its order.
pub(super) fn covers(dates: &[QueryDate], from: usize, to: usize) -> bool {
    let n_before = dates.partition_point(|date| date.from <= from);
    let date = n_before.checked_sub(1).and_then(|last| dates.get(last));
    date.is_some_and(|date| to <= date.to)
}

/// The dates in a query, in its order: `1993-08`, and what means the same, such as `1993-8`,
/// `08.1993` and `14.8.1993`. With slashes, day and month may stand in either order. `words`: the
/// ranges of those pieces that are words.
pub(super) fn of_query(
    text: &str,
    pieces: &[Piece],
    words: &HashSet<(usize, usize)>,
) -> Vec<QueryDate> {
    let mut dates: Vec<QueryDate> = Vec::new();
    for Piece { from, to, kind } in pieces {
        // A date that is written as one number is a word of its own, and has no parts in a query.
        // The month of a date comes after the date.
        if let PieceKind::Date(date) = kind
            && !words.contains(&(*from, *to))
            && !covers(&dates, *from, *to)
        {
            let mut alternatives = vec![Alternative::all(vec![date.clone()])];
            let parts: Vec<&str> = date.split('-').collect();
            alternatives.extend(as_written(&parts));
            dates.push(QueryDate {
                from: *from,
                to: *to,
                alternatives,
            });
        }
    }
    let mut others = Vec::new();
    for numbers in joined_numbers(text, pieces) {
        let (Some(first), Some(last)) = (numbers.first(), numbers.last()) else {
            continue;
        };
        let (from, to) = (first.from, last.to);
        if covers(&dates, from, to) {
            continue;
        }
        let parts: Vec<&str> = numbers.iter().map(|number| number.digits).collect();
        let is_slashed = text
            .get(first.to..)
            .is_some_and(|rest| rest.starts_with('/'));
        let mut alternatives: Terms = terms(&parts, is_slashed)
            .into_iter()
            .map(|term| Alternative::all(vec![term]))
            .collect();
        if !alternatives.is_empty() {
            alternatives.extend(as_written(&parts));
            others.push(QueryDate {
                from,
                to,
                alternatives,
            });
        }
    }
    dates.extend(others);
    dates.sort_by_key(|date| date.from);
    dates
}

/// Texts that have a date in another form than `1993-08-14` have no term for it, only for its
/// parts, with or without zeros before them. An item that has a date of that year is judged by
/// that.
fn as_written(parts: &[&str]) -> Terms {
    let years = parts.iter().filter(|part| part.len() == 4);
    let months = years.flat_map(|year| (1..=12).map(move |month| format!("{year}-{month:02}")));
    let none: Vec<String> = months.collect();
    let mut forms = vec![Vec::new()];
    for part in parts {
        let mut written = vec![(*part).to_owned(), part.trim_start_matches('0').to_owned()];
        if part.len() < 3 {
            written.push(format!("{part:0>2}"));
        }
        written.sort();
        written.dedup();
        let longer = forms.iter().flat_map(|form: &Vec<String>| {
            let parts = written.iter().map(std::slice::from_ref);
            parts.map(move |part| [&form[..], part].concat())
        });
        forms = longer.collect();
    }
    let in_form = |all| Alternative {
        all,
        none: none.clone(),
    };
    forms.into_iter().map(in_form).collect()
}

/// The ranges of the query that are words.
pub(super) fn ranges_of_words(pieces: &[Piece]) -> HashSet<(usize, usize)> {
    let is_word = |piece: &&Piece| matches!(piece.kind, PieceKind::Word(_));
    let words = pieces.iter().filter(is_word);
    words.map(|word| (word.from, word.to)).collect()
}

struct QueryNumber<'a> {
    from: usize,
    to: usize,
    digits: &'a str,
}

/// Numbers of at most four digits that are separated by one character each and nothing else.
fn joined_numbers<'a>(text: &'a str, pieces: &[Piece]) -> Vec<Vec<QueryNumber<'a>>> {
    let mut groups: Vec<Vec<QueryNumber<'_>>> = Vec::new();
    for &Piece { from, to, .. } in pieces {
        let Some(digits) = text.get(from..to) else {
            continue;
        };
        let is_number = digits.len() <= 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
        let before = text
            .get(..from)
            .and_then(|before| before.chars().next_back());
        let after = text.get(to..).and_then(|after| after.chars().next());
        let is_apart = ![before, after]
            .into_iter()
            .flatten()
            .any(char::is_alphanumeric);
        if !is_number || !is_apart {
            continue;
        }
        let number = QueryNumber { from, to, digits };
        let is_next = |last: &QueryNumber<'_>| {
            matches!(text.get(last.to..from), Some("-" | "_" | "." | ":" | "/"))
        };
        match groups.last_mut() {
            Some(group) if group.last().is_some_and(is_next) => group.push(number),
            _ => groups.push(vec![number]),
        }
    }
    groups
}

/// The terms of the date that these numbers form.
fn terms(numbers: &[&str], is_slashed: bool) -> Vec<String> {
    let month = |year: &str, month: &str| {
        let is_sound = year.len() == 4 && month.len() <= 2 && is_month(year, month);
        is_sound.then(|| format!("{year}-{month:0>2}"))
    };
    let day = |year: &str, of_year: &str, day: &str| {
        let is_sound = day.len() <= 2 && is_day(day);
        let month = month(year, of_year).filter(|_| is_sound)?;
        Some(format!("{month}-{day:0>2}"))
    };
    let found: Vec<Option<String>> = match *numbers {
        [a, b] => vec![month(a, b), month(b, a)],
        [a, b, c] if is_slashed => vec![day(a, b, c), day(c, b, a), day(c, a, b)],
        [a, b, c] => vec![day(a, b, c), day(c, b, a)],
        _ => Vec::new(),
    };
    let mut terms: Vec<String> = found.into_iter().flatten().collect();
    terms.dedup();
    terms
}

#[cfg(test)]
mod tests {
    use super::super::split::split;
    use super::*;

    #[test]
    fn parts_of_a_date_are_sought_with_and_without_zeros() {
        let rows: &[(&[&str], &[&[&str]])] = &[
            (&["1993", "08"], &[&["1993", "08"], &["1993", "8"]]),
            (&["11", "1993"], &[&["11", "1993"]]),
            (
                &["4", "08", "1993"],
                &[
                    &["04", "08", "1993"],
                    &["04", "8", "1993"],
                    &["4", "08", "1993"],
                    &["4", "8", "1993"],
                ],
            ),
        ];
        for (parts, expected) in rows {
            let found: Vec<Vec<String>> = as_written(parts).into_iter().map(|a| a.all).collect();
            assert_eq!(found, *expected);
        }
    }

    /// The part of a query that is a date, and its terms.
    type Found<'a> = (&'a str, &'a [&'a str]);

    fn to_owned(terms: &[&str]) -> Vec<String> {
        terms.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn dates_are_recognized_in_all_their_forms() {
        let rows: &[(&str, &[Found<'_>])] = &[
            ("1993", &[]),
            ("1993-08", &[("1993-08", &["1993-08"])]),
            ("IMG_1993_08_x", &[("1993_08", &["1993-08"])]),
            ("19930814", &[]),
            ("1993-8", &[("1993-8", &["1993-08"])]),
            ("08.1993", &[("08.1993", &["1993-08"])]),
            ("in 8/1993, later", &[("8/1993", &["1993-08"])]),
            ("14.08.1993", &[("14.08.1993", &["1993-08-14"])]),
            ("3.4.1993", &[("3.4.1993", &["1993-04-03"])]),
            ("3/4/1993", &[("3/4/1993", &["1993-04-03", "1993-03-04"])]),
            ("8/14/1993", &[("8/14/1993", &["1993-08-14"])]),
            ("8.14.1993", &[]),
            (
                "14.8.1993 or 1994-05",
                &[("14.8.1993", &["1993-08-14"]), ("1994-05", &["1994-05"])],
            ),
            ("1993-13", &[]),
            ("13.1993", &[]),
            ("08.93", &[]),
            ("1.2.3.1993", &[]),
            ("08 1993", &[]),
            ("a08.1993", &[]),
            ("08.1993x", &[]),
            ("1701.08", &[]),
        ];
        assert_eq!(rows.len(), 21);
        for (text, expected) in rows {
            let pieces = split(text);
            let found = of_query(text, &pieces, &ranges_of_words(&pieces));
            assert_eq!(found.len(), expected.len(), "{text}");
            for (date, (span, terms)) in found.iter().zip(*expected) {
                assert_eq!(&text[date.from..date.to], *span);
                let (written, dates): (Vec<_>, Vec<_>) = date
                    .alternatives
                    .iter()
                    .partition(|alternative| alternative.all.len() > 1);
                assert!(written.iter().all(|written| written.none.len() == 12));
                let parts: Vec<&str> = span.split(['-', '.', '/', '_']).collect();
                let parts = to_owned(&parts);
                assert!(written.iter().any(|written| written.all == parts), "{text}");
                let found: Vec<String> = dates.iter().flat_map(|date| date.all.clone()).collect();
                let terms = to_owned(terms);
                assert_eq!(found, terms, "{text}");
            }
        }
    }
}
