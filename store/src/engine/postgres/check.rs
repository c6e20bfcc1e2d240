//! Looking at a connection of a pool before it is used again.

use std::time::Duration;

use sqlx::pool::PoolConnectionMetadata;
use sqlx::{Executor as _, PgConnection, Row as _};
use tokio::time::timeout;

/// How long a server may take to answer. One that is gone without a word would keep each connection for the whole wait.
const ANSWER: Duration = Duration::from_secs(5);

/// For how long a connection that takes no writes is kept: pages go on reading from a server that stays read-only, and do not connect for
/// each statement.
const READ_ONLY: Duration = Duration::from_secs(1);

/// Returns whether a connection can be used. It cannot when its server does not answer.
///
/// It cannot either when its server takes no writes, as a primary does after it was demoted: behind the same address there may be another
/// primary by now, which only a new connection reaches.
pub(super) async fn is_usable(connection: &mut PgConnection, meta: PoolConnectionMetadata) -> bool {
    // Takes the place of sqlx' own ping, so that it costs no round trip.
    let answer = timeout(ANSWER, connection.fetch_one("SHOW transaction_read_only")).await;
    let read_only = match answer {
        Ok(Ok(row)) => row.try_get::<String, _>(0).is_ok_and(|value| value == "on"),
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
