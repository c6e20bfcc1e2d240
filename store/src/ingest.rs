//! Adding reports: rows, the marks of the buckets that they make dirty, and how far a file was read, in one transaction.

use chrono::{DateTime, Utc};
use sview_model::{Batch, Kind, Precision};

use crate::engine::{Micros, Tx};
use crate::rollup::{Spans, mark};
use crate::{Error, Reports, Result, metrics};

/// How far a file was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The SHA-256 of the file's contents, in lower-case hex: what makes it the same file.
    pub digest: String,
    /// How many bytes of it that is.
    pub size: u64,
    /// What it was called, for people.
    pub name: String,
    /// How many of its lines were done with before: if another process has read on meanwhile, nothing is added.
    pub from: u64,
    /// How many of its lines are done with.
    pub lines: u64,
    /// Whether that is all of them.
    pub finished: bool,
    /// The digest of the file as it was read before it grew, whose lines are done with already.
    pub grown_from: Option<String>,
}

/// A file that was read before, and may have grown since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// The SHA-256 of its contents then, in lower-case hex.
    pub digest: String,
    /// How many bytes they were.
    pub size: u64,
    /// How many of its lines are done with.
    pub lines: u64,
}

/// What an insertion did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inserted {
    /// Rows of reports added.
    pub rows: u64,
}

/// Buckets with gaps of up to this many quarters between them are noted as one span: a clean bucket that is looked at again
/// costs less than a mark of its own.
const NEARBY: i64 = 8;

impl Reports {
    /// Adds reports. Either all of them are there afterwards, their buckets noted as dirty and the progress kept, or nothing
    /// has changed. Aggregation that runs at the same time misses none of them.
    pub async fn insert(&self, batch: &Batch, progress: Option<&Progress>) -> Result<Inserted> {
        const TRIES: u32 = 5;
        let mut tries = 1;
        loop {
            match self.insert_once(batch, progress).await {
                Err(error) if error.is_collision() && tries < TRIES => tries += 1,
                done => return done,
            }
        }
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
            keep(&mut *tx, progress).await?;
        }
        tx.commit().await?;
        metrics::stored(batch);
        Ok(Inserted { rows: (batch.len() - batch.identities.len()) as u64 })
    }

    /// How far a file of this digest was read before; `None` when it never was.
    pub async fn ingested(&self, digest: &str) -> Result<Option<Progress>> {
        let sql = format!(
            "SELECT name, lines, CAST(CASE WHEN finished THEN 1 ELSE 0 END AS bigint), coalesce(size, 0)
             FROM sview_ingested WHERE digest = {}",
            self.engine.dialect().bind(1)
        );
        let rows = self.engine.snapshot().await?.rows(sql, 1, &[digest.to_owned()]).await?;
        Ok(rows.into_iter().next().map(|row| Progress {
            digest: digest.to_owned(),
            name: row.texts.into_iter().next().flatten().unwrap_or_default(),
            from: 0,
            lines: row.ints.first().and_then(|n| u64::try_from(*n).ok()).unwrap_or(0),
            finished: row.ints.get(1) == Some(&1),
            size: row.ints.get(2).and_then(|n| u64::try_from(*n).ok()).unwrap_or(0),
            grown_from: None,
        }))
    }

    /// Files that were read before and are smaller than `size`, largest first, but for those that are known to have grown: what a
    /// file of that size may have been.
    pub async fn ingested_below(&self, size: u64) -> Result<Vec<Earlier>> {
        let sql = format!(
            "SELECT digest, size, lines FROM sview_ingested WHERE size > 0 AND size < {size} AND next IS NULL ORDER BY size DESC"
        );
        let rows = self.engine.snapshot().await?.rows(sql, 1, &[]).await?;
        let earlier = rows.into_iter().filter_map(|row| {
            let [size, lines] = row.ints[..] else { return None };
            let (size, lines) = (u64::try_from(size).ok()?, u64::try_from(lines).ok()?);
            Some(Earlier { digest: row.texts.into_iter().next()??, size, lines })
        });
        Ok(earlier.collect())
    }

    /// Forgets that a file was read (for `--again`).
    pub async fn forget_ingested(&self, digest: &str) -> Result<()> {
        let mut tx = self.engine.begin().await?;
        let sql = format!("DELETE FROM sview_ingested WHERE digest = {}", self.engine.dialect().bind(1));
        tx.execute_with(sql, &[digest.to_owned()]).await?;
        tx.commit().await
    }
}

async fn keep(tx: &mut dyn Tx, progress: &Progress) -> Result<()> {
    let (size, from, lines, finished) = (progress.size, progress.from, progress.lines, progress.finished);
    // $1 is understood by both engines.
    let sql = format!(
        "INSERT INTO sview_ingested (digest, name, size, lines, finished) VALUES ($1, $2, {size}, {lines}, {finished})
         ON CONFLICT (digest) DO UPDATE SET name = excluded.name, lines = excluded.lines, finished = excluded.finished
         WHERE sview_ingested.lines = {from} AND NOT sview_ingested.finished"
    );
    let mut kept = tx.execute_with(sql, &[progress.digest.clone(), progress.name.clone()]).await?;
    if let Some(earlier) = progress.grown_from.as_ref().filter(|_| kept > 0) {
        // Only one file is what the earlier one has grown to, and from now on nobody reads on in that one.
        let sql = format!(
            "UPDATE sview_ingested SET next = $1, finished = true
             WHERE digest = $2 AND (next = $1 OR next IS NULL AND lines = {from})"
        );
        kept = tx.execute_with(sql, &[progress.digest.clone(), earlier.clone()]).await?;
    }
    if kept == 0 { Err(Error::ReadElsewhere(progress.name.clone())) } else { Ok(()) }
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
