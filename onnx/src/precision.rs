//! Numeric precisions of a model's graphs.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// Precision of a graph's weights, as its file name says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Precision {
    /// `X.onnx`: 32-bit weights, the reference.
    Fp32,
    /// `X_fp16.onnx`: 16-bit weights.
    Fp16,
    /// `X_int8.onnx`, `X_quantized.onnx` or `X_uint8.onnx`, in this order: 8-bit weights.
    Int8,
}

impl Precision {
    const ALL: [Self; 3] = [Self::Fp32, Self::Fp16, Self::Int8];

    /// The name on the command line: `fp32`, `fp16` or `int8`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Fp16 => "fp16",
            Self::Int8 => "int8",
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Text that names no [`Precision`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown precision `{0}`: expected fp32, fp16 or int8")]
pub struct UnknownPrecision(String);

impl FromStr for Precision {
    type Err = UnknownPrecision;

    fn from_str(text: &str) -> Result<Self, UnknownPrecision> {
        let mut all = Self::ALL.into_iter();
        all.find(|precision| precision.as_str() == text)
            .ok_or_else(|| UnknownPrecision(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_precision_parses_from_its_displayed_name() {
        for precision in Precision::ALL {
            assert_eq!(precision.to_string().parse(), Ok(precision));
        }
        let error = "fp8".parse::<Precision>().unwrap_err().to_string();
        let expected = "unknown precision `fp8`: expected fp32, fp16 or int8";
        assert_eq!(error, expected);
        assert_eq!(format!("{:>6}", Precision::Int8), "  int8");
    }
}
