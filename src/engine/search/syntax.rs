//! What a user types into the search box: words, `"exact phrases"`, `-excluded` words, and
//! `key:value` for the known keys. Everything else is words, so that no text is invalid but for a
//! known key with a value that it cannot have.

use std::borrow::Cow;

use super::condition::{Condition, Key};
use super::negation::{self, QueryWord, Wishes};
use super::parts::{Part, Query, UnknownKey};
use crate::engine::error::BadCondition;
use crate::engine::quoting::{is_quote, quoted};

/// One thing in the box.
enum BoxItem<'a> {
    Word(&'a str),
    Phrase(Cow<'a, str>),
    Excluded(Cow<'a, str>),
    Condition(Condition),
}

/// The query that a text stands for. `is_english` is asked, of the words alone, only where they
/// contain a negation.
///
/// # Errors
/// When a known key has a value that it cannot have.
pub(in crate::engine) fn parse(
    text: &str,
    is_english: impl FnOnce(&str) -> bool,
) -> Result<Query, BadCondition> {
    let mut query = Query {
        typed: Some(text.to_owned()),
        ..Query::default()
    };
    let mut items = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (item, after) = next(rest, &mut query.unknown_keys)?;
        items.push(item);
        rest = after.trim_start();
    }
    let mut words: Vec<QueryWord<'_>> = Vec::new();
    for item in &items {
        match item {
            BoxItem::Word(text) => words.push(QueryWord {
                text,
                is_quoted: false,
            }),
            BoxItem::Phrase(text) => {
                query.phrases.push(text.clone().into_owned());
                let is_quoted = true;
                words.push(QueryWord { text, is_quoted });
            }
            BoxItem::Excluded(text) => query.excluded.push(text.clone().into_owned()),
            BoxItem::Condition(condition) => query.conditions.push(condition.clone()),
        }
    }
    let joined = || -> String {
        let texts: Vec<&str> = words.iter().map(|word| word.text).collect();
        texts.join(" ")
    };
    match negation::wishes(&words).filter(|_| is_english(&joined())) {
        Some(Wishes { wanted, unwanted }) => {
            query = query.plus(Part::text(wanted));
            for thing in unwanted {
                query = query.minus(Part::text(thing));
            }
        }
        None if !query.is_restricted() => query = query.plus(Part::text(text)),
        None if words.is_empty() => {}
        None => query = query.plus(Part::text(joined())),
    }
    Ok(query)
}

/// The first item of a text that does not begin with a space, and what follows it.
fn next<'a>(
    text: &'a str,
    unknown_keys: &mut Vec<UnknownKey>,
) -> Result<(BoxItem<'a>, &'a str), BadCondition> {
    let (chunk, after) = chunk(text);
    let body = text.strip_prefix('-').filter(|body| {
        let is_start = |c: char| c.is_alphanumeric() || is_quote(c);
        body.starts_with(is_start) && !chunk.ends_with('-')
    });
    let is_negated = body.is_some();
    let body = body.unwrap_or(text);
    if let Some((phrase, after)) = phrase(body) {
        let item = if is_negated {
            BoxItem::Excluded(phrase)
        } else {
            BoxItem::Phrase(phrase)
        };
        return Ok((item, after));
    }
    // Nothing that has a scheme is a filter, whatever it is called: `in://x`.
    if let Some((name, value)) = keyed(body).filter(|(_, value)| !value.starts_with("//")) {
        if let Some(key) = Key::named(name) {
            if let Some((value, after)) = value_of(key, value)? {
                let condition = Condition::new(key, &value)?;
                let condition = if is_negated {
                    condition.negated()
                } else {
                    condition
                };
                return Ok((BoxItem::Condition(condition), after));
            }
            unknown_keys.push(UnknownKey {
                typed: name.to_owned(),
                similar: key.name(),
            });
        } else if let Some(similar) = Key::similar_to(name) {
            unknown_keys.push(UnknownKey {
                typed: name.to_owned(),
                similar: similar.name(),
            });
        }
    }
    if is_negated {
        let word = &chunk[1..];
        return Ok((
            BoxItem::Excluded(word.trim_end_matches([',', ';', '.']).into()),
            after,
        ));
    }
    Ok((BoxItem::Word(chunk), after))
}

/// A text up to its first space, and the rest.
fn chunk(text: &str) -> (&str, &str) {
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    text.split_at(end)
}

/// What stands in the quotation marks that a text begins with, and what follows them and the
/// punctuation after them. Marks that are not closed, are empty or are part of a word mean nothing.
fn phrase(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let (inner, after) = quoted(text)?;
    let (attached, after) = chunk(after);
    let has_words = inner.contains(char::is_alphanumeric);
    let is_whole = !attached.contains(char::is_alphanumeric);
    let trimmed = match inner {
        Cow::Borrowed(inner) => Cow::Borrowed(inner.trim()),
        Cow::Owned(inner) => Cow::Owned(inner.trim().to_owned()),
    };
    (has_words && is_whole).then_some((trimmed, after))
}

/// The name before the first colon of a text, and what follows the colon.
fn keyed(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once(':')?;
    let is_name = |c: char| c.is_ascii_alphabetic() || c == '-';
    (!name.is_empty() && name.chars().all(is_name)).then_some((name, value))
}

/// The value that a text begins with, and what follows it; none where a space or nothing follows
/// the key.
fn value_of(key: Key, text: &str) -> Result<Option<(Cow<'_, str>, &str)>, BadCondition> {
    if let Some((value, after)) = quoted(text) {
        return Ok(Some((value, after.trim_start_matches([',', ';']))));
    }
    if let Some(inner) = text.strip_prefix(is_quote) {
        return Err(BadCondition {
            key: key.name(),
            value: inner.to_owned(),
            expected: "a closing quotation mark",
        });
    }
    let (word, after) = chunk(text);
    let word = word.trim_end_matches([',', ';']);
    Ok((!word.is_empty()).then_some((word.into(), after)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Query {
        parse(text, |_| true).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn the_box_is_read_as_it_is_shown() {
        let rows = [
            ("a dog on the beach", "a dog on the beach"),
            ("  two   spaces ", "  two   spaces "),
            (
                "“golden gate” bridge",
                "golden gate bridge; with “golden gate”",
            ),
            (
                "\"golden gate\", fog",
                "golden gate fog; with “golden gate”",
            ),
            ("beach -people", "beach; not with “people”"),
            ("beach -\"red car\", sea", "beach sea; not with “red car”"),
            ("-people", "; not with “people”"),
            ("camera:canon", "camera: canon"),
            ("Camera:\"Canon EOS\" dog", "dog; camera: Canon EOS"),
            (
                "dog camera:canon camera:nikon",
                "dog; camera: canon or nikon",
            ),
            (
                "after:2023 dog before:2023-06-14",
                "dog; after: 2023; before: 2023-06-14",
            ),
            ("on:2023/06 in:Italy/Rome", "in: Italy/Rome; date: 2023/06"),
            ("dog -type:png", "dog; not type: png"),
            (
                "min-size:2000 orientation:portrait",
                "orientation: portrait; min-size: 2000",
            ),
            ("has:caption tag:best, dog", "dog; tag: best; has: caption"),
            ("beach without people", "“beach” − 0.5 × “people”"),
            (
                "beach without people -dog in:Rome",
                "“beach” − 0.5 × “people”; not with “dog”; in: Rome",
            ),
            (r#"in:"we\"ird dir" dog"#, "dog; in: we\"ird dir"),
            (r#"in:"C:\my photos\\" dog"#, r"dog; in: C:\my photos\"),
            ("in:we\"ird, in:\"two\nlines\"", "in: we\"ird or two\nlines"),
            (
                r#""say \"hi\"" -"a \\ b" fog"#,
                r#"say "hi" fog; with “say "hi"”; not with “a \ b”"#,
            ),
        ];
        assert_eq!(rows.len(), 21);
        for (text, shown) in rows {
            let query = parsed(text);
            assert_eq!(query.to_string(), shown.trim_start_matches("; "), "{text}");
            assert_eq!(query.typed.as_deref(), Some(text));
            assert_eq!(query.unknown_keys, [], "{text}");
        }
    }

    #[test]
    fn what_is_not_syntax_is_words() {
        let rows = [
            "",
            "\"unbalanced",
            "24\" screen",
            "a \"\" b",
            "\"!\"",
            "say\"hi\"there",
            "black - white",
            "rock -n- roll",
            "-- x",
            "t-shirt",
            "field:value",
            "12:30 clock",
            "http://x.org/a",
            "date://x",
            "see in://x.org?type=png now",
            "C:\\photos",
            "a:b:c",
            ":",
            "日期:2023",
        ];
        assert_eq!(rows.len(), 19);
        for text in rows {
            let query = parsed(text);
            assert!(query.is_plain(), "{text}: {query:?}");
            assert_eq!(query.texts().collect::<Vec<_>>(), [text]);
            assert_eq!(query.unknown_keys, [], "{text}");
        }
    }

    #[test]
    fn an_unknown_key_is_words_with_a_remark() {
        let rows = [
            ("cameras:canon dog", "cameras", "camera"),
            ("befor:2023", "befor", "before"),
            ("camera: canon", "camera", "camera"),
        ];
        for (text, typed, similar) in rows {
            let query = parsed(text);
            assert_eq!(query.texts().collect::<Vec<_>>(), [text]);
            let typed = typed.to_owned();
            assert_eq!(query.unknown_keys, [UnknownKey { typed, similar }]);
        }
        assert_eq!(rows.len(), 3);
    }

    #[test]
    fn a_value_that_its_key_cannot_have_is_refused() {
        let rows = [
            (
                "after:\"last summer\"",
                "after:\"last summer\": expected a date",
            ),
            (
                "dog orientation:upright",
                "orientation:upright: expected landscape",
            ),
            (
                "camera:\"canon",
                "camera:canon: expected a closing quotation mark",
            ),
            ("has:faces", "has:faces: expected caption"),
        ];
        for (text, expected) in rows {
            let error = parse(text, |_| true).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        assert_eq!(rows.len(), 4);
    }

    #[test]
    fn negation_is_read_in_english_only() {
        let query = parse("gato no sofá", |_| false).unwrap();
        assert!(query.is_plain());
        assert!(parse("dog", |_| panic!("asked for nothing")).is_ok());
    }
}
