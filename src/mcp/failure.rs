//! The message to an assistant when a call fails: what is wrong, and what helps.

use std::error::Error;
use std::path::Path;

use crate::engine::{EngineError, IndexError};

/// Why a call failed, in words that an assistant can act on.
#[derive(Debug)]
pub(super) struct Failure {
    what: String,
    advice: Option<&'static str>,
    is_unknown_item: bool,
}

impl Failure {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            advice: None,
            is_unknown_item: false,
        }
    }

    /// No image has this id.
    pub(super) fn unknown_item(id: u32) -> Self {
        Self {
            what: format!(
                "no image has the id {id}: use an `id` of a hit, and search again if the index has \
                 changed since"
            ),
            advice: None,
            is_unknown_item: true,
        }
    }

    pub(super) fn cancelled() -> Self {
        Self::new("the call was cancelled")
    }

    /// What is wrong and what helps. Commands name the index if it is not the default one.
    pub(super) fn message(&self, named_index: Option<&Path>) -> String {
        let Self { what, advice, .. } = self;
        match (advice, named_index) {
            (None, _) => what.clone(),
            (Some(advice), None) => format!("{what}; {advice}"),
            (Some(advice), Some(index)) => {
                let command = format!("`sightline --index \"{}\" ", index.display());
                format!("{what}; {}", advice.replace("`sightline ", &command))
            }
        }
    }

    pub(super) fn is_unknown_item(&self) -> bool {
        self.is_unknown_item
    }
}

impl Failure {
    /// The same with advice, in which commands begin with `sightline` after a backtick.
    pub(super) fn with_advice(self, advice: &'static str) -> Self {
        Self {
            advice: Some(advice),
            ..self
        }
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let advice = advice(&error);
        let mut what = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            what = format!("{what}: {error}");
            cause = error.source();
        }
        Self {
            advice,
            ..Self::new(what)
        }
    }
}

/// What helps. Assistants run no commands here: those are for the person who reads the answer.
fn advice(error: &EngineError) -> Option<&'static str> {
    Some(match error {
        EngineError::Index(IndexError::NoIndex { .. }) => {
            "there are no pictures to search yet: the user makes an index with `sightline index \
             FOLDER`"
        }
        EngineError::Index(IndexError::OtherModel { .. } | IndexError::OtherDimension { .. }) => {
            "the model of the index has changed: the user starts this server again"
        }
        EngineError::Index(error) if error.is_damage() => {
            "the user repairs the index with `sightline check --repair`"
        }
        EngineError::NotIndexed { what: "folder", .. } => {
            "`describe_collection` lists the folders for `in:`"
        }
        EngineError::NotIndexed { .. } => {
            "give the `path` of a hit, or its `id`: only pictures of the index are read"
        }
        EngineError::OnlyNegative => "add what pictures should show before what they should not",
        EngineError::NotCalibrated { .. } | EngineError::ConfidenceByWords => {
            "leave out `min_confidence`"
        }
        EngineError::Runtime(_) => {
            "the user installs ONNX Runtime, as `sightline search` explains; until then only \
             lists and filters work"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_in_advice_name_an_index_that_is_not_the_default_one() {
        let dir = "/a folder".into();
        let failure = Failure::from(EngineError::Index(IndexError::NoIndex { dir }));
        let usual = failure.message(None);
        assert!(usual.contains("with `sightline index FOLDER`"), "{usual}");
        let named = failure.message(Some(Path::new("/a folder")));
        assert!(
            named.contains("`sightline --index \"/a folder\" index FOLDER`"),
            "{named}"
        );
    }
}
