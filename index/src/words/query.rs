//! Searches items by words. A query is a bag of words without syntax.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};
use std::sync::Arc;

use tantivy::postings::TermInfo;
use tantivy::query::Bm25Weight;
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocId, DocSet, Score, Term};

use super::chain::Chain;
use super::schema::Fields;
use super::score::{self, ScoredTerm, ScoredWord};
use super::segment::{Totals, WordsSegment};
use super::terms::Alternative;
use crate::ids::IdSet;
use crate::item::ItemId;

/// Maximum number of terms of a query. The rest is ignored; a search for thousands would be slow
/// and useless.
const MAX_TERMS: usize = 1_024;

/// An item that contains words of a query.
#[derive(Debug, Clone, PartialEq)]
pub struct Match {
    /// The item.
    pub id: ItemId,
    /// How well it matches (Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25
    /// and Beyond", 2009); above 0, comparable within one answer only.
    pub bm25: f32,
    /// The words of the query that the item contains, as typed, in query order.
    pub words: Vec<String>,
    /// Share of the query that these words are, above 0 and at most 1. Each counts by its inverse
    /// document frequency, so a rare word is a larger part of a query than a frequent one.
    pub coverage: f32,
}

/// The words of a query, as terms of the searched field.
struct WordsQuery {
    field: Field,
    /// Distinct terms.
    terms: Vec<Term>,
    clauses: Vec<Clause>,
}

/// A word of the query. Its terms are places in [`WordsQuery::terms`].
struct Clause {
    alternatives: Vec<Alternative<usize>>,
    from: usize,
    to: usize,
}

/// The best `n` items of a kind among those in `among`, if given, highest BM25 first, equal ones by
/// id.
pub(super) fn matching(
    segments: &[Arc<WordsSegment>],
    fields: &Fields,
    chain: &Chain,
    (kind, words): (usize, &str),
    n: usize,
    among: Option<&IdSet>,
) -> tantivy::Result<Vec<Match>> {
    let query = WordsQuery::new(chain, fields.text[kind], words);
    let mut totals = Totals::default();
    for segment in segments {
        let more = segment.totals(fields, kind)?;
        totals.n_documents += more.n_documents;
        totals.n_words += more.n_words;
    }
    if query.clauses.is_empty() || n == 0 || totals.n_documents == 0 {
        return Ok(Vec::new());
    }
    let infos = infos_of(&query, segments)?;
    let weights = weights_of(&query, segments, &infos, totals)?;
    let mut best = Heap::new(n);
    for ((segment, infos), number) in segments.iter().zip(&infos).zip(0..) {
        best.add(
            segment,
            number,
            scored_words(&query, segment, infos, &weights.bm25)?,
            &query,
            among,
        )?;
    }
    let best = best.into_sorted();
    let matched = matched_clauses(&query, segments, &infos, &best)?;
    let of_query: f32 = query.clauses.iter().map(|clause| weights.idf(clause)).sum();
    Ok(best
        .into_iter()
        .zip(matched)
        .map(|(scored, mut clauses)| {
            let words = whole_words(&clauses, words);
            // A clause is there once for each alternative that the item contains.
            clauses.sort_unstable_by_key(|clause| (clause.from, clause.to));
            clauses.dedup_by_key(|clause| (clause.from, clause.to));
            let of_item: f32 = clauses.iter().map(|clause| weights.idf(clause)).sum();
            Match {
                id: ItemId(scored.id),
                bm25: scored.bm25,
                words,
                coverage: (of_item / of_query).min(1.0),
            }
        })
        .collect())
}

impl WordsQuery {
    /// The distinct words of a text, without stop words unless there are no others.
    fn new(chain: &Chain, field: Field, text: &str) -> Self {
        let mut seen = HashSet::new();
        let (mut clauses, mut stop_words) = (Vec::new(), Vec::new());
        let mut n_terms = 0;
        for word in chain.query_words(text) {
            let terms = word.terms;
            if terms.iter().all(|terms| terms.all.is_empty()) || !seen.insert(terms.clone()) {
                continue;
            }
            let n_of = |terms: &Alternative<String>| terms.all.len() + terms.none.len();
            n_terms += terms.iter().map(n_of).sum::<usize>();
            if n_terms > MAX_TERMS {
                break;
            }
            let found = (terms, word.from, word.to);
            if word.is_stop_word {
                stop_words.push(found);
            } else {
                clauses.push(found);
            }
        }
        if clauses.is_empty() {
            clauses = stop_words;
        }
        let (mut terms, mut places) = (Vec::new(), HashMap::new());
        let mut place_of = |term: String| {
            *places.entry(term).or_insert_with_key(|term| {
                terms.push(Term::from_field_text(field, term));
                terms.len() - 1
            })
        };
        let mut clause = |(alternatives, from, to): (Vec<Alternative<String>>, _, _)| Clause {
            alternatives: alternatives
                .into_iter()
                .map(|Alternative { all, none }| Alternative {
                    all: all.into_iter().map(&mut place_of).collect(),
                    none: none.into_iter().map(&mut place_of).collect(),
                })
                .collect(),
            from,
            to,
        };
        let clauses = clauses.into_iter().map(&mut clause).collect();
        Self {
            field,
            terms,
            clauses,
        }
    }
}

/// Where the postings of each term are, for each segment.
fn infos_of(
    query: &WordsQuery,
    segments: &[Arc<WordsSegment>],
) -> tantivy::Result<Vec<Vec<Option<TermInfo>>>> {
    let of_segment = |segment: &Arc<WordsSegment>| {
        let terms = query.terms.iter();
        terms.map(|term| segment.term_info(term)).collect()
    };
    segments.iter().map(of_segment).collect()
}

/// What each term is worth.
struct Weights {
    bm25: Vec<Bm25Weight>,
    /// Inverse document frequency, as BM25 has it, above 0.
    idf: Vec<f32>,
}

impl Weights {
    /// The inverse document frequency of a word of the query: that of its rarest alternative.
    fn idf(&self, clause: &Clause) -> f32 {
        let of_terms = |terms: &[usize]| terms.iter().map(|&term| self.idf[term]).sum();
        let alternatives = clause.alternatives.iter();
        alternatives
            .map(|terms| of_terms(&terms.all))
            .fold(f32::MIN_POSITIVE, f32::max)
    }
}

/// The weights by the live documents of all segments.
fn weights_of(
    query: &WordsQuery,
    segments: &[Arc<WordsSegment>],
    infos: &[Vec<Option<TermInfo>>],
    totals: Totals,
) -> tantivy::Result<Weights> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "BM25 is computed in f32; the same numbers give the same result"
    )]
    let average_length = totals.n_words as f32 / totals.n_documents as f32;
    let n_documents = totals.n_documents as f32;
    let mut weights = Weights {
        bm25: Vec::with_capacity(query.terms.len()),
        idf: Vec::with_capacity(query.terms.len()),
    };
    for term in 0..query.terms.len() {
        let mut n_with = 0;
        for (segment, infos) in segments.iter().zip(infos) {
            if let Some(info) = &infos[term] {
                n_with += segment.n_live(query.field, info)?;
            }
        }
        weights.bm25.push(Bm25Weight::for_one_term_without_explain(
            n_with,
            totals.n_documents,
            average_length,
        ));
        let n_with = n_with as f32;
        let idf = ((n_documents - n_with + 0.5) / (n_with + 0.5)).ln_1p();
        weights.idf.push(idf);
    }
    Ok(weights)
}

/// The words of the query with their postings in a segment. Alternatives that miss a term are left
/// out.
fn scored_words(
    query: &WordsQuery,
    segment: &WordsSegment,
    infos: &[Option<TermInfo>],
    weights: &[Bm25Weight],
) -> tantivy::Result<Vec<ScoredWord>> {
    let scored = |term: usize| -> tantivy::Result<Option<ScoredTerm>> {
        let Some(info) = &infos[term] else {
            return Ok(None);
        };
        Ok(Some(ScoredTerm {
            postings: segment.postings(query.field, info, IndexRecordOption::WithFreqs)?,
            weight: weights[term].clone(),
        }))
    };
    let mut words = Vec::with_capacity(query.clauses.len());
    for clause in &query.clauses {
        let mut word = ScoredWord::new();
        for Alternative { all, none } in &clause.alternatives {
            if all.is_empty() || all.iter().any(|&term| infos[term].is_none()) {
                continue;
            }
            let terms = |terms: &[usize]| -> tantivy::Result<Vec<ScoredTerm>> {
                terms
                    .iter()
                    .filter_map(|&term| scored(term).transpose())
                    .collect()
            };
            word.push(Alternative {
                all: terms(all)?,
                none: terms(none)?,
            });
        }
        if !word.is_empty() {
            words.push(word);
        }
    }
    Ok(words)
}

/// For each of `best`, the words of the query that it contains, in query order: once for each
/// alternative.
fn matched_clauses<'a>(
    query: &'a WordsQuery,
    segments: &[Arc<WordsSegment>],
    infos: &[Vec<Option<TermInfo>>],
    best: &[Scored],
) -> tantivy::Result<Vec<Vec<&'a Clause>>> {
    let mut by_segment: BTreeMap<usize, Vec<(DocId, usize)>> = BTreeMap::new();
    for (rank, scored) in best.iter().enumerate() {
        let docs = by_segment.entry(scored.segment).or_default();
        docs.push((scored.doc, rank));
    }
    let mut matched: Vec<Vec<&Clause>> = best.iter().map(|_| Vec::new()).collect();
    for (number, mut docs) in by_segment {
        docs.sort_unstable();
        let (segment, infos) = (&segments[number], &infos[number]);
        for (clause, Alternative { all, none }) in with_alternatives(&query.clauses) {
            if all.is_empty() {
                continue;
            }
            let mut n_found = vec![0; docs.len()];
            let mut is_excluded = vec![false; docs.len()];
            let needed = all.iter().map(|&term| (term, true));
            for (term, is_needed) in needed.chain(none.iter().map(|&term| (term, false))) {
                let Some(info) = &infos[term] else {
                    continue;
                };
                let mut postings = segment.postings(query.field, info, IndexRecordOption::Basic)?;
                for (place, &(doc, _)) in docs.iter().enumerate() {
                    if postings.doc() < doc {
                        postings.seek(doc);
                    }
                    let is_there = postings.doc() == doc;
                    n_found[place] += usize::from(is_there && is_needed);
                    is_excluded[place] |= is_there && !is_needed;
                }
            }
            for (place, &(_, rank)) in docs.iter().enumerate() {
                if n_found[place] == all.len() && !is_excluded[place] {
                    matched[rank].push(clause);
                }
            }
        }
    }
    Ok(matched)
}

/// Each clause with each of its alternatives.
fn with_alternatives(clauses: &[Clause]) -> impl Iterator<Item = (&Clause, &Alternative<usize>)> {
    clauses.iter().flat_map(|clause| {
        let alternatives = clause.alternatives.iter();
        alternatives.map(move |terms| (clause, terms))
    })
}

/// Leaves out parts of words that matched as a whole, and words that differ only in case.
fn whole_words(clauses: &[&Clause], text: &str) -> Vec<String> {
    let mut spans: Vec<(usize, usize)> = clauses.iter().map(|part| (part.from, part.to)).collect();
    // What contains a word comes before it.
    spans.sort_unstable_by_key(|&(from, to)| (from, Reverse(to)));
    spans.dedup();
    let mut whole = HashSet::new();
    let mut end = None;
    for (from, to) in spans {
        if end.is_none_or(|end| to > end) {
            end = Some(to);
            whole.insert((from, to));
        }
    }
    let mut seen = HashSet::new();
    let mut words = Vec::new();
    for part in clauses {
        let word = text.get(part.from..part.to).unwrap_or("");
        if whole.contains(&(part.from, part.to)) && seen.insert(word.to_lowercase()) {
            words.push(word.to_owned());
        }
    }
    words
}

/// An item with its BM25, and where its document is.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Scored {
    bm25: Score,
    id: u32,
    segment: usize,
    doc: DocId,
}

impl Eq for Scored {}

impl Ord for Scored {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.bm25
            .total_cmp(&other.bm25)
            .then_with(|| other.id.cmp(&self.id))
    }
}

impl PartialOrd for Scored {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The best `n`. Ties are broken by id, not by position in the word index, so that a rebuild does
/// not change the answer.
struct Heap {
    n: usize,
    best: BinaryHeap<Reverse<Scored>>,
}

impl Heap {
    fn new(n: usize) -> Self {
        let best = BinaryHeap::new();
        Self { n, best }
    }

    fn add(
        &mut self,
        segment: &WordsSegment,
        number: usize,
        words: Vec<ScoredWord>,
        query: &WordsQuery,
        among: Option<&IdSet>,
    ) -> tantivy::Result<()> {
        if words.is_empty() {
            return Ok(());
        }
        let ids = segment.ids()?;
        let lengths = segment.lengths(query.field)?;
        score::for_each(words, &lengths, &mut |doc, bm25| {
            let is_full = self.best.len() >= self.n;
            let worst = self.best.peek().map(|worst| worst.0);
            if is_full && worst.is_some_and(|worst| bm25 < worst.bm25) || !segment.is_live(doc) {
                return;
            }
            let id = ids.first(doc).and_then(|id| u32::try_from(id).ok());
            let Some(id) = id.filter(|&id| among.is_none_or(|among| among.contains(ItemId(id))))
            else {
                return;
            };
            let scored = Scored {
                bm25,
                id,
                segment: number,
                doc,
            };
            if !is_full {
                self.best.push(Reverse(scored));
            } else if let Some(mut worst) = self.best.peek_mut()
                && scored > worst.0
            {
                *worst = Reverse(scored);
            }
        });
        Ok(())
    }

    /// Best first.
    fn into_sorted(self) -> Vec<Scored> {
        let best = self.best.into_sorted_vec();
        best.into_iter().map(|scored| scored.0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compared with comparing every word with every other.
    #[test]
    fn words_inside_others_are_left_out() {
        let text = "Dog dog-house dog house 2023-08";
        let mut n_left_out = 0;
        let mut state = 1_u32;
        for _ in 0..2_000 {
            let mut spans = Vec::new();
            for _ in 0..state % 9 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let from = (state >> 8) as usize % text.len();
                let to = from + 1 + (state >> 16) as usize % (text.len() - from);
                spans.push((from, to));
            }
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let clauses: Vec<Clause> = spans
                .iter()
                .map(|&(from, to)| Clause {
                    alternatives: Vec::new(),
                    from,
                    to,
                })
                .collect();
            let is_whole = |&&(from, to): &&(usize, usize)| {
                let contains =
                    |&(a, b): &(usize, usize)| a <= from && to <= b && (a, b) != (from, to);
                !spans.iter().any(contains)
            };
            let mut expected: Vec<&str> = Vec::new();
            for &(from, to) in spans.iter().filter(is_whole) {
                let word = &text[from..to];
                if !expected
                    .iter()
                    .any(|other| other.to_lowercase() == word.to_lowercase())
                {
                    expected.push(word);
                }
            }
            n_left_out += spans.len() - expected.len();
            assert_eq!(
                whole_words(&clauses.iter().collect::<Vec<_>>(), text),
                expected
            );
        }
        assert!(n_left_out > 1_000, "{n_left_out}");
    }
}
