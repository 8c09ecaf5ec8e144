//! The schema of the word index: the id of an item, its kind, and its stemmed words.

use tantivy::schema::{
    FAST, Field, INDEXED, IndexRecordOption, NumericOptions, Schema, TextFieldIndexing, TextOptions,
};
use tantivy::tokenizer::{TextAnalyzer, TokenizerManager};
use tantivy::{TantivyDocument, Term};

use super::chain::Chain;
use crate::language::Language;

/// The name of the analyzer in the stored schema, followed by the code of the language. Change it
/// with the rules of the chain: an index with another schema is rebuilt, and so is one of another
/// language.
const ANALYZER: &str = "sightline-2";

/// The number of kinds of items. Each kind has its own text field, so that document frequencies are
/// counted among items of the same kind.
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

fn analyzer_name(language: Language) -> String {
    format!("{ANALYZER}-{language}")
}

pub(super) fn schema(language: Language) -> (Schema, Fields) {
    let mut schema = Schema::builder();
    let indexing = TextFieldIndexing::default()
        .set_tokenizer(&analyzer_name(language))
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

/// The analyzers of the fields.
pub(super) fn tokenizers(language: Language) -> TokenizerManager {
    let analyzer = TextAnalyzer::builder(Chain::new(language)).build();
    let tokenizers = TokenizerManager::default();
    tokenizers.register(&analyzer_name(language), analyzer);
    tokenizers
}

/// The searchable text of an item.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    /// The number of the item's kind, from 0.
    pub(crate) kind: usize,
    pub(crate) id: u32,
    pub(crate) text: String,
}

impl Fields {
    pub(super) fn tantivy_document(&self, document: &Document) -> TantivyDocument {
        let mut out = TantivyDocument::new();
        out.add_u64(self.id, u64::from(document.id));
        out.add_u64(self.kind, document.kind as u64);
        let text = self.text[document.kind.min(N_KINDS - 1)];
        out.add_text(text, &document.text);
        out
    }

    pub(super) fn id_term(&self, id: u32) -> Term {
        Term::from_field_u64(self.id, u64::from(id))
    }

    pub(super) fn kind_term(&self, kind: usize) -> Term {
        Term::from_field_u64(self.kind, kind as u64)
    }
}
