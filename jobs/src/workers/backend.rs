//! apalis' view of the ledger: a backend that takes one job when a slot is free, and none before.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use apalis_core::backend::finalize::Ephemeral;
use apalis_core::backend::{Backend, BackendConfig};
use apalis_core::layers::Identity;
use apalis_core::task::Task;
use apalis_core::task::builder::TaskBuilder;
use apalis_core::task::task_id::TaskId;
use apalis_core::worker::context::WorkerContext;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::{CancellationToken, PollSemaphore};

use super::runner::Runner;
use crate::{Error, Result};
use crate::{Finished, Outcome, Take, Taken};

/// A job with the slot that it occupies until it is dropped.
#[derive(Debug)]
pub(super) struct Occupied {
    pub(super) taken: Taken,
    pub(super) slot: OwnedSemaphorePermit,
}

/// Takes jobs for one pool.
pub(super) struct LedgerBackend {
    runner: Arc<Runner>,
    slots: PollSemaphore,
    slot: Option<OwnedSemaphorePermit>,
    /// The look-out for the next job. A task of its own: apalis stops polling the backend while a stopping worker waits for its
    /// jobs in progress, and a look-out that stood still half-way would keep the ledger's only writer from them.
    looking: Option<JoinHandle<Result<Option<Taken>>>>,
    /// A job that was taken just as the worker was told to stop, on its way back.
    returning: Option<BoxFuture<'static, Result<Finished>>>,
    closing: CancellationToken,
}

impl LedgerBackend {
    /// A backend that takes nothing more once `stop` is cancelled, however long its jobs in progress go on.
    pub(super) fn new(runner: Arc<Runner>, stop: &CancellationToken) -> Self {
        Self {
            slots: PollSemaphore::new(runner.slots.clone()),
            runner,
            slot: None,
            looking: None,
            returning: None,
            closing: stop.child_token(),
        }
    }
}

/// Waits for the next job: takes at once, then whenever the bell rings, a scheduled job's time comes, or a second has passed.
async fn look(runner: Arc<Runner>, closing: CancellationToken) -> Result<Option<Taken>> {
    loop {
        let mut bell = runner.ledger.listen(); // before looking, so that no ring in between is missed
        if closing.is_cancelled() {
            return Ok(None);
        }
        let settings = &runner.settings;
        let wait = match runner.ledger.take(&runner.queues, &runner.name, settings.lease).await? {
            Take::Job(taken) if closing.is_cancelled() => {
                // Nobody may be left to hand it over to. If it cannot go back, its lease runs out and it is rescued.
                runner.ledger.finish(&taken.claim, &Outcome::Released).await?;
                return Ok(None);
            }
            Take::Job(taken) => return Ok(Some(*taken)),
            Take::Nothing { next_in } => next_in.map_or(settings.poll, |next| next.min(settings.poll)),
        };
        runner.working();
        tokio::select! {
            () = bell.heard() => {}
            () = tokio::time::sleep(wait) => {}
            () = closing.cancelled() => {}
        }
    }
}

/// What the look-out found. Its panic is the pool's.
fn found(ended: Result<Result<Option<Taken>>, JoinError>) -> Result<Option<Taken>> {
    match ended.map_err(JoinError::try_into_panic) {
        Ok(found) => found,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        Err(Err(_)) => Ok(None), // the runtime shuts down
    }
}

impl Drop for LedgerBackend {
    /// A pool that died lets its look-out end too.
    fn drop(&mut self) {
        self.closing.cancel();
    }
}

impl Backend for LedgerBackend {
    type Task = Task<Occupied>;
    type Error = Error;

    /// Ready as soon as a slot is free.
    fn poll_ready(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<()>> {
        if self.slot.is_none() {
            self.slot = ready!(self.slots.poll_acquire(cx));
        }
        Poll::Ready(Ok(()))
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Option<Result<Self::Task>>> {
        let (runner, closing) = (&self.runner, &self.closing);
        let looking = self.looking.get_or_insert_with(|| tokio::spawn(look(runner.clone(), closing.clone())));
        let found = found(ready!(looking.poll_unpin(cx)));
        self.looking = None;
        match (found, self.slot.take()) {
            (Ok(Some(taken)), Some(slot)) => {
                let id = TaskId::from_string(format!("{}.{}", taken.record.id, taken.record.attempts));
                Poll::Ready(Some(Ok(TaskBuilder::new(Occupied { taken, slot }).task_id(id).build())))
            }
            (Err(error), _) => Poll::Ready(Some(Err(error))),
            // Closing; and without a slot apalis does not ask.
            (Ok(_), _) => Poll::Ready(None),
        }
    }

    /// Ends the look-out. A job that it takes at the last moment goes back, as if it had never been taken.
    fn poll_close(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<()>> {
        self.closing.cancel();
        if let Some(looking) = &mut self.looking {
            let found = found(ready!(looking.poll_unpin(cx)));
            self.looking = None;
            if let Ok(Some(taken)) = found {
                let ledger = self.runner.ledger.clone();
                let back = async move { Ok(ledger.finish(&taken.claim, &Outcome::Released).await?) };
                self.returning = Some(back.boxed());
            }
        }
        if let Some(returning) = &mut self.returning {
            let returned = ready!(returning.as_mut().poll(cx));
            self.returning = None;
            returned?; // if it fails, the lease runs out and the job is rescued
        }
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for LedgerBackend {
    type Args = Occupied;
    type Id = ulid::Ulid;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = Identity;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Identity {
        Identity::new()
    }
}
