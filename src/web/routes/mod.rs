//! The routes, and the document that describes them (`OpenAPI`).

mod asked;
mod captions;
mod collection;
mod export;
mod files;
mod indexing;
mod items;
mod json;
mod search;
mod server;

use std::collections::HashSet;

use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::{any_service, get};
use axum::{Router, middleware};
use serde_json::Value;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::guard;
use super::layers;
use super::page;
use super::problem::Problem;
use super::state::App;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Sightline",
        description = "Finds pictures with words and words with pictures, on this machine. \
                       Failures are problem details (RFC 9457) whose `type` stays."
    ),
    components(schemas(Problem))
)]
struct Document;

/// All routes, behind the guard.
pub(super) fn router(app: App) -> Router {
    let (api, document) = OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(search::search, search::search_with))
        .routes(routes!(search::similar))
        .routes(routes!(captions::of_item, captions::of_picture))
        .routes(routes!(items::item))
        .routes(routes!(files::thumbnail))
        .routes(routes!(files::file))
        .routes(routes!(collection::explain))
        .routes(routes!(collection::duplicates))
        .routes(routes!(collection::tags))
        .routes(routes!(collection::facets))
        .routes(routes!(collection::map))
        .routes(routes!(indexing::status))
        .routes(routes!(indexing::models))
        .routes(routes!(indexing::start))
        .routes(routes!(indexing::cancel))
        .routes(routes!(indexing::events))
        .routes(routes!(export::export))
        .routes(routes!(export::copy))
        .routes(routes!(server::session))
        .routes(routes!(server::health))
        .routes(routes!(server::ready))
        .routes(routes!(server::metrics))
        .routes(routes!(server::version))
        .split_for_parts();
    let document = with_problems(&document);
    app.guard.note_read_only(read_only(&document));
    let document = axum::body::Bytes::from(document.to_string());
    let kind = [(header::CONTENT_TYPE, "application/json")];
    let mut router = api.route("/openapi.json", get(move || async { (kind, document) }));
    for (path, asset) in page::files() {
        router = router.route(
            path,
            get(async move |asked: HeaderMap| asset.response(&asked)),
        );
    }
    if let Some(mcp) = app.mcp.clone() {
        let bounded = any_service(mcp).layer(middleware::from_fn(layers::receive));
        router = router.route("/mcp", bounded);
    }
    let state = App::clone(&app);
    router
        .fallback(async || Problem::not_found("no such path; /openapi.json lists them"))
        .method_not_allowed_fallback(async || {
            Problem::of(StatusCode::METHOD_NOT_ALLOWED, "see the Allow header")
        })
        .layer(DefaultBodyLimit::max(guard::MAX_BODY))
        .layer(middleware::from_fn_with_state(
            App::clone(&app),
            layers::guard,
        ))
        .layer(middleware::from_fn_with_state(state, layers::measure))
        .with_state(app)
}

/// The documented routes without POST.
fn read_only(document: &Value) -> HashSet<String> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let read_only = paths.filter(|(_, methods)| methods.get("post").is_none());
    let files = page::files().map(|(path, _)| path.to_owned());
    let documented = read_only.map(|(path, _)| path.clone());
    documented
        .chain(files)
        .chain(["/openapi.json".to_owned()])
        .collect()
}

/// The document, in which each operation may also be answered with a problem.
fn with_problems(document: &utoipa::openapi::OpenApi) -> Value {
    let mut document = serde_json::to_value(document).unwrap_or_default();
    let problem = serde_json::json!({
        "description": "Why it failed",
        "content": {
            "application/problem+json": {
                "schema": { "$ref": "#/components/schemas/Problem" }
            }
        }
    });
    let paths = document["paths"].as_object_mut().into_iter();
    let methods = paths.flat_map(|paths| paths.values_mut());
    let operations = methods.filter_map(Value::as_object_mut);
    for operation in operations.flat_map(|methods| methods.values_mut()) {
        if let Some(responses) = operation["responses"].as_object_mut() {
            responses.insert("default".to_owned(), problem.clone());
        }
    }
    document
}
