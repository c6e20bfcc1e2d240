//! Bringing the schema up to date in transactions alone, so that a pooler which gives each of them another session may stand between.
//!
//! sqlx' migrator holds a lock of its session, and prepares statements that have names. A pooler would leave both to the next client of
//! that session. The table is the one that sqlx writes, so an older sview goes on where this ended, and the reverse.

use std::collections::HashMap;
use std::time::Instant;

use sqlx::migrate::{MigrateError, Migration, Migrator};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};

use crate::Result;

/// Each statement sees what other processes committed before it. `default_transaction_isolation` may be another level, whose snapshot would
/// be older than the lock.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// Processes that migrate at once take turns with each step. An older sview takes sqlx' lock, which is another one.
const TURN: &str = "SELECT pg_advisory_xact_lock(hashtext('sview_migrations'));
    CREATE TABLE IF NOT EXISTS sview_migrations (
      version bigint PRIMARY KEY,
      description text NOT NULL,
      installed_on timestamptz NOT NULL DEFAULT now(),
      success boolean NOT NULL,
      checksum bytea NOT NULL,
      execution_time bigint NOT NULL -- nanoseconds
    )";

/// Carries out the steps that are missing, each in a transaction of its own.
///
/// # Errors
/// That of a step, with its number; or that a step was another one when it was carried out.
pub(super) async fn migrate(connection: &mut PgConnection, migrator: &Migrator) -> Result<()> {
    let table = connection.fetch_one("SELECT to_regclass('sview_migrations') IS NOT NULL").await?;
    let known = if table.try_get(0)? { carried_out(connection).await? } else { HashMap::new() };
    for step in migrator.iter() {
        if is_done(step, &known)? {
            continue;
        }
        let begun = Instant::now();
        let mut tx = connection.begin_with(BEGIN).await?;
        tx.execute(TURN).await?;
        // Another process may have been faster.
        if !is_done(step, &carried_out(&mut tx).await?)? {
            let failed = |error| MigrateError::ExecuteMigration(error, step.version);
            tx.execute(step.sql.clone()).await.map_err(failed)?;
            // Every word is the program's own.
            let noted = format!(
                "INSERT INTO sview_migrations (version, description, success, checksum, execution_time)
                 VALUES ({}, '{}', true, decode('{}', 'hex'), {})",
                step.version,
                step.description,
                hex(&step.checksum),
                begun.elapsed().as_nanos()
            );
            tx.execute(AssertSqlSafe(noted)).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}

/// The checksums of the steps that were carried out, in hex, by their numbers.
async fn carried_out(connection: &mut PgConnection) -> sqlx::Result<HashMap<i64, String>> {
    let rows = connection.fetch_all("SELECT version, encode(checksum, 'hex') FROM sview_migrations").await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

fn is_done(step: &Migration, known: &HashMap<i64, String>) -> Result<bool, MigrateError> {
    match known.get(&step.version) {
        Some(checksum) if *checksum == hex(&step.checksum) => Ok(true),
        Some(_) => Err(MigrateError::VersionMismatch(step.version)),
        None => Ok(false),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
