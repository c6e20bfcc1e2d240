//! Changes to a database that only tests make, as other programs would. Compiled with the feature `testing`.

use chrono::{DateTime, Utc};
use sview_model::{Batch, Identity, Kind, Precision};

use crate::engine::{columns, table};
use crate::{Reports, Result};

/// A transaction that keeps a connection until it is dropped.
pub struct Held(#[allow(dead_code)] Box<dyn crate::engine::Tx>);

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Held")
    }
}

impl Reports {
    /// Keeps a connection, as a long computation does.
    pub async fn hold(&self) -> Result<Held> {
        Ok(Held(self.engine.snapshot().await?))
    }

    /// Adds reports as another program does: without noting the buckets that they make dirty.
    pub async fn insert_unmarked(&self, batch: &Batch) -> Result<()> {
        let mut tx = self.engine.begin().await?;
        tx.insert(batch).await?;
        tx.commit().await
    }

    /// Deletes reports before a moment, as a retention policy does.
    pub async fn delete_native(&self, kind: Kind, before: DateTime<Utc>) -> Result<()> {
        let mut tx = self.engine.begin().await?;
        let before = self.engine.dialect().time(before.timestamp_micros());
        tx.execute(format!("DELETE FROM {kind} WHERE time < {before}")).await?;
        tx.commit().await
    }

    /// Deletes reports before a moment hour by hour, each time from the oldest on, for measuring against.
    pub async fn delete_hourly(&self, kind: Kind, before: DateTime<Utc>) -> Result<u64> {
        const HOUR: i64 = 3_600_000_000;
        let (mut rows, d, before) = (0, self.engine.dialect(), before.timestamp_micros());
        loop {
            let mut tx = self.engine.begin().await?;
            let sql = format!("SELECT {} FROM {kind} WHERE time < {}", d.micros("min(time)"), d.time(before));
            let Some(oldest) = tx.ints(sql).await?.first().and_then(|row| row[0]) else { return Ok(rows) };
            let finish = d.time(before.min(oldest + HOUR));
            rows += tx.execute(format!("DELETE FROM {kind} WHERE time < {finish}")).await?;
            tx.commit().await?;
        }
    }

    /// The sum of every bucket of a precision, in their order.
    pub async fn bucket_sums(&self, kind: Kind, precision: Precision) -> Result<Vec<i64>> {
        let mut tx = self.engine.snapshot().await?;
        let table = table(kind, precision);
        let rows =
            tx.ints(format!("SELECT CAST(sum(raw_count) AS bigint) FROM {table} GROUP BY time ORDER BY time")).await?;
        Ok(rows.into_iter().filter_map(|row| row.first().copied().flatten()).collect())
    }

    /// Aggregates the plain way, as a reference for measurements. One INSERT … SELECT runs over the whole history for each kind and
    /// precision. It fills tables of its own, which are emptied first.
    pub async fn aggregate_plainly(&self, until: DateTime<Utc>) -> Result<u64> {
        let (mut rows, d) = (0, self.engine.dialect());
        for kind in Kind::ALL {
            let mut source = kind.to_string();
            for precision in Precision::AGGREGATED {
                let mut tx = self.engine.begin().await?;
                let target = format!("plain_{}", table(*kind, *precision));
                tx.execute(format!("DROP TABLE IF EXISTS {target}")).await?;
                let like = table(*kind, *precision);
                tx.execute(format!("CREATE TABLE {target} AS SELECT * FROM {like} WHERE false")).await?;
                tx.execute(format!("CREATE INDEX {target}_time_idx ON {target} (time)")).await?;
                let width = precision.width().num_microseconds().unwrap_or(i64::MAX);
                let (bucket, columns) = (d.bucket("time", width), columns(*kind));
                let until = d.time(precision.due_to(until).timestamp_micros());
                let sql = format!(
                    "INSERT INTO {target} (time, raw_count, {columns})
                     SELECT {bucket}, CAST(sum(raw_count) AS bigint), {columns} FROM {source}
                     WHERE time < {until} GROUP BY {bucket}, {columns}"
                );
                rows += tx.execute(sql).await?;
                tx.commit().await?;
                source = target;
            }
        }
        Ok(rows)
    }

    /// Lets the database gather the statistics by which it plans.
    pub async fn analyze(&self) -> Result<()> {
        let mut tx = self.engine.begin().await?;
        tx.execute("ANALYZE".to_owned()).await?;
        tx.commit().await
    }

    /// Every identity, by token and serial number.
    pub async fn identities(&self) -> Result<Vec<Identity>> {
        let mut tx = self.engine.snapshot().await?;
        let rows = tx.rows("SELECT sn, device_token FROM identity ORDER BY 2, 1".to_owned(), 2, &[]).await?;
        let read = |row: crate::engine::Row| {
            let mut texts = row.texts.into_iter().flatten();
            Some(Identity { sn: texts.next()?, device_token: texts.next()?.parse().ok()? })
        };
        Ok(rows.into_iter().filter_map(read).collect())
    }
}
