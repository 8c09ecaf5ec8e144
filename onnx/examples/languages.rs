//! Measures how often the right text tower is chosen.
//!
//! Usage: `languages FIRST OTHERS [--usual CODE] FILE…`, such as `languages en de,fr,cs texts.tsv`.
//! FIRST and OTHERS are the languages of two text towers, CODE that of texts which could be in
//! several; the files have lines of a language code, a tab and a text in that language. For each
//! file, language and number of words, prints the number of texts, the percentage for which the
//! right tower is chosen, and that for which the language is right too.

#![expect(clippy::print_stdout, reason = "an example prints its results")]

use std::collections::BTreeMap;
use std::error::Error;

use sightline_onnx::{Language, choose};

#[derive(Default)]
struct Count {
    of_texts: usize,
    right_towers: usize,
    right_languages: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).peekable();
    let mut tower = || -> Result<Vec<Language>, Box<dyn Error>> {
        let codes = arguments
            .next()
            .ok_or("usage: languages FIRST OTHERS [--usual CODE] FILE…")?;
        Ok(codes.split(',').map(str::parse).collect::<Result<_, _>>()?)
    };
    let (first, others) = (tower()?, tower()?);
    let towers = [first.as_slice(), others.as_slice()];
    let usual: Option<Language> = match arguments.next_if(|argument| argument == "--usual") {
        Some(_) => arguments.next().map(|code| code.parse()).transpose()?,
        None => None,
    };
    println!("| file | language | words | texts | right tower | right language |");
    println!("|---|---|---|---|---|---|");
    for file in arguments {
        let mut counts: BTreeMap<(Language, &str), Count> = BTreeMap::new();
        let lines = fs_err::read_to_string(&file)?;
        for line in lines.lines() {
            let (code, text) = line.split_once('\t').ok_or("a line without a tab")?;
            let language: Language = code.parse()?;
            let choice = choose(&towers, text, None, usual)?;
            let n_words = match text.split_whitespace().count() {
                0..=1 => "1",
                2 => "2",
                3..=4 => "3–4",
                _ => "5 or more",
            };
            for n_words in [n_words, "all"] {
                let count = counts.entry((language, n_words)).or_default();
                count.of_texts += 1;
                count.right_towers += usize::from(towers[choice.tower].contains(&language));
                count.right_languages += usize::from(choice.language == Some(language));
            }
        }
        for ((language, n_words), count) in counts {
            let percent = |n: usize| 100.0 * n as f64 / count.of_texts as f64;
            println!(
                "| {file} | {language} | {n_words} | {} | {:.1} | {:.1} |",
                count.of_texts,
                percent(count.right_towers),
                percent(count.right_languages)
            );
        }
    }
    Ok(())
}
