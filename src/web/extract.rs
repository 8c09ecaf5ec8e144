//! What a handler takes from a request. What cannot be taken is answered with a problem.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::multipart::MultipartRejection;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Multipart, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::LengthLimitError;
use serde::de::DeserializeOwned;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::guard;
use super::problem::Problem;

/// The longest time that a body may take to arrive.
const MAX_ARRIVAL: Duration = Duration::from_mins(1);

/// The most bytes of JSON, apart from a picture in it: 100,000 ids fit.
pub(super) const MAX_QUERY: usize = 1 << 20;

/// What uploads need to be received.
pub(super) trait Receives: Send + Sync {
    /// The uploads that are received or worked on at once: their pictures are in memory.
    fn uploads(&self) -> &Arc<Semaphore>;
}

/// A question that may have a picture in it.
pub(super) trait WithPicture: DeserializeOwned + Default + Send {
    /// Takes out the picture file, which is base64.
    fn take_picture(&mut self) -> Option<String>;
}

/// The parameters of a query string.
pub(super) struct Parameters<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let refused = |refused: QueryRejection| Problem::bad_request(refused.body_text());
        let Query(value) = Query::from_request_parts(parts, state)
            .await
            .map_err(refused)?;
        Ok(Self(value))
    }
}

/// The id in a path.
pub(super) struct PathId(pub(super) u32);

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let refused = |_: PathRejection| Problem::bad_request("an id is a whole number from 1");
        let Path(id) = Path::from_request_parts(parts, state)
            .await
            .map_err(refused)?;
        Ok(Self(id))
    }
}

/// A body of JSON without a picture, of at most [`MAX_QUERY`] bytes.
pub(super) struct JsonBody<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        Ok(Self(json_of(request, MAX_QUERY).await?))
    }
}

async fn json_of<T: DeserializeOwned>(request: Request, n_bytes: usize) -> Result<T, Problem> {
    if !is_json(&request) {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Problem::of(status, "send the body as application/json"));
    }
    object("the body", &arrived(request.into_body(), n_bytes).await?)
}

/// A body of at most this many bytes, once it has arrived.
pub(super) async fn arrived(body: Body, n_bytes: usize) -> Result<Bytes, Problem> {
    let bytes = axum::body::to_bytes(body, n_bytes);
    let arrived = tokio::time::timeout(MAX_ARRIVAL, bytes).await;
    arrived.map_err(|_| slow())?.map_err(|error| {
        // The limit is the cause of an error whose own text says nothing.
        let cause = std::error::Error::source(&error);
        if cause.is_some_and(<dyn std::error::Error>::is::<LengthLimitError>) {
            Problem::too_large(format!("the body has more than {n_bytes} bytes"))
        } else {
            Problem::bad_request(format!("the body did not arrive: {error}"))
        }
    })
}

/// Reads a JSON object. Lists are refused: serde would take their elements for the keys in order.
fn object<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, Problem> {
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        let detail = format!("{what}: expected a JSON object");
        return Err(Problem::bad_request(detail));
    }
    let read = serde_json::from_slice(bytes);
    read.map_err(|error| Problem::bad_request(format!("{what}: {error}")))
}

fn is_json(request: &Request) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

/// A body with a picture: JSON, or parts `picture` (a file) and `query` (JSON).
pub(super) struct Upload<T> {
    /// What is asked; in a body of parts without `query`, nothing in particular.
    pub(super) query: T,
    /// The bytes of the picture file.
    pub(super) picture: Option<Vec<u8>>,
    /// Is given back when the request is answered.
    _place: OwnedSemaphorePermit,
}

impl<T: WithPicture, S: Receives> FromRequest<S> for Upload<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let place = Arc::clone(state.uploads()).try_acquire_owned();
        let place = place.map_err(|_| Problem::too_many())?;
        let (mut query, part) = if is_json(&request) {
            (json_of::<T>(request, guard::MAX_BODY).await?, None)
        } else {
            let refused = |refused: MultipartRejection| {
                Problem::of(as_known(refused.status()), refused.body_text())
            };
            let parts = Multipart::from_request(request, state).await;
            let parts = Self::of(parts.map_err(refused)?);
            let arrived = tokio::time::timeout(MAX_ARRIVAL, parts).await;
            arrived.map_err(|_| slow())??
        };
        let picture = match (part, query.take_picture()) {
            (Some(_), Some(_)) => {
                let detail = "send the picture either as the part `picture` or as `image`";
                return Err(Problem::bad_request(detail));
            }
            (None, Some(text)) => {
                let refused = |_| Problem::bad_request("`image` is not base64");
                Some(STANDARD.decode(text).map_err(refused)?)
            }
            (part, None) => part,
        };
        Ok(Self {
            query,
            picture,
            _place: place,
        })
    }
}

impl<T: WithPicture> Upload<T> {
    /// What the parts ask, and their picture.
    async fn of(mut parts: Multipart) -> Result<(T, Option<Vec<u8>>), Problem> {
        let (mut query, mut picture) = (None, None);
        let refused = |refused: axum::extract::multipart::MultipartError| {
            // A body that breaks off is the sender's.
            let status = match refused.status() {
                status if status.is_server_error() => StatusCode::BAD_REQUEST,
                status => as_known(status),
            };
            Problem::of(status, refused.body_text())
        };
        while let Some(part) = parts.next_field().await.map_err(refused)? {
            let name = part.name().unwrap_or_default().to_owned();
            let is_second = match &*name {
                "picture" => picture.is_some(),
                "query" => query.is_some(),
                _ => {
                    let detail = format!("no part `{name}`: expected `picture` and `query`");
                    return Err(Problem::bad_request(detail));
                }
            };
            if is_second {
                let detail = format!("two parts `{name}`: expected one");
                return Err(Problem::bad_request(detail));
            }
            let bytes = part.bytes().await.map_err(refused)?;
            if name == "picture" {
                picture = Some(bytes.to_vec());
                continue;
            }
            if bytes.len() > MAX_QUERY {
                return Err(Problem::too_large("`query` has more than 1 MB"));
            }
            query = Some(object("`query`", &bytes)?);
        }
        if picture.is_none() {
            return Err(Problem::bad_request("no part `picture` with a file"));
        }
        Ok((query.unwrap_or_default(), picture))
    }
}

fn slow() -> Problem {
    let status = StatusCode::REQUEST_TIMEOUT;
    Problem::of(status, "the body took more than a minute to arrive")
}

/// JSON of the wrong shape is a bad request: the status that axum has for it is that of unusable
/// pictures here.
fn as_known(status: StatusCode) -> StatusCode {
    if status == StatusCode::UNPROCESSABLE_ENTITY {
        StatusCode::BAD_REQUEST
    } else {
        status
    }
}
