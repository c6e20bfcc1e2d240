//! Holding aggregates against a recount of the reports.

use chrono::{DateTime, Utc};
use sview_model::{Kind, Precision, Span};

use super::{micros, moment};
use crate::engine::table;
use crate::{Reports, Result};

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
}

impl Reports {
    /// The buckets before the watermark, within `span` if one is given, whose sum or number of rows differs from a recount of
    /// the native reports, oldest first. Reads every report in the span.
    pub async fn differences(&self, kind: Kind, precision: Precision, span: Option<Span>) -> Result<Vec<Difference>> {
        let mut tx = self.engine.snapshot().await?;
        let (d, width) = (self.engine.dialect(), micros(precision.width()));
        let sql = format!("SELECT watermark FROM sview_rollup WHERE kind = '{kind}' AND precision = '{precision}'");
        let Some(watermark) = tx.ints(sql).await?.first().and_then(|row| row.first().copied().flatten()) else {
            return Ok(Vec::new());
        };
        let span = span.map(|s| precision.cover(s));
        let finish = span.map_or(watermark, |s| s.finish.timestamp_micros().min(watermark));
        let mut within = format!("time < {}", d.time(finish));
        if let Some(span) = span {
            within += &format!(" AND time >= {}", d.time(span.start.timestamp_micros()));
        }
        let columns = crate::engine::columns(kind);
        let (bucket, made) = (d.micros(&d.bucket("time", width)), d.micros("time"));
        let sql = format!(
            "SELECT bucket, CAST(sum(reports) AS bigint), CAST(sum(aggregated) AS bigint), CAST(sum(expected) AS bigint), CAST(sum(present) AS bigint)
             FROM (
               SELECT bucket, sum(raw_count) AS reports, 0 AS aggregated, count(*) AS expected, 0 AS present FROM (
                 SELECT {bucket} AS bucket, sum(raw_count) AS raw_count FROM {} WHERE {within} GROUP BY {bucket}, {columns}
               ) AS recount GROUP BY bucket
               UNION ALL
               SELECT {made} AS bucket, 0, sum(raw_count), 0, count(*) FROM {} WHERE {within} GROUP BY {made}
             ) AS sums
             GROUP BY bucket HAVING sum(reports) <> sum(aggregated) OR sum(expected) <> sum(present) ORDER BY bucket",
            table(kind, Precision::Native),
            table(kind, precision)
        );
        let rows = tx.ints(sql).await?;
        let read = |row: &Vec<Option<i64>>| match row[..] {
            [Some(bucket), reports, aggregated, expected, present] => Some(Difference {
                bucket: moment(bucket),
                reports: reports.unwrap_or(0),
                aggregated: aggregated.unwrap_or(0),
                rows_expected: expected.unwrap_or(0),
                rows: present.unwrap_or(0),
            }),
            _ => None,
        };
        Ok(rows.iter().filter_map(read).collect())
    }
}
