//! The files of an image: `/v1/items/{id}/thumbnail` and `/v1/items/{id}/file`

use std::path::Path;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use tokio_util::io::ReaderStream;
use utoipa::IntoParams;

use crate::web::extract::{Parameters, PathId};
use crate::web::problem::Problem;
use crate::web::state::{App, Work};
use crate::web::thumbnails::{SIDES, Thumbnails};

/// A picture may say what it likes: nothing in it is run or fetched (SVG has scripts).
const SANDBOX: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/// Kinds of files that browsers show, by the endings of their names.
const SHOWN: [(&str, &[&str]); 9] = [
    ("image/jpeg", &["jpg", "jpeg", "jpe", "jfif"]),
    ("image/png", &["png", "apng"]),
    ("image/gif", &["gif"]),
    ("image/webp", &["webp"]),
    ("image/avif", &["avif"]),
    ("image/bmp", &["bmp", "dib"]),
    ("image/svg+xml", &["svg"]),
    ("image/jxl", &["jxl"]),
    ("image/heic", &["heic", "heif", "hif"]),
];

/// The largest size that can be wished for: that of a JPEG.
const MAX_SIZE: u32 = 65_535;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct ThumbnailParameters {
    /// The longest side in pixels that is wanted: 320 without it. Sent is the next of 320, 640 and
    /// 1600; a picture that is smaller keeps its size.
    #[param(minimum = 1, maximum = 65_535)]
    size: Option<u32>,
}

/// A JPEG of the image, upright, in sRGB. Its `ETag` changes only with the content of the picture.
#[utoipa::path(get, path = "/v1/items/{id}/thumbnail",
    params(("id" = u32, Path, description = "Its id"), ThumbnailParameters),
    responses(
        (status = 200, description = "The thumbnail", content_type = "image/jpeg",
            body = inline(Vec<u8>)),
        (status = 304, description = "That of If-None-Match"),
    ))]
pub(in crate::web) async fn thumbnail(
    State(app): State<App>,
    PathId(id): PathId,
    Parameters(asked): Parameters<ThumbnailParameters>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let wanted = asked.size.unwrap_or(SIDES[0]);
    if !(1..=MAX_SIZE).contains(&wanted) {
        let detail = format!("`size` is from 1 to {MAX_SIZE}");
        return Err(Problem::bad_request(detail));
    }
    let known = headers.get(header::IF_NONE_MATCH).cloned();
    app.call(Work::Short, move |served| {
        let (image, _) = served.picture(id)?;
        let side = Thumbnails::side(wanted);
        let tag = Thumbnails::tag(&image, side);
        let is_known = known.is_some_and(|known| matches(&known, &tag));
        let tags = [
            (header::ETAG, tag),
            (header::CACHE_CONTROL, CACHE.to_owned()),
        ];
        if is_known {
            return Ok((StatusCode::NOT_MODIFIED, tags).into_response());
        }
        let jpeg = served
            .thumbnails
            .get(&image, side, || served.file_of(&image))?;
        Ok((tags, [(header::CONTENT_TYPE, "image/jpeg")], jpeg).into_response())
    })
    .await
}

/// A browser may keep it, and asks whether it is still the same.
const CACHE: &str = "private, no-cache";

/// Whether one of the tags of If-None-Match is this one.
fn matches(known: &HeaderValue, tag: &str) -> bool {
    let known = known.to_str().unwrap_or_default();
    let mut tags = known.split(',').map(str::trim);
    tags.any(|known| known == "*" || known.trim_start_matches("W/") == tag)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct FileParameters {
    /// Whether a browser keeps the file instead of showing it.
    #[serde(default)]
    #[param(required = false)]
    download: bool,
}

/// The file of the image, as it is.
#[utoipa::path(get, path = "/v1/items/{id}/file",
    params(("id" = u32, Path, description = "Its id"), FileParameters),
    responses((status = 200, description = "The file", content(
        (Vec<u8> = "image/*"), (Vec<u8> = "application/octet-stream"),
    ))))]
pub(in crate::web) async fn file(
    State(app): State<App>,
    PathId(id): PathId,
    Parameters(asked): Parameters<FileParameters>,
) -> Result<Response, Problem> {
    let found = app.call(Work::Short, move |served| {
        let (image, _) = served.picture(id)?;
        let (path, file) = served.open_file_of(&image)?;
        let name = image.paths.first().unwrap_or(&path);
        let name = name.file_name().unwrap_or_default().to_owned();
        Ok((path, name, file))
    });
    let (path, name, file) = found.await?;
    let about = file.metadata();
    let about = about.map_err(|error| Problem::internal(error.to_string()))?;
    let shown = kind(&path).filter(|_| !asked.download);
    let disposition = disposition(shown.is_some(), &name.to_string_lossy());
    let body = Body::from_stream(ReaderStream::new(tokio::fs::File::from_std(file)));
    let mut response = body.into_response();
    let kind = kind(&path).unwrap_or("application/octet-stream");
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_LENGTH, about.len().into());
    headers.insert(header::CONTENT_DISPOSITION, disposition);
    let sandbox = HeaderValue::from_static(SANDBOX);
    headers.insert(header::CONTENT_SECURITY_POLICY, sandbox);
    Ok(response)
}

/// The kind of a file that browsers show.
fn kind(path: &Path) -> Option<&'static str> {
    let ending = path.extension()?.to_str()?.to_ascii_lowercase();
    let mut kinds = SHOWN.iter();
    let found = kinds.find(|(_, endings)| endings.contains(&&*ending));
    found.map(|(kind, _)| *kind)
}

/// The name of a file for whoever keeps it (RFC 6266).
pub(super) fn disposition(is_shown: bool, name: &str) -> HeaderValue {
    use std::fmt::Write as _;
    let how = if is_shown { "inline" } else { "attachment" };
    let mut encoded = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(byte.into());
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    let text = format!("{how}; filename*=UTF-8''{encoded}");
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("attachment"))
}
