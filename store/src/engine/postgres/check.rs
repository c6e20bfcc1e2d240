//! Looking at a connection of a pool before it is used again.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnectionMetadata;
use sqlx::{Executor as _, PgConnection, Row as _};
use tokio::time::timeout;

/// How long a server may take to answer. One that is gone without a word would keep each connection for the whole wait.
pub(super) const ANSWER: Duration = Duration::from_secs(5);

/// For how long a read-only connection is kept. Pages go on reading from a server that stays read-only, and do not connect for each
/// statement.
const READ_ONLY: Duration = Duration::from_secs(1);

/// For how long a timeline holds on a connection that stays. Behind a pooler the server may be another one by then.
const HOLDS: Duration = Duration::from_secs(5);

/// Whether a session takes no writes, and the timeline of a server that does: eight hexadecimal digits.
const TIMELINE: &str = "SELECT current_setting('transaction_read_only'), CASE current_setting('transaction_read_only')
    WHEN 'off' THEN substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END";

/// The codes of errors by which a server says that it does not tell its timeline, now or ever: `insufficient_privilege`,
/// `undefined_function`, `feature_not_supported`, and `object_not_in_prerequisite_state`.
const UNTOLD: [&str; 4] = ["42501", "42883", "0A000", "55000"];

/// The server's history, as its connections report it. Shared by all pools to one database.
#[derive(Clone, Debug, Default)]
pub(super) struct History(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    timeline: AtomicI64,
    asked: Mutex<Option<Instant>>,
    /// The server does not report its timeline, as some that only resemble PostgreSQL.
    untold: AtomicBool,
}

impl History {
    /// Returns the offset that sets apart the numbers of one history from those of another. It is 0 on the first timeline. PostgreSQL
    /// begins a new timeline with each promotion. Commits that were lost by then were on the old one alone.
    ///
    /// `None` while only read-only sessions were seen. A server that tells no timeline is taken to have one.
    pub(super) fn era(&self) -> Option<i64> {
        match self.0.timeline.load(Ordering::Relaxed) {
            0 if self.0.untold.load(Ordering::Relaxed) => Some(0),
            0 => None,
            timeline => Some((timeline - 1).max(0) << 32),
        }
    }

    /// Returns whether a connection can be used. It cannot when its server does not answer.
    ///
    /// It cannot either when its server takes no writes, such as a demoted primary. The same address may lead to another primary by now,
    /// which only a new connection reaches.
    pub(super) async fn is_usable(&self, connection: &mut PgConnection, meta: PoolConnectionMetadata) -> bool {
        // Takes the place of sqlx' own ping, so that it costs no round trip.
        let asked = *self.0.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.0.untold.load(Ordering::Relaxed) || asked.is_some_and(|at| at.elapsed() < HOLDS);
        let answer = async { if known { is_read_only(connection).await } else { self.look(connection).await } };
        let read_only = match timeout(ANSWER, answer).await {
            Ok(Ok(read_only)) => read_only,
            Ok(Err(error)) => {
                tracing::debug!(%error, "dropped a connection to PostgreSQL that was lost; a new one takes its place");
                return false;
            }
            Err(_) => {
                tracing::debug!("dropped a connection to PostgreSQL that does not answer; a new one takes its place");
                return false;
            }
        };
        if read_only && meta.age >= READ_ONLY {
            tracing::debug!("dropped a connection to a read-only PostgreSQL; a new one may lead to the primary server");
            return false;
        }
        true
    }

    /// Notes the timeline of the server; returns whether it takes no writes.
    pub(super) async fn look(&self, connection: &mut PgConnection) -> sqlx::Result<bool> {
        let row = match connection.fetch_one(TIMELINE).await {
            Ok(row) => row,
            Err(error) if is_untold(&error) => {
                tracing::debug!(%error, "PostgreSQL does not tell its timeline");
                self.0.untold.store(true, Ordering::Relaxed);
                return is_read_only(connection).await;
            }
            Err(error) => return Err(error),
        };
        if let Some(timeline) = row.try_get::<Option<&str>, _>(1)?.and_then(|text| i64::from_str_radix(text, 16).ok()) {
            self.0.timeline.store(timeline, Ordering::Relaxed);
            *self.0.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        Ok(row.try_get::<&str, _>(0)? == "on")
    }
}

fn is_untold(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| UNTOLD.contains(&code.as_ref()))
}

async fn is_read_only(connection: &mut PgConnection) -> sqlx::Result<bool> {
    Ok(connection.fetch_one("SHOW transaction_read_only").await?.try_get::<&str, _>(0)? == "on")
}
