//! The ledger as a storage of apalis: workers, typed pushes, and what pages about workers and tasks ask for.

// Stands before the modules, which see only macros from further up.
/// Implements traits of apalis for storages of any jobs that can be written as JSON.
macro_rules! of_storage {
    ($($trait:ident { $($body:tt)* })+) => {
        $(impl<Args> $trait for LedgerStorage<Args>
        where
            apalis_codec::json::JsonCodec<Vec<u8>>:
                apalis_core::backend::codec::Codec<Args, Compact = Vec<u8>, Error = serde_json::Error>,
        { $($body)* })+
    };
}

mod attempt;
mod backend;
mod config;
mod expose;
mod group;
mod lease;
mod maintenance;
mod router;
mod sink;
mod task;
mod verdict;
mod wait;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use apalis_codec::json::JsonCodec;
#[cfg(feature = "sqlite")]
use apalis_core::features_table;
use tokio::task::JoinHandle;

pub use self::attempt::{LeaseLayer, LeaseService};
pub use self::config::{Backoff, StorageConfig};
pub use self::group::{Group, Policy};
pub use self::lease::{Hold, Lease};
pub use self::router::Router;
pub use self::task::JobMeta;
pub use self::verdict::{DefaultPolicy, SnoozeError, UnreadableError, outcome_of};
use crate::{Ledger, NewJob, QueueName, Result};

/// A queue of a [`Ledger`] as a storage of apalis, for jobs of one type.
///
/// - A job is pushed with [`TaskSink`](apalis_core::backend::TaskSink). Its idempotency key is the unique key, which is free again
///   when the job has ended. A push whose key is held is `Ok` and queues nothing.
/// - A worker over it takes a job only when its service is ready, and leases it. The lease is renewed as long as the job runs.
/// - How a job ended is decided by the handler's result, not by the status that apalis sets. So layers such as `.timeout()` and
///   `.catch_panic()` work as they are. See [`outcome_of`].
/// - A payload that cannot be read costs its job an attempt, and nothing else.
/// - A worker that stops hands back what it took at the last moment.
///
/// [`priority`](apalis_core::task::ExecutionContext::priority) has no meaning here: a more urgent queue has.
#[doc = ""]
#[cfg_attr(feature = "sqlite", doc = features_table! {
    setup = "{
        use apalis_ledger::{LedgerSettings, LedgerStorage, QueueName, SqliteLedger, StorageConfig};
        let directory = std::env::temp_dir().join(format!(\"apalis-ledger-{}\", ulid::Ulid::generate()));
        std::fs::create_dir(&directory).unwrap();
        let queue = QueueName::new(\"numbers\");
        let file = directory.join(\"jobs.sqlite\");
        let ledger = SqliteLedger::open(&file, &[queue], LedgerSettings::default()).await.unwrap();
        let ledger = std::sync::Arc::new(ledger);
        let mut storage = LedgerStorage::<u32>::new(ledger, queue, StorageConfig::default());
        // The table's first example takes a job that nobody pushes.
        apalis_core::backend::TaskSink::push(&mut storage, 42).await.unwrap();
        storage
    };",
    Backend => supported("Jobs are taken one by one, when the worker is ready", true),
    TaskSink => supported("Pushes with idempotency key, attempts and time", true),
    Serialization => limited("JSON only", true),
    WaitForCompletion => limited("Results are not kept: of a job that is done, only `()` can be had", true),
    WebUI => supported("apalis-board can show it", true),
    FetchById => supported("A job by its id", false),
    RegisterWorker => supported("Workers are shown while they live", false),
    ResumeById => supported("Runs an ended job again, or a scheduled one now", false),
    ResumeAbandoned => supported("Reclaims the jobs of workers that vanished", false),
    Vacuum => supported("Purges what ended, by age and number", false),
    Reschedule => supported("A job that waits, to a later time", false),
    Update => not_supported("A payload never changes", false),
})]
pub struct LedgerStorage<Args> {
    ledger: Arc<dyn Ledger>,
    queue: QueueName,
    config: StorageConfig,
    codec: JsonCodec<Vec<u8>>,
    /// The workers that it takes jobs for, and its place among them.
    group: Group,
    seat: usize,
    /// The number of this storage among those with this place. So a replaced one takes nothing away from its successor.
    life: Option<u64>,
    /// Jobs that were sent, and not pushed yet.
    outbox: Vec<NewJob>,
    flushing: Option<JoinHandle<Result<()>>>,
    args: PhantomData<fn() -> Args>,
}

impl<Args> LedgerStorage<Args> {
    /// A queue of a ledger. A worker over it is a [group](Group) of its own.
    ///
    /// # Panics
    /// When the ledger has no such queue.
    #[must_use]
    pub fn new(ledger: Arc<dyn Ledger>, queue: QueueName, config: StorageConfig) -> Self {
        Group::shared(ledger, &[queue], config, Arc::new(DefaultPolicy), true).storage(queue)
    }

    fn of_group(group: Group, seat: usize) -> Self {
        let inner = group.inner();
        let (ledger, queue, config) = (inner.ledger.clone(), inner.queues[seat], inner.config.clone());
        Self {
            ledger,
            queue,
            config,
            codec: JsonCodec::default(),
            group,
            seat,
            life: None,
            outbox: Vec::new(),
            flushing: None,
            args: PhantomData,
        }
    }

    /// Returns the ledger that the storage belongs to.
    #[must_use]
    pub fn ledger(&self) -> &Arc<dyn Ledger> {
        &self.ledger
    }

    /// Returns the queue that the storage takes from.
    #[must_use]
    pub fn queue(&self) -> QueueName {
        self.queue
    }
}

/// The same queue. A worker over the clone is a [group](Group) of its own.
impl<Args> Clone for LedgerStorage<Args> {
    fn clone(&self) -> Self {
        let inner = self.group.inner();
        Group::shared(self.ledger.clone(), &[self.queue], self.config.clone(), inner.policy.clone(), true)
            .storage(self.queue)
    }
}

impl<Args> fmt::Debug for LedgerStorage<Args> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LedgerStorage")
            .field("queue", &self.queue)
            .field("ledger", &self.ledger)
            .finish_non_exhaustive()
    }
}
