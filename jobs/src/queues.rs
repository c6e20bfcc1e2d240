//! The handle by which the rest of sview queues and looks at jobs.

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use apalis_ledger::{LedgerSettings, RedisLedger, SqliteLedger};
use sview_model::Queue;

use crate::shown::shown_words;
use crate::{Cause, Job, Ledger, NewJob, Pushed, QueueName, Result};

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
        Ok(self.0.push(&Self::new_job(job, cause, delay)?).await?)
    }

    /// A job as ledgers take it.
    pub(crate) fn new_job<J: Job>(job: &J, cause: &Cause, delay: Duration) -> Result<NewJob> {
        Ok(NewJob {
            name: J::NAME.to_owned(),
            queue: job.queue().into(),
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

/// The queues of sview, most urgent first.
fn names() -> Vec<QueueName> {
    Queue::ALL.iter().map(|queue| QueueName::from(*queue)).collect()
}

fn of_sview(settings: LedgerSettings) -> LedgerSettings {
    LedgerSettings { show_words: shown_words, ..settings }
}

/// Opens the ledger of sview's jobs in a file.
///
/// # Errors
/// Those of [`SqliteLedger::open`].
pub async fn sqlite_ledger(path: &Path, settings: LedgerSettings) -> Result<SqliteLedger> {
    Ok(SqliteLedger::open(path, &names(), of_sview(settings)).await?)
}

/// Opens the ledger of sview's jobs in a Redis; `prefix` sets deployments apart that share it.
///
/// # Errors
/// Those of [`RedisLedger::new`].
pub fn redis_ledger(url: &str, prefix: &str, settings: LedgerSettings) -> Result<RedisLedger> {
    Ok(RedisLedger::new(url, prefix, &names(), of_sview(settings))?)
}
