//! Texts that were encoded lately. The turns of a refined search, and the pages of one list of
//! hits, ask with the same texts.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sightline_index::UnitVector;

use crate::engine::encoder::LanguageHint;
use crate::engine::error::EngineError;

/// The number of texts that are remembered.
const MAX_TEXTS: usize = 64;

/// The vectors of texts, the oldest first.
#[derive(Default)]
pub(in crate::engine) struct KnownTexts(Mutex<VecDeque<KnownText>>);

struct KnownText {
    text: String,
    hint: LanguageHint,
    vector: UnitVector,
}

impl KnownTexts {
    /// The vector of a text, encoded if it is not known.
    pub(super) fn vector(
        &self,
        text: &str,
        hint: LanguageHint,
        encode: impl FnOnce() -> Result<UnitVector, EngineError>,
    ) -> Result<UnitVector, EngineError> {
        let is_it = |known: &KnownText| known.text == text && known.hint == hint;
        let known = self
            .texts()
            .iter()
            .find(|known| is_it(known))
            .map(|known| known.vector.clone());
        if let Some(vector) = known {
            return Ok(vector);
        }
        // Other queries do not wait for the encoder.
        let vector = encode()?;
        let mut texts = self.texts();
        if !texts.iter().any(is_it) {
            if texts.len() == MAX_TEXTS {
                texts.pop_front();
            }
            texts.push_back(KnownText {
                text: text.to_owned(),
                hint,
                vector: vector.clone(),
            });
        }
        Ok(vector)
    }

    fn texts(&self) -> MutexGuard<'_, VecDeque<KnownText>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
