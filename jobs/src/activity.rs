//! Sums up this process' jobs in a line of the log a minute.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use crate::health::{Unfailing, spawn_forever};
use crate::metrics;

/// How often a line is written, where there is something to say.
const EVERY: Duration = Duration::from_secs(60);

/// How attempts ended since this process began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Jobs that were done, by kind.
    pub done: BTreeMap<&'static str, u64>,
    /// Attempts that failed, or were snoozed for an outage.
    pub failed: u64,
    /// Jobs that became dead.
    pub dead: u64,
}

impl Activity {
    /// Returns the activity of this process up to now.
    #[must_use]
    pub fn now() -> Self {
        let mut activity = Self::default();
        for (job, outcome, count) in metrics::attempts() {
            match outcome {
                "done" => *activity.done.entry(job).or_default() += count,
                "retry" | "snoozed" => activity.failed += count,
                "dead" => activity.dead += count,
                _ => {}
            }
        }
        activity
    }

    /// Returns the activity since an earlier moment. Kinds without a successful job are left out.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let before = |job| earlier.done.get(job).copied().unwrap_or(0);
        let done = self.done.iter().map(|(job, count)| (*job, count - before(job).min(*count)));
        Self {
            done: done.filter(|(_, count)| *count > 0).collect(),
            failed: self.failed.saturating_sub(earlier.failed),
            dead: self.dead.saturating_sub(earlier.dead),
        }
    }

    /// How many jobs were done.
    #[must_use]
    pub fn jobs(&self) -> u64 {
        self.done.values().sum()
    }

    /// Returns the successful jobs by kind: `2 aggregate, 21 cache-group`.
    fn words(&self) -> String {
        let kinds: Vec<String> = self.done.iter().map(|(job, count)| format!("{count} {job}")).collect();
        if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") }
    }
}

/// Logs once a minute the activity of this process, with the number of reports that it stored, until `stop` is cancelled. `reports` returns
/// the number of stored reports since the process began.
pub fn log_activity(reports: fn() -> u64, stop: &CancellationToken) -> JoinHandle<()> {
    let stopped = stop.clone();
    spawn_forever("summary of jobs", stop, move || {
        let stop = stopped.clone();
        async move {
            let mut ticks = interval_at(Instant::now() + EVERY, EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut before = (Activity::default(), 0);
            loop {
                tokio::select! {
                    _ = ticks.tick() => {}
                    () = stop.cancelled() => return Unfailing::Ok(()),
                }
                let now = (Activity::now(), reports());
                let Activity { failed, dead, .. } = now.0.since(&before.0);
                let (done, reports) = (now.0.since(&before.0), now.1 - before.1.min(now.1));
                if done.jobs() + failed + dead + reports > 0 {
                    let done = done.words();
                    tracing::info!(done, failed, dead, reports, "jobs of the last minute");
                }
                before = now;
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_since_is_told_by_kind() {
        let before = Activity { done: BTreeMap::from([("aggregate", 3), ("cache-group", 1)]), failed: 1, dead: 0 };
        let now = Activity { done: BTreeMap::from([("aggregate", 5), ("cache-group", 1)]), failed: 1, dead: 1 };
        let since = now.since(&before);
        assert_eq!((since.words(), since.jobs(), since.failed, since.dead), ("2 aggregate".to_owned(), 2, 0, 1));
        assert_eq!(before.since(&before).words(), "none");
    }
}
