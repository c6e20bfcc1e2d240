//! Holding aggregates against a recount of the reports, and tallies against the rows that they are of.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sview_model::{Kind, Precision, Span};

use super::retention::forgotten;
use super::{BEGINNING, Buckets, Rollup, Spans, chunk, columns, first, micros, moment, oldest, pending_of, watermark};
use crate::engine::{Dialect, Micros, Tx, limit_statements, table};
use crate::{Reports, Result};

/// The reason why a difference is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedDifference {
    /// The bucket holds too little, or has no tally, and waits to be made again: reports came late.
    Pending,
    /// The bucket lies before the oldest report, or before the retention horizon: its reports were deleted, and cannot be recounted.
    ReportsGone,
}

/// A bucket whose aggregate is not the sum of its reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The bucket's start.
    pub bucket: DateTime<Utc>,
    /// The sum of `raw_count` over the reports in it.
    pub reports: i64,
    /// The sum of `raw_count` that the aggregate holds.
    pub aggregated: i64,
    /// The number of rows that a fresh aggregation would have.
    pub rows_expected: i64,
    /// The number of rows that there are.
    pub rows: i64,
    /// The reason why the difference is expected, if it is.
    pub excuse: Option<ExpectedDifference>,
}

/// A bucket whose tally is not that of its wide rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TallyDifference {
    /// The bucket's start.
    pub bucket: DateTime<Utc>,
    /// The sum of `raw_count` over its wide rows; `None` when it has none.
    pub rows: Option<u64>,
    /// The sum that the tally holds; `None` when there is none, or none that can be read. It may equal the rows' sum where other
    /// things are counted than the rows say.
    pub tally: Option<u64>,
    /// The reason why the difference is expected, if it is.
    pub excuse: Option<ExpectedDifference>,
}

/// The scope of a verification: buckets in a span, in one unchanging state.
struct Verification {
    tx: Box<dyn Tx>,
    dialect: Dialect,
    width: Micros,
    span: (Micros, Micros),
    pending: Spans,
}

impl Verification {
    /// `None` when aggregation has not begun.
    async fn at(reports: &Reports, kind: Kind, precision: Precision, span: Option<Span>) -> Result<Option<Self>> {
        let mut tx = reports.engine.snapshot().await?;
        // A recount of all history takes as long as it takes.
        limit_statements(&mut *tx, reports.engine.dialect(), Duration::ZERO).await?;
        let width = micros(precision.width());
        let Some(made_to) = watermark(&mut *tx, kind, precision, "").await? else { return Ok(None) };
        let span = span.map(|s| precision.cover(s));
        let finish = span.map_or(made_to, |s| s.finish.timestamp_micros().min(made_to));
        let mut pending = Vec::new();
        for finer in precision.built_on() {
            pending.extend(pending_of(&mut *tx, kind, *finer, finish).await?.iter());
        }
        let pending = Spans::new(pending).cover(width);
        let span = (span.map_or(BEGINNING, |s| s.start.timestamp_micros().max(BEGINNING)), finish);
        Ok(Some(Self { tx, dialect: reports.engine.dialect(), width, span, pending }))
    }

    /// The condition that a row's time is in the span.
    fn within(&self) -> String {
        let d = self.dialect;
        format!("time >= {} AND time < {}", d.time(self.span.0), d.time(self.span.1))
    }

    async fn oldest(&mut self, table: &str) -> Result<Option<Micros>> {
        oldest(&mut *self.tx, self.dialect, table, self.span.1).await
    }
}

impl Rollup<'_> {
    /// Returns the buckets before the watermark whose sum or number of rows differs from a recount of the native reports. They lie within
    /// `span` if one is given, oldest first. Reads every report in the span.
    pub async fn differences(self, kind: Kind, precision: Precision, span: Option<Span>) -> Result<Vec<Difference>> {
        let Some(mut look) = Verification::at(self.reports, kind, precision, span).await? else {
            return Ok(Vec::new());
        };
        let (d, within, columns) = (look.dialect, look.within(), columns(kind));
        let native = table(kind, Precision::Native);
        let (bucket, made) = (d.micros(&d.bucket("time", look.width)), d.micros("time"));
        let sql = format!(
            "SELECT bucket, CAST(sum(reports) AS bigint), CAST(sum(aggregated) AS bigint), CAST(sum(expected) AS bigint), CAST(sum(present) AS bigint)
             FROM (
               SELECT bucket, sum(raw_count) AS reports, 0 AS aggregated, count(*) AS expected, 0 AS present FROM (
                 SELECT {bucket} AS bucket, sum(raw_count) AS raw_count FROM {native} WHERE {within} GROUP BY {bucket}, {columns}
               ) AS recount GROUP BY bucket
               UNION ALL
               SELECT {made} AS bucket, 0, sum(raw_count), 0, count(*) FROM {} WHERE {within} GROUP BY {made}
             ) AS sums
             GROUP BY bucket HAVING sum(reports) <> sum(aggregated) OR sum(expected) <> sum(present) ORDER BY bucket",
            table(kind, precision)
        );
        let rows = look.tx.ints(sql).await?;
        let forgotten = forgotten(&mut *look.tx, kind).await?;
        let oldest = if rows.is_empty() { None } else { look.oldest(&native).await? };
        let read = |row: &Vec<Option<i64>>| match row[..] {
            [Some(bucket), reports, aggregated, expected, present] => Some(Difference {
                bucket: moment(bucket),
                reports: reports.unwrap_or(0),
                aggregated: aggregated.unwrap_or(0),
                rows_expected: expected.unwrap_or(0),
                rows: present.unwrap_or(0),
                excuse: if oldest.is_none_or(|oldest| bucket + look.width <= oldest)
                    || forgotten.is_some_and(|f| bucket < f)
                {
                    Some(ExpectedDifference::ReportsGone)
                } else {
                    // One that holds too much is looked at, and left alone.
                    (aggregated < reports && look.pending.contains(bucket)).then_some(ExpectedDifference::Pending)
                },
            }),
            _ => None,
        };
        Ok(rows.iter().filter_map(read).collect())
    }

    /// The buckets before the watermark, within `span` if one is given, whose tally is not what their wide rows make, oldest
    /// first. Reads every wide row in the span.
    pub async fn tally_differences(
        self,
        kind: Kind,
        precision: Precision,
        span: Option<Span>,
    ) -> Result<Vec<TallyDifference>> {
        let Some(mut look) = Verification::at(self.reports, kind, precision, span).await? else {
            return Ok(Vec::new());
        };
        let table = table(kind, precision);
        let sql = format!("SELECT min(bucket) FROM sview_tally WHERE kind = '{kind}' AND precision = '{precision}'");
        let oldest = [look.oldest(&table).await?, first(&mut *look.tx, sql).await?];
        let Some(oldest) = oldest.into_iter().flatten().min() else { return Ok(Vec::new()) };
        let floor = |at: Micros| at.div_euclid(look.width) * look.width;
        let (mut start, finish) = (look.span.0.max(floor(oldest)), look.span.1);
        let mut all = Vec::new();
        while start < finish {
            let end = finish.min(start + chunk(precision));
            let mut buckets =
                Buckets { tx: &mut *look.tx, dialect: look.dialect, kind, precision, width: look.width, table: &table };
            for (bucket, rows, tally) in buckets.wrong((start, end)).await? {
                let excuse = (tally.is_none() && look.pending.contains(bucket)).then_some(ExpectedDifference::Pending);
                all.push(TallyDifference { bucket: moment(bucket), rows, tally, excuse });
            }
            start = end;
        }
        Ok(all)
    }
}
