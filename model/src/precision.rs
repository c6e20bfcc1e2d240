//! Precisions: the lengths of the buckets of a table in time.

use std::{fmt, str::FromStr};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::report::words;
use crate::{Span, UnknownWord};

words! {
    /// From the reports themselves to days. Each aggregated precision is made from the next finer one.
    Precision, "precision" {
        /// Reports as they came.
        Native = "native",
        /// Quarters of an hour.
        Quarterly = "quarterly",
        /// Hours.
        Hourly = "hourly",
        /// Days.
        Daily = "daily",
    }
}

impl Precision {
    /// The precisions that are aggregated, finest first: the order in which they are built.
    pub const AGGREGATED: &'static [Self] = &[Self::Quarterly, Self::Hourly, Self::Daily];

    /// The length of a bucket; native reports have none.
    #[must_use]
    pub fn width(self) -> TimeDelta {
        match self {
            Self::Native => TimeDelta::zero(),
            Self::Quarterly => TimeDelta::minutes(15),
            Self::Hourly => TimeDelta::hours(1),
            Self::Daily => TimeDelta::days(1),
        }
    }

    /// Returns the precision that it is aggregated from.
    #[must_use]
    pub fn finer(self) -> Option<Self> {
        match self {
            Self::Native => None,
            Self::Quarterly => Some(Self::Native),
            Self::Hourly => Some(Self::Quarterly),
            Self::Daily => Some(Self::Hourly),
        }
    }

    /// Returns the precision that is aggregated from it.
    #[must_use]
    pub fn coarser(self) -> Option<Self> {
        match self {
            Self::Native => Some(Self::Quarterly),
            Self::Quarterly => Some(Self::Hourly),
            Self::Hourly => Some(Self::Daily),
            Self::Daily => None,
        }
    }

    /// The aggregated precisions that this one rests on, itself included, finest first.
    #[must_use]
    pub fn built_on(self) -> &'static [Self] {
        match self {
            Self::Native => &[],
            Self::Quarterly => &Self::AGGREGATED[..1],
            Self::Hourly => &Self::AGGREGATED[..2],
            Self::Daily => Self::AGGREGATED,
        }
    }

    /// Returns the time from the end of a bucket to the start of its aggregation. It is the sum of the start delays of all precisions that
    /// it is built on (quarterly 180 s, hourly 10 s, daily 10 s). In it, probes have had time to report.
    #[must_use]
    pub fn delay(self) -> TimeDelta {
        TimeDelta::seconds(match self {
            Self::Native => 0,
            Self::Quarterly => 180,
            Self::Hourly => 190,
            Self::Daily => 200,
        })
    }

    /// The start of the bucket that `time` falls into.
    #[must_use]
    pub fn floor(self, time: DateTime<Utc>) -> DateTime<Utc> {
        floor(time, self.width())
    }

    /// The smallest span of whole buckets that covers `span`.
    #[must_use]
    pub fn cover(self, span: Span) -> Span {
        let finish = self.floor(span.finish);
        let finish = if finish < span.finish { finish + self.width() } else { finish };
        Span { start: self.floor(span.start), finish }
    }

    /// Up to where buckets are due to be aggregated at `now`: the end of the last bucket that ended at least
    /// [`Precision::delay`] ago.
    #[must_use]
    pub fn due_to(self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.floor(now - self.delay())
    }
}

/// `time` rounded down to a multiple of `step` since the Unix epoch (steps that divide a day: so also since midnight UTC).
/// Times before 1970 round down too. A `step` of zero leaves the time as it is.
#[must_use]
pub fn floor(time: DateTime<Utc>, step: TimeDelta) -> DateTime<Utc> {
    let step = step.num_seconds();
    if step == 0 {
        return time;
    }
    let seconds = time.timestamp();
    DateTime::from_timestamp(seconds - seconds.rem_euclid(step), 0).unwrap_or(time)
}
