//! IPTC records (IPTC-NAA Information Interchange Model, version 4.2).

use super::fields::{Fields, Taken, date, decoded, text};

/// How much of a text is read, in bytes.
const MAX_BYTES: usize = 8_000;

/// Reads a list of data sets: marker, record, number, length and content.
pub(super) fn read(mut rest: &[u8]) -> Fields {
    let mut fields = Fields::default();
    let (mut spot, mut city, mut region, mut country) = (None, None, None, None);
    let (mut title, mut headline, mut caption) = (None, None, None);
    let described = |content| Some(decoded(content, MAX_BYTES));
    // Lengths from 32,768 are encoded differently; no name is that long.
    while let [0x1C, record, number, l0 @ 0..0x80, l1, tail @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*l0, *l1]));
        let Some((content, after)) = tail.split_at_checked(length) else {
            break;
        };
        rest = after;
        match (record, number) {
            (2, 5) => title = title.or_else(|| described(content)),
            (2, 25) => fields.keywords.extend(described(content)),
            (2, 105) => headline = headline.or_else(|| described(content)),
            (2, 120) => caption = caption.or_else(|| described(content)),
            (2, 55) => {
                let day = std::str::from_utf8(content).ok();
                fields.taken = Taken::merged(fields.taken, day.and_then(date));
            }
            (2, 90) => city = city.or_else(|| text(content)),
            (2, 92) => spot = spot.or_else(|| text(content)),
            (2, 95) => region = region.or_else(|| text(content)),
            (2, 101) => country = country.or_else(|| text(content)),
            _ => {}
        }
    }
    fields.places = [spot, city, region, country]
        .into_iter()
        .flatten()
        .collect();
    let texts = [title, headline, caption];
    fields.texts = texts.into_iter().flatten().collect();
    fields
}

/// Finds the IPTC block in Photoshop's resources: marker, number, name, length and content, where
/// names and contents are padded to an even length (Adobe Photoshop File Formats Specification).
pub(super) fn in_resources(mut rest: &[u8]) -> Option<&[u8]> {
    const IPTC: [u8; 2] = [4, 4];
    loop {
        let number = *rest.strip_prefix(b"8BIM")?.first_chunk::<2>()?;
        let n_name = usize::from(*rest.get(6)?);
        rest = rest.get(6 + (1 + n_name).next_multiple_of(2)..)?;
        let (length, tail) = rest.split_first_chunk()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let content = tail.get(..length)?;
        if number == IPTC {
            return Some(content);
        }
        rest = tail.get(length.checked_next_multiple_of(2)?..)?;
    }
}
