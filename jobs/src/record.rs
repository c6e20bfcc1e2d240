//! The record of a job, from its queueing to its end and beyond.

use std::{fmt, str::FromStr, time::Duration};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sview_model::{DeviceToken, Queue};
pub use ulid::Ulid as JobId;

use crate::Error;
use crate::job::{CacheResource, Job as _};

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
    /// The payload for people and programs that look at jobs. Device tokens in it are replaced by their hash: a holder of one reads
    /// the device's data.
    #[must_use]
    pub fn shown_payload(&self) -> String {
        without_tokens(&self.payload)
    }

    /// The unique key for people and programs that look at jobs.
    #[must_use]
    pub fn shown_key(&self) -> String {
        sview_model::shown_key(&self.key)
    }

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

/// A job's words as they are shown. Those of jobs that visitors cause are made anew: an older program may have written tokens or
/// passwords into them.
pub(crate) fn shown_words(name: &str, payload: &str, words: String) -> String {
    if name != CacheResource::NAME {
        return words;
    }
    match serde_json::from_str::<CacheResource>(payload) {
        Ok(job) => in_words(&job.words(), MAX_WORDS),
        Err(_) => "caching what this version cannot read".to_owned(),
    }
}

/// A text with whatever can be a device token replaced by its [hash](DeviceToken::hash). It need not be JSON: what this program cannot
/// read is shown too.
fn without_tokens(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for part in text.split_inclusive(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit()) {
        let word = part.trim_end_matches(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit());
        match word.parse::<DeviceToken>() {
            Ok(token) => {
                shown.push('#');
                shown.push_str(&token.hash());
                shown.push_str(&part[word.len()..]);
            }
            Err(_) => shown.push_str(part),
        }
    }
    shown
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
    fn tokens_are_shown_as_hashes() {
        let (a, b) = ("a".repeat(64), "b".repeat(63));
        // printf a%.0s {1..64} | sha256sum
        assert_eq!(without_tokens(&format!(r#"["{a}","{b}"]"#)), format!(r##"["#ffe054fe7a","{b}"]"##));
        assert_eq!(without_tokens(&format!("{a} ž{a}")), "#ffe054fe7a ž#ffe054fe7a");
        assert_eq!(without_tokens(&format!("{a}\"{a}")), "#ffe054fe7a\"#ffe054fe7a");
    }

    #[test]
    fn words_of_visitors_jobs_are_made_anew() {
        let devices = sview_model::Parameters::Devices(vec!["a".repeat(64).parse().unwrap()]);
        let name = "my_all_incidents_graph".parse().unwrap();
        let job = CacheResource(sview_model::Request::new(name, sview_model::Period::Year, devices).unwrap());
        let payload = serde_json::to_string(&job).unwrap();
        let old = || format!("caching my_all_incidents_graph of {}", "a".repeat(64));
        assert_eq!(shown_words("cache-resource", &payload, old()), job.words());
        assert_eq!(shown_words("cache-resource", "[]", old()), "caching what this version cannot read");
        assert_eq!(shown_words("aggregate", "{}", "aggregation".into()), "aggregation");
    }

    #[test]
    fn states_have_one_spelling() {
        for state in State::ALL {
            assert_eq!(state.as_str().parse::<State>().unwrap(), state);
        }
        assert!("asleep".parse::<State>().is_err());
    }
}
