//! What all handlers share.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use tokio::sync::Semaphore;

use super::extract::Receives;
use super::guard::Guard;
use super::lists::Lists;
use super::locking::lock;
use super::metrics::Metrics;
use super::options::ServeOptions;
use super::problem::Problem;
use super::runs::Runs;
use super::thumbnails::Thumbnails;
use crate::engine::{Caption, Engine, Image, ItemId, TextLanguage, ViewId};
use crate::mcp::{McpOverHttp, McpServer};
use crate::workspace::Workspace;

/// How many calls may run, and how many may wait for them.
struct Queue {
    calls: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

impl Queue {
    fn new(n_calls: usize, n_waiting: usize) -> Self {
        Self {
            calls: Arc::new(Semaphore::new(n_calls)),
            places: Arc::new(Semaphore::new(n_calls + n_waiting)),
        }
    }
}

/// Which queue a call waits in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// Milliseconds: most calls.
    Short,
    /// A picture is decoded and encoded, many files are read, or all vectors are.
    Long,
}

/// The longest time that an answer may take.
const MAX_ANSWER: Duration = Duration::from_mins(5);

/// The most streams of events: a page has one, and each keeps a connection.
const MAX_STREAMS: usize = 64;

pub(super) type App = Arc<Served>;

impl Receives for App {
    fn uploads(&self) -> &Arc<Semaphore> {
        &self.uploads
    }
}

/// One index and the model of its vectors, served.
pub(super) struct Served {
    pub(super) engine: Arc<Engine>,
    pub(super) workspace: Arc<Workspace>,
    pub(super) guard: Guard,
    pub(super) lists: Lists,
    pub(super) thumbnails: Thumbnails,
    pub(super) runs: Arc<Runs>,
    /// Answers assistants.
    pub(super) mcp: Option<McpOverHttp>,
    pub(super) metrics: Metrics,
    pub(super) copy_to: Option<PathBuf>,
    /// The map of the collection, as it was sent last, and the view that it is of.
    pub(super) map: Mutex<Option<(ViewId, Arc<[u8]>)>>,
    texts: OnceLock<Vec<Vec<TextLanguage>>>,
    short: Queue,
    long: Queue,
    uploads: Arc<Semaphore>,
    /// Streams of events that may be open.
    pub(super) streams: Arc<Semaphore>,
    last_call: Mutex<Instant>,
}

impl Served {
    pub(super) fn new(
        engine: Arc<Engine>,
        workspace: Arc<Workspace>,
        address: SocketAddr,
        options: ServeOptions,
    ) -> Self {
        let guard = Guard::new(address, &options.hosts, options.token);
        let mcp = options.mcp.then(|| {
            let server = McpServer::new(Arc::clone(&engine), Arc::clone(&workspace));
            server.over_http(&guard.all_hosts())
        });
        Self {
            guard,
            mcp,
            lists: Lists::default(),
            thumbnails: Thumbnails::new(options.thumbnails),
            runs: Arc::new(Runs::new(Arc::clone(&engine))),
            metrics: Metrics::default(),
            copy_to: options.copy_to,
            map: Mutex::default(),
            texts: OnceLock::new(),
            // More than cores, since some wait for the disk; not many more, since each of long
            // ones may hold a decoded picture.
            short: Queue::new(16, 256),
            long: Queue::new(2, 30),
            uploads: Arc::new(Semaphore::new(16)),
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
            last_call: Mutex::new(Instant::now()),
            engine,
            workspace,
        }
    }

    /// Makes a call of the engine on a thread where it may take its time.
    ///
    /// # Errors
    /// When too many calls wait, it takes too long, or `work` fails. Work that takes too long goes
    /// on, and its place is not given to others meanwhile.
    pub(super) async fn call<T: Send + 'static>(
        self: &Arc<Self>,
        kind: Work,
        work: impl FnOnce(&Self) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let queue = match kind {
            Work::Short => &self.short,
            Work::Long => &self.long,
        };
        let place = Arc::clone(&queue.places).try_acquire_owned();
        let place = place.map_err(|_| Problem::too_many())?;
        let call = Arc::clone(&queue.calls).acquire_owned();
        let served = Arc::clone(self);
        let done = async move {
            let call = call
                .await
                .map_err(|_| Problem::internal("the server is about to stop"))?;
            let work = move || {
                let done = work(&served);
                served.note_call();
                drop((call, place));
                done
            };
            let done = tokio::task::spawn_blocking(work).await;
            done.unwrap_or_else(|error| Err(Problem::internal(error.to_string())))
        };
        let timeout = |_| {
            let detail = format!("no answer within {} s", MAX_ANSWER.as_secs());
            Problem::of(StatusCode::GATEWAY_TIMEOUT, detail)
        };
        let done = tokio::time::timeout(MAX_ANSWER, done).await;
        done.map_err(timeout)?
    }

    fn note_call(&self) {
        *lock(&self.last_call) = Instant::now();
    }

    /// Time since the last call ended.
    pub(super) fn idle(&self) -> Duration {
        lock(&self.last_call).elapsed()
    }

    /// The languages of each text tower of the model.
    pub(super) fn text_languages(&self) -> &[Vec<TextLanguage>] {
        let read = || self.workspace.text_languages_of_index();
        self.texts.get_or_init(read)
    }

    /// An image of the index and its captions.
    pub(super) fn picture(&self, id: u32) -> Result<(Image, Vec<Caption>), Problem> {
        let found = self.engine.picture(ItemId(id))?;
        found.ok_or_else(|| Problem::not_found(format!("no picture {id} in the index")))
    }

    /// The file of an image that may be sent.
    pub(super) fn file_of(&self, image: &Image) -> Result<PathBuf, Problem> {
        let found = self.engine.file_of(image)?;
        found.ok_or_else(|| no_file(image))
    }

    /// The same, opened.
    pub(super) fn open_file_of(&self, image: &Image) -> Result<(PathBuf, File), Problem> {
        let found = self.engine.open_file_of(image)?;
        found.ok_or_else(|| no_file(image))
    }
}

fn no_file(image: &Image) -> Problem {
    let id = image.id.0;
    let detail = format!("no file of picture {id} is as it was indexed in a library folder");
    Problem::not_found(detail)
}
