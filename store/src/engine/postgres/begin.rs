//! Beginning a transaction on a connection of a pool.

use sqlx::{PgPool, Postgres, Transaction};

/// Takes a connection and begins a transaction with `statement`, to its end even when the future is dropped.
///
/// # Errors
/// That of the pool, which gave no connection, or of the statement.
pub(super) async fn begin(pool: &PgPool, statement: &'static str) -> sqlx::Result<Transaction<'static, Postgres>> {
    // Waiting for a connection may be given up at any point.
    let connection = pool.acquire().await?;
    // sqlx rolls back what it knows to have begun. A BEGIN that was sent, but not answered, is not yet known to it: the connection would
    // go back to the pool within a transaction, and the next one would become part of it. So it is always answered, by a task. Where
    // nobody is left to take it, the task drops the transaction, which rolls it back.
    let begun = tokio::spawn(Transaction::begin(connection, Some(sqlx::SqlSafeStr::into_sql_str(statement))));
    begun.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
}
