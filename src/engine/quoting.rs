//! Quotation marks around what is typed into the search box. Inside them, a backslash before a
//! quotation mark or another backslash stands for that character, and any other one for itself.

use std::borrow::Cow;

/// Whether a character opens and closes what stands in quotation marks.
pub(super) fn is_quote(character: char) -> bool {
    matches!(character, '"' | '“' | '”' | '„')
}

/// A value as it is typed behind the colon of a filter or the dash of an exclusion: in quotation
/// marks where it would otherwise be read as something else.
#[must_use]
pub fn in_quotes(value: &str) -> Cow<'_, str> {
    let is_special = |c: char| c.is_whitespace() || is_quote(c);
    let is_plain = !value.is_empty()
        && !value.contains(is_special)
        && !value.ends_with([',', ';', '.', '-'])
        && !value.starts_with("//");
    if is_plain {
        return Cow::Borrowed(value);
    }
    let mut quoted = String::with_capacity(value.len() + 2);
    quoted.push('"');
    for character in value.chars() {
        if is_quote(character) || character == '\\' {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    Cow::Owned(quoted)
}

/// What stands in the quotation marks that a text begins with, and what follows the closing ones.
/// `None` where there are none, or none that close.
pub(super) fn quoted(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let inner = text.strip_prefix(is_quote)?;
    let mut unescaped: Option<String> = None;
    let mut copied = 0;
    let mut characters = inner.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        if is_quote(character) {
            let value = match unescaped {
                Some(value) => Cow::Owned(value + &inner[copied..at]),
                None => Cow::Borrowed(&inner[..at]),
            };
            return Some((value, inner[at..].trim_start_matches(is_quote)));
        }
        let is_escaped = |&(_, next): &(usize, char)| is_quote(next) || next == '\\';
        if character == '\\'
            && let Some((next, _)) = characters.next_if(is_escaped)
        {
            let value = unescaped.get_or_insert_default();
            value.push_str(&inner[copied..at]);
            copied = next;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_is_read_as_it_was() {
        let rows = [
            ("Rome", "Rome"),
            ("Italy/Rome", "Italy/Rome"),
            (r"C:\photos\old", r"C:\photos\old"),
            ("My photos", "\"My photos\""),
            ("we\"ird", r#""we\"ird""#),
            ("“so”", r#""\“so\”""#),
            ("two\nlines", "\"two\nlines\""),
            (r"C:\my photos\", r#""C:\\my photos\\""#),
            (r"\\server\a b", r#""\\\\server\\a b""#),
            (r#"\" \"#, r#""\\\" \\""#),
            ("a,", "\"a,\""),
            ("//server/a", "\"//server/a\""),
            ("", "\"\""),
        ];
        assert_eq!(rows.len(), 13);
        for (value, expected) in rows {
            assert_eq!(in_quotes(value), expected);
            if expected.starts_with('"') {
                let rest = format!("{expected}, dog");
                assert_eq!(quoted(&rest), Some((Cow::Borrowed(value), ", dog")));
            }
        }
    }

    #[test]
    fn a_backslash_before_anything_else_is_one() {
        let rows = [
            (r#""C:\my photos" x"#, Some((r"C:\my photos", " x"))),
            (r#""a\nb""#, Some((r"a\nb", ""))),
            (r#""a\\nb""#, Some((r"a\nb", ""))),
            (r#""a\""#, None),
            (r#""a\\""#, Some((r"a\", ""))),
            (r#""\""#, None),
            ("\"\"", Some(("", ""))),
            ("“a b” c", Some(("a b", " c"))),
            ("a", None),
        ];
        assert_eq!(rows.len(), 9);
        for (text, expected) in rows {
            let expected = expected.map(|(value, rest)| (Cow::Borrowed(value), rest));
            assert_eq!(quoted(text), expected, "{text}");
        }
    }
}
