//! What a request that fails is answered with: problem details (RFC 9457).

use std::io::ErrorKind;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::{EngineError, IndexError};

/// Why a request failed (RFC 9457), sent as `application/problem+json`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Problem {
    /// What kind of problem it is: `/problems/` and a name that stays.
    #[serde(rename = "type")]
    kind: String,
    /// The kind in words.
    title: &'static str,
    /// The status of the response.
    status: u16,
    /// What happened, and what helps.
    detail: String,
    #[serde(skip)]
    header: Option<(&'static str, &'static str)>,
}

/// The kinds, by status: the name in `type`, and the title.
const KINDS: [(StatusCode, &str, &str); 14] = [
    (
        StatusCode::BAD_REQUEST,
        "bad-request",
        "The request is not understood",
    ),
    (
        StatusCode::UNAUTHORIZED,
        "unauthorized",
        "The token is missing or wrong",
    ),
    (StatusCode::FORBIDDEN, "forbidden", "The request is refused"),
    (
        StatusCode::NOT_FOUND,
        "not-found",
        "There is no such thing here",
    ),
    (
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        "The path has no such method",
    ),
    (
        StatusCode::REQUEST_TIMEOUT,
        "slow-request",
        "The request came too slowly",
    ),
    (StatusCode::CONFLICT, "conflict", "Not possible now"),
    (StatusCode::GONE, "list-expired", "The list has expired"),
    (
        StatusCode::PAYLOAD_TOO_LARGE,
        "too-large",
        "The request or its result is too large",
    ),
    (
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported-media-type",
        "The body has the wrong type",
    ),
    (
        StatusCode::UNPROCESSABLE_ENTITY,
        "unusable-picture",
        "The picture cannot be used",
    ),
    (
        StatusCode::TOO_MANY_REQUESTS,
        "too-many-requests",
        "Too many requests at once",
    ),
    (
        StatusCode::SERVICE_UNAVAILABLE,
        "unavailable",
        "The index or the model is not available",
    ),
    (
        StatusCode::GATEWAY_TIMEOUT,
        "timeout",
        "The answer took too long",
    ),
];

impl Problem {
    /// The problem of a status.
    pub(super) fn of(status: StatusCode, detail: impl Into<String>) -> Self {
        let known = KINDS.iter().find(|(known, ..)| *known == status);
        let (status, name, title) = known.copied().unwrap_or((
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Sightline failed",
        ));
        Self {
            kind: format!("/problems/{name}"),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            header: None,
        }
    }

    fn with_header(self, name: &'static str, value: &'static str) -> Self {
        let header = Some((name, value));
        Self { header, ..self }
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::of(StatusCode::BAD_REQUEST, detail)
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::of(StatusCode::NOT_FOUND, detail)
    }

    pub(super) fn conflict(detail: impl Into<String>) -> Self {
        Self::of(StatusCode::CONFLICT, detail)
    }

    pub(super) fn list_expired() -> Self {
        let detail = "search again: many other searches were made since";
        Self::of(StatusCode::GONE, detail)
    }

    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Self::of(StatusCode::FORBIDDEN, detail)
    }

    pub(super) fn too_large(detail: impl Into<String>) -> Self {
        Self::of(StatusCode::PAYLOAD_TOO_LARGE, detail)
    }

    pub(super) fn too_many() -> Self {
        Self::of(StatusCode::TOO_MANY_REQUESTS, "try again shortly").with_header("retry-after", "1")
    }

    pub(super) fn unauthorized() -> Self {
        let detail = "send `Authorization: Bearer TOKEN` with the token that `sightline serve` \
                      printed, or that of its --token-file";
        Self::of(StatusCode::UNAUTHORIZED, detail).with_header("www-authenticate", "Bearer")
    }

    /// Of the same status as other things that are not available, but it may be made soon.
    fn no_index(detail: String) -> Self {
        Self {
            kind: "/problems/no-index".to_owned(),
            title: "There is no index yet",
            ..Self::of(StatusCode::SERVICE_UNAVAILABLE, detail)
        }
    }

    pub(super) fn internal(detail: impl Into<String>) -> Self {
        Self::of(StatusCode::INTERNAL_SERVER_ERROR, detail)
    }
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        let status = match &error {
            EngineError::Index(IndexError::NoIndex { .. }) => {
                return Self::no_index(with_causes(&error));
            }
            EngineError::Index(
                IndexError::OtherModel { .. } | IndexError::OtherDimension { .. },
            )
            | EngineError::Runtime(_) => StatusCode::SERVICE_UNAVAILABLE,
            EngineError::Io(error) if error.kind() == ErrorKind::InvalidInput => {
                StatusCode::BAD_REQUEST
            }
            EngineError::Index(_)
            | EngineError::Model(_)
            | EngineError::Encode(_)
            | EngineError::Embedding(_)
            | EngineError::Io(_) => StatusCode::INTERNAL_SERVER_ERROR,
            EngineError::NotIndexed { .. } => StatusCode::NOT_FOUND,
            EngineError::Picture { .. } | EngineError::NotEncoded { .. } => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            _ => StatusCode::BAD_REQUEST,
        };
        let mut detail = with_causes(&error);
        if let EngineError::Index(
            IndexError::OtherModel { .. } | IndexError::OtherDimension { .. },
        ) = &error
        {
            detail += "; start `sightline serve` again to search with the model of the index";
        }
        Self::of(status, detail)
    }
}

/// An error with its causes, in one line.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            text = format!("{text}: {message}");
        }
        cause = error.source();
    }
    text
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        let kind = (header::CONTENT_TYPE, "application/problem+json");
        let header = self.header;
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(kind.0, HeaderValue::from_static(kind.1));
        if let Some((name, value)) = header {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}
