//! What several requests ask for: a limit, a confidence, an image of the index.

use crate::engine::Part;
use crate::web::problem::Problem;
use crate::web::state::Served;

const USUAL_LIMIT: usize = 50;
const MAX_LIMIT: usize = 1_000;

/// An image of the index as a part of a query.
pub(super) fn item(served: &Served, id: u32) -> Result<Part, Problem> {
    let (image, _) = served.picture(id)?;
    let path = image.paths.into_iter().next();
    path.map(Part::item)
        .ok_or_else(|| Problem::not_found(format!("picture {id} has no file")))
}

/// The number of hits of an answer.
pub(super) fn limit(limit: Option<usize>) -> Result<usize, Problem> {
    let limit = limit.unwrap_or(USUAL_LIMIT);
    if (1..=MAX_LIMIT).contains(&limit) {
        return Ok(limit);
    }
    Err(Problem::bad_request(format!(
        "`limit` is from 1 to {MAX_LIMIT}"
    )))
}

/// The lowest confidence of a hit.
pub(super) fn confidence(least: Option<f32>) -> Result<Option<f32>, Problem> {
    match least {
        Some(least) if !(0.0..=1.0).contains(&least) => {
            Err(Problem::bad_request("`min_confidence` is from 0 to 1"))
        }
        least => Ok(least),
    }
}
