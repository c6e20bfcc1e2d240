//! The views of the ledger for producers and operators.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::QueueName;
use crate::record::{JobId, Record, State};

/// How the jobs of one unique key stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyStatus {
    /// The job that is queued, scheduled or running.
    pub under_way: Option<(JobId, State)>,
    /// The time when the last job was found dead; `None` if one has succeeded since.
    pub failed_at: Option<DateTime<Utc>>,
}

/// How many jobs of a queue are in each state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueCounts {
    /// The queue that was counted.
    pub queue: QueueName,
    /// How many, in the order of [`State::ALL`].
    counts: [u64; 6],
    /// The time from which the oldest of the queued jobs could have run.
    pub oldest_waiting: Option<DateTime<Utc>>,
    /// Whether nothing is taken from it.
    pub paused: bool,
}

impl QueueCounts {
    /// A queue without jobs.
    #[must_use]
    pub fn new(queue: QueueName) -> Self {
        Self { queue, counts: [0; 6], oldest_waiting: None, paused: false }
    }

    /// Sets how many are in this state.
    pub fn set(&mut self, state: State, count: u64) {
        self.counts[state as usize] = count;
    }

    /// How many are in this state.
    #[must_use]
    pub fn of(&self, state: State) -> u64 {
        self.counts[state as usize]
    }

    /// How many are queued, scheduled or running.
    #[must_use]
    pub fn under_way(&self) -> u64 {
        State::ALL.iter().filter(|s| s.is_under_way()).map(|s| self.of(*s)).sum()
    }
}

/// Selects the records to list. The default is all, in pages of 100.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Only in these states; empty: in any.
    pub states: Vec<State>,
    /// Only of this queue.
    pub queue: Option<QueueName>,
    /// Only of this name.
    pub name: Option<String>,
    /// Only with this text in their words, in any case.
    pub text: Option<String>,
    /// Only those that were queued at or after this moment, by the ledger's clock.
    pub from: Option<DateTime<Utc>>,
    /// Only those that were queued before this moment.
    pub until: Option<DateTime<Utc>>,
    /// Only older than this one: the last of the page before.
    pub before: Option<JobId>,
    /// At the most so many.
    pub limit: usize,
}

impl Filter {
    /// Whether a record matches, whichever page it is on.
    #[must_use]
    pub fn fits(&self, record: &Record) -> bool {
        (self.states.is_empty() || self.states.contains(&record.state))
            && self.queue.is_none_or(|queue| queue == record.queue)
            && self.name.as_ref().is_none_or(|name| *name == record.name)
            && self.text.as_ref().is_none_or(|text| record.words.to_lowercase().contains(&text.to_lowercase()))
            && self.from.is_none_or(|from| record.created_at >= from)
            && self.until.is_none_or(|until| record.created_at < until)
    }
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            states: Vec::new(),
            queue: None,
            name: None,
            text: None,
            from: None,
            until: None,
            before: None,
            limit: 100,
        }
    }
}

/// The result of a cancellation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelOutcome {
    /// It waited, and will not run.
    Cancelled,
    /// It runs; its worker ends it when it next renews its lease.
    Asked,
    /// It had ended already.
    Ended,
    /// There is no such job.
    Unknown,
}

/// A worker, as it announces itself every few seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WorkerInfo {
    /// Its name: never the same for two starts.
    pub name: String,
    /// The name of the machine.
    pub host: String,
    /// The id of the process.
    pub pid: u32,
    /// The queues that it serves, most urgent first.
    pub queues: Vec<QueueName>,
    /// How many jobs it runs at once.
    pub slots: usize,
    /// The time when the worker started.
    pub since: DateTime<Utc>,
    /// The jobs that it runs: ids and summaries.
    pub running: Vec<(JobId, String)>,
}

/// The server of a ledger, or the library that reads its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerServer {
    /// `Redis`, `Valkey` or `SQLite`.
    pub kind: &'static str,
    /// Its version; escaped.
    pub version: String,
    /// How many bytes of memory the server uses, or how many the file has.
    pub bytes: u64,
    /// How many bytes of memory the server may use; `None` where there is no limit.
    pub limit: Option<u64>,
    /// The server's policy at that limit (`maxmemory-policy`); escaped. `None` for a file.
    pub policy: Option<String>,
    /// The time by the ledger's clock, UTC.
    pub now: DateTime<Utc>,
}

/// A process, as it announces itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessInfo {
    /// Its name: never the same for two starts.
    pub name: String,
    /// The command that the process runs.
    pub role: String,
    /// The name of the machine.
    pub host: String,
    /// The number of the process on that machine.
    pub pid: u32,
    /// The version of the program.
    pub version: String,
    /// The start of the process, UTC by its machine's clock.
    pub since: DateTime<Utc>,
    /// Settings that ought to be the same in all processes, by name. No secrets.
    pub settings: BTreeMap<String, String>,
}

/// The counts of a rescue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rescued {
    /// Jobs of vanished workers that are queued again.
    pub queued: u64,
    /// Jobs that are dead now, because their attempts are used up.
    pub dead: u64,
    /// Claims, queues and records that were put right after a key of the ledger was lost.
    pub mended: u64,
}

/// How many jobs of a queue ended in one way within an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HourCount {
    /// The hour's start, UTC.
    pub start: DateTime<Utc>,
    /// The queue of the jobs.
    pub queue: QueueName,
    /// Done, dead or cancelled.
    pub state: State,
    /// The number of jobs.
    pub count: u64,
}

/// A job that ended, as far as figures need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The queue of the job.
    pub queue: QueueName,
    /// The kind of the job.
    pub name: String,
    /// Done, dead or cancelled.
    pub state: State,
    /// The time when the job ended.
    pub finished_at: DateTime<Utc>,
    /// How long its last attempt took; `None` when it never ran.
    pub ran: Option<Duration>,
}
