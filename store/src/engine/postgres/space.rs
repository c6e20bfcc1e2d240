//! Whether PostgreSQL's disk has space: what this process' own statements met, and a probe that takes space for a moment.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::{Executor as _, PgConnection, Postgres, Transaction};

use crate::{Error, Outage, Result};
use outage::without_noise;

/// For how long a disk that had space is taken to have it, and a failure counts that no write has followed. Visitors cause looks, so
/// not each of them may write.
const HOLDS: Duration = Duration::from_secs(60);

/// Takes a megabyte of the database's own disk until the transaction ends. No row is written ahead to the log, and nothing stays.
/// A page that is filled to a tenth takes some of these rows, which are too short for a table of long values beside it.
const PROBE: &str = "SET LOCAL temp_tablespaces = '';
    CREATE TEMPORARY TABLE sview_space (filler name) WITH (fillfactor = 10) ON COMMIT DROP;
    INSERT INTO sview_space SELECT 'x' FROM generate_series(1, 1200)";

/// The last statement of this process that PostgreSQL's disk refused, unless a write has succeeded since.
static FAILURE: Mutex<Option<Failure>> = Mutex::new(None);

/// The last time when a statement of this process met a disk that was full or failing.
static LAST: Mutex<Option<Instant>> = Mutex::new(None);

#[derive(Clone, Debug)]
struct Failure {
    at: Instant,
    outage: Outage,
    error: String,
}

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes an error of PostgreSQL, if it is one of the disk.
pub(crate) fn note(error: &sqlx::Error) {
    let of_postgres = matches!(error, sqlx::Error::Database(error) if error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some());
    let Some(outage @ (Outage::DiskFull | Outage::Disk)) = Outage::of_sqlx(error).filter(|_| of_postgres) else {
        return;
    };
    let at = Instant::now();
    *lock(&LAST) = Some(at);
    *lock(&FAILURE) = Some(Failure { at, outage, error: without_noise(error) });
}

/// Whether the disk has refused a statement, and no write has succeeded since.
pub(super) fn has_failed() -> bool {
    lock(&FAILURE).is_some()
}

/// Notes a write that was committed.
pub(super) fn written() {
    *lock(&FAILURE) = None;
}

/// The results of earlier probes.
#[derive(Clone, Debug, Default)]
pub(super) struct Space {
    /// The last time when the disk had space.
    found: Arc<Mutex<Option<Instant>>>,
}

impl Space {
    /// Finds out whether the disk has space, in a transaction that it rolls back. Writes once a minute at most, but for the time after a
    /// failure.
    ///
    /// # Errors
    ///
    /// That of the probe. Or that of the last statement of this process that the disk refused, for a minute, until a write succeeds.
    pub(super) async fn check(&self, mut tx: Transaction<'_, Postgres>) -> Result<()> {
        let begun = Instant::now();
        if let Some(failure) = lock(&FAILURE).clone().filter(|failure| begun - failure.at < HOLDS) {
            return Err(Error::Refused { outage: failure.outage, error: failure.error });
        }
        let last = *lock(&LAST);
        let holds = |found: Instant| begun - found < HOLDS && last.is_none_or(|last| last < found);
        if (*lock(&self.found)).is_some_and(holds) {
            return Ok(tx.rollback().await?);
        }
        let taken = take(&mut tx).await;
        // A user that may make no temporary table has no probe.
        match taken {
            Err(error) if Outage::of_sqlx(&error).is_some() => {
                // Not noted as a failure, since the next look probes again.
                return Err(Error::Database(error));
            }
            Err(error) => tracing::debug!(%error, "could not determine the free space on PostgreSQL's disk"),
            Ok(()) => {}
        }
        tx.rollback().await?;
        *lock(&self.found) = Some(begun);
        Ok(())
    }
}

async fn take(connection: &mut PgConnection) -> sqlx::Result<()> {
    connection.execute(sqlx::raw_sql(PROBE)).await.map(drop)
}
