//! What an English query says that it does not want: "a beach without people", "street, no cars".
//!
//! CLIP-like models read the unwanted word and hardly the one before it ("Vision-Language Models Do
//! Not Understand Negation", Alhamoud et al., CVPR 2025), so it is taken out of the text and
//! subtracted. A rule that is unsure leaves the words where they are.

/// A word of a query.
#[derive(Debug, Clone, Copy)]
pub(super) struct QueryWord<'a> {
    /// As it was typed, with the punctuation around it.
    pub(super) text: &'a str,
    /// Whether it is a phrase in quotation marks, which is never taken apart.
    pub(super) is_quoted: bool,
}

/// A query taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wishes {
    /// The words that remain.
    pub(super) wanted: String,
    /// What is not wanted, one text for each thing.
    pub(super) unwanted: Vec<String>,
}

/// Words of one unwanted thing, at most. A longer text is a clause, not a name.
const MAX_WORDS: usize = 3;

const ARTICLES: [&str; 3] = ["a", "an", "the"];
const DETERMINERS: [&str; 6] = ["a", "an", "the", "any", "some", "many"];

/// Words that begin something else.
const PREPOSITIONS: [&str; 29] = [
    "above", "across", "after", "against", "along", "around", "at", "before", "behind", "below",
    "beside", "between", "by", "during", "for", "from", "in", "inside", "into", "near", "next",
    "on", "outside", "over", "through", "to", "under", "while", "with",
];

/// Words between the wanted and the unwanted that go with the latter.
const CONNECTORS: [&str; 10] = [
    "and", "are", "be", "but", "is", "that", "was", "which", "who", "with",
];

/// Words between things of one kind, all wanted or all unwanted.
const JOINTS: [&str; 3] = ["and", "or", "nor"];

/// Words before and after "no" in other senses.
const BEFORE_NO: [&str; 9] = ["a", "an", "dr", "in", "of", "said", "say", "says", "yes"];
const AFTER_NO: [&str; 18] = [
    "doubt",
    "dumping",
    "entrance",
    "entry",
    "exit",
    "fishing",
    "idea",
    "longer",
    "matter",
    "more",
    "one",
    "parking",
    "problem",
    "smoking",
    "stopping",
    "swimming",
    "trespassing",
    "way",
];

/// Words before and after "not" in other senses.
const BEFORE_NOT: [&str; 15] = [
    "can", "could", "did", "do", "does", "had", "has", "have", "me", "must", "or", "should",
    "whether", "why", "would",
];
const AFTER_NOT: [&str; 15] = [
    "all",
    "enough",
    "even",
    "far",
    "just",
    "many",
    "much",
    "necessarily",
    "only",
    "quite",
    "really",
    "so",
    "too",
    "very",
    "yet",
];

/// Words after "without" in other senses.
const AFTER_WITHOUT: [&str; 7] = [
    "borders", "doubt", "end", "fail", "limits", "question", "whom",
];

/// Words that show that the text before them is written on something.
const SIGNS: [&str; 8] = [
    "logo", "poster", "sign", "signs", "sticker", "symbol", "zone", "zones",
];

/// Words that belong to a clause, not to the name of a thing.
const OF_CLAUSES: [&str; 11] = [
    "all", "he", "how", "i", "it", "she", "they", "we", "what", "where", "you",
];

/// What an English query wants and what it does not; `None` where it says nothing of the kind, or
/// nothing would remain to look for.
pub(super) fn wishes(words: &[QueryWord<'_>]) -> Option<Wishes> {
    let bare: Vec<String> = words.iter().map(bare).collect();
    let mut is_kept = vec![true; words.len()];
    let mut unwanted = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let found = unwanted_after(words, &bare, at).filter(|_| has_content(&bare[..at], &is_kept));
        let Some((things, end)) = found else {
            at += 1;
            continue;
        };
        unwanted.extend(things);
        let mut start = at;
        let is_between = |word: &str| CONNECTORS.contains(&word) || JOINTS.contains(&word);
        while start > 0 && is_between(&bare[start - 1]) {
            start -= 1;
        }
        is_kept[start..end].fill(false);
        at = end;
    }
    if unwanted.is_empty() || !has_content(&bare, &is_kept) {
        return None;
    }
    let kept = words.iter().zip(&is_kept).filter(|(_, is_kept)| **is_kept);
    let wanted: Vec<&str> = kept.map(|(word, _)| word.text).collect();
    let wanted = wanted
        .join(" ")
        .trim_end_matches([',', ';', ' '])
        .to_owned();
    Some(Wishes { wanted, unwanted })
}

/// A word in lower case without punctuation; for a phrase in quotation marks, one of them.
fn bare(word: &QueryWord<'_>) -> String {
    if word.is_quoted {
        return "\"".to_owned();
    }
    let letters = word.text.trim_matches(|c: char| !c.is_alphanumeric());
    letters.to_lowercase()
}

/// Whether some kept word can stand for a thing.
fn has_content(bare: &[String], is_kept: &[bool]) -> bool {
    let is_thing = |word: &str| {
        let lists: [&[&str]; 3] = [&DETERMINERS, &PREPOSITIONS, &CONNECTORS];
        !lists.iter().any(|list| list.contains(&word))
    };
    let mut kept = bare.iter().zip(is_kept).filter(|(_, is_kept)| **is_kept);
    kept.any(|(word, _)| !word.is_empty() && is_thing(word))
}

/// What the word at `at` says is not wanted, and where that ends.
fn unwanted_after(
    words: &[QueryWord<'_>],
    bare: &[String],
    at: usize,
) -> Option<(Vec<String>, usize)> {
    let is = |place: usize, list: &[&str]| {
        bare.get(place)
            .is_some_and(|word| list.contains(&word.as_str()))
    };
    let is_before = |list| at > 0 && is(at - 1, list);
    let is_in_other_sense = match bare[at].as_str() {
        "without" => is(at + 1, &AFTER_WITHOUT),
        "no" => is_before(&BEFORE_NO) || is(at + 1, &AFTER_NO),
        "not" => is_before(&BEFORE_NOT) || is(at + 1, &AFTER_NOT),
        _ => return None,
    };
    if is_in_other_sense || ends_clause(&words[at]) {
        return None;
    }
    let mut place = at + 1;
    if bare[at] == "not" && is(place, &PREPOSITIONS) {
        place += 1;
    }
    // Each with the place of the joint before it.
    let mut things: Vec<(usize, Vec<&str>)> = vec![(place, Vec::new())];
    let mut is_start = true;
    while let (Some(word), Some(plain)) = (words.get(place), bare.get(place)) {
        let is_joint = JOINTS.contains(&plain.as_str());
        if is_start && DETERMINERS.contains(&plain.as_str()) {
            place += 1;
            continue;
        }
        // "and a dog" begins what is wanted, "and dogs" goes on.
        let begins_other = word.is_quoted
            || PREPOSITIONS.contains(&plain.as_str())
            || CONNECTORS.contains(&plain.as_str()) && (plain != "and" || is(place + 1, &ARTICLES));
        if begins_other || plain.is_empty() || matches!(plain.as_str(), "no" | "not" | "without") {
            break;
        }
        is_start = is_joint;
        if is_joint {
            things.push((place, Vec::new()));
        } else if let Some((_, thing)) = things.last_mut() {
            thing.push(plain);
        }
        place += 1;
        if ends_clause(word) {
            break;
        }
    }
    // "no people and no dogs", "no people and in the rain": the joint belongs to what follows.
    while things.len() > 1
        && let Some((joint, _)) = things.pop_if(|(_, thing)| thing.is_empty())
    {
        place = joint;
    }
    let is_name = |(_, thing): &(usize, Vec<&str>)| {
        let starts_with_letter = |word: &&str| word.starts_with(char::is_alphabetic);
        thing.first().is_some_and(starts_with_letter)
            && thing.len() <= MAX_WORDS
            && !thing
                .iter()
                .any(|word| SIGNS.contains(word) || OF_CLAUSES.contains(word))
    };
    if !things.iter().all(is_name) {
        return None;
    }
    Some((
        things
            .into_iter()
            .map(|(_, thing)| thing.join(" "))
            .collect(),
        place,
    ))
}

/// Whether a comma or the like follows a word.
fn ends_clause(word: &QueryWord<'_>) -> bool {
    word.text.ends_with([',', ';', '.', '!', '?', ':', ')'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<Wishes> {
        let words = text.split_whitespace().map(|text| QueryWord {
            text,
            is_quoted: false,
        });
        wishes(&words.collect::<Vec<_>>())
    }

    #[test]
    fn what_is_not_wanted_is_taken_out() {
        let rows: [(&str, &str, &[&str]); 20] = [
            ("beach without people", "beach", &["people"]),
            ("a beach without any people", "a beach", &["people"]),
            ("A dog WITHOUT a collar", "A dog", &["collar"]),
            ("a street with no cars", "a street", &["cars"]),
            ("street, no cars", "street", &["cars"]),
            ("street no cars, at night", "street at night", &["cars"]),
            (
                "street without cars in the rain",
                "street in the rain",
                &["cars"],
            ),
            (
                "street without cars or people",
                "street",
                &["cars", "people"],
            ),
            (
                "street without cars and people",
                "street",
                &["cars", "people"],
            ),
            ("dog without a leash and a cat", "dog and a cat", &["leash"]),
            ("a dog not in the snow", "a dog", &["snow"]),
            ("a dog that is not brown", "a dog", &["brown"]),
            ("an animal, not a cat", "an animal", &["cat"]),
            ("a dog not running on grass", "a dog on grass", &["running"]),
            ("a room with no red chairs", "a room", &["red chairs"]),
            ("a beach but no people", "a beach", &["people"]),
            (
                "beach without people without dogs",
                "beach",
                &["people", "dogs"],
            ),
            ("beach, no people, no dogs", "beach", &["people", "dogs"]),
            ("lake without a lot of boats", "lake", &["lot of boats"]),
            (
                "a man without a hat with a dog",
                "a man with a dog",
                &["hat"],
            ),
        ];
        assert_eq!(rows.len(), 20);
        for (text, wanted, unwanted) in rows {
            let found = of(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(found.wanted, wanted, "{text}");
            assert_eq!(found.unwanted, unwanted, "{text}");
        }
    }

    /// What is typed, what is wanted and what is not.
    const SEVERAL: [(&str, &str, &str); 40] = [
        ("beach with no people and no dogs", "beach", "people, dogs"),
        ("dogs without a leash and no cats", "dogs", "leash, cats"),
        (
            "a man with no hat and without glasses",
            "a man",
            "hat, glasses",
        ),
        ("people without hats and no cars", "people", "hats, cars"),
        (
            "people without hats without glasses",
            "people",
            "hats, glasses",
        ),
        ("beach, no people, no dogs", "beach", "people, dogs"),
        ("beach no people no dogs", "beach", "people, dogs"),
        ("beach, no people, and no dogs", "beach", "people, dogs"),
        ("beach, no people and no dogs", "beach", "people, dogs"),
        ("beach with no people or dogs", "beach", "people, dogs"),
        ("beach with no people nor dogs", "beach", "people, dogs"),
        ("beach with no people or no dogs", "beach", "people, dogs"),
        ("beach with no people nor any dogs", "beach", "people, dogs"),
        (
            "beach without people nor without dogs",
            "beach",
            "people, dogs",
        ),
        (
            "beach without people or without dogs",
            "beach",
            "people, dogs",
        ),
        (
            "beach without people and without dogs",
            "beach",
            "people, dogs",
        ),
        (
            "beach with no people and with no dogs",
            "beach",
            "people, dogs",
        ),
        ("beach without people but no dogs", "beach", "people, dogs"),
        (
            "beach without any people and no dogs",
            "beach",
            "people, dogs",
        ),
        (
            "beach without people and no dogs and no cars",
            "beach",
            "people, dogs, cars",
        ),
        ("beach without people; no dogs", "beach", "people, dogs"),
        (
            "beach with no people and dogs or no cars",
            "beach",
            "people, dogs, cars",
        ),
        (
            "beach with no people and no dogs at night",
            "beach at night",
            "people, dogs",
        ),
        (
            "beach at night with no people and no dogs",
            "beach at night",
            "people, dogs",
        ),
        (
            "beach with no people at night and no dogs",
            "beach at night",
            "people, dogs",
        ),
        (
            "beach without people and with dogs",
            "beach and with dogs",
            "people",
        ),
        (
            "street without cars and in the rain",
            "street and in the rain",
            "cars",
        ),
        ("street without cars and a dog", "street and a dog", "cars"),
        ("street without cars or a dog", "street", "cars, dog"),
        (
            "a man without a hat and is smiling",
            "a man and is smiling",
            "hat",
        ),
        (
            "a man who is not smiling and no hat",
            "a man",
            "smiling, hat",
        ),
        ("a dog not brown and not white", "a dog", "brown, white"),
        ("a dog that is not brown or white", "a dog", "brown, white"),
        (
            "a dog that is not brown and is not white",
            "a dog",
            "brown, white",
        ),
        ("a dog, not a puppy, and no cat", "a dog", "puppy, cat"),
        ("a dog, not a puppy and not a cat", "a dog", "puppy, cat"),
        ("cats or no dogs", "cats", "dogs"),
        (
            "red car and no red bus and no people",
            "red car",
            "red bus, people",
        ),
        (
            "a room with no chairs and a no smoking sign",
            "a room and a no smoking sign",
            "chairs",
        ),
        (
            "a room with no chairs and no parking sign",
            "a room and no parking sign",
            "chairs",
        ),
    ];

    #[test]
    fn each_of_several_negations_is_taken_out() {
        for (text, wanted, unwanted) in SEVERAL {
            let found = of(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(found.wanted, wanted, "{text}");
            assert_eq!(found.unwanted.join(", "), unwanted, "{text}");
        }
    }

    #[test]
    fn other_senses_are_left_alone() {
        let rows = [
            "no parking sign",
            "a no parking sign",
            "street with no parking sign",
            "a fence with no dogs sign",
            "beach no swimming",
            "no people",
            "no people on the beach",
            "without people",
            "not a cat",
            "not",
            "beach without",
            "beach not",
            "nothing",
            "a note on a notebook",
            "Chanel No. 5",
            "Chanel No 5",
            "to be or not to be",
            "a not so big dog",
            "not only dogs",
            "say no to drugs",
            "doctors without borders",
            "a man without whom nothing works",
            "a man who does not smile",
            "gate without knowing what it was for",
            "the sign says no",
        ];
        assert_eq!(rows.len(), 25);
        for text in rows {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn quoted_words_stay_together() {
        let word = |text, is_quoted| QueryWord { text, is_quoted };
        let words = [
            word("beach", false),
            word("without", false),
            word("golden gate", true),
        ];
        assert_eq!(wishes(&words), None);
        let words = [
            word("no signal", true),
            word("without", false),
            word("people", false),
        ];
        let expected = Wishes {
            wanted: "no signal".to_owned(),
            unwanted: vec!["people".to_owned()],
        };
        // A quotation is something to look for, too.
        assert_eq!(wishes(&words), Some(expected));
    }
}
