//! Simulated reports for the demonstration: thirteen months of them, and a trickle that goes on.
//!
//! The world is a function of a seed and of now, random but repeatable. Nothing in it is real: addresses are of ranges that nobody has (see
//! [`cast`]), probes and their tokens are made up. The data is shaped like the real thing. Few attackers do most, new ones come every day,
//! and the night is quieter. Botnets come in waves from a few countries. Among passwords and user names are strings that attack the
//! programs which show them.

mod cast;
mod dice;
mod rhythm;
mod scene;
mod words;

use chrono::{DateTime, TimeDelta, Utc};
use sview_model::{Batch, Identity, Precision, Span, Windows};

use dice::{Purpose, dice};
use scene::Scene;

/// How many days the history reaches back: thirteen months.
pub const HISTORY_DAYS: u32 = 395;

/// The time back from now in which each row stands for itself; older rows stand for more and more.
const FULL: TimeDelta = TimeDelta::hours(2);

/// How far back waves are seen to rise and fall within an hour.
const CLOSE: TimeDelta = TimeDelta::hours(48);

/// Reports of the past, a batch a day (UTC), the newest day first: so the pages of short periods fill before the rest.
///
/// The sums of `raw_count` are level over time. Older rows are fewer, and each stands for more. So the last hour is as full as a real one,
/// and the year still fits a small database. Within a batch rows are in the order of time. The first batch makes all probes known.
#[derive(Debug)]
pub struct History {
    seed: u64,
    scene: Scene,
    span: Span,
    /// How rows thin out with age: a row that is n times [`FULL`] old stands for n to this power.
    thinning: f64,
    /// Up to here, downwards, is still to come.
    rest: DateTime<Utc>,
}

impl History {
    /// The history of the world of `seed` in the [`HISTORY_DAYS`] up to `now` (UTC), of about `rows` rows.
    ///
    /// About a hundred thousand are the fewest that look like something; 500,000 are good.
    #[must_use]
    pub fn new(seed: u64, now: DateTime<Utc>, rows: u64) -> Self {
        let scene = Scene::new(seed, now, HISTORY_DAYS);
        let span = Span::new(now - TimeDelta::days(i64::from(HISTORY_DAYS)), now);
        let thinning = fit_thinning(&scene, span, rows as f64);
        Self { seed, scene, span, thinning, rest: now }
    }

    /// Returns the span that it covers: up to now, which itself is not in it.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span
    }

    /// The probes, the busiest first: each one's token can be added as "my device".
    #[must_use]
    pub fn probes(&self) -> &[Identity] {
        self.scene.cast.probes()
    }

    fn day(&self, day: Span) -> Batch {
        let mut batch = Batch::default();
        for hour in hours(day) {
            let age = age(hour, self.span);
            let close = self.span.finish - hour.start < CLOSE;
            let step = TimeDelta::minutes(if close { 5 } else { 60 });
            for cell in cells(hour, step) {
                let mut dice = dice(self.seed, Purpose::HistoryCell, 0, cell.start.timestamp() as u64);
                self.scene.play(cell, day, age.powf(self.thinning), &mut dice, &mut batch);
            }
        }
        sort(&mut batch);
        batch
    }
}

impl Iterator for History {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        if self.rest <= self.span.start {
            return None;
        }
        let midnight = Precision::Daily.floor(self.rest - TimeDelta::microseconds(1));
        let day = Span::new(midnight.max(self.span.start), self.rest);
        let mut batch = self.day(day);
        if self.rest == self.span.finish {
            batch.identities = self.probes().to_vec();
        }
        self.rest = day.start;
        Some(batch)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let days = Precision::Daily.cover(Span::new(self.span.start, self.rest)).length().num_days();
        let days = usize::try_from(days).unwrap_or(0);
        (days, Some(days))
    }
}

impl ExactSizeIterator for History {}

/// Reports of the present: a few rows a second, as lively as the last hour of the [`History`] of the same seed and now.
#[derive(Debug)]
pub struct Trickle {
    seed: u64,
    scene: Scene,
}

impl Trickle {
    /// The trickle that continues the history of `seed` and `now`.
    #[must_use]
    pub fn new(seed: u64, now: DateTime<Utc>) -> Self {
        Self { seed, scene: Scene::new(seed, now, HISTORY_DAYS) }
    }

    /// The reports of a span, in the order of time. However time is cut into spans, each report is in exactly one of them
    /// and is the same. Takes time in proportion to the span: some milliseconds an hour.
    #[must_use]
    pub fn batch(&self, span: Span) -> Batch {
        let mut batch = Batch::default();
        if span.is_empty() {
            return batch;
        }
        for second in span.start.timestamp()..=span.finish.timestamp() {
            let Some(start) = DateTime::from_timestamp(second, 0) else { continue };
            let cell = Span::new(start, start + TimeDelta::seconds(1));
            let mut dice = dice(self.seed, Purpose::TrickleCell, 0, second as u64);
            self.scene.play(cell, span, 1.0, &mut dice, &mut batch);
        }
        sort(&mut batch);
        batch
    }
}

/// The hours that a span touches, whole ones.
fn hours(span: Span) -> impl Iterator<Item = Span> {
    cells(Precision::Hourly.cover(span), TimeDelta::hours(1))
}

/// A span cut into cells.
fn cells(span: Span, width: TimeDelta) -> impl Iterator<Item = Span> {
    Windows { span, width }.iter()
}

/// How many times [`FULL`] old an hour is at the end of the span, at least 1.
fn age(hour: Span, span: Span) -> f64 {
    let middle = hour.start + hour.length() / 2;
    ((span.finish - middle).num_seconds() as f64 / FULL.num_seconds() as f64).max(1.0)
}

/// The power with which about `rows` rows are expected.
fn fit_thinning(scene: &Scene, span: Span, rows: f64) -> f64 {
    let expected: Vec<(f64, f64)> = hours(span)
        .map(|hour| {
            let part = hour.intersect(&span).length().num_seconds() as f64;
            (age(hour, span), part * scene.rate(hour.start + TimeDelta::minutes(30)))
        })
        .collect();
    let (mut low, mut high) = (0.0, 3.0);
    for _ in 0..30 {
        let power = (low + high) / 2.0;
        let sum: f64 = expected.iter().map(|(age, rows)| rows / age.powf(power)).sum();
        if sum > rows {
            low = power;
        } else {
            high = power;
        }
    }
    high
}

fn sort(batch: &mut Batch) {
    batch.incidents.sort_by_key(|r| r.time);
    batch.passwords.sort_by_key(|r| r.time);
    batch.ports.sort_by_key(|r| r.time);
}
