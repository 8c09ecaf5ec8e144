//! The script of a text, and the languages that are written in it.

use unicode_script::{Script, UnicodeScript as _};

use crate::language::Language;

/// The script that most of a text is in.
pub(super) struct Writing(Script);

/// Languages that are not written in Latin letters, by script; the first is what a text in the
/// script is taken for, unless a detector knows better.
const LANGUAGES: [(Script, &[&str]); 31] = [
    (Script::Han, &["zh", "ja", "ko"]),
    (Script::Hiragana, &["ja", "zh"]),
    (Script::Hangul, &["ko"]),
    (Script::Thai, &["th"]),
    (Script::Arabic, &["ar", "fa", "ur", "ps", "ug", "sd", "ks"]),
    (
        Script::Cyrillic,
        &[
            "ru", "uk", "be", "bg", "sr", "mk", "kk", "ky", "mn", "tg", "tt", "ba", "cv", "os",
            "ce", "ab", "av", "kv", "cu",
        ],
    ),
    (Script::Greek, &["el"]),
    (Script::Hebrew, &["he", "yi"]),
    (Script::Devanagari, &["hi", "mr", "ne", "sa"]),
    (Script::Bengali, &["bn", "as"]),
    (Script::Gurmukhi, &["pa"]),
    (Script::Gujarati, &["gu"]),
    (Script::Oriya, &["or"]),
    (Script::Tamil, &["ta"]),
    (Script::Telugu, &["te"]),
    (Script::Kannada, &["kn"]),
    (Script::Malayalam, &["ml"]),
    (Script::Sinhala, &["si"]),
    (Script::Lao, &["lo"]),
    (Script::Tibetan, &["bo", "dz"]),
    (Script::Myanmar, &["my"]),
    (Script::Georgian, &["ka"]),
    (Script::Ethiopic, &["am", "ti"]),
    (Script::Khmer, &["km"]),
    (Script::Armenian, &["hy"]),
    (Script::Thaana, &["dv"]),
    (Script::Bopomofo, &["zh"]),
    (Script::Mongolian, &["mn"]),
    (Script::Yi, &["ii"]),
    (Script::Canadian_Aboriginal, &["iu", "cr", "oj"]),
    (Script::Cherokee, &[]),
];

impl Writing {
    pub(super) fn is_latin(&self) -> bool {
        self.0 == Script::Latin
    }

    /// Whether all texts in this script are taken for its first language: no detector knows more
    /// than that kana is Japanese and Han without it is not.
    pub(super) fn has_main(&self) -> bool {
        matches!(self.0, Script::Han | Script::Hiragana)
    }

    /// Those of some languages that are written in this script, the most likely first.
    pub(super) fn languages(&self, listed: &[Language]) -> Vec<Language> {
        let in_script = LANGUAGES.iter().find(|(script, _)| *script == self.0);
        match in_script {
            Some((_, codes)) => {
                let of = |code: &&str| listed.iter().find(|one| one.code() == *code);
                codes.iter().filter_map(of).copied().collect()
            }
            None if self.is_latin() => {
                let is_other = |one: &Language| {
                    let mut scripts = LANGUAGES.iter();
                    scripts.any(|(_, codes)| codes.contains(&one.code()))
                };
                let latin = listed.iter().filter(|one| !is_other(one));
                latin.copied().collect()
            }
            None => Vec::new(),
        }
    }
}

/// How much of a text is in a script.
struct Share {
    script: Script,
    n_letters: usize,
    n_words: usize,
}

impl Share {
    /// In words: a letter of Han or kana counts as one, three letters of a script without spaces.
    fn size(&self) -> usize {
        match self.script {
            Script::Han | Script::Hiragana => self.n_letters,
            Script::Thai | Script::Lao | Script::Khmer | Script::Myanmar => {
                self.n_letters.div_ceil(3)
            }
            _ => self.n_words,
        }
    }
}

/// The script that most of a text is in; none of a text without letters. A text in Latin letters
/// has more than two Latin words for each word of any other script, so that a brand in a Chinese
/// query does not make it English. Han beside kana or Hangul counts as these.
pub(super) fn of(text: &str) -> Option<Writing> {
    let mut shares: Vec<Share> = Vec::new();
    let mut before = None;
    for letter in text.chars() {
        let script = match letter.script() {
            Script::Katakana => Script::Hiragana,
            Script::Inherited => continue,
            Script::Common | Script::Unknown => {
                // `McDonald's` is one word.
                if !matches!(letter, '\'' | '’') {
                    before = None;
                }
                continue;
            }
            _ if !letter.is_alphabetic() => continue,
            script => script,
        };
        let at = shares.iter().position(|share| share.script == script);
        let at = at.unwrap_or_else(|| {
            shares.push(Share {
                script,
                n_letters: 0,
                n_words: 0,
            });
            shares.len() - 1
        });
        shares[at].n_letters += 1;
        shares[at].n_words += usize::from(before != Some(script));
        before = Some(script);
    }
    let n_latin = size_of(&shares, Script::Latin);
    let n_han = size_of(&shares, Script::Han);
    shares.retain(|share| share.script != Script::Latin);
    let is_beside_han = |share: &Share| matches!(share.script, Script::Hiragana | Script::Hangul);
    if let Some(at) = shares.iter().position(is_beside_han) {
        shares[at].n_letters += n_han;
        shares[at].n_words += n_han;
        shares.retain(|share| share.script != Script::Han);
    }
    let other = shares.iter().max_by_key(|share| share.size());
    match other {
        Some(other) if n_latin <= 2 * other.size() => Some(Writing(other.script)),
        _ if n_latin > 0 => Some(Writing(Script::Latin)),
        _ => None,
    }
}

fn size_of(shares: &[Share], script: Script) -> usize {
    let of = shares.iter().find(|share| share.script == script);
    of.map_or(0, Share::size)
}
