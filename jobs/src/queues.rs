//! The handle by which the rest of sview queues and looks at jobs.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use apalis_core::backend::{TaskSink as _, TaskSinkError};
use apalis_core::task::builder::TaskBuilder;
use apalis_ledger::{JobMeta, LedgerSettings, LedgerStorage, RedisLedger, SqliteLedger, StorageConfig};
use sview_model::Queue;

use crate::shown::shown_words;
use crate::{Cause, Job, Ledger, LedgerError, NewJob, Pushed, QueueName, Result};

/// Queues jobs. [`ledger`](Self::ledger) has everything else that can be shown or done. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Queues(Arc<dyn Ledger>);

impl Queues {
    /// Queues over a ledger.
    #[must_use]
    pub fn new(ledger: impl Ledger) -> Self {
        Self(Arc::new(ledger))
    }

    /// The ledger that the jobs are in.
    #[must_use]
    pub fn ledger(&self) -> &Arc<dyn Ledger> {
        &self.0
    }

    /// Queues a job, unless one of its key is under way; for who need not know which.
    ///
    /// # Errors
    /// When the queue is full, or the ledger cannot be reached.
    pub async fn send<J: Job>(&self, job: J, cause: &Cause) -> Result<()> {
        let queue = job.queue().into();
        let mut storage = LedgerStorage::<J>::new(self.0.clone(), queue, StorageConfig::default());
        let task = Self::task(&job, cause).map_args(|()| job).build();
        storage.push_task(task).await.map_err(|error| match error {
            TaskSinkError::PushError(error) => error.into(),
            error => LedgerError::Shared(error.to_string()).into(),
        })
    }

    /// Queues a job, unless one of its key is under way, and says which. apalis' `TaskSink` has no answer for that.
    pub async fn enqueue<J: Job>(&self, job: &J, cause: &Cause) -> Result<Pushed> {
        self.enqueue_after(job, cause, Duration::ZERO).await
    }

    /// Queues a job that is to run after a delay, unless one of its key is under way. apalis counts delays in whole seconds.
    pub async fn enqueue_after<J: Job>(&self, job: &J, cause: &Cause, delay: Duration) -> Result<Pushed> {
        let job = NewJob { delay, ..Self::new_job(job, cause)? };
        Ok(self.0.push(&job).await?)
    }

    /// A job as ledgers take it. Many are pushed in one step with an answer for each, which `TaskSink` cannot give either.
    pub(crate) fn new_job<J: Job>(job: &J, cause: &Cause) -> Result<NewJob> {
        let payload = serde_json::to_vec(job)?;
        let task = Self::task(job, cause).map_args(|()| payload).build();
        Ok(NewJob::of_task(task, job.queue().into(), &StorageConfig::default())?)
    }

    /// A job as apalis takes it, without its payload.
    fn task<J: Job>(job: &J, cause: &Cause) -> TaskBuilder<()> {
        let meta = JobMeta {
            name: J::NAME.to_owned(),
            words: job.words(),
            cause: cause.to_string(),
            room: Some(J::ROOM),
            on_demand: J::ON_DEMAND,
        };
        let attempts = usize::try_from(J::MAX_ATTEMPTS).unwrap_or(usize::MAX);
        TaskBuilder::new(()).idempotency_key(job.key()).max_attempts(attempts).metadata(&meta)
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
