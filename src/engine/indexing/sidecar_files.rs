//! What a sidecar says about its picture: captions, keywords, date and position.

use std::path::Path;

use serde::Deserialize;
use sightline_index::{Coordinates, Details, Moment};
use sightline_picture::{is_picture, sidecar_metadata};
use time::OffsetDateTime;

use super::caption_file::{BadRow, CaptionText, SidecarError, read_limited, read_sidecar};
use super::metadata;
use super::sidecars::SidecarKind;
use crate::engine::decode::extension;
use crate::engine::error::DocumentError;

/// The largest XMP and the largest metadata of Google Takeout that are read, in bytes.
const MAX_XMP: u64 = 8 << 20;
const MAX_TAKEOUT: u64 = 1 << 20;

/// What a sidecar says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct SidecarContent {
    pub(crate) captions: Vec<CaptionText>,
    /// Lines that were left out.
    pub(crate) bad: Vec<BadRow>,
    /// Facts about the picture, without the names of the places near its position.
    pub(crate) details: Details,
}

/// Reads a sidecar of any kind.
pub(crate) fn read(path: &Path) -> Result<SidecarContent, SidecarError> {
    match SidecarKind::of(path) {
        Some(SidecarKind::Xmp) => xmp(&read_limited(path, MAX_XMP)?),
        Some(SidecarKind::Takeout) => takeout(&read_limited(path, MAX_TAKEOUT)?),
        Some(SidecarKind::Text) | None => {
            let (captions, bad) = read_sidecar(path)?;
            let details = Details::default();
            Ok(SidecarContent {
                captions,
                bad,
                details,
            })
        }
    }
}

fn caption(text: String) -> CaptionText {
    CaptionText { text, at: None }
}

fn xmp(bytes: &[u8]) -> Result<SidecarContent, SidecarError> {
    let found = sidecar_metadata(bytes).map_err(|reason| SidecarError::Malformed {
        format: "XMP",
        reason,
    })?;
    let mut details = metadata::details(found);
    let texts = std::mem::take(&mut details.texts);
    Ok(SidecarContent {
        captions: texts.into_iter().map(caption).collect(),
        bad: Vec::new(),
        details,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct TakeoutFile {
    title: Option<String>,
    description: Option<String>,
    photo_taken_time: Option<TakeoutTime>,
    geo_data: Option<TakeoutPlace>,
    geo_data_exif: Option<TakeoutPlace>,
    #[serde(default)]
    people: Vec<TakeoutPerson>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct TakeoutTime {
    /// Seconds since 1970, in UTC, as a text.
    timestamp: Option<String>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct TakeoutPlace {
    latitude: f64,
    longitude: f64,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct TakeoutPerson {
    name: Option<String>,
}

fn takeout(bytes: &[u8]) -> Result<SidecarContent, SidecarError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let malformed = |error: serde_json::Error| SidecarError::Malformed {
        format: "metadata of Google Takeout",
        reason: DocumentError(error).to_string(),
    };
    // A list of the values would be read too.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(SidecarError::Malformed {
            format: "metadata of Google Takeout",
            reason: "expected a JSON object".to_owned(),
        });
    }
    let found: TakeoutFile = serde_json::from_slice(bytes).map_err(malformed)?;
    let has_place = found.geo_data.is_some() || found.geo_data_exif.is_some();
    if found.photo_taken_time.is_none() && !has_place && found.description.is_none() {
        return Err(SidecarError::Malformed {
            format: "metadata of Google Takeout",
            reason: "it has none of `photoTakenTime`, `geoData` and `description`".to_owned(),
        });
    }
    // The title is the name of the file, unless somebody changed it.
    let title = found
        .title
        .filter(|title| !is_picture(&extension(Path::new(title))));
    let mut texts: Vec<String> = Vec::new();
    for text in [title, found.description].into_iter().flatten() {
        let words: Vec<&str> = text.split_whitespace().collect();
        let text = words.join(" ").replace('\0', "");
        if !text.is_empty() && !texts.contains(&text) {
            texts.push(text);
        }
    }
    let places = [found.geo_data, found.geo_data_exif].into_iter().flatten();
    let mut known = places.filter(|place| place.latitude != 0.0 || place.longitude != 0.0);
    let position = known.find_map(|place| Coordinates::new(place.latitude, place.longitude));
    let people = found.people.into_iter().filter_map(|person| person.name);
    let people = people.map(|name| name.trim().to_owned());
    let timestamp = found.photo_taken_time.and_then(|time| time.timestamp);
    Ok(SidecarContent {
        captions: texts.into_iter().map(caption).collect(),
        bad: Vec::new(),
        details: Details {
            taken: timestamp.and_then(|seconds| moment(seconds.parse().ok()?)),
            position,
            keywords: people.filter(|name| !name.is_empty()).collect(),
            ..Details::default()
        },
    })
}

/// A time in seconds since 1970, in UTC: which time zone the camera's clock was in is unknown.
fn moment(unix_s: i64) -> Option<Moment> {
    let time = OffsetDateTime::from_unix_timestamp(unix_s).ok()?;
    let year = u16::try_from(time.year()).ok()?;
    let clock = [time.hour(), time.minute(), time.second()];
    Moment::new(year, u8::from(time.month()), time.day(), Some(clock))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(found: &SidecarContent) -> Vec<&str> {
        found.captions.iter().map(|one| one.text.as_str()).collect()
    }

    #[test]
    fn takeout_gives_description_date_position_and_people() {
        let json = r#"{"title": "IMG_1.jpg", "description": "Two\n dogs", "imageViews": "3",
            "creationTime": {"timestamp": "1700000000"},
            "photoTakenTime": {"timestamp": "1692032601", "formatted": "14 Aug 2023, 17:03:21 UTC"},
            "geoData": {"latitude": 0.0, "longitude": 0.0, "altitude": 0.0},
            "geoDataExif": {"latitude": 48.8583, "longitude": 2.2945, "altitude": 0.0},
            "people": [{"name": "Ada "}, {}]}"#;
        let found = takeout(json.as_bytes()).unwrap();
        assert_eq!(texts(&found), ["Two dogs"]);
        let expected = Details {
            taken: Moment::new(2023, 8, 14, Some([17, 3, 21])),
            position: Coordinates::new(48.8583, 2.2945),
            keywords: vec!["Ada".into()],
            ..Details::default()
        };
        assert_eq!(found.details, expected);
        let json = r#"{"title": "Our house", "description": "",
            "geoData": {"latitude": 95, "longitude": 0},
            "photoTakenTime": {"timestamp": "-86400"}}"#;
        let found = takeout(json.as_bytes()).unwrap();
        assert_eq!(texts(&found), ["Our house"]);
        assert_eq!(
            found.details.taken,
            Moment::new(1969, 12, 31, Some([0, 0, 0]))
        );
        assert_eq!(found.details.position, None);
    }

    #[test]
    fn a_description_alone_makes_metadata_of_takeout() {
        let json = r#"{"title": "IMG_1.jpg", "description": "Two dogs", "imageViews": "3"}"#;
        let found = takeout(json.as_bytes()).unwrap();
        assert_eq!(texts(&found), ["Two dogs"]);
        assert_eq!(found.details, Details::default());
        let json = r#"{"geoDataExif": {"latitude": 48.8583, "longitude": 2.2945}}"#;
        let found = takeout(json.as_bytes()).unwrap();
        assert_eq!(found.details.position, Coordinates::new(48.8583, 2.2945));
    }

    #[test]
    fn other_files_are_refused_with_a_reason() {
        let rows: [(&[u8], &str); 4] = [
            (
                b"{\"title\": \"a\"}",
                "it has none of `photoTakenTime`, `geoData` and `description`",
            ),
            (
                b"[1]",
                "not valid metadata of Google Takeout: expected a JSON object",
            ),
            (
                b"{\"geoData\": 5}",
                "not valid metadata of Google Takeout: found integer `5`, expected ",
            ),
            (
                b"{",
                "not valid metadata of Google Takeout: not valid JSON: an object is not closed \
                 with `}` at line 1, column 1",
            ),
        ];
        for (json, reason) in rows {
            let error = takeout(json).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
        assert_eq!(rows.len(), 4);
        let deep = "<a>".repeat(100_000);
        let wide = format!("<a>{}</a>", "<b/>".repeat(300_000));
        let entity = "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>";
        let rows = [
            ("<a><b></a>", "not valid XMP: "),
            ("plain", "not valid XMP: "),
            (
                deep.as_str(),
                "not valid XMP: elements inside one another beyond 64",
            ),
            (
                wide.as_str(),
                "not valid XMP: more than 262144 elements and texts",
            ),
            (entity, "not valid XMP: "),
        ];
        for (text, reason) in rows {
            let error = xmp(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(reason), "{error}");
        }
        assert_eq!(rows.len(), 5);
    }
}
