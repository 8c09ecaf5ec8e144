//! The fields of a metadata block, and how their texts and dates are read.

/// A date and time as written in the file. Ranges are checked, but not the number of days in a
/// month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// The year, four digits.
    pub year: u16,
    /// The month, 1 to 12.
    pub month: u8,
    /// The day, 1 to 31.
    pub day: u8,
    /// Hours, minutes and seconds, where they are valid.
    pub time: Option<[u8; 3]>,
}

/// What one block says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) make: Option<String>,
    pub(super) model: Option<String>,
    pub(super) taken: Option<Taken>,
    /// When the file was last changed, which is often when the picture was taken.
    pub(super) changed: Option<Taken>,
    /// Names of places, the narrowest first.
    pub(super) places: Vec<String>,
}

/// Maximum length of a text in characters; longer ones are cut.
pub(super) const MAX_CHARS: usize = 128;

/// Maximum number of names of places.
pub(super) const MAX_PLACES: usize = 16;

/// Decodes a text up to the first NUL, without control characters and repeated spaces; `None` when
/// nothing is left.
pub(super) fn text(bytes: &[u8]) -> Option<String> {
    // An entry may be as long as its file.
    let bytes = &bytes[..bytes.len().min(4 * MAX_CHARS)];
    let bytes = bytes.split(|&byte| byte == 0).next()?;
    // Before Unicode, most programs wrote Latin-1; ASCII is both.
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(error) if error.error_len().is_none() => {
            String::from_utf8_lossy(&bytes[..error.valid_up_to()]).into_owned()
        }
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    };
    clean(&text)
}

/// Removes control characters and repeated spaces; `None` when nothing is left.
pub(super) fn clean(text: &str) -> Option<String> {
    let is_gap = |c: char| c.is_whitespace() || c.is_control();
    let words: Vec<&str> = text.split(is_gap).filter(|word| !word.is_empty()).collect();
    let clean: String = words.join(" ").chars().take(MAX_CHARS).collect();
    let clean = clean.trim_end();
    (!clean.is_empty()).then(|| clean.to_owned())
}

/// Reads `2023:08:14 17:03:21` (EXIF), `2023-08-14T17:03:21+02:00` (XMP) or `20230814` (IPTC).
pub(super) fn date(text: &str) -> Option<Taken> {
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

/// Reads ` 17:03:21` or `T17:03`; ignores what follows.
fn time(text: &str) -> Option<[u8; 3]> {
    let text = text.strip_prefix([' ', 'T'])?;
    let end = text.find(|c: char| !c.is_ascii_digit() && c != ':');
    let mut parts = text.get(..end.unwrap_or(text.len()))?.split(':');
    let mut next = || parts.next().map(str::parse::<u8>);
    let (hour, minute) = (next()?.ok()?, next()?.ok()?);
    let second = next().unwrap_or(Ok(0)).ok()?;
    (hour < 24 && minute < 60 && second < 60).then_some([hour, minute, second])
}
