//! Deleting reports that are long aggregated, a day a transaction.

use chrono::{DateTime, TimeDelta, Utc};
use sview_model::{Kind, Precision};

use super::{first, micros, pending_of, watermark};
use crate::engine::Micros;
use crate::{Reports, Result};

impl Reports {
    /// Deletes the reports of whole days that ended at least [`crate::Settings::keep`] before `now`, if they are aggregated; none where
    /// that is `None`. What was aggregated of them stays. Returns how many rows were deleted. It may be stopped anywhere: whole days
    /// are gone, and the next call goes on.
    pub async fn forget_reports(&self, now: DateTime<Utc>) -> Result<u64> {
        let Some(keep) = self.settings.keep else { return Ok(0) };
        let before = Precision::Daily.floor(now - keep).timestamp_micros();
        let mut rows = 0;
        for kind in Kind::ALL {
            while let Some(deleted) = self.forget_day(*kind, before).await? {
                rows += deleted;
            }
        }
        Ok(rows)
    }

    /// Deletes the oldest day of reports that ended before a moment; `None` where there is none, or none that is done with.
    async fn forget_day(&self, kind: Kind, before: Micros) -> Result<Option<u64>> {
        const FINEST: Precision = Precision::Quarterly;
        let (d, day) = (self.engine.dialect(), micros(TimeDelta::days(1)));
        let mut tx = self.engine.begin().await?;
        // Aggregation takes turns with this by the same lock.
        let Some(made_to) = watermark(&mut *tx, kind, FINEST, d.for_update()).await? else { return Ok(None) };
        // What another program wrote without telling is still to be found there.
        let before = before.min(made_to - micros(self.settings.reread));
        let sql = format!("SELECT {} FROM {kind} WHERE time < {}", d.micros("min(time)"), d.time(before));
        let Some(oldest) = first(&mut *tx, sql).await? else { return Ok(None) };
        let finish = oldest.div_euclid(day) * day + day;
        if finish > before {
            return Ok(None);
        }
        let deleted = tx.execute(format!("DELETE FROM {kind} WHERE time < {}", d.time(finish))).await?;
        // Looked at afterwards: a late report that was deleted just now was committed together with its mark, so that is seen too.
        if !pending_of(&mut *tx, kind, FINEST, finish).await?.is_empty() {
            return Ok(None); // it ends without a commit
        }
        tx.commit().await?;
        tracing::debug!(%kind, rows = deleted, until = %super::moment(finish), "reports were deleted");
        Ok(Some(deleted))
    }
}
