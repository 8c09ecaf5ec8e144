//! Searches items by words. A query is a bag of words without syntax.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashSet};

use tantivy::query::{
    Bm25StatisticsProvider, BooleanQuery, DisjunctionMaxQuery, EnableScoring, Occur, Query,
    TermQuery,
};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocAddress, DocId, DocSet, Score, Searcher, SegmentOrdinal, Term};

use super::chain::{Chain, QueryWord};
use super::schema::{self, Fields};
use super::terms::Alternative;
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
}

/// A word of the query, as terms of the searched field.
struct Clause {
    alternatives: Vec<Alternative<Term>>,
    from: usize,
    to: usize,
}

impl Clause {
    fn query(&self) -> Box<dyn Query> {
        let one = |term: &Term| -> Box<dyn Query> {
            Box::new(TermQuery::new(term.clone(), IndexRecordOption::WithFreqs))
        };
        let all = |alternative: &Alternative<Term>| -> Box<dyn Query> {
            let Alternative { all, none } = alternative;
            if let ([only], []) = (all.as_slice(), none.as_slice()) {
                return one(only);
            }
            let all = all.iter().map(|term| (Occur::Must, one(term)));
            let none = none.iter().map(|term| (Occur::MustNot, one(term)));
            Box::new(BooleanQuery::new(all.chain(none).collect()))
        };
        match self.alternatives.as_slice() {
            [only] => all(only),
            several => Box::new(DisjunctionMaxQuery::new(several.iter().map(all).collect())),
        }
    }
}

/// The best `n` items of a kind among those that `accept` returns true for, highest BM25 first,
/// equal ones by id.
pub(super) fn matching(
    searcher: &Searcher,
    fields: &Fields,
    chain: &Chain,
    (kind, words): (usize, &str),
    n: usize,
    accept: &dyn Fn(u32) -> bool,
) -> tantivy::Result<Vec<Match>> {
    let clauses = clauses_of(chain, fields.text[kind], words);
    if clauses.is_empty() || n == 0 {
        return Ok(Vec::new());
    }
    let statistics = KindStatistics {
        searcher,
        kind: fields.kind_term(kind),
    };
    if statistics.total_num_docs()? == 0 {
        return Ok(Vec::new());
    }
    let parts = clauses.iter().map(|clause| (Occur::Should, clause.query()));
    let query = BooleanQuery::new(parts.collect());
    let scoring = EnableScoring::enabled_from_statistics_provider(&statistics, searcher);
    let best = best_of(searcher, &query, scoring, n, accept)?;
    let matched = matched_words(searcher, &clauses, &best, words)?;
    Ok(best
        .into_iter()
        .zip(matched)
        .map(|(scored, words)| Match {
            id: ItemId(scored.id),
            bm25: scored.bm25,
            words,
        })
        .collect())
}

/// The distinct words of a text, without stop words unless there are no others.
fn clauses_of(chain: &Chain, field: Field, text: &str) -> Vec<Clause> {
    let mut seen = HashSet::new();
    let (mut clauses, mut stop_words) = (Vec::new(), Vec::new());
    let mut n_terms = 0;
    for QueryWord {
        from,
        to,
        is_stop_word,
        terms,
    } in chain.query_words(text)
    {
        if terms.iter().all(|terms| terms.all.is_empty()) || !seen.insert(terms.clone()) {
            continue;
        }
        let n_of = |terms: &Alternative<String>| terms.all.len() + terms.none.len();
        n_terms += terms.iter().map(n_of).sum::<usize>();
        if n_terms > MAX_TERMS {
            break;
        }
        let in_field = |terms: Vec<String>| -> Vec<Term> {
            let terms = terms.iter();
            terms
                .map(|term| Term::from_field_text(field, term))
                .collect()
        };
        let found = Clause {
            alternatives: terms
                .into_iter()
                .map(|terms| Alternative {
                    all: in_field(terms.all),
                    none: in_field(terms.none),
                })
                .collect(),
            from,
            to,
        };
        if is_stop_word {
            stop_words.push(found);
        } else {
            clauses.push(found);
        }
    }
    if clauses.is_empty() {
        stop_words
    } else {
        clauses
    }
}

/// Statistics over items of one kind, so that BM25 does not depend on the other kind.
struct KindStatistics<'a> {
    searcher: &'a Searcher,
    kind: Term,
}

impl Bm25StatisticsProvider for KindStatistics<'_> {
    fn total_num_tokens(&self, field: Field) -> tantivy::Result<u64> {
        self.searcher.total_num_tokens(field)
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        self.searcher.doc_freq(&self.kind)
    }

    fn doc_freq(&self, term: &Term) -> tantivy::Result<u64> {
        self.searcher.doc_freq(term)
    }
}

/// For each of `best`, the words of the query that it contains, as typed, in query order.
fn matched_words(
    searcher: &Searcher,
    clauses: &[Clause],
    best: &[Scored],
    text: &str,
) -> tantivy::Result<Vec<Vec<String>>> {
    let mut by_segment: BTreeMap<SegmentOrdinal, Vec<(DocId, usize)>> = BTreeMap::new();
    for (rank, scored) in best.iter().enumerate() {
        by_segment
            .entry(scored.address.segment_ord)
            .or_default()
            .push((scored.address.doc_id, rank));
    }
    let mut matched: Vec<Vec<&Clause>> = best.iter().map(|_| Vec::new()).collect();
    for (segment, mut docs) in by_segment {
        docs.sort_unstable();
        let reader = searcher.segment_reader(segment);
        for (clause, Alternative { all, none }) in with_alternatives(clauses) {
            let mut n_found = vec![0; docs.len()];
            let mut is_excluded = vec![false; docs.len()];
            let needed = all.iter().map(|term| (term, true));
            for (term, is_needed) in needed.chain(none.iter().map(|term| (term, false))) {
                let inverted = reader.inverted_index(term.field())?;
                let Some(mut postings) = inverted.read_postings(term, IndexRecordOption::Basic)?
                else {
                    continue;
                };
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
    Ok(matched
        .into_iter()
        .map(|clauses| whole_words(&clauses, text))
        .collect())
}

/// Each clause with each of its alternatives.
fn with_alternatives(clauses: &[Clause]) -> impl Iterator<Item = (&Clause, &Alternative<Term>)> {
    clauses.iter().flat_map(|clause| {
        let alternatives = clause.alternatives.iter();
        alternatives.map(move |terms| (clause, terms))
    })
}

/// Leaves out parts of words that matched as a whole, and words that differ only in case.
fn whole_words(clauses: &[&Clause], text: &str) -> Vec<String> {
    let inside = |part: &Clause| {
        clauses.iter().any(|whole| {
            whole.from <= part.from
                && part.to <= whole.to
                && (whole.from, whole.to) != (part.from, part.to)
        })
    };
    let mut words: Vec<String> = Vec::new();
    for part in clauses.iter().filter(|part| !inside(part)) {
        let word = text.get(part.from..part.to).unwrap_or("");
        if !words
            .iter()
            .any(|other| other.to_lowercase() == word.to_lowercase())
        {
            words.push(word.to_owned());
        }
    }
    words
}

/// An item with its BM25.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Scored {
    bm25: Score,
    id: u32,
    address: DocAddress,
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

/// The best `n`, best first. Ties are broken by id, not by position in the word index, so that a
/// rebuild does not change the answer.
fn best_of(
    searcher: &Searcher,
    query: &dyn Query,
    scoring: EnableScoring<'_>,
    n: usize,
    accept: &dyn Fn(u32) -> bool,
) -> tantivy::Result<Vec<Scored>> {
    let weight = query.weight(scoring)?;
    let mut heap: BinaryHeap<Reverse<Scored>> = BinaryHeap::new();
    for (segment, reader) in (0..).zip(searcher.segment_readers()) {
        let ids = reader.fast_fields().u64(schema::ID)?;
        let alive = reader.alive_bitset();
        weight.for_each(reader, &mut |doc, bm25| {
            if alive.is_some_and(|alive| !alive.is_alive(doc)) {
                return;
            }
            let id = ids.first(doc).and_then(|id| u32::try_from(id).ok());
            let Some(id) = id.filter(|&id| accept(id)) else {
                return;
            };
            let scored = Scored {
                bm25,
                id,
                address: DocAddress::new(segment, doc),
            };
            if heap.len() < n {
                heap.push(Reverse(scored));
            } else if let Some(mut worst) = heap.peek_mut()
                && scored > worst.0
            {
                *worst = Reverse(scored);
            }
        })?;
    }
    let best = heap.into_sorted_vec();
    Ok(best.into_iter().map(|scored| scored.0).collect())
}
