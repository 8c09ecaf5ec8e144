//! What the index holds: images with their details, captions, their files, and library folders.

use std::cmp::Ordering;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The id of an item, from 1. Ids are never reused, not even after the item was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ItemId(pub u32);

/// The two kinds of item. Each has its own graph. The numbers are those on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ItemKind {
    /// A picture.
    Image = 0,
    /// A text that describes an image or stands alone.
    Caption = 1,
}

impl ItemKind {
    /// Both kinds, in the order of their numbers on disk.
    pub const ALL: [Self; 2] = [Self::Image, Self::Caption];

    /// The kind in messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Caption => "caption",
        }
    }

    /// The number of the kind, its place in arrays.
    pub(crate) fn number(self) -> usize {
        self as usize
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

/// The number of a commit: 0 for an index without commits, then 1, 2, 3…
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u64);

/// An indexed picture. Files with the same bytes are one image with several paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its id.
    pub id: ItemId,
    /// Hash of the file's bytes.
    pub content_hash: [u8; 32],
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Metadata of its file, completed by those of its sidecars. None when neither was ever read,
    /// as in an index written by an older version.
    pub details: Option<Details>,
    /// The tags that it was given, sorted, each once. Keywords are among the details.
    pub tags: Vec<String>,
    /// Whether its tags were ever set. With no tags then, none of those it was compared with fits.
    pub is_tagged: bool,
    /// The paths of its files, sorted by their bytes.
    pub paths: Vec<PathBuf>,
}

/// An indexed caption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caption {
    /// Its id.
    pub id: ItemId,
    /// The text.
    pub text: String,
    /// The image that it describes; none for a line of a plain list of captions.
    pub image: Option<ItemId>,
    /// The file that it was read from.
    pub source: PathBuf,
}

/// Either kind of item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A picture.
    Image(Image),
    /// A text.
    Caption(Caption),
}

/// The state of a file when it was indexed. A file whose size and time have not changed need not be
/// read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileRecord {
    /// Size in bytes.
    pub n_bytes: u64,
    /// Modification time in nanoseconds since 1970, negative before.
    pub modified_ns: i128,
    /// The image in the file.
    pub image: ItemId,
    /// What the file system says beyond that. None when it says nothing, and in a record of an
    /// older version.
    pub change: Option<ChangeStamp>,
}

/// The status change time (`ctime`) of a file, which no program can set back, and what is known of
/// its worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeStamp {
    /// Nanoseconds since 1970, negative before.
    pub changed_ns: i64,
    /// How often in a row it changed while the content did not.
    pub n_false_alarms: u8,
    /// Whether the file was on another disk than its library folder.
    pub is_mounted: bool,
}

/// A library folder: a folder that was indexed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// Its path.
    pub folder: PathBuf,
    /// Number of pictures found in it.
    pub n_files: u64,
    /// When it was last indexed, in seconds since 1970.
    pub last_run_unix_s: u64,
}

/// Statistics of the last indexing run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LastRun {
    /// When it ended, in seconds since 1970.
    pub ended_unix_s: u64,
    /// Files checked.
    pub n_seen: u64,
    /// Files added.
    pub n_added: u64,
    /// Files whose content had changed.
    pub n_changed: u64,
    /// Files removed from the index.
    pub n_removed: u64,
    /// Files that could not be read.
    pub n_skipped: u64,
    /// Whether it was stopped before it was complete.
    pub interrupted: bool,
}

/// Metadata of a picture, of its file or of sidecars. The texts are copied unchecked and may
/// contain anything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Details {
    /// Maker and model of the camera.
    pub camera: Option<String>,
    /// When the picture was taken, by the camera's clock.
    pub taken: Option<Moment>,
    /// Names of the place where it was taken, narrowest first: location, city, region, country.
    pub places: Vec<String>,
    /// Where it was taken.
    pub position: Option<Coordinates>,
    /// Keywords, found as tags are.
    pub keywords: Vec<String>,
    /// Titles and descriptions. The index only keeps them: whoever indexes a file makes captions of
    /// them.
    pub texts: Vec<String>,
}

impl Details {
    /// These details and what `other` adds: its camera, date and position where they are missing
    /// here, and its places, keywords and texts after those here. Names that differ in case alone
    /// are the same.
    #[must_use]
    pub fn completed_by(mut self, other: &Self) -> Self {
        fn add(to: &mut Vec<String>, from: &[String]) {
            for text in from {
                let lower = text.to_lowercase();
                if !to.iter().any(|known| known.to_lowercase() == lower) {
                    to.push(text.clone());
                }
            }
        }
        self.camera = self.camera.or_else(|| other.camera.clone());
        self.taken = self.taken.or(other.taken);
        self.position = self.position.or(other.position);
        add(&mut self.places, &other.places);
        add(&mut self.keywords, &other.keywords);
        add(&mut self.texts, &other.texts);
        self
    }
}

/// A place on earth (WGS 84), to a ten-millionth of a degree: about a centimetre.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Coordinates {
    latitude_e7: i32,
    longitude_e7: i32,
}

impl Coordinates {
    const E7: f64 = 1e7;

    /// The mean radius of the earth, in metres.
    pub const EARTH_RADIUS_M: f64 = 6_371_008.8;

    /// From a latitude of -90° to 90° and a longitude of -180° to 180°, both in degrees. None
    /// outside these ranges.
    #[must_use]
    pub fn new(latitude: f64, longitude: f64) -> Option<Self> {
        let is_sound = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "180e7 is less than the largest i32"
        )]
        let scaled = |degrees: f64| (degrees * Self::E7).round() as i32;
        is_sound.then(|| Self {
            latitude_e7: scaled(latitude),
            longitude_e7: scaled(longitude),
        })
    }

    /// Degrees north of the equator, -90 to 90.
    #[must_use]
    pub fn latitude(self) -> f64 {
        f64::from(self.latitude_e7) / Self::E7
    }

    /// Degrees east of Greenwich, -180 to 180.
    #[must_use]
    pub fn longitude(self) -> f64 {
        f64::from(self.longitude_e7) / Self::E7
    }

    /// Metres to another position along a great circle of a sphere, up to 0.5 % from the way on the
    /// ellipsoid (haversine formula; Sinnott, "Virtues of the Haversine", 1984).
    #[must_use]
    pub fn metres_to(self, other: Self) -> f64 {
        let [from, to] = [self, other].map(|place| place.latitude().to_radians());
        let turn = (other.longitude() - self.longitude()).to_radians();
        let haversine = |angle: f64| (angle / 2.0).sin().powi(2);
        let h = haversine(to - from) + from.cos() * to.cos() * haversine(turn);
        2.0 * Self::EARTH_RADIUS_M * h.clamp(0.0, 1.0).sqrt().asin()
    }

    /// Both in ten-millionths of a degree, as they are on disk.
    pub(crate) fn e7(self) -> [i32; 2] {
        [self.latitude_e7, self.longitude_e7]
    }

    pub(crate) fn from_e7([latitude_e7, longitude_e7]: [i32; 2]) -> Option<Self> {
        let is_sound = latitude_e7.unsigned_abs() <= 900_000_000
            && longitude_e7.unsigned_abs() <= 1_800_000_000;
        is_sound.then_some(Self {
            latitude_e7,
            longitude_e7,
        })
    }
}

/// Whether a picture, as it is shown, is wider than tall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Orientation {
    /// Wider than tall.
    Landscape,
    /// Taller than wide.
    Portrait,
    /// As wide as tall.
    Square,
}

impl Orientation {
    /// The orientation of a picture of this size.
    #[must_use]
    pub fn of(width: u32, height: u32) -> Self {
        match width.cmp(&height) {
            Ordering::Greater => Self::Landscape,
            Ordering::Less => Self::Portrait,
            Ordering::Equal => Self::Square,
        }
    }

    /// Its number on disk.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Landscape => 0,
            Self::Portrait => 1,
            Self::Square => 2,
        }
    }
}

/// A date with an optional time of day, without a time zone, as a camera's clock shows it. Of an
/// old picture only the month or the year may be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment {
    year: u16,
    month: u8,
    day: u8,
    time: Option<[u8; 3]>,
}

impl Moment {
    /// A date in the years 1 to 9999 and a time as hours, minutes and seconds. A day that is not
    /// known is 0, and so is a month without a day. None when there is no such date or time.
    #[must_use]
    pub fn new(year: u16, month: u8, day: u8, time: Option<[u8; 3]>) -> Option<Self> {
        let is_leap =
            year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
        let n_days = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if is_leap => 29,
            2 => 28,
            0 => 0,
            _ => return None,
        };
        let is_day = (1..=9999).contains(&year) && day <= n_days && (day > 0 || time.is_none());
        let is_time = time.is_none_or(|[hour, minute, second]| {
            // A leap second may be the 60th.
            hour < 24 && minute < 60 && second <= 60
        });
        (is_day && is_time).then_some(Self {
            year,
            month,
            day,
            time,
        })
    }

    /// The year.
    #[must_use]
    pub fn year(self) -> u16 {
        self.year
    }

    /// The month, 1 to 12; 0 if it is not known.
    #[must_use]
    pub fn month(self) -> u8 {
        self.month
    }

    /// The day of the month, from 1; 0 if it is not known.
    #[must_use]
    pub fn day(self) -> u8 {
        self.day
    }

    /// The first and the last day that it may mean.
    pub(crate) fn days(self) -> (Self, Self) {
        let (month, day) = (self.month, self.day);
        let day_of = |month, day| Self::new(self.year, month, day, None);
        let first = day_of(month.max(1), day.max(1));
        let last_month = if month == 0 { 12 } else { month };
        let last = match day {
            0 => (28..=31).rev().find_map(|day| day_of(last_month, day)),
            day => day_of(month, day),
        };
        (first.unwrap_or(self), last.unwrap_or(self))
    }

    /// Hours, minutes and seconds.
    pub(crate) fn time(self) -> Option<[u8; 3]> {
        self.time
    }

    /// Day of the week, 0 for Monday, in the Gregorian calendar. None without a day.
    pub(crate) fn weekday(self) -> Option<usize> {
        if self.day == 0 {
            return None;
        }
        // Zeller's congruence: the year begins in March.
        let (year, month) = if self.month < 3 {
            (
                usize::from(self.year) - 1 + 400,
                usize::from(self.month) + 12,
            )
        } else {
            (usize::from(self.year) + 400, usize::from(self.month))
        };
        let day = usize::from(self.day);
        let from_saturday = day + 13 * (month + 1) / 5 + year + year / 4 - year / 100 + year / 400;
        Some((from_saturday + 5) % 7)
    }
}

impl fmt::Display for Moment {
    /// `2023-08-14` or `2023-08-14T17:03:21`; `2023-08` or `2023` when no more is known.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            year,
            month,
            day,
            time,
        } = self;
        write!(formatter, "{year:04}")?;
        if *month > 0 {
            write!(formatter, "-{month:02}")?;
        }
        if *day > 0 {
            write!(formatter, "-{day:02}")?;
        }
        if let Some([hour, minute, second]) = time {
            write!(formatter, "T{hour:02}:{minute:02}:{second:02}")?;
        }
        Ok(())
    }
}

impl FromStr for Moment {
    type Err = ParseMomentError;

    /// Parses the format that [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self, ParseMomentError> {
        // Numbers that are left out at the end are zero.
        let numbers = |text: &str, separator: char, lengths: [usize; 3], n_least: usize| {
            let mut parts = text.split(separator);
            let mut numbers = [0u16; 3];
            for (n, (number, length)) in numbers.iter_mut().zip(lengths).enumerate() {
                let part = parts.next();
                if part.is_none() && n >= n_least {
                    break;
                }
                let part = part.filter(|part| part.len() == length)?;
                let is_number = part.bytes().all(|byte| byte.is_ascii_digit());
                *number = part.parse().ok().filter(|_| is_number)?;
            }
            parts.next().is_none().then_some(numbers)
        };
        let small = |number: u16| u8::try_from(number).ok();
        let read = || {
            let (day, time) = text
                .split_once('T')
                .map_or((text, None), |(day, time)| (day, Some(time)));
            let [year, month, day] = numbers(day, '-', [4, 2, 2], 1)?;
            let time = match time {
                Some(time) => {
                    let [hour, minute, second] = numbers(time, ':', [2, 2, 2], 3)?;
                    Some([small(hour)?, small(minute)?, small(second)?])
                }
                None => None,
            };
            // Zeros are never written.
            Self::new(year, small(month)?, small(day)?, time)
                .filter(|moment| moment.to_string() == text)
        };
        read().ok_or(ParseMomentError)
    }
}

/// A text that is not a [`Moment`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a date such as 2023-08-14T17:03:21, 2023-08-14, 2023-08 or 2023")]
pub struct ParseMomentError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_valid_dates_and_times_are_moments() {
        let rows = [
            (
                (2023, 8, 14, Some([17, 3, 21])),
                Some("2023-08-14T17:03:21"),
            ),
            ((2024, 2, 29, None), Some("2024-02-29")),
            ((2023, 2, 29, None), None),
            ((1900, 2, 29, None), None),
            ((2000, 2, 29, None), Some("2000-02-29")),
            ((0, 1, 1, None), None),
            ((2023, 13, 1, None), None),
            ((2023, 0, 1, None), None),
            ((2023, 0, 0, None), Some("2023")),
            ((2023, 0, 0, Some([1, 2, 3])), None),
            ((0, 0, 0, None), None),
            ((2023, 4, 31, None), None),
            ((2023, 4, 0, None), Some("2023-04")),
            ((2023, 4, 0, Some([1, 2, 3])), None),
            ((2023, 13, 0, None), None),
            ((2023, 4, 1, Some([24, 0, 0])), None),
            (
                (2023, 4, 1, Some([23, 59, 60])),
                Some("2023-04-01T23:59:60"),
            ),
        ];
        assert_eq!(rows.len(), 17);
        for ((year, month, day, time), expected) in rows {
            let moment = Moment::new(year, month, day, time);
            let shown = moment.map(|moment| moment.to_string());
            assert_eq!(shown.as_deref(), expected);
            if let Some(shown) = shown {
                assert_eq!(shown.parse().ok(), moment);
            }
        }
        let wrong = [
            "",
            "0000",
            "2023-",
            "2023-00",
            "2023-08-00",
            "2023T17:03:21",
            "2023-8-14",
            "2023-08-14T",
            "2023-08-14T17:03",
            "+023-08-14",
        ];
        for text in wrong {
            assert_eq!(text.parse::<Moment>(), Err(ParseMomentError), "{text}");
        }
        assert_eq!(wrong.len(), 10);
    }

    #[test]
    fn coordinates_are_on_earth_and_keep_seven_decimals() {
        let here = Coordinates::new(48.858_370_1, -2.294_481_3).unwrap();
        assert_eq!(
            (here.latitude(), here.longitude()),
            (48.858_370_1, -2.294_481_3)
        );
        assert_eq!(Coordinates::from_e7(here.e7()), Some(here));
        for (latitude, longitude) in [(90.0, 180.0), (-90.0, -180.0), (0.0, 0.0)] {
            let corner = Coordinates::new(latitude, longitude).unwrap();
            assert_eq!(Coordinates::from_e7(corner.e7()), Some(corner));
        }
        for (latitude, longitude) in [(90.1, 0.0), (0.0, -180.1), (f64::NAN, 0.0)] {
            assert_eq!(Coordinates::new(latitude, longitude), None);
        }
        assert_eq!(Coordinates::from_e7([i32::MIN, 0]), None);
    }

    #[test]
    fn details_are_completed_and_never_replaced() {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        let own = Details {
            taken: Moment::new(2023, 8, 14, None),
            places: texts(&["Kyoto"]),
            keywords: texts(&["Temple"]),
            ..Details::default()
        };
        let other = Details {
            camera: Some("Nikon".into()),
            taken: Moment::new(2020, 1, 1, None),
            places: texts(&["kyoto", "Japan"]),
            position: Coordinates::new(35.0, 135.7),
            keywords: texts(&["rain", "temple", "rain"]),
            texts: texts(&["a gate"]),
        };
        let expected = Details {
            taken: own.taken,
            places: texts(&["Kyoto", "Japan"]),
            keywords: texts(&["Temple", "rain"]),
            ..other.clone()
        };
        assert_eq!(own.completed_by(&other), expected);
    }

    #[test]
    fn an_imprecise_date_means_all_its_days() {
        let rows = [
            ("2023", "2023-01-01", "2023-12-31"),
            ("2024-02", "2024-02-01", "2024-02-29"),
            ("2023-02", "2023-02-01", "2023-02-28"),
            ("2023-04", "2023-04-01", "2023-04-30"),
            ("2023-08-14T01:02:03", "2023-08-14", "2023-08-14"),
        ];
        assert_eq!(rows.len(), 5);
        for (date, first, last) in rows {
            let (from, to) = date.parse::<Moment>().unwrap().days();
            assert_eq!(
                (from.to_string(), to.to_string()),
                (first.into(), last.into())
            );
        }
    }

    #[test]
    fn weekday_follows_from_the_date() {
        let rows = [
            ((2023, 8, 14), 0),
            ((2024, 2, 29), 3),
            ((2000, 1, 1), 5),
            ((1969, 7, 20), 6),
            ((1, 1, 1), 0),
        ];
        assert_eq!(rows.len(), 5);
        for ((year, month, day), weekday) in rows {
            let moment = Moment::new(year, month, day, None).unwrap();
            assert_eq!(moment.weekday(), Some(weekday), "{moment}");
        }
    }
}
