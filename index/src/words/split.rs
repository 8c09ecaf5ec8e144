//! Splits a text or a file name into words. `IMG_2024-BeachParty.jpg` has five.
//!
//! A run of letters and digits is a word. So is each of its parts, which are separated where
//! letters meet digits or a lowercase letter meets an uppercase one. Both are kept, so that
//! `iPhone` is found as `iphone` and as `phone`. Numbers that form a date are also a word together:
//! `2023-08`, and `20230814` as `2023-08-14`. Apostrophes do not split a word.
//!
//! Scripts without spaces between words form runs of their own, which are segmented later
//! ([`unspaced`](super::unspaced)).

use super::normal::{Letter, is_mark, letters};

/// Longer words are truncated, so that no text produces a term that tantivy rejects.
const MAX_CHARS: usize = 64;

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// Its range in the text, in bytes.
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) kind: PieceKind,
}

/// The kind of a piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PieceKind {
    /// A word or a part of one, as written.
    Word(String),
    /// A date, or a year and a month, as digits with hyphens; or a part of a date that is written
    /// as one number.
    Date(String),
    /// A run of words without spaces between them.
    Run(Vec<Unit>),
}

/// A character of a script without spaces, including its marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Small,
    Capital,
    Digit,
    /// A character of a script without spaces between words.
    Unspaced,
    /// Belongs to the character before it.
    Mark,
    /// Belongs to the word, but is dropped.
    Joint,
    Gap,
}

fn class(character: char) -> Class {
    match character {
        'a'..='z' => Class::Small,
        'A'..='Z' => Class::Capital,
        '0'..='9' => Class::Digit,
        '\'' | '\u{ad}' | '\u{2019}' | '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}' => {
            Class::Joint
        }
        _ if character.is_ascii() => Class::Gap,
        _ if is_mark(character) => Class::Mark,
        _ if character.is_numeric() && !is_unspaced(character) => Class::Digit,
        _ if !character.is_alphanumeric() => Class::Gap,
        _ if is_unspaced(character) => Class::Unspaced,
        _ if character.is_uppercase() => Class::Capital,
        _ => Class::Small,
    }
}

/// Thai, Lao, Burmese, Khmer, Chinese, Japanese; and Korean, which has spaces, but not between a
/// noun and its particle.
fn is_unspaced(character: char) -> bool {
    matches!(character,
        '\u{e00}'..='\u{e4f}'
        | '\u{e80}'..='\u{ecf}'
        | '\u{1000}'..='\u{103f}'
        | '\u{1100}'..='\u{11ff}'
        | '\u{1780}'..='\u{17df}'
        | '\u{3005}'..='\u{3007}'
        | '\u{3040}'..='\u{30ff}'
        | '\u{3105}'..='\u{318f}'
        | '\u{31a0}'..='\u{31bf}'
        | '\u{31f0}'..='\u{31ff}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7ff}'
        | '\u{20000}'..='\u{3ffff}')
}

/// The words of a text, each followed by its parts.
pub(super) fn split(text: &str) -> Vec<Piece> {
    let mut splitting = Splitting::default();
    for letter in letters(text) {
        splitting.take(letter);
    }
    splitting.end_runs();
    splitting.end_numbers();
    splitting.pieces
}

#[derive(Default)]
struct Splitting {
    pieces: Vec<Piece>,
    /// The current run of letters and digits, or of units. One of the two is empty.
    run: Vec<(Letter, Class)>,
    units: Vec<Unit>,
    /// Numbers separated by single characters, which may form a date.
    numbers: Vec<Number>,
    /// Number of separators since the last word.
    n_gaps: usize,
}

struct Number {
    from: usize,
    to: usize,
    digits: String,
}

impl Splitting {
    fn take(&mut self, letter: Letter) {
        match class(letter.character) {
            Class::Gap => {
                self.end_runs();
                self.n_gaps += 1;
                if self.n_gaps > 1 || !matches!(letter.character, '-' | '_' | '.' | ':' | '/') {
                    self.end_numbers();
                }
            }
            Class::Joint if self.run.is_empty() => {}
            Class::Mark => self.mark(letter),
            Class::Unspaced => {
                if !self.run.is_empty() {
                    self.end_runs();
                }
                self.end_numbers();
                self.units.push(Unit {
                    from: letter.from,
                    to: letter.to,
                    text: letter.character.to_string(),
                });
            }
            class => {
                if !self.units.is_empty() {
                    self.end_runs();
                }
                self.n_gaps = 0;
                self.run.push((letter, class));
            }
        }
    }

    fn mark(&mut self, letter: Letter) {
        if let Some(unit) = self.units.last_mut() {
            unit.to = letter.to;
            // Real text has fewer marks on one character.
            if unit.text.len() < MAX_CHARS {
                unit.text.push(letter.character);
            }
        } else if let Some(&(_, class)) = self.run.last() {
            self.run.push((letter, class));
        }
    }

    fn end_runs(&mut self) {
        let units = std::mem::take(&mut self.units);
        if let (Some(first), Some(last)) = (units.first(), units.last()) {
            self.pieces.push(Piece {
                from: first.from,
                to: last.to,
                kind: PieceKind::Run(units),
            });
        }
        let mut run = std::mem::take(&mut self.run);
        run.retain(|&(_, class)| class != Class::Joint);
        if run.is_empty() {
            return;
        }
        self.push(&run);
        let starts: Vec<usize> = (1..run.len()).filter(|&i| starts_part(&run, i)).collect();
        if starts.is_empty() {
            self.number(&run);
            return;
        }
        self.end_numbers();
        let mut start = 0;
        for end in starts.into_iter().chain([run.len()]) {
            self.push(&run[start..end]);
            start = end;
        }
    }

    fn push(&mut self, run: &[(Letter, Class)]) {
        let (Some((first, class)), Some((last, _))) = (run.first(), run.last()) else {
            return;
        };
        let text: String = run
            .iter()
            .take(MAX_CHARS)
            .map(|(letter, _)| letter.character)
            .collect();
        let (from, to) = (first.from, last.to);
        if *class == Class::Digit
            && let Some(dates) = whole_date(&text)
        {
            self.pieces.extend(dates.into_iter().map(|date| Piece {
                from,
                to,
                kind: PieceKind::Date(date),
            }));
        }
        self.pieces.push(Piece {
            from,
            to,
            kind: PieceKind::Word(text),
        });
    }

    /// Records a run that may be part of a date.
    fn number(&mut self, run: &[(Letter, Class)]) {
        let (Some((first, _)), Some((last, _))) = (run.first(), run.last()) else {
            return;
        };
        let digits: String = run.iter().map(|(letter, _)| letter.character).collect();
        let n_digits = digits.len();
        let is_plain = digits.bytes().all(|digit| digit.is_ascii_digit());
        if !is_plain || n_digits > 4 || (n_digits != 2 && n_digits != 4) {
            self.end_numbers();
            return;
        }
        if n_digits == 4 {
            self.end_numbers();
        } else if self.numbers.is_empty() {
            return;
        }
        self.numbers.push(Number {
            from: first.from,
            to: last.to,
            digits,
        });
        if self.numbers.len() == 3 {
            self.end_numbers();
        }
    }

    /// Adds the date that the recorded numbers form, if any.
    fn end_numbers(&mut self) {
        let numbers = std::mem::take(&mut self.numbers);
        let [year, month, day @ ..] = &numbers[..] else {
            return;
        };
        if !is_month(&year.digits, &month.digits) {
            return;
        }
        let text = format!("{}-{}", year.digits, month.digits);
        if let [day] = day
            && is_day(&day.digits)
        {
            self.pieces.push(Piece {
                from: year.from,
                to: day.to,
                kind: PieceKind::Date(format!("{text}-{}", day.digits)),
            });
        }
        self.pieces.push(Piece {
            from: year.from,
            to: month.to,
            kind: PieceKind::Date(text),
        });
    }
}

pub(super) fn is_month(year: &str, month: &str) -> bool {
    let year_is_sound = matches!(year.parse(), Ok(1800u16..2200));
    year_is_sound && matches!(month.parse(), Ok(1u8..=12))
}

pub(super) fn is_day(day: &str) -> bool {
    matches!(day.parse(), Ok(1u8..=31))
}

/// For eight digits that form a date: the date, and its parts as in a date with hyphens.
fn whole_date(digits: &str) -> Option<[String; 5]> {
    if digits.len() != 8 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let (year, month, day) = (&digits[..4], &digits[4..6], &digits[6..]);
    (is_month(year, month) && is_day(day)).then(|| {
        [
            format!("{year}-{month}-{day}"),
            format!("{year}-{month}"),
            year.to_owned(),
            month.to_owned(),
            day.to_owned(),
        ]
    })
}

/// Whether a part of a run begins at its i-th character, as in `img|2024`, `Beach|Party`,
/// `HTML|File`.
fn starts_part(run: &[(Letter, Class)], i: usize) -> bool {
    if is_mark(run[i].0.character) {
        return false;
    }
    let (before, here) = (run[i - 1].1, run[i].1);
    match (before, here) {
        (Class::Digit, Class::Digit) => false,
        (Class::Digit, _) | (_, Class::Digit) | (Class::Small, Class::Capital) => true,
        (Class::Capital, Class::Capital) => {
            run.get(i + 1).is_some_and(|next| next.1 == Class::Small)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(piece: &Piece) -> String {
        match &piece.kind {
            PieceKind::Word(word) => word.clone(),
            PieceKind::Date(date) => format!("[{date}]"),
            PieceKind::Run(units) => {
                let units: Vec<&str> = units.iter().map(|unit| unit.text.as_str()).collect();
                units.join("|")
            }
        }
    }

    #[test]
    fn words_parts_and_dates_are_found() {
        let rows: &[(&str, &[&str])] = &[
            ("a dog, running!", &["a", "dog", "running"]),
            (
                "IMG_2024-BeachParty.jpg",
                &["IMG", "2024", "BeachParty", "Beach", "Party", "jpg"],
            ),
            (
                "IMG_2023-08-beach",
                &["IMG", "2023", "08", "beach", "[2023-08]"],
            ),
            (
                "2023-08-14 at 17.03",
                &[
                    "2023",
                    "08",
                    "14",
                    "[2023-08-14]",
                    "[2023-08]",
                    "at",
                    "17",
                    "03",
                ],
            ),
            (
                "PXL_20230814_1",
                &[
                    "PXL",
                    "[2023-08-14]",
                    "[2023-08]",
                    "[2023]",
                    "[08]",
                    "[14]",
                    "20230814",
                    "1",
                ],
            ),
            (
                "2023 08, 2023-13, 99999999",
                &["2023", "08", "2023", "13", "99999999"],
            ),
            (
                "iPhone/DSC0012",
                &["iPhone", "i", "Phone", "DSC0012", "DSC", "0012"],
            ),
            ("HTMLFile", &["HTMLFile", "HTML", "File"]),
            ("the dog's bone", &["the", "dogs", "bone"]),
            ("'quoted' rock'n'roll", &["quoted", "rocknroll"]),
            ("cafe\u{301}s", &["cafés"]),
            ("cafe\u{301}Bar", &["caféBar", "café", "Bar"]),
            ("猫と犬 cat猫", &["猫|と|犬", "cat", "猫"]),
            ("2023年8月", &["2023", "年", "8", "月"]),
            ("\u{ff8b}\u{ff9e}\u{ff70}\u{ff81}・海", &["ビ|ー|チ", "海"]),
            ("바다에서 수영", &["바|다|에|서", "수|영"]),
            ("ที่ทะเล", &["ที่|ท|ะ|เ|ล"]),
            ("हिन्दी", &["हिन्दी"]),
            ("", &[]),
            ("\" AND ( * : ~ \\ [", &["AND"]),
            ("--- ''' \u{301}", &[]),
            ("naïve Straße", &["naïve", "Straße"]),
        ];
        assert_eq!(rows.len(), 22);
        for (text, words) in rows {
            let pieces = split(text);
            let found: Vec<String> = pieces.iter().map(shown).collect();
            assert_eq!(&found, words, "{text}");
            for piece in &pieces {
                assert!(
                    text.get(piece.from..piece.to).is_some(),
                    "{text}: {piece:?}"
                );
            }
        }
    }

    #[test]
    fn long_words_are_truncated() {
        let pieces = split(&"ab".repeat(10_000));
        let [
            Piece {
                kind: PieceKind::Word(word),
                ..
            },
        ] = &pieces[..]
        else {
            panic!("{} pieces", pieces.len());
        };
        assert_eq!(word.chars().count(), MAX_CHARS);
        let marks = format!("ก{}", "\u{e34}".repeat(10_000));
        let [
            Piece {
                kind: PieceKind::Run(units),
                ..
            },
        ] = &split(&marks)[..]
        else {
            panic!("no run");
        };
        assert!(units[0].text.len() <= MAX_CHARS + 3);
    }
}
