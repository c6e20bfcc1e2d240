//! The run times of attempts, by kind of job and hour. Ledgers count them in buckets that grow with the time. So the stored size is bounded
//! for any number of attempts, and percentiles are right to an eighth.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};

use crate::{Ledger, Result};

/// Into so many buckets every doubling of the time is divided.
const PARTS: u64 = 8;

/// The number of the highest bucket: it holds all times from 15 · 2^28 ms, 46 days, on.
const LAST_BUCKET: u16 = 239;

/// How an attempt ended.
#[cfg(feature = "sqlite")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    /// The attempt succeeded.
    Done,
    /// By a failure, whether another attempt follows or not.
    Failed,
}

/// Returns the bucket of a time in milliseconds. The ledger's Lua does the same.
#[cfg(any(test, feature = "sqlite"))]
pub(crate) fn bucket(millis: u64) -> u16 {
    if millis < PARTS {
        return u16::try_from(millis).unwrap_or(LAST_BUCKET);
    }
    let doublings = u64::from(millis.ilog2());
    let part = (millis >> (doublings - 3)) - PARTS;
    u16::try_from(PARTS * (doublings - 2) + part).unwrap_or(LAST_BUCKET).min(LAST_BUCKET)
}

/// Returns the longest time of a bucket.
fn longest_of(bucket: u16) -> Duration {
    let bucket = u64::from(bucket.min(LAST_BUCKET));
    let millis = match bucket / PARTS {
        0 => bucket,
        doublings => ((PARTS + bucket % PARTS + 1) << (doublings - 1)) - 1,
    };
    Duration::from_millis(millis)
}

/// The attempts of a kind of job that ended in an hour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunHour {
    /// The hour's start, UTC.
    pub start: DateTime<Utc>,
    /// The kind of job.
    pub name: String,
    /// How many ended well.
    pub done: u64,
    /// How many failed. Those of workers that vanished count as well.
    pub failed: u64,
    /// The longest time that one took.
    pub max: Duration,
    /// How many took how long, by bucket.
    pub(crate) buckets: BTreeMap<u16, u64>,
}

/// Attempts of a kind of job in an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HourOfRuns {
    /// The end of the hour, UTC; the last one is the end of the hour that is under way.
    pub end: DateTime<Utc>,
    /// How many ended well.
    pub done: u64,
    /// How many failed.
    pub failed: u64,
}

/// Attempts of a kind of job in the last 24 hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindOfRuns {
    /// The kind of job.
    pub name: String,
    /// How many ended well.
    pub done: u64,
    /// How many failed.
    pub failed: u64,
    /// Half of them took no longer, to an eighth; `None` where the time of none is known.
    pub p50: Option<Duration>,
    /// 95 of 100 took no longer, to an eighth.
    pub p95: Option<Duration>,
    /// The longest run time.
    pub max: Option<Duration>,
    /// Hour by hour, oldest first: 24 whole hours and the one under way.
    pub hours: Vec<HourOfRuns>,
}

/// Returns the attempts of every kind of job in the last 24 hours, by name.
pub async fn kinds_of_runs(ledger: &dyn Ledger) -> Result<Vec<KindOfRuns>> {
    let now = ledger.time().await?;
    let first = now.duration_trunc(TimeDelta::hours(1)).unwrap_or(now) - TimeDelta::hours(24);
    Ok(of_kinds(&ledger.run_hours(first).await?, first))
}

/// The attempts of every kind from a whole hour on.
fn of_kinds(all: &[RunHour], first: DateTime<Utc>) -> Vec<KindOfRuns> {
    let mut kinds: BTreeMap<&str, Vec<&RunHour>> = BTreeMap::new();
    for hour in all {
        kinds.entry(&hour.name).or_default().push(hour);
    }
    kinds.into_iter().map(|(name, hours)| of_kind(name, &hours, first)).collect()
}

fn of_kind(name: &str, all: &[&RunHour], first: DateTime<Utc>) -> KindOfRuns {
    let empty = |hour| HourOfRuns { end: first + TimeDelta::hours(hour), done: 0, failed: 0 };
    let mut hours: Vec<HourOfRuns> = (1..=25).map(empty).collect();
    let mut buckets: BTreeMap<u16, u64> = BTreeMap::new();
    let mut max = Duration::ZERO;
    for of in all {
        let hour = usize::try_from((of.start - first).num_hours()).ok().and_then(|hour| hours.get_mut(hour));
        let Some(hour) = hour else { continue };
        hour.done += of.done;
        hour.failed += of.failed;
        max = max.max(of.max);
        for (bucket, count) in &of.buckets {
            *buckets.entry(*bucket).or_default() += count;
        }
    }
    let runs: u64 = buckets.values().sum();
    let rank = |percent: u64| {
        let rank = (runs * percent).div_ceil(100);
        let mut seen = 0;
        let found = buckets.iter().find(|(_, count)| {
            seen += **count;
            seen >= rank
        });
        found.filter(|_| runs > 0).map(|(bucket, _)| longest_of(*bucket).min(max))
    };
    KindOfRuns {
        name: name.to_owned(),
        done: hours.iter().map(|hour| hour.done).sum(),
        failed: hours.iter().map(|hour| hour.failed).sum(),
        p50: rank(50),
        p95: rank(95),
        max: (runs > 0).then_some(max),
        hours,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_times_that_differ_by_an_eighth_at_most() {
        for millis in (0..100_000).chain([7_200_000, (1 << 31) - 1]) {
            let longest = u64::try_from(longest_of(bucket(millis)).as_millis()).unwrap();
            assert!(longest >= millis && longest - millis <= millis / 8, "{millis}: {longest}");
            assert_eq!(bucket(longest), bucket(millis), "{millis}");
            assert!(bucket(longest + 1) == bucket(millis) + 1, "{millis}");
        }
        assert_eq!([bucket(1 << 31), bucket((1 << 32) - 1), bucket(u64::MAX)], [232, 239, LAST_BUCKET]);
    }

    #[test]
    fn percentiles_and_hours_are_of_a_day() {
        let first = "2026-03-14T12:00:00Z".parse::<DateTime<Utc>>().unwrap();
        let hour = |hours, name: &str, times: &[u64], failed| {
            let mut buckets = BTreeMap::new();
            times.iter().for_each(|millis| *buckets.entry(bucket(*millis)).or_default() += 1);
            let max = Duration::from_millis(times.iter().copied().max().unwrap_or(0));
            let done = times.len() as u64 - failed;
            RunHour { start: first + TimeDelta::hours(hours), name: name.to_owned(), done, failed, max, buckets }
        };
        let all = [
            hour(0, "a", &[1_000; 90], 3),
            hour(24, "a", &[2_000, 2_000, 2_000, 2_000, 2_000, 9_000, 9_000, 9_000, 9_000, 10_000], 0),
            hour(25, "a", &[99_000], 0),
            hour(3, "b", &[], 0),
        ];
        let [a, b] = &of_kinds(&all, first)[..] else { panic!("two kinds") };
        assert_eq!((a.name.as_str(), a.done, a.failed), ("a", 97, 3));
        let millis = |span: Option<Duration>| span.unwrap().as_millis();
        assert!((1_000..1_125).contains(&millis(a.p50)) && (2_000..2_250).contains(&millis(a.p95)), "{a:?}");
        assert_eq!((millis(a.max), a.hours.len(), a.hours[24].done), (10_000, 25, 10));
        assert_eq!((b.p50, b.max), (None, None));
    }
}
