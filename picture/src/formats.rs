//! Which picture formats does this build read?

/// A picture format that Sightline knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Format {
    /// The format's usual name.
    pub name: &'static str,
    /// Lowercase extensions that its files have. What a file really is, its content says.
    pub extensions: &'static [&'static str],
    /// What is read of it, and what is not.
    pub note: &'static str,
    /// Whether this build reads it. Files of a known format that is not read are named as such.
    pub read: bool,
}

const fn read(
    name: &'static str,
    extensions: &'static [&'static str],
    note: &'static str,
) -> Format {
    Format {
        name,
        extensions,
        note,
        read: true,
    }
}

const fn named(
    name: &'static str,
    extensions: &'static [&'static str],
    note: &'static str,
) -> Format {
    Format {
        name,
        extensions,
        note,
        read: false,
    }
}

const FORMATS: &[Format] = &[
    read(
        "JPEG",
        &["jfif", "jpe", "jpeg", "jpg", "mpo"],
        "baseline and progressive; grey, YCbCr, RGB, CMYK, YCCK; of several pictures the first",
    ),
    read(
        "PNG",
        &["apng", "png"],
        "all depths; of an animation the still picture",
    ),
    read("GIF", &["gif"], "the first picture"),
    read(
        "WebP",
        &["webp"],
        "lossy and lossless; of an animation the first picture",
    ),
    read(
        "HEIC",
        &["heic", "heif", "hif"],
        "HEVC still pictures of 8 and 10 bits, tiles, alpha; decoded in Rust, no library needed",
    ),
    read(
        "AVIF",
        &["avif"],
        "8, 10 and 12 bits, tiles, alpha; of an animation the first picture",
    ),
    read(
        "JPEG XL",
        &["jxl"],
        "all but CMYK; of an animation the first picture",
    ),
    read(
        "TIFF",
        &["tif", "tiff"],
        "the first page; 1 to 32 bits and floating point; grey, palette, RGB, CMYK, YCbCr",
    ),
    read("BMP", &["bmp", "dib"], ""),
    read("PNM", &["pam", "pbm", "pgm", "pnm", "ppm"], ""),
    read("ICO", &["ico"], "the largest picture"),
    read("QOI", &["qoi"], ""),
    read("TGA", &["tga"], ""),
    read(
        "OpenEXR",
        &["exr"],
        "RGB; exposed so that the 99th percentile is white",
    ),
    read(
        "Radiance HDR",
        &["hdr"],
        "exposed so that the 99th percentile is white",
    ),
    read(
        "SVG",
        &["svg", "svgz"],
        "drawn 768 pixels long; without texts and linked files",
    ),
    read(
        "camera RAW",
        &[
            "3fr", "arw", "cr2", "cr3", "crw", "dcr", "dng", "erf", "fff", "gpr", "iiq", "kdc",
            "mef", "mos", "mrw", "nef", "nrw", "orf", "pef", "raf", "rw2", "rwl", "sr2", "srf",
            "srw", "x3f",
        ],
        "the largest embedded JPEG, not the sensor's values",
    ),
    named("JPEG 2000", &["j2k", "jp2"], ""),
    named("JPEG XR", &["jxr", "wdp"], ""),
    named("Photoshop", &["psd"], ""),
    named("XCF", &["xcf"], ""),
    named("DirectDraw Surface", &["dds"], ""),
    named("farbfeld", &["ff"], ""),
];

/// The picture formats that Sightline knows, those first that this build reads.
#[must_use]
pub fn formats() -> &'static [Format] {
    FORMATS
}

/// Whether a file with this lowercase extension is a picture, read or not.
#[must_use]
pub fn is_picture(extension: &str) -> bool {
    FORMATS
        .iter()
        .any(|format| format.extensions.contains(&extension))
}

/// Lowercase extensions of files that are worth trying. What a file really is, its content says.
pub const EXTENSIONS: &[&str] = &[
    "3fr", "apng", "arw", "avif", "bmp", "cr2", "cr3", "crw", "dcr", "dib", "dng", "erf", "exr",
    "fff", "gif", "gpr", "hdr", "heic", "heif", "hif", "ico", "iiq", "jfif", "jpe", "jpeg", "jpg",
    "jxl", "kdc", "mef", "mos", "mpo", "mrw", "nef", "nrw", "orf", "pam", "pbm", "pef", "pgm",
    "png", "pnm", "ppm", "qoi", "raf", "rw2", "rwl", "sr2", "srf", "srw", "svg", "svgz", "tga",
    "tif", "tiff", "webp", "x3f",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extensions_are_those_of_the_formats_that_are_read() {
        let mut extensions: Vec<&str> = FORMATS
            .iter()
            .filter(|format| format.read)
            .flat_map(|format| format.extensions)
            .copied()
            .collect();
        extensions.sort_unstable();
        assert_eq!(extensions, EXTENSIONS);
        let is_lowercase = |e: &&str| {
            e.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        assert!(EXTENSIONS.iter().all(is_lowercase));
        assert_eq!(EXTENSIONS.len(), 56);
        assert!(is_picture("x3f") && is_picture("psd") && !is_picture("txt") && !is_picture(""));
    }
}
