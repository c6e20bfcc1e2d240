//! The one source of "now". Nothing else in sview asks the machine for the time of day.

use chrono::{DateTime, SubsecRound, Utc};

/// Gives the current time in UTC; either the machine's, or one frozen moment.
///
/// A frozen clock (`SVIEW_NOW`) makes every window, label and due time repeatable. It says nothing about durations: leases
/// and time limits are measured with monotonic clocks, so they go on even when "now" stands still.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// Always this moment.
    Frozen(DateTime<Utc>),
}

impl Clock {
    /// Returns the time in UTC, to the microsecond (as exact as the stores).
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            #[allow(clippy::disallowed_methods)] // the one place that may
            Self::System => Utc::now().trunc_subsecs(6),
            Self::Frozen(at) => *at,
        }
    }

    /// Whether "now" stands still.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        matches!(self, Self::Frozen(_))
    }
}
