//! Decides what happens to sview's jobs, and reports it: outages, health, metrics and log lines.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use apalis_core::error::BoxDynError;
use apalis_ledger::{Policy, StorageConfig, outcome_of};
use chrono::TimeDelta;
use tower::timeout::error::Elapsed;

use super::{Trouble, WorkerSettings, time_limit};
use crate::health::{Component, Heartbeat};
use crate::job::JobError;
use crate::{Outcome, QueueName, Record, metrics};

/// How old a job is when it asks less often whether an outage is over.
const LONG_OUTAGE: TimeDelta = TimeDelta::hours(1);

/// How long such a job waits.
const LONG_PAUSE: Duration = Duration::from_secs(10);

/// The longest time without a heartbeat of a pool: it looks for jobs every second, and renews leases every few.
const SILENCE: Duration = Duration::from_secs(90);

/// The health of a pool, which its [`PoolPolicy`] keeps.
pub(super) struct Watch {
    pub(super) trouble: Mutex<Option<Trouble>>,
    /// Beats with each look for a job, and with each renewal of a lease.
    heartbeat: Heartbeat,
    name: String,
}

impl Watch {
    pub(super) fn new(queues: &[QueueName]) -> Self {
        let served: Vec<&str> = queues.iter().map(|queue| queue.as_str()).collect();
        let name = served.join(", ");
        Self {
            trouble: Mutex::default(),
            heartbeat: Heartbeat::new(Component::Pool, name.as_str(), Some(SILENCE)),
            name,
        }
    }

    /// The ledger answers: whatever trouble there was is over.
    fn works(&self) {
        self.heartbeat.beat();
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take();
        if trouble.is_some() {
            super::POOLS.works_again(&self.name);
        }
    }

    /// Notes that a worker of the pool ended with an error.
    pub(super) fn died(&self, worker: &str, place: &str, error: &str) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        self.heartbeat.fail(error.to_owned());
        let (since, restarts) = trouble.as_ref().map_or((crate::machine_now(), 0), |t| (t.since, t.restarts));
        super::POOLS.died(trouble.is_none(), worker, place, error);
        *trouble = Some(Trouble { error: error.to_owned(), since, restarts: restarts + 1 });
    }
}

/// How a pool treats its jobs.
pub(super) struct PoolPolicy {
    pub(super) watch: Arc<Watch>,
    pub(super) settings: WorkerSettings,
}

impl Policy for PoolPolicy {
    fn outcome(&self, error: &BoxDynError, record: &Record, age: TimeDelta, config: &StorageConfig) -> Outcome {
        let passing = |why: String| outcome_of(&why.into(), record, config);
        if error.is::<Elapsed>() {
            return passing(format!("took longer than {} s", time_limit(&self.settings, record.queue).as_secs_f64()));
        }
        match error.downcast_ref::<JobError>() {
            Some(JobError::Passing(why)) => passing(why.clone()),
            Some(JobError::Final(why)) => Outcome::Dead { error: why.clone() },
            Some(JobError::Outage(why) | JobError::Busy(why)) => {
                let pause = self.settings.outage.after(1);
                let after = if age < LONG_OUTAGE { pause } else { pause.max(LONG_PAUSE) };
                Outcome::Snoozed { after, error: why.clone() }
            }
            None => outcome_of(error, record, config),
        }
    }

    fn answered(&self) {
        self.watch.works();
    }

    fn began(&self, record: &Record) {
        let waited = record.waited().unwrap_or_default();
        tracing::debug!(
            job = record.name, id = %record.id, queue = %record.queue, attempt = record.attempts,
            waited_ms = as_millis(waited), cause = record.cause, words = record.words, "job started"
        );
        metrics::began(&record.name, waited);
    }

    fn ended(&self, record: &Record, outcome: Option<&Outcome>, ran: Duration) {
        metrics::ended(&record.name, outcome, ran);
        log_end(record, outcome, ran);
    }
}

/// The one line of an attempt's end.
fn log_end(record: &Record, outcome: Option<&Outcome>, ran: Duration) {
    macro_rules! end {
        ($level:ident, $what:literal $(, $field:ident = $value:expr)*) => {
            tracing::$level!(
                job = record.name, id = %record.id, queue = %record.queue, attempt = record.attempts,
                ran_ms = as_millis(ran) $(, $field = $value)*, words = record.words, $what
            )
        };
    }
    let cut = |error: &str| crate::sanitise_line(error, 300);
    match outcome {
        Some(Outcome::Done) => end!(debug, "job done"),
        Some(Outcome::Retry { after, error }) => {
            end!(warn, "job failed, to be tried again", error = cut(error), again_in_ms = as_millis(*after));
        }
        Some(Outcome::Snoozed { after, error }) => {
            end!(
                warn,
                "snoozed a job: a server, a disk or a connection is not available",
                error = cut(error),
                again_in_ms = as_millis(*after)
            );
        }
        Some(Outcome::Dead { error }) => end!(error, "job dead", error = cut(error)),
        Some(Outcome::Released) => end!(info, "job handed back"),
        Some(Outcome::Cancelled) => end!(info, "job cancelled"),
        None => end!(warn, "job lost its lease; another worker has it now, or it ended"),
    }
}

fn as_millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use sview_model::Queue;

    use super::*;
    use crate::JobId;

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
        let policy = PoolPolicy { watch: Arc::new(Watch::new(&[])), settings: WorkerSettings::default() };
        for error in [JobError::Outage("full".into()), JobError::Busy("full".into())] {
            let error = error.into();
            let pause =
                |hours| match policy.outcome(&error, &record, TimeDelta::hours(hours), &StorageConfig::default()) {
                    Outcome::Snoozed { after, .. } => after,
                    other => panic!("{other:?}"),
                };
            assert!(pause(0) < LONG_PAUSE);
            assert_eq!((pause(2), pause(100)), (LONG_PAUSE, LONG_PAUSE));
        }
    }
}
