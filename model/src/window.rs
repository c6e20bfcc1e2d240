//! Spans of time and the windows in them. Everything is half-open, `[start, finish)`, and in UTC.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// A half-open span of time, `[start, finish)`, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// The first moment in it.
    pub start: DateTime<Utc>,
    /// The first moment after it.
    pub finish: DateTime<Utc>,
}

impl Span {
    /// The span `[start, finish)`.
    #[must_use]
    pub fn new(start: DateTime<Utc>, finish: DateTime<Utc>) -> Self {
        Self { start, finish }
    }

    /// Whether no moment is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start >= self.finish
    }

    /// Whether `time` is in it.
    #[must_use]
    pub fn contains(&self, time: DateTime<Utc>) -> bool {
        self.start <= time && time < self.finish
    }

    /// Whether a moment is in both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.start < other.finish && other.start < self.finish && !self.is_empty() && !other.is_empty()
    }

    /// Returns the span that is in both; empty when there is none.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        Self { start: self.start.max(other.start), finish: self.finish.min(other.finish) }
    }

    /// Its length; negative when finish precedes start.
    #[must_use]
    pub fn length(&self) -> TimeDelta {
        self.finish - self.start
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {})", label(self.start), label(self.finish))
    }
}

/// The windows of a time series: anchored at the span's start, all of the same width, all complete.
///
/// A last window that the span cuts off (only the lag does that) is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// The span that the windows cover.
    pub span: Span,
    /// The length of each.
    pub width: TimeDelta,
}

impl Windows {
    /// How many windows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        if self.span.is_empty() {
            return 0;
        }
        usize::try_from(self.span.length().num_seconds() / self.width.num_seconds()).unwrap_or(0)
    }

    /// Whether there is no window.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The window that `time` falls into, counted from 0; `None` outside all of them.
    #[must_use]
    pub fn index(&self, time: DateTime<Utc>) -> Option<usize> {
        if !self.span.contains(time) {
            return None;
        }
        let index = (time - self.span.start).num_seconds() / self.width.num_seconds();
        usize::try_from(index).ok().filter(|i| *i < self.len())
    }

    /// The windows, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = Span> + use<> {
        let Self { span, width } = *self;
        (0..self.len()).map(move |i| {
            let start = span.start + width * i32::try_from(i).unwrap_or(i32::MAX);
            Span { start, finish: start + width }
        })
    }

    /// The labels: each window's end, oldest first.
    pub fn ends(&self) -> impl Iterator<Item = DateTime<Utc>> + use<> {
        self.iter().map(|w| w.finish)
    }
}

/// How points are labelled: `YYYY-MM-DD HH:MM`, UTC.
pub const LABEL_FORMAT: &str = "%Y-%m-%d %H:%M";

/// A moment as a label, to the minute, UTC.
#[must_use]
pub fn label(time: DateTime<Utc>) -> String {
    time.format(LABEL_FORMAT).to_string()
}
