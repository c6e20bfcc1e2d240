//! The differences between PostgreSQL and SQLite: spelling, transactions, bulk insertion. Everything else is written once, above.
//!
//! SQL made here holds words of sview's own enumerations and integers only. Values from outside are always bound.

mod migrate;
mod postgres;
mod sqlite;
mod statements;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sview_model::{Batch, Kind, Precision};

pub(crate) use migrate::migrate_file;
pub(crate) use postgres::{Postgres, note as note_postgres};
pub(crate) use sqlite::{Sqlite, options as sqlite_options};

use crate::{Error, Result};

/// Microseconds since 1970-01-01 UTC: the unit of time between this crate's SQL and its Rust.
pub(crate) type Micros = i64;

/// A row of a resource query: text columns first, then integers.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) texts: Vec<Option<String>>,
    pub(crate) ints: Vec<i64>,
}

/// The most text columns of a query whose rows are visited.
pub(crate) const TEXTS: usize = 4;

/// Visits each row: its text columns, then its integers.
pub(crate) type Visit<'a> = &'a mut (dyn FnMut(&[Option<&str>], &[i64]) -> Result<()> + Send);

/// Visits each written tally: its bucket's start, and its bytes.
pub(crate) type VisitTally<'a> = &'a mut (dyn FnMut(Micros, &[u8]) -> Result<()> + Send);

/// A session that holds the lock of an aggregation.
#[derive(Debug, Clone)]
pub(crate) struct Holder {
    pub(crate) kind: String,
    pub(crate) precision: String,
    /// The session and its activity, for people.
    pub(crate) words: String,
    /// The start of its transaction, and the longest time for which it may have held the lock.
    pub(crate) since: Micros,
    pub(crate) held: Duration,
}

/// A database of reports.
#[async_trait]
pub(crate) trait Engine: Send + Sync + 'static {
    /// How it spells things.
    fn dialect(&self) -> Dialect;
    /// Brings the schema up to date.
    async fn migrate(&self) -> Result<()>;
    /// Whether sview's tables are there, or were made once. Makes nothing.
    async fn exists(&self) -> Result<bool>;
    /// Returns the location, for people: a file, or a server and a database without the password.
    fn place(&self) -> String;
    /// An error when it cannot be reached, or takes no writes. Waits for no connection that others use.
    async fn ping(&self) -> Result<()>;
    /// The same database through other connections, `connections` at the most.
    fn apart(&self, connections: u32) -> Arc<dyn Engine>;
    /// A transaction that may write; it sees what others commit meanwhile (PostgreSQL) or keeps them out (SQLite).
    async fn begin(&self) -> Result<Box<dyn Tx>>;
    /// A transaction that reads one unchanging state.
    async fn snapshot(&self) -> Result<Box<dyn Tx>>;
    /// Returns the sessions that hold the locks of aggregations now. None if the database does not show them.
    async fn holders(&self) -> Result<Vec<Holder>> {
        Ok(Vec::new())
    }
    /// Ends the sessions that hold the lock of an aggregation and have waited for their client in a transaction of at least `age`.
    async fn end_suspended(&self, kind: Kind, precision: Precision, age: Duration) -> Result<()> {
        let _ = (kind, precision, age);
        Ok(())
    }
}

/// The SQL requests to an open transaction. A macro in `statements.rs` writes them for each engine.
#[async_trait]
pub(crate) trait Statements: Send {
    /// Runs one statement; returns the number of rows changed.
    async fn execute(&mut self, sql: String) -> Result<u64>;
    /// Runs one statement with text parameters; returns the number of rows changed.
    async fn execute_with(&mut self, sql: String, binds: &[String]) -> Result<u64>;
    /// The integer columns of a query.
    async fn ints(&mut self, sql: String) -> Result<Vec<Vec<Option<i64>>>>;
    /// A query with text parameters that gives `texts` text columns and then integers.
    async fn rows(&mut self, sql: String, texts: usize, binds: &[String]) -> Result<Vec<Row>>;
    /// The bytes that a query gives; `None` when it gives no row.
    async fn blob(&mut self, sql: String) -> Result<Option<Vec<u8>>>;
    /// Visits the rows of a query, which gives `texts` text columns (at most [`TEXTS`]) and then integers, without keeping them.
    async fn each(&mut self, sql: String, texts: usize, visit: Visit<'_>) -> Result<()>;
    /// Visits the written tallies of buckets in `[start, finish)`, in the order of their buckets.
    async fn each_tally(
        &mut self,
        kind: Kind,
        precision: Precision,
        span: (Micros, Micros),
        visit: VisitTally<'_>,
    ) -> Result<()>;
}

/// An open transaction; dropped without [`Tx::commit`] it changes nothing.
#[async_trait]
pub(crate) trait Tx: Statements {
    /// A number to be added to each revision and generation that others remember. It is another one after PostgreSQL has lost commits by
    /// a promotion, when the same revision may come a second time with other rows.
    ///
    /// It is the latest one that any connection of the process saw, so it may be newer than the session of this transaction. It is 0 while
    /// it is not known.
    fn era(&self) -> i64 {
        0
    }
    /// Returns whether the era is known. A process that has only seen read-only sessions does not know it. Its revisions cannot be compared
    /// with those of others.
    fn knows_era(&self) -> bool {
        true
    }
    /// Writes tallies, in place of those that there are.
    async fn put_tallies(&mut self, kind: Kind, precision: Precision, tallies: &[(Micros, Vec<u8>)]) -> Result<()>;
    /// Adds the reports of a batch, and the identities that they need; nothing else.
    async fn insert(&mut self, batch: &Batch) -> Result<()>;
    /// Commits the transaction.
    async fn commit(self: Box<Self>) -> Result<()>;
}

/// Limits each statement from now on to the end of a transaction; zero lifts the limit. On SQLite nothing limits them.
pub(crate) async fn limit_statements(tx: &mut dyn Tx, dialect: Dialect, limit: Duration) -> Result<()> {
    if dialect == Dialect::Postgres {
        tx.execute(format!("SET LOCAL statement_timeout = {}", limit.as_millis())).await?;
    }
    Ok(())
}

/// Returns the error of a pool that gave no connection. A pool whose connections are all in use says nothing about the server.
fn no_connection<D: sqlx::Database>(pool: &sqlx::Pool<D>, error: sqlx::Error) -> Error {
    let most = pool.options().get_max_connections();
    match error {
        sqlx::Error::PoolTimedOut if pool.size() >= most && pool.num_idle() == 0 => Error::Busy(most),
        error => error.into(),
    }
}

/// How an engine spells things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Postgres,
    Sqlite,
}

impl Dialect {
    /// A moment, to be compared with a `time` column.
    pub(crate) fn time(self, at: Micros) -> String {
        match self {
            Self::Postgres => format!("(timestamptz 'epoch' + {at} * interval '1 microsecond')"),
            Self::Sqlite => at.to_string(),
        }
    }

    /// A `time` expression as [`Micros`].
    pub(crate) fn micros(self, time: &str) -> String {
        match self {
            // date_part() gives a double, which distinguishes microseconds until the year 2200, and is rounded to the next of them;
            // extract() would give a numeric, which is slow.
            Self::Postgres => format!("(date_part('epoch', {time}) * 1000000)::bigint"),
            Self::Sqlite => time.to_owned(),
        }
    }

    /// Returns the SQL for the database's time, as [`Micros`].
    pub(crate) fn now(self) -> &'static str {
        match self {
            Self::Postgres => "(date_part('epoch', clock_timestamp()) * 1000000)::bigint",
            Self::Sqlite => "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
        }
    }

    /// The start of the bucket of `width` that a `time` expression falls into, as a `time`.
    pub(crate) fn bucket(self, time: &str, width: Micros) -> String {
        match self {
            Self::Postgres => {
                format!("date_bin({} * interval '1 second', {time}, timestamptz 'epoch')", width / 1_000_000)
            }
            Self::Sqlite => format!("({time} - {time} % {width})"),
        }
    }

    /// The number, from 0, of the window of `width` since `start` that a `time` expression falls into.
    pub(crate) fn window(self, time: &str, start: Micros, width: Micros) -> String {
        format!("(({} - {start}) / {width})", self.micros(time))
    }

    /// The n-th text parameter, from 1.
    pub(crate) fn bind(self, n: usize) -> String {
        match self {
            Self::Postgres => format!("${n}"),
            Self::Sqlite => format!("?{n}"),
        }
    }

    /// The n-th text parameter as an address.
    pub(crate) fn bind_ip(self, n: usize) -> String {
        match self {
            Self::Postgres => format!("${n}::inet"),
            Self::Sqlite => format!("?{n}"),
        }
    }

    /// The elements of the n-th text parameter, a JSON array, as rows with the column `value`.
    pub(crate) fn json_rows(self, n: usize) -> String {
        match self {
            Self::Postgres => format!("jsonb_array_elements(${n}::jsonb) AS each (value)"),
            Self::Sqlite => format!("json_each(?{n})"),
        }
    }

    /// A column of an enumeration, number or address as text.
    pub(crate) fn text(self, column: &str) -> String {
        match self {
            Self::Postgres if column == "ip" => "host(ip)".to_owned(),
            Self::Postgres => format!("{column}::text"),
            Self::Sqlite => format!("CAST({column} AS TEXT)"),
        }
    }

    /// How texts are put in the order of their bytes.
    pub(crate) fn byte_order(self) -> &'static str {
        match self {
            Self::Postgres => "COLLATE \"C\"",
            Self::Sqlite => "COLLATE BINARY",
        }
    }

    /// The function that gives the greatest of its values.
    pub(crate) fn greatest(self) -> &'static str {
        match self {
            Self::Postgres => "greatest",
            Self::Sqlite => "max",
        }
    }

    /// The function that gives the least of its values.
    pub(crate) fn least(self) -> &'static str {
        match self {
            Self::Postgres => "least",
            Self::Sqlite => "min",
        }
    }

    /// Returns the SQL that locks the selected row against other writers until the transaction ends.
    pub(crate) fn for_update(self) -> &'static str {
        match self {
            Self::Postgres => "FOR UPDATE",
            Self::Sqlite => "", // the only writer already
        }
    }
}

/// The table of a kind at a precision.
pub(crate) fn table(kind: Kind, precision: Precision) -> String {
    match precision {
        Precision::Native => kind.to_string(),
        _ => format!("{kind}_{precision}"),
    }
}

/// Returns the columns that identify a row of a kind, besides `time` and `raw_count`.
pub(crate) fn columns(kind: Kind) -> &'static str {
    match kind {
        Kind::Incidents => "identity_id, trap, action, ip, country",
        Kind::Passwords => "username, password",
        Kind::Ports => "port, protocol",
    }
}
