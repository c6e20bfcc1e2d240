//! The list of every day, as of its midnight (UTC). The archive is served from it.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::Greylist;
use crate::{Error, Result};

impl Greylist<'_> {
    /// Keeps the list of a day, unless it is there already: a published list stays as it is. `body` is an address and its tags a line.
    /// Returns whether it was kept.
    pub async fn keep_day(self, day: NaiveDate, addresses: usize, body: &str, now: DateTime<Utc>) -> Result<bool> {
        let mut tx = self.reports.engine.begin().await?;
        let made = now.timestamp_micros();
        let sql = format!(
            "INSERT INTO sview_greylist_day (day, made, addresses, body) VALUES ($1, {made}, {addresses}, $2)
             ON CONFLICT (day) DO NOTHING"
        );
        let kept = tx.execute_with(sql, &[day.to_string(), body.to_owned()]).await?;
        tx.commit().await?;
        Ok(kept > 0)
    }

    /// The days that there are lists of, latest first, and how many addresses are on each.
    pub async fn days(self) -> Result<Vec<(NaiveDate, u64)>> {
        let order = self.reports.engine.dialect().byte_order();
        let sql = format!("SELECT day, addresses FROM sview_greylist_day ORDER BY day {order} DESC");
        let rows = self.reports.engine.snapshot().await?.rows(sql, 1, &[]).await?;
        let read = |row: &crate::engine::Row| {
            let day = row.texts.first().and_then(Option::as_deref).unwrap_or_default();
            let day = day.parse().map_err(|_| Error::Value(format!("{day:?} is no day of a greylist")))?;
            Ok((day, row.ints.first().and_then(|n| u64::try_from(*n).ok()).unwrap_or(0)))
        };
        rows.iter().map(read).collect()
    }

    /// Returns when the list of a day was made, in microseconds since 1970; `None` if there is none. Reads one row by its key, without the
    /// list.
    pub async fn day_made(self, day: NaiveDate) -> Result<Option<i64>> {
        let sql = "SELECT made FROM sview_greylist_day WHERE day = $1".to_owned();
        let rows = self.reports.engine.snapshot().await?.rows(sql, 0, &[day.to_string()]).await?;
        Ok(rows.into_iter().next().and_then(|row| row.ints.into_iter().next()))
    }

    /// The list of a day: an address and its tags a line; `None` where there is none.
    pub async fn day(self, day: NaiveDate) -> Result<Option<String>> {
        let sql = "SELECT body FROM sview_greylist_day WHERE day = $1".to_owned();
        let rows = self.reports.engine.snapshot().await?.rows(sql, 1, &[day.to_string()]).await?;
        Ok(rows.into_iter().next().and_then(|row| row.texts.into_iter().next().flatten()))
    }

    /// Deletes the lists of days that are more than `keep` days before `now`. Returns how many.
    pub async fn forget_days(self, keep: u32, now: DateTime<Utc>) -> Result<u64> {
        let Some(first) = now.date_naive().checked_sub_signed(TimeDelta::days(keep.into())) else { return Ok(0) };
        let mut tx = self.reports.engine.begin().await?;
        let order = self.reports.engine.dialect().byte_order();
        let sql = format!("DELETE FROM sview_greylist_day WHERE day {order} < $1");
        let forgotten = tx.execute_with(sql, &[first.to_string()]).await?;
        tx.commit().await?;
        Ok(forgotten)
    }
}
