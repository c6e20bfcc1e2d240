//! How a storage behaves.

use std::time::Duration;

use rand::RngExt as _;

/// How long a failed job waits for its next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// After the first failure.
    pub first: Duration,
    /// How much longer after each further one.
    pub factor: u32,
    /// The longest wait.
    pub max: Duration,
}

impl Backoff {
    /// 2, 6, 18, 54 seconds, up to 5 minutes.
    pub const DEFAULT: Self = Self { first: Duration::from_secs(2), factor: 3, max: Duration::from_secs(300) };

    /// For what this program cannot read: a newer one, which is being rolled out beside it, may; that takes minutes.
    pub const UNREADABLE: Self = Self { first: Duration::from_secs(10), factor: 3, max: Duration::from_secs(300) };

    /// Returns the wait after so many failed attempts, with up to a quarter more by chance. So jobs that failed together do not come back
    /// together.
    #[must_use]
    pub fn after(&self, attempts: u32) -> Duration {
        let factor = self.factor.saturating_pow(attempts.saturating_sub(1));
        let wait = self.first.saturating_mul(factor).min(self.max);
        wait + wait.mul_f64(rand::rng().random_range(0.0..0.25))
    }
}

/// How a storage and its workers behave.
#[derive(Clone, Debug)]
pub struct StorageConfig {
    /// The kind of job that a push has which does not [say otherwise](crate::JobMeta). Default `job`.
    pub name: String,
    /// How many attempts a job has whose push does not say otherwise. Default 5.
    pub max_attempts: u32,
    /// How long a failed job waits. Default [`Backoff::DEFAULT`].
    pub backoff: Backoff,
    /// How long a job waits that this program cannot read. Default [`Backoff::UNREADABLE`].
    pub unreadable: Backoff,
    /// How long a job is leased; renewed every third of it. A vanished worker's job is another's after about two of these.
    /// Default 20 s.
    pub lease: Duration,
    /// How often an idle worker looks for a job, besides being woken. Default 1 s.
    pub poll: Duration,
    /// The time between two announcements of a worker, which also looks for vanished ones. Default 5 s.
    pub care: Duration,
    /// How many jobs all workers of a [group](crate::Group) run at once. `None` (the default): as many as their services take, which
    /// apalis' `.concurrency()` limits.
    pub slots: Option<usize>,
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self {
            name: "job".to_owned(),
            max_attempts: 5,
            backoff: Backoff::DEFAULT,
            unreadable: Backoff::UNREADABLE,
            lease: Duration::from_secs(20),
            poll: Duration::from_secs(1),
            care: Duration::from_secs(5),
            slots: None,
        }
    }
}

/// Keeps what apalis-redis' configuration says and means the same here: the limit of silence is the lease.
#[cfg(feature = "redis")]
impl From<&apalis_redis::Config> for StorageConfig {
    fn from(config: &apalis_redis::Config) -> Self {
        let missed = u32::try_from(config.missed_heartbeats.max(1)).unwrap_or(u32::MAX);
        Self {
            lease: config.heartbeat_interval.saturating_mul(missed),
            care: config.heartbeat_interval,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_vary_by_a_quarter() {
        let backoff = Backoff { first: Duration::from_secs(2), factor: 3, max: Duration::from_secs(60) };
        for (attempts, least) in [(1, 2), (2, 6), (3, 18), (4, 54), (5, 60), (99, 60)] {
            let (wait, least) = (backoff.after(attempts), Duration::from_secs(least));
            assert!(wait >= least && wait <= least.mul_f64(1.25), "{attempts}: {wait:?}");
        }
    }
}
