//! Finds the first and the last report of a kind.

use chrono::{DateTime, Utc};
use sview_model::{Kind, Precision, Reported};

use super::Statistics;
use crate::Result;
use crate::engine::{self, Micros, Tx};
use crate::rollup::BEGINNING;

impl Statistics<'_> {
    /// Returns the times of the oldest and the newest report of a kind up to `now`, by index. Days are asked as well, because reports
    /// are purged and days are not.
    pub(super) async fn extent(self, tx: &mut dyn Tx, kind: Kind, now: DateTime<Utc>) -> Result<Reported> {
        let (mut oldest, mut newest) = (None, None);
        for precision in [Precision::Native, Precision::Daily] {
            let table = engine::table(kind, precision);
            oldest = [oldest, self.end(tx, &table, now, "ASC").await?].into_iter().flatten().min();
            newest = [newest, self.end(tx, &table, now, "DESC").await?].into_iter().flatten().max();
        }
        let moment = |at: Option<Micros>| at.and_then(DateTime::from_timestamp_micros);
        Ok(Reported { total: 0, oldest: moment(oldest), newest: moment(newest) })
    }

    /// The first time of a table in this order.
    async fn end(self, tx: &mut dyn Tx, table: &str, now: DateTime<Utc>, order: &str) -> Result<Option<Micros>> {
        let d = self.reports.engine.dialect();
        let (time, start, finish) = (d.micros("time"), d.time(BEGINNING), d.time(now.timestamp_micros()));
        // SQLite reads the whole index for min() and max() of one query; this reads one entry.
        let sql = format!(
            "SELECT {time} FROM {table} WHERE time >= {start} AND time <= {finish} ORDER BY time {order} LIMIT 1"
        );
        Ok(tx.ints(sql).await?.first().and_then(|row| row.first().copied().flatten()))
    }
}
