//! The terms of a word of a query.

/// Alternatives, of which an item must match one.
pub(super) type Terms = Vec<Alternative<String>>;

/// A way in which an item can contain a word.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Alternative<T> {
    /// Terms that it must all contain.
    pub(super) all: Vec<T>,
    /// Terms of which it must contain none.
    pub(super) none: Vec<T>,
}

impl<T> Alternative<T> {
    pub(super) fn all(all: Vec<T>) -> Self {
        let none = Vec::new();
        Self { all, none }
    }
}

/// Spellings, of which an item must contain one.
pub(super) fn any(terms: Vec<String>) -> Terms {
    let one = |term| Alternative::all(vec![term]);
    terms.into_iter().map(one).collect()
}
