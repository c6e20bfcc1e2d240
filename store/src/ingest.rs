//! Adding reports: rows, the marks of the buckets that they make dirty, and how far a file was read, in one transaction.

use chrono::{DateTime, Utc};
use sview_model::{Batch, Kind, OpenSession, Precision};

use crate::engine::{Micros, Row, Tx};
use crate::rollup::{Spans, mark};
use crate::{Error, Reports, Result, metrics};

/// What makes a file the same file, whatever its name and compression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileKey {
    /// The SHA-256 of its decompressed content, in lower-case hex.
    pub digest: String,
    /// The format in which it is read; empty where it was read before formats were kept.
    pub format: String,
}

/// How far a file was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Which file.
    pub file: FileKey,
    /// The size of its decompressed content, in bytes.
    pub size: u64,
    /// Its name, for people.
    pub name: String,
    /// The number of its lines that were read before. If another process has read on meanwhile, nothing is added.
    pub from: u64,
    /// The number of its lines that have been read.
    pub lines: u64,
    /// Whether that is all of them.
    pub finished: bool,
    /// The file as it was read before it grew, whose lines count as read.
    pub grown_from: Option<FileKey>,
}

/// A file that was read before, and may have grown since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// Which file it was then.
    pub file: FileKey,
    /// The size of its decompressed content then, in bytes.
    pub size: u64,
    /// The number of its lines that have been read.
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
            keep(&mut *tx, progress).await?;
        }
        tx.commit().await?;
        metrics::stored(batch);
        Ok(Inserted { rows: (batch.len() - batch.identities.len()) as u64 })
    }

    /// Ends the ingest of a file or pipe: notes how far it was read, and keeps the sessions that are open at its end. Of all files,
    /// the [`OpenSession::MOST`] sessions that were kept last remain.
    ///
    /// # Errors
    /// [`Error::ReadElsewhere`] when another process has read on in the file meanwhile.
    pub async fn finish(&self, progress: Option<&Progress>, sessions: &[OpenSession]) -> Result<()> {
        again_after_collisions(|| self.finish_once(progress, sessions)).await
    }

    async fn finish_once(&self, progress: Option<&Progress>, sessions: &[OpenSession]) -> Result<()> {
        let mut tx = self.engine.begin().await?;
        if let Some(progress) = progress {
            keep(&mut *tx, progress).await?;
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

    /// Returns how far a file of this digest was read before, once for each format in which it was read.
    pub async fn ingested(&self, digest: &str) -> Result<Vec<Progress>> {
        let columns = "lines, CAST(CASE WHEN finished THEN 1 ELSE 0 END AS bigint), coalesce(size, 0)";
        let sql = format!(
            "SELECT name, format, {columns} FROM sview_file WHERE digest = $1
             UNION ALL SELECT name, '', {columns} FROM sview_ingested WHERE digest = $1"
        );
        let rows = self.engine.snapshot().await?.rows(sql, 2, &[digest.to_owned()]).await?;
        let progress = rows.into_iter().filter_map(|row| {
            let [lines, finished, size] = row.ints[..] else { return None };
            let mut texts = row.texts.into_iter().flatten();
            Some(Progress {
                name: texts.next()?,
                file: FileKey { digest: digest.to_owned(), format: texts.next()? },
                from: 0,
                lines: u64::try_from(lines).ok()?,
                finished: finished == 1,
                size: u64::try_from(size).ok()?,
                grown_from: None,
            })
        });
        Ok(progress.collect())
    }

    /// Returns the files that were read before, largest first, without those that are known to have grown: a file may begin with one
    /// of them.
    pub async fn may_have_grown(&self) -> Result<Vec<Earlier>> {
        let sql = "SELECT digest, format, size, lines FROM sview_file WHERE size > 0 AND next IS NULL
                   UNION ALL SELECT digest, '', size, lines FROM sview_ingested WHERE size > 0 AND next IS NULL
                   ORDER BY 3 DESC";
        let rows = self.engine.snapshot().await?.rows(sql.to_owned(), 2, &[]).await?;
        let earlier = rows.into_iter().filter_map(|row| {
            let [size, lines] = row.ints[..] else { return None };
            let (size, lines) = (u64::try_from(size).ok()?, u64::try_from(lines).ok()?);
            let mut texts = row.texts.into_iter().flatten();
            let file = FileKey { digest: texts.next()?, format: texts.next()? };
            Some(Earlier { file, size, lines })
        });
        Ok(earlier.collect())
    }

    /// Deletes the record that a file was read, in whatever format (for `--again`).
    pub async fn forget_ingested(&self, digest: &str) -> Result<()> {
        let mut tx = self.engine.begin().await?;
        for table in ["sview_file", "sview_ingested"] {
            tx.execute_with(format!("DELETE FROM {table} WHERE digest = $1"), &[digest.to_owned()]).await?;
        }
        tx.commit().await
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

async fn keep(tx: &mut dyn Tx, progress: &Progress) -> Result<()> {
    let (size, from, lines, finished) = (progress.size, progress.from, progress.lines, progress.finished);
    let digest = progress.file.digest.clone();
    let (table, columns, key) = table(&progress.file);
    let values: String = (0..key.len()).map(|n| format!("${}, ", n + 2)).collect();
    // $1 is understood by both engines.
    let sql = format!(
        "INSERT INTO {table} (name, {columns}, size, lines, finished)
         VALUES ($1, {values}{size}, {lines}, {finished})
         ON CONFLICT ({columns}) DO UPDATE
         SET name = excluded.name, lines = excluded.lines, finished = excluded.finished
         WHERE {table}.lines = {from} AND NOT {table}.finished"
    );
    let binds: Vec<String> = std::iter::once(progress.name.clone()).chain(key).collect();
    let mut kept = tx.execute_with(sql, &binds).await?;
    if let Some(earlier) = progress.grown_from.as_ref().filter(|_| kept > 0) {
        // Only one file is what the earlier one has grown to, and from now on nobody reads on in that one.
        let (table, columns, key) = self::table(earlier);
        let values: Vec<String> = (0..key.len()).map(|n| format!("${}", n + 2)).collect();
        let sql = format!(
            "UPDATE {table} SET next = $1, finished = true
             WHERE ({columns}) = ({}) AND (next = $1 OR next IS NULL AND lines = {from})",
            values.join(", ")
        );
        let binds: Vec<String> = std::iter::once(digest).chain(key).collect();
        kept = tx.execute_with(sql, &binds).await?;
    }
    if kept == 0 { Err(Error::ReadElsewhere(progress.name.clone())) } else { Ok(()) }
}

/// Where a file is kept: the table, the columns of its key, and their values. Files without a format are in the table of processes that
/// know of none, so that both kinds of processes know of them.
fn table(file: &FileKey) -> (&'static str, &'static str, Vec<String>) {
    let FileKey { digest, format } = file.clone();
    if format.is_empty() {
        ("sview_ingested", "digest", vec![digest])
    } else {
        ("sview_file", "digest, format", vec![digest, format])
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
