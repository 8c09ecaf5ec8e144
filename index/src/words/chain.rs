//! Converts the text of items and queries to terms.
//!
//! Words are lowercased, stemmed in the language of the index, and stripped of accents. A stem may
//! depend on an accent (French `aimée`), and users may omit accents, so a word with an accent has
//! two terms if they differ: the stem of the stripped word, and the stripped stem of the word.

use frostem::{Algorithm, Stemmer};
use tantivy::tokenizer::{
    RawTokenizer, StopWordFilter, TextAnalyzer, Token, TokenStream, Tokenizer,
};

use super::dates;
use super::normal::folded;
use super::split::{Piece, PieceKind, split};
use super::terms::{Alternative, Terms, any};
use super::unspaced;
use crate::language::Language;

/// English stop words, ignored in queries with other words. They apply in every language, since
/// English is common in names and captions.
const STOP_WORDS: [&str; 38] = [
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "from", "has", "have", "if",
    "in", "into", "is", "it", "its", "no", "not", "of", "on", "or", "s", "some", "such", "that",
    "the", "their", "then", "there", "these", "they", "this", "to", "was", "with",
];

/// A date of the length of all dates with a day.
const WHOLE_DATE: &str = "1993-08-14";

/// A word of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct QueryWord {
    /// Its range in the query, in bytes.
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) is_stop_word: bool,
    pub(super) terms: Terms,
}

/// The analyzer for one language.
#[derive(Clone)]
pub(super) struct Chain {
    language: Language,
    stemmer: Option<Stemmer>,
    tokens: Vec<Token>,
}

impl Chain {
    pub(super) fn new(language: Language) -> Self {
        Self {
            language,
            stemmer: algorithm(language).map(Stemmer::new),
            tokens: Vec::new(),
        }
    }

    fn stem(&self, word: &str) -> String {
        match &self.stemmer {
            Some(stemmer) => stemmer.stem(word).into_owned(),
            None => word.to_owned(),
        }
    }

    /// The terms of a word: one, or two where accents make a difference.
    pub(super) fn forms(&self, word: &str) -> Vec<String> {
        let small = word.to_lowercase();
        let mut forms = vec![self.stem(&folded(&small))];
        if !small.is_ascii() {
            let other = folded(&self.stem(&small));
            if !forms.contains(&other) {
                forms.push(other);
            }
        }
        forms.retain(|form| !form.is_empty());
        forms
    }

    /// The terms of a text and their byte ranges.
    pub(super) fn indexed(&self, text: &str) -> Vec<(usize, usize, String)> {
        let of_piece = |Piece { from, to, kind }| match kind {
            PieceKind::Word(word) => {
                let forms = self.forms(&word).into_iter();
                forms.map(|form| (from, to, form)).collect()
            }
            PieceKind::Date(date) => vec![(from, to, date)],
            PieceKind::Run(units) => unspaced::all_terms(&units),
        };
        split(text).into_iter().flat_map(of_piece).collect()
    }

    /// The words of a query.
    pub(super) fn query_words(&self, text: &str) -> Vec<QueryWord> {
        let mut stop_words = self.stop_words();
        let mut words = Vec::new();
        let pieces = split(text);
        let ranges = dates::ranges_of_words(&pieces);
        let dates = dates::of_query(text, &pieces, &ranges);
        for Piece { from, to, kind } in pieces.iter().cloned() {
            // A date means the whole date. Its parts would match any picture of an eighth.
            if dates::covers(&dates, from, to) {
                continue;
            }
            match kind {
                PieceKind::Word(word) => {
                    let small = word.to_lowercase();
                    let is_listed = |analyzer: &mut TextAnalyzer| {
                        let mut left = analyzer.token_stream(&small);
                        !left.advance()
                    };
                    words.push(QueryWord {
                        from,
                        to,
                        is_stop_word: STOP_WORDS.contains(&small.as_str())
                            || stop_words.as_mut().is_some_and(is_listed),
                        terms: any(self.forms(&word)),
                    });
                }
                // Eight digits without hyphens mean the whole date, not its parts.
                PieceKind::Date(date)
                    if date.len() < WHOLE_DATE.len() && ranges.contains(&(from, to)) => {}
                PieceKind::Date(date) => words.push(QueryWord {
                    from,
                    to,
                    is_stop_word: false,
                    terms: any(vec![date]),
                }),
                PieceKind::Run(units) => {
                    words.extend(unspaced::words(&units).into_iter().map(|cut| QueryWord {
                        from: cut.from,
                        to: cut.to,
                        is_stop_word: cut.is_stop_word,
                        terms: vec![Alternative::all(cut.terms)],
                    }));
                }
            }
        }
        words.extend(dates.into_iter().map(|date| QueryWord {
            from: date.from,
            to: date.to,
            is_stop_word: false,
            terms: date.alternatives,
        }));
        words
    }

    /// An analyzer that drops the stop words of the language, if there is a list of them.
    fn stop_words(&self) -> Option<TextAnalyzer> {
        let filter = StopWordFilter::new(stop_words_of(self.language)?)?;
        Some(
            TextAnalyzer::builder(RawTokenizer::default())
                .filter(filter)
                .build(),
        )
    }
}

impl Tokenizer for Chain {
    type TokenStream<'a> = Tokens<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Tokens<'a> {
        let indexed = self.indexed(text).into_iter().enumerate();
        self.tokens = indexed
            .map(|(position, (from, to, text))| Token {
                offset_from: from,
                offset_to: to,
                position,
                text,
                position_length: 1,
            })
            .collect();
        Tokens {
            tokens: &mut self.tokens,
            n_seen: 0,
        }
    }
}

/// The tokens of one text.
#[derive(Debug)]
pub(super) struct Tokens<'a> {
    tokens: &'a mut [Token],
    n_seen: usize,
}

impl TokenStream for Tokens<'_> {
    fn advance(&mut self) -> bool {
        let is_one = self.n_seen < self.tokens.len();
        self.n_seen += usize::from(is_one);
        is_one
    }

    fn token(&self) -> &Token {
        &self.tokens[self.n_seen.saturating_sub(1)]
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.tokens[self.n_seen.saturating_sub(1)]
    }
}

fn algorithm(language: Language) -> Option<Algorithm> {
    Some(match language {
        Language::None => return None,
        Language::Arabic => Algorithm::Arabic,
        Language::Danish => Algorithm::Danish,
        Language::German => Algorithm::German,
        Language::Greek => Algorithm::Greek,
        Language::English => Algorithm::English,
        Language::Spanish => Algorithm::Spanish,
        Language::Finnish => Algorithm::Finnish,
        Language::French => Algorithm::French,
        Language::Hungarian => Algorithm::Hungarian,
        Language::Italian => Algorithm::Italian,
        Language::Dutch => Algorithm::Dutch,
        Language::Norwegian => Algorithm::Norwegian,
        Language::Portuguese => Algorithm::Portuguese,
        Language::Romanian => Algorithm::Romanian,
        Language::Russian => Algorithm::Russian,
        Language::Swedish => Algorithm::Swedish,
        Language::Tamil => Algorithm::Tamil,
        Language::Turkish => Algorithm::Turkish,
    })
}

/// English has a list of its own above; for the others that are not here, tantivy has none.
fn stop_words_of(language: Language) -> Option<tantivy::tokenizer::Language> {
    use tantivy::tokenizer::Language as Known;
    Some(match language {
        Language::Danish => Known::Danish,
        Language::German => Known::German,
        Language::Spanish => Known::Spanish,
        Language::Finnish => Known::Finnish,
        Language::French => Known::French,
        Language::Hungarian => Known::Hungarian,
        Language::Italian => Known::Italian,
        Language::Dutch => Known::Dutch,
        Language::Norwegian => Known::Norwegian,
        Language::Portuguese => Known::Portuguese,
        Language::Russian => Known::Russian,
        Language::Swedish => Known::Swedish,
        Language::None
        | Language::Arabic
        | Language::English
        | Language::Greek
        | Language::Romanian
        | Language::Tamil
        | Language::Turkish => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_split_into_terms_by_language() {
        use Language::{English, French, German, None, Russian, Spanish};
        let rows: &[(Language, &str, &[&str])] = &[
            (English, "Two dogs running", &["two", "dog", "run"]),
            (None, "Two dogs running", &["two", "dogs", "running"]),
            (
                English,
                "BeachParty.jpg",
                &["beachparti", "beach", "parti", "jpg"],
            ),
            (
                English,
                "IMG_2023-08-beach",
                &["img", "2023", "08", "beach", "2023-08"],
            ),
            (
                English,
                "cafés CAFES cafe\u{301}",
                &["cafe", "cafe", "cafe"],
            ),
            (English, "resumé", &["resum", "resume"]),
            (German, "Häuser am Strand", &["haus", "am", "strand"]),
            (German, "Straße STRASSE", &["strass", "strass"]),
            (German, "München Muenchen", &["munch", "munch"]),
            (French, "plages aimées", &["plag", "aime", "aim"]),
            (Spanish, "montañas", &["montan"]),
            (Russian, "собаки", &["собак"]),
            (English, "海滩散", &["海", "滩", "散", "海滩", "滩散"]),
            (English, "바다", &["바", "다", "바다"]),
            (English, "ＤＯＧＳ", &["dog"]),
            (English, "", &[]),
        ];
        assert_eq!(rows.len(), 16);
        for (language, text, expected) in rows {
            let mut chain = Chain::new(*language);
            let mut stream = chain.token_stream(text);
            let mut terms = Vec::new();
            while stream.advance() {
                let Token {
                    offset_from,
                    offset_to,
                    position,
                    text: term,
                    ..
                } = stream.token();
                assert!(text.get(*offset_from..*offset_to).is_some(), "{text}");
                assert_eq!(*position, terms.len());
                terms.push(term.clone());
            }
            assert_eq!(&terms, expected, "{language:?} {text}");
        }
    }

    #[test]
    fn stop_words_are_those_of_the_language_and_english_ones() {
        let stop_words = |language, text: &str| -> Vec<String> {
            let words = Chain::new(language).query_words(text);
            let stop_words = words.iter().filter(|word| word.is_stop_word);
            stop_words
                .map(|word| text[word.from..word.to].to_owned())
                .collect()
        };
        assert_eq!(
            stop_words(Language::German, "der Hund und the dog für dich"),
            ["der", "und", "the", "für", "dich"]
        );
        assert_eq!(
            stop_words(Language::English, "der Hund und the dog"),
            ["the"]
        );
        assert_eq!(stop_words(Language::None, "the dog of us"), ["the", "of"]);
        assert_eq!(stop_words(Language::English, "海辺の犬"), ["の"]);
    }

    #[test]
    fn every_language_but_none_has_a_stemmer() {
        let n_with = Language::ALL
            .into_iter()
            .filter(|language| algorithm(*language).is_some())
            .count();
        assert_eq!(n_with, Language::ALL.len() - 1);
    }
}
