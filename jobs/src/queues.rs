//! The handle by which the rest of sview queues and looks at jobs.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use crate::{Cause, Job, Ledger, NewJob, Pushed, Result};

/// Queues jobs; everything that the ledger can show or do is there through `Deref`. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Queues(Arc<dyn Ledger>);

impl Queues {
    /// Queues over a ledger.
    #[must_use]
    pub fn new(ledger: impl Ledger) -> Self {
        Self(Arc::new(ledger))
    }

    /// Queues a job, unless one of its key is under way.
    pub async fn enqueue<J: Job>(&self, job: &J, cause: &Cause) -> Result<Pushed> {
        self.enqueue_after(job, cause, Duration::ZERO).await
    }

    /// Queues a job that is to run after a delay, unless one of its key is under way.
    pub async fn enqueue_after<J: Job>(&self, job: &J, cause: &Cause, delay: Duration) -> Result<Pushed> {
        self.0.push(&Self::new_job(job, cause, delay)?).await
    }

    /// A job as ledgers take it.
    pub(crate) fn new_job<J: Job>(job: &J, cause: &Cause, delay: Duration) -> Result<NewJob> {
        Ok(NewJob {
            name: J::NAME.to_owned(),
            queue: job.queue(),
            key: job.key(),
            payload: serde_json::to_string(job)?,
            words: job.words(),
            cause: cause.to_string(),
            max_attempts: J::MAX_ATTEMPTS,
            delay,
            room: J::ROOM,
            on_demand: J::ON_DEMAND,
        })
    }
}

impl Deref for Queues {
    type Target = dyn Ledger;
    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}
