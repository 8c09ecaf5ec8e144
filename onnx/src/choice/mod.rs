//! Which text tower of a model reads a text.
//!
//! The script of the text chooses first. Among towers of the same script, its letters, its function
//! words, a list of English words and a detector do; if they are unsure, the usual language of the
//! caller.

mod detector;
mod english;
mod script;
mod words;

use crate::language::Language;

/// The text tower for a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// Its position among the towers.
    pub tower: usize,
    /// The language that the text is taken for; none if it could be any.
    pub language: Option<Language>,
}

/// A language that no text tower of the model is for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the model has no text tower for `{language}`{}", known(listed))]
pub struct UnlistedLanguage {
    /// The language asked for.
    pub language: Language,
    /// The languages of all text towers; empty if the model states none.
    pub listed: Vec<Language>,
}

fn known(listed: &[Language]) -> String {
    if listed.is_empty() {
        return ": it does not state its languages".to_owned();
    }
    let codes: Vec<&str> = listed.iter().map(|language| language.code()).collect();
    format!(" (languages: {})", codes.join(", "))
}

/// Chooses the tower for a text, given the languages of each. `asked` overrides what the text looks
/// like; `usual` is the language of a text that could be in several.
///
/// # Errors
/// When no tower is for the language asked for.
pub fn choose(
    towers: &[&[Language]],
    text: &str,
    asked: Option<Language>,
    usual: Option<Language>,
) -> Result<Choice, UnlistedLanguage> {
    let of = |language: Language| {
        let tower = towers.iter().position(|tower| tower.contains(&language));
        tower.map(|tower| Choice {
            tower,
            language: Some(language),
        })
    };
    if let Some(language) = asked {
        return of(language).ok_or_else(|| {
            let mut listed = towers.concat();
            listed.sort_unstable();
            UnlistedLanguage { language, listed }
        });
    }
    let first = Choice {
        tower: 0,
        language: None,
    };
    if towers.len() < 2 {
        return Ok(first);
    }
    let usual = usual.and_then(of).unwrap_or(first);
    let Some(writing) = script::of(text) else {
        return Ok(usual);
    };
    let listed = writing.languages(&towers.concat());
    let found = match listed[..] {
        [] => return Ok(first),
        [only] => Some(only),
        _ if writing.is_latin() => match words::latin(text, &listed) {
            words::Verdict::Is(language) => Some(language),
            words::Verdict::NotEnglish => {
                let is_other =
                    |language: &Language| listed.contains(language) && !words::is_english(language);
                let is_usual = usual.language.as_ref().is_some_and(is_other);
                return Ok(if is_usual {
                    usual
                } else {
                    without_english(towers, &listed)
                });
            }
            words::Verdict::Unsure => None,
        },
        [main, ..] if writing.has_main() => Some(main),
        _ => detector::detect(text, &listed).map(|(language, _)| language),
    };
    Ok(found.and_then(of).unwrap_or(usual))
}

/// The first tower that has some of these languages and not English; else the first.
fn without_english(towers: &[&[Language]], some: &[Language]) -> Choice {
    let is_other = |tower: &&[Language]| {
        let has_some = tower.iter().any(|language| some.contains(language));
        has_some && !tower.iter().any(words::is_english)
    };
    Choice {
        tower: towers.iter().position(is_other).unwrap_or(0),
        language: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn languages(codes: &str) -> Vec<Language> {
        codes.split(' ').map(|code| code.parse().unwrap()).collect()
    }

    /// Tower and language of a text, as `1 zh`.
    fn chosen(towers: &[&str], text: &str, usual: &str) -> String {
        let towers: Vec<Vec<Language>> = towers.iter().map(|tower| languages(tower)).collect();
        let towers: Vec<&[Language]> = towers.iter().map(Vec::as_slice).collect();
        let choice = choose(&towers, text, None, usual.parse().ok()).unwrap();
        let language = choice.language.map_or("-", Language::code);
        format!("{} {language}", choice.tower)
    }

    const TOWERS: [&str; 2] = ["en", "zh de fr es it pt nl pl cs tr ru ar ja ko th"];

    #[test]
    fn the_script_chooses() {
        for (text, expected) in [
            ("雪地里的狗", "1 zh"),
            ("雪の中の犬", "1 ja"),
            ("イヌ", "1 ja"),
            ("눈 속의 개", "1 ko"),
            ("大韓民國 국기", "1 ko"),
            ("สุนัขในหิมะ", "1 th"),
            ("كلب في الثلج", "1 ar"),
            ("собака в снегу", "1 ru"),
        ] {
            assert_eq!(chosen(&TOWERS, text, "en"), expected, "{text}");
        }
    }

    #[test]
    fn a_latin_name_among_other_letters_is_no_english() {
        for (text, expected) in [
            ("iPhone 手机", "1 zh"),
            ("可口可乐 Coca Cola", "1 zh"),
            ("McDonald's の看板", "1 ja"),
            ("машина BMW", "1 ru"),
            ("a shop sign that says 出口", "0 en"),
        ] {
            assert_eq!(chosen(&TOWERS, text, "en"), expected, "{text}");
        }
    }

    #[test]
    fn an_unlisted_language_goes_to_the_tower_of_its_script() {
        // Ukrainian, Persian, and Greek, which has no tower.
        assert_eq!(chosen(&TOWERS, "їжак у саду", "en"), "1 ru");
        assert_eq!(chosen(&TOWERS, "سگ در برف", "en"), "1 ar");
        assert_eq!(chosen(&TOWERS, "σκύλος στο χιόνι", "de"), "0 -");
        // Icelandic has letters that no language listed has.
        assert_eq!(chosen(&TOWERS, "þorpið", "en"), "1 -");
        assert_eq!(chosen(&["zh ja", "en"], "chien", "zh"), "1 en");
    }

    #[test]
    fn listed_languages_of_one_script_are_distinguished() {
        let towers = ["en ru", "de uk", "fr"];
        assert_eq!(chosen(&towers, "собака бежит по снегу", "en"), "0 ru");
        assert_eq!(chosen(&towers, "їжак біжить по снігу", "en"), "1 uk");
        assert_eq!(chosen(&towers, "ein Hund im Schnee", "en"), "1 de");
        assert_eq!(chosen(&towers, "un chien dans la neige", "en"), "2 fr");
    }

    #[test]
    fn words_and_letters_tell_latin_languages_apart() {
        for (text, expected) in [
            ("ein Hund im Schnee", "1 de"),
            ("une plage au coucher du soleil", "1 fr"),
            ("l'eau", "1 fr"),
            ("pies na śniegu", "1 pl"),
            ("muž na kole", "1 cs"),
            ("kırmızı araba", "1 tr"),
            ("two dogs in the snow", "0 en"),
            ("a café by the sea", "0 en"),
            ("ten o’clock", "0 en"),
        ] {
            assert_eq!(chosen(&TOWERS, text, "en"), expected, "{text}");
        }
    }

    #[test]
    fn what_could_be_any_language_is_in_the_usual_one() {
        for text in ["taxi", "2019", "❤", ""] {
            assert_eq!(chosen(&TOWERS, text, "de"), "1 de", "{text}");
            assert_eq!(chosen(&TOWERS, text, "en"), "0 en", "{text}");
            assert_eq!(chosen(&TOWERS, text, ""), "0 -", "{text}");
            // One that no tower is for.
            assert_eq!(chosen(&TOWERS, text, "sv"), "0 -", "{text}");
        }
    }

    #[test]
    fn words_that_are_not_english_are_for_the_other_tower() {
        for text in [
            "Katze",
            "kot",
            "Bahnhof",
            "treinstation",
            "gatto",
            "perro",
            "Hunde",
            "casa",
            "vuurtoren",
            "czerwony samochód",
            "grote fiets",
            "mano",
        ] {
            for usual in ["", "en"] {
                assert!(chosen(&TOWERS, text, usual).starts_with('1'), "{text}");
            }
            assert_eq!(chosen(&["en zh", "de", "nl"], "Katze", "nl"), "2 nl");
        }
        // A plural of `pie`, and Polish for a dog: what is also English counts as that.
        assert_eq!(chosen(&TOWERS, "pies", "en"), "0 en");
        assert_eq!(chosen(&TOWERS, "pies", "pl"), "1 pl");
    }

    #[test]
    fn english_words_stay_with_their_tower() {
        for text in [
            "dog",
            "giraffes",
            "station",
            "harbour",
            "harbor",
            "Christmas",
            "tv",
            "TV",
            "BMW",
            "IMG_1234",
            "img_1234.jpg",
            "2019",
            "t-shirt",
            "dog's bowl",
            "kitchen remodel",
            // A typo or a name among English words.
            "beautifull sunset",
            "girafe eating",
            "London bus",
            "bmw convertible",
            "tv remote",
            "women’s march",
            "don't walk",
        ] {
            assert!(chosen(&TOWERS, text, "en").starts_with('0'), "{text}");
            assert!(chosen(&TOWERS, text, "").starts_with('0'), "{text}");
        }
        assert_eq!(chosen(&TOWERS, "kitchen remodel", "de"), "1 de");
    }

    #[test]
    fn months_speak_for_no_other_language() {
        let full = "January February March April May June July August September October November \
                    December";
        let short = "Jan Feb Mar Apr May Jun Jul Aug Sep Sept Oct Nov Dec";
        let mut n = 0;
        for month in full.split(' ').chain(short.split(' ')) {
            for month in [month, &month.to_lowercase(), &month.to_uppercase()] {
                for text in [
                    month.to_owned(),
                    format!("{month} 1993"),
                    format!("1993 {month}"),
                    format!("12 {month}. 2020"),
                    format!("{month} 5, 2020"),
                    format!("{month}-93"),
                ] {
                    for usual in ["en", ""] {
                        assert!(chosen(&TOWERS, &text, usual).starts_with('0'), "{text}");
                    }
                    n += 1;
                }
            }
        }
        assert_eq!(n, 25 * 3 * 6);
        // Beside other words, those decide; a month of two languages is in the usual one.
        assert_eq!(chosen(&TOWERS, "Aug 1993", "de"), "1 de");
        assert_eq!(chosen(&TOWERS, "Katze Aug 1993", "de"), "1 de");
        assert!(chosen(&TOWERS, "Bahnhof 12 Dec 2019", "en").starts_with('1'));
    }

    #[test]
    fn one_tower_reads_everything() {
        assert_eq!(chosen(&["en"], "雪地里的狗", "de"), "0 -");
        let choice = choose(&[&[]], "ein Hund im Schnee", None, None).unwrap();
        assert_eq!((choice.tower, choice.language), (0, None));
    }

    #[test]
    fn the_language_asked_for_overrides_the_text() {
        let [english, others] = TOWERS.map(languages);
        let towers = [english.as_slice(), others.as_slice()];
        let ask = |code: &str| choose(&towers, "雪地里的狗", code.parse().ok(), None);
        assert_eq!(ask("en").unwrap().tower, 0);
        assert_eq!(ask("de").unwrap().tower, 1);
        assert_eq!(
            ask("sv").unwrap_err().to_string(),
            "the model has no text tower for `sv` (languages: ar, cs, de, en, es, fr, it, ja, ko, \
             nl, pl, pt, ru, th, tr, zh)"
        );
        let unstated = choose(&[&[]], "a dog", "en".parse().ok(), None).unwrap_err();
        assert_eq!(
            unstated.to_string(),
            "the model has no text tower for `en`: it does not state its languages"
        );
    }

    /// The measured accuracies, on many more texts, are in `benches/RESULTS.md`.
    #[test]
    fn most_queries_reach_the_tower_of_their_language() {
        let lines = include_str!("../../tests/data/queries.tsv").lines();
        let (mut n_english, mut n_others) = ([0, 0], [0, 0]);
        for line in lines {
            let (code, text) = line.split_once('\t').unwrap();
            let is_first = chosen(&TOWERS, text, "").starts_with('0');
            let counts = if code == "en" {
                &mut n_english
            } else {
                &mut n_others
            };
            counts[0] += 1;
            counts[1] += usize::from(is_first == (code == "en"));
        }
        assert_eq!((n_english[0], n_others[0]), (24, 216));
        assert!(n_english[1] >= 24, "{n_english:?}");
        assert!(n_others[1] >= 210, "{n_others:?}");
    }

    /// With names, brands, typos and file names, as people type them.
    #[test]
    fn english_queries_stay_with_their_tower() {
        let (mut n_phrases, mut n_words) = ([0, 0], [0, 0]);
        for line in include_str!("../../tests/data/queries-english.tsv").lines() {
            let (_, text) = line.split_once('\t').unwrap();
            let is_first = chosen(&TOWERS, text, "en").starts_with('0');
            let counts = if text.contains(' ') {
                &mut n_phrases
            } else {
                &mut n_words
            };
            counts[0] += 1;
            counts[1] += usize::from(is_first);
        }
        assert_eq!((n_phrases[0], n_words[0]), (107, 37));
        assert!(n_phrases[1] >= 104, "{n_phrases:?}");
        assert!(n_words[1] >= 25, "{n_words:?}");
    }
}
