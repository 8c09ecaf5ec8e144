//! The page: files that are part of the program.

use std::io::Read as _;
use std::sync::LazyLock;

use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use flate2::Compression;
use flate2::read::GzEncoder;

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const JSON: &str = "application/json";
const SVG: &str = "image/svg+xml";

/// Files of the page by name: each is served under its own, `index.html` also as `/`.
macro_rules! files {
    ($($kind:ident $name:literal)*) => {
        [$((concat!("/", $name), $kind, include_str!(concat!("page/", $name)))),*]
    };
}

/// A file of the page: its path, its type and its content.
static FILES: [(&str, &str, &str); 25] = files! {
    HTML "index.html"
    STYLE "page.css"
    SVG "icon.svg"
    JSON "en.json"
    JSON "zh.json"
    SCRIPT "api.js"
    SCRIPT "chips.js"
    SCRIPT "details.js"
    SCRIPT "dom.js"
    SCRIPT "duplicates.js"
    SCRIPT "grid.js"
    SCRIPT "heat.js"
    SCRIPT "indexing.js"
    SCRIPT "keys.js"
    SCRIPT "layout.js"
    SCRIPT "map.js"
    SCRIPT "page.js"
    SCRIPT "pictures.js"
    SCRIPT "query.js"
    SCRIPT "selection.js"
    SCRIPT "thumbhash.js"
    SCRIPT "tiles.js"
    SCRIPT "viewer.js"
    SCRIPT "words.js"
    SCRIPT "zoom.js"
};

/// The paths of the files and what they are answered with.
pub(super) fn files() -> impl Iterator<Item = (&'static str, Asset)> {
    static PACKED: LazyLock<Vec<Vec<u8>>> =
        LazyLock::new(|| FILES.iter().map(|(_, _, text)| pack(text)).collect());
    let named = FILES.iter().zip(PACKED.iter()).map(|(file, packed)| {
        let &(path, kind, text) = file;
        (path, Asset { kind, text, packed })
    });
    let first = named.clone().take(1).map(|(_, asset)| ("/", asset));
    first.chain(named)
}

/// A text as gzip.
fn pack(text: &str) -> Vec<u8> {
    let mut packed = Vec::new();
    let read = GzEncoder::new(text.as_bytes(), Compression::best()).read_to_end(&mut packed);
    // Reading from memory does not fail; a file that is empty would be noticed by the tests.
    read.map_or_else(|_| Vec::new(), |_| packed)
}

/// A file of the page.
#[derive(Clone, Copy)]
pub(super) struct Asset {
    kind: &'static str,
    text: &'static str,
    packed: &'static [u8],
}

impl Asset {
    /// The response to a request with these headers: gzip where the client reads it.
    pub(super) fn response(self, asked: &HeaderMap) -> Response {
        let headers = [
            (header::CONTENT_TYPE, self.kind),
            (header::CACHE_CONTROL, "no-cache"),
            (header::VARY, "accept-encoding"),
        ];
        let read = asked.get(header::ACCEPT_ENCODING);
        let read = read.and_then(|value| value.to_str().ok());
        let is_packed = read.is_some_and(|read| {
            let mut codings = read.split(',').map(str::trim);
            codings.any(|coding| coding == "gzip")
        });
        if is_packed {
            let encoding = [(header::CONTENT_ENCODING, "gzip")];
            (headers, encoding, self.packed).into_response()
        } else {
            (headers, self.text).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use flate2::read::GzDecoder;

    /// The page has to be there at once, also for a phone on a slow network.
    const MAX_SCRIPT: usize = 60_000;

    #[test]
    fn the_script_is_small() {
        let scripts = files().filter(|(_, asset)| asset.kind == SCRIPT);
        let sizes: Vec<usize> = scripts.map(|(_, asset)| asset.packed.len()).collect();
        assert!(sizes.len() > 10);
        let sum: usize = sizes.iter().sum();
        assert!(sum <= MAX_SCRIPT, "{sum} bytes of script");
    }

    #[test]
    fn packed_files_are_the_files() {
        let mut n_files = 0;
        for (path, asset) in files() {
            let mut text = String::new();
            GzDecoder::new(asset.packed)
                .read_to_string(&mut text)
                .unwrap();
            assert_eq!(text, asset.text, "{path}");
            n_files += 1;
        }
        assert_eq!(n_files, FILES.len() + 1);
    }
}
