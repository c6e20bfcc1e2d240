//! The time that tests wait: a limit that grows with the load of the machine. So a busy machine makes a test slow and never red.

use std::time::{Duration, Instant};

/// The time that a test waits for a condition on an idle machine.
const BASE: Duration = Duration::from_secs(60);

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// How many times slower than an idle machine this one is: the processes that want to run for each core, at least 1.
///
/// Reads `/proc/loadavg`: the larger of the average of the last minute and the number of runnable tasks right now.
#[must_use]
pub fn slowness() -> u32 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let mut fields = text.split(' ');
    let average = fields.next().and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    let runnable = fields.nth(2).and_then(|field| field.split('/').next()?.parse::<f64>().ok()).unwrap_or(0.0);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // rounded, and between 1 and 1,000
    let times = (average.max(runnable) / cores as f64).ceil().clamp(1.0, 1_000.0) as u32;
    times
}

/// A time that is enough on an idle machine, made long enough for this one as it is now. For waits that take their limit in advance.
#[must_use]
pub fn limit(idle: Duration) -> Duration {
    idle * slowness()
}

/// A wait that has begun.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    begun: Instant,
    idle: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self::of(BASE)
    }
}

impl Patience {
    /// Begins a wait that is to take less than this on an idle machine.
    #[must_use]
    pub fn of(idle: Duration) -> Self {
        Self { begun: Instant::now(), idle }
    }

    /// Whether it took too long, for a machine as loaded as this one is now.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.begun.elapsed() > limit(self.idle)
    }

    /// Waits a moment before the next look, on an async thread.
    ///
    /// # Panics
    /// When the wait is over: `missing` says what never came.
    pub async fn look_again(&self, missing: impl FnOnce() -> String) {
        assert!(!self.is_over(), "waited {:?}: {}", self.begun.elapsed(), missing());
        tokio::time::sleep(LOOK).await;
    }

    /// Waits a moment before the next look, on a thread that may block.
    ///
    /// # Panics
    /// When the wait is over: `missing` says what never came.
    pub fn look_again_blocking(&self, missing: impl FnOnce() -> String) {
        assert!(!self.is_over(), "waited {:?}: {}", self.begun.elapsed(), missing());
        std::thread::sleep(LOOK);
    }
}
