//! Memory of an `OpenEXR` file's blocks.
//!
//! The decoder checks the display window, but allocates by the data window, the tile size and the
//! number of channels, none of which need match it. A failed allocation aborts the whole program,
//! so these are read from the header here (`OpenEXR`'s file layout, "Header").

/// Maximum size of one block in bytes, by all headers of the file; `None` when one is invalid.
pub(super) fn block_bytes(bytes: &[u8]) -> Option<u64> {
    let start = &bytes[..bytes.len().min(1 << 20)];
    let numbers = |value: &[u8]| -> Vec<i64> {
        let (numbers, _) = value.as_chunks();
        numbers
            .iter()
            .map(|&n| i64::from(i32::from_le_bytes(n)))
            .collect()
    };
    let area = |width: i64, height: i64| {
        let (width, height) = (u64::try_from(width).ok()?, u64::try_from(height).ok()?);
        width.checked_mul(height)
    };
    let mut n_pixels = 0;
    for window in attributes(start, b"dataWindow\0box2i\0") {
        let [x0, y0, x1, y1] = numbers(window?)[..] else {
            return None;
        };
        n_pixels = n_pixels.max(area(x1 - x0 + 1, y1 - y0 + 1)?);
    }
    for tiles in attributes(start, b"tiles\0tiledesc\0") {
        let [width, height] = numbers(tiles?)[..] else {
            return None;
        };
        n_pixels = n_pixels.max(area(width, height)?);
    }
    let mut n_channels = 4;
    for channels in attributes(start, b"channels\0chlist\0") {
        // A name of at least one character, its terminator, and sixteen bytes.
        n_channels = n_channels.max(channels?.len() as u64 / 18);
    }
    // Values of four bytes: compressed, decompressed, and reordered.
    n_pixels.checked_mul(12)?.checked_mul(n_channels)
}

/// The values of all attributes with this name and type; `None` for one that is cut off.
fn attributes<'a>(bytes: &'a [u8], name: &'a [u8]) -> impl Iterator<Item = Option<&'a [u8]>> {
    let places = bytes.windows(name.len()).enumerate();
    places
        .filter(move |(_, window)| *window == name)
        .map(move |(at, _)| {
            let value = &bytes[at + name.len()..];
            let (length, value) = value.split_first_chunk()?;
            value.get(..usize::try_from(i32::from_le_bytes(*length)).ok()?)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(window: [i32; 4], n_channels: usize) -> Vec<u8> {
        let mut bytes = b"v/1\x01\x02\0\0\0channels\0chlist\0".to_vec();
        let channel = [b"R\0".as_slice(), &[0; 16]].concat();
        let length = i32::try_from(n_channels * channel.len() + 1).unwrap();
        bytes.extend(length.to_le_bytes());
        bytes.extend(channel.repeat(n_channels));
        bytes.push(0);
        bytes.extend(b"dataWindow\0box2i\0\x10\0\0\0");
        bytes.extend(window.iter().flat_map(|n| n.to_le_bytes()));
        bytes
    }

    #[test]
    fn blocks_are_measured_by_the_data_window_and_tiles() {
        assert_eq!(block_bytes(&header([0, 0, 9, 4], 3)), Some(50 * 12 * 4));
        assert_eq!(
            block_bytes(&header([-5, -5, 4, -1], 30)),
            Some(50 * 12 * 30)
        );
        let huge = block_bytes(&header([i32::MIN, 0, i32::MAX, 0], 3));
        assert_eq!(huge, Some((1 << 32) * 12 * 4));
        assert_eq!(block_bytes(&header([9, 0, 0, 0], 3)), None);
        let mut cut = header([0, 0, 9, 4], 3);
        cut.truncate(cut.len() - 1);
        assert_eq!(block_bytes(&cut), None);
        let tiles = [
            &header([0, 0, 9, 4], 3)[..],
            b"tiles\0tiledesc\0\x09\0\0\0",
            &[64, 0, 0, 0],
            &[64, 0, 0, 0],
            &[0],
        ]
        .concat();
        assert_eq!(block_bytes(&tiles), Some(64 * 64 * 12 * 4));
    }
}
