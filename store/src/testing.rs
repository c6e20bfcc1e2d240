//! What only tests do to a database: the deeds of other programs. Compiled with the feature `testing`.

use chrono::{DateTime, Utc};
use sview_model::{Batch, Identity, Kind};

use crate::{Reports, Result};

impl Reports {
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
