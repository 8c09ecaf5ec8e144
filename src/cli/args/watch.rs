//! Options of `watch`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::PipelineArgs;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sightline watch                                   keep the library folders of the index current
  sightline watch ~/Pictures ~/Phone                index these folders first if they are new
  sightline watch --every 10m                       for network shares, which report no changes
  sightline serve --watch                           the same beside the page

Files are indexed when their size and time have stood still for two seconds, as `sightline index`
does it. A library folder that is missing, such as a disk that is not mounted, is waited for; its
items stay in the index. Ctrl-C stops as soon as the work in progress is committed.")]
pub(in crate::cli) struct WatchArgs {
    /// Library folders, subfolders included [default: those of the index]
    #[arg(value_name = "FOLDER")]
    pub(in crate::cli) folders: Vec<PathBuf>,
    /// Time between two scans of everything, which find what was not reported: 90s, 10m, 1h, 2d
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration)]
    pub(in crate::cli) every: Duration,
    /// Tag new pictures, as `sightline index --tag` does
    #[arg(long)]
    pub(in crate::cli) tag: bool,
    #[command(flatten)]
    pub(in crate::cli) pipeline: PipelineArgs,
    /// Print the report of each run as JSON, on one line, as `sightline index` does
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// A whole number of seconds, minutes, hours or days.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let expected = || "expected a number from 1 to 9999 and s, m, h or d, such as 10m".to_owned();
    let (number, unit) = text
        .split_at_checked(text.len().saturating_sub(1))
        .ok_or_else(expected)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err(expected()),
    };
    let is_number = number.bytes().all(|digit| digit.is_ascii_digit());
    let number: u64 = number.parse().map_err(|_| expected())?;
    if !is_number || !(1..=9999).contains(&number) {
        return Err(expected());
    }
    Ok(Duration::from_secs(number * unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_and_a_unit() {
        let rows = [("90s", 90), ("10m", 600), ("1h", 3600), ("2d", 172_800)];
        for (text, seconds) in rows {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        let others = [
            "", "s", "10", "0s", "-1s", "+1s", "1.5h", "1w", "10000d", "1 h", "1é",
        ];
        for text in others {
            assert!(duration(text).is_err(), "{text}");
        }
        assert_eq!((rows.len(), others.len()), (4, 11));
    }
}
