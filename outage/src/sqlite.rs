//! How SQLite files are opened, and how a program goes on after a disk was full, read-only or failing.
//!
//! Two kinds of connections never work again by themselves. SQLite rolls a transaction back when a disk fails, and sqlx still counts
//! it as open. A file that was opened while its filesystem was read-only stays read-only. So every connection that was there when a
//! disk failed is closed before its next use, and a new one is opened.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

use crate::Outage;

/// How an SQLite file is opened: made when missing, write-ahead log, waiting up to 30 s for a busy file.
#[must_use]
pub fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // A power cut may lose the last transactions, never the file's integrity.
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(Duration::from_secs(30))
}

/// A pool that replaces each connection that was open when a disk failed.
#[must_use]
pub fn pool_options() -> SqlitePoolOptions {
    SqlitePoolOptions::new().before_acquire(|connection, about| {
        let usable = !connection.is_in_transaction() && !has_failed_since(about.age);
        Box::pin(std::future::ready(Ok(usable)))
    })
}

/// Notes an error of SQLite: after one of the disk, all pools of [`pool_options`] open new connections.
pub fn note(error: &sqlx::Error) {
    let of_the_file = matches!(error, sqlx::Error::Database(_));
    let failed =
        matches!(Outage::of_sqlx(error), Some(Outage::DiskFull | Outage::Disk | Outage::ReadOnly | Outage::Memory));
    if of_the_file && failed {
        LAST_FAILURE.store(now(), Ordering::Relaxed);
    }
}

/// The time of the last failure of a disk, in milliseconds by [`now`].
static LAST_FAILURE: AtomicI64 = AtomicI64::new(i64::MIN);

/// Milliseconds of a clock that never jumps.
fn now() -> i64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    millis(START.elapsed())
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

fn has_failed_since(age: Duration) -> bool {
    LAST_FAILURE.load(Ordering::Relaxed) >= now().saturating_sub(millis(age))
}

/// Finds out whether a file can be written. It has a connection of its own, so a busy pool does not hold it up.
#[derive(Clone, Debug)]
pub struct Probe {
    path: PathBuf,
    pool: SqlitePool,
    seen: Arc<Mutex<Seen>>,
}

/// The results of earlier looks, in milliseconds by [`now`].
#[derive(Debug, Default)]
struct Seen {
    /// The last time when the disk had space and took it, if nothing has failed since.
    space: Option<i64>,
    /// The time since when others have been writing the file, at every look.
    busy: Option<i64>,
}

/// For how long a disk that had space is not filled again to see whether it has. That syncs a megabyte, and visitors cause looks.
const SPACE_HOLDS: Duration = Duration::from_secs(60);

/// For how long others may be writing the file. Longer is a process that was stopped, or hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// The space that a probe needs on the disk, in bytes: with less, an aggregation is about to fail.
const SPACE: usize = 1 << 20;

impl Probe {
    /// A probe of a file; it opens the file at its first use.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        let pool = pool_options()
            .max_connections(1)
            .acquire_timeout(Duration::from_secs(5))
            .connect_lazy_with(options(path).create_if_missing(false).busy_timeout(Duration::from_millis(200)));
        Self { path: path.to_owned(), pool, seen: Arc::default() }
    }

    /// Writes a page of the file, and a megabyte beside it that is gone at once. The megabyte is written at most once a minute, unless
    /// this or any other connection of the process has met a failure since.
    ///
    /// # Errors
    ///
    /// Those of the disk and of SQLite. A file that somebody else is writing is an error only after a minute of looks.
    pub async fn write(&self) -> Result<(), sqlx::Error> {
        let begun = now();
        // The write-ahead log may have room for a page on a disk that is full. The megabyte's error also describes the fault best.
        let had_space = self.seen().space.is_some_and(|at| holds(at, begun, LAST_FAILURE.load(Ordering::Relaxed)));
        if !had_space {
            self.seen().space = None;
            self.write_beside().await?;
        }
        let error = match self.write_page().await {
            Ok(()) => {
                let mut seen = self.seen();
                seen.busy = None;
                if !had_space {
                    seen.space = Some(begun);
                }
                return Ok(());
            }
            Err(error) => error,
        };
        if !matches!(Outage::of_sqlx(&error), Some(Outage::Busy | Outage::Locked)) {
            self.seen().space = None;
            if had_space {
                self.write_beside().await?;
            }
            return Err(error);
        }
        let mut seen = self.seen();
        if !had_space {
            seen.space = Some(begun);
        }
        let since = *seen.busy.get_or_insert(begun);
        if begun - since > millis(PATIENCE) { Err(error) } else { Ok(()) }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a megabyte beside the file that is gone at once.
    async fn write_beside(&self) -> Result<(), sqlx::Error> {
        let directory = self.path.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let directory = directory.to_owned();
        let beside = move || {
            let mut file = tempfile::tempfile_in(directory)?;
            file.write_all(&vec![0; SPACE])?;
            file.sync_data() // delayed errors come now
        };
        let written = tokio::task::spawn_blocking(beside).await;
        written.map_err(|_| sqlx::Error::WorkerCrashed)?.map_err(sqlx::Error::Io)
    }

    /// Writes the file's version as it is.
    async fn write_page(&self) -> Result<(), sqlx::Error> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *tx).await?;
        tx.execute(sqlx::raw_sql(AssertSqlSafe(format!("PRAGMA user_version = {version}")))).await?;
        tx.commit().await
    }
}

/// Whether a finding at one moment is still believed at another, by [`now`].
fn holds(found: i64, at: i64, failed: i64) -> bool {
    failed < found && at - found < millis(SPACE_HOLDS)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

    use super::*;

    /// A file that was made, and a probe of it.
    async fn probe(directory: &tempfile::TempDir) -> (SqlitePool, Probe) {
        let path = directory.path().join("file.sqlite");
        let pool = pool_options().max_connections(1).connect_with(options(&path)).await.unwrap();
        (pool, Probe::new(&path))
    }

    #[tokio::test]
    async fn a_lock_that_is_held_for_a_minute_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let (pool, probe) = probe(&directory).await;
        let lock = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
        probe.write().await.unwrap();
        let since = probe.seen().busy.unwrap();
        probe.seen().busy = Some(since - millis(PATIENCE) - 1);
        let outage = Outage::of_sqlx(&probe.write().await.unwrap_err()).unwrap();
        assert_eq!(outage.as_str(), "locked by another process");
        lock.rollback().await.unwrap();
        probe.write().await.unwrap();
        assert_eq!(probe.seen().busy, None);
    }

    #[tokio::test]
    async fn space_is_looked_for_once_a_minute_and_after_a_failure() {
        let directory = tempfile::tempdir().unwrap();
        let (_pool, mut probe) = probe(&directory).await;
        probe.write().await.unwrap();
        // Nothing can be written beside the file from now on.
        let well = std::mem::replace(&mut probe.path, directory.path().join("gone/file.sqlite"));
        probe.seen().space = Some(now() + 1); // no earlier failure of this process counts
        probe.write().await.unwrap();
        LAST_FAILURE.store(now() + 1, Ordering::Relaxed);
        assert!(matches!(probe.write().await, Err(sqlx::Error::Io(_))));
        assert!(matches!(probe.write().await, Err(sqlx::Error::Io(_))));
        probe.path = well;
        probe.write().await.unwrap();
        assert!(!holds(0, millis(SPACE_HOLDS), i64::MIN) && holds(0, millis(SPACE_HOLDS) - 1, i64::MIN));
    }
}
