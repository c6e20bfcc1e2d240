//! Adding reports: rows, the marks of the buckets that they make dirty, and how far a [file](crate::files) was read, in one transaction.

use chrono::{DateTime, Utc};
use sview_model::{Batch, Kind, OpenSession, Precision};

use crate::engine::{Micros, Row};
use crate::files::{Progress, keep};
use crate::rollup::{Spans, mark};
use crate::{Error, Reports, Result, metrics};

/// The counts of an insertion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inserted {
    /// Rows of reports added.
    pub rows: u64,
}

/// The longest gap between buckets, in quarters, that is noted as part of one span. Looking at a clean bucket again costs less than a mark
/// of its own.
const NEARBY: i64 = 8;

impl Reports {
    /// Adds reports. Either all of them are there afterwards, their buckets noted as dirty and the progress kept, or nothing
    /// has changed. Aggregation that runs at the same time misses none of them.
    pub async fn insert(&self, batch: &Batch, progress: Option<&Progress>) -> Result<Inserted> {
        again_after_collisions(|| self.insert_once(batch, progress)).await
    }

    async fn insert_once(&self, batch: &Batch, progress: Option<&Progress>) -> Result<Inserted> {
        let mut tx = self.engine.begin().await?;
        tx.insert(batch).await?;
        let times = |kind| -> Vec<DateTime<Utc>> {
            match kind {
                Kind::Incidents => batch.incidents.iter().map(|r| r.time).collect(),
                Kind::Passwords => batch.passwords.iter().map(|r| r.time).collect(),
                Kind::Ports => batch.ports.iter().map(|r| r.time).collect(),
            }
        };
        for kind in Kind::ALL {
            mark(&mut *tx, *kind, Precision::Quarterly, &dirty(&times(*kind))).await?;
        }
        if let Some(progress) = progress {
            keep(&mut *tx, self.engine.dialect(), progress).await?;
        }
        tx.commit().await?;
        metrics::stored(batch);
        Ok(Inserted { rows: (batch.len() - batch.identities.len()) as u64 })
    }

    /// Ends the ingest of a file or pipe: notes how far it was read, and keeps the sessions that are open at its end. The
    /// [`OpenSession::MOST`] latest sessions remain, over all files.
    ///
    /// # Errors
    /// [`Error::ReadElsewhere`] when another process has read on in the file meanwhile.
    pub async fn finish(&self, progress: Option<&Progress>, sessions: &[OpenSession]) -> Result<()> {
        again_after_collisions(|| self.finish_once(progress, sessions)).await
    }

    async fn finish_once(&self, progress: Option<&Progress>, sessions: &[OpenSession]) -> Result<()> {
        let mut tx = self.engine.begin().await?;
        if let Some(progress) = progress {
            keep(&mut *tx, self.engine.dialect(), progress).await?;
        }
        if !sessions.is_empty() {
            let rows: Vec<_> = sessions.iter().map(|s| [s.id.clone(), s.trap.to_string(), s.ip.to_string()]).collect();
            let rows = serde_json::to_string(&rows).map_err(|e| Error::Value(e.to_string()))?;
            let each = self.engine.dialect().json_rows(1);
            // One that is kept already stays in its turn: a log in use is read again and again.
            let sql = format!(
                "INSERT INTO sview_session (id, trap, ip, turn)
                 SELECT value->>0, value->>1, value->>2, (SELECT coalesce(max(turn), 0) + 1 FROM sview_session)
                 FROM {each} WHERE true
                 ON CONFLICT (id) DO UPDATE SET trap = excluded.trap, ip = excluded.ip, turn = excluded.turn
                 WHERE sview_session.trap <> excluded.trap OR sview_session.ip <> excluded.ip"
            );
            if tx.execute_with(sql, &[rows]).await? > 0 {
                let most = OpenSession::MOST;
                let sql = format!(
                    "DELETE FROM sview_session WHERE id NOT IN
                     (SELECT id FROM sview_session ORDER BY turn DESC, id LIMIT {most})"
                );
                tx.execute(sql).await?;
            }
        }
        tx.commit().await
    }

    /// Returns the sessions that were open at the end of files, [`OpenSession::MOST`] at the most, those of the oldest file first.
    pub async fn open_sessions(&self) -> Result<Vec<OpenSession>> {
        let sql = format!("SELECT id, trap, ip FROM sview_session ORDER BY turn, id LIMIT {}", OpenSession::MOST);
        let rows = self.engine.snapshot().await?.rows(sql, 3, &[]).await?;
        let session = |row: Row| {
            let mut texts = row.texts.into_iter().flatten();
            let (id, trap, ip) = (texts.next()?, texts.next()?, texts.next()?);
            Some(OpenSession { id, trap: trap.parse().ok()?, ip: ip.parse().ok()? })
        };
        Ok(rows.into_iter().filter_map(session).collect())
    }
}

/// Runs a transaction again when it collided with another one, up to five times.
async fn again_after_collisions<T, F: Future<Output = Result<T>>>(mut transaction: impl FnMut() -> F) -> Result<T> {
    const TRIES: u32 = 5;
    let mut tries = 1;
    loop {
        match transaction().await {
            Err(error) if error.is_collision() && tries < TRIES => tries += 1,
            done => return done,
        }
    }
}

/// The spans of quarters that reports of these times fall into.
fn dirty(times: &[DateTime<Utc>]) -> Spans {
    let width: Micros = Precision::Quarterly.width().num_microseconds().unwrap_or(i64::MAX);
    let mut quarters: Vec<Micros> = times.iter().map(|t| t.timestamp_micros().div_euclid(width) * width).collect();
    quarters.sort_unstable();
    quarters.dedup();
    let mut spans: Vec<(Micros, Micros)> = Vec::new();
    for start in quarters {
        match spans.last_mut() {
            Some((_, finish)) if start - *finish <= NEARBY * width => *finish = start + width,
            _ => spans.push((start, start + width)),
        }
    }
    Spans::new(spans)
}
