//! `/v1/search` and `/v1/similar/{id}`

use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::asked::{confidence, item, limit};
use super::json::json;
use crate::answers::{FoundAnswer, HitAnswer, ImageHitAnswer, PageAnswer};
use crate::engine::{
    By, EngineError, Filter, ItemId, Part, PartContent, Query, Reading, SearchRequest,
};
use crate::web::extract::{Parameters, PathId, Upload, WithPicture};
use crate::web::lists::HitList;
use crate::web::problem::Problem;
use crate::web::state::{App, Served, Work};

/// Pictures that a list holds at most; a search that only restricts lists all. 5,000 would take
/// more than a third more processor time per search (benches/RESULTS.md).
const MAX_FOUND: usize = 2_000;

/// The most bytes of a text: many times more than any model reads.
const MAX_TEXT: usize = 16 << 10;

/// The most parts of a sum beside its text and picture.
const MAX_PARTS: usize = 100;

/// What to search for, and which part of the list to send.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct SearchParameters {
    /// What is typed in the search box: words, `"exact phrases"`, `-excluded` words, `key:value`.
    /// Empty: all pictures, the newest first.
    #[serde(default)]
    #[param(required = false)]
    q: String,
    /// What counts as a match; the usual ranking of the query without it.
    #[param(inline)]
    by: Option<Ranking>,
    /// The order; relevance unless the query only restricts, which lists by date.
    #[param(inline)]
    sort: Option<Sort>,
    /// Leaves out hits of which less is likely, 0…1.
    #[param(minimum = 0, maximum = 1)]
    min_confidence: Option<f32>,
    /// The maximum number of hits in the answer, 1…1000; 50 without it.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Where to go on: `next` of an answer. `LIST.PLACE` goes to any place of the same list, the
    /// first being 0.
    cursor: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::web) enum Ranking {
    Meaning,
    Words,
    Both,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::web) enum Sort {
    Relevance,
    Date,
}

/// What to search for: text, pictures, or a sum of both.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct SearchBody {
    /// As the parameter of GET.
    #[serde(default)]
    q: String,
    /// A picture file as base64.
    image: Option<String>,
    /// Images of the index that are added.
    #[serde(default)]
    like: Vec<u32>,
    /// Images of the index that are subtracted.
    #[serde(default)]
    unlike: Vec<u32>,
    /// What is added.
    #[serde(default)]
    plus: Vec<PartBody>,
    /// What is subtracted.
    #[serde(default)]
    minus: Vec<PartBody>,
    /// As the parameter of GET.
    #[schema(inline)]
    by: Option<Ranking>,
    /// As the parameter of GET.
    #[schema(inline)]
    sort: Option<Sort>,
    /// As the parameter of GET.
    #[schema(minimum = 0, maximum = 1)]
    min_confidence: Option<f32>,
    /// As the parameter of GET.
    #[schema(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// A part of a sum: either a text or an image of the index.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PartBody {
    text: Option<String>,
    id: Option<u32>,
    /// Above 0 and at most 100.
    #[schema(exclusive_minimum = 0, maximum = 100)]
    weight: Option<f32>,
}

/// A picture and what to search for with it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the parts of a body")]
pub(in crate::web) struct SearchParts {
    /// The picture file.
    #[schema(value_type = String, format = Binary)]
    picture: Vec<u8>,
    /// The rest of the question.
    query: Option<SearchBody>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct SimilarParameters {
    /// The maximum number of hits in the answer, 1…1000; 50 without it.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Leaves out hits of which less is likely, 0…1.
    #[param(minimum = 0, maximum = 1)]
    min_confidence: Option<f32>,
}

/// Pictures that match what is typed in the search box, best first.
#[utoipa::path(get, path = "/v1/search", params(SearchParameters), responses(
    (status = 200, description = "The hits", body = PageAnswer),
))]
pub(in crate::web) async fn search(
    State(app): State<App>,
    Parameters(asked): Parameters<SearchParameters>,
) -> Result<Response, Problem> {
    app.call(Work::Short, move |served| {
        let began = Instant::now();
        let limit = limit(asked.limit)?;
        let key = asked.key();
        let Some(cursor) = &asked.cursor else {
            let query = understood(served, &asked.q, asked.by())?;
            let list = list(served, query, &asked.wish(Some(key))?)?;
            return page(served, &list, 0, limit, began);
        };
        let (list, place) = at_cursor(served, cursor)?;
        if !asked.is_bare() && list.asked.as_deref() != Some(&key) {
            let detail = "`cursor` is of another query; leave the other parameters out";
            return Err(Problem::bad_request(detail));
        }
        page(served, &list, place, limit, began)
    })
    .await
}

/// Pictures that match a text, a picture or a sum of both, best first. The cursor of the answer
/// goes on with GET.
#[utoipa::path(post, path = "/v1/search",
    request_body(content((SearchBody = "application/json"), (SearchParts = "multipart/form-data"))),
    responses((status = 200, description = "The hits", body = PageAnswer)))]
pub(in crate::web) async fn search_with(
    State(app): State<App>,
    upload: Upload<SearchBody>,
) -> Result<Response, Problem> {
    let kind = if upload.picture.is_some() {
        Work::Long
    } else {
        Work::Short
    };
    app.call(kind, move |served| {
        let began = Instant::now();
        let body = &upload.query;
        let limit = limit(body.limit)?;
        let query = body.query(served, upload.picture)?;
        let wish = Ask::new(body.by, body.sort, body.min_confidence, None)?;
        let list = list(served, query, &wish)?;
        page(served, &list, 0, limit, began)
    })
    .await
}

/// Pictures similar to an image, best first, without that one. The cursor of the answer goes on
/// with GET /v1/search.
#[utoipa::path(get, path = "/v1/similar/{id}",
    params(("id" = u32, Path, description = "Its id"), SimilarParameters),
    responses((status = 200, description = "The hits", body = PageAnswer)))]
pub(in crate::web) async fn similar(
    State(app): State<App>,
    PathId(id): PathId,
    Parameters(asked): Parameters<SimilarParameters>,
) -> Result<Response, Problem> {
    app.call(Work::Short, move |served| {
        let began = Instant::now();
        let limit = limit(asked.limit)?;
        let least = confidence(asked.min_confidence)?;
        let query = Query::default().plus(item(served, id)?);
        let found = served.engine.find_similar(ItemId(id), MAX_FOUND, least)?;
        let found = found.ok_or_else(|| Problem::not_found(format!("no picture {id}")))?;
        let list = served.lists.add(|number| HitList {
            number,
            asked: None,
            query,
            by: By::Meaning,
            readings: Vec::new(),
            found,
        });
        page(served, &list, 0, limit, began)
    })
    .await
}

/// How a query is to be answered.
struct Ask {
    by: Option<By>,
    sort: Option<Sort>,
    min_confidence: Option<f32>,
    /// The question, by which its list is found again.
    key: Option<String>,
}

impl Ask {
    fn new(
        by: Option<Ranking>,
        sort: Option<Sort>,
        min_confidence: Option<f32>,
        key: Option<String>,
    ) -> Result<Self, Problem> {
        Ok(Self {
            by: by.map(By::from),
            sort,
            min_confidence: confidence(min_confidence)?,
            key,
        })
    }
}

impl From<Ranking> for By {
    fn from(ranking: Ranking) -> Self {
        match ranking {
            Ranking::Meaning => Self::Meaning,
            Ranking::Words => Self::Words,
            Ranking::Both => Self::Both,
        }
    }
}

impl SearchParameters {
    fn by(&self) -> Option<By> {
        self.by.map(By::from)
    }

    fn key(&self) -> String {
        let Self {
            q,
            by,
            sort,
            min_confidence,
            ..
        } = self;
        format!("{by:?} {sort:?} {min_confidence:?} {q}")
    }

    fn wish(&self, key: Option<String>) -> Result<Ask, Problem> {
        Ask::new(self.by, self.sort, self.min_confidence, key)
    }

    /// Whether nothing is asked but a place in a list.
    fn is_bare(&self) -> bool {
        let has_wishes = self.by.is_some() || self.sort.is_some() || self.min_confidence.is_some();
        self.q.is_empty() && !has_wishes
    }
}

impl WithPicture for SearchBody {
    fn take_picture(&mut self) -> Option<String> {
        self.image.take()
    }
}

impl SearchBody {
    fn query(&self, served: &Served, picture: Option<Vec<u8>>) -> Result<Query, Problem> {
        let n_parts = self.like.len() + self.unlike.len() + self.plus.len() + self.minus.len();
        if n_parts > MAX_PARTS {
            let detail = format!("a sum has at most {MAX_PARTS} parts");
            return Err(Problem::bad_request(detail));
        }
        let by = self.by.map(By::from);
        let mut query = understood(served, &self.q, by)?;
        if let Some(bytes) = picture {
            query = query.plus(Part::bytes(bytes));
        }
        for &id in &self.like {
            query = query.plus(item(served, id)?);
        }
        for part in &self.plus {
            query = query.plus(part.part(served)?);
        }
        for part in &self.minus {
            query = query.minus(part.part(served)?);
        }
        for &id in &self.unlike {
            query = query.minus(item(served, id)?);
        }
        Ok(query)
    }
}

impl PartBody {
    fn part(&self, served: &Served) -> Result<Part, Problem> {
        let part = match (&self.text, self.id) {
            (Some(text), None) => Part::text(short(text)?),
            (None, Some(id)) => item(served, id)?,
            _ => {
                let detail = "a part of `plus` or `minus` has either `text` or `id`";
                return Err(Problem::bad_request(detail));
            }
        };
        let weight = self.weight;
        Ok(Part { weight, ..part })
    }
}

/// The query that a text stands for; none asks for everything.
fn understood(served: &Served, text: &str, by: Option<By>) -> Result<Query, Problem> {
    if text.trim().is_empty() {
        return Ok(Query::default());
    }
    Ok(served.engine.understand(short(text)?, by, None)?)
}

/// A text that is short enough to be searched.
fn short(text: &str) -> Result<&str, Problem> {
    if text.len() <= MAX_TEXT {
        return Ok(text);
    }
    let detail = format!("a text has at most {MAX_TEXT} bytes");
    Err(Problem::bad_request(detail))
}

fn at_cursor(served: &Served, cursor: &str) -> Result<(Arc<HitList>, usize), Problem> {
    let parsed = cursor.split_once('.').and_then(|(list, place)| {
        let (list, place) = (list.parse().ok()?, place.parse().ok()?);
        Some((list, place))
    });
    let Some((number, place)) = parsed else {
        let detail = "`cursor` is that of an answer, such as 7.50";
        return Err(Problem::bad_request(detail));
    };
    let list = served.lists.get(number).ok_or_else(Problem::list_expired)?;
    Ok((list, place))
}

/// A part of a list.
fn page(
    served: &Served,
    list: &HitList,
    offset: usize,
    limit: usize,
    began: Instant,
) -> Result<Response, Problem> {
    let end = offset.saturating_add(limit).min(list.found.len());
    let hits = list.found.hits(offset..end)?;
    let hashes: Vec<Option<Box<[u8]>>> = hits
        .iter()
        .map(|hit| served.thumbnails.hashes.get(&hit.content_hash))
        .collect();
    let answers = (offset.saturating_add(1)..).zip(&hits).zip(&hashes);
    let answers = answers.map(|(hit, hash)| {
        HitAnswer::Image(ImageHitAnswer::from(hit).with_thumbhash(hash.as_deref()))
    });
    let (query, readings) = (&list.query, &list.readings);
    let found = FoundAnswer::new(query, list.by, readings, began.elapsed(), answers.collect());
    json(&PageAnswer::new(
        found,
        &list.found,
        list.number,
        offset,
        end,
    ))
}

/// The list that answers a query, found before or now.
fn list(served: &Served, query: Query, wish: &Ask) -> Result<Arc<HitList>, Problem> {
    let view = served.engine.view_id()?;
    if let Some(key) = &wish.key
        && let Some(known) = served.lists.answer(key, view)
    {
        return Ok(known);
    }
    let is_list = query.parts.is_empty();
    let n = if is_list { usize::MAX } else { MAX_FOUND };
    let mut request = SearchRequest::new(query, n);
    request.by = wish.by.unwrap_or(request.by);
    request.min_confidence = wish.min_confidence;
    request.filter = is_list.then(|| Filter::All(Vec::new()));
    request.query = served.engine.settled(&request)?;
    let mut found = served.engine.find(&request)?;
    if wish.sort == Some(Sort::Date) && !is_list {
        found = found.by_date()?;
    }
    let readings = readings(served, &request)?;
    let SearchRequest { query, by, .. } = request;
    Ok(served.lists.add(|number| HitList {
        number,
        asked: wish.key.clone(),
        query,
        by,
        readings,
        found,
    }))
}

/// What the model makes of the text of each part.
fn readings(served: &Served, request: &SearchRequest) -> Result<Vec<Option<Reading>>, EngineError> {
    let reading = |part: &Part| match &part.content {
        PartContent::Text(text) if request.by != By::Words => {
            Ok(Some(served.engine.reading(text, request.language)?))
        }
        _ => Ok(None),
    };
    request.query.parts.iter().map(reading).collect()
}
