//! The fields of a metadata block, and how their texts and dates are read.

/// A date and time as written in the file, as far as it is known. Ranges are checked, but not the
/// number of days in a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// The year, four digits.
    pub year: u16,
    /// The month, 1 to 12; 0 if it is unknown.
    pub month: u8,
    /// The day, 1 to 31; 0 if it is unknown, as it is without a month.
    pub day: u8,
    /// Hours, minutes and seconds, where they are valid and the day is known.
    pub time: Option<[u8; 3]>,
}

impl Taken {
    /// Of two statements on one picture, the first counts, unless the later one says the same and
    /// more.
    pub(super) fn merged(first: Option<Self>, later: Option<Self>) -> Option<Self> {
        match (first, later) {
            (Some(first), Some(later)) if !later.completes(first) => Some(first),
            (first, later) => later.or(first),
        }
    }

    /// Whether this has all known parts of a less precise date.
    fn completes(self, date: Self) -> bool {
        let n_known = [date.month > 0, date.day > 0, date.time.is_some()];
        let n_known = n_known.into_iter().filter(|&is_known| is_known).count();
        self.year == date.year
            && (n_known < 1 || self.month == date.month)
            && (n_known < 2 || self.day == date.day)
            && n_known < 3
    }
}

/// What one block says.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Fields {
    pub(super) make: Option<String>,
    pub(super) model: Option<String>,
    pub(super) taken: Option<Taken>,
    /// When the file was last changed, which is often when the picture was taken.
    pub(super) changed: Option<Taken>,
    /// Names of places, the narrowest first.
    pub(super) places: Vec<String>,
    /// Latitude and longitude in degrees, as written.
    pub(super) position: Option<(f64, f64)>,
    /// Titles, then descriptions, as written.
    pub(super) texts: Vec<String>,
    /// Keywords, as written.
    pub(super) keywords: Vec<String>,
}

/// Maximum length of a text in characters; longer ones are cut.
pub(super) const MAX_CHARS: usize = 128;

/// Maximum number of names of places.
pub(super) const MAX_PLACES: usize = 16;

/// Decodes a text up to the first NUL, without control characters and repeated spaces; `None` when
/// nothing is left.
pub(super) fn text(bytes: &[u8]) -> Option<String> {
    clean(&decoded(bytes, 4 * MAX_CHARS))
}

/// Decodes a text up to the first NUL, at most `max_bytes` of it, since an entry may be as long as
/// its file.
pub(super) fn decoded(bytes: &[u8], max_bytes: usize) -> String {
    let bytes = &bytes[..bytes.len().min(max_bytes)];
    let bytes = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
    // Before Unicode, most programs wrote Latin-1; ASCII is both.
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(error) if error.error_len().is_none() => {
            String::from_utf8_lossy(&bytes[..error.valid_up_to()]).into_owned()
        }
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}

/// Removes control characters and repeated spaces; `None` when nothing is left.
pub(super) fn clean(text: &str) -> Option<String> {
    clean_to(MAX_CHARS, text)
}

/// The same, cut after a number of characters.
pub(super) fn clean_to(max_chars: usize, text: &str) -> Option<String> {
    let is_gap = |c: char| c.is_whitespace() || c.is_control();
    let words: Vec<&str> = text.split(is_gap).filter(|word| !word.is_empty()).collect();
    let clean: String = words.join(" ").chars().take(max_chars).collect();
    let clean = clean.trim_end();
    (!clean.is_empty()).then(|| clean.to_owned())
}

/// Reads `2023:08:14 17:03:21` (EXIF), `2023-08-14T17:03:21+02:00` (XMP), `20230814` (IPTC) or
/// `20230814170321`. Parts may be padded with spaces (`2012: 3: 4`). A month or day that is zero,
/// blank or left out is unknown: `1993:08:00`, `1993-08`, `1993`. The year comes first, since the
/// order of day and month differs between countries.
pub(super) fn date(text: &str) -> Option<Taken> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    let is_short = |n: &usize| *n <= 14;
    let n_digits = Some(text.bytes().take_while(u8::is_ascii_digit).count()).filter(is_short)?;
    let (digits, rest) = text.split_at_checked(n_digits)?;
    let number = |range: std::ops::Range<usize>| digits.get(range)?.parse::<u16>().ok();
    let (month, day, rest) = match n_digits {
        4 => parts(rest)?,
        8 => (number(4..6)?, number(6..8)?, rest),
        14 => (number(4..6)?, number(6..8)?, &text[8..]),
        _ => return None,
    };
    let year = number(0..4).filter(|&year| year > 0)?;
    let month = u8::try_from(month).ok().filter(|&month| month <= 12)?;
    let day = u8::try_from(day).ok().filter(|&day| day <= 31)?;
    // Without its month a day says nothing.
    let day = if month == 0 { 0 } else { day };
    Some(Taken {
        year,
        month,
        day,
        time: time(rest).filter(|_| day > 0),
    })
}

/// Reads the month and the day after a year, zero for those that are not there, and returns what
/// follows.
fn parts(mut rest: &str) -> Option<(u16, u16, &str)> {
    let mut found = [0; 2];
    for part in &mut found {
        let Some(after) = rest.strip_prefix([':', '-', '/', '.']) else {
            break;
        };
        let digits = after.trim_start_matches(' ');
        let n_digits = digits.bytes().take_while(u8::is_ascii_digit).count();
        rest = if n_digits == 0 {
            after.trim_start_matches(' ')
        } else {
            *part = digits
                .get(..n_digits)
                .filter(|_| n_digits <= 2)?
                .parse()
                .ok()?;
            &digits[n_digits..]
        };
    }
    let [month, day] = found;
    // Anything may follow a whole date, a time zone for instance.
    let is_sound = day > 0 || rest.is_empty() || rest.starts_with([' ', 'T', ':', '\0']);
    is_sound.then_some((month, day, rest))
}

/// Reads ` 17:03:21`, `T17:03`, ` 9: 3: 7` or `170321`; ignores what follows.
fn time(text: &str) -> Option<[u8; 3]> {
    let text = text
        .strip_prefix(['T', 't'])
        .unwrap_or(text)
        .trim_start_matches(' ');
    let n_digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let mut numbers = [0; 3];
    if matches!(n_digits, 4 | 6) {
        let (pairs, _) = text.as_bytes()[..n_digits].as_chunks::<2>();
        for (number, [tens, ones]) in numbers.iter_mut().zip(pairs) {
            *number = (tens - b'0') * 10 + (ones - b'0');
        }
    } else {
        let is_time = |c: char| c.is_ascii_digit() || matches!(c, ':' | ' ');
        let end = text.find(|c| !is_time(c)).unwrap_or(text.len());
        let mut parts = text[..end].split(':').map(|part| part.trim().parse::<u8>());
        numbers = [parts.next()?.ok()?, parts.next()?.ok()?, 0];
        if let Some(second) = parts.next() {
            numbers[2] = second.ok()?;
        }
        // Half a day is missing or too much.
        let after = text[end..].trim_start().as_bytes();
        if let [b'a' | b'A' | b'p' | b'P', b'm' | b'M', ..] = after {
            return None;
        }
    }
    let [hour, minute, second] = numbers;
    (hour < 24 && minute < 60 && second < 60).then_some(numbers)
}
