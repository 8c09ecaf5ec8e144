//! Makes thumbnails while nobody asks for anything, the newest pictures first.

use std::io;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use super::state::Served;
use super::thumbnails::SIDES;
use crate::engine::{EngineError, Filter, ItemId, Query, SearchRequest};

/// Images that are checked before it is asked again whether the server is idle.
const AT_ONCE: usize = 100;

/// A server that was asked for nothing for so long is idle.
const IDLE: Duration = Duration::from_secs(2);

/// Between two thumbnails, so that other programs have the processor too.
const PAUSE: Duration = Duration::from_millis(20);

/// Starts a thread that ends with the server.
pub(super) fn start(served: &Arc<Served>) -> io::Result<()> {
    let served = Arc::downgrade(served);
    let named = thread::Builder::new().name("sightline-thumbnails".to_owned());
    named.spawn(move || work(&served)).map(|_| ())
}

fn work(served: &Weak<Served>) {
    let (mut done, mut ids) = (None, Vec::new());
    loop {
        thread::sleep(if ids.is_empty() { IDLE } else { PAUSE });
        let Some(served) = served.upgrade() else {
            return;
        };
        let is_busy = served.runs.last().is_some_and(|run| run.is_running());
        if served.idle() < IDLE || is_busy || !served.thumbnails.has_room() {
            continue;
        }
        if ids.is_empty() {
            let view = served.engine.view_id().ok();
            if view == done {
                continue;
            }
            done = view;
            ids = newest_last(&served).unwrap_or_default();
        }
        // What cannot be made now is asked for by a page, which says why not. A library on a disk
        // that is not mounted has many of these: they must not keep a core from requests.
        for _ in 0..AT_ONCE {
            let Some(id) = ids.pop() else { break };
            if make(&served, id).is_some() {
                break;
            }
        }
    }
}

/// Makes the thumbnail of an image; `None` when there is nothing to do.
fn make(served: &Served, id: ItemId) -> Option<()> {
    let (image, _) = served.engine.picture(id).ok()??;
    if served.thumbnails.has_small(&image) {
        return None;
    }
    let made = served
        .thumbnails
        .get(&image, SIDES[0], || served.file_of(&image));
    made.ok().map(|_| ())
}

/// All images, so that the newest is taken first.
fn newest_last(served: &Served) -> Result<Vec<ItemId>, EngineError> {
    let request = SearchRequest {
        filter: Some(Filter::All(Vec::new())),
        ..SearchRequest::new(Query::default(), usize::MAX)
    };
    let mut ids: Vec<ItemId> = served.engine.find(&request)?.ids().collect();
    ids.reverse();
    Ok(ids)
}
