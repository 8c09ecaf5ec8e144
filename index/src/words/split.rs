//! Where are the words in a text or a file name? `IMG_2024-BeachParty.jpg` has five.
//!
//! A run of letters and digits is a word; so is each part of it, where letters meet digits or a small letter meets a
//! capital. Both are kept, so that `iPhone` is found as `iphone` and as `phone`. Chinese and Japanese characters are
//! words each, having no spaces between them. Combining accents and apostrophes inside a word do not split it.

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

/// Longer words are cut, so that no text can make a term that the index refuses.
const MAX_CHARS: usize = 64;

/// Splits as the module says; lowercasing, folding and stemming come after.
#[derive(Debug, Clone, Default)]
pub(crate) struct Splitter;

/// The words of one text.
#[derive(Debug)]
pub(crate) struct Words {
    tokens: std::vec::IntoIter<Token>,
    token: Token,
}

impl Tokenizer for Splitter {
    type TokenStream<'a> = Words;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Words {
        Words {
            tokens: split(text).into_iter(),
            token: Token::default(),
        }
    }
}

impl TokenStream for Words {
    fn advance(&mut self) -> bool {
        match self.tokens.next() {
            Some(token) => {
                self.token = token;
                true
            }
            None => false,
        }
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Small,
    Capital,
    Digit,
    /// A character that is a word by itself.
    Whole,
    /// Belongs to the word but is not kept.
    Joint,
    Gap,
}

fn class(character: char) -> Class {
    match character {
        '\u{300}'..='\u{36f}' | '\u{200c}' | '\u{200d}' | '\'' | '\u{2019}' => Class::Joint,
        '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{20000}'..='\u{3ffff}' => Class::Whole,
        _ if character.is_numeric() => Class::Digit,
        _ if character.is_uppercase() => Class::Capital,
        _ if character.is_alphanumeric() => Class::Small,
        _ => Class::Gap,
    }
}

/// The characters of one run, with their places in the text.
type Run = Vec<(usize, char, Class)>;

fn split(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut run = Run::new();
    for (offset, character) in text.char_indices() {
        match class(character) {
            Class::Gap => end_run(&mut run, &mut tokens),
            Class::Joint if run.is_empty() => {}
            Class::Whole => {
                end_run(&mut run, &mut tokens);
                push(&[(offset, character, Class::Whole)], &mut tokens);
            }
            class => run.push((offset, character, class)),
        }
    }
    end_run(&mut run, &mut tokens);
    tokens
}

fn end_run(run: &mut Run, tokens: &mut Vec<Token>) {
    while run
        .last()
        .is_some_and(|&(_, _, class)| class == Class::Joint)
    {
        run.pop();
    }
    push(run, tokens);
    let kept: Run = run
        .drain(..)
        .filter(|&(_, _, class)| class != Class::Joint)
        .collect();
    let starts: Vec<usize> = (1..kept.len()).filter(|&i| starts_part(&kept, i)).collect();
    if starts.is_empty() {
        return;
    }
    let mut start = 0;
    for end in starts.into_iter().chain([kept.len()]) {
        push(&kept[start..end], tokens);
        start = end;
    }
}

/// Whether a part of a run begins at its i-th character: `img|2024`, `Beach|Party`, `HTML|File`.
fn starts_part(run: &[(usize, char, Class)], i: usize) -> bool {
    let (before, here) = (run[i - 1].2, run[i].2);
    match (before, here) {
        (Class::Digit, Class::Digit) => false,
        (Class::Digit, _) | (_, Class::Digit) | (Class::Small, Class::Capital) => true,
        (Class::Capital, Class::Capital) => {
            run.get(i + 1).is_some_and(|next| next.2 == Class::Small)
        }
        _ => false,
    }
}

fn push(run: &[(usize, char, Class)], tokens: &mut Vec<Token>) {
    let (Some(first), Some(last)) = (run.first(), run.last()) else {
        return;
    };
    let kept = run.iter().filter(|(_, _, class)| *class != Class::Joint);
    tokens.push(Token {
        offset_from: first.0,
        offset_to: last.0 + last.1.len_utf8(),
        position: tokens.len(),
        text: kept
            .take(MAX_CHARS)
            .map(|(_, character, _)| character)
            .collect(),
        position_length: 1,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found() {
        let rows: &[(&str, &[&str])] = &[
            ("a dog, running!", &["a", "dog", "running"]),
            (
                "IMG_2024-BeachParty.jpg",
                &["IMG", "2024", "BeachParty", "Beach", "Party", "jpg"],
            ),
            (
                "iPhone/DSC0012",
                &["iPhone", "i", "Phone", "DSC0012", "DSC", "0012"],
            ),
            ("HTMLFile", &["HTMLFile", "HTML", "File"]),
            ("the dog's bone", &["the", "dogs", "bone"]),
            ("'quoted' rock'n'roll", &["quoted", "rocknroll"]),
            ("cafe\u{301}s", &["cafes"]),
            ("猫と犬 cat猫", &["猫", "と", "犬", "cat", "猫"]),
            ("", &[]),
            ("\" AND ( * : ~ \\ [", &["AND"]),
            ("--- ''' \u{301}", &[]),
            ("naïve Straße", &["naïve", "Straße"]),
        ];
        assert_eq!(rows.len(), 12);
        for (text, words) in rows {
            let tokens = split(text);
            let found: Vec<&str> = tokens.iter().map(|token| token.text.as_str()).collect();
            assert_eq!(&found, words, "{text}");
            for token in &tokens {
                assert!(
                    text.get(token.offset_from..token.offset_to).is_some(),
                    "{text}: {token:?}"
                );
            }
        }
    }

    #[test]
    fn long_words_are_cut() {
        let tokens = split(&"ab".repeat(10_000));
        assert_eq!(tokens.len(), 1);
        assert_eq!(tokens[0].text.chars().count(), MAX_CHARS);
    }
}
