//! Adjacent words: which items contain them.
//!
//! The word index stores no positions. It finds the items that have all words of a phrase; whether
//! these stand side by side is decided from the text of each, which the records hold. So a phrase
//! costs nothing until one is asked for, and then a look at the items that have all of its words.

use std::sync::Arc;

use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocId, DocSet, TERMINATED, Term};

use super::chain::Chain;
use super::schema::Fields;
use super::segment::WordsSegment;
use super::split::{PieceKind, split};

/// Words that stand side by side in a text, each as the terms that it may be indexed by.
pub(crate) struct Phrase {
    chain: Chain,
    words: Vec<Vec<String>>,
}

impl Phrase {
    pub(super) fn new(chain: &Chain, text: &str) -> Self {
        let mut words = Vec::new();
        // A word comes before its parts, which say nothing that it does not.
        let mut end = 0;
        for piece in split(text) {
            match piece.kind {
                PieceKind::Word(word) if piece.to > end => {
                    end = piece.to;
                    words.push(chain.forms(&word));
                }
                PieceKind::Run(units) => {
                    end = piece.to;
                    words.extend(units.into_iter().map(|unit| vec![unit.text]));
                }
                PieceKind::Word(_) | PieceKind::Date(_) => {}
            }
        }
        words.retain(|forms| !forms.is_empty());
        let chain = chain.clone();
        Self { chain, words }
    }

    /// Whether every item that has its words contains it.
    pub(crate) fn is_one_word(&self) -> bool {
        self.words.len() < 2
    }

    /// Whether its words stand side by side in a line of a text, in this order, with nothing but
    /// spaces and punctuation between them.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        let Some((first, rest)) = self.words.split_first() else {
            return false;
        };
        let tokens = self.chain.indexed(text);
        let of = |forms: &Vec<String>| -> Vec<(usize, usize)> {
            let found = tokens.iter().filter(|(_, _, term)| forms.contains(term));
            found.map(|&(from, to, _)| (from, to)).collect()
        };
        let is_gap = |from: usize, to: usize| {
            let between = text.get(from..to);
            between
                .is_some_and(|between| !between.chars().any(|c| c.is_alphanumeric() || c == '\n'))
        };
        let mut ends: Vec<usize> = of(first).into_iter().map(|(_, to)| to).collect();
        for forms in rest {
            let next = of(forms).into_iter();
            let next = next.filter(|&(from, _)| ends.iter().any(|&end| is_gap(end, from)));
            ends = next.map(|(_, to)| to).collect();
        }
        !ends.is_empty()
    }

    /// The items of a kind that have all of its words, wherever they stand.
    pub(super) fn candidates(
        &self,
        segments: &[Arc<WordsSegment>],
        fields: &Fields,
        kind: usize,
    ) -> tantivy::Result<Vec<u32>> {
        let field = fields.text[kind];
        let mut ids = Vec::new();
        for segment in segments {
            let mut docs: Option<Vec<DocId>> = None;
            for forms in &self.words {
                let found = docs_with(segment, field, forms)?;
                let both = match docs {
                    Some(mut docs) => {
                        docs.retain(|doc| found.binary_search(doc).is_ok());
                        docs
                    }
                    None => found,
                };
                let is_done = both.is_empty();
                docs = Some(both);
                if is_done {
                    break;
                }
            }
            let column = segment.ids()?;
            let docs = docs.unwrap_or_default().into_iter();
            let live = docs.filter(|&doc| segment.is_live(doc));
            let found = live.filter_map(|doc| column.first(doc));
            ids.extend(found.filter_map(|id| u32::try_from(id).ok()));
        }
        Ok(ids)
    }
}

/// The documents of a segment with any of these terms, in order.
fn docs_with(
    segment: &WordsSegment,
    field: Field,
    terms: &[String],
) -> tantivy::Result<Vec<DocId>> {
    let mut docs = Vec::new();
    for term in terms {
        let Some(info) = segment.term_info(&Term::from_field_text(field, term))? else {
            continue;
        };
        let mut postings = segment.postings(field, &info, IndexRecordOption::Basic)?;
        while postings.doc() != TERMINATED {
            docs.push(postings.doc());
            postings.advance();
        }
    }
    if terms.len() > 1 {
        docs.sort_unstable();
        docs.dedup();
    }
    Ok(docs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;

    #[test]
    fn words_of_a_phrase_stand_side_by_side_in_one_line() {
        let chain = Chain::new(Language::English);
        let rows = [
            ("red car", "a red car", true),
            ("Red Cars", "two red, car", true),
            ("red car", "a car is red", false),
            ("red car", "red racing car", false),
            ("red car", "red\ncar", false),
            ("the red", "by the red sea", true),
            ("the red", "the dark red", false),
            ("dog", "two dogs", true),
            ("dog", "a doghouse", false),
            ("beach party", "IMG_2024-BeachParty", true),
            ("2024 beach party", "IMG_2024-BeachParty", true),
            ("beachparty", "IMG_2024-BeachParty", true),
            ("party beach", "IMG_2024-BeachParty", false),
            ("red red car", "a red car", false),
            ("red red car", "a red, red car", true),
            ("t-shirt", "his T-shirts", true),
            ("t-shirt", "shirt t", false),
            ("café bar", "the Cafe Bar", true),
            ("cafe bar", "the cafe\u{301} bar", true),
            ("海滩", "我们在海滩散步", true),
            ("滩海", "我们在海滩散步", false),
            ("海步", "我们在海滩散步", false),
            ("!", "!", false),
        ];
        assert_eq!(rows.len(), 23);
        for (phrase, text, expected) in rows {
            assert_eq!(
                Phrase::new(&chain, phrase).is_in(text),
                expected,
                "{phrase} in {text}"
            );
        }
    }
}
