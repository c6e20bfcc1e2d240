//! Buckets that cannot be made: a row that breaks a rule of the database, a sum that is too large, a damaged page. Such a bucket is set
//! aside for a while, and holds up only the coarser buckets that it is a part of. Values go on: they read its content from finer rows.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sview_model::{Kind, Precision, Span};

use super::step::Work;
use super::{Rollup, Spans, first, moment, pairs};
use crate::engine::{Dialect, Micros, Tx};
use crate::{Error, Result};

/// After this time a bucket that failed is tried again.
const AGAIN: Duration = Duration::from_secs(10 * 60);

/// The highest number of buckets that are set aside for one kind and precision. When more fail, their rows are not at fault.
const MOST: Micros = 20;

/// The most characters that are kept of an error.
const WORDS: usize = 1_000;

/// An obstacle that keeps an aggregation from being complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// The kind of the reports.
    pub kind: Kind,
    /// Into which buckets.
    pub precision: Precision,
    /// The cause of the obstacle.
    pub cause: ObstacleCause,
}

/// The cause of an [`Obstacle`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObstacleCause {
    /// A bucket could not be made.
    Bucket {
        /// The bucket that failed.
        span: Span,
        /// The database's error text. Strings from reports may be in it.
        error: String,
        /// The time of the last attempt, by the database's clock.
        failed_at: DateTime<Utc>,
        /// The time of the next attempt.
        again_at: DateTime<Utc>,
    },
    /// Another session holds the lock; PostgreSQL only.
    Lock {
        /// The session and its activity, for people.
        holder: String,
        /// The start of its transaction, by the database's clock.
        since: DateTime<Utc>,
    },
}

/// The condition that a pending span is that of a bucket which failed lately. One from the future failed under another clock.
pub(super) fn lately(d: Dialect) -> String {
    let (now, again) = (d.now(), AGAIN.as_micros());
    format!("(failed_at IS NOT NULL AND failed_at <= {now} AND failed_at > {now} - {again})")
}

/// The buckets that were set aside, and not taken away since to be tried again.
pub(super) async fn set_aside(tx: &mut dyn Tx, kind: Kind, precision: Precision) -> Result<Spans> {
    let sql = format!(
        "SELECT start, finish FROM sview_pending
         WHERE kind = '{kind}' AND precision = '{precision}' AND failed_at IS NOT NULL"
    );
    Ok(Spans::new(pairs(&tx.ints(sql).await?)))
}

impl Work<'_> {
    /// Sets a bucket aside that could not be made.
    pub(super) async fn note_failed(&mut self, (start, finish): (Micros, Micros), error: Error) -> Result<()> {
        let (d, kind, precision) = (self.dialect, self.kind, self.precision);
        let sql = format!(
            "SELECT count(*) FROM sview_pending
             WHERE kind = '{kind}' AND precision = '{precision}' AND failed_at IS NOT NULL"
        );
        if first(self.tx, sql).await? >= Some(MOST) {
            return Err(error);
        }
        let words: String = error.to_string().chars().take(WORDS).collect();
        tracing::error!(
            %kind, %precision, bucket = %moment(start), error = ?words, again_in_s = AGAIN.as_secs(),
            "could not make a bucket; it is tried again later, and aggregation goes on without it"
        );
        let sql = format!(
            "INSERT INTO sview_pending (kind, precision, start, finish, error, failed_at)
             VALUES ('{kind}', '{precision}', {start}, {finish}, {}, {})",
            d.bind(1),
            d.now()
        );
        self.tx.execute_with(sql, &[words]).await?;
        Ok(())
    }
}

impl Rollup<'_> {
    /// Returns what keeps aggregations from being complete: buckets that failed, and sessions that have held a lock for at least
    /// `patience`.
    pub async fn obstacles(self, patience: Duration) -> Result<Vec<Obstacle>> {
        let sql = "SELECT kind, precision, error, start, finish, failed_at FROM sview_pending
             WHERE failed_at IS NOT NULL ORDER BY kind, precision, start";
        let rows = self.reports.engine.snapshot().await?.rows(sql.to_owned(), 3, &[]).await?;
        let bucket = |row: crate::engine::Row| {
            let mut texts = row.texts.into_iter().flatten();
            let [start, finish, failed_at] = row.ints[..] else { return None };
            Some(Obstacle {
                kind: texts.next()?.parse().ok()?,
                precision: texts.next()?.parse().ok()?,
                cause: ObstacleCause::Bucket {
                    span: Span::new(moment(start), moment(finish)),
                    error: texts.next()?,
                    failed_at: moment(failed_at),
                    again_at: moment(failed_at) + AGAIN,
                },
            })
        };
        let mut all: Vec<Obstacle> = rows.into_iter().filter_map(bucket).collect();
        for holder in self.reports.engine.holders().await?.into_iter().filter(|holder| holder.held >= patience) {
            let (Ok(kind), Ok(precision)) = (holder.kind.parse(), holder.precision.parse()) else { continue };
            let cause = ObstacleCause::Lock { holder: holder.words, since: moment(holder.since) };
            all.push(Obstacle { kind, precision, cause });
        }
        Ok(all)
    }
}
