//! Hits of `search` and `captions`.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::{PathAnswer, each, paths};
use crate::engine::{
    By, CaptionHit, CaptionMatch, Condition, Confidence, Found, Part, PartContent, PhraseHit,
    Query, Reading, SearchHit, Strength, Town, UnknownKey, Vicinity,
};

/// The answer to a search: the query and its hits, best first.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
pub struct FoundAnswer<'a> {
    query: QueryAnswer<'a>,
    #[cfg_attr(feature = "serve", schema(value_type = String))]
    by: By,
    known_to_model: Option<bool>,
    language: Option<&'static str>,
    text_tower: Option<usize>,
    took_ms: f64,
    hits: Vec<HitAnswer<'a>>,
}

/// A query as it was understood.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
struct QueryAnswer<'a> {
    /// The text, as it was typed where it was not taken literally.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    /// The first picture that is added.
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<PathAnswer<'a>>,
    parts: Vec<PartAnswer<'a>>,
    phrases: &'a [String],
    excluded: &'a [String],
    filters: Vec<ConditionAnswer<'a>>,
    unknown_keys: Vec<UnknownKeyAnswer<'a>>,
}

/// A part of a query.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
struct PartAnswer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<PathAnswer<'a>>,
    /// Whether the picture is that of the index, not that of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    is_indexed: Option<bool>,
    weight: f32,
    known_to_model: Option<bool>,
}

answers! {
    /// A condition on hits.
    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    struct ConditionAnswer<'a> from condition in &'a Condition {
        key: &'static str = condition.key().name(),
        value: &'a str = condition.value(),
        negated: bool = condition.is_negated(),
        #[serde(skip_serializing_if = "Option::is_none")]
        near: Option<VicinityAnswer> = condition.vicinity().map(Into::into),
    }

    /// The circle that a condition asks for.
    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    struct VicinityAnswer from vicinity in &Vicinity {
        latitude: f64 = vicinity.centre.latitude(),
        longitude: f64 = vicinity.centre.longitude(),
        km: f64 = vicinity.km(),
        town: Option<TownAnswer> = vicinity.town.as_ref().map(Into::into),
        n_others: usize = vicinity.others.len(),
    }

    /// A town that was named.
    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    struct TownAnswer from town in &Town {
        name: &'static str = town.name,
        region: &'static str = town.region,
        country: &'static str = town.country(),
    }

    /// Words that look like a condition.
    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    struct UnknownKeyAnswer<'a> from unknown in &'a UnknownKey {
        typed: &'a str = &unknown.typed,
        similar: &'static str = unknown.similar,
    }
}

impl<'a> QueryAnswer<'a> {
    fn new(query: &'a Query, readings: &[Option<Reading>]) -> Self {
        let readings = readings.iter().copied().chain(std::iter::repeat(None));
        let weighted = query.parts.iter().zip(query.weights()).zip(readings);
        let parts: Vec<PartAnswer<'a>> = weighted
            .map(|((part, weight), reading)| PartAnswer::new(part, weight, reading))
            .collect();
        let added = || parts.iter().filter(|part| part.weight > 0.0);
        Self {
            text: query
                .typed
                .as_deref()
                .or_else(|| added().find_map(|part| part.text)),
            image: added().find_map(|part| part.image.clone()),
            parts,
            phrases: &query.phrases,
            excluded: &query.excluded,
            filters: each(&query.conditions),
            unknown_keys: each(&query.unknown_keys),
        }
    }
}

impl<'a> PartAnswer<'a> {
    fn new(part: &'a Part, weight: f32, reading: Option<Reading>) -> Self {
        let (text, image, is_indexed) = match &part.content {
            PartContent::Text(text) => (Some(text.as_str()), None, None),
            PartContent::Picture(path) => (None, Some(path.as_path()), Some(false)),
            PartContent::Bytes(_) => (None, Some(Path::new("-")), Some(false)),
            PartContent::Item(path) => (None, Some(path.as_path()), Some(true)),
        };
        Self {
            text,
            image: image.map(PathAnswer::from),
            is_indexed,
            weight,
            known_to_model: reading.map(|reading| reading.is_known),
        }
    }
}

impl<'a> FoundAnswer<'a> {
    /// The answer to `query`, matched `by`, that `took` this long. `readings`: what the model made
    /// of the text of each part; none where no text was encoded.
    #[must_use]
    pub fn new(
        query: &'a Query,
        by: By,
        readings: &[Option<Reading>],
        took: Duration,
        hits: Vec<HitAnswer<'a>>,
    ) -> Self {
        let reading = readings.iter().flatten().next();
        Self {
            query: QueryAnswer::new(query, readings),
            by,
            known_to_model: reading.map(|reading| reading.is_known),
            language: reading.and_then(|reading| Some(reading.language?.code())),
            text_tower: reading.and_then(|reading| reading.tower),
            took_ms: (took.as_secs_f64() * 1e4).round() / 10.0,
            hits,
        }
    }
}

/// A part of a long list of pictures.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
pub struct PageAnswer<'a> {
    #[serde(flatten)]
    found: FoundAnswer<'a>,
    generation: u64,
    total: usize,
    n_likely: Option<usize>,
    offset: usize,
    cursor: String,
    next: Option<String>,
}

impl<'a> PageAnswer<'a> {
    /// The hits of `found`, which are those of `all` from place `offset` to before place `end`;
    /// fewer, if files were overwritten while they were indexed. Places are named `LIST.PLACE`.
    #[must_use]
    pub fn new(found: FoundAnswer<'a>, all: &Found, list: u64, offset: usize, end: usize) -> Self {
        Self {
            generation: all.generation().0,
            total: all.len(),
            n_likely: n_likely(all.confidences()),
            offset,
            cursor: format!("{list}.{offset}"),
            next: (end < all.len()).then(|| format!("{list}.{end}")),
            found,
        }
    }
}

/// A picture or a caption that was found.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
pub enum HitAnswer<'a> {
    /// A picture.
    Image(ImageHitAnswer<'a>),
    /// A caption.
    Caption(CaptionHitAnswer<'a>),
    /// A phrase of the bank.
    Phrase(PhraseHitAnswer<'a>),
}

answers! {
    /// A picture that was found, and its rank from 1.
    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    pub struct ImageHitAnswer<'a> from (rank, hit) in (usize, &'a SearchHit) {
        rank: usize = rank,
        id: u32 = hit.id.0,
        #[serde(flatten)]
        file: PathAnswer<'a> = hit.path().into(),
        other_paths: Vec<PathAnswer<'a>> = paths(hit.paths.get(1..).unwrap_or_default()),
        confidence: Option<f32> = hit.confidence.map(Confidence::value),
        #[cfg_attr(feature = "serve", schema(value_type = Option<String>))]
        strength: Option<Strength> = hit.confidence.map(Confidence::strength),
        similarity: Option<f32> = hit.similarity,
        by: Vec<&'static str> = {
            let by_meaning = hit.rank_by_meaning.map(|_| "meaning");
            let by_words = hit.rank_by_words.map(|_| "words");
            let by_caption = hit.caption.as_ref().map(|_| "caption");
            [by_meaning, by_words, by_caption].into_iter().flatten().collect()
        },
        rank_by_meaning: Option<usize> = hit.rank_by_meaning,
        rank_by_words: Option<usize> = hit.rank_by_words,
        caption: Option<CaptionMatchAnswer<'a>> = hit.caption.as_ref().map(Into::into),
        words: &'a [String] = &hit.words,
        captions: &'a [String] = &hit.captions,
        width: u32 = hit.width,
        height: u32 = hit.height,
        camera: Option<&'a str> = hit.details.camera.as_deref(),
        taken: Option<String> = hit.details.taken.map(|taken| taken.to_string()),
        places: &'a [String] = &hit.details.places,
        keywords: &'a [String] = &hit.details.keywords,
        tags: &'a [String] = &hit.tags,
        #[serde(skip_serializing_if = "Option::is_none")]
        thumbhash: Option<String> = None,
    }

    /// The caption by which a picture was found.
    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    struct CaptionMatchAnswer<'a> from hit in &'a CaptionMatch {
        text: &'a str = &hit.text,
        similarity: f32 = hit.similarity,
    }

    /// A caption that was found, and its rank from 1.
    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    pub struct CaptionHitAnswer<'a> from (rank, hit) in (usize, &'a CaptionHit) {
        rank: usize = rank,
        text: &'a str = &hit.text,
        confidence: Option<f32> = hit.confidence.map(Confidence::value),
        #[cfg_attr(feature = "serve", schema(value_type = Option<String>))]
        strength: Option<Strength> = hit.confidence.map(Confidence::strength),
        similarity: Option<f32> = hit.similarity,
        words: &'a [String] = &hit.words,
        images: Vec<PathAnswer<'a>> = paths(&hit.pictures),
        count: usize = hit.n_captions,
        source: PathAnswer<'a> = hit.source.as_path().into(),
        from: &'static str = "captions",
    }

    /// A phrase of the bank that fits a picture, and its rank from 1.
    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    pub struct PhraseHitAnswer<'a> from (rank, hit) in (usize, &'a PhraseHit) {
        rank: usize = rank,
        text: &'a str = &hit.text,
        group: &'static str = hit.group,
        confidence: Option<f32> = hit.confidence.map(Confidence::value),
        #[cfg_attr(feature = "serve", schema(value_type = Option<String>))]
        strength: Option<Strength> = hit.confidence.map(Confidence::strength),
        similarity: f32 = hit.similarity,
        from: &'static str = "bank",
    }
}

impl ImageHitAnswer<'_> {
    /// The same with a blurred picture of it, a [ThumbHash](https://evanw.github.io/thumbhash/).
    #[must_use]
    pub fn with_thumbhash(self, hash: Option<&[u8]>) -> Self {
        Self {
            thumbhash: hash.map(|hash| STANDARD.encode(hash)),
            ..self
        }
    }
}

impl<'a> From<(usize, &'a SearchHit)> for HitAnswer<'a> {
    fn from(hit: (usize, &'a SearchHit)) -> Self {
        Self::Image(hit.into())
    }
}

impl<'a> From<(usize, &'a PhraseHit)> for HitAnswer<'a> {
    fn from(hit: (usize, &'a PhraseHit)) -> Self {
        Self::Phrase(hit.into())
    }
}

impl<'a> From<(usize, &'a CaptionHit)> for HitAnswer<'a> {
    fn from(hit: (usize, &'a CaptionHit)) -> Self {
        Self::Caption(hit.into())
    }
}

/// How many are likely; `None` where none is rated, or another order than that of confidence was
/// asked for.
fn n_likely(confidences: impl Iterator<Item = Option<Confidence>>) -> Option<usize> {
    let rated: Vec<Confidence> = confidences.map_while(|confidence| confidence).collect();
    let is_in_order = rated.is_sorted_by(|a, b| a.value() >= b.value());
    let likely = rated
        .iter()
        .take_while(|confidence| confidence.strength().is_likely());
    (is_in_order && !rated.is_empty()).then(|| likely.count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_likely_is_counted_from_the_start_of_a_list() {
        let rows: [(&[f32], Option<usize>); 6] = [
            (&[], None),
            (&[0.9, 0.8, 0.3, 0.1, 0.0], Some(3)),
            // Nothing weak lies between.
            (&[0.9, 0.01], Some(1)),
            (&[0.2, 0.01], Some(0)),
            (&[0.9, 0.9], Some(2)),
            // By date.
            (&[0.1, 0.9], None),
        ];
        for (values, expected) in rows {
            let confidences = values.iter().map(|&value| Confidence::new(value));
            assert_eq!(n_likely(confidences), expected, "{values:?}");
        }
        assert_eq!(n_likely([None, None].into_iter()), None);
    }
}
