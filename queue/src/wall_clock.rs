//! The machine's time of day, for leases, ticks and times in records.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};

/// Now, in UTC, by the machine's clock.
#[must_use]
pub fn machine_now() -> DateTime<Utc> {
    SystemTime::now().into()
}

/// Milliseconds since 1970 of a moment that a ledger stored.
pub(crate) fn moment(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or_default()
}

/// A span in milliseconds, as ledgers store it.
pub(crate) fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX / 4)
}

/// How far a ledger's clock is set off the real one. Zero but in tests of clocks that jump. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct ClockShift(Arc<AtomicI64>);

impl ClockShift {
    /// Sets the clock ahead (or back, when negative) of the real one.
    pub fn set_millis(&self, millis: i64) {
        self.0.store(millis, Ordering::SeqCst);
    }

    pub(crate) fn millis(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    /// The machine's time in milliseconds since 1970, shifted.
    #[cfg(feature = "sqlite")]
    pub(crate) fn machine_millis(&self) -> i64 {
        machine_now().timestamp_millis() + self.millis()
    }
}
