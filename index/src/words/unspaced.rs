//! Words of scripts without spaces: Chinese, Japanese, Thai and others; and Korean, whose nouns
//! have particles.
//!
//! An item is indexed by its characters and its pairs of adjacent characters. A query is segmented
//! into words by the dictionaries of `icu_segmenter`, and an item contains a word if it contains
//! all its pairs. A word is thus found in a sentence however that would be segmented, and pairs of
//! different words of a query are not mixed up. The dictionaries are compiled into the program,
//! since loading them would take longer than a search.

use icu_segmenter::options::WordBreakInvariantOptions;
use icu_segmenter::{WordSegmenter, WordSegmenterBorrowed};

use super::split::Unit;

/// A word of a run: its byte range in the text, and its terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) from: usize,
    pub(super) to: usize,
    /// Whether it is ignored in queries with other words.
    pub(super) is_stop_word: bool,
    pub(super) terms: Vec<String>,
}

/// The terms by which a run is indexed.
pub(super) fn all_terms(units: &[Unit]) -> Vec<(usize, usize, String)> {
    let single = |unit: &Unit| (unit.from, unit.to, unit.text.clone());
    let pair = |pair: &[Unit]| (pair[0].from, pair[1].to, joined(pair));
    units
        .iter()
        .map(single)
        .chain(units.windows(2).map(pair))
        .collect()
}

/// The words of a run.
pub(super) fn words(units: &[Unit]) -> Vec<Cut> {
    let text = joined(units);
    let breaks: Vec<usize> = segmenter().segment_str(&text).collect();
    let mut cuts = Vec::new();
    let (mut start, mut at) = (0, 0);
    for (i, unit) in units.iter().enumerate() {
        at += unit.text.len();
        if breaks.binary_search(&at).is_ok() || i + 1 == units.len() {
            cuts.extend(cut(&units[start..=i]));
            start = i + 1;
        }
    }
    cuts
}

fn segmenter() -> WordSegmenterBorrowed<'static> {
    WordSegmenter::new_dictionary(WordBreakInvariantOptions::default())
}

fn joined(units: &[Unit]) -> String {
    units.iter().map(|unit| unit.text.as_str()).collect()
}

fn cut(word: &[Unit]) -> Option<Cut> {
    let (first, last) = (word.first()?, word.last()?);
    let stem = without_particle(word);
    let terms = match stem {
        [single] => vec![single.text.clone()],
        several => several.windows(2).map(joined).collect(),
    };
    Some(Cut {
        from: first.from,
        to: last.to,
        is_stop_word: is_stop_word(word),
        terms,
    })
}

/// Particles of Korean nouns, longer ones first.
const PARTICLES: [&str; 24] = [
    "에서는",
    "에서",
    "에게",
    "에는",
    "으로",
    "까지",
    "부터",
    "하고",
    "이랑",
    "처럼",
    "보다",
    "은",
    "는",
    "이",
    "가",
    "을",
    "를",
    "의",
    "에",
    "도",
    "로",
    "만",
    "과",
    "와",
];

/// A Korean word without its particle, if at least two syllables remain.
fn without_particle(word: &[Unit]) -> &[Unit] {
    let text = joined(word);
    let Some(particle) = PARTICLES.iter().find(|particle| text.ends_with(*particle)) else {
        return word;
    };
    let n_left = word.len().saturating_sub(particle.chars().count());
    if n_left >= 2 { &word[..n_left] } else { word }
}

/// Chinese stop words.
const STOP_WORDS: [&str; 13] = [
    "的", "了", "在", "是", "和", "与", "與", "及", "有", "我", "我们", "我們", "一",
];

/// Whether a word is a stop word. Single hiragana are particles.
fn is_stop_word(word: &[Unit]) -> bool {
    if let [single] = word
        && single
            .text
            .starts_with(|c| matches!(c, '\u{3041}'..='\u{3096}'))
    {
        return true;
    }
    STOP_WORDS.contains(&joined(word).as_str())
}

#[cfg(test)]
mod tests {
    use super::super::split::{PieceKind, split};
    use super::*;

    fn units(text: &str) -> Vec<Unit> {
        let mut pieces = split(text);
        assert_eq!(pieces.len(), 1, "{text}");
        match pieces.remove(0).kind {
            PieceKind::Run(units) => units,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn queries_are_segmented_into_words() {
        // Stop words are in parentheses.
        let rows: [(&str, &[&str]); 8] = [
            ("我们在海滩散步", &["(我们)", "(在)", "海滩", "散步"]),
            (
                "海辺を走る犬の写真",
                &["海辺", "(を)", "走る", "犬", "(の)", "写真"],
            ),
            ("ビーチで", &["ビーチ", "(で)"]),
            ("바다에서", &["바다에서"]),
            ("猫", &["猫"]),
            ("東京", &["東京"]),
            ("ชายหาด", &["ชายหาด"]),
            ("海", &["海"]),
        ];
        let mut n_words = 0;
        for (text, expected) in rows {
            let found: Vec<String> = words(&units(text))
                .iter()
                .map(|cut| {
                    let word = &text[cut.from..cut.to];
                    if cut.is_stop_word {
                        format!("({word})")
                    } else {
                        word.to_owned()
                    }
                })
                .collect();
            assert_eq!(found, expected, "{text}");
            n_words += found.len();
        }
        assert_eq!(n_words, 17);
    }

    #[test]
    fn words_are_searched_by_pairs_of_characters() {
        let terms = |text: &str| {
            let cuts = words(&units(text));
            assert_eq!(cuts.len(), 1, "{text}");
            cuts[0].terms.clone()
        };
        assert_eq!(terms("ビーチ"), ["ビー", "ーチ"]);
        assert_eq!(terms("海滩"), ["海滩"]);
        assert_eq!(terms("猫"), ["猫"]);
        assert_eq!(terms("바다에서"), ["바다"], "the particle is left out");
        assert_eq!(terms("사과"), ["사과"], "an apple, not a thing called 사");
        let all: Vec<String> = all_terms(&units("海滩散"))
            .into_iter()
            .map(|(_, _, term)| term)
            .collect();
        assert_eq!(all, ["海", "滩", "散", "海滩", "滩散"]);
    }
}
