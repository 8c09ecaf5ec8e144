//! What do the segments of applications say about the pixels?

use super::header::Frame;
use super::planes::Colours;

/// What is known besides the pixels.
#[derive(Default)]
pub(super) struct Metadata<'a> {
    /// The EXIF data: the first of them.
    pub(super) exif: Option<&'a [u8]>,
    is_jfif: bool,
    adobe: Option<u8>,
    /// Parts of an ICC profile: number, how many there are, content.
    profile: Vec<(u8, u8, &'a [u8])>,
}

impl<'a> Metadata<'a> {
    /// Reads a segment of an application, 0xE0 to 0xEF.
    pub(super) fn read(&mut self, marker: u8, body: &'a [u8]) {
        match (marker, body) {
            (0xE0, [b'J', b'F', b'I', b'F', 0, ..]) => self.is_jfif = true,
            (0xE1, [b'E', b'x', b'i', b'f', 0, 0, ..]) => {
                self.exif.get_or_insert(body);
            }
            (0xE2, _) => {
                if let Some([number, count, content @ ..]) = body.strip_prefix(b"ICC_PROFILE\0") {
                    self.profile.push((*number, *count, content));
                }
            }
            (
                0xEE,
                [
                    b'A',
                    b'd',
                    b'o',
                    b'b',
                    b'e',
                    _,
                    _,
                    _,
                    _,
                    _,
                    _,
                    transform,
                    ..,
                ],
            ) => {
                self.adobe = Some(*transform);
            }
            _ => {}
        }
    }

    /// What the components mean, decided as libjpeg does.
    pub(super) fn colours(&self, frame: &Frame) -> Colours {
        match (frame.components.as_slice(), self.adobe) {
            ([_], _) => Colours::Grey,
            (_, Some(0)) if !self.is_jfif => Colours::Rgb,
            ([r, g, b], None) if !self.is_jfif && [r.id, g.id, b.id] == *b"RGB" => Colours::Rgb,
            _ => Colours::YCbCr,
        }
    }

    /// The ICC profile, when none of its parts is missing (ICC.1:2022, B.4).
    pub(super) fn icc(&self) -> Option<Vec<u8>> {
        let count = self.profile.first()?.1;
        let mut profile = Vec::new();
        for number in 1..=count {
            let part = self.profile.iter().find(|part| part.0 == number)?;
            profile.extend_from_slice(part.2);
        }
        (!profile.is_empty()).then_some(profile)
    }
}
