//! The server itself: `/v1/session`, `/healthz`, `/readyz`, `/metrics` and `/version`

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::json::json;
use crate::engine::Engine;
use crate::web::extract::JsonBody;
use crate::web::guard::COOKIE;
use crate::web::problem::Problem;
use crate::web::state::{App, Work};

/// The token that the server printed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct SessionBody {
    token: String,
}

/// Keeps the token in a cookie of the browser, so that pictures of the page are sent with it.
#[utoipa::path(post, path = "/v1/session", request_body = SessionBody,
    responses((status = 204, description = "The token is right, or none is needed")))]
pub(in crate::web) async fn session(
    State(app): State<App>,
    JsonBody(body): JsonBody<SessionBody>,
) -> Result<Response, Problem> {
    let Some(token) = &app.guard.token else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    if !token.is(&body.token) {
        return Err(Problem::unauthorized());
    }
    let cookie = format!(
        "{COOKIE}={}; HttpOnly; SameSite=Strict; Path=/",
        token.text()
    );
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

/// That the server answers.
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct HealthAnswer {
    /// `ok`.
    status: &'static str,
}

/// Whether the server answers.
#[utoipa::path(get, path = "/healthz",
    responses((status = 200, description = "It does", body = HealthAnswer)))]
pub(in crate::web) async fn health() -> Result<Response, Problem> {
    json(&HealthAnswer { status: "ok" })
}

/// Whether the index can be searched.
#[utoipa::path(get, path = "/readyz",
    responses((status = 200, description = "It can", body = HealthAnswer)))]
pub(in crate::web) async fn ready(State(app): State<App>) -> Result<Response, Problem> {
    app.call(Work::Short, |served| {
        served.engine.generation()?;
        json(&HealthAnswer { status: "ok" })
    })
    .await
}

/// Figures about requests and the index, in the text format of Prometheus.
#[utoipa::path(get, path = "/metrics",
    responses((status = 200, description = "The figures", content_type = "text/plain",
        body = String)))]
pub(in crate::web) async fn metrics(State(app): State<App>) -> Result<Response, Problem> {
    app.call(Work::Short, |served| {
        let status = Engine::status(served.engine.folder());
        let (n_images, generation) =
            status.map_or((0, 0), |status| (status.n_images, status.generation));
        let text = served.metrics.text(n_images, generation);
        let text = text.map_err(|error| Problem::internal(error.to_string()))?;
        let kind = [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )];
        Ok((kind, text).into_response())
    })
    .await
}

/// Which program this is.
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct VersionAnswer {
    /// `sightline`.
    name: &'static str,
    /// Its version.
    version: &'static str,
    /// The version of the paths: `v1`.
    api: &'static str,
}

/// Which program answers.
#[utoipa::path(get, path = "/version",
    responses((status = 200, description = "Its name and version", body = VersionAnswer)))]
pub(in crate::web) async fn version() -> Result<Response, Problem> {
    json(&VersionAnswer {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        api: "v1",
    })
}
