//! The tools: their descriptions for assistants, and the call of the engine behind each.

use std::sync::{Arc, LazyLock};
use std::time::Instant;

use rmcp::handler::server::tool::schema_for_type;
use rmcp::model::{CallToolResult, ContentBlock, JsonObject, Tool, ToolAnnotations};
use rmcp::schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use super::library::{Library, still_wanted, unless_cancelled};
use super::parameters::{
    DescribeCollection, FindCaptions, FindSimilar, GetImage, Nothing, SearchImages,
};
use super::pictures;
use crate::answers::{CollectionAnswer, FoundAnswer, HitAnswer, ItemAnswer, StatusAnswer, schema};
use crate::engine::{
    By, DescribeRequest, DescriptionHits, Engine, Filter, ItemId, Part, PartContent, Query,
    SearchRequest,
};

/// A call: its arguments and what it answers.
type Call = fn(&Library, JsonObject, &CancellationToken) -> Result<CallToolResult, Failure>;

/// The tools with their calls.
static TOOLS: LazyLock<Vec<(Tool, Call)>> = LazyLock::new(|| {
    vec![
        (
            tool::<SearchImages>(
                "search_images",
                "Search photos",
                SEARCH_IMAGES,
                Some("search"),
            ),
            |library, arguments, cancelled| search_images(library, &parsed(arguments)?, cancelled),
        ),
        (
            tool::<FindSimilar>(
                "find_similar",
                "Find similar photos",
                FIND_SIMILAR,
                Some("search"),
            ),
            |library, arguments, _| find_similar(library, &parsed(arguments)?),
        ),
        (
            tool::<FindCaptions>(
                "find_captions",
                "Say what a photo shows",
                FIND_CAPTIONS,
                Some("captions"),
            ),
            |library, arguments, cancelled| find_captions(library, &parsed(arguments)?, cancelled),
        ),
        (
            tool::<GetImage>("get_image", "Look at a photo", GET_IMAGE, None),
            |library, arguments, cancelled| get_image(library, &parsed(arguments)?, cancelled),
        ),
        (
            tool::<DescribeCollection>(
                "describe_collection",
                "Describe the collection",
                DESCRIBE_COLLECTION,
                Some("collection"),
            ),
            |library, arguments, _| describe_collection(library, &parsed(arguments)?),
        ),
        (
            tool::<Nothing>("status", "State of the index", STATUS, Some("status")),
            |library, arguments, _| {
                let Nothing {} = parsed(arguments)?;
                status(library)
            },
        ),
    ]
});

const SEARCH_IMAGES: &str = "\
Find photos of the user's own collection, best first: by what they show and by words in their \
captions, tags, file and folder names, camera, date and place. Nothing leaves the user's machine.

Write `query` as a short caption of the photo, in the user's language: `two children building a \
sandcastle`, not `please find photos of my holiday`. Names of people are found only where \
captions, tags or file names have them.

Filters may stand anywhere in `query`: `in:FOLDER` (a path or its end, such as in:Italy/Rome), \
`date:2023`, `date:2023-06`, `after:2023-06-01`, `before:2024`, `camera:nikon`, `place:kyoto`, \
`near:kyoto,20` (kilometres), `type:jpg`, `orientation:portrait`, `min-size:2000` (pixels), \
`tag:best`, `has:caption`, `is:duplicate`. Quote values with spaces: camera:\"Canon EOS\". Two of \
one key mean either, of different keys both; `-` before one excludes. `\"golden gate\"` demands \
words side by side, `-people` refuses a word, and `a beach without people` subtracts what is seen. \
Only filters, or nothing: the photos that are left, newest first. `describe_collection` lists the \
values that exist.

Each hit has an `id` for the other tools, its `path`, and a `confidence` with its `strength`. \
Do not present hits that are `weak` or `unlikely` as found; say that nothing fits, or try other \
words. `get_image` shows a hit. `query` in the answer says how the text was understood; \
`unknown_keys` are filters that were misspelt and searched as words.";

const FIND_SIMILAR: &str = "\
Find photos that look like a photo of the collection, most similar first, without the photo itself \
and its exact copies. For more of one kind, other shots of a scene, or near-duplicates.";

const FIND_CAPTIONS: &str = "\
Say what a photo of the collection shows without looking at it: the captions, written by people, \
that fit it best, or, where the index has none, phrases of a built-in list (`from` is then \
`bank`). Captions may belong to other photos: `confidence` says how well each fits. The first call \
for the built-in list may take a minute. Cheaper than `get_image`, and less certain.";

const GET_IMAGE: &str = "\
Look at a photo of the collection: a JPEG copy, upright, and its facts (paths, size, camera, date, \
places, tags, captions) as JSON. Use it to check what a search found before describing it. A copy \
of 800 pixels takes about 100 KB.";

const DESCRIBE_COLLECTION: &str = "\
What the collection contains: numbers of photos, files and captions, the span of dates, photos per \
year, and the most common cameras, folders, places, tags and file types with their numbers. Call \
it once before searching for what you do not know to exist, and for questions like `how many \
photos of 2023 are there`. The values are those that the filters of `search_images` take.";

const STATUS: &str = "\
The state of the index: its folder, model and languages, library folders, number of items, size on \
disk, and when it was last updated. Use it when something is missing or searches fail.";

/// The descriptions of the tools.
pub(super) fn tools() -> Vec<Tool> {
    TOOLS.iter().map(|(tool, _)| tool.clone()).collect()
}

/// The tool with this name.
pub(super) fn named(name: &str) -> Option<&'static Tool> {
    let mut tools = TOOLS.iter().map(|(tool, _)| tool);
    tools.find(|tool| tool.name == name)
}

/// Calls a tool. A failure is an answer that says what is wrong; `None` when there is no such tool.
pub(super) async fn call(
    library: &Arc<Library>,
    name: &str,
    arguments: JsonObject,
    cancelled: CancellationToken,
) -> Option<CallToolResult> {
    let &(_, call) = TOOLS.iter().find(|(tool, _)| tool.name == name)?;
    let work =
        move |library: &Library, cancelled: &CancellationToken| call(library, arguments, cancelled);
    let done = library.call(cancelled, work).await;
    Some(done.unwrap_or_else(|failure| {
        CallToolResult::error(vec![ContentBlock::text(library.message(&failure))])
    }))
}

fn tool<P: JsonSchema + 'static>(
    name: &'static str,
    title: &str,
    description: &'static str,
    answer: Option<&str>,
) -> Tool {
    let mut input = (*schema_for_type::<P>()).clone();
    // The name of the Rust type means nothing to an assistant.
    input.remove("title");
    input.remove("description");
    let annotations = ToolAnnotations::with_title(title)
        .read_only(true)
        .idempotent(true)
        .open_world(false);
    let tool = Tool::new(name, description, input).with_title(title);
    let tool = tool.with_annotations(annotations);
    match answer.and_then(schema) {
        Some(output) => tool.with_raw_output_schema(Arc::new(output)),
        None => tool,
    }
}

/// The arguments of a tool.
fn parsed<P: DeserializeOwned>(arguments: JsonObject) -> Result<P, Failure> {
    let parsed = serde_json::from_value(Value::Object(arguments));
    parsed.map_err(|error| Failure::new(format!("arguments: {error}")))
}

fn structured(answer: &impl Serialize) -> Result<CallToolResult, Failure> {
    let answer = serde_json::to_value(answer);
    let answer = answer.map_err(|error| Failure::new(error.to_string()))?;
    Ok(CallToolResult::structured(answer))
}

fn search_images(
    library: &Library,
    asked: &SearchImages,
    cancelled: &CancellationToken,
) -> Result<CallToolResult, Failure> {
    let began = Instant::now();
    let bounds = asked.bounds()?;
    let engine = library.engine();
    let mut request = if asked.query.trim().is_empty() {
        SearchRequest {
            // Every image meets it: all are listed.
            filter: Some(Filter::All(Vec::new())),
            ..SearchRequest::new(Query::default(), bounds.n)
        }
    } else {
        let query = engine.understand(&asked.query, None, None)?;
        SearchRequest::new(query, bounds.n)
    };
    request.min_confidence = bounds.min_confidence;
    request.query = engine.settled(&request)?;
    still_wanted(cancelled)?;
    let hits = engine.search(&request)?;
    still_wanted(cancelled)?;
    let reading = |part: &Part| match &part.content {
        PartContent::Text(text) => Ok(Some(engine.reading(text, None)?)),
        _ => Ok(None),
    };
    let readings = request.query.parts.iter().map(reading);
    let readings = readings.collect::<Result<Vec<_>, Failure>>()?;
    let hits = (1..).zip(&hits).map(HitAnswer::from).collect();
    let SearchRequest { query, by, .. } = &request;
    structured(&FoundAnswer::new(
        query,
        *by,
        &readings,
        began.elapsed(),
        hits,
    ))
}

fn find_similar(library: &Library, asked: &FindSimilar) -> Result<CallToolResult, Failure> {
    let began = Instant::now();
    let bounds = asked.bounds()?;
    let part = item(library, asked.id)?;
    let id = ItemId(asked.id);
    let found = library
        .engine()
        .find_similar(id, bounds.n, bounds.min_confidence)?;
    let found = found.ok_or_else(|| Failure::unknown_item(asked.id))?;
    let hits = found.hits(0..bounds.n)?;
    let hits = (1..).zip(&hits).map(HitAnswer::from).collect();
    let query = Query::default().plus(part);
    structured(&FoundAnswer::new(
        &query,
        By::Meaning,
        &[],
        began.elapsed(),
        hits,
    ))
}

fn find_captions(
    library: &Library,
    asked: &FindCaptions,
    cancelled: &CancellationToken,
) -> Result<CallToolResult, Failure> {
    let began = Instant::now();
    let bounds = asked.bounds()?;
    let part = match (asked.id, &asked.path) {
        (Some(id), None) => item(library, id)?,
        // Only the vector of the index is read, not the file.
        (None, Some(path)) => Part::item(path),
        _ => {
            return Err(Failure::new(
                "give the photo as `id` or as `path`, one of them",
            ));
        }
    };
    let request = DescribeRequest {
        picture: part,
        n: bounds.n,
        min_confidence: bounds.min_confidence,
        from: None,
    };
    let described = library
        .engine()
        .describe(&request, &mut |_| unless_cancelled(cancelled))?;
    let Some(described) = described else {
        return Err(Failure::cancelled());
    };
    let hits = match &described.hits {
        DescriptionHits::Captions(hits) => (1..).zip(hits).map(HitAnswer::from).collect(),
        DescriptionHits::Phrases(hits) => (1..).zip(hits).map(HitAnswer::from).collect(),
    };
    let query = Query::default().plus(request.picture);
    structured(&FoundAnswer::new(
        &query,
        By::Meaning,
        &[],
        began.elapsed(),
        hits,
    ))
}

/// An image of the index as a part of a query.
fn item(library: &Library, id: u32) -> Result<Part, Failure> {
    let (image, _) = library.picture(id)?;
    let path = image.paths.into_iter().next();
    Ok(Part::item(path.ok_or_else(|| Failure::unknown_item(id))?))
}

fn get_image(
    library: &Library,
    asked: &GetImage,
    cancelled: &CancellationToken,
) -> Result<CallToolResult, Failure> {
    let side = asked.side()?;
    let (image, captions) = library.picture(asked.id)?;
    still_wanted(cancelled)?;
    let picture = pictures::scaled(library, &image, side)?;
    still_wanted(cancelled)?;
    let facts = serde_json::to_string(&ItemAnswer::from((&image, &captions[..])));
    let facts = facts.map_err(|error| Failure::new(error.to_string()))?;
    Ok(CallToolResult::success(vec![
        ContentBlock::image(pictures::encoded(&picture), pictures::MEDIA_TYPE),
        ContentBlock::text(facts),
    ]))
}

fn describe_collection(
    library: &Library,
    asked: &DescribeCollection,
) -> Result<CallToolResult, Failure> {
    let top = asked.top()?;
    let engine = library.engine();
    let (status, facets) = (Engine::status(engine.folder())?, engine.facets()?);
    structured(&CollectionAnswer::from((&status, &facets, top)))
}

fn status(library: &Library) -> Result<CallToolResult, Failure> {
    let status = Engine::status(library.engine().folder())?;
    let texts = library.workspace().text_languages_of_index();
    structured(&StatusAnswer::from((&status, &*texts)))
}
