//! Fresh deployments for tests: one text runs over both ways to deploy sview.
//!
//! `tests/run.sh` starts the servers and says where they are. Where it did not, a test over them fails: nothing is skipped.
#![allow(clippy::expect_used, clippy::panic)] // a panic here is the report of a test that cannot run

mod addresses;
mod browser;
mod chance;
mod compare;
mod disk;
mod feed;
pub mod http;
pub mod mmdb;
mod pair;
mod patience;
mod redis_connection;
mod relay;
mod schema;
mod server;
mod value;

use std::path::PathBuf;
use std::process::Command;

use sqlx::{
    AssertSqlSafe, ColumnIndex, Connection as _, Decode, Executor as _, PgConnection, Row, SqliteConnection, Type,
};
use tempfile::TempDir;

pub use addresses::strict_addresses;
pub use browser::{Browser, Look, SMALL_TARGETS};
pub use chance::Random;
pub use compare::difference;
pub use disk::{Disk, DiskFault};
pub use fantoccini::key::Key;
pub use feed::{Feed, python, script};
pub use pair::{Pair, Postgres};
pub use patience::{Patience, limit, slowness};
pub use redis_connection::redis_connection;
pub use relay::Relay;
pub use schema::complaints;
pub use server::{Server, is_there, run, sview, told};
pub use value::patiently;

/// The two ways to deploy sview.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// SQLite files only.
    Embedded,
    /// PostgreSQL and Redis.
    Production,
}

/// Places for one test's data, of its own; gone when dropped.
#[derive(Debug)]
pub struct Deployment {
    /// The kind of deployment.
    pub backend: Backend,
    /// `SVIEW_DATABASE_URL`.
    pub database_url: String,
    /// `SVIEW_REDIS_URL`; `None` on the embedded one.
    pub redis_url: Option<String>,
    /// The prefix that sets the test apart from others in the same Redis: `SVIEW_REDIS_PREFIX`.
    pub prefix: String,
    /// `SVIEW_DATA_DIR`.
    pub data_dir: PathBuf,
    admin_url: Option<String>,
    _directory: TempDir,
}

fn server(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set: run the tests by tests/run.sh"))
}

/// A directory that is gone when dropped.
#[must_use]
pub fn temporary() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

impl Deployment {
    /// An empty deployment: a database and a Redis prefix that nobody else uses.
    pub async fn new(backend: Backend) -> Self {
        let directory = tempfile::Builder::new().prefix("sview-test").tempdir().expect("a temporary directory");
        let data_dir = directory.path().to_owned();
        let name = format!("test_{}", ulid::Ulid::generate().to_string().to_lowercase());
        let (database_url, redis_url, admin_url) = match backend {
            Backend::Embedded => (format!("sqlite://{}", data_dir.join("reports.sqlite").display()), None, None),
            Backend::Production => {
                let admin = server("SVIEW_TEST_POSTGRES_URL");
                let mut connection = PgConnection::connect(&admin).await.expect("the tests' PostgreSQL answers");
                let sql = format!("CREATE DATABASE {name}");
                connection.execute(AssertSqlSafe(sql)).await.expect("a database is created");
                let (server, _) = admin.rsplit_once('/').expect("the address names a database");
                // Without TLS, which one test is about: a handshake for every connection would make all others slower.
                (
                    format!("{server}/{name}?sslmode=disable"),
                    Some(self::server("SVIEW_TEST_REDIS_URL")),
                    Some(admin.clone()),
                )
            }
        };
        Self { backend, database_url, redis_url, prefix: name, data_dir, admin_url, _directory: directory }
    }

    /// Runs a statement on the database of reports, as another program might; returns the number of rows changed.
    pub async fn sql(&self, sql: &str) -> u64 {
        let sql = AssertSqlSafe(sql.to_owned());
        let done = match self.backend {
            Backend::Embedded => {
                let mut connection = SqliteConnection::connect(&self.database_url).await.expect("the file opens");
                connection.execute(sql).await.map(|done| done.rows_affected())
            }
            Backend::Production => {
                let mut connection = PgConnection::connect(&self.database_url).await.expect("PostgreSQL answers");
                connection.execute(sql).await.map(|done| done.rows_affected())
            }
        };
        done.expect("the statement is carried out")
    }

    /// The rows of a query on the database of reports; all its columns must be texts.
    pub async fn texts(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        fn read<R: Row>(row: &R) -> Vec<Option<String>>
        where
            usize: ColumnIndex<R>,
            for<'r> Option<String>: Decode<'r, R::Database> + Type<R::Database>,
        {
            (0..row.len()).map(|i| row.get(i)).collect()
        }
        let sql = AssertSqlSafe(sql.to_owned());
        match self.backend {
            Backend::Embedded => {
                let mut connection = SqliteConnection::connect(&self.database_url).await.expect("the file opens");
                let rows = connection.fetch_all(sql).await.expect("the query is answered");
                rows.iter().map(read).collect()
            }
            Backend::Production => {
                let mut connection = PgConnection::connect(&self.database_url).await.expect("PostgreSQL answers");
                let rows = connection.fetch_all(sql).await.expect("the query is answered");
                rows.iter().map(read).collect()
            }
        }
    }

    /// The environment by which a process of sview uses this deployment.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut all = vec![
            ("SVIEW_DATABASE_URL", self.database_url.clone()),
            ("SVIEW_DATA_DIR", self.data_dir.display().to_string()),
            ("SVIEW_REDIS_PREFIX", self.prefix.clone()),
        ];
        all.extend(self.redis_url.clone().map(|url| ("SVIEW_REDIS_URL", url)));
        all
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        if let Some(admin) = &self.admin_url {
            // By another process, since dropping cannot wait; a database left behind goes with its server at the end.
            let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.prefix);
            let _ = Command::new("psql").args([admin, "-q", "-c", &sql]).output();
        }
    }
}

/// Makes a test of each body for both ways to deploy: `both! { async fn name(deployment: Deployment) { … } }`.
#[macro_export]
macro_rules! both {
    ($($(#[$meta:meta])* async fn $name:ident($deployment:ident: Deployment) $body:block)+) => {
        $(mod $name {
            #[allow(unused_imports)]
            use super::*;
            async fn body($deployment: $crate::Deployment) $body
            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn embedded() {
                body($crate::Deployment::new($crate::Backend::Embedded).await).await;
            }
            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn production() {
                body($crate::Deployment::new($crate::Backend::Production).await).await;
            }
        })+
    };
}
