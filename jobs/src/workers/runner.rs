//! The one wrapper round every handler: time limit, panics, the lease and its loss, retries, records and log lines.
//!
//! It holds whatever the job is and whichever the ledger; apalis is always told that all went well.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sview_model::Queue;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Trouble, WorkerSettings};
use crate::health::{Component, Heartbeat, panic_message};
use crate::job::{Backoff, Failure, Registry, Runnable};
use crate::throttle::LogThrottle;
use crate::{Finished, JobId, MAX_WORDS, Outcome, QueueName, Queues, Record, Renewed, Taken, WorkerInfo, metrics};

/// A pool's worker: what its slots share.
pub(super) struct Runner {
    pub(super) name: String,
    pub(super) queues: Vec<QueueName>,
    pub(super) ledger: Queues,
    pub(super) settings: WorkerSettings,
    pub(super) slots: Arc<Semaphore>,
    pub(super) concurrency: usize,
    started: Instant,
    /// When that was by the ledger's clock, once it is known.
    since: OnceLock<DateTime<Utc>>,
    /// The jobs in progress; they outlive a pool that dies, and finish.
    pub(super) tracker: TaskTracker,
    /// Told when the grace period of a shutdown is over: what still runs is handed back.
    pub(super) abandon: CancellationToken,
    pub(super) trouble: Mutex<Option<Trouble>>,
    /// Beats with each look for a job, and with each renewal of a lease.
    pub(super) heartbeat: Heartbeat,
    registry: Arc<Registry>,
    running: Mutex<BTreeMap<JobId, String>>,
}

/// How an attempt ended.
enum Ending {
    Returned(Result<(), Failure>),
    Panicked(String),
    OverTime(Duration),
    Unreadable(String),
    /// The job is another's or gone: nothing is left to say about it.
    LeaseLost,
    /// The ledger could not be reached for so long that the job may be another's by now.
    LeaseUnsure,
    CancelAsked,
    Abandoned,
}

/// How long a handler that was told to stop may take to do so before its slot is given up on.
const STOPPING: Duration = Duration::from_secs(10);

/// How old a job is when it asks less often whether an outage is over.
const LONG_OUTAGE: TimeDelta = TimeDelta::hours(1);

/// How long such a job waits.
const LONG_PAUSE: Duration = Duration::from_secs(10);

/// The longest time without a heartbeat of a pool: it looks for jobs every second, and renews leases every few.
const SILENCE: Duration = Duration::from_secs(90);

/// How long what follows from a job's success may take.
const AFTERMATH: Duration = Duration::from_secs(60);

/// What is logged of leases that cannot be renewed, and of ends of jobs that cannot be recorded: each job tries again and again.
static LEASES: LogThrottle = LogThrottle::new();
static ENDS: LogThrottle = LogThrottle::new();

impl Runner {
    pub(super) fn new(
        name: String,
        queues: Vec<QueueName>,
        concurrency: usize,
        ledger: Queues,
        registry: Arc<Registry>,
        settings: WorkerSettings,
    ) -> Self {
        let served: Vec<&str> = queues.iter().map(|queue| queue.as_str()).collect();
        Self {
            heartbeat: Heartbeat::new(Component::Pool, served.join(", "), Some(SILENCE)),
            name,
            queues,
            ledger,
            settings,
            slots: Arc::new(Semaphore::new(concurrency)),
            concurrency,
            started: Instant::now(),
            since: OnceLock::new(),
            tracker: TaskTracker::new(),
            abandon: CancellationToken::new(),
            trouble: Mutex::default(),
            registry,
            running: Mutex::default(),
        }
    }

    /// The ledger answers: whatever trouble there was is over.
    pub(super) fn working(&self) {
        self.heartbeat.beat();
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if trouble.take().is_some() {
            super::POOLS.works_again(&self.name);
        }
    }

    pub(super) fn info(&self) -> WorkerInfo {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        WorkerInfo {
            name: self.name.clone(),
            host: super::host(),
            pid: std::process::id(),
            queues: self.queues.clone(),
            slots: self.concurrency,
            since: self.since.get().copied().unwrap_or_else(|| self.started_before(crate::machine_now())),
            running: running.iter().map(|(id, words)| (*id, words.clone())).collect(),
        }
    }

    fn started_before(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        now - TimeDelta::from_std(self.started.elapsed()).unwrap_or(TimeDelta::MAX)
    }

    /// Tells the ledger that the worker lives, and what it does.
    pub(super) async fn beat(&self) -> crate::Result<()> {
        if self.since.get().is_none() {
            let since = self.started_before(self.ledger.time().await?);
            let _ = self.since.set(since);
        }
        Ok(self.ledger.beat(&self.info()).await?)
    }

    /// Makes an attempt at a job and records how it went.
    pub(super) async fn attempt(self: Arc<Self>, taken: Taken) {
        self.working();
        let record = &taken.record;
        let begun = Instant::now();
        let waited = record.waited().unwrap_or_default();
        let job = self.registry.read(&record.name, &record.payload);
        // Not the record's words: an older program wrote into those what visitors typed.
        let words = job.as_ref().map(|job| crate::in_words(&job.words(), MAX_WORDS)).unwrap_or_default();
        tracing::debug!(
            job = record.name, id = %record.id, queue = %record.queue, attempt = record.attempts,
            waited_ms = as_millis(waited), cause = record.cause, words, "job started"
        );
        metrics::began(&record.name, waited);
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(record.id, record.words.clone());
        let ending = match &job {
            Ok(job) => self.run(&taken, job).await,
            Err(why) => Ending::Unreadable(why.clone()),
        };
        let outcome = outcome(&ending, record, age(record, begun), job.as_ref().ok(), &self.settings);
        let settled = match outcome {
            Some(outcome) => self.settle(&taken, outcome).await,
            None => None,
        };
        let settled = settled.as_ref();
        metrics::ended(&record.name, settled, begun.elapsed());
        log_end(record, &words, settled, begun.elapsed());
        if let (Some(Outcome::Done), Ok(job)) = (settled, job) {
            let mut aftermath = Contained::start(job.after_done());
            let ended = tokio::time::timeout(AFTERMATH, aftermath.ended()).await;
            let ending = ended.unwrap_or(Ending::OverTime(AFTERMATH));
            if !matches!(ending, Ending::Returned(Ok(()))) {
                let why = crate::in_words(&failure(&ending), 300);
                tracing::warn!(job = record.name, id = %record.id, why, "what follows from the job was left to the next refresh");
            }
        }
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&record.id);
    }

    /// Runs the handler within its time limit, while its lease is renewed.
    async fn run(&self, taken: &Taken, job: &Arc<dyn Runnable>) -> Ending {
        let limit = self.settings.time_limit.unwrap_or_else(|| time_limit(taken.record.queue));
        let mut handler = Contained::start(job.clone().run());
        let ending = tokio::select! {
            ending = handler.ended() => return ending,
            () = tokio::time::sleep(limit) => Ending::OverTime(limit),
            ending = self.keep_lease(taken) => ending,
            () = self.abandon.cancelled() => Ending::Abandoned,
        };
        handler.stop().await;
        ending
    }

    /// Renews the lease until it is lost, or may be. It is measured from before each renewal was sent, so it never ends later here
    /// than in the ledger.
    async fn keep_lease(&self, taken: &Taken) -> Ending {
        let (lease, margin) = (self.settings.lease, self.settings.lease / 10);
        let mut held_until = Instant::now() + lease - margin;
        let mut pause = lease / 3;
        loop {
            tokio::time::sleep(pause).await;
            let asked = Instant::now();
            // The process was suspended, or its machine too busy for it: the job may be another's, so nothing more is done for it, not
            // even while the ledger is asked.
            if asked >= held_until {
                return Ending::LeaseUnsure;
            }
            match tokio::time::timeout_at(held_until, self.ledger.renew(&taken.claim, lease)).await {
                Ok(Ok(Renewed::Held)) => {
                    held_until = asked + lease - margin;
                    pause = lease / 3;
                    self.heartbeat.beat();
                    LEASES.over();
                }
                Ok(Ok(Renewed::CancelAsked)) => return Ending::CancelAsked,
                Ok(Ok(Renewed::Lost)) => return Ending::LeaseLost,
                Ok(Err(error)) => {
                    if let Some(times) = LEASES.happened() {
                        tracing::warn!(id = %taken.record.id, %error, times, "the lease could not be renewed");
                    }
                    pause = lease / 20;
                }
                Err(_) => {}
            }
            if Instant::now() >= held_until {
                return Ending::LeaseUnsure;
            }
        }
    }

    /// Tells the ledger how it went, again and again until it hears: whatever the wait, only the holder of the lease is believed.
    /// Returns what then holds; `None` when the lease was lost.
    async fn settle(&self, taken: &Taken, outcome: Outcome) -> Option<Outcome> {
        let mut pause = Duration::from_millis(50);
        loop {
            let finished = self.ledger.finish(&taken.claim, &outcome).await;
            if finished.is_ok() {
                ENDS.over();
            }
            match finished {
                Ok(Finished::AsSaid) => return Some(outcome),
                Ok(Finished::Cancelled) => return Some(Outcome::Cancelled),
                Ok(Finished::Lost) => return None,
                Err(error) => {
                    if let Some(times) = ENDS.happened() {
                        tracing::warn!(id = %taken.record.id, %error, times, "the end of a job could not be recorded yet");
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                // The process ends: the lease runs out, and the job is rescued.
                () = self.abandon.cancelled() => return None,
            }
            pause = (pause * 2).min(Duration::from_secs(2));
        }
    }
}

/// A handler on a thread of its own. It may compute for long: neither that nor its panic touches the lease, the pages of this process, or
/// whatever else runs on the threads of the runtime. The thread is of lower priority, so that pages get a core at once.
struct Contained {
    /// How it ended; within, `None`: it was told to stop.
    thread: oneshot::Receiver<std::thread::Result<Option<Result<(), Failure>>>>,
    stop: CancellationToken,
}

impl Contained {
    fn start(job: impl Future<Output = Result<(), Failure>> + Send + 'static) -> Self {
        let (runtime, stop) = (Handle::current(), CancellationToken::new());
        let (stopped, (end, thread)) = (stop.clone(), oneshot::channel());
        let run = move || {
            yield_to_pages();
            let handler = async move {
                tokio::select! {
                    biased;
                    () = stopped.cancelled() => None,
                    done = job => Some(done),
                }
            };
            let ended = std::panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(handler)));
            let _ = end.send(ended); // nobody waits where the process ends
        };
        // Not one of the runtime's blocking threads: a priority that was lowered cannot be raised again, and those serve pages too.
        // As many threads at the most as there are slots. One that cannot be started drops `end`.
        if let Err(error) = std::thread::Builder::new().name("job".to_owned()).spawn(run) {
            tracing::warn!(%error, "no thread could be started for a job; it is tried again");
        }
        Self { thread, stop }
    }

    /// Waits for it to end by itself.
    async fn ended(&mut self) -> Ending {
        match (&mut self.thread).await {
            Ok(Ok(Some(result))) => Ending::Returned(result),
            Ok(Ok(None)) => Ending::Abandoned,
            Ok(Err(panic)) => Ending::Panicked(panic_message(&*panic)),
            Err(_) => Ending::Returned(Err(Failure::Busy("no thread could be started for the job".to_owned()))),
        }
    }

    /// Stops it at its next `await`, and waits until it is gone: its claim must not be free while it still does something.
    async fn stop(mut self) {
        self.stop.cancel();
        if tokio::time::timeout(STOPPING, &mut self.thread).await.is_err() {
            tracing::error!("a handler computes on and does not stop");
        }
    }
}

/// How much lower the priority of a thread that computes is (see `nice(2)`): enough for a page that wakes up to get its core at once, and
/// little enough for jobs to get a third of a core beside one busy thread.
#[cfg(target_os = "linux")]
const NICER: i32 = 5;

/// Lowers the priority of the calling thread, where the system has priorities of threads.
#[cfg(target_os = "linux")]
fn yield_to_pages() {
    let own = Some(rustix::thread::gettid());
    let lowered = rustix::process::getpriority_process(own)
        .and_then(|priority| rustix::process::setpriority_process(own, priority + NICER));
    if let Err(error) = lowered {
        tracing::debug!(%error, "the priority of a job's thread was not lowered");
    }
}

/// Does nothing where threads have no priority of their own.
#[cfg(not(target_os = "linux"))]
fn yield_to_pages() {}

impl Drop for Contained {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Why the attempt failed, in words.
fn failure(ending: &Ending) -> String {
    match ending {
        Ending::Returned(Err(
            Failure::Passing(why) | Failure::Outage(why) | Failure::Busy(why) | Failure::Final(why),
        ))
        | Ending::Unreadable(why) => why.clone(),
        Ending::Panicked(message) => format!("panicked: {message}"),
        Ending::OverTime(limit) => format!("took longer than {} s", limit.as_secs_f64()),
        Ending::LeaseLost | Ending::LeaseUnsure => "lost its lease".to_owned(),
        Ending::CancelAsked => "cancelled".to_owned(),
        Ending::Abandoned => "the process ends".to_owned(),
        Ending::Returned(Ok(())) => String::new(),
    }
}

/// The longest that a job of a queue may run.
fn time_limit(queue: QueueName) -> Duration {
    queue.as_str().parse().unwrap_or(Queue::QuickCache).time_limit()
}

/// How long ago a job was queued that runs since `begun`: by the ledger's clock up to there, by a monotonic one from there.
fn age(record: &Record, begun: Instant) -> TimeDelta {
    let queued = record.started_at.map_or(TimeDelta::zero(), |started| started - record.created_at);
    queued + TimeDelta::from_std(begun.elapsed()).unwrap_or(TimeDelta::zero())
}

/// What the ledger is told of a job of this age; `None` when there is nothing to tell.
fn outcome(
    ending: &Ending,
    record: &Record,
    age: TimeDelta,
    job: Option<&Arc<dyn Runnable>>,
    settings: &WorkerSettings,
) -> Option<Outcome> {
    let error = || failure(ending);
    Some(match ending {
        Ending::Returned(Ok(())) => Outcome::Done,
        Ending::Returned(Err(Failure::Final(_))) => Outcome::Dead { error: error() },
        Ending::Returned(Err(Failure::Outage(_) | Failure::Busy(_))) => {
            let pause = settings.outage.after(1);
            let after = if age < LONG_OUTAGE { pause } else { pause.max(LONG_PAUSE) };
            Outcome::PutOff { after, error: error() }
        }
        Ending::Returned(Err(Failure::Passing(_)))
        | Ending::Panicked(_)
        | Ending::OverTime(_)
        | Ending::Unreadable(_) => {
            if record.attempts >= record.max_attempts {
                Outcome::Dead { error: error() }
            } else {
                let backoff = settings.backoff.or(job.map(|job| job.backoff())).unwrap_or(Backoff::UNREADABLE);
                Outcome::Retry { after: backoff.after(record.attempts), error: error() }
            }
        }
        Ending::CancelAsked => Outcome::Cancelled,
        Ending::Abandoned | Ending::LeaseUnsure => Outcome::Released,
        Ending::LeaseLost => return None,
    })
}

/// The one line of an attempt's end.
fn log_end(record: &Record, words: &str, outcome: Option<&Outcome>, ran: Duration) {
    macro_rules! end {
        ($level:ident, $what:literal $(, $field:ident = $value:expr)*) => {
            tracing::$level!(
                job = record.name, id = %record.id, queue = %record.queue, attempt = record.attempts,
                ran_ms = as_millis(ran) $(, $field = $value)*, words, $what
            )
        };
    }
    match outcome {
        Some(Outcome::Done) => end!(debug, "job done"),
        Some(Outcome::Retry { after, error }) => {
            end!(
                warn,
                "job failed, to be tried again",
                error = crate::in_words(error, 300),
                again_in_ms = as_millis(*after)
            );
        }
        Some(Outcome::PutOff { after, error }) => {
            end!(
                warn,
                "job put off: a server, a disk or a connection is not available",
                error = crate::in_words(error, 300),
                again_in_ms = as_millis(*after)
            );
        }
        Some(Outcome::Dead { error }) => end!(error, "job dead", error = crate::in_words(error, 300)),
        Some(Outcome::Released) => end!(info, "job handed back"),
        Some(Outcome::Cancelled) => end!(info, "job cancelled"),
        None => end!(warn, "job lost its lease; what it did is left to whoever has it"),
    }
}

fn as_millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_costs_no_attempt_however_long_it_lasts() {
        let at = DateTime::UNIX_EPOCH;
        let record = Record {
            id: JobId::nil(),
            name: "aggregate".into(),
            queue: Queue::Aggregation.into(),
            key: String::new(),
            payload: String::new(),
            words: String::new(),
            cause: String::new(),
            state: crate::State::Running,
            attempts: 5,
            max_attempts: 5,
            created_at: at,
            run_at: at,
            started_at: Some(at),
            finished_at: None,
            worker: None,
            errors: Vec::new(),
            cancel_asked: false,
        };
        let settings = WorkerSettings::default();
        for failure in [Failure::Outage("full".into()), Failure::Busy("full".into())] {
            let ending = Ending::Returned(Err(failure));
            let pause = |hours| match outcome(&ending, &record, TimeDelta::hours(hours), None, &settings) {
                Some(Outcome::PutOff { after, .. }) => after,
                other => panic!("{other:?}"),
            };
            assert!(pause(0) < LONG_PAUSE);
            assert_eq!((pause(2), pause(100)), (LONG_PAUSE, LONG_PAUSE));
        }
    }
}
