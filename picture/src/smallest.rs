//! How far may a picture be reduced while it is decoded?

/// The least size that a picture must keep when it is decoded at a reduced size.
///
/// A JPEG can be decoded at 1/2, 1/4 or 1/8 of its size in a fraction of the time. What a model
/// then sees differs the less, the larger the reduced picture still is than the model's size.
/// A preprocessor asks for twice that size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Smallest {
    rule: Rule,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Whole,
    ShorterSide(u32),
    LongerSide(u32),
    BothSides(u32),
}

impl Smallest {
    /// The picture is never reduced.
    #[must_use]
    pub const fn whole() -> Self {
        Self { rule: Rule::Whole }
    }

    /// The shorter side keeps at least this many pixels.
    #[must_use]
    pub const fn shorter_side(length: u32) -> Self {
        Self {
            rule: Rule::ShorterSide(length),
        }
    }

    /// The longer side keeps at least this many pixels.
    #[must_use]
    pub const fn longer_side(length: u32) -> Self {
        Self {
            rule: Rule::LongerSide(length),
        }
    }

    /// The picture keeps at least this width and height, whichever way up it is: both sides keep
    /// the longer of the two.
    #[must_use]
    pub const fn both_sides(width: u32, height: u32) -> Self {
        Self {
            rule: Rule::BothSides(if width > height { width } else { height }),
        }
    }

    /// The largest of 1, 2, 4 and 8 by which the sides of a picture of this size may be divided.
    /// Sides are rounded up, as JPEG decoders do.
    pub(super) fn divisor(self, width: u32, height: u32) -> u32 {
        let (short, long) = (width.min(height), width.max(height));
        let (side, least) = match self.rule {
            Rule::Whole => return 1,
            // The shorter side is the last to fall below a length that both must keep.
            Rule::ShorterSide(least) | Rule::BothSides(least) => (short, least),
            Rule::LongerSide(least) => (long, least),
        };
        [8, 4, 2]
            .into_iter()
            .find(|&divisor| side.div_ceil(divisor) >= least.max(1))
            .unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_stays_at_or_above_the_least_size() {
        let cases = [
            (Smallest::shorter_side(448), 4000, 3000, 4),
            (Smallest::shorter_side(448), 3000, 4000, 4),
            (Smallest::shorter_side(448), 1792, 9000, 4),
            // 447.75 is rounded up to 448; 447.5 to 448 as well; 447 is below.
            (Smallest::shorter_side(448), 1791, 9000, 4),
            (Smallest::shorter_side(448), 1788, 9000, 2),
            (Smallest::shorter_side(448), 894, 9000, 1),
            (Smallest::shorter_side(448), 895, 9000, 2),
            (Smallest::shorter_side(448), 8000, 6000, 8),
            (Smallest::shorter_side(448), 100, 90_000, 1),
            (Smallest::longer_side(448), 100, 90_000, 8),
            (Smallest::longer_side(448), 2000, 400, 4),
            (Smallest::both_sides(448, 448), 2000, 400, 1),
            (Smallest::both_sides(300, 600), 4000, 2400, 4),
            (Smallest::both_sides(600, 300), 2396, 4000, 2),
            (Smallest::whole(), 60_000, 60_000, 1),
            (Smallest::shorter_side(0), 8, 8, 8),
            (Smallest::shorter_side(1), 0, 0, 1),
        ];
        for (smallest, width, height, divisor) in cases {
            let found = smallest.divisor(width, height);
            assert_eq!(found, divisor, "{smallest:?} {width} × {height}");
        }
        assert_eq!(cases.len(), 17);
    }
}
