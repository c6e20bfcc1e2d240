//! The queries of lists of jobs, parsed once for pages, JSON and actions.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Deserialize;
use sview_jobs::{Filter, JobId, Order, Search, State, error_pattern};
use sview_model::Queue;
use sview_views::admin::JobsFilter;
use utoipa::IntoParams;

use super::problem::Problem;

/// The most jobs in one answer.
const MOST: usize = 500;

/// The most ids that can be named.
const IDS: usize = 100;

/// A filter as it stands in an address. Empty is the same as missing.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct JobsQuery {
    /// States, joined by commas.
    pub(super) state: Option<String>,
    /// aggregation, quick-cache or slow-cache.
    pub(super) queue: Option<String>,
    /// The name of a kind of job.
    pub(super) job: Option<String>,
    /// A text in a job's words, in any case.
    pub(super) text: Option<String>,
    /// Queued at or after: a time, in UTC unless it says otherwise.
    pub(super) from: Option<String>,
    /// Queued before.
    pub(super) until: Option<String>,
    /// An id: only older ones.
    pub(super) before: Option<String>,
    /// How many, 1 to 500.
    pub(super) limit: Option<String>,
    /// queued: newest first, as without it. ran: the longest run time first, of the newest 5,000 that match; these come on one page.
    pub(super) sort: Option<String>,
    /// The pattern that the last error shares with others: numbers and ids in it are `#`.
    pub(super) error: Option<String>,
    /// Ids, joined by commas, 100 at the most: only these.
    pub(super) ids: Option<String>,
}

fn some(text: &Option<String>) -> Option<&str> {
    text.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

/// A moment as browsers' forms and programs write it; without an offset it is UTC.
fn moment(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc());
    }
    let formats = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%.f"];
    formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok()).map(|time| time.and_utc())
}

impl JobsQuery {
    /// Returns the search; `limit` is that of a page when none is asked for.
    pub(super) fn search(&self, limit: usize) -> Result<Search, Problem> {
        let order = match some(&self.sort) {
            None | Some("queued") => Order::Queued,
            Some("ran") if some(&self.before).is_some() => {
                return Err(Problem::expected("before goes with sort=queued only", "sort=ran without before"));
            }
            Some("ran") => Order::Ran,
            Some(_) => return Err(Problem::expected("There is no such order", "queued, ran")),
        };
        let ids = some(&self.ids).into_iter().flat_map(|text| text.split(',')).map(|id| id.trim().parse());
        let ids: Vec<JobId> = ids
            .collect::<Result<_, _>>()
            .map_err(|_| Problem::expected("ids has what is no id", "ids of jobs, joined by commas"))?;
        if ids.len() > IDS {
            return Err(Problem::expected("ids are too many", format!("at most {IDS}")));
        }
        Ok(Search { filter: self.filter(limit)?, error: some(&self.error).map(error_pattern), ids, order })
    }

    fn filter(&self, limit: usize) -> Result<Filter, Problem> {
        let time = |what: &str, text| match some(text) {
            None => Ok(None),
            Some(text) => moment(text).map(Some).ok_or_else(|| {
                Problem::expected(
                    format!("{what} is no time"),
                    "a time in UTC like 2026-03-15T12:34 or 2026-03-15T12:34:56Z",
                )
            }),
        };
        let mut states = Vec::new();
        for word in some(&self.state).into_iter().flat_map(|text| text.split(',')) {
            let known: Vec<_> = State::ALL.iter().map(|state| state.as_str()).collect();
            let state = word.trim().parse::<State>();
            states.push(state.map_err(|_| Problem::expected("There is no such state", known.join(", ")))?);
        }
        let queue = some(&self.queue).map(str::parse::<Queue>).transpose();
        let before = some(&self.before).map(str::parse).transpose();
        let asked = some(&self.limit).map(str::parse::<usize>).transpose();
        Ok(Filter {
            states,
            queue: queue.map_err(|error| Problem::expected("There is no such queue", error))?.map(Into::into),
            name: some(&self.job).map(str::to_owned),
            text: some(&self.text).map(str::to_owned),
            from: time("from", &self.from)?,
            until: time("until", &self.until)?,
            before: before.map_err(|_| Problem::expected("before is no id", "the id of a job"))?,
            limit: match asked {
                Ok(None) => limit,
                Ok(Some(asked @ 1..=MOST)) => asked,
                _ => return Err(Problem::expected("limit is out of its range", format!("1 to {MOST}"))),
            },
        })
    }

    /// The filter as it was typed, for the form.
    pub(super) fn typed(&self) -> JobsFilter {
        let text = |text| some(text).unwrap_or_default().to_owned();
        JobsFilter {
            state: text(&self.state),
            queue: text(&self.queue),
            job: text(&self.job),
            text: text(&self.text),
            from: text(&self.from),
            until: text(&self.until),
            error: text(&self.error),
            ids: text(&self.ids),
            sort: text(&self.sort),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_unless_they_say_otherwise() {
        let at = |text: &str| moment(text).map(|time| time.to_rfc3339());
        assert_eq!(at("2026-03-15T12:34").as_deref(), Some("2026-03-15T12:34:00+00:00"));
        assert_eq!(at("2026-03-15T12:34:56+02:00").as_deref(), Some("2026-03-15T10:34:56+00:00"));
        assert_eq!(at("yesterday"), None);
    }

    #[test]
    fn empty_fields_of_a_form_ask_for_nothing() {
        let empty = Some(String::new());
        let query = JobsQuery { state: empty.clone(), queue: empty.clone(), before: empty, ..Default::default() };
        let filter = query.filter(50).unwrap();
        assert!(filter.states.is_empty() && filter.queue.is_none() && filter.before.is_none() && filter.limit == 50);
        let query = JobsQuery { state: Some("dead, done".into()), limit: Some("500".into()), ..Default::default() };
        let filter = query.filter(50).unwrap();
        assert_eq!((filter.states, filter.limit), (vec![State::Dead, State::Done], MOST));
        for limit in ["0", "501", "-1", "many"] {
            assert!(JobsQuery { limit: Some(limit.into()), ..Default::default() }.filter(1).is_err(), "{limit}");
        }
        assert!(JobsQuery { state: Some("asleep".into()), ..Default::default() }.filter(1).is_err());
        assert!(JobsQuery { from: Some("soon".into()), ..Default::default() }.filter(1).is_err());
    }
}
