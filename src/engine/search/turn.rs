//! What a user types to refine a search: `more like 3`, `but at night`, `only 2023`, `undo`.

use std::borrow::Cow;
use std::path::PathBuf;

use super::condition::{Condition, Key};
use super::negation::{self, QueryWord, Wishes};
use super::parts::Query;
use super::syntax;
use crate::engine::error::BadCondition;
use crate::engine::quoting::quoted;

/// One turn of a refined search, as it was typed.
#[derive(Debug, Clone, PartialEq)]
pub enum Turn {
    /// Changes the query.
    Change(Vec<QueryChange>),
    /// Takes back this many turns.
    Undo(usize),
    /// Repeats this many turns that were taken back.
    Redo(usize),
    /// Shows the hits again, or this many of them.
    Show(Option<usize>),
    /// Shows the hits that follow.
    Next,
    /// Opens hits in a viewer, by their ranks.
    Open(Vec<usize>),
    /// Shows why there are these hits; without ranks, why all are there.
    Why(Vec<usize>),
    /// Copies hits into a folder; without ranks, all.
    Copy {
        /// The ranks.
        hits: Vec<usize>,
        /// The folder, as it was typed.
        folder: PathBuf,
    },
    /// Lists what can be typed.
    Help,
    /// Ends the search.
    Quit,
    /// An empty line.
    Nothing,
}

/// A change of the query. Hits are named by their ranks, from 1.
#[derive(Debug, Clone, PartialEq)]
pub enum QueryChange {
    /// A new query, as typed into the search box.
    Ask(String),
    /// A new query.
    Search(Query),
    /// More like these hits.
    Like(Vec<usize>),
    /// Less like these hits.
    Unlike(Vec<usize>),
    /// A text that is added to the query, with all that the search box knows.
    Add(String),
    /// Things that are subtracted from the query.
    Without(Vec<String>),
    /// Phrases, excluded words and conditions. A condition replaces those of its key.
    Narrow(Query),
    /// The query as it was first asked.
    Reset,
}

/// A line that stands for nothing that can be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TurnError {
    /// A condition has a value that its key cannot have.
    #[error(transparent)]
    Condition(#[from] BadCondition),
    /// A number without a command.
    #[error("`{0}`: expected a command, as in `more like {0}`, `less like {0}` or `open {0}`")]
    OnlyNumbers(String),
    /// A command without the numbers of hits.
    #[error("`{0}`: expected the number of a hit, as in `{0} 3`")]
    NoNumber(String),
    /// A command that takes one number, from 1, with something else.
    #[error("`{typed}`: expected a number from 1, as in `{command} 2`")]
    OneNumber {
        /// The line.
        typed: String,
        /// The command.
        command: &'static str,
    },
    /// The first words of a change, with nothing behind them.
    #[error("`{typed}`: expected {expected}; `search {typed}` looks for the word itself")]
    NothingFollows {
        /// The words.
        typed: String,
        /// What should follow, with an example.
        expected: &'static str,
    },
    /// `copy` without a folder.
    #[error("`copy`: expected a folder, as in `copy cats` or `copy 1 3 to cats`")]
    NoFolder,
    /// `only` with something that is not a filter.
    #[error(
        "`only {0}`: expected a date, `in` a folder, or a filter such as `camera:nikon`, `jpg` or \
         `landscape`"
    )]
    NoFilter(String),
    /// A word that resembles a command.
    #[error("unknown command `{typed}`: did you mean `{similar}`?")]
    Unknown {
        /// The word.
        typed: String,
        /// The command.
        similar: &'static str,
    },
}

/// Commands of a single word, as far as a typing error in them is recognized.
const COMMANDS: [&str; 10] = [
    "copy", "exit", "help", "next", "open", "quit", "redo", "reset", "show", "undo",
];

/// The longest range of ranks, as in `more like 2-5`. No list of hits is longer.
const LONGEST_RANGE: usize = 1_000_000;

/// Words that follow "new" in a name or a compound, where it does not ask for a new query.
const AFTER_NEW: [&str; 17] = [
    "baby",
    "born",
    "brunswick",
    "caledonia",
    "delhi",
    "england",
    "guinea",
    "hampshire",
    "jersey",
    "mexico",
    "moon",
    "orleans",
    "year",
    "year's",
    "years",
    "york",
    "zealand",
];

/// Words before the name of a thing that mean nothing here.
const DETERMINERS: [&str; 5] = ["a", "an", "any", "the", "some"];

impl Turn {
    /// Reads a line. What is no command is a new query.
    ///
    /// # Errors
    /// When the line is a command without what it needs, a filter with a value that it cannot have,
    /// or resembles a command.
    pub fn parse(line: &str) -> Result<Self, TurnError> {
        let line = line.trim();
        let lower = line.to_lowercase();
        let words: Vec<&str> = lower.split_whitespace().collect();
        let Some((&first, rest)) = words.split_first() else {
            return Ok(Self::Nothing);
        };
        match (first, rest) {
            ("help" | "?" | "h", []) => return Ok(Self::Help),
            ("quit" | "exit" | "bye" | "q", []) => return Ok(Self::Quit),
            ("next" | "more", []) => return Ok(Self::Next),
            ("show" | "list", []) => return Ok(Self::Show(None)),
            ("reset", []) => return Ok(Self::Change(vec![QueryChange::Reset])),
            ("undo", []) => return Ok(Self::Undo(1)),
            ("redo", []) => return Ok(Self::Redo(1)),
            ("why", []) => return Ok(Self::Why(Vec::new())),
            ("open", []) => return Err(TurnError::NoNumber(first.to_owned())),
            ("copy", _) => {
                if let Some(turn) = copy(line)? {
                    return Ok(turn);
                }
            }
            ("open" | "why", rest) => {
                if let Some(numbers) = numbers(rest) {
                    return Ok(match first {
                        "open" => Self::Open(numbers),
                        _ => Self::Why(numbers),
                    });
                }
            }
            ("undo" | "redo" | "show", rest) => {
                if let Some(turn) = counted(first, rest, line)? {
                    return Ok(turn);
                }
            }
            _ => {}
        }
        if let Some(changes) = changes(line)? {
            return Ok(Self::Change(changes));
        }
        match similar_command(&words) {
            Some(similar) => Err(TurnError::Unknown {
                typed: first.to_owned(),
                similar,
            }),
            None => Ok(Self::Change(vec![QueryChange::Ask(line.to_owned())])),
        }
    }
}

/// `undo 2`, `redo 2`, `show 30`. What has other words than numbers is a query.
fn counted(command: &str, rest: &[&str], line: &str) -> Result<Option<Turn>, TurnError> {
    let is_negative = |word: &&str| word.parse::<i64>().is_ok_and(|number| number < 0);
    let turn = match (command, numbers(rest).as_deref()) {
        ("undo", Some(&[n])) if n > 0 => Turn::Undo(n),
        ("redo", Some(&[n])) if n > 0 => Turn::Redo(n),
        ("show", Some(&[n])) if n > 0 => Turn::Show(Some(n)),
        (_, None) if !rest.iter().all(is_negative) => return Ok(None),
        _ => {
            let command = COMMANDS.into_iter().find(|&known| known == command);
            return Err(TurnError::OneNumber {
                typed: line.to_owned(),
                command: command.unwrap_or_default(),
            });
        }
    };
    Ok(Some(turn))
}

/// `copy cats`, `copy 1 3 to cats`, `copy "my cats"`. Several words without quotation marks are not
/// a folder but a query.
fn copy(line: &str) -> Result<Option<Turn>, TurnError> {
    let mut rest = after_word(line);
    let mut hits = Vec::new();
    loop {
        let (word, after) = split_word(rest);
        let found = numbers(&[word]).filter(|_| !after.is_empty());
        let is_joint = !hits.is_empty() && matches!(word, "and" | "&");
        match found {
            Some(found) => hits.extend(found),
            None if is_joint => {}
            None => break,
        }
        rest = after;
    }
    let (word, after) = split_word(rest);
    if word.eq_ignore_ascii_case("to") && !after.is_empty() {
        rest = after;
    }
    if rest.is_empty() {
        return Err(TurnError::NoFolder);
    }
    let quoted = ['"', '\''].into_iter().find_map(|quote| {
        let inner = rest.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inner.is_empty()).then_some(inner)
    });
    let folder = match quoted {
        Some(folder) => folder,
        None if rest.contains(char::is_whitespace) => return Ok(None),
        None => rest,
    };
    let folder = PathBuf::from(folder);
    Ok(Some(Turn::Copy { hits, folder }))
}

/// The changes of the query that a line asks for; `None` for a new query.
fn changes(line: &str) -> Result<Option<Vec<QueryChange>>, TurnError> {
    let lower = line.to_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    if let Some(changes) = feedback(&words) {
        return changes.map(Some);
    }
    // `+3 but at night`: hits first, then what a line of its own could say.
    for n in (1..words.len()).rev() {
        if let Some(Ok(mut found)) = feedback(&words[..n]) {
            let rest = (0..n).fold(line.trim(), |rest, _| split_word(rest).1);
            if let Some(more) = changes(rest)? {
                found.extend(more);
                return Ok(Some(found));
            }
        }
    }
    // `2023-06` reads as a range, too.
    let is_date = || line.contains('-') && Condition::new(Key::Date, line.trim()).is_ok();
    if numbers(&words).is_some() && !is_date() {
        return Err(TurnError::OnlyNumbers(line.to_owned()));
    }
    if let Some(expected) = expected_after(&words) {
        return Err(TurnError::NothingFollows {
            typed: lower.trim().to_owned(),
            expected,
        });
    }
    let (first, rest) = split_word(line);
    let one = |change| Ok(Some(vec![change]));
    match (first.to_lowercase().as_str(), rest) {
        ("but" | "and" | "also" | "plus", rest) if !rest.is_empty() => {
            return Ok(Some(
                changes(rest)?.unwrap_or_else(|| vec![QueryChange::Add(rest.to_owned())]),
            ));
        }
        ("only", rest) if !rest.is_empty() => return one(QueryChange::Narrow(filter(rest)?)),
        ("more" | "less" | "not", rest) if split_word(rest).0.eq_ignore_ascii_case("like") => {
            let text = after_word(rest);
            return one(match words[0] {
                "more" => QueryChange::Add(text.to_owned()),
                _ => QueryChange::Without(things(text)),
            });
        }
        ("without" | "no" | "not", rest) if !rest.is_empty() => {
            return one(QueryChange::Without(things(rest)));
        }
        ("search", rest) if !rest.is_empty() => return one(QueryChange::Ask(rest.to_owned())),
        ("new", rest) if !rest.is_empty() => {
            let next = split_word(rest).0.to_lowercase();
            if !AFTER_NEW.contains(&next.trim_end_matches(|c: char| !c.is_alphanumeric())) {
                return one(QueryChange::Ask(rest.to_owned()));
            }
        }
        _ if line.starts_with('+') && !after_sign(line).is_empty() => {
            return one(QueryChange::Add(after_sign(line).to_owned()));
        }
        _ => {}
    }
    Ok(restriction(line)?.map(|query| vec![QueryChange::Narrow(query)]))
}

/// What is missing from a line that is nothing but the first word of a change.
fn expected_after(words: &[&str]) -> Option<&'static str> {
    match words {
        ["but" | "and" | "also" | "plus" | "+"] => Some("what to add, as in `but at night`"),
        ["no" | "not" | "without" | "-"] => Some("what to subtract, as in `no people`"),
        ["only"] => Some("a filter, as in `only 2023`"),
        ["new" | "search"] => Some("what to look for, as in `search a dog`"),
        _ => None,
    }
}

/// `more like 3 and 5`, `more like 2-4`, `less like 2`, `+3 -2`.
fn feedback(words: &[&str]) -> Option<Result<Vec<QueryChange>, TurnError>> {
    let mut is_liked = None;
    let (mut liked, mut disliked) = (Vec::new(), Vec::new());
    let mut rest = words;
    while let [word, after @ ..] = rest {
        let next = after.first().copied().unwrap_or_default();
        let signed = word.strip_prefix('+').map(|number| (true, number));
        let signed = signed.or_else(|| word.strip_prefix('-').map(|number| (false, number)));
        let is_number = |word: &str| numbers(&[word]).is_some();
        let (mode, n_words) = match *word {
            "more" | "less" | "not" if next == "like" => (Some(*word == "more"), 2),
            "like" | "unlike" if after.is_empty() || is_number(next) => (Some(*word == "like"), 1),
            "more" | "less" if is_number(next) => (Some(*word == "more"), 1),
            "," if is_liked.is_some() => (None, 1),
            "and" | "but" | "or" | "&" if is_liked.is_some() && !after.is_empty() => (None, 1),
            _ => (None, 0),
        };
        is_liked = mode.or(is_liked);
        if n_words > 0 {
            rest = &rest[n_words..];
            continue;
        }
        let number = match signed {
            Some((is_more, number)) => {
                is_liked = Some(is_more);
                number
            }
            None => word,
        };
        let (found, n_words) = leading_ranks(number, after)?;
        if is_liked? {
            liked.extend(found);
        } else {
            disliked.extend(found);
        }
        rest = &rest[n_words..];
    }
    is_liked?;
    if liked.is_empty() && disliked.is_empty() {
        return Some(Err(TurnError::NoNumber(words.join(" "))));
    }
    let liked = (!liked.is_empty()).then_some(QueryChange::Like(liked));
    let disliked = (!disliked.is_empty()).then_some(QueryChange::Unlike(disliked));
    Some(Ok(liked.into_iter().chain(disliked).collect()))
}

/// The numbers that words stand for, as in `3, 5 and 7` or `2-4`; `None` if one is something else,
/// or there are none.
fn numbers(words: &[&str]) -> Option<Vec<usize>> {
    let mut found = Vec::new();
    let mut rest = words;
    while let [word, after @ ..] = rest {
        if matches!(*word, "and" | "&" | ",") && !found.is_empty() {
            rest = after;
            continue;
        }
        let (ranks, n_words) = leading_ranks(word, after)?;
        found.extend(ranks);
        rest = &rest[n_words..];
    }
    (!found.is_empty()).then_some(found)
}

/// The ranks that a word stands for, together with the words after it in `2 - 4` and `2 to 4`, and
/// how many words that are; `None` if it is not a number.
fn leading_ranks(word: &str, after: &[&str]) -> Option<(Vec<usize>, usize)> {
    if let ["-" | "–" | "to", last, ..] = after
        && let (Some(from), Some(to)) = (rank(word), rank(last))
    {
        return Some((range(from, to), 3));
    }
    let mut found = Vec::new();
    for part in word.split(',').filter(|part| !part.is_empty()) {
        match part.split_once(['-', '–']) {
            Some((from, to)) => found.extend(range(rank(from)?, rank(to)?)),
            None => found.push(rank(part)?),
        }
    }
    (!found.is_empty()).then_some((found, 1))
}

/// A single number: `3`, `#3`, `3.`
fn rank(text: &str) -> Option<usize> {
    let text = text.trim_end_matches(['.', ',', ';', ':', '!', ')']);
    let text = text.strip_prefix('#').unwrap_or(text);
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // A number too large for a rank is too large for the list, too.
    is_number.then(|| text.parse().unwrap_or(usize::MAX))
}

/// All ranks between two, in whichever order.
fn range(one: usize, other: usize) -> Vec<usize> {
    let (first, last) = (one.min(other), one.max(other));
    if last - first < LONGEST_RANGE {
        (first..=last).collect()
    } else {
        vec![last]
    }
}

/// What `only` restricts hits to: a filter as in the search box, or as people say it.
fn filter(text: &str) -> Result<Query, TurnError> {
    if let Some(query) = restriction(text)? {
        return Ok(query);
    }
    let phrase = unquoted(text);
    if phrase != text && !phrase.trim().is_empty() {
        return Ok(Query {
            phrases: vec![phrase.trim().to_owned()],
            ..Query::default()
        });
    }
    let (first, rest) = split_word(text);
    let first = first.to_lowercase();
    let date = |text| Condition::new(Key::Date, text).ok();
    let found = match (first.as_str(), rest) {
        ("in" | "from" | "of" | "on", rest) if date(rest).is_some() => date(rest),
        ("in", rest) if !rest.is_empty() => Some(Condition::new(Key::In, &unquoted(rest))?),
        ("since", rest) if !rest.is_empty() => Some(Condition::new(Key::After, rest)?),
        ("until", rest) if !rest.is_empty() => Some(Condition::new(Key::Before, rest)?),
        ("captioned", "") | ("with", "captions") => Some(Condition::new(Key::Has, "caption")?),
        ("landscape" | "portrait" | "square", "") => Some(Condition::new(Key::Orientation, text)?),
        (ending, "") if sightline_picture::is_picture(ending.trim_start_matches('.')) => {
            Some(Condition::new(Key::Type, ending)?)
        }
        (name, rest) => match Key::named(name).filter(|_| !rest.is_empty()) {
            Some(key) => Some(Condition::new(key, &unquoted(rest))?),
            None => date(text),
        },
    };
    let found = found.ok_or_else(|| TurnError::NoFilter(text.to_owned()))?;
    Ok(Query::default().under(found))
}

/// A text in which there is nothing but filters, phrases and excluded words of the search box.
fn restriction(text: &str) -> Result<Option<Query>, BadCondition> {
    let query = syntax::parse(text, |_| false)?;
    let is_all = query.parts.is_empty() && query.is_restricted();
    Ok(is_all.then_some(Query {
        typed: None,
        ..query
    }))
}

/// The things that follow "without": those that a query with these words would subtract, or else
/// all of the words as one.
fn things(text: &str) -> Vec<String> {
    let word = |text| QueryWord {
        text,
        is_quoted: false,
    };
    // Something must be left to look for.
    let query = ["picture", "without"].into_iter();
    let words: Vec<QueryWord<'_>> = query.chain(text.split_whitespace()).map(word).collect();
    match negation::wishes(&words) {
        Some(Wishes { wanted, unwanted }) if wanted == "picture" => unwanted,
        _ => {
            let (first, rest) = split_word(text);
            let is_empty_word = DETERMINERS.contains(&first.to_lowercase().as_str());
            let thing = if is_empty_word && !rest.is_empty() {
                rest
            } else {
                text
            };
            vec![thing.to_owned()]
        }
    }
}

/// The command whose letters these are in another order, two neighbours swapped. A word with
/// another letter can be a query: "snow" is not `show`.
fn similar_command(words: &[&str]) -> Option<&'static str> {
    let (first, rest) = words.split_first()?;
    let letters = |word: &str| {
        let mut letters: Vec<char> = word.chars().collect();
        letters.sort_unstable();
        letters
    };
    let is_alone = rest.is_empty() || numbers(rest).is_some();
    let is_similar = |command: &&str| {
        letters(command) == letters(first) && strsim::osa_distance(command, first) == 1
    };
    COMMANDS.into_iter().find(is_similar).filter(|_| is_alone)
}

/// The first word of a text, and what follows it.
fn split_word(text: &str) -> (&str, &str) {
    let text = text.trim();
    let (word, rest) = text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()));
    (word, rest.trim_start())
}

fn after_word(text: &str) -> &str {
    split_word(text).1
}

fn after_sign(text: &str) -> &str {
    text[1..].trim()
}

fn unquoted(text: &str) -> Cow<'_, str> {
    match quoted(text) {
        Some((inner, "")) => inner,
        _ => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(change: QueryChange) -> Turn {
        Turn::Change(vec![change])
    }

    fn add(text: &str) -> Turn {
        change(QueryChange::Add(text.to_owned()))
    }

    fn without(things: &[&str]) -> Turn {
        let things = things.iter().map(|&thing| thing.to_owned());
        change(QueryChange::Without(things.collect()))
    }

    fn ask(text: &str) -> Turn {
        change(QueryChange::Ask(text.to_owned()))
    }

    #[test]
    fn hits_are_liked_and_disliked_by_their_numbers() {
        let like = |numbers: &[usize]| QueryChange::Like(numbers.to_vec());
        let unlike = |numbers: &[usize]| QueryChange::Unlike(numbers.to_vec());
        let rows = [
            ("more like 3", vec![like(&[3])]),
            ("More like #3 and 5", vec![like(&[3, 5])]),
            ("more like 3, 5, 7", vec![like(&[3, 5, 7])]),
            ("more like 3,5", vec![like(&[3, 5])]),
            ("like 3", vec![like(&[3])]),
            ("more 3", vec![like(&[3])]),
            ("+3", vec![like(&[3])]),
            ("+3 +5", vec![like(&[3, 5])]),
            ("less like 2", vec![unlike(&[2])]),
            ("not like 2", vec![unlike(&[2])]),
            ("unlike 2 & 4", vec![unlike(&[2, 4])]),
            ("more like 2-4", vec![like(&[2, 3, 4])]),
            ("more like 2–4, 7", vec![like(&[2, 3, 4, 7])]),
            ("more like 2 - 4 and 6", vec![like(&[2, 3, 4, 6])]),
            ("less like #2 to #3", vec![unlike(&[2, 3])]),
            ("+4-3", vec![like(&[3, 4])]),
            (
                "more like 2-3, less like 5-6",
                vec![like(&[2, 3]), unlike(&[5, 6])],
            ),
            ("more like 1-99999999999", vec![like(&[99_999_999_999])]),
            ("-2", vec![unlike(&[2])]),
            ("but less like 2", vec![unlike(&[2])]),
            ("+3 -2", vec![like(&[3]), unlike(&[2])]),
            (
                "more like 3 and 5, but less like 2",
                vec![like(&[3, 5]), unlike(&[2])],
            ),
            (
                "+3 but at Night",
                vec![like(&[3]), QueryChange::Add("at Night".to_owned())],
            ),
            (
                "+3 -2 no people",
                vec![
                    like(&[3]),
                    unlike(&[2]),
                    QueryChange::Without(vec!["people".to_owned()]),
                ],
            ),
            (
                "more like 99999999999999999999999",
                vec![like(&[usize::MAX])],
            ),
        ];
        assert_eq!(rows.len(), 25);
        for (line, expected) in rows {
            assert_eq!(Turn::parse(line), Ok(Turn::Change(expected)), "{line}");
        }
    }

    #[test]
    fn texts_are_added_subtracted_and_asked() {
        let rows = [
            ("but at night", add("at night")),
            ("and in the Snow", add("in the Snow")),
            ("+ red car", add("red car")),
            ("more like a watercolour", add("a watercolour")),
            ("without people", without(&["people"])),
            ("no people", without(&["people"])),
            ("but no people or dogs", without(&["people", "dogs"])),
            ("not a cat", without(&["cat"])),
            ("no parking sign", without(&["parking sign"])),
            ("less like a painting", without(&["painting"])),
            ("not like a painting", without(&["painting"])),
            ("a dog on the beach", ask("a dog on the beach")),
            ("  Two  spaces ", ask("Two  spaces")),
            ("new red bicycle", ask("red bicycle")),
            ("new no parking sign", ask("no parking sign")),
            ("New York at night", ask("New York at night")),
            ("new year's eve", ask("new year's eve")),
            ("no exit", without(&["exit"])),
            ("2023-06", ask("2023-06")),
            ("search but", ask("but")),
            ("more like a 2-3", add("a 2-3")),
            ("search 3", ask("3")),
            ("dog camera:nikon", ask("dog camera:nikon")),
            ("open window", ask("open window")),
            ("show me dogs", ask("show me dogs")),
            ("undo the knot", ask("undo the knot")),
            ("copy of a painting", ask("copy of a painting")),
            ("snow", ask("snow")),
            ("like a painting", ask("like a painting")),
            ("3 dogs", ask("3 dogs")),
            ("reset", change(QueryChange::Reset)),
        ];
        assert_eq!(rows.len(), 31);
        for (line, expected) in rows {
            assert_eq!(Turn::parse(line), Ok(expected), "{line}");
        }
    }

    #[test]
    fn filters_are_read_as_people_say_them() {
        let rows = [
            ("only 2023", "date: 2023"),
            ("only from 2023-06", "date: 2023-06"),
            ("only in 2023", "date: 2023"),
            ("only in Italy/Rome", "in: Italy/Rome"),
            ("only in \"My photos\"", "in: My photos"),
            (r#"only in "my \"best\" photos""#, "in: my \"best\" photos"),
            ("only since 2022", "after: 2022"),
            ("only before 2024", "before: 2024"),
            ("only camera nikon", "camera: nikon"),
            ("only camera:nikon type:jpg", "camera: nikon; type: jpg"),
            ("only png", "type: png"),
            ("only landscape", "orientation: landscape"),
            ("only captioned", "has: caption"),
            ("only \"golden gate\"", "with “golden gate”"),
            ("and only 2023", "date: 2023"),
            ("but after:2022", "after: 2022"),
            ("camera:\"canon eos\"", "camera: canon eos"),
            ("-type:png", "not type: png"),
            ("-people", "not with “people”"),
        ];
        assert_eq!(rows.len(), 19);
        for (line, expected) in rows {
            let turn = Turn::parse(line);
            let Ok(Turn::Change(changes)) = &turn else {
                panic!("{line}: {turn:?}");
            };
            let [QueryChange::Narrow(query)] = &changes[..] else {
                panic!("{line}: {turn:?}");
            };
            assert_eq!(query.to_string(), expected, "{line}");
        }
    }

    #[test]
    fn other_commands_stand_alone() {
        let copy = |hits: &[usize], folder: &str| Turn::Copy {
            hits: hits.to_vec(),
            folder: folder.into(),
        };
        let rows = [
            ("", Turn::Nothing),
            ("   ", Turn::Nothing),
            ("undo", Turn::Undo(1)),
            ("UNDO 2", Turn::Undo(2)),
            ("redo", Turn::Redo(1)),
            ("next", Turn::Next),
            ("more", Turn::Next),
            ("show", Turn::Show(None)),
            ("show 30", Turn::Show(Some(30))),
            ("open 3", Turn::Open(vec![3])),
            ("open 1 and 2", Turn::Open(vec![1, 2])),
            ("open 2-4", Turn::Open(vec![2, 3, 4])),
            ("copy 1-3 to cats", copy(&[1, 2, 3], "cats")),
            ("copy 2023-06", copy(&[], "2023-06")),
            ("copy 1 to 2023", copy(&[1], "2023")),
            ("why", Turn::Why(vec![])),
            ("why 3", Turn::Why(vec![3])),
            ("copy cats", copy(&[], "cats")),
            ("copy to ~/Cats", copy(&[], "~/Cats")),
            ("copy 1 and 3 to cats", copy(&[1, 3], "cats")),
            ("copy 2 \"my cats\"", copy(&[2], "my cats")),
            ("copy 2023", copy(&[], "2023")),
            ("?", Turn::Help),
            ("exit", Turn::Quit),
        ];
        assert_eq!(rows.len(), 24);
        for (line, expected) in rows {
            assert_eq!(Turn::parse(line), Ok(expected), "{line}");
        }
    }

    #[test]
    fn a_line_that_can_be_nothing_is_refused() {
        let rows = [
            ("3", "`3`: expected a command, as in `more like 3`"),
            ("3 5", "`3 5`: expected a command"),
            ("more like", "`more like`: expected the number of a hit"),
            ("open", "`open`: expected the number of a hit"),
            ("2-3", "`2-3`: expected a command, as in `more like 2-3`"),
            (
                "undo 0",
                "`undo 0`: expected a number from 1, as in `undo 2`",
            ),
            (
                "redo -1",
                "`redo -1`: expected a number from 1, as in `redo 2`",
            ),
            (
                "Show 0",
                "`Show 0`: expected a number from 1, as in `show 2`",
            ),
            ("show 2-3", "`show 2-3`: expected a number from 1"),
            ("undo 2 3", "`undo 2 3`: expected a number from 1"),
            (
                "but",
                "`but`: expected what to add, as in `but at night`; `search but` looks for",
            ),
            ("+", "`+`: expected what to add"),
            ("No", "`no`: expected what to subtract, as in `no people`"),
            ("without", "`without`: expected what to subtract"),
            ("only", "`only`: expected a filter, as in `only 2023`"),
            ("but only", "`only`: expected a filter"),
            ("+3 but", "`but`: expected what to add"),
            (
                "new",
                "`new`: expected what to look for, as in `search a dog`",
            ),
            ("copy", "`copy`: expected a folder"),
            ("only dogs", "`only dogs`: expected a date, `in` a folder"),
            ("only last summer", "`only last summer`: expected a date"),
            (
                "only after:yesterday",
                "after:yesterday: expected a date such as 2023",
            ),
            ("udno", "unknown command `udno`: did you mean `undo`?"),
            ("opne 3", "unknown command `opne`: did you mean `open`?"),
        ];
        assert_eq!(rows.len(), 24);
        for (line, expected) in rows {
            let error = Turn::parse(line).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{line}: {error}");
        }
    }
}
