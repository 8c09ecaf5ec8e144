//! Values that begin with a dash, which look like options.

use std::ffi::OsString;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};

/// Replaces the tip of an error that is due to such a value by one that fits.
pub(super) fn correct_tip(error: &mut clap::Error, command: &Command, arguments: &[OsString]) {
    let arguments: Vec<_> = arguments
        .iter()
        .skip(1)
        .map(|one| one.to_string_lossy())
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
    let options = Options::of(command, &arguments);
    let Some(tip) = options.tip(error, &arguments) else {
        return;
    };
    // A similar option is not what was meant.
    error.remove(ContextKind::SuggestedArg);
    let tips = ContextValue::StyledStrs(vec![StyledStr::from(tip)]);
    error.insert(ContextKind::Suggested, tips);
}

/// Whether an error is about this argument, or about this option before it.
fn is_about(error: &clap::Error, argument: &str, option: Option<&Arg>) -> bool {
    let named = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => "",
    };
    let name = named(ContextKind::InvalidArg);
    let is_option = option.is_some_and(|option| option.to_string() == name);
    match error.kind() {
        // Of letters after one dash, only the first is named, and of `--name=value` the name.
        ErrorKind::UnknownArgument if name.chars().count() == 2 => argument.starts_with(name),
        ErrorKind::UnknownArgument => argument.split('=').next() == Some(name),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let value = named(ContextKind::InvalidValue);
            value == argument || value.is_empty() && is_option
        }
        ErrorKind::WrongNumberOfValues | ErrorKind::TooFewValues => is_option,
        _ => false,
    }
}

/// The options of a command and of those above it.
struct Options<'a>(Vec<&'a Arg>);

impl<'a> Options<'a> {
    fn of(command: &'a Command, arguments: &[&str]) -> Self {
        let mut options: Vec<&Arg> = command.get_arguments().collect();
        let mut command = command;
        for argument in arguments {
            if let Some(below) = command.find_subcommand(argument) {
                command = below;
                options.extend(command.get_arguments());
            }
        }
        Self(options)
    }

    /// The option that an argument starts with. Letters may follow a short one: its value, or
    /// other short options.
    fn find(&self, argument: &str) -> Option<&'a Arg> {
        let mut options = self.0.iter().copied();
        if let Some(long) = argument.strip_prefix("--") {
            let name = long.split('=').next();
            return options.find(|option| option.get_long() == name);
        }
        let letter = argument.strip_prefix('-')?.chars().next();
        options.find(|option| letter.is_some() && option.get_short() == letter)
    }

    /// The option in an argument that is nothing but it.
    fn find_alone(&self, argument: &str) -> Option<&'a Arg> {
        let is_alone = match argument.strip_prefix("--") {
            Some(long) => !long.contains('='),
            None => argument.chars().count() == 2,
        };
        self.find(argument).filter(|_| is_alone)
    }

    fn tip(&self, error: &clap::Error, arguments: &[&str]) -> Option<String> {
        let is_dashed = |argument: &str, has_option: bool| {
            let is_long = argument.len() > if has_option { 1 } else { 2 };
            is_long && argument.starts_with('-') && self.find(argument).is_none()
        };
        let mut before: Option<&str> = None;
        for &argument in arguments {
            if argument == "--" {
                return None;
            }
            let option = before
                .and_then(|before| self.find_alone(before))
                .filter(|option| option.get_action().takes_values());
            // Such a number is a value already, and was refused.
            let is_negative = argument.parse::<f64>().is_ok()
                && option.is_some_and(Arg::is_allow_negative_numbers_set);
            if is_negative {
                return None;
            }
            if is_dashed(argument, option.is_some()) && is_about(error, argument, option) {
                return Some(match option.and_then(Arg::get_long) {
                    Some(name) => {
                        format!("to pass '{argument}' as a value, use '--{name}={argument}'")
                    }
                    // Perhaps an option with a typing error.
                    None if argument.starts_with("--") => return None,
                    None => format!("to pass '{argument}' as a value, use '-- {argument}'"),
                });
            }
            before = Some(argument);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::Cli;

    #[test]
    fn a_negative_number_is_refused_as_a_value() {
        let rows = [
            (
                "search dog --min-confidence -1",
                "expected a number from 0 to 1",
            ),
            (
                "refine dog --min-confidence -0.5",
                "expected a number from 0 to 1",
            ),
            (
                "tag a.jpg --min-confidence -1",
                "expected a number from 0 to 1",
            ),
            ("search dog -k -1", "-1 is not in 1..=10000"),
            ("similar a.jpg --top -1", "-1 is not in 1..=10000"),
            ("search dog --threads -2", "-2 is not in 1..=1024"),
        ];
        for (line, expected) in rows {
            let arguments = std::iter::once("sightline").chain(line.split(' '));
            let error = Cli::parse_arguments(arguments.map(std::ffi::OsString::from));
            let error = error.unwrap_err().to_string();
            assert!(error.starts_with("error: invalid value '-"), "{error}");
            assert!(
                error.contains(expected) && !error.contains("tip:"),
                "{error}"
            );
        }
        assert_eq!(rows.len(), 6);
    }

    #[test]
    fn a_value_that_begins_with_a_dash_gets_a_tip_that_works() {
        let rows = [
            ("search --image -rf.jpg", "'--image=-rf.jpg'"),
            ("search --image --x.jpg", "'--image=--x.jpg'"),
            ("search --html -page.html dog", "'--html=-page.html'"),
            ("index --captions -a.jsonl photos", "'--captions=-a.jsonl'"),
            ("--index -dir status", "'--index=-dir'"),
            ("models check --model -m-x starter", "'--model=-m-x'"),
            ("captions -rf.jpg", "'-- -rf.jpg'"),
            ("remove -rf.jpg", "'-- -rf.jpg'"),
            ("embed -rf.jpg", "'-- -rf.jpg'"),
            ("search --camera -z dog", "'--camera=-z'"),
        ];
        let parse = |line: &str| {
            let arguments = line.split(' ').map(std::ffi::OsString::from);
            Cli::parse_arguments(
                [std::ffi::OsString::from("sightline")]
                    .into_iter()
                    .chain(arguments),
            )
        };
        for (line, expected) in rows {
            let error = parse(line).unwrap_err().to_string();
            let tips: Vec<&str> = error.lines().filter(|line| line.contains("tip:")).collect();
            assert_eq!(tips.len(), 1, "{error}");
            assert!(tips[0].ends_with(&format!("use {expected}")), "{error}");
            if let Some((before, _)) = expected.trim_matches('\'').split_once('=') {
                let joined = line.replace(&format!("{before} "), &format!("{before}="));
                assert!(parse(&joined).is_ok());
            }
        }
        assert_eq!(rows.len(), 10);
        let others = [
            "search --imag a.jpg",
            "search --image --json",
            "search --image",
        ];
        for line in others {
            let error = parse(line).unwrap_err().to_string();
            assert!(!error.contains("as a value, use"), "{error}");
        }
        assert_eq!(others.len(), 3);
        // The error is about another argument.
        let apart = [
            ("search dog -k5 --by foo", "'foo'"),
            ("search -qk5 --by foo dog", "'foo'"),
            ("search dog -k5 --foo", "'--foo'"),
            ("search dog -kx", "'x'"),
        ];
        for (line, about) in apart {
            let error = parse(line).unwrap_err().to_string();
            assert!(error.lines().next().unwrap().contains(about), "{error}");
            assert!(
                !error.contains("to pass '-k") && !error.contains("to pass '-q"),
                "{error}"
            );
        }
        assert_eq!(apart.len(), 4);
    }
}
