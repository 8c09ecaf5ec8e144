//! The built-in pictures and texts that a check encodes.

use std::fmt;

/// A picture, and a text about it in each [`Language`].
pub(super) struct Pair {
    /// What the picture shows, for messages.
    pub(super) name: &'static str,
    /// The picture's file.
    pub(super) jpeg: &'static [u8],
    english: &'static str,
    chinese: &'static str,
}

/// A language of the texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// Simplified Chinese.
    Chinese,
}

impl Language {
    /// All of them, the first one to be tried first.
    pub const ALL: [Self; 2] = [Self::English, Self::Chinese];

    /// Its code of ISO 639-1.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh",
        }
    }

    /// Its name in English.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Chinese => "Chinese",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Pair {
    pub(super) fn text(&self, language: Language) -> &'static str {
        match language {
            Language::English => self.english,
            Language::Chinese => self.chinese,
        }
    }
}

/// Another way to write an English text, which means the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writing {
    /// `A DOG`: shows whether the model sees capitals.
    Capitals,
    /// `“a dog”!`: shows whether the model sees punctuation.
    Punctuation,
    /// `á dog`: shows whether the model sees accents.
    Accents,
}

impl Writing {
    /// Writes a text in this way.
    pub(super) fn apply(self, text: &str) -> String {
        match self {
            Self::Capitals => text.to_uppercase(),
            Self::Punctuation => format!("“{text}”!"),
            Self::Accents => {
                // Only one: a text with an accent on every vowel is no text of any language.
                let accented = |(at, vowel): (usize, &str)| {
                    let letter = match vowel {
                        "a" => "á",
                        "e" => "é",
                        "i" => "í",
                        "o" => "ó",
                        _ => "ú",
                    };
                    format!("{}{letter}{}", &text[..at], &text[at + 1..])
                };
                let mut vowels = text.match_indices(['a', 'e', 'i', 'o', 'u']);
                vowels.next_back().map_or_else(|| text.to_owned(), accented)
            }
        }
    }
}

macro_rules! picture {
    ($file:literal) => {
        include_bytes!(concat!("pictures/", $file, ".jpg"))
    };
}

/// The pairs. They show different things, so that the text of one is wrong about all others.
pub(super) const PAIRS: [Pair; 16] = [
    Pair {
        name: "bee",
        jpeg: picture!("bee_on_aster"),
        english: "a bee on a purple flower",
        chinese: "紫色花朵上的一只蜜蜂",
    },
    Pair {
        name: "citrus slices",
        jpeg: picture!("citrus_slices"),
        english: "slices of orange, lemon and lime",
        chinese: "橙子、柠檬和青柠的切片",
    },
    Pair {
        name: "clownfish",
        jpeg: picture!("clownfish"),
        english: "an orange fish with white stripes under water",
        chinese: "水下一条带白色条纹的橙色小丑鱼",
    },
    Pair {
        name: "coffee",
        jpeg: picture!("coffee"),
        english: "a cup of coffee with a spoon on a wooden table",
        chinese: "木桌上的一杯咖啡和一把勺子",
    },
    Pair {
        name: "Colosseum",
        jpeg: picture!("colosseum"),
        english: "the Colosseum in Rome",
        chinese: "罗马斗兽场",
    },
    Pair {
        name: "crab",
        jpeg: picture!("crab"),
        english: "a crab on the sand",
        chinese: "沙滩上的一只螃蟹",
    },
    Pair {
        name: "dog",
        jpeg: picture!("german_shepherd"),
        english: "a dog",
        chinese: "一只狗",
    },
    Pair {
        name: "giraffes",
        jpeg: picture!("giraffes"),
        english: "two giraffes next to bare trees",
        chinese: "枯树旁的两只长颈鹿",
    },
    Pair {
        name: "horses",
        jpeg: picture!("horses"),
        english: "horses on a meadow",
        chinese: "草地上的马",
    },
    Pair {
        name: "orchestra",
        jpeg: picture!("orchestra"),
        english: "an orchestra playing on stage with a conductor",
        chinese: "管弦乐团在舞台上演奏",
    },
    Pair {
        name: "panda",
        jpeg: picture!("panda"),
        english: "a giant panda sitting on rocks",
        chinese: "坐在岩石上的大熊猫",
    },
    Pair {
        name: "rocket",
        jpeg: picture!("rocket"),
        english: "a rocket standing on the launch pad at night",
        chinese: "夜晚发射台上的火箭",
    },
    Pair {
        name: "rocky shore",
        jpeg: picture!("rocky_shore"),
        english: "rocks on the shore of the sea",
        chinese: "海边的岩石",
    },
    Pair {
        name: "scissors",
        jpeg: picture!("scissors"),
        english: "a pair of scissors with orange handles",
        chinese: "一把橙色手柄的剪刀",
    },
    Pair {
        name: "tulips",
        jpeg: picture!("tulips"),
        english: "a field of pink tulips",
        chinese: "一片粉色的郁金香花田",
    },
    Pair {
        name: "windmills",
        jpeg: picture!("windmills"),
        english: "a row of old white windmills with thatched roofs",
        chinese: "一排白色的旧风车",
    },
];

/// Two pictures that differ in colour only, red and blue, with their texts.
pub(super) const BALLS: [Pair; 2] = [
    Pair {
        name: "red ball",
        jpeg: picture!("red_ball"),
        english: "a red ball",
        chinese: "红色的球",
    },
    Pair {
        name: "blue ball",
        jpeg: picture!("blue_ball"),
        english: "a blue ball",
        chinese: "蓝色的球",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_written_differently_in_every_style() {
        let mut n_texts = 0;
        for pair in &PAIRS {
            let text = pair.text(Language::English);
            let all = [Writing::Capitals, Writing::Punctuation, Writing::Accents];
            let written = all.map(|writing| writing.apply(text));
            for (at, one) in written.iter().enumerate() {
                assert_ne!(one, text);
                assert!(!written[..at].contains(one), "{one}");
            }
            n_texts += 1;
        }
        assert_eq!(n_texts, 16);
        assert_eq!(Writing::Capitals.apply("a dog"), "A DOG");
        assert_eq!(Writing::Punctuation.apply("a dog"), "“a dog”!");
        assert_eq!(Writing::Accents.apply("a dog"), "a dóg");
    }

    #[test]
    fn no_two_pairs_share_a_picture_or_a_text() {
        for (at, pair) in PAIRS.iter().enumerate() {
            for other in &PAIRS[..at] {
                assert_ne!(pair.jpeg, other.jpeg, "{}", pair.name);
                for language in Language::ALL {
                    assert_ne!(pair.text(language), other.text(language));
                }
            }
        }
    }
}
