//! The operators' JSON: one type an answer, from which the description is made too. Times are RFC 3339 in UTC, spans are seconds.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use sview_jobs::{
    Action, Figures, JobId, KindOfRuns, QueueCounts, Reason, Record, State, Surroundings, Ticking, WorkerInfo,
    shown_key, shown_payload,
};
use utoipa::ToSchema;

use super::AllFigures;
use super::rows::Lost;

fn at(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A page of the list of jobs.
#[derive(Serialize, ToSchema)]
pub(super) struct Jobs {
    /// Newest first.
    pub(super) jobs: Vec<Job>,
    /// The id after which the next page begins; null on the last one.
    pub(super) before: Option<String>,
}

/// A job, from its queueing to its end and beyond.
#[derive(Serialize, ToSchema)]
pub(super) struct Job {
    /// A ULID.
    id: String,
    /// The kind of the job.
    name: String,
    queue: &'static str,
    /// queued, scheduled, running, done, dead or cancelled.
    state: &'static str,
    /// Its unique key: at most one job of a key is under way. Hashes in it are cut to ten digits.
    key: String,
    /// The job for people.
    words: String,
    /// The reason why it was queued.
    cause: String,
    /// The job as JSON, as a text. It may hold input of attackers; device tokens are replaced by their hashes.
    payload: String,
    /// How many attempts were begun.
    attempts: u32,
    /// The number of attempts after which it is dead.
    max_attempts: u32,
    #[schema(format = DateTime)]
    created_at: String,
    /// The time from which it may run, or might have run.
    #[schema(format = DateTime)]
    run_at: String,
    /// The start of its last attempt.
    #[schema(format = DateTime)]
    started_at: Option<String>,
    #[schema(format = DateTime)]
    finished_at: Option<String>,
    /// The worker of its last attempt.
    worker: Option<String>,
    /// Whether an operator asked the running job to end.
    cancel_asked: bool,
    /// How long its last attempt took.
    ran_seconds: Option<f64>,
    /// The failures of attempts, oldest first.
    errors: Vec<AttemptError>,
    /// The reasons why it waits.
    waits: Vec<Wait>,
}

/// The failure of an attempt.
#[derive(Serialize, ToSchema)]
struct AttemptError {
    /// The number of the attempt, from 1.
    attempt: u32,
    #[schema(format = DateTime)]
    at: String,
    message: String,
}

/// A reason for a job to wait.
#[derive(Serialize, ToSchema)]
struct Wait {
    words: String,
    blocked_by: Vec<WorkInHand>,
}

/// A job that runs.
#[derive(Serialize, ToSchema)]
struct WorkInHand {
    id: String,
    words: String,
}

impl Job {
    pub(super) fn new(record: &Record, around: &Surroundings) -> Self {
        let wait = |reason: Reason| {
            let blockers = match &reason {
                Reason::Busy { blockers, .. } => blockers.as_slice(),
                _ => &[],
            };
            let told = |b: &sview_jobs::Blocker| WorkInHand { id: b.id.to_string(), words: b.told(around.now) };
            Wait { words: reason.to_string(), blocked_by: blockers.iter().map(told).collect() }
        };
        let error = |e: &sview_jobs::AttemptError| AttemptError {
            attempt: e.attempt,
            at: at(e.at()),
            message: e.message.clone(),
        };
        Self {
            id: record.id.to_string(),
            name: record.name.clone(),
            queue: record.queue.as_str(),
            state: record.state.as_str(),
            key: shown_key(record),
            words: record.words.clone(),
            cause: record.cause.clone(),
            payload: shown_payload(record),
            attempts: record.attempts,
            max_attempts: record.max_attempts,
            created_at: at(record.created_at),
            run_at: at(record.run_at),
            started_at: record.started_at.map(at),
            finished_at: record.finished_at.map(at),
            worker: record.worker.clone(),
            cancel_asked: record.cancel_asked,
            ran_seconds: record.ran().map(|span| span.as_secs_f64()),
            errors: record.errors.iter().map(error).collect(),
            waits: around.reasons(record).into_iter().map(wait).collect(),
        }
    }
}

/// How many jobs there are, and figures of the last 24 hours.
#[derive(Serialize, ToSchema)]
pub(super) struct Counts {
    /// Most urgent first.
    pub(super) queues: Vec<Queue>,
    /// Attempts by kind of job.
    pub(super) kinds: Vec<KindRuns>,
}

/// The attempts of a kind of job. Run times are right to an eighth, but for the longest.
#[derive(Serialize, ToSchema)]
pub(super) struct KindRuns {
    /// The kind of the job.
    job: String,
    /// Attempts that ended well.
    done: u64,
    /// Attempts that failed, whether another followed or not.
    failed: u64,
    /// Half of them took no longer.
    p50: Option<f64>,
    /// 95 of 100 took no longer.
    p95: Option<f64>,
    max: Option<f64>,
    /// Hour by hour, oldest first; the last one is under way.
    hours: Vec<RunsHour>,
}

/// Attempts that ended in an hour.
#[derive(Serialize, ToSchema)]
struct RunsHour {
    #[schema(format = DateTime)]
    end: String,
    done: u64,
    failed: u64,
}

impl From<&KindOfRuns> for KindRuns {
    fn from(kind: &KindOfRuns) -> Self {
        let seconds = |span: Option<Duration>| span.map(|span| span.as_secs_f64());
        let hours = kind.hours.iter().map(|h| RunsHour { end: at(h.end), done: h.done, failed: h.failed });
        Self {
            job: kind.name.clone(),
            done: kind.done,
            failed: kind.failed,
            p50: seconds(kind.p50),
            p95: seconds(kind.p95),
            max: seconds(kind.max),
            hours: hours.collect(),
        }
    }
}

/// Dead jobs by their errors.
#[derive(Serialize, ToSchema)]
pub(super) struct Dead {
    /// The largest first.
    pub(super) groups: Vec<DeadGroup>,
    /// How many dead jobs were looked through, 5,000 at the most.
    pub(super) looked_through: usize,
}

/// Dead jobs whose last errors are alike.
#[derive(Serialize, ToSchema)]
pub(super) struct DeadGroup {
    /// The pattern that the errors share: numbers and ids are `#`.
    error: String,
    /// The last error of the newest.
    example: String,
    count: usize,
    /// The time when the first of them ended.
    #[schema(format = DateTime)]
    first: String,
    /// The time when the last of them ended.
    #[schema(format = DateTime)]
    last: String,
    /// The kinds of the jobs.
    jobs: Vec<String>,
}

impl From<&sview_jobs::DeadGroup> for DeadGroup {
    fn from(group: &sview_jobs::DeadGroup) -> Self {
        Self {
            error: group.pattern.clone(),
            example: group.example.clone(),
            count: group.count,
            first: at(group.ended.0),
            last: at(group.ended.1),
            jobs: group.names.clone(),
        }
    }
}

/// A queue.
#[derive(Serialize, ToSchema)]
pub(super) struct Queue {
    queue: &'static str,
    /// Whether nothing is taken from it.
    paused: bool,
    /// How many jobs are in each state.
    states: BTreeMap<&'static str, u64>,
    /// The time from which the oldest of the queued jobs could have run.
    #[schema(format = DateTime)]
    oldest_waiting: Option<String>,
    /// The share of dead jobs among those that ended, from 0 to 1; null when nothing ended.
    failure_rate: Option<f64>,
    run_seconds: Option<Percentiles>,
    /// Hour by hour, oldest first; the last one is under way.
    hours: Vec<Hour>,
}

/// Run times of the last attempts of jobs that were done or dead, as far as they are kept. These are 2,000 of the last 24 hours at the
/// most. The three values are the times that half, 95 and 99 of 100 attempts did not exceed.
#[derive(Serialize, ToSchema)]
struct Percentiles {
    p50: f64,
    p95: f64,
    p99: f64,
}

/// The jobs that ended in an hour.
#[derive(Serialize, ToSchema)]
struct Hour {
    #[schema(format = DateTime)]
    end: String,
    done: u64,
    dead: u64,
}

impl Queue {
    pub(super) fn new(counts: &QueueCounts, figures: &Figures) -> Self {
        Self {
            queue: counts.queue.as_str(),
            paused: counts.paused,
            states: State::ALL.iter().map(|state| (state.as_str(), counts.of(*state))).collect(),
            oldest_waiting: counts.oldest_waiting.map(at),
            failure_rate: figures.failure_rate(),
            run_seconds: figures.run_times.map(|times| Percentiles {
                p50: times.p50.as_secs_f64(),
                p95: times.p95.as_secs_f64(),
                p99: times.p99.as_secs_f64(),
            }),
            hours: figures.hours.iter().map(|h| Hour { end: at(h.end), done: h.done, dead: h.dead }).collect(),
        }
    }
}

/// The living workers.
#[derive(Serialize, ToSchema)]
pub(super) struct Workers {
    pub(super) workers: Vec<Worker>,
    /// Those that vanished without a word in the last seven days, latest first.
    pub(super) lost: Vec<LostWorker>,
}

/// A worker that vanished.
#[derive(Serialize, ToSchema)]
pub(super) struct LostWorker {
    name: String,
    host: String,
    pid: u32,
    /// The queues that it served, most urgent first.
    queues: Vec<&'static str>,
    slots: usize,
    #[schema(format = DateTime)]
    since: String,
    /// The time when it was last heard of.
    #[schema(format = DateTime)]
    heard: String,
    /// The jobs that it ran when it was last heard of.
    was_running: Vec<LeftJob>,
}

/// A job that a worker was at when it vanished.
#[derive(Serialize, ToSchema)]
struct LeftJob {
    id: String,
    /// null: its record was purged since.
    words: Option<String>,
    /// The present state of the job.
    state: Option<&'static str>,
}

impl From<&Lost> for LostWorker {
    fn from(lost: &Lost) -> Self {
        let worker = &lost.worker;
        let left = |(id, record): &(JobId, Option<Record>)| LeftJob {
            id: id.to_string(),
            words: record.as_ref().map(|record| record.words.clone()),
            state: record.as_ref().map(|record| record.state.as_str()),
        };
        Self {
            name: worker.name.clone(),
            host: worker.host.clone(),
            pid: worker.pid,
            queues: worker.queues.iter().map(|queue| queue.as_str()).collect(),
            slots: worker.slots,
            since: at(worker.since),
            heard: at(lost.heard),
            was_running: lost.running.iter().map(left).collect(),
        }
    }
}

/// A worker.
#[derive(Serialize, ToSchema)]
pub(super) struct Worker {
    /// Never the same for two starts.
    name: String,
    host: String,
    pid: u32,
    /// The queues that it serves, most urgent first.
    queues: Vec<&'static str>,
    /// How many jobs it runs at once.
    slots: usize,
    #[schema(format = DateTime)]
    since: String,
    /// The time when it was last heard of.
    #[schema(format = DateTime)]
    heard: String,
    running: Vec<WorkInHand>,
}

impl Worker {
    pub(super) fn new(worker: &WorkerInfo, heard: DateTime<Utc>, around: &Surroundings) -> Self {
        // In the ledger's words: those of an older worker's sign of life may hold what visitors typed.
        let running = worker.running.iter().filter_map(|(id, _)| around.running.get(id));
        Self {
            name: worker.name.clone(),
            host: worker.host.clone(),
            pid: worker.pid,
            queues: worker.queues.iter().map(|queue| queue.as_str()).collect(),
            slots: worker.slots,
            since: at(worker.since),
            heard: at(heard),
            running: running.map(|r| WorkInHand { id: r.id.to_string(), words: r.words.clone() }).collect(),
        }
    }
}

/// The periodic jobs.
#[derive(Serialize, ToSchema)]
pub(super) struct Schedule {
    pub(super) producers: Vec<Producer>,
}

/// Something that is done by the clock.
#[derive(Serialize, ToSchema)]
pub(super) struct Producer {
    name: &'static str,
    /// Seconds, minutes, hours, day of month, month, day of week; UTC.
    cron: String,
    what: &'static str,
    /// The last tick that somebody acted on.
    #[schema(format = DateTime)]
    last: Option<String>,
    #[schema(format = DateTime)]
    next: Option<String>,
}

impl From<&Ticking> for Producer {
    fn from(ticking: &Ticking) -> Self {
        let producer = ticking.producer;
        Self {
            name: producer.name,
            cron: producer.schedule.to_string(),
            what: producer.what,
            last: ticking.last.map(at),
            next: ticking.next.map(at),
        }
    }
}

/// The log of actions.
#[derive(Serialize, ToSchema)]
pub(super) struct Actions {
    /// Newest first.
    pub(super) actions: Vec<Noted>,
}

/// An operator's action.
#[derive(Serialize, ToSchema)]
pub(super) struct Noted {
    #[schema(format = DateTime)]
    at: String,
    /// The right by which the operator acted.
    who: String,
    /// The operator's address or machine.
    peer: String,
    what: String,
}

impl From<&Action> for Noted {
    fn from(action: &Action) -> Self {
        Self { at: at(action.at), who: action.who.clone(), peer: action.peer.clone(), what: action.what.clone() }
    }
}

/// The reason why a request was not answered.
#[derive(ToSchema)]
#[allow(dead_code)] // it stands for what `Problem` says
pub(super) struct Error {
    /// For people.
    error: String,
}

/// The figures of all queues and kinds of jobs.
pub(super) fn counts(counts: &[QueueCounts], figures: &AllFigures) -> Counts {
    let of = |counts: &QueueCounts| Some(Queue::new(counts, figures.queues.iter().find(|f| f.queue == counts.queue)?));
    Counts { queues: counts.iter().filter_map(of).collect(), kinds: figures.kinds.iter().map(KindRuns::from).collect() }
}
