//! Bringing the schema of a database up to date: the one migrator, for reports on both servers and for the cache's file.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use outage::{private_database, restrict};
use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::SqlitePool;

use crate::{Error, Result};

/// A migration: its number, its name, and its SQL, which is a text of the program.
pub(crate) type Step = (i64, &'static str, &'static str);

/// Returns a migrator that applies these steps.
pub(super) fn migrator(migrations: &[Step]) -> Migrator {
    let list = migrations.iter().map(|(version, name, sql)| {
        Migration::new(*version, (*name).into(), MigrationType::Simple, (*sql).into_sql_str(), false)
    });
    let mut migrator = Migrator::with_migrations(list.collect());
    // Not the default name: the database may belong to other programs as well.
    migrator.dangerous_set_table_name("sview_migrations");
    // An older sview goes on working while a newer one has migrated already.
    migrator.set_ignore_missing(true);
    migrator
}

/// Migrates an SQLite file. Other processes that want to do the same wait: SQLite itself has no lock that spans migrations.
pub(crate) async fn migrate_file(path: &Path, pool: &SqlitePool, migrations: &[Step]) -> Result<()> {
    let mut lock_path = path.as_os_str().to_owned();
    lock_path.push(".migrating");
    let lock_path = PathBuf::from(lock_path);
    let database = path.to_owned();
    let lock = tokio::task::spawn_blocking(move || -> std::io::Result<std::fs::File> {
        if let Some(directory) = lock_path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        private_database(&database)?;
        // A link that somebody put there must not have a file emptied elsewhere.
        let no_link = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
        let mut options = std::fs::File::options();
        let file = options.create(true).truncate(false).write(true).custom_flags(no_link).open(&lock_path)?;
        restrict(&lock_path, 0o600)?;
        file.lock()?; // freed when the file is closed, by a kill too
        Ok(file)
    });
    let lock = lock.await.map_err(|e| Error::Value(e.to_string()))?.map_err(sqlx::Error::Io)?;
    migrator(migrations).run(pool).await?;
    drop(lock);
    Ok(())
}
