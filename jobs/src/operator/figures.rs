//! Figures of jobs that ended lately: failure rate, run times, and how much was done hour by hour.

use std::time::Duration;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};

use crate::{Ended, HourCount, QueueName, Queues, Result, State};

/// How long the last attempts took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunTimes {
    /// Half of them took no longer.
    pub p50: Duration,
    /// 95 of 100 took no longer.
    pub p95: Duration,
    /// 99 of 100 took no longer.
    pub p99: Duration,
}

impl RunTimes {
    /// The percentiles by nearest rank; `None` without any run.
    #[must_use]
    pub fn of(mut runs: Vec<Duration>) -> Option<Self> {
        if runs.is_empty() {
            return None;
        }
        runs.sort_unstable();
        let rank = |percent: usize| runs[(runs.len() * percent).div_ceil(100).max(1) - 1];
        Some(Self { p50: rank(50), p95: rank(95), p99: rank(99) })
    }
}

/// How many jobs ended in an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HourlyEnds {
    /// The end of the hour, UTC; the last one is the end of the hour that is under way.
    pub end: DateTime<Utc>,
    /// How many ended well.
    pub done: u64,
    /// The number of jobs that became dead.
    pub dead: u64,
}

/// Figures of a queue over the last 24 hours.
#[derive(Clone, Debug)]
pub struct Figures {
    /// The queue that was counted.
    pub queue: QueueName,
    /// How many ended well.
    pub done: u64,
    /// The number of jobs that became dead.
    pub dead: u64,
    /// The run times of the last attempts of the [`RUNS`] jobs that were done or dead last.
    pub run_times: Option<RunTimes>,
    /// Hour by hour, oldest first: 24 whole hours and the one under way.
    pub hours: Vec<HourlyEnds>,
}

/// The number of jobs with run times; the records of more may be purged.
pub const RUNS: usize = 2_000;

impl Figures {
    /// The figures of every queue, most urgent first.
    pub async fn gather(queues: &Queues) -> Result<Vec<Self>> {
        let now = queues.ledger().time().await?;
        let first = hour_of(now) - TimeDelta::hours(24);
        let (hours, ended) = (queues.ledger().ended_hourly(first).await?, queues.ledger().ended(first, RUNS).await?);
        Ok(queues.ledger().queues().iter().map(|queue| Self::of(*queue, &hours, &ended, first)).collect())
    }

    /// The figures of a queue, from what ended from a whole hour on; `ended` newest first.
    fn of(queue: QueueName, counts: &[HourCount], ended: &[Ended], first: DateTime<Utc>) -> Self {
        let mut hours: Vec<HourlyEnds> =
            (1..=25).map(|hour| HourlyEnds { end: first + TimeDelta::hours(hour), done: 0, dead: 0 }).collect();
        for count in counts.iter().filter(|count| count.queue == queue) {
            let hour = usize::try_from((count.start - first).num_hours()).ok().and_then(|hour| hours.get_mut(hour));
            match (hour, count.state) {
                (Some(hour), State::Done) => hour.done += count.count,
                (Some(hour), State::Dead) => hour.dead += count.count,
                _ => {}
            }
        }
        let ran = ended.iter().filter(|job| job.queue == queue && [State::Done, State::Dead].contains(&job.state));
        Self {
            queue,
            done: hours.iter().map(|hour| hour.done).sum(),
            dead: hours.iter().map(|hour| hour.dead).sum(),
            run_times: RunTimes::of(ran.take(RUNS).filter_map(|job| job.ran).collect()),
            hours,
        }
    }

    /// Returns the share of dead jobs among those that ended, from 0 to 1; `None` when nothing ended.
    #[must_use]
    pub fn failure_rate(&self) -> Option<f64> {
        let all = self.done + self.dead;
        (all > 0).then(|| self.dead as f64 / all as f64)
    }
}

fn hour_of(time: DateTime<Utc>) -> DateTime<Utc> {
    time.duration_trunc(TimeDelta::hours(1)).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use sview_model::Queue;

    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let millis = |n: u64| Duration::from_millis(n);
        let times = RunTimes::of((1..=100).rev().map(millis).collect()).unwrap();
        assert_eq!(times, RunTimes { p50: millis(50), p95: millis(95), p99: millis(99) });
        let one = RunTimes::of(vec![millis(7)]).unwrap();
        assert_eq!((one.p50, one.p99), (millis(7), millis(7)));
        assert_eq!(RunTimes::of(Vec::new()), None);
    }

    #[test]
    fn ends_are_counted_by_queue_hour_and_state() {
        let first = "2026-03-14T12:00:00Z".parse::<DateTime<Utc>>().unwrap();
        let count = |hour, queue: Queue, state, count| HourCount {
            start: first + TimeDelta::hours(hour),
            queue: queue.into(),
            state,
            count,
        };
        let counts = [
            count(24, Queue::QuickCache, State::Done, 9_000),
            count(23, Queue::QuickCache, State::Dead, 1_000),
            count(23, Queue::QuickCache, State::Cancelled, 5),
            count(23, Queue::SlowCache, State::Done, 7),
            count(25, Queue::QuickCache, State::Done, 1),
            count(-1, Queue::QuickCache, State::Done, 1),
        ];
        let figures = Figures::of(Queue::QuickCache.into(), &counts, &[], first);
        assert_eq!((figures.done, figures.dead, figures.failure_rate()), (9_000, 1_000, Some(0.1)));
        assert_eq!(figures.hours.len(), 25);
        let last: Vec<_> = figures.hours[23..].iter().map(|h| (h.done, h.dead)).collect();
        assert_eq!(last, [(0, 1_000), (9_000, 0)]);
        assert_eq!(Figures::of(Queue::Aggregation.into(), &counts, &[], first).failure_rate(), None);
    }

    #[test]
    fn run_times_are_those_of_the_last_jobs_that_ran_to_an_end() {
        let first = "2026-03-14T12:00:00Z".parse::<DateTime<Utc>>().unwrap();
        let ended = |state, seconds| Ended {
            queue: Queue::QuickCache.into(),
            name: "n".into(),
            state,
            finished_at: first,
            ran: Some(Duration::from_secs(seconds)),
        };
        let mut all = vec![ended(State::Cancelled, 99)];
        all.extend((0..RUNS).map(|n| ended(if n % 2 == 0 { State::Dead } else { State::Done }, 1)));
        all.extend((0..RUNS).map(|_| ended(State::Done, 50)));
        let times = Figures::of(Queue::QuickCache.into(), &[], &all, first).run_times.unwrap();
        assert_eq!(times.p99, Duration::from_secs(1));
        assert_eq!(Figures::of(Queue::SlowCache.into(), &[], &all, first).run_times, None);
    }
}
