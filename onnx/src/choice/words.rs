//! Which of several languages in Latin letters a text is in.
//!
//! A detector of trigrams takes half of all short English texts for another language. So function
//! words and letters are compared first, then the English words are counted. The detector must
//! find another language even behind an English word, and is not believed if all words are English.

use super::{detector, english};
use crate::language::Language;

/// What a text in Latin letters is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// In this language.
    Is(Language),
    /// Not in English, but in any other of them, or in one that was not compared.
    NotEnglish,
    /// In any of them.
    Unsure,
}

/// How sure the detector must be of a language if nothing else speaks for it.
const SURE: f64 = 0.5;

/// A text of this many words is English if the detector takes it for that at all.
const LONG: usize = 5;

/// Words in capitals of at most this many letters tell no language: `USA`, `BMW`, `IMG`.
const LONGEST_ABBREVIATION: usize = 4;

/// English names of months, which are also written in capitals and beside texts in any language.
/// The detector is not believed if nothing else is there: `DEC 2019`.
const MONTHS: &str = "jan january feb february mar march apr april may jun june jul july aug \
                      august sep sept september oct october nov november dec december";

/// What is put before a text that the detector is to find in another language than English.
const ENGLISH_WORD: &str = "the";

/// How sure the detector must be of another language than English behind [`ENGLISH_WORD`].
/// Chosen on short phrases, see `benches/RESULTS.md`.
const SURE_BEHIND_ENGLISH: f64 = 0.1;

/// What marks a language among others: function words, and letters beyond a to z.
struct Marks {
    code: &'static str,
    words: &'static str,
    letters: &'static str,
}

/// Words that two languages share count for both. Those that English shares with another language
/// only by spelling (German `die`, French `on`, Polish `do`) are left out of the other's.
const MARKS: [Marks; 11] = [
    Marks {
        code: "cs",
        words: "na v ve s se z ze do u k ke po při pod nad před za mezi bez je jsou jeho její \
                který která které a o od dva dvě tři jeden jedna můj moje",
        letters: "áčďéěíňóřšťúůýž",
    },
    Marks {
        code: "de",
        words: "der das den dem des ein eine einen einem einer eines und im am auf mit von vom zu \
                zum zur bei beim für über unter vor hinter aus nach ist sind mein meine zwei drei \
                in an ohne neben zwischen",
        letters: "äöüß",
    },
    Marks {
        code: "en",
        words: "the a an of and with in on at is are to for from by my his her their its two \
                three this that some over under near into behind who while i we you or it one am \
                as up down off out no not 's",
        letters: "",
    },
    Marks {
        code: "es",
        words: "el la los las un una unos unas y e de del en con sobre al por para sin entre \
                hacia desde mi mis su sus dos tres es son está están que junto bajo a o no",
        letters: "áéíñóúü",
    },
    Marks {
        code: "fr",
        words: "le la les un une des du de et avec au aux dans sur sous chez près en est sont mon \
                ma mes sa ses leur deux trois qui que par sans devant derrière entre à l' d' qu' \
                jusqu' or",
        letters: "àâæçéèêëîïôœùûüÿ",
    },
    Marks {
        code: "it",
        words: "il lo la gli le un uno una i e di del dello della dei degli delle con sul sulla su \
                nel nella nei nelle al alla alle allo ai per tra fra da dal dalla mio mia due tre \
                è sono che senza sotto sopra in a l' un' d' dell' nell' all' sull' dall'",
        letters: "àèéìîòóù",
    },
    Marks {
        code: "nl",
        words: "de het een en van op met aan bij voor naar uit onder tussen naast zonder mijn zijn \
                haar twee drie te om tot die dat deze in is",
        letters: "éëïè",
    },
    Marks {
        code: "pl",
        words: "na w we z ze i po pod nad przed przy za dla od bez między jest są mój moja moje \
                jego jej ich dwa dwie dwoje trzy który która się o u oraz a",
        letters: "ąćęłńóśźż",
    },
    Marks {
        code: "pt",
        words: "o os um uma uns umas e de do da dos das em no na nos nas num numa com por para ao \
                aos à às sem sobre entre meu minha seu sua dois duas três é são que perto junto a",
        letters: "áâãàçéêíóôõúü",
    },
    Marks {
        code: "sv",
        words: "en ett och i på med av för från till under över vid hos mellan utan är som min \
                mitt mina två tre det den de",
        letters: "åäöé",
    },
    Marks {
        code: "tr",
        words: "bir ve ile için bu şu çok gibi altında üstünde üzerinde içinde yanında arasında \
                önünde arkasında olan eden var benim iki üç de da",
        letters: "çğıöşüâî",
    },
];

/// The code of the language that all others are compared with.
const ENGLISH: &str = "en";

pub(super) fn is_english(language: &Language) -> bool {
    language.code() == ENGLISH
}

/// Compares the languages listed, of which there are several.
pub(super) fn latin(text: &str, listed: &[Language]) -> Verdict {
    let lower = text.to_lowercase().replace('’', "'");
    let words = words(&lower);
    let scores: Vec<(Language, usize)> = listed
        .iter()
        .map(|&language| (language, score(language, &words, &lower)))
        .collect();
    let english = scores.iter().find(|(language, _)| is_english(language));
    let others = scores.iter().filter(|(language, _)| !is_english(language));
    let best = others.clone().map(|&(_, score)| score).max().unwrap_or(0);
    let of_english = english.map_or(0, |&(_, score)| score);
    if best > of_english {
        let tied: Vec<Language> = others
            .filter(|&&(_, score)| score == best)
            .map(|&(language, _)| language)
            .collect();
        let found = detector::detect(text, &tied).map(|(language, _)| language);
        return Verdict::Is(found.unwrap_or(tied[0]));
    }
    let Some(&(english, _)) = english else {
        return match detector::detect(text, listed) {
            Some((language, sure)) if sure >= SURE => Verdict::Is(language),
            _ => Verdict::Unsure,
        };
    };
    if of_english > best {
        return Verdict::Is(english);
    }
    let of_words = english_words(text);
    let is_english_only = of_words.others == 0 && of_words.english + of_words.months > 0;
    let is_long = words.len() >= LONG;
    let is_other_letter = |letter: char| letter.is_alphabetic() && !letter.is_ascii();
    let behind_english = if is_english_only {
        None
    } else {
        detector::detect(&format!("{ENGLISH_WORD} {text}"), listed)
    };
    match behind_english {
        Some((language, sure)) if language != english && sure >= SURE_BEHIND_ENGLISH => {
            Verdict::Is(language)
        }
        _ if of_words.others > of_words.english || lower.contains(is_other_letter) => {
            Verdict::NotEnglish
        }
        _ => match detector::detect(text, listed) {
            Some((language, sure)) if language == english && (sure >= SURE || is_long) => {
                Verdict::Is(english)
            }
            _ => Verdict::Unsure,
        },
    }
}

/// How many words of a text are English, how many are not, and how many are names of months.
#[derive(Default)]
struct EnglishWords {
    english: usize,
    others: usize,
    months: usize,
}

fn is_month(word: &str) -> bool {
    MONTHS.split(' ').any(|month| month == word)
}

/// Counts the English words of a text and the others. Those that tell nothing are in neither: names
/// of files and others with digits, abbreviations, single letters, articles before an apostrophe,
/// names of months.
fn english_words(text: &str) -> EnglishWords {
    let text = text.replace('’', "'");
    let tokens = text.split_whitespace();
    let tokens = tokens.filter(|token| !token.contains(char::is_numeric));
    let mut counts = EnglishWords::default();
    for word in tokens.flat_map(words) {
        let word = word.trim_matches('-');
        let n_letters = word.chars().count();
        let is_abbreviation =
            n_letters <= LONGEST_ABBREVIATION && word.chars().all(char::is_uppercase);
        if is_month(&word.to_lowercase()) {
            counts.months += 1;
            continue;
        }
        if n_letters < 2 || word.contains('\'') || is_abbreviation {
            continue;
        }
        if english::is_word(&word.to_lowercase()) {
            counts.english += 1;
        } else {
            counts.others += 1;
        }
    }
    counts
}

/// Function words of the language in a text, and different letters that English does not have.
fn score(language: Language, words: &[&str], lower: &str) -> usize {
    let marks = MARKS.iter().find(|marks| marks.code == language.code());
    let Some(marks) = marks else { return 0 };
    let is_function_word = |word: &&&str| marks.words.split(' ').any(|one| one == **word);
    let n_words = words.iter().filter(is_function_word).count();
    let is_there = |letter: &char| lower.contains(*letter);
    n_words + marks.letters.chars().filter(is_there).count()
}

/// The words of a text. An article before an apostrophe ends with it, and an English `'s` in lower
/// case begins with it: `l'`, `eau`; `woman`, `'s`. Words joined by hyphens are one.
fn words(text: &str) -> Vec<&str> {
    let is_inside = |letter: char| letter.is_alphabetic() || matches!(letter, '\'' | '-');
    let mut words = Vec::new();
    for word in text.split(|letter: char| !is_inside(letter)) {
        match word.find('\'') {
            Some(at) if &word[at..] == "'s" => words.extend([&word[..at], &word[at..]]),
            Some(at) => words.extend([&word[..=at], &word[at + 1..]]),
            None => words.push(word),
        }
    }
    words
}
