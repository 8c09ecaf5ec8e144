//! The index and what keeps it new: `/v1/status`, `/v1/models`, `/v1/index`

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use tokio_stream::wrappers::WatchStream;
use tokio_stream::{Stream, StreamExt as _};
use utoipa::ToSchema;

use super::json::json;
use crate::answers::{ModelListAnswer, RunAnswer, ServerStatusAnswer};
use crate::engine::{Engine, Generation};
use crate::web::extract::JsonBody;
use crate::web::problem::{Problem, with_causes};
use crate::web::runs::Feed;
use crate::web::state::{App, Served, Work};

/// What the index holds, and the run that keeps it new.
#[utoipa::path(get, path = "/v1/status",
    responses((status = 200, description = "The state", body = ServerStatusAnswer)))]
pub(in crate::web) async fn status(State(app): State<App>) -> Result<Response, Problem> {
    app.call(Work::Short, |served| {
        let status = Engine::status(served.engine.folder())?;
        let texts = served.text_languages();
        let run = served.runs.last();
        let run = run.as_ref().map(|run| run.answer());
        let allows_copy = served.copy_to.is_some();
        json(&ServerStatusAnswer::new(&status, texts, run, allows_copy))
    })
    .await
}

/// The models of this machine.
#[utoipa::path(get, path = "/v1/models",
    responses((status = 200, description = "The models", body = ModelListAnswer)))]
pub(in crate::web) async fn models(State(app): State<App>) -> Result<Response, Problem> {
    app.call(Work::Short, |served| {
        let registry = served.workspace.registry();
        let failed = |error| Problem::internal(with_causes(&error));
        let entries = registry.list().map_err(failed)?;
        let default = registry.default_name().map_err(failed)?;
        json(&ModelListAnswer::new(registry, &entries, &default))
    })
    .await
}

/// What to bring up to date.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct IndexBody {
    /// Library folders of the index, as `libraries` of the status has them; all without it.
    folders: Option<Vec<String>>,
}

/// Starts to bring the index up to date. Only library folders that the index knows can be named:
/// others are added with `sightline index`.
#[utoipa::path(post, path = "/v1/index", request_body = IndexBody,
    responses((status = 202, description = "The run was started", body = RunAnswer)))]
pub(in crate::web) async fn start(
    State(app): State<App>,
    JsonBody(body): JsonBody<IndexBody>,
) -> Result<Response, Problem> {
    app.call(Work::Short, move |served| {
        let folders = folders(served, body.folders)?;
        let started = served.runs.start(folders);
        started.map_err(|error| Problem::conflict(error.to_string()))?;
        accepted(served)
    })
    .await
}

fn folders(served: &Served, wanted: Option<Vec<String>>) -> Result<Vec<PathBuf>, Problem> {
    let status = Engine::status(served.engine.folder())?;
    let known: Vec<PathBuf> = status
        .libraries
        .into_iter()
        .map(|library| library.folder)
        .collect();
    let Some(wanted) = wanted else {
        if known.is_empty() {
            let detail = "the index has no library folder; add one with `sightline index FOLDER`";
            return Err(Problem::conflict(detail));
        }
        return Ok(known);
    };
    if wanted.is_empty() {
        return Err(Problem::bad_request(
            "`folders` is empty; leave it out for all",
        ));
    }
    let wanted: Vec<PathBuf> = wanted.into_iter().map(PathBuf::from).collect();
    let is_known = |folder: &Path| known.iter().any(|known| known == folder);
    match wanted.iter().find(|folder| !is_known(folder)) {
        None => Ok(wanted),
        Some(folder) => Err(Problem::not_found(format!(
            "{}: not a library folder of the index; add it with `sightline index FOLDER`",
            folder.display()
        ))),
    }
}

fn accepted(served: &Served) -> Result<Response, Problem> {
    let run = served.runs.last();
    let run = run.ok_or_else(|| Problem::conflict("no index run was started"))?;
    Ok((StatusCode::ACCEPTED, json(&run.answer())?).into_response())
}

/// Nothing.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct CancelBody {}

/// Asks the run in progress to stop. What it has finished is committed; the next run goes on.
#[utoipa::path(post, path = "/v1/index/cancel", request_body = CancelBody,
    responses((status = 202, description = "The run that stops", body = RunAnswer)))]
pub(in crate::web) async fn cancel(
    State(app): State<App>,
    JsonBody(CancelBody {}): JsonBody<CancelBody>,
) -> Result<Response, Problem> {
    app.call(Work::Short, |served| {
        let last = served.runs.last();
        let Some(run) = last.filter(|run| run.is_running()) else {
            return Err(Problem::conflict("no index run is in progress"));
        };
        if run.is_watcher() {
            let detail = "the index run in progress is the watcher's, which ends with the server";
            return Err(Problem::conflict(detail));
        }
        served.runs.cancel();
        accepted(served)
    })
    .await
}

/// Server-sent events: `progress` while an index run is in progress and `done` at its end, each
/// with the run as JSON; `generation` with the number of the newest commit. The stream goes on with
/// the next run.
#[utoipa::path(get, path = "/v1/index/events",
    responses((status = 200, description = "The events", content_type = "text/event-stream",
        body = String)))]
pub(in crate::web) async fn events(
    State(app): State<App>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let place = Arc::clone(&app.streams).try_acquire_owned();
    let place = place.map_err(|_| Problem::too_many())?;
    let feed = WatchStream::new(app.runs.watch()).map(News::Feed);
    let generations = WatchStream::new(app.runs.watch_generation()).map(News::Generation);
    let news = feed.merge(generations);
    let news = news.take_while(|news| !matches!(news, News::Feed(feed) if feed.is_closing));
    let events = news.filter_map(move |news| {
        // Held as long as the stream is.
        let _ = &place;
        news.event().map(Ok)
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

/// What the stream of events is made from.
enum News {
    Feed(Feed),
    Generation(Option<Generation>),
}

impl News {
    /// `None` when there is nothing to send.
    fn event(self) -> Option<Event> {
        match self {
            Self::Feed(feed) => {
                let run = feed.run?;
                let name = if run.is_running() { "progress" } else { "done" };
                Event::default().event(name).json_data(run.answer()).ok()
            }
            Self::Generation(generation) => {
                let number = generation?.0.to_string();
                Some(Event::default().event("generation").data(number))
            }
        }
    }
}
