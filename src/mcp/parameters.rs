//! What assistants call the tools with. The documentation of each field is sent to them.

use rmcp::schemars::{self, JsonSchema};
use serde::Deserialize;

use super::failure::Failure;

/// The most hits that one call answers with: more would fill the context of an assistant.
const MAX_HITS: u32 = 100;

/// The longest sides of a picture that is sent, in pixels.
const SIDES: [u32; 2] = [64, 1600];

/// The most values of a facet that one call answers with.
const MAX_VALUES: u32 = 200;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchImages {
    /// What the photos show, with filters anywhere in it: `a brown dog on a beach after:2022
    /// -in:Screenshots`. Empty: all photos, the newest first.
    pub(super) query: String,
    /// The most hits to answer with.
    #[serde(default = "usual_hits")]
    #[schemars(range(min = 1, max = 100))]
    limit: u32,
    /// Leave out hits of which less is likely, 0 to 1. Fair matches begin at 0.27, strong ones at
    /// 0.73. Without it, all are ranked and the last ones are usually wrong.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    min_confidence: Option<f32>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FindCaptions {
    /// The `id` of a photo, from a hit. Give this or `path`.
    #[serde(default)]
    pub(super) id: Option<u32>,
    /// The absolute path of a photo of the index, such as the `path` of a hit. Other files are not
    /// read.
    #[serde(default)]
    pub(super) path: Option<String>,
    /// The most captions to answer with.
    #[serde(default = "usual_hits")]
    #[schemars(range(min = 1, max = 100))]
    limit: u32,
    /// Leave out captions of which less is likely, 0 to 1.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    min_confidence: Option<f32>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FindSimilar {
    /// The `id` of a photo, from a hit.
    pub(super) id: u32,
    /// The most hits to answer with.
    #[serde(default = "usual_hits")]
    #[schemars(range(min = 1, max = 100))]
    limit: u32,
    /// Leave out hits of which less is likely, 0 to 1.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    min_confidence: Option<f32>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DescribeCollection {
    /// The most cameras, folders, places, tags and types of each to answer with, those with the
    /// most photos first.
    #[serde(default = "usual_values")]
    #[schemars(range(min = 1, max = 200))]
    top: u32,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GetImage {
    /// The `id` of a photo, from a hit.
    pub(super) id: u32,
    /// The longer side of the copy in pixels. 800 shows what is in a photo; use more to read small
    /// text in it.
    #[serde(default = "usual_side")]
    #[schemars(range(min = 64, max = 1600))]
    max_side: u32,
}

/// A tool without parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

fn usual_hits() -> u32 {
    10
}

fn usual_values() -> u32 {
    20
}

fn usual_side() -> u32 {
    USUAL_SIDE
}

/// The longer side of a picture unless another one is asked for, in pixels.
pub(super) const USUAL_SIDE: u32 = 800;

/// How many hits are asked for, and the least confidence of each.
pub(super) struct Bounds {
    pub(super) n: usize,
    pub(super) min_confidence: Option<f32>,
}

impl Bounds {
    fn new(limit: u32, min_confidence: Option<f32>) -> Result<Self, Failure> {
        let n = number("limit", limit, [1, MAX_HITS])?;
        if min_confidence.is_some_and(|least| !(0.0..=1.0).contains(&least)) {
            return Err(Failure::new("`min_confidence` is a number from 0 to 1"));
        }
        Ok(Self {
            n: n as usize,
            min_confidence,
        })
    }
}

impl SearchImages {
    pub(super) fn bounds(&self) -> Result<Bounds, Failure> {
        Bounds::new(self.limit, self.min_confidence)
    }
}

impl FindCaptions {
    pub(super) fn bounds(&self) -> Result<Bounds, Failure> {
        Bounds::new(self.limit, self.min_confidence)
    }
}

impl FindSimilar {
    pub(super) fn bounds(&self) -> Result<Bounds, Failure> {
        Bounds::new(self.limit, self.min_confidence)
    }
}

impl DescribeCollection {
    pub(super) fn top(&self) -> Result<usize, Failure> {
        Ok(number("top", self.top, [1, MAX_VALUES])? as usize)
    }
}

impl GetImage {
    pub(super) fn side(&self) -> Result<u32, Failure> {
        number("max_side", self.max_side, SIDES)
    }
}

fn number(name: &str, given: u32, [least, most]: [u32; 2]) -> Result<u32, Failure> {
    if (least..=most).contains(&given) {
        Ok(given)
    } else {
        let message = format!("`{name}` is a number from {least} to {most}");
        Err(Failure::new(message))
    }
}
