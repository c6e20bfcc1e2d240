//! Deleting reports that are long aggregated. First it is noted, under the lock of aggregation, up to when they are forgotten; from then
//! on nothing that comes for that time counts any more. Deleting them is only tidying up, in as many pieces as one likes.

use chrono::{DateTime, TimeDelta, Utc};
use sview_model::{Kind, Precision};

use super::{first, micros, moment, pending_of, watermark};
use crate::engine::{Micros, Tx};
use crate::{Reports, Result};

/// How much a transaction deletes: others who want to write wait for it, on SQLite.
const PIECE: TimeDelta = TimeDelta::hours(1);

impl Reports {
    /// Deletes the reports of whole days that ended at least [`crate::Settings::keep`] before `now`, if they are aggregated; none where
    /// that is `None`. What was aggregated of them stays, and what comes later for these days does not count. Returns how many rows
    /// were deleted. It may be stopped anywhere; the next call goes on.
    pub async fn forget_reports(&self, now: DateTime<Utc>) -> Result<u64> {
        let Some(keep) = self.settings.keep else { return Ok(0) };
        let before = Precision::Daily.floor(now - keep).timestamp_micros();
        let mut rows = 0;
        for kind in Kind::ALL {
            let Some(forgotten) = self.forget_until(*kind, before).await? else { continue };
            while let Some(deleted) = self.delete_piece(*kind, forgotten).await? {
                rows += deleted;
            }
        }
        Ok(rows)
    }

    /// Notes that the reports of a kind are forgotten up to a moment, or as far as they are aggregated; returns up to when they are.
    async fn forget_until(&self, kind: Kind, before: Micros) -> Result<Option<Micros>> {
        const FINEST: Precision = Precision::Quarterly;
        let floor = |at: Micros| Precision::Daily.floor(moment(at)).timestamp_micros();
        let mut tx = self.engine.begin().await?;
        let lock = self.engine.dialect().for_update();
        let Some(made_to) = watermark(&mut *tx, kind, FINEST, lock).await? else { return Ok(None) };
        let known = forgotten(&mut *tx, kind).await?;
        // What another program wrote without telling is still to be found up to there.
        let mut until = floor(before.min(made_to - micros(self.settings.reread)));
        let waiting = pending_of(&mut *tx, kind, FINEST, until).await?;
        if let Some((start, _)) = waiting.iter().find(|(_, finish)| known.is_none_or(|known| *finish > known)) {
            until = floor(start);
            tracing::info!(%kind, until = %moment(until), "reports of later days wait to be aggregated before they are deleted");
        }
        if known.is_none_or(|known| known < until) {
            let sql =
                format!("UPDATE sview_rollup SET forgotten = {until} WHERE kind = '{kind}' AND precision = '{FINEST}'");
            tx.execute(sql).await?;
            tx.commit().await?;
        }
        Ok(known.max(Some(until)))
    }

    /// Deletes the oldest reports before a moment; `None` where there are none.
    async fn delete_piece(&self, kind: Kind, before: Micros) -> Result<Option<u64>> {
        let d = self.engine.dialect();
        let mut tx = self.engine.begin().await?;
        let sql = format!("SELECT {} FROM {kind} WHERE time < {}", d.micros("min(time)"), d.time(before));
        let Some(oldest) = first(&mut *tx, sql).await? else { return Ok(None) };
        let finish = before.min(oldest + micros(PIECE));
        let deleted = tx.execute(format!("DELETE FROM {kind} WHERE time < {}", d.time(finish))).await?;
        tx.commit().await?;
        Ok(Some(deleted))
    }
}

/// Up to when the reports of a kind are forgotten.
pub(super) async fn forgotten(tx: &mut dyn Tx, kind: Kind) -> Result<Option<Micros>> {
    let sql = format!("SELECT forgotten FROM sview_rollup WHERE kind = '{kind}' AND precision = 'quarterly'");
    first(tx, sql).await
}
