//! Deletes reports that are long aggregated. First it records the retention horizon, under the lock of aggregation. From then on later
//! reports for the time before it do not count any more. The deletion itself only tidies up, in any number of pieces.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use sview_model::{Kind, Precision};

use super::{BEGINNING, Rollup, first, micros, moment, pending_of, watermark};
use crate::Result;
use crate::engine::{Dialect, Micros, Tx};

/// The spans that one transaction deletes: the first, the shortest and the longest.
const PIECES: [TimeDelta; 3] = [TimeDelta::hours(1), TimeDelta::minutes(1), TimeDelta::days(1)];

/// The time that a transaction should take: other writers wait for it, on SQLite. The next one deletes twice the span after a faster one,
/// and half of it after one that took twice as long.
const PACE: Duration = Duration::from_millis(100);

/// The counts of rows that retention deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Rows that were deleted one by one.
    pub rows: u64,
    /// Chunks of TimescaleDB that were dropped, whatever was in them.
    pub chunks: u64,
}

impl Rollup<'_> {
    /// Deletes the reports of whole days that ended at least [`crate::Settings::keep`] before `now`, if they are aggregated; none if that
    /// is `None`. Their aggregates stay, and later reports for these days do not count. It may be stopped anywhere; the next call goes on.
    ///
    /// A hypertable of TimescaleDB loses whole chunks only, so its reports stay up to a chunk longer (7 days by default). To delete rows of
    /// a part of a compressed chunk, the server would have to unpack them first.
    pub async fn forget_reports(self, now: DateTime<Utc>) -> Result<Deleted> {
        let mut deleted = Deleted::default();
        let Some(keep) = self.reports.settings.keep else { return Ok(deleted) };
        let before = Precision::Daily.floor(now - keep).timestamp_micros();
        for kind in Kind::ALL {
            let forgotten = match self.forget_until(*kind, before).await {
                Err(error) if error.is_lock_timeout() => {
                    return Err(self.locked(*kind, Precision::Quarterly, error).await);
                }
                forgotten => forgotten?,
            };
            let Some(forgotten) = forgotten else { continue };
            if self.is_hypertable(*kind).await? {
                deleted.chunks += self.drop_chunks(*kind, forgotten).await?;
            } else {
                deleted.rows += self.delete_rows(*kind, forgotten).await?;
            }
        }
        Ok(deleted)
    }

    /// Records the retention horizon of a kind: a moment, or the end of aggregation if that is earlier. Returns the horizon.
    async fn forget_until(self, kind: Kind, before: Micros) -> Result<Option<Micros>> {
        const FINEST: Precision = Precision::Quarterly;
        let floor = |at: Micros| Precision::Daily.floor(moment(at)).timestamp_micros();
        let mut tx = self.reports.engine.begin().await?;
        let lock = self.reports.engine.dialect().for_update();
        let Some(made_to) = watermark(&mut *tx, kind, FINEST, lock).await? else { return Ok(None) };
        let known = forgotten(&mut *tx, kind).await?;
        // Aggregation must still find rows that another program wrote without a pending span, up to there.
        let mut until = floor(before.min(made_to - micros(self.reports.settings.reread)));
        let waiting = pending_of(&mut *tx, kind, FINEST, until).await?;
        if let Some((start, _)) = waiting.iter().find(|(_, finish)| known.is_none_or(|known| *finish > known)) {
            until = floor(start);
            tracing::info!(%kind, until = %moment(until), "retention waits until later reports are aggregated before it deletes them");
        }
        if known.is_none_or(|known| known < until) {
            let sql =
                format!("UPDATE sview_rollup SET forgotten = {until} WHERE kind = '{kind}' AND precision = '{FINEST}'");
            tx.execute(sql).await?;
            tx.commit().await?;
        }
        Ok(known.max(Some(until)))
    }

    /// Deletes the rows before a moment, oldest first, in pieces of bounded time. Returns how many there were.
    ///
    /// Each piece begins where the last one ended. From the table's beginning, a scan would pass over every index entry of the rows deleted
    /// before. The whole would take time by the square of the history.
    async fn delete_rows(self, kind: Kind, before: Micros) -> Result<u64> {
        let d = self.reports.engine.dialect();
        let [mut piece, shortest, longest] = PIECES.map(micros);
        // Rows without a valid time count as older than anything.
        let mut rows = self.delete_piece(kind, format!("time < {}", d.time(BEGINNING))).await?;
        let (mut start, mut gap) = (BEGINNING, true);
        while start < before {
            if gap {
                let sql = format!(
                    "SELECT {} FROM {kind} WHERE time >= {} AND time < {}",
                    d.micros("min(time)"),
                    d.time(start),
                    d.time(before)
                );
                let Some(next) = first(&mut *self.reports.engine.snapshot().await?, sql).await? else { break };
                start = next;
            }
            let (begun, finish) = (Instant::now(), before.min(start + piece));
            let within = format!("time >= {} AND time < {}", d.time(start), d.time(finish));
            let deleted = self.delete_piece(kind, within).await?;
            (rows, gap, start) = (rows + deleted, deleted == 0, finish);
            piece = match begun.elapsed() {
                took if took < PACE => (piece * 2).min(longest),
                took if took > 2 * PACE => (piece / 2).max(shortest),
                _ => piece,
            };
        }
        Ok(rows)
    }

    async fn delete_piece(self, kind: Kind, within: String) -> Result<u64> {
        let mut tx = self.reports.engine.begin().await?;
        let deleted = tx.execute(format!("DELETE FROM {kind} WHERE {within}")).await?;
        tx.commit().await?;
        Ok(deleted)
    }

    /// Whether the table of a kind's reports is a hypertable of TimescaleDB.
    async fn is_hypertable(self, kind: Kind) -> Result<bool> {
        if self.reports.engine.dialect() != Dialect::Postgres {
            return Ok(false);
        }
        let mut tx = self.reports.engine.snapshot().await?;
        // A statement of its own: one that names the view fails where there is none.
        let view =
            "SELECT CASE WHEN to_regclass('timescaledb_information.hypertables') IS NULL THEN 0 ELSE 1 END::bigint";
        if first(&mut *tx, view.to_owned()).await? != Some(1) {
            return Ok(false);
        }
        let sql = format!(
            "SELECT count(*) FROM timescaledb_information.hypertables
             WHERE to_regclass(format('%I.%I', hypertable_schema, hypertable_name)) = '{kind}'::regclass"
        );
        Ok(first(&mut *tx, sql).await? == Some(1))
    }

    /// Drops the chunks of a hypertable that end by a moment; returns how many.
    async fn drop_chunks(self, kind: Kind, before: Micros) -> Result<u64> {
        let mut tx = self.reports.engine.begin().await?;
        let before = self.reports.engine.dialect().time(before);
        let sql =
            format!("SELECT count(*) FROM (SELECT drop_chunks('{kind}'::regclass, older_than => {before})) AS dropped");
        let dropped = first(&mut *tx, sql).await?;
        tx.commit().await?;
        Ok(dropped.and_then(|n| n.try_into().ok()).unwrap_or(0))
    }
}

/// Returns the retention horizon of a kind.
pub(super) async fn forgotten(tx: &mut dyn Tx, kind: Kind) -> Result<Option<Micros>> {
    let sql = format!("SELECT forgotten FROM sview_rollup WHERE kind = '{kind}' AND precision = 'quarterly'");
    first(tx, sql).await
}
