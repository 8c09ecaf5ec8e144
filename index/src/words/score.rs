//! Scores the documents of a segment: the sum over the words of a query, in the order of the query,
//! of the best of each word's alternatives.
//!
//! tantivy adds the words of a document in an order that depends on the segment. Sums of floats
//! depend on their order, so the same document could have different scores in different segments.

use tantivy::fieldnorm::FieldNormReader;
use tantivy::postings::{Postings, SegmentPostings};
use tantivy::query::Bm25Weight;
use tantivy::{DocId, DocSet, Score, TERMINATED};

use super::terms::Alternative;

/// Number of documents that are scored at once.
const WINDOW: u32 = 4_096;

/// The documents with a term, and what the term is worth in each.
pub(super) struct ScoredTerm {
    pub(super) postings: SegmentPostings,
    pub(super) weight: Bm25Weight,
}

/// The alternatives of a word that a segment has all necessary terms of.
pub(super) type ScoredWord = Vec<Alternative<ScoredTerm>>;

impl ScoredTerm {
    /// Visits the documents before `end`.
    fn advance_to(&mut self, end: DocId, visit: &mut impl FnMut(DocId, u32, &Bm25Weight)) {
        let mut doc = self.postings.doc();
        while doc < end {
            visit(doc, self.postings.term_freq(), &self.weight);
            doc = self.postings.advance();
        }
    }
}

/// Visits all documents with any of the words and their scores, in order.
pub(super) fn for_each(
    mut words: Vec<ScoredWord>,
    lengths: &FieldNormReader,
    visit: &mut dyn FnMut(DocId, Score),
) {
    let mut window = Window::default();
    while let Some(first) = first_document(&words) {
        window.start = first - first % WINDOW;
        for word in &mut words {
            match word.as_mut_slice() {
                [Alternative { all, none }] if all.len() == 1 && none.is_empty() => {
                    window.add_term(&mut all[0], lengths);
                }
                alternatives => window.add_best(alternatives, lengths),
            }
        }
        window.drain(visit);
    }
}

/// The first document that is not visited yet.
fn first_document(words: &[ScoredWord]) -> Option<DocId> {
    let terms = words
        .iter()
        .flatten()
        .flat_map(|alternative| &alternative.all);
    let docs = terms.map(|term| term.postings.doc());
    docs.filter(|&doc| doc != TERMINATED).min()
}

/// The scores of a range of documents.
struct Window {
    start: DocId,
    /// By the place in the window. Scores are above 0; 0 stands for no match.
    scores: Vec<Score>,
    /// Of the word that is being added: the best alternative.
    best: Vec<Score>,
    /// Of the alternative that is being added: the sum of its terms, and how many were found.
    sums: Vec<Score>,
    n_found: Vec<u16>,
}

impl Default for Window {
    fn default() -> Self {
        let n = WINDOW as usize;
        Self {
            start: 0,
            scores: vec![0.0; n],
            best: vec![0.0; n],
            sums: vec![0.0; n],
            n_found: vec![0; n],
        }
    }
}

impl Window {
    fn end(&self) -> DocId {
        // No document has a number near the maximum.
        self.start.saturating_add(WINDOW).min(TERMINATED)
    }

    fn add_term(&mut self, term: &mut ScoredTerm, lengths: &FieldNormReader) {
        let (start, end) = (self.start, self.end());
        term.advance_to(end, &mut |doc, n, weight| {
            let score = weight.score(lengths.fieldnorm_id(doc), n);
            self.scores[(doc - start) as usize] += score;
        });
    }

    fn add_best(&mut self, word: &mut [Alternative<ScoredTerm>], lengths: &FieldNormReader) {
        let mut touched: Vec<usize> = Vec::new();
        for Alternative { all, none } in word {
            let (start, end) = (self.start, self.end());
            let n_all = u16::try_from(all.len()).unwrap_or(u16::MAX);
            let mut candidates = Vec::new();
            for (term, n_before) in all.iter_mut().zip(0_u16..) {
                term.advance_to(end, &mut |doc, n, weight| {
                    let at = (doc - start) as usize;
                    if self.n_found[at] != n_before {
                        return;
                    }
                    if n_before == 0 {
                        candidates.push(at);
                        self.sums[at] = 0.0;
                    }
                    self.n_found[at] += 1;
                    self.sums[at] += weight.score(lengths.fieldnorm_id(doc), n);
                });
            }
            for term in none {
                if term.postings.doc() < start {
                    term.postings.seek(start);
                }
                term.advance_to(end, &mut |doc, _, _| {
                    self.n_found[(doc - start) as usize] = 0;
                });
            }
            for at in candidates {
                if self.n_found[at] == n_all {
                    if self.best[at] == 0.0 {
                        touched.push(at);
                    }
                    self.best[at] = self.best[at].max(self.sums[at]);
                }
                self.n_found[at] = 0;
            }
        }
        for at in touched {
            self.scores[at] += std::mem::take(&mut self.best[at]);
        }
    }

    /// Visits the documents with a score, and forgets them.
    fn drain(&mut self, visit: &mut dyn FnMut(DocId, Score)) {
        for (doc, score) in (self.start..).zip(&mut self.scores) {
            if *score > 0.0 {
                visit(doc, std::mem::take(score));
            }
        }
    }
}
