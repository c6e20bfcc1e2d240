//! The record of a job, from its queueing to its end and beyond.

use std::{fmt, str::FromStr, time::Duration};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sview_model::Queue;
pub use ulid::Ulid as JobId;

use crate::Error;

/// How long a job's words, cause and errors may be, in characters.
pub const MAX_WORDS: usize = 300;

/// Where a job is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Ready; taken as soon as a worker is free.
    Queued,
    /// Waits for its time: delayed, or to be tried again after a failure.
    Scheduled,
    /// A worker is at it.
    Running,
    /// Ended well.
    Done,
    /// Given up: out of attempts, or not readable.
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
        found.ok_or_else(|| Error::Record(format!("no state {:?}", in_words(text, 40))))
    }
}

/// What made somebody queue a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A tick of the schedule: the producer's name.
    Tick(&'static str),
    /// The start of a process.
    Start,
    /// A page or an API asked for a value.
    Page,
    /// A command, by its name.
    Command(&'static str),
    /// The end of another job: that job in words.
    After(String),
    /// An operator's hand.
    Operator,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tick(producer) => write!(f, "tick of {producer}"),
            Self::Start => f.write_str("start"),
            Self::Page => f.write_str("page"),
            Self::Command(name) => write!(f, "command {name}"),
            Self::After(words) => write!(f, "after {words}"),
            Self::Operator => f.write_str("operator"),
        }
    }
}

/// A job to be queued.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// What kind of job: [`crate::Job::NAME`].
    pub name: String,
    /// Where it waits.
    pub queue: Queue,
    /// Its unique key: at most one job of a key is queued, scheduled or running. ASCII, bounded; see [`crate::Job::key`].
    pub key: String,
    /// The job as JSON.
    pub payload: String,
    /// The job in words, for people. Escaped and cut here, whatever it holds.
    pub words: String,
    /// What made it, in words.
    pub cause: String,
    /// After how many failed attempts it is given up; at least 1.
    pub max_attempts: u32,
    /// How long it waits before it may run.
    pub delay: Duration,
}

/// What became of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// Queued under this id.
    Queued(JobId),
    /// Nothing was queued: a job of the same key is under way.
    Already {
        /// That job.
        id: JobId,
        /// Its state.
        state: State,
    },
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptError {
    /// Which attempt, from 1.
    pub attempt: u32,
    /// When, in milliseconds since 1970 by the ledger's clock.
    at: i64,
    /// Why, in words; escaped.
    pub message: String,
}

impl AttemptError {
    pub(crate) fn new(attempt: u32, at: i64, message: &str) -> Self {
        Self { attempt, at, message: in_words(message, MAX_WORDS) }
    }

    /// When, in UTC.
    #[must_use]
    pub fn at(&self) -> DateTime<Utc> {
        crate::machine_time::moment(self.at)
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
    /// What kind of job.
    pub name: String,
    /// Where it waits or waited.
    pub queue: Queue,
    /// Its unique key.
    pub key: String,
    /// The job as JSON. Hostile text may be in it.
    pub payload: String,
    /// The job in words; escaped.
    pub words: String,
    /// What made it, in words.
    pub cause: String,
    /// Where it is in its life.
    pub state: State,
    /// How many attempts were begun, this one included while it runs.
    pub attempts: u32,
    /// After how many it is given up.
    pub max_attempts: u32,
    /// When it was queued.
    pub created_at: DateTime<Utc>,
    /// When it may or might run (again).
    pub run_at: DateTime<Utc>,
    /// When its last attempt began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// The worker of its last attempt.
    pub worker: Option<String>,
    /// Why attempts failed, oldest first; the last 20 at the most.
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

/// The right to run a job's attempt and to say how it went. A claim whose lease was lost can do neither.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The job.
    pub id: JobId,
    /// What tells this attempt from every other.
    pub(crate) token: String,
}

/// What a worker took.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The job, already counted as being attempted once more.
    pub record: Record,
    /// The right to it.
    pub claim: Claim,
}

/// The answer to a worker that looks for a job.
#[derive(Clone, Debug)]
pub enum Take {
    /// A job.
    Job(Box<Taken>),
    /// Nothing is ready.
    Nothing {
        /// When the next scheduled job will be.
        next_in: Option<Duration>,
    },
}

/// The answer to a renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewed {
    /// The lease goes on.
    Held,
    /// The lease goes on, but an operator asks for the job to end.
    CancelAsked,
    /// The lease is another's, or the job is gone: whatever the handler does is void, and it must stop.
    Lost,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Well.
    Done,
    /// Not well; to be tried again.
    Retry {
        /// After this long.
        after: Duration,
        /// Why it failed.
        error: String,
    },
    /// Not well, for good.
    Dead {
        /// Why.
        error: String,
    },
    /// Handed back unfinished, as if it had never been taken.
    Released,
    /// Ended by an operator.
    Cancelled,
}

impl Outcome {
    /// The word by which ledgers know it, its error and its delay.
    pub(crate) fn parts(&self) -> (&'static str, String, Duration) {
        match self {
            Self::Done => ("done", String::new(), Duration::ZERO),
            Self::Retry { after, error } => ("retry", in_words(error, MAX_WORDS), *after),
            Self::Dead { error } => ("dead", in_words(error, MAX_WORDS), Duration::ZERO),
            Self::Released => ("release", String::new(), Duration::ZERO),
            Self::Cancelled => ("cancelled", String::new(), Duration::ZERO),
        }
    }
}

/// How the jobs of one unique key stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The job that is queued, scheduled or running.
    pub under_way: Option<(JobId, State)>,
    /// When the last one died, unless one has succeeded since.
    pub failed_at: Option<DateTime<Utc>>,
}

/// How many jobs of a queue are in each state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueCounts {
    /// Which queue.
    pub queue: Queue,
    /// How many, in the order of [`State::ALL`].
    counts: [u64; 6],
    /// Since when the oldest of the queued could have run.
    pub oldest_waiting: Option<DateTime<Utc>>,
    /// Whether nothing is taken from it.
    pub paused: bool,
}

impl QueueCounts {
    pub(crate) fn new(queue: Queue) -> Self {
        Self { queue, counts: [0; 6], oldest_waiting: None, paused: false }
    }

    pub(crate) fn set(&mut self, state: State, count: u64) {
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

/// Which records to list. The default is all, in pages of 100.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Only in these states; empty: in any.
    pub states: Vec<State>,
    /// Only of this queue.
    pub queue: Option<Queue>,
    /// Only of this name.
    pub name: Option<String>,
    /// Only with this text in their words, in any case.
    pub text: Option<String>,
    /// Only older than this one: the last of the page before.
    pub before: Option<JobId>,
    /// At the most so many.
    pub limit: usize,
}

impl Default for Filter {
    fn default() -> Self {
        Self { states: Vec::new(), queue: None, name: None, text: None, before: None, limit: 100 }
    }
}

/// What became of a cancellation.
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

/// A worker, as it tells of itself every few seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerInfo {
    /// Its name: never the same for two starts.
    pub name: String,
    /// The machine.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// The queues that it serves, most urgent first.
    pub queues: Vec<Queue>,
    /// How many jobs it runs at once.
    pub slots: usize,
    /// Since when.
    pub since: DateTime<Utc>,
    /// What it is at: ids and words.
    pub running: Vec<(JobId, String)>,
}

/// What a rescue did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rescued {
    /// Jobs of vanished workers that are queued again.
    pub queued: u64,
    /// Jobs that were given up, because their attempts are used up.
    pub dead: u64,
}

/// One line of at most `max` characters for people and logs: control characters and what could pass for markup of a terminal are
/// escaped.
#[must_use]
pub fn in_words(text: &str, max: usize) -> String {
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
        assert_eq!(in_words("a\nb\u{1b}[31m", 99), "a\\nb\\u{1b}[31m");
        assert_eq!(in_words("žluťoučký", 3), "žlu…");
    }

    #[test]
    fn states_have_one_spelling() {
        for state in State::ALL {
            assert_eq!(state.as_str().parse::<State>().unwrap(), state);
        }
        assert!("asleep".parse::<State>().is_err());
    }
}
