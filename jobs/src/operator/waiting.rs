//! Finds out why a job waits, from the state of queues, workers and running jobs.

use std::collections::HashMap;
use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use sview_model::counted;

use super::steer::is_paused;
use crate::{Context, Filter, JobId, QueueCounts, QueueName, Record, Result, State, WorkerInfo};

/// A running job that others wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocker {
    /// The id of the running job.
    pub id: JobId,
    /// The summary of the job; escaped.
    pub words: String,
    /// The time when the job started, UTC by the ledger's clock; `None` when it has just ended.
    pub since: Option<DateTime<Utc>>,
    /// The worker that runs it.
    pub worker: String,
}

/// A reason for a job to wait. Its `Display` is a sentence without its full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// An operator paused its queue.
    Paused(QueueName),
    /// No living worker serves its queue.
    Nobody(QueueName),
    /// It failed, and is tried again later.
    NextAttempt {
        /// How much later.
        left: TimeDelta,
        /// The number of that attempt.
        attempt: u32,
        /// The number of attempts that the job has.
        of: u32,
    },
    /// A server or lock that it needs was away or held by another, which cost it no attempt.
    Snoozed {
        /// How much later it runs again.
        left: TimeDelta,
        /// The reason why its last attempt did not count; escaped.
        why: String,
    },
    /// It was queued for later.
    Later {
        /// How much later.
        left: TimeDelta,
    },
    /// Every slot of the workers that serve its queue has a job.
    Busy {
        /// How many slots.
        slots: usize,
        /// The queues that these workers serve.
        queues: Vec<QueueName>,
        /// The jobs in them.
        blockers: Vec<Blocker>,
    },
    /// Jobs of a more urgent queue go first on every worker that serves this one.
    MoreUrgent {
        /// The more urgent queue.
        queue: QueueName,
        /// How many wait in it.
        waiting: u64,
    },
    /// Nothing holds it up: a worker takes it in a moment.
    Soon,
    /// It runs, and was asked to end.
    Ending,
}

/// A span as text, to the second: `12 s`, `3 min 5 s`, `2 h 7 min`.
struct Span(TimeDelta);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = self.0.num_seconds().max(0);
        match s {
            ..60 => write!(f, "{s} s"),
            60..3600 => write!(f, "{} min {} s", s / 60, s % 60),
            _ => write!(f, "{} h {} min", s / 3600, s / 60 % 60),
        }
    }
}

impl Blocker {
    /// Describes the job: `aggregation incidents/quarterly, running for 12 s on worker w3`.
    #[must_use]
    pub fn told(&self, now: DateTime<Utc>) -> String {
        match self.since {
            Some(since) => format!("{}, running for {} on worker {}", self.words, Span(now - since), self.worker),
            None => format!("{}, on worker {}", self.words, self.worker),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paused(queue) => write!(f, "its queue {queue} is paused"),
            Self::Nobody(queue) => write!(f, "no worker serves {queue}"),
            Self::NextAttempt { left, attempt, of } => {
                write!(f, "scheduled: next attempt ({attempt} of {of}) in {}", Span(*left))
            }
            Self::Snoozed { left, why } => write!(f, "snoozed: runs again in {}, since {why}", Span(*left)),
            Self::Later { left } => write!(f, "scheduled: runs in {}", Span(*left)),
            Self::Busy { slots, queues, blockers } => {
                let names: Vec<&str> = queues.iter().map(|queue| queue.as_str()).collect();
                let names = names.join(", ");
                match blockers.as_slice() {
                    [_] if *slots == 1 => write!(f, "the only slot of {names} is busy"),
                    _ => write!(f, "all {slots} slots of {names} are busy"),
                }
            }
            Self::MoreUrgent { queue, waiting } => {
                let go = if *waiting == 1 { "goes" } else { "go" };
                write!(f, "{} of the more urgent queue {queue} {go} first", counted(*waiting, "job"))
            }
            Self::Soon => f.write_str("nothing holds it up; a worker takes it in a moment"),
            Self::Ending => f.write_str("it was asked to end, and does at its worker's next sign of life"),
        }
    }
}

/// The state of queues, workers and running jobs, in which the reasons are found.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The time by the ledger's clock.
    pub now: DateTime<Utc>,
    /// The counts of every queue.
    pub counts: Vec<QueueCounts>,
    /// The living workers, and when they were last heard of.
    pub workers: Vec<(WorkerInfo, DateTime<Utc>)>,
    /// Every running job, by id.
    pub running: HashMap<JobId, Record>,
}

impl Surroundings {
    /// Reads the present state from the ledger.
    pub async fn look(context: &Context) -> Result<Self> {
        let queues = &context.queues;
        let running = Filter { states: vec![State::Running], limit: 1_000, ..Filter::default() };
        Ok(Self {
            now: queues.ledger().time().await?,
            counts: queues.ledger().counts().await?,
            workers: queues.ledger().workers().await?,
            running: queues.ledger().list(&running).await?.into_iter().map(|record| (record.id, record)).collect(),
        })
    }

    /// Returns the details of a running job.
    #[must_use]
    pub fn blocker(&self, id: JobId) -> Option<Blocker> {
        let record = self.running.get(&id)?;
        let worker = record.worker.clone().unwrap_or_else(|| "?".to_owned());
        Some(Blocker { id, words: record.words.clone(), since: record.started_at, worker })
    }

    /// Returns the reasons why a job waits, the weightiest first; empty for one that has ended or simply runs.
    #[must_use]
    pub fn reasons(&self, record: &Record) -> Vec<Reason> {
        match record.state {
            State::Running if record.cancel_asked => return vec![Reason::Ending],
            State::Running | State::Done | State::Dead | State::Cancelled => return Vec::new(),
            State::Queued | State::Scheduled => {}
        }
        let mut reasons = Vec::new();
        if is_paused(&self.counts, record.queue) {
            reasons.push(Reason::Paused(record.queue));
        }
        let left = record.run_at - self.now;
        if record.state == State::Scheduled && left > TimeDelta::zero() {
            // An attempt that was snoozed is not among those that were made.
            let snoozed = record.errors.last().filter(|error| error.attempt > record.attempts);
            reasons.push(match (snoozed, record.attempts) {
                (Some(error), _) => Reason::Snoozed { left, why: error.message.clone() },
                (None, 0) => Reason::Later { left },
                (None, made) => Reason::NextAttempt { left, attempt: made + 1, of: record.max_attempts },
            });
        }
        let serving: Vec<&WorkerInfo> =
            self.workers.iter().map(|(worker, _)| worker).filter(|w| w.queues.contains(&record.queue)).collect();
        if serving.is_empty() {
            reasons.push(Reason::Nobody(record.queue));
        } else if reasons.is_empty() {
            reasons.extend(self.held_up(record, &serving));
        }
        if reasons.is_empty() {
            reasons.push(Reason::Soon);
        }
        reasons
    }

    /// Returns the reasons that hold up a ready job, on the workers that serve its queue.
    fn held_up(&self, record: &Record, serving: &[&WorkerInfo]) -> Vec<Reason> {
        let mut reasons = Vec::new();
        let slots: usize = serving.iter().map(|worker| worker.slots).sum();
        // The ledger's record of running jobs is newer than a worker's last announcement.
        let on = |worker: &WorkerInfo| {
            let jobs = self.running.values().filter(|job| job.worker.as_deref() == Some(worker.name.as_str()));
            jobs.filter_map(|job| self.blocker(job.id)).collect::<Vec<_>>()
        };
        let mut blockers: Vec<Blocker> = serving.iter().flat_map(|worker| on(worker)).collect();
        blockers.sort_by_key(|blocker| (blocker.since, blocker.id));
        if blockers.len() >= slots {
            let serves = |queue: &QueueName| serving.iter().any(|worker| worker.queues.contains(queue));
            let queues = self.counts.iter().map(|counts| counts.queue).filter(serves).collect();
            reasons.push(Reason::Busy { slots, queues, blockers });
        }
        for counts in &self.counts {
            let first = |worker: &&WorkerInfo| {
                let at = |queue| worker.queues.iter().position(|other| *other == queue);
                at(counts.queue).is_some_and(|urgent| Some(urgent) < at(record.queue))
            };
            let waiting = counts.of(State::Queued);
            if waiting > 0 && !counts.paused && serving.iter().all(first) {
                reasons.push(Reason::MoreUrgent { queue: counts.queue, waiting });
            }
        }
        reasons
    }
}

#[cfg(test)]
mod tests;
