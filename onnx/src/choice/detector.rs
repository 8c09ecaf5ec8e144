//! The detector of languages, by the codes of ISO 639-1.

use whatlang::{Detector, Lang};

use crate::language::Language;

/// The languages that the detector knows, each with its code there.
const KNOWN: [(&str, Lang); 70] = [
    ("af", Lang::Afr),
    ("ak", Lang::Aka),
    ("am", Lang::Amh),
    ("ar", Lang::Ara),
    ("az", Lang::Aze),
    ("be", Lang::Bel),
    ("bg", Lang::Bul),
    ("bn", Lang::Ben),
    ("ca", Lang::Cat),
    ("cs", Lang::Ces),
    ("cy", Lang::Cym),
    ("da", Lang::Dan),
    ("de", Lang::Deu),
    ("el", Lang::Ell),
    ("en", Lang::Eng),
    ("eo", Lang::Epo),
    ("es", Lang::Spa),
    ("et", Lang::Est),
    ("fa", Lang::Pes),
    ("fi", Lang::Fin),
    ("fr", Lang::Fra),
    ("gu", Lang::Guj),
    ("he", Lang::Heb),
    ("hi", Lang::Hin),
    ("hr", Lang::Hrv),
    ("hu", Lang::Hun),
    ("hy", Lang::Hye),
    ("id", Lang::Ind),
    ("it", Lang::Ita),
    ("ja", Lang::Jpn),
    ("jv", Lang::Jav),
    ("ka", Lang::Kat),
    ("km", Lang::Khm),
    ("kn", Lang::Kan),
    ("ko", Lang::Kor),
    ("la", Lang::Lat),
    ("lt", Lang::Lit),
    ("lv", Lang::Lav),
    ("mk", Lang::Mkd),
    ("ml", Lang::Mal),
    ("mr", Lang::Mar),
    ("my", Lang::Mya),
    ("nb", Lang::Nob),
    ("ne", Lang::Nep),
    ("nl", Lang::Nld),
    ("or", Lang::Ori),
    ("pa", Lang::Pan),
    ("pl", Lang::Pol),
    ("pt", Lang::Por),
    ("ro", Lang::Ron),
    ("ru", Lang::Rus),
    ("si", Lang::Sin),
    ("sk", Lang::Slk),
    ("sl", Lang::Slv),
    ("sn", Lang::Sna),
    ("sr", Lang::Srp),
    ("sv", Lang::Swe),
    ("ta", Lang::Tam),
    ("te", Lang::Tel),
    ("th", Lang::Tha),
    ("tk", Lang::Tuk),
    ("tl", Lang::Tgl),
    ("tr", Lang::Tur),
    ("uk", Lang::Ukr),
    ("ur", Lang::Urd),
    ("uz", Lang::Uzb),
    ("vi", Lang::Vie),
    ("yi", Lang::Yid),
    ("zh", Lang::Cmn),
    ("zu", Lang::Zul),
];

/// The most likely of some languages, and how sure that is, from 0 to 1; none if the detector knows
/// none of them.
pub(super) fn detect(text: &str, among: &[Language]) -> Option<(Language, f64)> {
    let known = |language: &Language| {
        let at = KNOWN.binary_search_by_key(&language.code(), |&(code, _)| code);
        at.ok().map(|at| (*language, KNOWN[at].1))
    };
    let known: Vec<(Language, Lang)> = among.iter().filter_map(known).collect();
    let found = match known[..] {
        [] => return None,
        // The detector takes an empty list for all languages.
        _ => {
            Detector::with_allowlist(known.iter().map(|&(_, lang)| lang).collect()).detect(text)?
        }
    };
    let language = known.iter().find(|&&(_, lang)| lang == found.lang())?.0;
    Some((language, found.confidence()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_language_has_a_code() {
        assert!(KNOWN.is_sorted_by_key(|&(code, _)| code));
        for (code, _) in KNOWN {
            assert!(code.parse::<Language>().is_ok(), "{code}");
        }
    }
}
