//! Names of months and days of the week.

use crate::item::Moment;
use crate::language::Language;

/// The names of a language, separated by spaces.
struct Names {
    /// From January.
    months: &'static str,
    /// From Monday.
    days: &'static str,
}

const ENGLISH: Names = Names {
    months: "January February March April May June July August September October November \
             December",
    days: "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
};

const GERMAN: Names = Names {
    months: "Januar Februar März April Mai Juni Juli August September Oktober November \
             Dezember",
    days: "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag",
};

const FRENCH: Names = Names {
    months: "janvier février mars avril mai juin juillet août septembre octobre novembre \
             décembre",
    days: "lundi mardi mercredi jeudi vendredi samedi dimanche",
};

const SPANISH: Names = Names {
    months: "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre \
             diciembre",
    days: "lunes martes miércoles jueves viernes sábado domingo",
};

const ITALIAN: Names = Names {
    months: "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre \
             novembre dicembre",
    days: "lunedì martedì mercoledì giovedì venerdì sabato domenica",
};

const PORTUGUESE: Names = Names {
    months: "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro \
             dezembro",
    days: "segunda-feira terça-feira quarta-feira quinta-feira sexta-feira sábado domingo",
};

const DUTCH: Names = Names {
    months: "januari februari maart april mei juni juli augustus september oktober november \
             december",
    days: "maandag dinsdag woensdag donderdag vrijdag zaterdag zondag",
};

/// The words of a date: its digits, and the names of its month and its day of the week, as far as
/// they are known, in English and, if known, in the language of the index.
pub(crate) fn words(moment: Moment, language: Language) -> String {
    let own = match language {
        Language::German => Some(&GERMAN),
        Language::French => Some(&FRENCH),
        Language::Spanish => Some(&SPANISH),
        Language::Italian => Some(&ITALIAN),
        Language::Portuguese => Some(&PORTUGUESE),
        Language::Dutch => Some(&DUTCH),
        _ => None,
    };
    let shown = moment.to_string();
    let mut words = vec![shown.split('T').next().unwrap_or_default().to_owned()];
    let month = usize::from(moment.month()).checked_sub(1);
    for names in [Some(&ENGLISH), own].into_iter().flatten() {
        let month = month.and_then(|month| names.months.split(' ').nth(month));
        let day = moment.weekday();
        let day = day.and_then(|day| names.days.split(' ').nth(day));
        for name in month.into_iter().chain(day) {
            if !words.iter().any(|word| word == name) {
                words.push(name.to_owned());
            }
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_has_words_in_english_and_in_the_language_of_the_index() {
        let moment = Moment::new(2023, 8, 14, Some([17, 3, 21])).unwrap();
        let rows = [
            (Language::English, "2023-08-14 August Monday"),
            (Language::None, "2023-08-14 August Monday"),
            (Language::German, "2023-08-14 August Monday Montag"),
            (Language::French, "2023-08-14 August Monday août lundi"),
            (Language::Spanish, "2023-08-14 August Monday agosto lunes"),
            (Language::Italian, "2023-08-14 August Monday agosto lunedì"),
            (
                Language::Portuguese,
                "2023-08-14 August Monday agosto segunda-feira",
            ),
            (Language::Dutch, "2023-08-14 August Monday augustus maandag"),
        ];
        let month = Moment::new(1993, 8, 0, None).unwrap();
        assert_eq!(words(month, Language::French), "1993-08 August août");
        let year = Moment::new(1993, 0, 0, None).unwrap();
        assert_eq!(words(year, Language::French), "1993");
        assert_eq!(rows.len(), 8);
        for (language, expected) in rows {
            assert_eq!(words(moment, language), expected);
        }
    }
}
