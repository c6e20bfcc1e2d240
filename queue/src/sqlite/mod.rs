//! The ledger as an SQLite file of the embedded default. Several processes may have it open; one writes at a time.

mod administration;
mod inspection;
mod job_queue;
mod maintenance;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use chrono::{DateTime, Utc};
use outage::sqlite::{self, Probe};
use sqlx::sqlite::{SqliteConnection, SqlitePool, SqliteRow};
use sqlx::{Executor as _, Row as _, Sqlite, Transaction};

use crate::LedgerSettings;
use crate::ledger::HOUR;
use crate::notifier::Notifier;
use crate::record::Reader;
use crate::run_times::{Run, bucket};
use crate::wall_clock::moment;
use crate::{AttemptError, QueueName, Record, State};
use crate::{Error, Result};

/// A ledger in an SQLite file.
#[derive(Clone, Debug)]
pub struct SqliteLedger {
    /// One connection: writers of this process wait here, in turn, and not in SQLite's busy loop.
    writer: SqlitePool,
    readers: SqlitePool,
    probe: Probe,
    settings: LedgerSettings,
    reader: Reader,
    notifier: Notifier,
    ended: Arc<AtomicU32>,
    /// The file, for people.
    place: Arc<str>,
}

/// The schema's versions, oldest first; `PRAGMA user_version` says how many of them a file has.
const SCHEMA: &[&str] = &[
    include_str!("../../migrations/0001_ledger.sql"),
    include_str!("../../migrations/0002_actions.sql"),
    include_str!("../../migrations/0003_hours.sql"),
    include_str!("../../migrations/0004_on_demand.sql"),
    include_str!("../../migrations/0005_processes.sql"),
    include_str!("../../migrations/0006_runs.sql"),
];

/// In place of a bucket's number: how many attempts ended well, how many failed, and the longest in milliseconds.
const RUNS_DONE: i64 = -1;
const RUNS_FAILED: i64 = -2;
const LONGEST_RUN: i64 = -3;

/// The columns of a record.
const RECORD: &str = "id, name, queue, key, payload, words, cause, state, attempts, max_attempts, created_at, run_at, \
                      started_at, finished_at, worker, errors, cancel_asked";

impl SqliteLedger {
    /// Opens the file, made when missing, and brings its schema up to date. `queues` are all its queues, most urgent first.
    ///
    /// # Errors
    /// When the file cannot be opened, or was written by a later version.
    pub async fn open(path: &Path, queues: &[QueueName], settings: LedgerSettings) -> Result<Self> {
        let file = path.to_owned();
        let private = tokio::task::spawn_blocking(move || outage::private_database(&file)).await;
        private.unwrap_or_else(|error| Err(std::io::Error::other(error))).map_err(sqlx::Error::Io)?;
        let options = sqlite::options(path);
        let pool = |connections| {
            sqlite::pool_options()
                .max_connections(connections)
                .min_connections(1)
                .idle_timeout(None)
                .max_lifetime(None)
                .acquire_timeout(Duration::from_secs(30))
        };
        let writer = pool(1).connect_with(options.clone()).await?;
        let ledger = Self {
            readers: pool(3).connect_lazy_with(options),
            probe: Probe::new(path),
            writer,
            reader: Reader { queues: queues.into(), show_words: settings.show_words },
            settings,
            notifier: Notifier::default(),
            ended: Arc::default(),
            place: std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string().into(),
        };
        ledger.migrate().await?;
        Ok(ledger)
    }

    /// In a transaction that holds the file's write lock: of processes that start at once, one migrates.
    async fn migrate(&self) -> Result<()> {
        let mut tx = self.begin().await?;
        let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *tx).await?;
        let known = i64::try_from(SCHEMA.len()).unwrap_or(i64::MAX);
        if found > known {
            return Err(Error::Schema { found, known });
        }
        for (version, script) in (1..).zip(SCHEMA).filter(|(version, _)| *version > found) {
            tx.execute(sqlx::raw_sql(*script)).await?;
            tx.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(format!("PRAGMA user_version = {version}")))).await?;
        }
        Ok(tx.commit().await?)
    }

    /// A transaction that has the write lock from its beginning, so that it never fails half-way for want of it.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Now, by the machine's clock, in milliseconds.
    fn now(&self) -> i64 {
        self.settings.clock.machine_millis()
    }
}

/// Reads the columns of [`RECORD`].
fn record(row: &SqliteRow, reader: &Reader) -> Result<Record> {
    let text = |column| row.try_get::<String, _>(column);
    let at = |column| Ok::<_, sqlx::Error>(moment(row.try_get(column)?));
    let maybe = |column| Ok::<Option<DateTime<Utc>>, sqlx::Error>(row.try_get::<Option<i64>, _>(column)?.map(moment));
    let number = |column| Ok::<_, sqlx::Error>(u32::try_from(row.try_get::<i64, _>(column)?).unwrap_or(u32::MAX));
    Ok(Record {
        id: text("id")?.parse().map_err(|_| Error::Record("an id that is no ULID".into()))?,
        name: text("name")?,
        queue: reader.queue(&text("queue")?)?,
        key: text("key")?,
        payload: text("payload")?,
        words: (reader.show_words)(&text("name")?, &text("payload")?, text("words")?),
        cause: text("cause")?,
        state: text("state")?.parse()?,
        attempts: number("attempts")?,
        max_attempts: number("max_attempts")?,
        created_at: at("created_at")?,
        run_at: at("run_at")?,
        started_at: maybe("started_at")?,
        finished_at: maybe("finished_at")?,
        worker: row.try_get("worker")?,
        errors: AttemptError::read_lines(&text("errors")?),
        cancel_asked: row.try_get("cancel_asked")?,
    })
}

/// Adds the error of an attempt to a record; only the last 20 are kept.
async fn note_error(connection: &mut SqliteConnection, id: &str, at: i64, message: &str) -> Result<()> {
    let row =
        sqlx::query("SELECT attempts, errors FROM job WHERE id = ?1").bind(id).fetch_one(&mut *connection).await?;
    let attempt = u32::try_from(row.try_get::<i64, _>("attempts")?).unwrap_or(u32::MAX);
    let mut errors = AttemptError::read_lines(&row.try_get::<String, _>("errors")?);
    errors.push(AttemptError::new(attempt, at, message));
    let surplus = errors.len().saturating_sub(20);
    let mut lines = String::new();
    for error in &errors[surplus..] {
        lines.push_str(&serde_json::to_string(error)?);
        lines.push('\n');
    }
    sqlx::query("UPDATE job SET errors = ?2 WHERE id = ?1").bind(id).bind(lines).execute(connection).await?;
    Ok(())
}

/// Counts an attempt of a job that ends now, and how long it took, where `timed`.
async fn count_run(connection: &mut SqliteConnection, id: &str, run: Run, now: i64, timed: bool) -> Result<()> {
    let row =
        sqlx::query("SELECT name, started_at FROM job WHERE id = ?1").bind(id).fetch_one(&mut *connection).await?;
    let (name, started): (String, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
    let ended = match run {
        Run::Done => RUNS_DONE,
        Run::Failed => RUNS_FAILED,
    };
    let mut counted = vec![(ended, 1)];
    if let Some(started) = started.filter(|_| timed) {
        let ran = (now - started).max(0);
        counted.extend([(bucket(u64::try_from(ran).unwrap_or(0)).into(), 1), (LONGEST_RUN, ran)]);
    }
    for (bucket, count) in counted {
        sqlx::query(
            "INSERT INTO run_hour (hour, name, bucket, count) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (hour, name, bucket) DO UPDATE
             SET count = CASE WHEN bucket = ?5 THEN max(count, excluded.count) ELSE count + 1 END",
        )
        .bind(now.div_euclid(HOUR))
        .bind(&name)
        .bind(bucket)
        .bind(count)
        .bind(LONGEST_RUN)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Ends a job. Its new state frees the claim. The note that the key's last job is dead is written or deleted.
async fn end(connection: &mut SqliteConnection, id: &str, key: &str, state: State, at: i64) -> Result<()> {
    sqlx::query("UPDATE job SET state = ?2, finished_at = ?3, token = NULL, cancel_asked = 0 WHERE id = ?1")
        .bind(id)
        .bind(state.as_str())
        .bind(at)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "INSERT INTO ended_hour (hour, queue, state, count) SELECT ?2, queue, state, 1 FROM job WHERE id = ?1
         ON CONFLICT (hour, queue, state) DO UPDATE SET count = count + 1",
    )
    .bind(id)
    .bind(at.div_euclid(HOUR))
    .execute(&mut *connection)
    .await?;
    match state {
        State::Done => {
            sqlx::query("DELETE FROM failure WHERE key = ?1").bind(key).execute(connection).await?;
        }
        State::Dead => {
            let sql = "INSERT INTO failure (key, at) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET at = excluded.at";
            sqlx::query(sql).bind(key).bind(at).execute(connection).await?;
        }
        _ => {}
    }
    Ok(())
}
