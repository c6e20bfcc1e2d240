//! The three queues of jobs.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::UnknownWord;
use crate::report::words;

words! {
    /// The queues of jobs, most urgent first.
    Queue, "queue" {
        /// Aggregations: about a minute each.
        Aggregation = "aggregation",
        /// Caching of short periods: up to five minutes each.
        QuickCache = "quick-cache",
        /// Caching of long periods: may take long, and must never hold up the others.
        SlowCache = "slow-cache",
    }
}

impl AsRef<str> for Queue {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl From<Queue> for &'static str {
    fn from(queue: Queue) -> Self {
        queue.as_str()
    }
}

impl Queue {
    /// The longest that a job of this queue may run.
    #[must_use]
    pub const fn time_limit(self) -> Duration {
        match self {
            Self::Aggregation | Self::QuickCache => Duration::from_secs(10 * 60),
            Self::SlowCache => Duration::from_secs(2 * 60 * 60),
        }
    }
}
