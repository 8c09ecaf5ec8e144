//! Keys of foreign configuration files that are not read.
//!
//! Such a key may ask for a step that this program does not take, and the vectors would be wrong in
//! silence. So each key of a file is read, or listed as one that changes no vector, or refused.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::error::ModelError;

/// What a file says beyond the keys that are read.
pub(super) type Others = BTreeMap<String, Value>;

/// Refuses keys of a file.
pub(super) struct Guard<'a> {
    file: &'a Path,
    /// Keys that the manifest declares to change nothing.
    ignored: &'a [String],
}

impl<'a> Guard<'a> {
    pub(super) fn new(file: &'a Path, ignored: &'a [String]) -> Self {
        Self { file, ignored }
    }

    /// Refuses keys that are not `harmless`. A key whose value is `null` or empty is not set.
    /// `section` is the dotted path to the keys, empty at the top of the file.
    pub(super) fn check(
        &self,
        section: &str,
        others: &Others,
        harmless: &[&str],
    ) -> Result<(), ModelError> {
        let is_set = |value: &Value| match value {
            Value::Null => false,
            Value::Array(list) => !list.is_empty(),
            Value::Object(map) => !map.is_empty(),
            _ => true,
        };
        let unknown = others.iter().filter(|(key, value)| {
            is_set(value) && !harmless.contains(&key.as_str()) && !self.is_ignored(key)
        });
        let keys: Vec<(String, String)> = unknown
            .map(|(key, value)| match section {
                "" => (key.clone(), value.to_string()),
                section => (format!("{section}.{key}"), value.to_string()),
            })
            .collect();
        if keys.is_empty() {
            return Ok(());
        }
        Err(ModelError::UnknownKeys {
            file: self.file.to_path_buf(),
            keys,
        })
    }

    /// Refuses a key whose value asks for something that is not supported. `reason` may be empty.
    pub(super) fn refuse(
        &self,
        key: &str,
        value: impl std::fmt::Display,
        reason: &'static str,
    ) -> Result<(), ModelError> {
        if self.is_ignored(key.rsplit('.').next().unwrap_or(key)) {
            return Ok(());
        }
        Err(ModelError::Unsupported {
            file: self.file.to_path_buf(),
            key: key.to_owned(),
            value: value.to_string(),
            reason,
        })
    }

    fn is_ignored(&self, key: &str) -> bool {
        self.ignored.iter().any(|ignored| ignored == key)
    }
}
