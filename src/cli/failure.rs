//! Errors as the command line prints them.

use super::exit::ExitStatus;
use super::hints;
use super::printer::Printer;
use crate::workspace::Workspace;

/// Prints an error with its hint, and returns the exit status it leads to.
pub(super) fn report(
    error: &anyhow::Error,
    workspace: Option<&Workspace>,
    printer: &mut Printer,
) -> ExitStatus {
    if is_broken_pipe(error) {
        // `sightline search … | head` is not a failure.
        return ExitStatus::Found;
    }
    let _ = printer.flush();
    printer.error(
        chain(error.chain()),
        hints::hint(error, workspace).as_deref(),
    );
    ExitStatus::Error
}

/// Whether stdout is a pipe that nobody reads from any more.
pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

/// An error and its causes on one line, without repetitions.
pub(super) fn chain(causes: anyhow::Chain<'_>) -> String {
    let mut text = String::new();
    for cause in causes {
        let cause = Printer::one_line(&cause.to_string());
        let cause = without_known_path(&cause, &text);
        if !text.contains(cause) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(cause);
        }
    }
    text
}

/// The reason alone of a failure to open, read or write a file whose path is known already:
/// "failed to open file `a.jpg`: permission denied".
fn without_known_path<'a>(cause: &'a str, known: &str) -> &'a str {
    let reason = cause
        .strip_prefix("failed to ")
        .and_then(|rest| rest.split_once('`'))
        .and_then(|(_, rest)| rest.rsplit_once("`: "))
        .filter(|(path, _)| known.contains(path));
    reason.map_or(cause, |(_, reason)| reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_named_once() {
        let chained = |causes: &[&str]| {
            let mut causes = causes.iter().rev().map(ToString::to_string);
            let innermost = anyhow::Error::msg(causes.next().unwrap());
            chain(causes.fold(innermost, anyhow::Error::context).chain())
        };
        let opened = "failed to open file `/a/b.jpg`: Permission denied (os error 13)";
        let rows: [(&[&str], &str); 4] = [
            (&[opened], opened),
            (
                &["/a/b.jpg: cannot read this model file", opened],
                "/a/b.jpg: cannot read this model file: Permission denied (os error 13)",
            ),
            (&["/c.jpg: no", opened], &format!("/c.jpg: no: {opened}")),
            (&["a\nb", "b"], "a b"),
        ];
        assert_eq!(rows.len(), 4);
        for (causes, expected) in rows {
            assert_eq!(chained(causes), expected);
        }
    }
}
