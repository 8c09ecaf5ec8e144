//! The collection as a whole, and why a picture matches: `/v1/tags`, `/v1/facets`, `/v1/map`,
//! `/v1/duplicates` and `/v1/explain`

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::json::json;
use crate::answers::{DuplicatesAnswer, ExplainAnswer, FacetsAnswer, MapAnswer, TagsAnswer};
use crate::engine::{self, DuplicatesRequest, Engine, ExplainRequest, ExplainedPicture, Progress};
use crate::web::extract::Parameters;
use crate::web::locking::lock;
use crate::web::problem::Problem;
use crate::web::state::{App, Work};

/// The longest time for what goes on until all is compared.
const MAX_TIME: Duration = Duration::from_mins(4);

/// Longest side of a heat map, in pixels.
const SIDE: u32 = 1000;

/// Goes on until it took too long.
fn until_late() -> impl FnMut(&Progress) -> ControlFlow<()> {
    let began = Instant::now();
    move |_| {
        if began.elapsed() < MAX_TIME {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    }
}

/// The tags and keywords of the images, with how many have each.
#[utoipa::path(get, path = "/v1/tags",
    responses((status = 200, description = "The tags", body = TagsAnswer)))]
pub(in crate::web) async fn tags(State(app): State<App>) -> Result<Response, Problem> {
    app.call(Work::Short, |served| {
        json(&TagsAnswer::from(&served.engine.facets()?))
    })
    .await
}

/// What a search can be restricted to, with how many images have each value.
#[utoipa::path(get, path = "/v1/facets",
    responses((status = 200, description = "The values", body = FacetsAnswer)))]
pub(in crate::web) async fn facets(State(app): State<App>) -> Result<Response, Problem> {
    app.call(Work::Short, |served| {
        json(&FacetsAnswer::from(&served.engine.facets()?))
    })
    .await
}

/// Each image as a point on a plane: id, x and y, −1…1. Similar pictures are near each other.
#[utoipa::path(get, path = "/v1/map",
    responses((status = 200, description = "The points", body = MapAnswer)))]
pub(in crate::web) async fn map(State(app): State<App>) -> Result<Response, Problem> {
    app.call(Work::Long, |served| {
        let (view, generation) = (served.engine.view_id()?, served.engine.generation()?);
        let known = lock(&served.map).clone();
        let known = known.filter(|(known, _)| *known == view);
        let body = if let Some((_, body)) = known {
            body
        } else {
            let points = served.engine.map()?;
            let answer = MapAnswer::from((generation, &points[..]));
            let body = serde_json::to_vec(&answer);
            let body = body.map_err(|error| Problem::internal(error.to_string()))?;
            let body: Arc<[u8]> = body.into();
            *lock(&served.map) = Some((view, Arc::clone(&body)));
            body
        };
        let kind = [(header::CONTENT_TYPE, "application/json")];
        Ok((kind, body.to_vec()).into_response())
    })
    .await
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct DuplicatesParameters {
    /// A folder of the index; only groups with a file in it or below it.
    #[param(value_type = Option<String>)]
    folder: Option<PathBuf>,
    /// Whether only files with the same content count.
    #[serde(default)]
    #[param(required = false)]
    exact_only: bool,
}

/// Groups of files that show the same picture, each with the file to keep. Nothing is deleted.
#[utoipa::path(get, path = "/v1/duplicates", params(DuplicatesParameters),
    responses((status = 200, description = "The groups", body = DuplicatesAnswer)))]
pub(in crate::web) async fn duplicates(
    State(app): State<App>,
    Parameters(asked): Parameters<DuplicatesParameters>,
) -> Result<Response, Problem> {
    app.call(Work::Long, move |served| {
        let request = DuplicatesRequest {
            folder: asked.folder,
            exact_only: asked.exact_only,
            ..DuplicatesRequest::default()
        };
        let folder = served.engine.folder();
        let report = Engine::duplicates(folder, &request, &mut until_late())?;
        json(&DuplicatesAnswer::from(&report))
    })
    .await
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct ExplainParameters {
    /// An image of the index.
    id: u32,
    /// The text, taken as it stands.
    q: String,
}

/// Which parts of an image and which words of a text make them match, with the heat map over the
/// picture as PNG in `overlay`. Takes seconds.
#[utoipa::path(get, path = "/v1/explain", params(ExplainParameters),
    responses((status = 200, description = "The explanation", body = ExplainAnswer)))]
pub(in crate::web) async fn explain(
    State(app): State<App>,
    Parameters(asked): Parameters<ExplainParameters>,
) -> Result<Response, Problem> {
    app.call(Work::Long, move |served| {
        let (image, _) = served.picture(asked.id)?;
        let path = served.file_of(&image)?;
        let request = ExplainRequest {
            picture: ExplainedPicture::File(path.clone()),
            text: asked.q,
            language: None,
            overlay: Some(SIDE),
        };
        let explained = served.engine.explain(&request, &mut until_late())?;
        let Some(explanation) = explained else {
            let status = axum::http::StatusCode::GATEWAY_TIMEOUT;
            return Err(Problem::of(status, "comparing the parts took too long"));
        };
        let name = image.paths.first().unwrap_or(&path);
        let mut answer = ExplainAnswer::new(name, &request.text, &explanation);
        if let Some(picture) = &explanation.overlay {
            answer = answer.with_overlay(&engine::png(picture)?);
        }
        json(&answer)
    })
    .await
}
