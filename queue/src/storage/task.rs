//! Jobs as tasks of apalis, and back.

use std::convert::Infallible;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use apalis_core::backend::queue::Queue;
use apalis_core::task::builder::TaskBuilder;
use apalis_core::task::metadata::{Metadata, MetadataStore};
use apalis_core::task::status::Status;
use apalis_core::task::task_id::TaskId;
use apalis_core::task::{ExecutionContext, Task};

use super::StorageConfig;
use crate::{Error, JobId, NewJob, QueueName, Record, Result, State};

/// The properties of a job that apalis does not know: `TaskBuilder::new(job).metadata(&JobMeta { … })`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobMeta {
    /// The kind of the job, for a [`Router`](crate::Router). Empty: [`StorageConfig::name`].
    pub name: String,
    /// A summary of the job, for people. Empty: its name.
    pub words: String,
    /// The reason why the job is queued, for people.
    pub cause: String,
    /// How many jobs may wait in its queue already for this one to be queued too, besides the ledger's own bound.
    pub room: Option<u64>,
    /// Whether a visitor causes it: see [`NewJob::on_demand`].
    pub on_demand: bool,
}

const NAME: &str = "ledger.name";
const WORDS: &str = "ledger.words";
const CAUSE: &str = "ledger.cause";
const ROOM: &str = "ledger.room";
const ON_DEMAND: &str = "ledger.on-demand";

impl Metadata for JobMeta {
    type Error = Infallible;

    fn extract(store: &MetadataStore) -> Result<Self, Infallible> {
        let text = |key| store.get(key).unwrap_or_default().to_owned();
        Ok(Self {
            name: text(NAME),
            words: text(WORDS),
            cause: text(CAUSE),
            room: store.get(ROOM).and_then(|room| room.parse().ok()),
            on_demand: store.contains_key(ON_DEMAND),
        })
    }

    fn inject(&self, store: &mut MetadataStore) -> Result<(), Infallible> {
        for (key, text) in [(NAME, &self.name), (WORDS, &self.words), (CAUSE, &self.cause)] {
            if !text.is_empty() {
                store.replace(key, text.as_str());
            }
        }
        if let Some(room) = self.room {
            store.replace(ROOM, room.to_string());
        }
        if self.on_demand {
            store.replace(ON_DEMAND, "1");
        }
        Ok(())
    }
}

impl NewJob {
    /// The job that a task says is to be queued, as a push through a [`LedgerStorage`](crate::LedgerStorage) makes it. Without an
    /// idempotency key every push is a job of its own.
    ///
    /// # Errors
    /// When the payload is no text, or the task has an id that is no ULID.
    pub fn of_task(task: Task<Vec<u8>>, queue: QueueName, config: &StorageConfig) -> Result<Self> {
        let (payload, ctx) = task.take();
        let payload = String::from_utf8(payload).map_err(|_| Error::Record("a payload that is no JSON".to_owned()))?;
        let Ok(meta) = JobMeta::extract(ctx.metadata());
        let name = if meta.name.is_empty() { config.name.clone() } else { meta.name };
        let id = ctx.task_id().map(job_id).transpose()?;
        let key = match (ctx.idempotency_key(), id) {
            (Some(key), _) => key.to_owned(),
            (None, Some(id)) => id.to_string(),
            (None, None) => JobId::generate().to_string(),
        };
        let max_attempts = ctx.max_attempts().and_then(|most| u32::try_from(most).ok()).unwrap_or(config.max_attempts);
        Ok(Self {
            id,
            queue,
            key,
            payload,
            words: if meta.words.is_empty() { name.clone() } else { meta.words },
            name,
            cause: if meta.cause.is_empty() { "push".to_owned() } else { meta.cause },
            max_attempts,
            delay: delay(&ctx),
            room: meta.room.unwrap_or(u64::MAX),
            on_demand: meta.on_demand,
        })
    }
}

/// How long a task is to wait. Its time is this host's, in whole seconds, as apalis has it.
fn delay(ctx: &ExecutionContext) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    ctx.run_at().map_or(Duration::ZERO, |at| Duration::from_secs(at).saturating_sub(now))
}

/// The id of a job.
pub(super) fn job_id(id: &TaskId) -> Result<JobId> {
    id.to_string().parse().map_err(|_| Error::Record("an id that is no ULID".to_owned()))
}

/// A job as a task with its payload as it is stored.
pub(super) fn task(record: &Record) -> TaskBuilder<Vec<u8>> {
    let seconds = |at: chrono::DateTime<chrono::Utc>| u64::try_from(at.timestamp()).unwrap_or(0);
    let meta = JobMeta {
        name: record.name.clone(),
        words: record.words.clone(),
        cause: record.cause.clone(),
        ..JobMeta::default()
    };
    // apalis counts an attempt when it begins, the ledger when it is taken.
    let attempts = record.attempts - u32::from(record.state == State::Running).min(record.attempts);
    TaskBuilder::new(record.payload.clone().into_bytes())
        .task_id(TaskId::from_ulid(record.id))
        .queue(Queue::from(record.queue.as_str()))
        .idempotency_key(&record.key)
        .status(status(record))
        .attempt(usize::try_from(attempts).unwrap_or(usize::MAX))
        .max_attempts(usize::try_from(record.max_attempts).unwrap_or(usize::MAX))
        .run_at_timestamp(seconds(record.run_at))
        .lock_at(record.started_at.map(seconds))
        .lock_by(record.worker.clone())
        .done_at(record.finished_at.map(seconds))
        .metadata(&meta)
}

/// The states of the ledger in apalis' words.
pub(super) fn status(record: &Record) -> Status {
    match record.state {
        State::Queued => Status::Queued,
        State::Scheduled if record.attempts > 0 => Status::Failed,
        State::Scheduled => Status::Pending,
        State::Running => Status::Running,
        State::Done => Status::Done,
        State::Dead | State::Cancelled => Status::Killed,
    }
}

/// The states that may have a status of apalis.
pub(super) fn states(status: &Status) -> Vec<State> {
    match status {
        Status::Queued => vec![State::Queued],
        Status::Pending | Status::Failed => vec![State::Scheduled],
        Status::Running => vec![State::Running],
        Status::Done => vec![State::Done],
        Status::Killed => vec![State::Dead, State::Cancelled],
        _ => Vec::new(),
    }
}
