//! Photos as resources, which people attach to a conversation: `sightline://item/ID`.

use rmcp::model::{Resource, ResourceContents, ResourceTemplate};

use super::failure::Failure;
use super::library::Library;
use super::parameters::USUAL_SIDE;
use super::pictures;
use crate::answers::ItemAnswer;
use crate::engine::{Filter, Query, SearchRequest};

const PREFIX: &str = "sightline://item/";

/// How many resources are listed: some assistants show or read all of them.
const N_LISTED: usize = 50;

/// Every image of the index.
pub(super) fn template() -> ResourceTemplate {
    ResourceTemplate::new(format!("{PREFIX}{{id}}"), "photo")
        .with_title("A photo of the collection")
        .with_description(
            "The facts of a photo as JSON (paths, size, camera, date, places, tags, captions) and \
             a copy with at most 800 pixels along its longer side. `id` is that of a hit.",
        )
}

/// The newest images.
pub(super) fn newest(library: &Library) -> Result<Vec<Resource>, Failure> {
    let mut request = SearchRequest::new(Query::default(), N_LISTED);
    // Every image meets it.
    request.filter = Some(Filter::All(Vec::new()));
    let hits = library.engine().search(&request)?;
    let resources = hits.iter().map(|hit| {
        let name = hit.path().file_name().unwrap_or_default().to_string_lossy();
        let resource = Resource::new(format!("{PREFIX}{}", hit.id.0), name);
        match (hit.captions.first(), hit.details.taken) {
            (Some(caption), Some(taken)) => {
                resource.with_description(format!("{caption} ({taken})"))
            }
            (Some(caption), None) => resource.with_description(caption),
            (None, Some(taken)) => resource.with_description(taken.to_string()),
            (None, None) => resource,
        }
    });
    Ok(resources.collect())
}

/// The id in the URI of an image.
pub(super) fn id_of(uri: &str) -> Option<u32> {
    uri.strip_prefix(PREFIX)?.parse().ok()
}

/// The facts of an image, and a copy of it. Where the copy cannot be made, a text says why.
pub(super) fn read(library: &Library, id: u32) -> Result<Vec<ResourceContents>, Failure> {
    let uri = format!("{PREFIX}{id}");
    let (image, captions) = library.picture(id)?;
    let facts = serde_json::to_string(&ItemAnswer::from((&image, &captions[..])));
    let facts = facts.map_err(|error| Failure::new(error.to_string()))?;
    let facts = ResourceContents::text(facts, &uri).with_mime_type("application/json");
    let picture = match pictures::scaled(library, &image, USUAL_SIDE) {
        Ok(picture) => ResourceContents::blob(pictures::encoded(&picture), &uri)
            .with_mime_type(pictures::MEDIA_TYPE),
        Err(failure) => ResourceContents::text(library.message(&failure), &uri),
    };
    Ok(vec![facts, picture])
}

#[cfg(test)]
mod tests {
    use super::id_of;

    #[test]
    fn only_uris_of_items_have_an_id() {
        assert_eq!(id_of("sightline://item/12"), Some(12));
        let wrong = [
            "sightline://item/",
            "sightline://item/-1",
            "sightline://item/12/..",
            "sightline://item//etc/passwd",
            "file:///etc/passwd",
            "sightline://items/1",
            "12",
        ];
        for uri in wrong {
            assert_eq!(id_of(uri), None, "{uri}");
        }
        assert_eq!(wrong.len(), 7);
    }
}
