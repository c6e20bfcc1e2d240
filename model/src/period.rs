//! Periods: how far back a page looks, and in what steps.

use std::{fmt, str::FromStr, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::precision::floor;
use crate::report::words;
use crate::{Precision, Queue, Span, UnknownWord, Windows};

words! {
    /// The seven time scales of every statistics page.
    Period, "period" {
        /// The last hour, by minutes, from native reports.
        Hour = "1h",
        /// Six hours, by quarters.
        SixHours = "6h",
        /// A day, by half hours.
        Day = "1d",
        /// Seven days, by three hours. The default.
        Week = "1w",
        /// Thirty days, by days.
        Month = "1m",
        /// Ninety days, by two days.
        ThreeMonths = "3m",
        /// 378 days, by fourteen days.
        Year = "1y",
    }
}

/// The meaning of a period. One row of the table of periods.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// The word on its button.
    pub label: &'static str,
    /// How far back it looks.
    pub range: TimeDelta,
    /// The length of one window: the distance between two points.
    pub window: TimeDelta,
    /// Its refresh interval: start and finish are rounded down to it.
    pub refresh: TimeDelta,
    /// The precision of the rows that it reads.
    pub source: Precision,
    /// How long a value is kept in the cache.
    pub ttl: Duration,
    /// How long a browser may keep a value.
    pub browser_ttl: Duration,
    /// The queue of its caching jobs.
    pub queue: Queue,
    /// How long its caching waits after the aggregations that it is built on.
    pub start_delay: TimeDelta,
}

#[allow(clippy::derivable_impls)] // the macro that declares the words has no place for #[default]
impl Default for Period {
    fn default() -> Self {
        Self::Week
    }
}

impl Period {
    /// The period's row in the table of periods.
    #[must_use]
    pub fn scale(self) -> Scale {
        use TimeDelta as T;
        const fn mins(n: u64) -> Duration {
            Duration::from_secs(n * 60)
        }
        let row = |label, range, window, refresh, source, ttl, browser_ttl, queue, delay| Scale {
            label,
            range,
            window,
            refresh,
            source,
            ttl,
            browser_ttl,
            queue,
            start_delay: T::seconds(delay),
        };
        let (quick, slow) = (Queue::QuickCache, Queue::SlowCache);
        let (native, quarterly, hourly, daily) =
            (Precision::Native, Precision::Quarterly, Precision::Hourly, Precision::Daily);
        #[rustfmt::skip]
        let scale = match self {
            //                          label       range          window          refresh         source     ttl             browser   queue  delay
            Self::Hour        => row("Hour",     T::hours(1),   T::minutes(1),  T::minutes(1),  native,    mins(5),        Duration::from_secs(30), quick, 0),
            Self::SixHours    => row("6 Hours",  T::hours(6),   T::minutes(15), T::minutes(15), quarterly, mins(25),       mins(2),  quick, 5),
            Self::Day         => row("Day",      T::days(1),    T::minutes(30), T::minutes(30), quarterly, mins(50),       mins(5),  quick, 5),
            Self::Week        => row("Week",     T::days(7),    T::hours(3),    T::hours(3),    hourly,    mins(4 * 60),   mins(5),  slow,  5),
            Self::Month       => row("Month",    T::days(30),   T::days(1),     T::days(1),     daily,     mins(25 * 60),  mins(5),  slow,  5),
            Self::ThreeMonths => row("3 Months", T::days(90),   T::days(2),     T::days(1),     daily,     mins(25 * 60),  mins(5),  slow,  5),
            Self::Year        => row("Year",     T::days(378),  T::days(14),    T::days(1),     daily,     mins(25 * 60),  mins(5),  slow,  5),
        };
        scale
    }

    /// The span that the period shows at `now`: from `now - range` to `now`, both rounded down to the refresh interval.
    #[must_use]
    pub fn span(self, now: DateTime<Utc>) -> Span {
        let scale = self.scale();
        Span { start: floor(now - scale.range, scale.refresh), finish: floor(now, scale.refresh) }
    }

    /// The windows of the period at `now`; `lag` leaves out those that begin in the last [`LAG`].
    #[must_use]
    pub fn windows(self, now: DateTime<Utc>, lagged: bool) -> Windows {
        let mut span = self.span(now);
        if lagged && self.scale().source == Precision::Native {
            span.finish -= LAG;
        }
        Windows { span, width: self.scale().window }
    }

    /// Returns the finish that a value computed at `now` should have by schedule. First the refresh interval rolls over. Then the
    /// aggregations that the period is built on get their start delays, and then the period its own.
    #[must_use]
    pub fn due_finish(self, now: DateTime<Utc>) -> DateTime<Utc> {
        let scale = self.scale();
        floor(now - scale.source.delay() - scale.start_delay, scale.refresh)
    }

    /// Returns when the value after the one that finishes at `finish` becomes due.
    #[must_use]
    pub fn next_due(self, finish: DateTime<Utc>) -> DateTime<Utc> {
        let scale = self.scale();
        finish + scale.refresh + scale.source.delay() + scale.start_delay
    }
}

/// Probes report late: time series over native incidents and passwords leave out the last five minutes.
pub const LAG: TimeDelta = TimeDelta::minutes(5);
