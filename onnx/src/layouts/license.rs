//! The licence stated by a model's README or licence file, for models whose configuration has none.
//!
//! Repositories of the Hugging Face hub state it in the front matter of `README.md`, see
//! <https://huggingface.co/docs/hub/model-cards>.

use std::io::Read;
use std::path::Path;

const README: &str = "README.md";
/// Licence files.
const LICENCES: [&str; 6] = [
    "LICENSE",
    "LICENSE.txt",
    "LICENSE.md",
    "LICENCE",
    "LICENCE.txt",
    "LICENCE.md",
];
/// How much of a README is read; front matter is short.
const MAX_BYTES: u64 = 64 << 10;

/// The licence stated in a model's folder; `None` also when its files cannot be read.
pub(super) fn stated(folder: &Path) -> Option<String> {
    let of_readme = || {
        let mut text = Vec::new();
        let file = fs_err::File::open(folder.join(README)).ok()?;
        file.take(MAX_BYTES).read_to_end(&mut text).ok()?;
        of_front_matter(&String::from_utf8_lossy(&text))
    };
    of_readme().or_else(|| {
        let exists = |name: &&&str| folder.join(name).is_file();
        let name = LICENCES.iter().find(exists)?;
        Some(format!("see {name}"))
    })
}

/// The key `license` of the front matter, or `license_name` where that is `other`.
fn of_front_matter(readme: &str) -> Option<String> {
    let mut lines = readme.trim_start_matches('\u{feff}').lines();
    if lines.next()?.trim_end() != "---" {
        return None;
    }
    let head: Vec<&str> = lines.take_while(|line| line.trim_end() != "---").collect();
    let value = |key: &str| {
        let mut found = head.iter().filter_map(|line| line.strip_prefix(key));
        let value = found.find_map(|rest| rest.strip_prefix(':'))?.trim();
        let value = value.trim_matches(['"', '\'']);
        (!value.is_empty()).then(|| value.to_owned())
    };
    match value("license") {
        Some(license) if license == "other" => Some(value("license_name").unwrap_or(license)),
        license => license,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_readme_states_the_licence_in_its_front_matter() {
        let cases = [
            ("---\nlicense: mit\n---\n# A\n", Some("mit")),
            (
                "---\r\ntags:\r\n- clip\r\nlicense: \"apache-2.0\"\r\n---\r\n",
                Some("apache-2.0"),
            ),
            (
                "---\nlicense: other\nlicense_name: apple-ascl\n---\n",
                Some("apple-ascl"),
            ),
            ("---\nlicense: other\n---\n", Some("other")),
            ("---\nlicense:\n---\n", None),
            ("---\ntags: []\n---\nlicense: mit\n", None),
            ("# A\nlicense: mit\n", None),
            ("", None),
        ];
        for (readme, expected) in cases {
            assert_eq!(of_front_matter(readme).as_deref(), expected, "{readme:?}");
        }
        assert_eq!(cases.len(), 8);
    }

    #[test]
    fn a_licence_file_is_named_unless_the_readme_states_a_licence() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(stated(folder.path()), None);
        fs_err::write(folder.path().join("LICENSE"), "as you like").unwrap();
        assert_eq!(stated(folder.path()).as_deref(), Some("see LICENSE"));
        fs_err::write(folder.path().join(README), "---\nlicense: mit\n---\n").unwrap();
        assert_eq!(stated(folder.path()).as_deref(), Some("mit"));
    }
}
