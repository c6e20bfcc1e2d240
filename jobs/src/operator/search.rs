//! Jobs by more than ledgers can look for: by the errors of their last attempts, by ids, and in the order of their run times. For the
//! first and the last, the newest jobs that match the rest are looked through, as many as [`LOOKED_THROUGH`].

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{Filter, JobId, Queues, Record, Result, State};

/// How many jobs are looked through.
pub const LOOKED_THROUGH: usize = 5_000;

/// How many are read at once.
const PAGE: usize = 500;

/// In which order jobs are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Those that were queued last come first.
    #[default]
    Queued,
    /// Those whose last attempt took longest come first; those that never ran come last.
    Ran,
}

/// A search for jobs.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// The ledger's filter, with the highest number of jobs.
    pub filter: Filter,
    /// Only those whose last attempt failed with an error [like](error_pattern) this one.
    pub error: Option<String>,
    /// Only these, where there are any.
    pub ids: Vec<JobId>,
    /// In which order.
    pub order: Order,
}

impl From<Filter> for Search {
    fn from(filter: Filter) -> Self {
        Self { filter, ..Self::default() }
    }
}

impl Search {
    fn fits(&self, record: &Record) -> bool {
        let like = |pattern: &String| last_error(record).is_some_and(|error| error_pattern(error) == *pattern);
        self.filter.fits(record) && self.error.as_ref().is_none_or(like)
    }
}

fn last_error(record: &Record) -> Option<&str> {
    record.errors.last().map(|error| error.message.as_str())
}

/// Returns the common pattern of errors that differ in numbers and ids. Every word with a digit in it becomes `#`. So does a row of such
/// words between punctuation. The pattern is never empty. It neither begins nor ends with blanks, because forms and addresses lose those.
#[must_use]
pub fn error_pattern(error: &str) -> String {
    match error.trim() {
        "" => NO_TEXT.to_owned(),
        error => pattern(error),
    }
}

/// The pattern of errors without a text. Where an empty one is sent, all errors are meant.
const NO_TEXT: &str = "(no text)";

fn pattern(error: &str) -> String {
    let mut pattern = String::with_capacity(error.len());
    let mut word = String::new();
    // The text between a number and the next word. It is dropped when that word is a number too.
    let mut between: Option<String> = None;
    for c in error.chars().map(Some).chain([None]) {
        match c {
            Some(c) if c.is_alphanumeric() || c == '_' => word.push(c),
            _ => {
                if !word.is_empty() {
                    let number = word.chars().any(|c| c.is_ascii_digit());
                    match between.take() {
                        Some(joint) if number && joint.chars().count() == 1 && joint != " " => {}
                        Some(joint) => {
                            pattern.push_str(&joint);
                            pattern.push_str(if number { "#" } else { &word });
                        }
                        None => pattern.push_str(if number { "#" } else { &word }),
                    }
                    between = number.then(String::new);
                    word.clear();
                }
                match (&mut between, c) {
                    (Some(joint), Some(c)) => joint.push(c),
                    (None, Some(c)) => pattern.push(c),
                    (_, None) => {}
                }
            }
        }
    }
    pattern + &between.unwrap_or_default()
}

/// How long the last attempt took, or has taken so far.
fn ran(record: &Record, now: DateTime<Utc>) -> Option<TimeDelta> {
    let until = match record.state {
        State::Running => now,
        _ => record.finished_at?,
    };
    Some(until - record.started_at?)
}

/// Looks for jobs. At most the filter's limit are returned.
pub async fn search(queues: &Queues, search: &Search) -> Result<Vec<Record>> {
    let limit = search.filter.limit;
    if search.ids.is_empty() && search.error.is_none() && search.order == Order::Queued {
        return Ok(queues.ledger().list(&search.filter).await?);
    }
    let mut found =
        if search.ids.is_empty() { look_through(queues, search).await? } else { named(queues, search).await? };
    match search.order {
        Order::Queued => found.sort_by_key(|record| std::cmp::Reverse(record.id)),
        Order::Ran => {
            let now = queues.ledger().time().await?;
            found.sort_by_key(|record| std::cmp::Reverse((ran(record, now), record.id)));
        }
    }
    found.truncate(limit);
    Ok(found)
}

async fn named(queues: &Queues, search: &Search) -> Result<Vec<Record>> {
    let mut found = Vec::new();
    for id in search.ids.iter().take(LOOKED_THROUGH) {
        found.extend(queues.ledger().get(*id).await?.filter(|record| search.fits(record)));
    }
    Ok(found)
}

async fn look_through(queues: &Queues, search: &Search) -> Result<Vec<Record>> {
    let mut page = Filter { limit: PAGE, ..search.filter.clone() };
    let (mut found, mut looked) = (Vec::new(), 0);
    loop {
        let records = queues.ledger().list(&page).await?;
        let (read, last) = (records.len(), records.last().map(|record| record.id));
        found.extend(records.into_iter().filter(|record| search.fits(record)));
        looked += read;
        let enough = search.order == Order::Queued && found.len() >= search.filter.limit;
        if read < PAGE || looked >= LOOKED_THROUGH || enough {
            return Ok(found);
        }
        page.before = last;
    }
}

/// Dead jobs whose last errors are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadGroup {
    /// The pattern that the errors share: see [`error_pattern`].
    pub pattern: String,
    /// The last error of the newest; escaped.
    pub example: String,
    /// How many there are.
    pub count: usize,
    /// The times when the first and the last of them ended, UTC by the ledger's clock.
    pub ended: (DateTime<Utc>, DateTime<Utc>),
    /// The kinds of the jobs.
    pub names: Vec<String>,
}

/// Returns the newest dead jobs by their last errors, the largest group first; and how many were looked through, [`LOOKED_THROUGH`] at
/// the most.
pub async fn dead_groups(queues: &Queues) -> Result<(Vec<DeadGroup>, usize)> {
    let filter = Filter { states: vec![State::Dead], limit: LOOKED_THROUGH, ..Filter::default() };
    let dead = look_through(queues, &filter.into()).await?;
    let mut groups: HashMap<String, DeadGroup> = HashMap::new();
    for record in &dead {
        let Some(example) = last_error(record) else { continue };
        let pattern = error_pattern(example);
        let at = record.finished_at.unwrap_or(record.created_at);
        let group = groups.entry(pattern.clone()).or_insert_with(|| DeadGroup {
            pattern,
            example: example.to_owned(),
            count: 0,
            ended: (at, at),
            names: Vec::new(),
        });
        group.count += 1;
        group.ended = (group.ended.0.min(at), group.ended.1.max(at));
        if !group.names.contains(&record.name) {
            group.names.push(record.name.clone());
        }
    }
    let mut groups: Vec<DeadGroup> = groups.into_values().collect();
    groups.sort_by(|a, b| (b.count, b.ended.1).cmp(&(a.count, a.ended.1)).then_with(|| a.pattern.cmp(&b.pattern)));
    Ok((groups, dead.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_differ_in_numbers_and_ids_are_alike() {
        for (error, pattern) in [
            ("took longer than 600 s", "took longer than # s"),
            ("the worker host/7/01ARZ3NDEKTSV4RRFFQ69G5FAV vanished", "the worker host/# vanished"),
            ("connect to 127.0.0.1:5432 failed", "connect to # failed"),
            ("row 550e8400-e29b-41d4-a716-446655440000: no", "row #: no"),
            ("12 of 34", "# of #"),
            ("between 3 4", "between # #"),
            ("žluť 5 %.", "žluť # %."),
            ("no number", "no number"),
            ("", NO_TEXT),
            (" \t", NO_TEXT),
            (" 5 lines\n", "# lines"),
            ("(1), (2)", "(#), (#)"),
        ] {
            assert_eq!(error_pattern(error), pattern);
            assert_eq!(error_pattern(pattern), pattern, "a pattern is its own");
        }
    }
}
