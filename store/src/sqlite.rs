//! How sview opens its SQLite files, and how it goes on after a disk was full, read-only or failing.
//!
//! Two kinds of connections never work again by themselves. SQLite rolls a transaction back when a disk fails, and sqlx still counts
//! it as open. A file that was opened while its filesystem was read-only stays read-only. So every connection that was there when a
//! disk failed is closed before its next use, and a new one is opened.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

use crate::outage::Outage;

/// How every SQLite file of sview is opened: made when missing, write-ahead log, waiting up to 30 s for a busy file.
#[must_use]
pub fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // A power cut may lose the last transactions, never the file's integrity; aggregation and ingest resume by watermarks.
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

/// Notes an error of SQLite: after one of the disk, all pools of [`pool_options`] open their connections anew.
pub fn note(error: &sqlx::Error) {
    let of_the_file = matches!(error, sqlx::Error::Database(_));
    let failed =
        matches!(Outage::of_sqlx(error), Some(Outage::DiskFull | Outage::Disk | Outage::ReadOnly | Outage::Memory));
    if of_the_file && failed {
        LAST_FAILURE.store(now(), Ordering::Relaxed);
    }
}

/// When a disk failed last, in milliseconds by [`now`].
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
}

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
        Self { path: path.to_owned(), pool }
    }

    /// Writes a page of the file, and a megabyte beside it that is gone at once.
    ///
    /// # Errors
    ///
    /// Those of the disk and of SQLite. A file that somebody else is writing is no error.
    pub async fn write(&self) -> Result<(), sqlx::Error> {
        // The write-ahead log may have room for a page on a disk that is full. Its error also says best what is wrong.
        let directory = self.path.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let directory = directory.to_owned();
        let beside = move || {
            let mut file = tempfile::tempfile_in(directory)?;
            file.write_all(&vec![0; SPACE])?;
            file.sync_data() // delayed errors come now
        };
        let written = tokio::task::spawn_blocking(beside).await;
        written.map_err(|_| sqlx::Error::WorkerCrashed)?.map_err(sqlx::Error::Io)?;
        match self.write_page().await {
            Err(error) if Outage::of_sqlx(&error) == Some(Outage::Busy) => Ok(()),
            written => written,
        }
    }

    /// Writes the file's version as it is.
    async fn write_page(&self) -> Result<(), sqlx::Error> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *tx).await?;
        tx.execute(sqlx::raw_sql(AssertSqlSafe(format!("PRAGMA user_version = {version}")))).await?;
        tx.commit().await
    }
}
