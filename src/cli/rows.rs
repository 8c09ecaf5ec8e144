//! Hits of either kind as rows, which every form of output is made from.

use std::path::{Path, PathBuf};
use std::slice;

use indicatif::HumanCount;

use super::printer::Printer;
use crate::answers::HitAnswer;
use crate::engine::{CaptionHit, Confidence, Details, PhraseHit, SearchHit};

/// Hits of one kind.
pub(super) enum Hits {
    Images(Vec<SearchHit>),
    Captions(Vec<CaptionHit>),
    Phrases(Vec<PhraseHit>),
}

/// One hit, as lines, paths and the page show it.
pub(super) struct Row<'a> {
    /// From 1.
    pub(super) rank: usize,
    pub(super) similarity: Option<f32>,
    pub(super) confidence: Option<Confidence>,
    /// Ranks, and the caption by which a picture was found.
    pub(super) reasons: Vec<String>,
    /// The picture that was found; `None` for a caption.
    pub(super) picture: Option<&'a Path>,
    /// The captions of the picture, or the caption itself.
    pub(super) texts: &'a [String],
    /// Why a picture was found, or where a caption belongs.
    pub(super) note: String,
    /// All paths of the picture, or those of the pictures that the caption describes.
    pub(super) paths: &'a [PathBuf],
    /// What the file of the picture says about it.
    pub(super) details: Option<String>,
}

impl<'a> Row<'a> {
    pub(super) fn image((rank, hit): (usize, &'a SearchHit)) -> Self {
        Self {
            rank,
            similarity: hit.similarity,
            confidence: hit.confidence,
            reasons: reasons(hit),
            picture: Some(hit.path()),
            texts: &hit.captions,
            note: why(hit),
            paths: &hit.paths,
            details: details(&hit.details),
        }
    }

    fn caption((rank, hit): (usize, &'a CaptionHit), printer: &Printer) -> Self {
        Self {
            rank,
            similarity: hit.similarity,
            confidence: hit.confidence,
            reasons: hit.similarity.map(cosine).into_iter().collect(),
            picture: None,
            texts: slice::from_ref(&hit.text),
            note: place(hit, printer),
            paths: &hit.pictures,
            details: None,
        }
    }

    fn phrase((rank, hit): (usize, &'a PhraseHit)) -> Self {
        Self {
            rank,
            similarity: Some(hit.similarity),
            confidence: hit.confidence,
            reasons: vec![cosine(hit.similarity)],
            picture: None,
            texts: slice::from_ref(&hit.text),
            note: hit.group.to_owned(),
            paths: &[],
            details: None,
        }
    }
}

impl Hits {
    pub(super) fn rows(&self, printer: &Printer) -> Vec<Row<'_>> {
        match self {
            Self::Images(hits) => (1..).zip(hits).map(Row::image).collect(),
            Self::Captions(hits) => {
                let row = |hit| Row::caption(hit, printer);
                (1..).zip(hits).map(row).collect()
            }
            Self::Phrases(hits) => (1..).zip(hits).map(Row::phrase).collect(),
        }
    }

    pub(super) fn answers(&self) -> Vec<HitAnswer<'_>> {
        match self {
            Self::Images(hits) => (1..).zip(hits).map(HitAnswer::from).collect(),
            Self::Captions(hits) => (1..).zip(hits).map(HitAnswer::from).collect(),
            Self::Phrases(hits) => (1..).zip(hits).map(HitAnswer::from).collect(),
        }
    }
}

/// `photos/dog.jpg and 2 more`: how many more captions have this text, or where not all were read,
/// this vector. Another path of the same picture does not count.
fn place(hit: &CaptionHit, printer: &Printer) -> String {
    let Some(first) = hit.pictures.first() else {
        return printer.shown(&hit.source);
    };
    let first = printer.shown(first);
    match hit.n_captions {
        0 | 1 => first,
        n => {
            let how = if hit.are_equal {
                ""
            } else {
                " that the model cannot distinguish from it"
            };
            format!("{first} and {} more{how}", HumanCount(n as u64 - 1))
        }
    }
}

/// `meaning + words (dog, beach) + caption`
fn why(hit: &SearchHit) -> String {
    let words = hit
        .rank_by_words
        .map(|_| format!("words ({})", hit.words.join(", ")));
    let caption = hit.caption.as_ref().map(|_| "caption".to_owned());
    let meaning = hit.rank_by_meaning.map(|_| "meaning".to_owned());
    let found: Vec<String> = [meaning, words, caption].into_iter().flatten().collect();
    if found.is_empty() {
        "listed".to_owned()
    } else {
        found.join(" + ")
    }
}

/// `cosine 0.412, rank 1 by meaning, 3 by words` and `caption “a dog”, cosine 0.630`
fn reasons(hit: &SearchHit) -> Vec<String> {
    let by_meaning = hit
        .rank_by_meaning
        .map(|rank| format!("rank {rank} by meaning"));
    let by_words = hit
        .rank_by_words
        .map(|rank| format!("rank {rank} by words"));
    let ranks = hit.similarity.map(cosine).into_iter();
    let ranks: Vec<String> = ranks.chain(by_meaning).chain(by_words).collect();
    let caption = hit.caption.as_ref().map(|caption| {
        let text = Printer::safe(&caption.text);
        format!("caption “{text}”, {}", cosine(caption.similarity))
    });
    std::iter::once(ranks.join(", ")).chain(caption).collect()
}

fn cosine(similarity: f32) -> String {
    format!("cosine {similarity:.3}")
}

/// `2023-08-14, Nikon D750, Kyoto`; `None` when the file says nothing.
fn details(details: &Details) -> Option<String> {
    let date = details.taken.map(|taken| {
        let shown = taken.to_string();
        shown.split('T').next().unwrap_or_default().to_owned()
    });
    let camera = details.camera.clone();
    let known: Vec<String> = date
        .into_iter()
        .chain(camera)
        .chain(details.places.iter().cloned())
        .collect();
    (!known.is_empty()).then(|| Printer::safe(&known.join(", ")))
}
