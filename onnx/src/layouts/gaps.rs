//! Collects what the files of a model leave open, so that one error lists all of it.

use std::fmt::Display;
use std::path::Path;

use super::manifest::Hints;
use crate::error::ModelError;
use crate::file::interface::{Interface, Port};
use crate::head::Pool;

/// Usual names of outputs with a vector for each token or patch, which are to be pooled.
const HIDDEN_OUTPUTS: &[&str] = &["last_hidden_state", "token_embeddings"];

/// Collects the keys that have no value, so that they are reported together.
pub(super) struct Gaps<'a> {
    folder: &'a Path,
    keys: Vec<String>,
    whys: Vec<String>,
}

impl<'a> Gaps<'a> {
    pub(super) fn new(folder: &'a Path) -> Self {
        Self {
            folder,
            keys: Vec::new(),
            whys: Vec::new(),
        }
    }

    pub(super) fn require<T>(
        &mut self,
        key: impl Into<String>,
        value: Option<T>,
        hints: &Hints,
    ) -> Option<T> {
        if value.is_none() {
            self.add(key, hints.why.clone());
        }
        value
    }

    /// The output that is the embedding or is pooled to it. `keys` are those of the output and of
    /// its pooling, `width` the length of its last dimension.
    pub(super) fn output(
        &mut self,
        keys: (String, String),
        given: Option<String>,
        (pool, width): (Option<Pool>, Option<usize>),
        graph: Option<&Interface>,
        (hints, usual): (&Hints, &[&str]),
    ) -> Result<Option<String>, ModelError> {
        let Some(graph) = graph else {
            return Ok(self.require(keys.0, given, hints));
        };
        let hidden: &[&str] = if pool.is_some() { HIDDEN_OUTPUTS } else { &[] };
        let candidates = [hints.outputs, usual, hidden];
        let found = match given {
            Some(name) => Ok(name),
            None => output(graph, &candidates, pool, width),
        };
        let of_any_width = || output(graph, &candidates, pool, None);
        let name = match found.map_err(|why| (why, of_any_width())) {
            Ok(name) => name,
            Err((_, Ok(name))) if hints.place.is_some() => {
                return Err(other_dimension(hints, "output", name));
            }
            Err((_, Ok(_))) => {
                let reason = "this tower's embeddings have another number of values: its other \
                              tower belongs to another model";
                let width = width.unwrap_or_default();
                return Err(ModelError::invalid(&hints.file, "dimension", width, reason));
            }
            Err((why, Err(_))) => {
                // Where every token has a vector of its own and nothing else is returned, the way
                // of pooling is what is missing.
                let is_hidden = |port: &Port| port.rank() == Some(3);
                let has_hidden = graph.outputs.iter().any(is_hidden);
                let has_rows = graph.outputs.iter().any(|port| port.rank() == Some(2));
                let is_open = pool.is_none() && has_hidden && !has_rows;
                let key = if is_open { keys.1 } else { keys.0 };
                self.add(key, Some(why));
                return Ok(None);
            }
        };
        match (graph.output(&name).and_then(Port::rank), pool) {
            (Some(3), None) => {
                let why = format!("the output {name} has a vector for each token or patch");
                self.add(keys.1, Some(why));
                Ok(None)
            }
            (Some(2), Some(pool)) => {
                let reason = "the graph's output is pooled already";
                Err(ModelError::invalid(
                    &hints.file,
                    keys.1,
                    format!("{pool:?}"),
                    reason,
                ))
            }
            _ => Ok(Some(name)),
        }
    }

    pub(super) fn add(&mut self, key: impl Into<String>, why: Option<String>) {
        self.keys.push(key.into());
        self.whys.extend(why.filter(|why| !self.whys.contains(why)));
    }

    /// How many keys have no value so far.
    pub(super) fn n(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn into_error(self) -> ModelError {
        ModelError::Unknown {
            folder: self.folder.to_path_buf(),
            keys: self.keys,
            why: self.whys.join("; "),
        }
    }
}

/// A text tower besides the first whose embeddings are not comparable with the others, as this key
/// of its table shows.
pub(super) fn other_dimension(hints: &Hints, key: &str, value: impl Display) -> ModelError {
    let reason = "its embeddings have another number of values than the other towers'";
    ModelError::invalid(&hints.file, hints.text_key(key), value, reason)
}

/// The output that is the embedding, or that is pooled to it: one of the candidate names, else the
/// only output of shape `[batch, width]`, or `[batch, n_tokens, width]` to be pooled. The error
/// says why there is none.
fn output(
    graph: &Interface,
    candidates: &[&[&str]],
    pool: Option<Pool>,
    width: Option<usize>,
) -> Result<String, String> {
    let wanted = if pool.is_some() { 3 } else { 2 };
    let fits = |port: &Port| {
        let length = port.fixed(wanted - 1);
        port.is_float()
            && port.rank().is_none_or(|rank| rank == wanted)
            && (length.is_none() || width.is_none() || length == width)
    };
    let named = candidates.iter().copied().flatten();
    let mut named = named.filter_map(|name| graph.output(name));
    if let Some(port) = named.find(|port| fits(port)) {
        return Ok(port.name.clone());
    }
    // Taken before the projection, or of both towers together: of the right shape only by chance.
    let is_other = |port: &Port| port.name == "pooler_output" || port.name.starts_with("logits");
    let mut others = graph
        .outputs
        .iter()
        .filter(|port| port.rank() == Some(wanted) && fits(port) && !is_other(port));
    if let (Some(port), None) = (others.next(), others.next()) {
        return Ok(port.name.clone());
    }
    let shown = |port: &Port| {
        let length = port
            .rank()
            .and_then(|rank| port.fixed(rank.checked_sub(1)?));
        match (length, width) {
            (Some(length), Some(width)) if length != width => {
                format!("{} ({length} values, not {width})", port.name)
            }
            _ => port.name.clone(),
        }
    };
    let all: Vec<String> = graph.outputs.iter().map(shown).collect();
    Err(format!("the graph's outputs are {}", all.join(", ")))
}
