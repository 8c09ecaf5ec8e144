//! The secret that requests have to show where other machines can connect.

/// A secret that requests have to show.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The fewest characters of a token.
    pub const MIN_LENGTH: usize = 16;

    /// A token of these characters; `None` unless they are at least [`MIN_LENGTH`] letters, digits
    /// and `-._~+/=`, as RFC 6750 has them.
    ///
    /// [`MIN_LENGTH`]: Self::MIN_LENGTH
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        let is_token = text.len() >= Self::MIN_LENGTH && text.bytes().all(is_usual);
        is_token.then(|| Self(text.to_owned()))
    }

    /// Whether this is the token, in a time that does not depend on where they differ.
    pub(super) fn is(&self, shown: &str) -> bool {
        // Hashes are compared in constant time.
        blake3::hash(self.0.as_bytes()) == blake3::hash(shown.as_bytes())
    }

    /// Its characters.
    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Token(…)")
    }
}
