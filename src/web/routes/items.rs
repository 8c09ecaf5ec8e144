//! `/v1/items/{id}`

use axum::extract::State;
use axum::response::Response;

use super::json::json;
use crate::answers::ItemAnswer;
use crate::web::extract::PathId;
use crate::web::problem::Problem;
use crate::web::state::{App, Work};

/// An image of the index: its files, what they say about it, and its captions with their sources.
#[utoipa::path(get, path = "/v1/items/{id}", params(("id" = u32, Path, description = "Its id")),
    responses((status = 200, description = "The image", body = ItemAnswer)))]
pub(in crate::web) async fn item(
    State(app): State<App>,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    app.call(Work::Short, move |served| {
        let (image, captions) = served.picture(id)?;
        let hash = served.thumbnails.hashes.get(&image.content_hash);
        let item = ItemAnswer::from((&image, &captions[..]));
        json(&item.with_thumbhash(hash.as_deref()))
    })
    .await
}
