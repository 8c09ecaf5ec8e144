//! What does the word index hold of an item? Its id, its kind, and its words, stemmed.

use tantivy::schema::{
    FAST, Field, INDEXED, IndexRecordOption, NumericOptions, Schema, TextFieldIndexing, TextOptions,
};
use tantivy::tokenizer::{AsciiFoldingFilter, Language, LowerCaser, Stemmer, TextAnalyzer};
use tantivy::{Index, Term};

use super::split::Splitter;

/// The name of the analyzer in the stored schema. A change of its rules needs a new name: an index with another
/// schema is made anew.
const ANALYZER: &str = "sightline-1";

/// How many kinds of item there are; each has a text field of its own, so that the rarity of a word is counted among
/// items of the same kind.
pub(super) const N_KINDS: usize = 2;

/// The fields of a document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields {
    pub(super) id: Field,
    pub(super) kind: Field,
    pub(super) text: [Field; N_KINDS],
}

/// The name of the column of ids.
pub(super) const ID: &str = "id";

pub(super) fn schema() -> (Schema, Fields) {
    let mut schema = Schema::builder();
    let indexing = TextFieldIndexing::default()
        .set_tokenizer(ANALYZER)
        .set_index_option(IndexRecordOption::WithFreqs)
        .set_fieldnorms(true);
    let text = TextOptions::default().set_indexing_options(indexing);
    let number = NumericOptions::default() | INDEXED;
    let fields = Fields {
        id: schema.add_u64_field(ID, number.clone() | FAST),
        kind: schema.add_u64_field("kind", number),
        text: [
            schema.add_text_field("image", text.clone()),
            schema.add_text_field("caption", text),
        ],
    };
    (schema.build(), fields)
}

/// Split, lowercase, fold accents, stem as English.
pub(super) fn analyzer() -> TextAnalyzer {
    TextAnalyzer::builder(Splitter)
        .filter(LowerCaser)
        .filter(AsciiFoldingFilter)
        .filter(Stemmer::new(Language::English))
        .build()
}

pub(super) fn register(index: &Index) {
    index.tokenizers().register(ANALYZER, analyzer());
}

impl Fields {
    pub(super) fn id_term(&self, id: u32) -> Term {
        Term::from_field_u64(self.id, u64::from(id))
    }

    pub(super) fn kind_term(&self, kind: usize) -> Term {
        Term::from_field_u64(self.kind, kind as u64)
    }
}
