//! Circles on earth: which positions are within one, and which boxes of latitude and longitude
//! cover it.

use crate::item::Coordinates;

/// A degree of a great circle.
const METRES_PER_DEGREE: f64 = Coordinates::EARTH_RADIUS_M * std::f64::consts::PI / 180.0;

/// Boxes are larger than needed by this much, in degrees, more than what is lost to rounding.
const MARGIN: f64 = 1e-5;

/// From this latitude on, a box goes all around the earth.
const POLAR: f64 = 89.9;

/// The positions within a distance of another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Circle {
    pub(crate) centre: Coordinates,
    pub(crate) metres: u32,
}

/// A range of latitudes and one of longitudes, in degrees, ends included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct GeoBox {
    pub(crate) latitudes: [f64; 2],
    pub(crate) longitudes: [f64; 2],
}

impl Circle {
    pub(crate) fn contains(self, position: Coordinates) -> bool {
        self.centre.metres_to(position) <= f64::from(self.metres)
    }

    /// One or two boxes that contain the circle.
    pub(crate) fn boxes(self) -> Vec<GeoBox> {
        let radius = f64::from(self.metres) / METRES_PER_DEGREE + MARGIN;
        let (latitude, longitude) = (self.centre.latitude(), self.centre.longitude());
        let (south, north) = (latitude - radius, latitude + radius);
        let latitudes = [south.max(-90.0), north.min(90.0)];
        let of = |west: f64, east: f64| GeoBox {
            latitudes,
            longitudes: [west, east],
        };
        if south < -POLAR || north > POLAR {
            return vec![of(-180.0, 180.0)];
        }
        // The meridians that touch the circle.
        let half = radius.to_radians().sin() / latitude.to_radians().cos();
        let half = half.min(1.0).asin().to_degrees() + MARGIN;
        let (west, east) = (longitude - half, longitude + half);
        if west < -180.0 {
            vec![of(-180.0, east), of(west + 360.0, 180.0)]
        } else if east > 180.0 {
            vec![of(west, 180.0), of(-180.0, east - 360.0)]
        } else {
            vec![of(west, east)]
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(latitude: f64, longitude: f64) -> Coordinates {
        Coordinates::new(latitude, longitude).unwrap()
    }

    #[test]
    fn distances_are_those_of_a_sphere() {
        // The second is Paris to Kyoto.
        let rows = [
            ((0.0, 0.0), (0.0, 1.0), 111_195.0),
            ((48.85341, 2.3488), (35.02107, 135.75385), 9_613_115.0),
            ((0.0, 180.0), (0.0, -180.0), 0.0),
            ((-17.0, 179.9), (-17.0, -179.9), 21_267.0),
            ((90.0, 0.0), (90.0, 77.0), 0.0),
            ((90.0, 0.0), (-90.0, 0.0), 20_015_115.0),
        ];
        assert_eq!(rows.len(), 6);
        for (a, b, expected) in rows {
            let found = at(a.0, a.1).metres_to(at(b.0, b.1));
            let allowed = 1.0 + expected / 1000.0;
            assert!((found - expected).abs() < allowed, "{a:?} {b:?}: {found}");
        }
    }

    #[test]
    fn boxes_wrap_at_the_date_line_and_go_around_the_poles() {
        let boxes = |latitude, longitude, metres| {
            let centre = at(latitude, longitude);
            let boxes = Circle { centre, metres }.boxes().into_iter();
            let longitudes = boxes.map(|one| one.longitudes.map(f64::round));
            longitudes.collect::<Vec<_>>()
        };
        assert_eq!(boxes(0.0, 10.0, 1_111_949), [[0.0, 20.0]]);
        assert_eq!(
            boxes(0.0, 175.0, 1_111_949),
            [[165.0, 180.0], [-180.0, -175.0]]
        );
        assert_eq!(
            boxes(0.0, -175.0, 1_111_949),
            [[-180.0, -165.0], [175.0, 180.0]]
        );
        assert_eq!(boxes(89.0, 10.0, 200_000), [[-180.0, 180.0]]);
        assert_eq!(boxes(-60.0, 10.0, 20_100_000), [[-180.0, 180.0]]);
    }

    proptest! {
        #[test]
        fn whatever_a_circle_contains_is_in_its_boxes(
            latitude in -90.0..=90.0f64,
            longitude in -180.0..=180.0f64,
            metres in prop_oneof![0..30_000u32, 0..20_000_000u32],
            bearing in 0.0..std::f64::consts::TAU,
            share in prop_oneof![0.0..1.0f64, 0.999..1.0f64],
        ) {
            let centre = at(latitude, longitude);
            let circle = Circle { centre, metres };
            // The position at that distance in that direction.
            let angle = share * f64::from(metres) / Coordinates::EARTH_RADIUS_M;
            let (sin, cos) = latitude.to_radians().sin_cos();
            let to = sin * angle.cos() + cos * angle.sin() * bearing.cos();
            let to = to.clamp(-1.0, 1.0).asin();
            let turn = (bearing.sin() * angle.sin() * cos).atan2(angle.cos() - sin * to.sin());
            let east = (longitude + turn.to_degrees() + 540.0).rem_euclid(360.0) - 180.0;
            let position = at(to.to_degrees().clamp(-90.0, 90.0), east);
            let distance = centre.metres_to(position);
            prop_assert!((distance - share * f64::from(metres)).abs() < 1.0, "{distance}");
            if circle.contains(position) {
                let is_inside = |[low, high]: [f64; 2], value: f64| (low..=high).contains(&value);
                let is_in = |one: GeoBox| {
                    is_inside(one.latitudes, position.latitude())
                        && is_inside(one.longitudes, position.longitude())
                };
                prop_assert!(circle.boxes().into_iter().any(is_in), "{position:?}");
            }
        }
    }
}
