//! The command line that searches for a query: `sightline search 'dog' --like 2:photos/dog.jpg`.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;

use super::hints;
use super::printer::Printer;
use crate::engine::{
    Condition, Engine, Key, Part, PartContent, Query, RefineOptions, SearchRequest, in_quotes,
};
use crate::workspace::Workspace;

/// The number of hits without `-k`.
const USUAL_N: usize = 10;

/// The command that has the same hits as this request, in a shell in the current folder. What is
/// typed after `sightline search` is written so that the engine understands it as the parts that it
/// stands for, whatever they contain.
pub(super) fn command(
    request: &SearchRequest,
    options: RefineOptions,
    full_decode: bool,
    engine: &Engine,
    workspace: &Workspace,
    printer: &Printer,
) -> String {
    let query = &request.query;
    let boxed = Boxed::new(query, options, engine);
    let mut arguments = "search".to_owned();
    let is_first = !boxed.text.is_empty() && !boxed.text.starts_with('-');
    if is_first {
        add(&mut arguments, &word(OsStr::new(&boxed.text)));
    }
    for (at, (part, weight)) in query.parts.iter().zip(query.weights()).enumerate() {
        if Some(at) != boxed.part {
            add(&mut arguments, &part_option(part, weight, printer));
        }
    }
    for phrase in &query.phrases {
        add(&mut arguments, &option("phrase", OsStr::new(phrase)));
    }
    for condition in &query.conditions {
        if let Some(name) = option_of(condition) {
            add(&mut arguments, &option(name, OsStr::new(condition.value())));
        }
    }
    if let Some(by) = options.by {
        let by = serde_json::to_value(by).unwrap_or_default();
        add(
            &mut arguments,
            &option("by", OsStr::new(by.as_str().unwrap_or_default())),
        );
    }
    if request.n != USUAL_N {
        add(&mut arguments, &format!("-k {}", request.n));
    }
    if let Some(confidence) = request.min_confidence {
        add(&mut arguments, &format!("--min-confidence {confidence}"));
    }
    if let Some(language) = request.language {
        add(
            &mut arguments,
            &option("language", OsStr::new(language.code())),
        );
    }
    if full_decode {
        add(&mut arguments, "--full-decode");
    }
    let command = hints::command(&arguments, workspace.named_index());
    if is_first || boxed.text.is_empty() {
        command
    } else {
        format!("{command} -- {}", word(OsStr::new(&boxed.text)))
    }
}

fn add(arguments: &mut String, argument: &str) {
    arguments.push(' ');
    arguments.push_str(argument);
}

/// What is typed into the search box.
struct Boxed {
    /// Empty if there is nothing.
    text: String,
    /// The part of the query whose words are in it.
    part: Option<usize>,
}

impl Boxed {
    /// The words that come first, if they are understood as what they are and have no weight, and
    /// what has no option of its own.
    fn new(query: &Query, options: RefineOptions, engine: &Engine) -> Self {
        let conditions = query.conditions.iter();
        let conditions: Vec<&Condition> =
            conditions.filter(|one| option_of(one).is_none()).collect();
        let excluded = query
            .excluded
            .iter()
            .map(|words| format!("-{}", in_quotes(words)));
        let restricting = conditions.iter().map(|condition| {
            let sign = if condition.is_negated() { "-" } else { "" };
            format!("{sign}{}:{}", condition.key(), in_quotes(condition.value()))
        });
        let rest: Vec<String> = restricting.chain(excluded).collect();
        let is_added_text =
            |part: &Part| !part.is_negative && matches!(part.content, PartContent::Text(_));
        let first = query.parts.iter().position(is_added_text);
        let first = first.filter(|&at| query.parts[at].weight.is_none());
        if let Some(at) = first
            && let PartContent::Text(words) = &query.parts[at].content
        {
            let texts: Vec<&str> = std::iter::once(words.as_str())
                .chain(rest.iter().map(String::as_str))
                .collect();
            let text = texts.join(" ");
            let understood = engine.understand(&text, options.by, options.language);
            let is_same = |read: Query| {
                read.parts == query.parts[at..=at]
                    && read.phrases.is_empty()
                    && read.excluded == query.excluded
                    && read.conditions.iter().eq(conditions.iter().copied())
            };
            if understood.is_ok_and(is_same) {
                let part = Some(at);
                return Self { text, part };
            }
        }
        Self {
            text: rest.join(" "),
            part: None,
        }
    }
}

/// The option of a condition; `None` for one that has none.
fn option_of(condition: &Condition) -> Option<&'static str> {
    match condition.key() {
        _ if condition.is_negated() => None,
        Key::Date => None,
        Key::After => Some("since"),
        Key::Before => Some("until"),
        key => Some(key.name()),
    }
}

/// `--plus 2:'red car'` and the like.
fn part_option(part: &Part, weight: f32, printer: &Printer) -> String {
    let sum = if part.is_negative { "minus" } else { "plus" };
    let weighted = |value: &OsStr| {
        let mut text = OsString::new();
        if let Some(weight) = part.weight {
            text.push(format!("{weight}:"));
        }
        text.push(value);
        text
    };
    match &part.content {
        PartContent::Text(text) => {
            let value = weighted(OsStr::new(text));
            let read = value.to_str().and_then(|value| Part::parse(value).ok());
            let is_same = |read: Part| read.content == part.content && read.weight == part.weight;
            if read.is_some_and(is_same) {
                return option(sum, &value);
            }
            // In quotation marks it is a text in any case, behind a weight.
            option(sum, OsStr::new(&format!("{}:\"{text}\"", weight.abs())))
        }
        PartContent::Picture(path) if part.weight.is_none() && !part.is_negative => {
            option("image", path.as_os_str())
        }
        PartContent::Picture(path) => option(sum, &weighted(path.as_os_str())),
        PartContent::Item(path) => {
            let name = if part.is_negative { "unlike" } else { "like" };
            option(name, &weighted(printer.relative(path).as_os_str()))
        }
        // Bytes come through stdin.
        _ => option("image", OsStr::new("-")),
    }
}

/// An option with a value, which may begin with a dash.
fn option(name: &str, value: &OsStr) -> String {
    if value.as_encoded_bytes().starts_with(b"-") {
        format!("--{name}={}", word(value))
    } else {
        format!("--{name} {}", word(value))
    }
}

/// One word of a shell's command line that can be shown and typed: bytes that are not UTF-8 and
/// characters that control a terminal are written by their numbers.
fn word(value: &OsStr) -> String {
    if let Some(text) = value.to_str()
        && Printer::safe(text) == text
    {
        return hints::shell_word(text);
    }
    let mut word = "$'".to_owned();
    for &byte in value.as_encoded_bytes() {
        match byte {
            b'\'' | b'\\' => {
                word.push('\\');
                word.push(char::from(byte));
            }
            b' '..=b'~' => word.push(char::from(byte)),
            byte => {
                let _ = write!(word, "\\{byte:03o}");
            }
        }
    }
    word.push('\'');
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell() {
        let rows = [
            ("photos/dog.jpg", "photos/dog.jpg"),
            ("2:photos/dog.jpg", "2:photos/dog.jpg"),
            ("a dog's life", r"'a dog'\''s life'"),
            ("$HOME `x` \"y\"", "'$HOME `x` \"y\"'"),
            ("a\nb'\\c", r"$'a\012b\'\\c'"),
            ("é\u{202e}", r"$'\303\251\342\200\256'"),
        ];
        assert_eq!(rows.len(), 6);
        for (text, expected) in rows {
            assert_eq!(word(OsStr::new(text)), expected);
        }
        assert_eq!(option("plus", OsStr::new("-x y")), "--plus='-x y'");
    }
}
