//! Progress of files that were read: their identity, how far they were read, their growth, and their beginnings.

use std::sync::Arc;

use sview_model::Outline;

use crate::engine::{Dialect, Tx};
use crate::{Error, Reports, Result};

/// The table of files that were read in a format.
const FILES: &str = "sview_file";

/// The identity of a file, whatever its name and compression.
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
    /// The file that is read.
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
    /// The first progress, for a new file that is not kept yet.
    pub first: Option<Arc<FirstProgress>>,
}

/// The data kept with a file's first progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstProgress {
    /// The outline of the file's beginning.
    pub outline: Outline,
    /// The [`Reports::files_turn`] before it was found that the file is new.
    pub as_of: i64,
}

/// A file that was read before, and may have grown since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// The file's identity at that time.
    pub file: FileKey,
    /// The size of its decompressed content then, in bytes.
    pub size: u64,
    /// The number of its lines that have been read.
    pub lines: u64,
}

impl Reports {
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
                first: None,
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

    /// Returns the number of the file that was added last. It grows with every file.
    pub async fn files_turn(&self) -> Result<i64> {
        let sql = "SELECT coalesce(max(turn), 0) FROM sview_file";
        let rows = self.engine.snapshot().await?.rows(sql.to_owned(), 0, &[]).await?;
        Ok(rows.first().and_then(|row| row.ints.first().copied()).unwrap_or(0))
    }

    /// Returns a longer file that was read before, wholly or in part, and begins with a content of this outline and size, in bytes.
    /// `format` says in which format it was read; empty for any.
    ///
    /// A last line without an end may be cut, wherever it ends. Then at least one line before it must be equal; two in CSV, whose
    /// header many files share.
    pub async fn beginning_of(&self, outline: &Outline, size: u64, format: &str) -> Result<Option<Progress>> {
        let mut tx = self.engine.snapshot().await?;
        for beginning in outline.beginnings() {
            let shared = if beginning.cut && beginning.lines < 2 { "csv" } else { "" };
            let sql = format!(
                "SELECT f.digest, f.format, f.name, f.size, f.lines, CAST(CASE WHEN f.finished THEN 1 ELSE 0 END AS bigint)
                 FROM sview_outline AS o JOIN sview_file AS f ON f.outline = o.outline
                 WHERE o.digest = $1 AND substr(o.tail, 1, {}) = $2 AND f.format <> '{shared}' AND ($3 = '' OR f.format = $3)
                   AND f.next IS NULL AND f.size > {size}
                 ORDER BY f.finished DESC, f.size DESC LIMIT 1",
                beginning.tail.len()
            );
            let binds = [beginning.digest.to_owned(), beginning.tail.to_owned(), format.to_owned()];
            let Some(row) = tx.rows(sql, 3, &binds).await?.pop() else { continue };
            let [size, lines, finished] = row.ints[..] else { continue };
            let mut texts = row.texts.into_iter().flatten();
            let (Some(digest), Some(format), Some(name)) = (texts.next(), texts.next(), texts.next()) else { continue };
            let number = |n: i64| u64::try_from(n).map_err(|e| Error::Value(e.to_string()));
            return Ok(Some(Progress {
                file: FileKey { digest, format },
                size: number(size)?,
                name,
                from: number(lines)?,
                lines: number(lines)?,
                finished: finished == 1,
                grown_from: None,
                first: None,
            }));
        }
        Ok(None)
    }

    /// Deletes the record that a file was read, in whatever format (for `--again`).
    pub async fn forget_ingested(&self, digest: &str) -> Result<()> {
        let mut tx = self.engine.begin().await?;
        let outlines = "SELECT DISTINCT outline FROM sview_file WHERE digest = $1 AND outline IS NOT NULL".to_owned();
        let outlines = tx.rows(outlines, 1, &[digest.to_owned()]).await?;
        for table in ["sview_file", "sview_ingested"] {
            tx.execute_with(format!("DELETE FROM {table} WHERE digest = $1"), &[digest.to_owned()]).await?;
        }
        // The outline of a log that has grown is named by its first generation, and stays as long as one of them.
        for outline in outlines.into_iter().flat_map(|row| row.texts).flatten() {
            let sql = "DELETE FROM sview_outline WHERE outline = $1
                       AND NOT EXISTS (SELECT 1 FROM sview_file AS f WHERE f.outline = sview_outline.outline)";
            tx.execute_with(sql.to_owned(), &[outline]).await?;
        }
        tx.commit().await
    }
}

/// Keeps how far a file was read.
///
/// # Errors
/// [`Error::ReadElsewhere`] when another process has read on in it, [`Error::ReadBeside`] when a file that begins alike was added since
/// [`FirstProgress::as_of`].
pub(crate) async fn keep(tx: &mut dyn Tx, dialect: Dialect, progress: &Progress) -> Result<()> {
    let first = progress.first.as_deref().filter(|_| !progress.file.format.is_empty());
    if let Some(first) = first {
        // If two processes add files at once, the second one must see the first one's.
        if dialect == Dialect::Postgres {
            tx.execute(format!("SELECT pg_advisory_xact_lock({ADDING})")).await?;
        }
        if begins_like_a_new_one(tx, progress, first).await? {
            return Err(Error::ReadBeside(progress.name.clone()));
        }
    }
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
    if kept > 0 && table == FILES {
        let sql = format!("UPDATE {FILES} SET read_at = {} WHERE (digest, format) = ($1, $2)", dialect.now());
        tx.execute_with(sql, &binds[1..]).await?;
    }
    if let Some(earlier) = progress.grown_from.as_ref().filter(|_| kept > 0) {
        // Only one file continues the earlier one, and from now on nobody reads on in that one.
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
    if kept == 0 {
        return Err(Error::ReadElsewhere(progress.name.clone()));
    }
    match first {
        Some(first) => keep_outline(tx, dialect, progress, &first.outline).await,
        None => Ok(()),
    }
}

/// The lock for adding a file, on PostgreSQL: a number that nobody else is likely to use.
const ADDING: i64 = 0x7376_6965_7766;

/// How many steps of an outline are written with one statement: about 3 MB.
const STEPS: usize = 1_000;

/// Returns whether a file of the same format, added since, may begin like this one: both have the same step wherever both have one.
async fn begins_like_a_new_one(tx: &mut dyn Tx, progress: &Progress, first: &FirstProgress) -> Result<bool> {
    let steps = first.outline.steps();
    let sql = format!(
        "SELECT o.digest, o.line FROM sview_file AS f JOIN sview_outline AS o ON o.outline = f.outline
         WHERE f.turn > {} AND f.format = $1 AND f.digest <> $2
           AND o.line = (SELECT max(line) FROM sview_outline AS l WHERE l.outline = f.outline AND l.line <= {})",
        first.as_of,
        steps.last().map_or(0, |step| step.line)
    );
    let rows = tx.rows(sql, 1, &[progress.file.format.clone(), progress.file.digest.clone()]).await?;
    Ok(rows.iter().any(|row| {
        let of = steps.iter().find(|step| i64::try_from(step.line).ok().as_ref() == row.ints.first());
        of.is_some_and(|step| row.texts.first().and_then(Option::as_deref) == Some(step.digest.as_str()))
    }))
}

/// Keeps the outline of a file that was added. A log that has grown goes on with that of its first generation.
async fn keep_outline(tx: &mut dyn Tx, dialect: Dialect, progress: &Progress, outline: &Outline) -> Result<()> {
    let mut name = progress.file.digest.clone();
    if let Some(FileKey { digest, format }) = progress.grown_from.clone() {
        let sql = "SELECT outline FROM sview_file WHERE digest = $1 AND format = $2".to_owned();
        let earlier = tx.rows(sql, 1, &[digest, format]).await?;
        name = earlier.into_iter().find_map(|row| row.texts.into_iter().flatten().next()).unwrap_or(name);
    }
    let FileKey { digest, format } = progress.file.clone();
    let sql = "UPDATE sview_file SET outline = $1, turn = (SELECT coalesce(max(turn), 0) + 1 FROM sview_file)
               WHERE digest = $2 AND format = $3";
    tx.execute_with(sql.to_owned(), &[name.clone(), digest, format]).await?;
    let sql = "SELECT coalesce(max(line), 0) FROM sview_outline WHERE outline = $1".to_owned();
    let known = tx.rows(sql, 0, std::slice::from_ref(&name)).await?;
    let known = known.first().and_then(|row| u64::try_from(*row.ints.first()?).ok()).unwrap_or(0);
    // The lines after the last known step may have become more, and the last one longer.
    let new = &outline.steps()[outline.steps().partition_point(|step| step.line < known)..];
    let each = dialect.json_rows(2);
    for steps in new.chunks(STEPS) {
        let rows: Vec<_> = steps.iter().map(|step| (step.line, &step.digest, &step.tail)).collect();
        let rows = serde_json::to_string(&rows).map_err(|e| Error::Value(e.to_string()))?;
        let sql = format!(
            "INSERT INTO sview_outline (outline, line, digest, tail)
             SELECT $1, CAST(value->>0 AS bigint), value->>1, value->>2 FROM {each} WHERE true
             ON CONFLICT (outline, line) DO UPDATE SET digest = excluded.digest, tail = excluded.tail
             WHERE length(excluded.tail) >= length(sview_outline.tail)"
        );
        tx.execute_with(sql, &[name.clone(), rows]).await?;
    }
    Ok(())
}

/// Returns where a file is kept: the table, the columns of its key, and their values. Files without a format stay in the table of older
/// processes, which know of no formats. So both kinds of processes know of them.
fn table(file: &FileKey) -> (&'static str, &'static str, Vec<String>) {
    let FileKey { digest, format } = file.clone();
    if format.is_empty() {
        ("sview_ingested", "digest", vec![digest])
    } else {
        (FILES, "digest, format", vec![digest, format])
    }
}
