//! The pictures that assistants ask about, and the threads on which they are searched.

use std::ops::ControlFlow;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use crate::engine::{Caption, Engine, Image, ItemId};
use crate::workspace::Workspace;

/// Calls that run at once. Each may use several cores.
const MAX_CALLS: usize = 4;

/// One index, the model of its vectors, and the calls about it that run.
pub(super) struct Library {
    engine: Arc<Engine>,
    workspace: Arc<Workspace>,
    calls: Semaphore,
}

impl Library {
    pub(super) fn new(engine: Arc<Engine>, workspace: Arc<Workspace>) -> Self {
        Self {
            engine,
            workspace,
            calls: Semaphore::new(MAX_CALLS),
        }
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(super) fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// The message to an assistant about a failure.
    pub(super) fn message(&self, failure: &Failure) -> String {
        failure.message(self.workspace.named_index())
    }

    /// Runs `work` on a thread where it may take its time; not when the call is cancelled before
    /// its turn comes.
    pub(super) async fn call<T: Send + 'static>(
        self: &Arc<Self>,
        cancelled: CancellationToken,
        work: impl FnOnce(&Self, &CancellationToken) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let turn = tokio::select! {
            turn = self.calls.acquire() => turn,
            () = cancelled.cancelled() => return Err(Failure::cancelled()),
        };
        let Ok(_turn) = turn else {
            return Err(Failure::new("the server is about to stop"));
        };
        let library = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || work(&library, &cancelled));
        done.await
            .unwrap_or_else(|error| Err(Failure::new(format!("the call failed: {error}"))))
    }

    /// An image of the index, and its captions.
    pub(super) fn picture(&self, id: u32) -> Result<(Image, Vec<Caption>), Failure> {
        let found = self.engine.picture(ItemId(id))?;
        found.ok_or_else(|| Failure::unknown_item(id))
    }
}

/// Breaks once a call is cancelled.
pub(super) fn unless_cancelled(cancelled: &CancellationToken) -> ControlFlow<()> {
    if cancelled.is_cancelled() {
        ControlFlow::Break(())
    } else {
        ControlFlow::Continue(())
    }
}

/// Refuses the next step of a call that is cancelled.
pub(super) fn still_wanted(cancelled: &CancellationToken) -> Result<(), Failure> {
    match unless_cancelled(cancelled) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Failure::cancelled()),
    }
}
