use proptest::prelude::*;

/// Truncates a file and overwrites some of its bytes.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    /// Length that is kept, in thousandths; all of it in half of the cases.
    kept: usize,
    /// Bytes to overwrite: whether only within the first 512 bytes, the position in 65,536ths of
    /// that, and the new value.
    bytes: Vec<(bool, u16, u8)>,
}

impl Change {
    pub(crate) fn any() -> impl Strategy<Value = Self> {
        let kept = prop_oneof![Just(1000), 0..1000usize];
        let bytes = prop::collection::vec(any::<(bool, u16, u8)>(), 0..12);
        (kept, bytes).prop_map(|(kept, bytes)| Self { kept, bytes })
    }

    pub(crate) fn apply(&self, bytes: &[u8]) -> Vec<u8> {
        let mut changed = bytes[..bytes.len() * self.kept / 1000].to_vec();
        for &(in_header, part, value) in &self.bytes {
            let length = if in_header {
                changed.len().min(512)
            } else {
                changed.len()
            };
            if length > 0 {
                changed[length * usize::from(part) / 65_536] = value;
            }
        }
        changed
    }
}
