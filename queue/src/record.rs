//! The record of a job, from its queueing to its end and beyond.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
pub use ulid::Ulid as JobId;

use crate::{Error, QueueName, WorkerInfo};

/// How long a job's words, cause and errors may be, in characters.
pub const MAX_WORDS: usize = 300;

/// The state of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Ready; taken as soon as a worker is free.
    Queued,
    /// Waits for its time: delayed, or to be tried again after a failure.
    Scheduled,
    /// A worker is at it.
    Running,
    /// Succeeded.
    Done,
    /// Dead: out of attempts, or not readable.
    Dead,
    /// Ended by an operator.
    Cancelled,
}

impl State {
    /// Every state, in the order of a job's life.
    pub const ALL: [Self; 6] = [Self::Queued, Self::Scheduled, Self::Running, Self::Done, Self::Dead, Self::Cancelled];

    /// Its one spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Scheduled => "scheduled",
            Self::Running => "running",
            Self::Done => "done",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether a job in this state holds its unique key: queued, scheduled or running.
    #[must_use]
    pub const fn is_under_way(self) -> bool {
        matches!(self, Self::Queued | Self::Scheduled | Self::Running)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for State {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|s| s.as_str() == text);
        found.ok_or_else(|| Error::Record(format!("no state {:?}", sanitise_line(text, 40))))
    }
}

/// The failure of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptError {
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The time of the failure, in milliseconds since 1970 by the ledger's clock.
    at: i64,
    /// The reason of the failure, for people; escaped.
    pub message: String,
}

impl AttemptError {
    /// An error of an attempt, `at` milliseconds since 1970. The message is escaped and cut.
    #[must_use]
    pub fn new(attempt: u32, at: i64, message: &str) -> Self {
        Self { attempt, at, message: sanitise_line(message, MAX_WORDS) }
    }

    /// Returns the time of the failure, in UTC.
    #[must_use]
    pub fn at(&self) -> DateTime<Utc> {
        crate::wall_clock::moment(self.at)
    }

    /// Reads the lines in which ledgers keep errors; a line that is none is left out.
    pub(crate) fn read_lines(lines: &str) -> Vec<Self> {
        lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

/// The record of a job. All times are UTC by the ledger's clock.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its id; ids of one process are ordered by creation.
    pub id: JobId,
    /// The kind of the job.
    pub name: String,
    /// The queue that the job waits or waited in.
    pub queue: QueueName,
    /// Its unique key.
    pub key: String,
    /// The job as JSON. Hostile text may be in it.
    pub payload: String,
    /// A summary of the job; escaped.
    pub words: String,
    /// The reason why the job was queued, for people.
    pub cause: String,
    /// The present state.
    pub state: State,
    /// How many attempts were begun, this one included while it runs.
    pub attempts: u32,
    /// The number of attempts after which the job is dead.
    pub max_attempts: u32,
    /// The time when the job was queued.
    pub created_at: DateTime<Utc>,
    /// The time from which the job may run, or might have run.
    pub run_at: DateTime<Utc>,
    /// The time when the last attempt began.
    pub started_at: Option<DateTime<Utc>>,
    /// The time when the job ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// The worker of its last attempt.
    pub worker: Option<String>,
    /// The failures of attempts, oldest first; the last 20 at the most.
    pub errors: Vec<AttemptError>,
    /// Whether an operator asked the running job to end.
    pub cancel_asked: bool,
}

impl Record {
    /// How long the job was ready before its last attempt began.
    #[must_use]
    pub fn waited(&self) -> Option<Duration> {
        (self.started_at? - self.run_at).to_std().ok()
    }

    /// How long its last attempt took, once it has ended.
    #[must_use]
    pub fn ran(&self) -> Option<Duration> {
        (self.finished_at? - self.started_at?).to_std().ok()
    }
}

/// The context that a ledger needs to read its stored values.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    /// The ledger's queues, most urgent first.
    pub(crate) queues: Arc<[QueueName]>,
    /// See [`crate::LedgerSettings::show_words`].
    pub(crate) show_words: fn(&str, &str, String) -> String,
}

impl Reader {
    /// The queue of this name.
    pub(crate) fn queue(&self, name: &str) -> Result<QueueName, Error> {
        let found = self.queues.iter().find(|queue| queue.as_str() == name);
        found.copied().ok_or_else(|| Error::Record(format!("no queue {:?} in this ledger", sanitise_line(name, 40))))
    }

    /// Reads a worker's announcement; `None` if this program cannot read it.
    pub(crate) fn worker(&self, json: &str) -> Option<WorkerInfo> {
        #[derive(Deserialize)]
        struct Stored {
            name: String,
            host: String,
            pid: u32,
            queues: Vec<String>,
            slots: usize,
            since: DateTime<Utc>,
            running: Vec<(JobId, String)>,
        }
        let Stored { name, host, pid, queues, slots, since, running } = serde_json::from_str(json).ok()?;
        let queues = queues.iter().map(|queue| self.queue(queue)).collect::<Result<_, _>>().ok()?;
        Some(WorkerInfo { name, host, pid, queues, slots, since, running })
    }
}

/// One line of at most `max` characters for people and logs: control characters and what could pass for markup of a terminal are
/// escaped.
#[must_use]
pub fn sanitise_line(text: &str, max: usize) -> String {
    let mut words = String::new();
    for (n, c) in text.chars().enumerate() {
        if n == max {
            words.push('…');
            break;
        }
        if c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            words.extend(c.escape_default());
        } else {
            words.push(c);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_one_short_line() {
        assert_eq!(sanitise_line("a\nb\u{1b}[31m", 99), "a\\nb\\u{1b}[31m");
        assert_eq!(sanitise_line("žluťoučký", 3), "žlu…");
    }

    #[test]
    fn states_have_one_spelling() {
        for state in State::ALL {
            assert_eq!(state.as_str().parse::<State>().unwrap(), state);
        }
        assert!("asleep".parse::<State>().is_err());
    }
}
