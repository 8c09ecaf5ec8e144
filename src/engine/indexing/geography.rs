//! Names of the places near a position, offline: the nearest of GeoNames' 144,000 places with more
//! than a thousand inhabitants, and the district, region and country that it is in.

use std::sync::OnceLock;

use reverse_geocoder::ReverseGeocoder;
use sightline_index::Coordinates;

/// Up to this distance, in kilometres, the nearest town says where a picture was taken.
const MAX_TOWN_KM: f64 = 30.0;

/// Up to this distance, in kilometres, its region and country do.
const MAX_REGION_KM: f64 = 100.0;

const EARTH_RADIUS_KM: f64 = 6371.0;

/// The list of places with its search tree. It is built when the first position is met: 0.2 s and
/// 50 MB.
static GEOCODER: OnceLock<ReverseGeocoder> = OnceLock::new();

/// Names of the places near a position, narrowest first: town, district, region, country, in
/// English where they have an English name. Empty far from every town.
pub(crate) fn names_near(position: Coordinates) -> Vec<String> {
    let geocoder = GEOCODER.get_or_init(ReverseGeocoder::new);
    let found = geocoder.search((position.latitude(), position.longitude()));
    // The square of the straight line through a sphere of radius 1.
    let half_chord = found.distance.max(0.0).sqrt() / 2.0;
    let km = 2.0 * EARTH_RADIUS_KM * half_chord.min(1.0).asin();
    let place = found.record;
    let country = country_emoji::code_to_name(&place.cc).unwrap_or_default();
    let names: &[&str] = if km <= MAX_TOWN_KM {
        &[&place.name, &place.admin2, &place.admin1, country]
    } else if km <= MAX_REGION_KM {
        &[&place.admin1, country]
    } else {
        &[]
    };
    let mut distinct: Vec<String> = Vec::new();
    for name in names.iter().filter(|name| !name.is_empty()) {
        if !distinct.iter().any(|known| known == name) {
            distinct.push((*name).to_owned());
        }
    }
    distinct
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
    fn every_country_of_the_list_has_a_name() {
        let geocoder = GEOCODER.get_or_init(ReverseGeocoder::new);
        let mut n_places = 0;
        for latitude in -80..=80 {
            for longitude in -180..180 {
                let found = geocoder.search((f64::from(latitude), f64::from(longitude)));
                let code = &found.record.cc;
                assert!(country_emoji::code_to_name(code).is_some(), "{code}");
                n_places += 1;
            }
        }
        assert_eq!(n_places, 161 * 360);
    }
}
