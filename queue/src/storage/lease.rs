//! The right to run an attempt, as handlers see it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use apalis_core::task::Task;
use apalis_core::task::data::MissingDataError;
use apalis_core::task::from_request::FromRequest;
use futures::future::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::{Record, Taken};

/// A continuation after a job's success.
pub(super) type Follow = BoxFuture<'static, ()>;

/// The lease of a running job, an argument of handlers. They read the job's [record](Self::record) from it. They can hold the lease while a
/// thread works on, or do something after the end is recorded.
#[derive(Clone)]
pub struct Lease(Arc<Inner>);

struct Inner {
    taken: Taken,
    /// How many [`Hold`]s there are.
    held: watch::Sender<usize>,
    follow: Mutex<Vec<Follow>>,
    /// The slot of its group. Given back when the attempt is settled.
    slot: Mutex<Option<Box<dyn Slot>>>,
}

/// A slot that is freed when it is dropped.
pub(super) trait Slot: Send {}

impl Slot for OwnedSemaphorePermit {}

/// Keeps a job from being settled while it exists: something that cannot be interrupted still works for it.
#[derive(Debug)]
pub struct Hold(Lease);

impl Lease {
    pub(super) fn new(taken: Taken, slot: Option<Box<dyn Slot>>) -> Self {
        Self(Arc::new(Inner { taken, held: watch::Sender::new(0), follow: Mutex::default(), slot: Mutex::new(slot) }))
    }

    /// The job, as it was when it was taken: this attempt counts already.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.0.taken.record
    }

    pub(super) fn taken(&self) -> &Taken {
        &self.0.taken
    }

    /// Keeps the job from being settled until the value is dropped, however the handler ends. It is waited for 10 s.
    #[must_use]
    pub fn hold(&self) -> Hold {
        self.0.held.send_modify(|held| *held += 1);
        Hold(self.clone())
    }

    /// Does something once the job's success is recorded and its unique key is free. It is not done when the job does not succeed,
    /// nor when the process ends just then. It may take a minute.
    pub fn after_done(&self, follow: impl Future<Output = ()> + Send + 'static) {
        self.0.follow.lock().unwrap_or_else(PoisonError::into_inner).push(Box::pin(follow));
    }

    /// Returns the continuations, and leaves none.
    pub(super) fn follow(&self) -> Vec<Follow> {
        std::mem::take(&mut *self.0.follow.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until nothing holds it.
    pub(super) async fn free(&self) {
        let mut held = self.0.held.subscribe();
        let _ = held.wait_for(|held| *held == 0).await; // the sender lives as long as this
    }

    /// Gives back the slot.
    pub(super) fn vacate(&self) {
        self.0.slot.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.0.held.send_modify(|held| *held -= 1);
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("job", &self.record().id).finish_non_exhaustive()
    }
}

impl<Args: Sync> FromRequest<Task<Args>> for Lease {
    type Error = MissingDataError;

    async fn from_request(task: &Task<Args>) -> Result<Self, Self::Error> {
        task.data().get_checked().cloned()
    }
}
