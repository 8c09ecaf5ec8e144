//! The value of `near:`: a circle around a position or around a town.

use std::fmt;

use sightline_index::{Coordinates, Filter, IndexError, IndexReader, ItemKind};

use crate::engine::indexing::geography::{self, Town};

/// The radius of a circle where none is given, in metres.
const USUAL: u32 = 10_000;

/// The largest radius, in kilometres: half around the earth.
const MAX_KM: f64 = 20_000.0;

/// A circle in which hits were taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vicinity {
    /// Its centre.
    pub centre: Coordinates,
    /// Its radius.
    pub metres: u32,
    /// The town whose centre it is, if it was named.
    pub town: Option<Town>,
    /// Other towns of that name, the largest first.
    pub others: Vec<Town>,
}

impl Vicinity {
    /// What `35.01,135.77,20` (latitude and longitude in degrees, kilometres), `kyoto`, `kyoto,20`
    /// or `Paris, US, 20km` stands for; 10 km without a distance. Or what the value must be.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let parts: Vec<&str> = text.split(',').map(str::trim).collect();
        let mut numbers: Vec<Option<f64>> = parts.iter().map(|part| number(part)).collect();
        if let ([.., last], [.., value]) = (&parts[..], &mut numbers[..]) {
            let km = in_km(last);
            if km.is_some() && parts.len() == 1 {
                return Err("a town or a position before the distance, such as kyoto,20");
            }
            *value = value.or(km);
        }
        if let [Some(latitude), Some(longitude), rest @ ..] = &numbers[..] {
            const POSITION: &str = "a latitude from -90 to 90, a longitude from -180 to 180 and a \
                                    distance in km, such as 35.01,135.77,20";
            let metres = match rest {
                [] => USUAL,
                [Some(km)] => in_metres(*km)?,
                _ => return Err(POSITION),
            };
            return Ok(Self {
                centre: Coordinates::new(*latitude, *longitude).ok_or(POSITION)?,
                metres,
                town: None,
                others: Vec::new(),
            });
        }
        let (names, metres) = match (&parts[..], numbers.last()) {
            ([names @ .., _], Some(Some(km))) => (names, in_metres(*km)?),
            (names, _) => (names, USUAL),
        };
        let mut towns = geography::named(&names.join(",")).into_iter();
        let town = towns.next().ok_or(
            "a town of GeoNames (kyoto), with its country if there are several, in quotation marks \
             if there is a space (\"Paris, US\"), or latitude,longitude,km",
        )?;
        Ok(Self {
            centre: town.position,
            metres,
            town: Some(town),
            others: towns.collect(),
        })
    }

    /// The images in it.
    pub(super) fn filter(&self) -> Filter {
        Filter::Near {
            centre: self.centre,
            metres: self.metres,
        }
    }

    /// The same around that town of the name which has the most pictures near it.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub(super) fn settled(&self, reader: &IndexReader) -> Result<Self, IndexError> {
        let mut settled = self.clone();
        let Some(town) = self.town.filter(|_| !self.others.is_empty()) else {
            return Ok(settled);
        };
        let towns: Vec<Town> = [town].into_iter().chain(self.others.clone()).collect();
        let around = |town: &Town| Filter::Near {
            centre: town.position,
            metres: self.metres,
        };
        let anywhere = Filter::Any(towns.iter().map(around).collect());
        if reader.select(ItemKind::Image, &anywhere)?.is_empty() {
            return Ok(settled);
        }
        let (mut best, mut n_most) = (town, 0);
        for town in &towns {
            let n = reader.select(ItemKind::Image, &around(town))?.len();
            if n > n_most {
                (best, n_most) = (*town, n);
            }
        }
        settled.centre = best.position;
        settled.town = Some(best);
        settled.others = towns.into_iter().filter(|town| *town != best).collect();
        Ok(settled)
    }

    /// Its radius in kilometres.
    #[must_use]
    pub fn km(&self) -> f64 {
        f64::from(self.metres) / 1e3
    }
}

/// `10 km around Paris, Texas, United States (33.66094, -95.55551)`
impl fmt::Display for Vicinity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} km around ", self.km())?;
        let (latitude, longitude) = (self.centre.latitude(), self.centre.longitude());
        let Some(town) = &self.town else {
            return write!(formatter, "{latitude}, {longitude}");
        };
        write!(formatter, "{}, ", town.name)?;
        if !town.region.is_empty() && town.region != town.name {
            write!(formatter, "{}, ", town.region)?;
        }
        write!(formatter, "{} ({latitude}, {longitude})", town.country())
    }
}

/// A decimal number. A town may be called Nan.
fn number(text: &str) -> Option<f64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_number = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|_| is_number)
}

/// The distance in `20km` or `20 KM`.
fn in_km(text: &str) -> Option<f64> {
    let at = text.len().checked_sub("km".len())?;
    let (value, unit) = text.split_at_checked(at)?;
    number(value.trim_end()).filter(|_| unit.eq_ignore_ascii_case("km"))
}

fn in_metres(km: f64) -> Result<u32, &'static str> {
    let metres = (km * 1e3).round();
    if km <= MAX_KM && metres >= 1.0 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 1 and 20 million"
        )]
        return Ok(metres as u32);
    }
    Err("a distance above 0 and at most 20000 km at the end")
}

#[cfg(test)]
mod tests {
    use sightline_index::{Binding, Details, IndexWriter, UnitVector};

    use super::*;

    #[test]
    fn a_name_means_the_town_with_the_most_pictures_near_it() {
        let dir = tempfile::tempdir().unwrap();
        let binding = Binding {
            dimension: 2,
            fingerprint: "f00d".into(),
            model: "toy".into(),
        };
        // Two in Texas, one in France, one in Kyoto.
        let positions = [
            (33.66, -95.55),
            (33.7, -95.6),
            (48.86, 2.35),
            (35.02, 135.75),
        ];
        let mut writer = IndexWriter::open_or_create(dir.path(), &binding).unwrap();
        for (number, (latitude, longitude)) in (0..).zip(positions) {
            let vector = UnitVector::new(vec![1.0, 0.0]).unwrap();
            let image = writer.put_image([number; 32], 8, 8, vector).unwrap();
            let details = Details {
                position: Coordinates::new(latitude, longitude),
                ..Details::default()
            };
            writer.set_details(image, details).unwrap();
        }
        writer.finish().unwrap();
        let reader = IndexReader::open(dir.path(), None).unwrap();
        let rows = [
            ("paris", Some("Texas"), 2),
            // One near either: the larger.
            ("paris,1", Some("Ile-de-France"), 1),
            ("Paris, France", Some("Ile-de-France"), 1),
            ("Paris, Maine", Some("Maine"), 0),
            // Nowhere any pictures: the largest.
            ("london", Some("England"), 0),
            ("kyoto", Some("Kyoto"), 1),
            ("48.85,2.3,9", None, 1),
        ];
        for (text, region, n) in rows {
            let before = Vicinity::parse(text).unwrap();
            let settled = before.settled(&reader).unwrap();
            assert_eq!(settled.town.map(|town| town.region), region, "{text}");
            let found = reader.select(ItemKind::Image, &settled.filter()).unwrap();
            assert_eq!(found.len(), n, "{text}");
            assert_eq!(settled.others.len(), before.others.len(), "{text}");
            assert_eq!(settled.settled(&reader).unwrap(), settled, "{text}");
        }
        assert_eq!(rows.len(), 7);
    }

    #[test]
    fn values_are_positions_or_towns_with_or_without_a_distance() {
        let rows = [
            ("35.01,135.77,20", "20 km around 35.01, 135.77"),
            ("35.01, 135.77", "10 km around 35.01, 135.77"),
            ("-90,+180,0.5", "0.5 km around -90, 180"),
            ("kyoto", "10 km around Kyoto, Japan (35.02107, 135.75385)"),
            (
                "Kyoto,20",
                "20 km around Kyoto, Japan (35.02107, 135.75385)",
            ),
            (
                "paris , us , 7.5",
                "7.5 km around Paris, Maine, United States (44.25979, -70.50062)",
            ),
            ("nan", "10 km around Nan, Thailand (18.78378, 100.77899)"),
            (
                "Kyoto, 20km",
                "20 km around Kyoto, Japan (35.02107, 135.75385)",
            ),
            ("東京", "10 km around Tokyo, Japan (35.6895, 139.69171)"),
            ("35.01,135.77,2.5 KM", "2.5 km around 35.01, 135.77"),
        ];
        assert_eq!(rows.len(), 10);
        for (text, expected) in rows {
            let shown = Vicinity::parse(text).map(|found| found.to_string());
            assert_eq!(shown.as_deref(), Ok(expected), "{text}");
        }
        let position = "a latitude from -90 to 90, a longitude from -180 to 180 and a";
        let rows = [
            ("91,0", position),
            ("0,180.1", position),
            ("0,0,1,2", position),
            ("0,0,x", position),
            ("35.01", "a town"),
            ("", "a town"),
            ("inf,0", "a distance above 0"),
            ("inf,1", "a town"),
            ("xanadu9", "a town"),
            ("kyoto, us", "a town"),
            ("0,0,0", "a distance above 0"),
            ("0,0,-5", "a distance above 0"),
            ("kyoto,20001", "a distance above 0"),
            ("kyoto,0", "a distance above 0"),
            ("kyoto,0km", "a distance above 0"),
            ("20km", "a town or a position before the distance"),
            ("20 km", "a town or a position before the distance"),
            ("kyoto,km", "a town of"),
        ];
        assert_eq!(rows.len(), 18);
        for (text, expected) in rows {
            let refused = Vicinity::parse(text).unwrap_err();
            assert!(refused.starts_with(expected), "{text}: {refused}");
        }
    }
}
