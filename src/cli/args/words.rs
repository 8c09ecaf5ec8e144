//! Texts of several words without quotes, of which the shell makes several arguments.

use std::ffi::OsString;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Commands that take a text.
const WITH_TEXT: [&str; 2] = ["search", "explain"];

/// Adds a tip to the error about a word too many.
pub(super) fn add_tip(error: &mut clap::Error, arguments: &[OsString]) {
    let has_text = |argument: &OsString| WITH_TEXT.iter().any(|command| argument == command);
    let is_word = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(argument)) => !argument.starts_with('-'),
        _ => false,
    };
    if error.kind() == ErrorKind::UnknownArgument && is_word && arguments.iter().any(has_text) {
        let tip = "put a text of several words in quotes: \"a dog on the beach\"";
        let tips = ContextValue::StyledStrs(vec![StyledStr::from(tip)]);
        error.insert(ContextKind::Suggested, tips);
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::super::Cli;

    #[test]
    fn a_text_without_quotes_gets_a_tip() {
        let rows = [
            ("search a dog", true),
            ("search dog camera:nikon", true),
            ("--quiet search dog -k 5 beach", true),
            ("explain dog.jpg a dog", true),
            ("captions a.jpg b.jpg", false),
            ("search dog --imag a.jpg", false),
            ("search dog -k five", false),
        ];
        for (line, expected) in rows {
            let arguments = ["sightline"].into_iter().chain(line.split(' '));
            let error = Cli::parse_arguments(arguments.map(OsString::from)).unwrap_err();
            let error = error.to_string();
            assert_eq!(error.contains("in quotes"), expected, "{error}");
        }
        assert_eq!(rows.len(), 7);
    }
}
