//! Names of positions and positions of names, offline: GeoNames' 144,563 places with more than a
//! thousand inhabitants (data/places), each with its district, region and country.

use std::cmp::Reverse;
use std::sync::OnceLock;

use sightline_index::Coordinates;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// A line that begins with `@` has a country's code, a region and a district; each other line a
/// place there, its latitude, its longitude and, of 9,000 large towns, the [`spellings`] of its
/// names in other languages with `|` between them.
const LIST: &str = include_str!("../../../data/places/places.tsv");

/// Up to this distance, in kilometres, the nearest town says where a picture was taken.
const MAX_TOWN_KM: f64 = 30.0;

/// Up to this distance, in kilometres, its region and country do.
const MAX_REGION_KM: f64 = 100.0;

/// More degrees of latitude than [`MAX_REGION_KM`].
const MAX_DEGREES: f64 = 1.0;

/// Of several towns of one name, the one with the most places within this many degrees is the
/// largest.
const AROUND: f64 = 0.25;

/// A place of the list. The names in its fields are those in English, in ASCII letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Town {
    /// Its name.
    pub name: &'static str,
    /// The district that it is in, may be empty.
    pub district: &'static str,
    /// The region or state, may be empty.
    pub region: &'static str,
    /// The two letters of its country's code.
    pub country_code: &'static str,
    /// Where it is.
    pub position: Coordinates,
    /// Spellings of its names in other languages, with `|` between them; may be empty.
    other_names: &'static str,
}

impl Town {
    /// Name of the country.
    #[must_use]
    pub fn country(&self) -> &'static str {
        country_emoji::code_to_name(self.country_code).unwrap_or(self.country_code)
    }

    /// Whether the list has it under this name.
    fn is_listed_as(&self, wanted: &[String; 2]) -> bool {
        let short = self.name.strip_suffix(" City");
        is_spelled(self.name, wanted) || short.is_some_and(|name| is_spelled(name, wanted))
    }

    /// Whether it has this name, in English or another language.
    fn is_named(&self, wanted: &[String; 2]) -> bool {
        let mut others = self.other_names.split('|').filter(|name| !name.is_empty());
        self.is_listed_as(wanted) || others.any(|name| wanted.iter().any(|wanted| wanted == name))
    }

    /// Whether it lies in a country, region or district of this name, or of this code.
    fn is_in(&self, name: &str) -> bool {
        let own = [self.country_code, self.region, self.district];
        let is_same = |own: &str| is_spelled(own, &spellings(name));
        own.into_iter().any(is_same) || country_emoji::name_to_code(name) == Some(self.country_code)
    }
}

/// All places, in the order of the list.
fn towns() -> impl Iterator<Item = Town> {
    let mut parents = [""; 3];
    LIST.lines().filter_map(move |line| {
        let (line, is_parent) = match line.strip_prefix('@') {
            Some(names) => (names, true),
            None => (line, false),
        };
        let mut fields = line.split('\t');
        let mut field = || fields.next().unwrap_or_default();
        let three = [field(), field(), field()];
        if is_parent {
            parents = three;
            return None;
        }
        let [name, latitude, longitude] = three;
        let [country_code, region, district] = parents;
        Some(Town {
            name,
            district,
            region,
            country_code,
            position: Coordinates::new(latitude.parse().ok()?, longitude.parse().ok()?)?,
            other_names: field(),
        })
    })
}

/// A place with its direction from the earth's centre.
struct Located {
    town: Town,
    direction: [f64; 3],
}

fn direction(position: Coordinates) -> [f64; 3] {
    let (latitude, longitude) = (position.latitude(), position.longitude());
    let (north, across) = latitude.to_radians().sin_cos();
    let (y, x) = longitude.to_radians().sin_cos();
    [across * x, across * y, north]
}

/// The places by latitude, made when the first position is met: less than 0.1 s, and 14 MB.
fn located() -> &'static [Located] {
    static LOCATED: OnceLock<Vec<Located>> = OnceLock::new();
    LOCATED.get_or_init(|| {
        let with_direction = |town: Town| Located {
            direction: direction(town.position),
            town,
        };
        let mut all: Vec<Located> = towns().map(with_direction).collect();
        all.sort_by(|a, b| {
            let [a, b] = [a, b].map(|place| place.town.position.latitude());
            a.total_cmp(&b)
        });
        all
    })
}

/// The nearest place with its distance in kilometres; none far from every place.
fn nearest(position: Coordinates) -> Option<(Town, f64)> {
    let all = located();
    let latitude = position.latitude();
    let first_above = |degrees: f64| {
        all.partition_point(|place| place.town.position.latitude() < latitude + degrees)
    };
    let here = direction(position);
    let chord = |place: &Located| -> f64 {
        let pairs = place.direction.iter().zip(here);
        pairs.map(|(a, b)| (a - b) * (a - b)).sum()
    };
    let near = &all[first_above(-MAX_DEGREES)..first_above(MAX_DEGREES)];
    let nearest = near.iter().min_by(|a, b| chord(a).total_cmp(&chord(b)))?;
    let km = nearest.town.position.metres_to(position) / 1e3;
    (km <= MAX_REGION_KM).then_some((nearest.town, km))
}

/// Names of the places near a position, narrowest first: town, district, region, country, in
/// English where they have an English name. Empty far from every town.
pub(crate) fn names_near(position: Coordinates) -> Vec<String> {
    let Some((town, km)) = nearest(position) else {
        return Vec::new();
    };
    let all = [town.name, town.district, town.region, town.country()];
    let names = if km <= MAX_TOWN_KM {
        &all[..]
    } else {
        &all[2..]
    };
    let mut distinct: Vec<String> = Vec::new();
    for name in names.iter().filter(|name| !name.is_empty()) {
        if !distinct.iter().any(|known| known == name) {
            distinct.push((*name).to_owned());
        }
    }
    distinct
}

/// The places of this name, in capitals or not and with or without accents, the largest first:
/// `kyoto`. What they are in may follow: `Paris, US`, `Paris, Texas`. `new york` also means
/// `New York City`, and a large town has its names in other languages, after towns that are listed
/// under them: `München`, `京都`.
pub(crate) fn named(text: &str) -> Vec<Town> {
    let mut parts = text.split(',').map(str::trim);
    let wanted = spellings(parts.next().unwrap_or_default());
    let within: Vec<&str> = parts.collect();
    if wanted.iter().any(String::is_empty) {
        return Vec::new();
    }
    let mut found: Vec<Town> = towns().filter(|town| town.is_named(&wanted)).collect();
    found.retain(|town| within.iter().all(|name| town.is_in(name)));
    if found.len() > 1 {
        let n_around = n_places_around(&found);
        let mut ranked: Vec<(usize, Town)> = n_around.into_iter().zip(found).collect();
        ranked.sort_by_key(|(n, town)| (!town.is_listed_as(&wanted), Reverse(*n)));
        found = ranked.into_iter().map(|(_, town)| town).collect();
    }
    found
}

/// How many places of the list are near each of these.
fn n_places_around(towns_of_a_name: &[Town]) -> Vec<usize> {
    let mut counts = vec![0; towns_of_a_name.len()];
    for other in towns() {
        for (town, n) in towns_of_a_name.iter().zip(&mut counts) {
            let (here, there) = (town.position, other.position);
            let is_near = (here.latitude() - there.latitude()).abs() < AROUND
                && (here.longitude() - there.longitude()).abs() < AROUND;
            *n += usize::from(is_near);
        }
    }
    counts
}

/// The letters and digits of a name in lower case without accents, in both ways in which the list
/// writes `ö`: `o` and `oe`.
fn spellings(name: &str) -> [String; 2] {
    let lower = name.to_lowercase();
    let mut both = [String::new(), String::new()];
    for character in lower.nfc() {
        let (short, long) = match character {
            'ä' => ("a", "ae"),
            'ö' | 'ø' => ("o", "oe"),
            'ü' => ("u", "ue"),
            'å' => ("a", "aa"),
            'æ' => ("ae", "ae"),
            'œ' => ("oe", "oe"),
            'ß' => ("ss", "ss"),
            'ł' => ("l", "l"),
            'đ' | 'ð' => ("d", "d"),
            'ı' => ("i", "i"),
            other => {
                let plain = std::iter::once(other).nfd();
                let plain = plain.filter(|&c| c.is_alphanumeric() && !is_combining_mark(c));
                for letter in plain {
                    for text in &mut both {
                        text.push(letter);
                    }
                }
                continue;
            }
        };
        both[0].push_str(short);
        both[1].push_str(long);
    }
    // Korean syllables were taken apart.
    both.map(|text| text.nfc().collect())
}

/// Whether a name of the list, which is ASCII, has one of these [`spellings`].
fn is_spelled(name: &str, spellings: &[String; 2]) -> bool {
    let letters = || {
        let letters = name.bytes().filter(u8::is_ascii_alphanumeric);
        letters.map(|letter| letter.to_ascii_lowercase())
    };
    spellings.iter().any(|text| text.bytes().eq(letters()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_have_the_names_of_the_nearest_town_and_what_it_is_in() {
        let rows: [((f64, f64), &[&str]); 7] = [
            ((48.85341, 2.3488), &["Paris", "Ile-de-France", "France"]),
            (
                (48.13743, 11.57549),
                &["Munich", "Upper Bavaria", "Bavaria", "Germany"],
            ),
            ((52.52, 13.405), &["Mitte", "Berlin", "Germany"]),
            // On both sides of the date line, and on the southern half.
            ((-16.8, 179.97), &["Northern", "Fiji"]),
            (
                (-33.8679, 151.2073),
                &["Sydney", "City of Sydney", "New South Wales", "Australia"],
            ),
            // At sea, and at the pole.
            ((30.0, -40.0), &[]),
            ((-90.0, 0.0), &[]),
        ];
        for ((latitude, longitude), expected) in rows {
            let position = Coordinates::new(latitude, longitude).unwrap();
            assert_eq!(names_near(position), expected, "{latitude} {longitude}");
        }
        assert_eq!(rows.len(), 7);
    }

    #[test]
    fn the_nearest_town_is_the_nearest_of_all() {
        let (mut n_near, mut n_checked) = (0, 0);
        for step in 0..60 {
            // All around the earth, most of it land.
            let (latitude, longitude) = (f64::from(step * 7 % 130 - 60), f64::from(step * 6 - 180));
            let position = Coordinates::new(latitude, longitude).unwrap();
            let metres = |town: &Town| town.position.metres_to(position);
            let towns = located().iter().map(|place| place.town);
            let expected = towns
                .min_by(|a, b| metres(a).total_cmp(&metres(b)))
                .unwrap();
            match nearest(position) {
                Some((town, km)) => {
                    assert!((metres(&expected) / 1e3 - km).abs() < 1e-6, "{town:?}");
                    n_near += 1;
                }
                None => assert!(metres(&expected) > 1e3 * MAX_REGION_KM, "{expected:?}"),
            }
            n_checked += 1;
        }
        assert_eq!(n_checked, 60);
        assert!((15..55).contains(&n_near), "{n_near}");
    }

    #[test]
    fn every_place_has_a_position_and_a_country_with_a_name() {
        let n_lines = LIST.lines().filter(|line| !line.starts_with('@')).count();
        assert_eq!((towns().count(), n_lines), (144_563, 144_563));
        for town in towns() {
            assert!(country_emoji::code_to_name(town.country_code).is_some());
        }
    }

    #[test]
    fn other_names_are_listed_as_they_are_compared() {
        let (mut n_towns, mut n_names) = (0, 0);
        for town in towns().filter(|town| !town.other_names.is_empty()) {
            for name in town.other_names.split('|') {
                assert_eq!(spellings(name)[0], name, "{town:?}");
                n_names += 1;
            }
            n_towns += 1;
        }
        assert!(n_towns > 8_500 && n_names > 100_000, "{n_towns} {n_names}");
    }

    #[test]
    fn names_have_positions_the_largest_town_first() {
        let rows = [
            ("kyoto", 1, ("Kyoto", "Kyoto", "JP")),
            ("Paris", 11, ("Paris", "Ile-de-France", "FR")),
            ("paris, us", 8, ("Paris", "Maine", "US")),
            ("Paris, Texas", 1, ("Paris", "Texas", "US")),
            ("Paris, Texas, USA", 1, ("Paris", "Texas", "US")),
            ("Paris, Deutschland", 0, ("", "", "")),
            ("London", 6, ("London", "England", "GB")),
            ("München", 1, ("Munich", "Bavaria", "DE")),
            ("Muenchen, DE", 1, ("Munich", "Bavaria", "DE")),
            ("munchen", 1, ("Munich", "Bavaria", "DE")),
            ("東京", 1, ("Tokyo", "Tokyo", "JP")),
            ("京都, JP", 1, ("Kyoto", "Kyoto", "JP")),
            ("서울", 1, ("Seoul", "Seoul", "KR")),
            ("Москва", 1, ("Moscow", "Moscow", "RU")),
            ("Αθήνα", 1, ("Athens", "Attica", "GR")),
            ("القاهرة", 1, ("Cairo", "Muhafazat al Qahirah", "EG")),
            ("กรุงเทพมหานคร", 1, ("Bangkok", "Bangkok", "TH")),
            ("Köln", 1, ("Koeln", "North Rhine-Westphalia", "DE")),
            ("KO\u{308}LN", 1, ("Koeln", "North Rhine-Westphalia", "DE")),
            ("Zürich", 1, ("Zurich", "Zurich", "CH")),
            ("são paulo", 1, ("Sao Paulo", "Sao Paulo", "BR")),
            ("new york", 1, ("New York City", "New York", "US")),
            ("ile de france", 0, ("", "", "")),
            ("", 0, ("", "", "")),
            (", US", 0, ("", "", "")),
        ];
        assert_eq!(rows.len(), 25);
        for (text, n, first) in rows {
            let found = named(text);
            assert_eq!(found.len(), n, "{text}: {found:?}");
            let shown = found
                .first()
                .map(|town| (town.name, town.region, town.country_code));
            assert_eq!(shown.unwrap_or_default(), first, "{text}");
        }
    }
}
