//! Finds out from the ledger alone whether a due value will be refreshed: pages have no time to ask the database.

use chrono::{DateTime, Utc};
use sview_model::Request;

use super::decide::{HOLD_OFF, failed_lately};
use super::suggestion::Work;
use crate::KeyStatus;
use crate::job::{Aggregate, Job as _};

/// Whether a newer value of a request is on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outlook {
    /// Nothing is under way, and nothing failed lately.
    #[default]
    Idle,
    /// The job that computes it is queued, scheduled or running, or an aggregation is that it waits for.
    UnderWay,
    /// The job that computes it, or an aggregation that it waits for, is a dead job. Times are UTC, by the ledger's clock.
    Failed {
        /// The time when the job became dead.
        at: DateTime<Utc>,
        /// The time when it is queued again.
        again: DateTime<Utc>,
    },
}

impl Outlook {
    /// The unique keys of the jobs that it depends on: first the one that computes the value, then the aggregations which that waits for.
    pub fn keys(request: &Request) -> impl Iterator<Item = String> {
        let caching = Work::caching(request).key();
        // A resource on demand waits for no aggregation.
        let built_on = if request.resource().precached() { request.period().scale().source.built_on() } else { &[] };
        let kind = request.resource().kind;
        std::iter::once(caching)
            .chain(built_on.iter().map(move |precision| Aggregate { kind, precision: *precision }.key()))
    }

    /// Returns the outlook of a request; `standing` returns the status of a key's jobs, and `now` is the machine's time.
    pub fn of(request: &Request, standing: impl Fn(&str) -> KeyStatus, now: DateTime<Utc>) -> Self {
        let standings: Vec<KeyStatus> = Self::keys(request).map(|key| standing(&key)).collect();
        let is_under_way = |standing: &KeyStatus| standing.under_way.is_some();
        if standings.first().is_some_and(is_under_way) {
            return Self::UnderWay;
        }
        let stuck = standings.iter().filter(|standing| !is_under_way(standing));
        match stuck.filter_map(|standing| failed_lately(*standing, now)).max() {
            Some(at) => Self::Failed { at, again: at + HOLD_OFF },
            None if standings.iter().any(is_under_way) => Self::UnderWay,
            None => Self::Idle,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use sview_model::Period;

    use super::*;
    use crate::{JobId, State};

    const CACHING: &str = "cache-group:incidents:1d";
    const AGGREGATION: &str = "aggregate:incidents:quarterly";

    fn outlook(known: &[(&str, KeyStatus)]) -> Outlook {
        let now = DateTime::from_timestamp(1_773_000_000, 0).unwrap();
        let request = Request::plain("all_incidents_graph".parse().unwrap(), Period::Day).unwrap();
        Outlook::of(&request, |key| known.iter().find(|(k, _)| *k == key).map(|(_, s)| *s).unwrap_or_default(), now)
    }

    fn dead(minutes_ago: i64) -> KeyStatus {
        let now = DateTime::from_timestamp(1_773_000_000, 0).unwrap();
        KeyStatus { under_way: None, failed_at: Some(now - TimeDelta::minutes(minutes_ago)) }
    }

    fn queued() -> KeyStatus {
        KeyStatus { under_way: Some((JobId::default(), State::Queued)), failed_at: None }
    }

    #[test]
    fn a_dead_job_or_aggregation_is_no_refresh() {
        let failed = |ago: i64| match dead(ago).failed_at {
            Some(at) => Outlook::Failed { at, again: at + HOLD_OFF },
            None => Outlook::Idle,
        };
        assert_eq!(outlook(&[]), Outlook::Idle);
        assert_eq!(outlook(&[(CACHING, queued()), (AGGREGATION, dead(1))]), Outlook::UnderWay);
        assert_eq!(outlook(&[(AGGREGATION, queued())]), Outlook::UnderWay);
        assert_eq!(outlook(&[(CACHING, dead(3))]), failed(3));
        assert_eq!(outlook(&[(AGGREGATION, dead(3))]), failed(3));
        assert_eq!(outlook(&[(CACHING, dead(3)), (AGGREGATION, queued())]), failed(3));
        assert_eq!(outlook(&[(CACHING, dead(11))]), Outlook::Idle, "it is queued again by then");
    }
}
