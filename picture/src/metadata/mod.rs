//! With what, when and where was a picture taken, as far as its file says?
//!
//! Cameras write EXIF, photographers' programs IPTC and XMP; all lie in the file beside the pixels, which are not
//! decoded here. Whatever is malformed is as if it were not there. Nothing is believed of lengths: all is looked up
//! in the bytes of the file, and what is taken from it is short.

mod blocks;
mod exif;
mod iptc;
#[cfg(test)]
mod tests;
mod xmp;

use super::guard::guarded;
use blocks::Blocks;

/// What a file says about its picture. Texts are without control characters, but otherwise as somebody wrote them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Details {
    /// Maker and model of the camera.
    pub camera: Option<String>,
    /// When it was taken, by the camera's clock.
    pub taken: Option<Taken>,
    /// Names of where it was taken, the narrowest first: a spot, a city, a region, a country.
    pub places: Vec<String>,
}

/// A date as the file has it: no month is above 12 and no day above 31, but not every month has 31 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// The year, four digits.
    pub year: u16,
    /// The month, 1 to 12.
    pub month: u8,
    /// The day, 1 to 31.
    pub day: u8,
    /// Hours, minutes and seconds, where they are sound.
    pub time: Option<[u8; 3]>,
}

/// Longer texts are cut: these are names.
const MAX_CHARS: usize = 128;

/// So many places are more than anybody writes.
const MAX_PLACES: usize = 16;

/// Reads what a picture file's content says about the picture. Decodes nothing, never panics; of a file that says
/// nothing, or is no picture, the details are empty.
#[must_use]
pub fn details(bytes: &[u8]) -> Details {
    guarded(|| read(&Blocks::find(bytes))).unwrap_or_default()
}

/// What one kind of block says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    make: Option<String>,
    model: Option<String>,
    taken: Option<Taken>,
    /// When the file was last changed, which is often when the picture was taken.
    changed: Option<Taken>,
    places: Vec<String>,
}

fn read(blocks: &Blocks<'_>) -> Details {
    let exif = blocks.exif.as_deref().map(exif::read).unwrap_or_default();
    let xmp = blocks.xmp.as_deref().map(xmp::read).unwrap_or_default();
    let iptc = blocks.iptc.map(iptc::read).unwrap_or_default();
    let mut places: Vec<String> = Vec::new();
    for place in xmp.places.into_iter().chain(iptc.places) {
        let small = place.to_lowercase();
        let is_known = places.iter().any(|known| known.to_lowercase() == small);
        if places.len() < MAX_PLACES && !is_known {
            places.push(place);
        }
    }
    Details {
        camera: camera(exif.make.or(xmp.make), exif.model.or(xmp.model)),
        taken: exif
            .taken
            .or(xmp.taken)
            .or(iptc.taken)
            .or(exif.changed)
            .or(xmp.changed),
        places,
    }
}

/// `Canon` and `Canon EOS 5D` are `Canon EOS 5D`; `NIKON CORPORATION` and `NIKON D750` are `NIKON D750`.
fn camera(make: Option<String>, model: Option<String>) -> Option<String> {
    let (make, model) = match (make, model) {
        (Some(make), Some(model)) => (make, model),
        (make, model) => return make.or(model),
    };
    let first = |text: &str| text.split(' ').next().map(str::to_lowercase);
    Some(if first(&make) == first(&model) {
        model
    } else {
        format!("{make} {model}")
    })
}

/// A text without control characters and needless spaces, up to the first NUL; none if nothing is left.
fn tidy(bytes: &[u8]) -> Option<String> {
    // An entry may be as long as its file.
    let bytes = &bytes[..bytes.len().min(4 * MAX_CHARS)];
    let bytes = bytes.split(|&byte| byte == 0).next()?;
    // Before Unicode, most wrote Latin-1; ASCII is both.
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(error) if error.error_len().is_none() => {
            String::from_utf8_lossy(&bytes[..error.valid_up_to()]).into_owned()
        }
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    };
    tidy_text(&text)
}

fn tidy_text(text: &str) -> Option<String> {
    let is_gap = |c: char| c.is_whitespace() || c.is_control();
    let words: Vec<&str> = text.split(is_gap).filter(|word| !word.is_empty()).collect();
    let tidy: String = words.join(" ").chars().take(MAX_CHARS).collect();
    let tidy = tidy.trim_end();
    (!tidy.is_empty()).then(|| tidy.to_owned())
}

/// `2023:08:14 17:03:21` (EXIF), `2023-08-14T17:03:21+02:00` (XMP) or `20230814` (IPTC).
fn date(text: &str) -> Option<Taken> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    let is_date = |c: &char| c.is_ascii_digit() || matches!(c, ':' | '-' | '/' | '.');
    let date: String = text.chars().take_while(is_date).take(10).collect();
    let digits: String = date.chars().filter(char::is_ascii_digit).collect();
    if digits.len() != 8 || !date.starts_with(digits.get(..4)?) {
        return None;
    }
    let year = digits.get(..4)?.parse().ok()?;
    let month = digits.get(4..6)?.parse().ok()?;
    let day = digits.get(6..)?.parse().ok()?;
    if year == 0 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    Some(Taken {
        year,
        month,
        day,
        time: time(text.get(date.len()..)?),
    })
}

/// ` 17:03:21` or `T17:03`, and what follows.
fn time(text: &str) -> Option<[u8; 3]> {
    let text = text.strip_prefix([' ', 'T'])?;
    let end = text.find(|c: char| !c.is_ascii_digit() && c != ':');
    let mut parts = text.get(..end.unwrap_or(text.len()))?.split(':');
    let mut next = || parts.next().map(str::parse::<u8>);
    let (hour, minute) = (next()?.ok()?, next()?.ok()?);
    let second = next().unwrap_or(Ok(0)).ok()?;
    (hour < 24 && minute < 60 && second < 60).then_some([hour, minute, second])
}
