//! Beginning a transaction on a connection of a pool.

use std::fmt::Write as _;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, PgPool, Postgres, SqlSafeStr as _, SqlStr, Transaction};

/// The limits of every transaction, but for those that the address sets (`?options=-c%20lock_timeout%3D0`).
///
/// A process that is suspended in a transaction must not hold locks for ever: the server ends its session. Waiting for a lock ends long
/// before, so that the error can name the lock.
const LIMITS: [(&str, &str); 3] =
    [("idle_in_transaction_session_timeout", "60s"), ("lock_timeout", "15s"), ("statement_timeout", "30min")];

/// Lets a transaction delete any number of rows from compressed chunks: a bucket may be of more than the 100,000 that TimescaleDB allows
/// by default. Does nothing where that setting is not known.
const UNPACK: &str = "SELECT set_config(name, '0', true)
    FROM (VALUES ('timescaledb.max_tuples_decompressed_per_dml_transaction')) AS setting (name)
    WHERE current_setting(name, true) IS NOT NULL";

/// How a transaction begins that writes.
pub(super) fn writing(options: &PgConnectOptions) -> SqlStr {
    AssertSqlSafe(format!("BEGIN{}; {UNPACK}", limits(options))).into_sql_str()
}

/// How a transaction begins that reads one unchanging state.
pub(super) fn reading(options: &PgConnectOptions) -> SqlStr {
    AssertSqlSafe(format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY{}", limits(options))).into_sql_str()
}

fn limits(options: &PgConnectOptions) -> String {
    let words = options.get_options().unwrap_or_default().split_whitespace();
    let said: Vec<String> = words.filter_map(|word| Some(setting(word.split_once('=')?.0))).collect();
    let mut text = String::new();
    for (name, value) in LIMITS.into_iter().filter(|(name, _)| !said.iter().any(|said| said == name)) {
        let _ = write!(text, "; SET LOCAL {name} = '{value}'");
    }
    text
}

/// The setting that an option of the server names, as in `-c lock_timeout=0`, `-clock_timeout=0` and `--lock-timeout=0`.
fn setting(option: &str) -> String {
    let name = option.strip_prefix("--").or_else(|| option.strip_prefix("-c")).unwrap_or(option);
    name.replace('-', "_").to_ascii_lowercase()
}

/// Takes a connection and begins a transaction with `statements`, to its end even when the future is dropped.
///
/// # Errors
/// That of the pool, which gave no connection, or of a statement.
pub(super) async fn begin(pool: &PgPool, statements: SqlStr) -> sqlx::Result<Transaction<'static, Postgres>> {
    // Waiting for a connection may be given up at any point.
    let connection = pool.acquire().await?;
    // sqlx rolls back what it knows to have begun. A BEGIN that was sent, but not answered, is not yet known to it: the connection would
    // go back to the pool within a transaction, and the next one would become part of it. So it is always answered, by a task. Where
    // nobody is left to take it, the task drops the transaction, which rolls it back.
    //
    // All statements go in one message. One that fails leaves the connection in a failed transaction, which is looked at and closed
    // before the connection is used again.
    let begun = tokio::spawn(Transaction::begin(connection, Some(statements)));
    begun.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_set_unless_the_address_sets_it() {
        let all = "; SET LOCAL idle_in_transaction_session_timeout = '60s'; SET LOCAL lock_timeout = '15s'; SET LOCAL statement_timeout = '30min'";
        let but_for_locks =
            "; SET LOCAL idle_in_transaction_session_timeout = '60s'; SET LOCAL statement_timeout = '30min'";
        for (said, set) in [
            ("", all),
            ("-c%20deadlock_timeout%3D2s", all),
            ("-c%20search_path%3Dlock_timeout", all),
            ("-c%20lock_timeout%3D0", but_for_locks),
            ("-clock_timeout%3D0%20-c%20deadlock_timeout%3D2s", but_for_locks),
            ("--Lock-Timeout%3D0", but_for_locks),
        ] {
            let options: PgConnectOptions = format!("postgres://sview@db/x?options={said}").parse().unwrap();
            assert_eq!(limits(&options), set, "{said}");
        }
    }
}
