//! Figures of what ended lately: failure rate, run times, and how much was done hour by hour.

use std::time::Duration;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use sview_model::Queue;

use crate::{Ended, State};

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
    /// How many died.
    pub dead: u64,
}

/// Figures of a queue over the last 24 hours, as far as records are kept.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Which queue.
    pub queue: Queue,
    /// How many ended well.
    pub done: u64,
    /// How many died.
    pub dead: u64,
    /// How long those took that ran to an end, good or bad.
    pub run_times: Option<RunTimes>,
    /// Hour by hour, oldest first: 24 whole hours and the one under way.
    pub hours: Vec<HourlyEnds>,
}

impl Figures {
    /// What was [ended](crate::Inspect::ended) since this moment is needed.
    #[must_use]
    pub fn since(now: DateTime<Utc>) -> DateTime<Utc> {
        hour_of(now) - TimeDelta::hours(24)
    }

    /// The figures of a queue.
    #[must_use]
    pub fn of(queue: Queue, ended: &[Ended], now: DateTime<Utc>) -> Self {
        let first = Self::since(now);
        let mut hours: Vec<HourlyEnds> =
            (1..=25).map(|hour| HourlyEnds { end: first + TimeDelta::hours(hour), done: 0, dead: 0 }).collect();
        let (mut done, mut dead, mut runs) = (0, 0, Vec::new());
        for job in ended.iter().filter(|job| job.queue == queue && job.finished_at >= first) {
            let hour = usize::try_from((job.finished_at - first).num_hours()).ok().and_then(|hour| hours.get_mut(hour));
            let counted = match job.state {
                State::Done => {
                    done += 1;
                    hour.map(|hour| &mut hour.done)
                }
                State::Dead => {
                    dead += 1;
                    hour.map(|hour| &mut hour.dead)
                }
                _ => continue,
            };
            if let Some(counted) = counted {
                *counted += 1;
            }
            runs.extend(job.ran);
        }
        Self { queue, done, dead, run_times: RunTimes::of(runs), hours }
    }

    /// Which part of what ended has died, from 0 to 1; `None` when nothing ended.
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
        let now = "2026-03-15T12:34:56Z".parse::<DateTime<Utc>>().unwrap();
        let ended = |queue, state, minutes| Ended {
            queue,
            name: "n".into(),
            state,
            finished_at: now - TimeDelta::minutes(minutes),
            ran: Some(Duration::from_secs(1)),
        };
        let all = [
            ended(Queue::QuickCache, State::Done, 1),
            ended(Queue::QuickCache, State::Dead, 60),
            ended(Queue::QuickCache, State::Cancelled, 60),
            ended(Queue::SlowCache, State::Done, 60),
            ended(Queue::QuickCache, State::Done, 25 * 60),
        ];
        let figures = Figures::of(Queue::QuickCache, &all, now);
        assert_eq!((figures.done, figures.dead, figures.failure_rate()), (1, 1, Some(0.5)));
        assert_eq!(figures.hours.len(), 25);
        let last: Vec<_> = figures.hours[23..].iter().map(|h| (h.done, h.dead)).collect();
        assert_eq!(last, [(0, 1), (1, 0)]);
        assert_eq!(Figures::of(Queue::Aggregation, &all, now).failure_rate(), None);
    }
}
