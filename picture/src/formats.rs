//! The table of picture formats.

/// A picture format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Format {
    /// The format's usual name.
    pub name: &'static str,
    /// Lowercase extensions of its files. The actual format is detected from the content.
    pub extensions: &'static [&'static str],
    /// Which variants are decoded and what is shown of them; may be empty.
    pub note: &'static str,
    /// Whether this build decodes it. Files in other known formats are reported as unsupported.
    pub supported: bool,
}

const fn supported(
    name: &'static str,
    extensions: &'static [&'static str],
    note: &'static str,
) -> Format {
    Format {
        name,
        extensions,
        note,
        supported: true,
    }
}

const fn known(name: &'static str, extensions: &'static [&'static str]) -> Format {
    Format {
        name,
        extensions,
        note: "",
        supported: false,
    }
}

const FORMATS: &[Format] = &[
    supported(
        "JPEG",
        &["jfif", "jpe", "jpeg", "jpg", "mpo"],
        "baseline and progressive; grey, YCbCr, RGB, CMYK, YCCK; the first of several pictures",
    ),
    supported(
        "PNG",
        &["apng", "png"],
        "all bit depths; the still picture of an animation",
    ),
    supported("GIF", &["gif"], "the first frame"),
    supported(
        "WebP",
        &["webp"],
        "lossy and lossless; the first frame of an animation",
    ),
    supported(
        "HEIC",
        &["heic", "heif", "hif"],
        "HEVC still pictures of 8 and 10 bits, tiles, alpha; no system library needed",
    ),
    supported(
        "AVIF",
        &["avif"],
        "8, 10 and 12 bits, tiles, alpha; the first frame of an animation",
    ),
    supported(
        "JPEG XL",
        &["jxl"],
        "all but CMYK; the first frame of an animation",
    ),
    supported(
        "TIFF",
        &["tif", "tiff"],
        "the first full page; grey, RGB, CMYK, YCbCr, palettes of 256 colours",
    ),
    supported("BMP", &["bmp", "dib"], ""),
    supported("PNM", &["pam", "pbm", "pgm", "pnm", "ppm"], ""),
    supported("ICO", &["ico"], "the largest picture"),
    supported("QOI", &["qoi"], ""),
    supported("TGA", &["tga"], ""),
    supported(
        "OpenEXR",
        &["exr"],
        "RGB; exposed so that the 99th percentile is white",
    ),
    supported(
        "Radiance HDR",
        &["hdr"],
        "exposed so that the 99th percentile is white",
    ),
    supported(
        "SVG",
        &["svg", "svgz"],
        "drawn with a longer side of 768 pixels, without text and linked files",
    ),
    supported(
        "camera RAW",
        &[
            "3fr", "arw", "cr2", "cr3", "crw", "dcr", "dng", "erf", "fff", "gpr", "iiq", "kdc",
            "mef", "mos", "mrw", "nef", "nrw", "orf", "pef", "raf", "rw2", "rwl", "sr2", "srf",
            "srw", "x3f",
        ],
        "the largest embedded JPEG, not the sensor data",
    ),
    known("JPEG 2000", &["j2k", "jp2"]),
    known("JPEG XR", &["jxr", "wdp"]),
    known("Photoshop", &["psd"]),
    known("XCF", &["xcf"]),
    known("DirectDraw Surface", &["dds"]),
    known("farbfeld", &["ff"]),
];

/// All known picture formats, the supported ones first.
#[must_use]
pub fn formats() -> &'static [Format] {
    FORMATS
}

/// Whether files with this lowercase extension are pictures, supported or not.
#[must_use]
pub fn is_picture(extension: &str) -> bool {
    format_of(extension).is_some()
}

/// Whether files with this lowercase extension are pictures of a supported format.
#[must_use]
pub fn is_supported(extension: &str) -> bool {
    format_of(extension).is_some_and(|format| format.supported)
}

fn format_of(extension: &str) -> Option<&'static Format> {
    FORMATS
        .iter()
        .find(|format| format.extensions.contains(&extension))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_lowercase_and_unique() {
        let mut extensions: Vec<&str> = FORMATS
            .iter()
            .flat_map(|format| format.extensions)
            .copied()
            .collect();
        let is_lowercase = |e: &&str| {
            e.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        assert!(extensions.iter().all(is_lowercase));
        extensions.sort_unstable();
        let n_extensions = extensions.len();
        extensions.dedup();
        assert_eq!(extensions.len(), n_extensions);
        assert_eq!(extensions.iter().filter(|e| is_supported(e)).count(), 56);
        assert!(is_picture("x3f") && is_picture("psd") && !is_picture("txt") && !is_picture(""));
        assert!(is_supported("x3f") && !is_supported("psd") && !is_supported("txt"));
    }
}
