//! Pictures that were chosen, taken elsewhere: `/v1/export` and `/v1/copy`

use std::collections::HashSet;
use std::io::{self, Seek as _, Write as _};
use std::path::{Component, Path, PathBuf};

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use tokio_util::io::ReaderStream;
use utoipa::ToSchema;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::files::disposition;
use super::json::json;
use crate::answers::CopyAnswer;
use crate::engine::{How, gather};
use crate::web::extract::JsonBody;
use crate::web::problem::Problem;
use crate::web::state::{App, Served, Work};

/// The most pictures of an export.
const MAX_IDS: usize = 100_000;

/// The most bytes of a zip file, which is written to a temporary folder first.
const MAX_BYTES: u64 = 8 << 30;

/// The form of an export.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::web) enum ExportForm {
    /// A text file with a path per line.
    List,
    /// A zip file with the pictures.
    Zip,
}

/// Which pictures, and in which form.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct ExportBody {
    /// Images of the index, in order, at most 100,000.
    #[schema(min_items = 1)]
    ids: Vec<u32>,
    #[serde(rename = "as")]
    #[schema(inline)]
    form: ExportForm,
}

/// Which pictures, and where to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct CopyBody {
    /// Images of the index, at most 100,000.
    #[schema(min_items = 1)]
    ids: Vec<u32>,
    /// A folder in the folder of `--allow-copy`, such as `trip/best`, which is created; that one
    /// itself without it.
    #[serde(default)]
    to: String,
}

fn check(ids: &[u32]) -> Result<(), Problem> {
    if ids.is_empty() {
        return Err(Problem::bad_request("`ids` is empty"));
    }
    if ids.len() > MAX_IDS {
        return Err(Problem::too_large(format!("more than {MAX_IDS} `ids`")));
    }
    Ok(())
}

/// A list of the pictures, or the pictures in a zip file.
#[utoipa::path(post, path = "/v1/export", request_body = ExportBody,
    responses((status = 200, description = "The file", content(
        (String = "text/plain"), (Vec<u8> = "application/zip"),
    ))))]
pub(in crate::web) async fn export(
    State(app): State<App>,
    JsonBody(body): JsonBody<ExportBody>,
) -> Result<Response, Problem> {
    check(&body.ids)?;
    let (kind, name, file) = app
        .call(Work::Long, move |served| match body.form {
            ExportForm::List => Ok((
                "text/plain; charset=utf-8",
                "pictures.txt",
                list(served, &body.ids)?,
            )),
            ExportForm::Zip => Ok(("application/zip", "pictures.zip", zip(served, &body.ids)?)),
        })
        .await?;
    let body = Body::from_stream(ReaderStream::new(tokio::fs::File::from_std(file)));
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_DISPOSITION, disposition(false, name));
    Ok(response)
}

fn failed(error: impl Into<io::Error>) -> Problem {
    Problem::internal(error.into().to_string())
}

/// The first path of each image, one per line, as the bytes of the path.
fn list(served: &Served, ids: &[u32]) -> Result<std::fs::File, Problem> {
    let mut file = io::BufWriter::new(tempfile::tempfile().map_err(failed)?);
    for &id in ids {
        let (image, _) = served.picture(id)?;
        if let Some(path) = image.paths.first() {
            let path = path.as_os_str().as_encoded_bytes();
            file.write_all(path).map_err(failed)?;
            file.write_all(b"\n").map_err(failed)?;
        }
    }
    let mut file = file.into_inner().map_err(failed)?;
    file.rewind().map_err(failed)?;
    Ok(file)
}

fn zip(served: &Served, ids: &[u32]) -> Result<std::fs::File, Problem> {
    // Pictures are compressed already.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .large_file(true);
    let mut zip = ZipWriter::new(tempfile::tempfile().map_err(failed)?);
    let (mut names, mut n_bytes) = (HashSet::new(), 0);
    for &id in ids {
        let (image, _) = served.picture(id)?;
        let (path, mut file) = served.open_file_of(&image)?;
        n_bytes += file.metadata().map_err(failed)?.len();
        if n_bytes > MAX_BYTES {
            let detail = format!(
                "a zip file has at most {} GB; choose fewer",
                MAX_BYTES >> 30
            );
            return Err(Problem::too_large(detail));
        }
        let name = free_name(image.paths.first().unwrap_or(&path), &mut names);
        zip.start_file(name, options).map_err(failed)?;
        io::copy(&mut file, &mut zip).map_err(failed)?;
    }
    let mut file = zip.finish().map_err(failed)?;
    file.rewind().map_err(failed)?;
    Ok(file)
}

/// The name of a file, with a number where it is taken: `a.jpg`, `a-2.jpg`.
fn free_name(path: &Path, taken: &mut HashSet<String>) -> String {
    let text = |part: Option<&std::ffi::OsStr>| {
        let part = part.unwrap_or_default();
        part.to_string_lossy().into_owned()
    };
    let (stem, name) = (text(path.file_stem()), text(path.file_name()));
    let ending = name.strip_prefix(&stem).unwrap_or_default();
    let numbered = (2..).map(|number| format!("{stem}-{number}{ending}"));
    let mut names = std::iter::once(name.clone()).chain(numbered);
    let free = names.find(|name| !taken.contains(&name.to_lowercase()));
    let free = free.unwrap_or(name);
    taken.insert(free.to_lowercase());
    free
}

/// Copies pictures into a folder. Only with `--allow-copy`. Nothing is replaced: a name that is
/// taken gets a number.
#[utoipa::path(post, path = "/v1/copy", request_body = CopyBody,
    responses((status = 200, description = "What was copied", body = CopyAnswer)))]
pub(in crate::web) async fn copy(
    State(app): State<App>,
    JsonBody(body): JsonBody<CopyBody>,
) -> Result<Response, Problem> {
    check(&body.ids)?;
    app.call(Work::Long, move |served| {
        let Some(allowed) = &served.copy_to else {
            let detail = "copying is off; start the server with --allow-copy FOLDER";
            return Err(Problem::forbidden(detail));
        };
        let mut files = Vec::with_capacity(body.ids.len());
        for &id in &body.ids {
            let (image, _) = served.picture(id)?;
            files.push([served.file_of(&image)?]);
        }
        let folder = below(allowed, &body.to)?;
        let files: Vec<&[PathBuf]> = files.iter().map(<[_; 1]>::as_slice).collect();
        let report = gather(&files, &folder, How::Copy)?;
        json(&CopyAnswer::from((&*folder, &report)))
    })
    .await
}

/// A folder in the one that pictures may be copied into. It is created, and no link leads out of
/// that one.
fn below(allowed: &Path, to: &str) -> Result<PathBuf, Problem> {
    let refused = || {
        let detail = format!(
            "`to` is a folder below {}, such as trip/best",
            allowed.display()
        );
        Problem::bad_request(detail)
    };
    let to = Path::new(to);
    let is_plain = to
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if !is_plain {
        return Err(refused());
    }
    fs_err::create_dir_all(allowed).map_err(failed)?;
    let allowed = fs_err::canonicalize(allowed).map_err(failed)?;
    let mut folder = allowed.clone();
    for part in to.components() {
        folder.push(part);
        match fs_err::create_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            // A name that no file can have.
            Err(error)
                if [io::ErrorKind::InvalidInput, io::ErrorKind::InvalidFilename]
                    .contains(&error.kind()) =>
            {
                return Err(refused());
            }
            created => created.map_err(failed)?,
        }
        let real = fs_err::canonicalize(&folder).map_err(failed)?;
        if !real.starts_with(&allowed) || !real.is_dir() {
            return Err(refused());
        }
    }
    Ok(folder)
}
