//! `/v1/captions`

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::asked::{confidence, item, limit};
use super::json::json;
use crate::answers::{FoundAnswer, HitAnswer};
use crate::engine::{
    By, CaptionSource, DescribeRequest, Description, DescriptionHits, Part, Query,
};
use crate::web::extract::{Parameters, Upload, WithPicture};
use crate::web::problem::Problem;
use crate::web::state::{App, Served, Work};

/// The longest time for encoding the phrases of the bank, which happens once per model.
const MAX_TIME: Duration = Duration::from_mins(4);

/// Where captions come from.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::web) enum CaptionOrigin {
    /// Captions of the index.
    Captions,
    /// Phrases of the built-in bank.
    Bank,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct CaptionsParameters {
    /// An image of the index.
    id: u32,
    /// The maximum number of captions, 1…1000; 50 without it.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Leaves out captions of which less is likely, 0…1.
    #[param(minimum = 0, maximum = 1)]
    min_confidence: Option<f32>,
    /// Where they come from; without it, from the index if it has captions, else from the bank.
    #[param(inline)]
    from: Option<CaptionOrigin>,
}

/// Which picture, and which captions.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct CaptionsBody {
    /// An image of the index.
    id: Option<u32>,
    /// A picture file as base64.
    image: Option<String>,
    /// As the parameter of GET.
    #[schema(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// As the parameter of GET.
    #[schema(minimum = 0, maximum = 1)]
    min_confidence: Option<f32>,
    /// As the parameter of GET.
    #[schema(inline)]
    from: Option<CaptionOrigin>,
}

/// A picture, and which captions of it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the parts of a body")]
pub(in crate::web) struct CaptionsParts {
    /// The picture file.
    #[schema(value_type = String, format = Binary)]
    picture: Vec<u8>,
    /// The rest of the question.
    query: Option<CaptionsBody>,
}

/// Captions that fit an image of the index, best first.
#[utoipa::path(get, path = "/v1/captions", params(CaptionsParameters),
    responses((status = 200, description = "The captions", body = FoundAnswer)))]
pub(in crate::web) async fn of_item(
    State(app): State<App>,
    Parameters(asked): Parameters<CaptionsParameters>,
) -> Result<Response, Problem> {
    let body = CaptionsBody {
        id: Some(asked.id),
        image: None,
        limit: asked.limit,
        min_confidence: asked.min_confidence,
        from: asked.from,
    };
    app.call(Work::Long, move |served| answer(served, &body, None))
        .await
}

/// Captions that fit a picture, best first.
#[utoipa::path(post, path = "/v1/captions",
    request_body(content(
        (CaptionsBody = "application/json"), (CaptionsParts = "multipart/form-data"),
    )),
    responses((status = 200, description = "The captions", body = FoundAnswer)))]
pub(in crate::web) async fn of_picture(
    State(app): State<App>,
    upload: Upload<CaptionsBody>,
) -> Result<Response, Problem> {
    app.call(Work::Long, move |served| {
        answer(served, &upload.query, upload.picture)
    })
    .await
}

impl WithPicture for CaptionsBody {
    fn take_picture(&mut self) -> Option<String> {
        self.image.take()
    }
}

fn answer(
    served: &Served,
    body: &CaptionsBody,
    picture: Option<Vec<u8>>,
) -> Result<Response, Problem> {
    let began = Instant::now();
    let part = match (body.id, picture) {
        (Some(id), None) => item(served, id)?,
        (None, Some(bytes)) => Part::bytes(bytes),
        _ => {
            let detail = "give one picture: `id`, `image` or a part `picture`";
            return Err(Problem::bad_request(detail));
        }
    };
    let request = DescribeRequest {
        picture: part.clone(),
        n: limit(body.limit)?,
        min_confidence: confidence(body.min_confidence)?,
        from: body.from.map(|from| match from {
            CaptionOrigin::Captions => CaptionSource::Captions,
            CaptionOrigin::Bank => CaptionSource::Bank,
        }),
    };
    let found = served.engine.describe(&request, &mut |_| {
        if began.elapsed() < MAX_TIME {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    })?;
    let Some(Description { hits, .. }) = &found else {
        let status = axum::http::StatusCode::GATEWAY_TIMEOUT;
        return Err(Problem::of(status, "encoding the phrases took too long"));
    };
    let hits: Vec<HitAnswer<'_>> = match hits {
        DescriptionHits::Captions(hits) => (1..).zip(hits).map(HitAnswer::from).collect(),
        DescriptionHits::Phrases(hits) => (1..).zip(hits).map(HitAnswer::from).collect(),
    };
    let query = Query::default().plus(part);
    let took = began.elapsed();
    json(&FoundAnswer::new(&query, By::Meaning, &[], took, hits))
}
