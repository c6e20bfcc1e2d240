//! Connecting to PostgreSQL, and why that fails.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection as _, PgPool};
use tokio::time::{Instant, sleep, timeout};

use crate::{Error, Outage, Result};

/// How long a server that starts, or has no connection left, is waited for.
const STARTING: Duration = Duration::from_secs(10);

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(10);

/// How long a look may take that is to find out why a pool gave no connection.
const LOOK: Duration = Duration::from_secs(2);

/// Names a server and a database without the password.
pub(super) fn place(options: &PgConnectOptions) -> String {
    let (host, port) = (options.get_host(), options.get_port());
    let at = match options.get_socket() {
        Some(socket) => format!("{}, port {port}", socket.display()),
        None if host.starts_with('/') => format!("{host}, port {port}"),
        None if host.contains(':') && !host.starts_with('[') => format!("[{host}]:{port}"),
        None => format!("{host}:{port}"),
    };
    let user = options.get_username();
    format!("PostgreSQL at {at}, database {}, user {user}", options.get_database().unwrap_or(user))
}

/// Connects without a pool, which would try for its whole time and then not say why it failed.
///
/// # Errors
/// At once where the server cannot be reached or refuses. A server that starts is waited for.
pub(super) async fn connect(options: &PgConnectOptions) -> Result<PgConnection> {
    let begun = Instant::now();
    loop {
        let error = match attempt(options, ATTEMPT).await {
            Ok(connection) => return Ok(connection),
            Err(error) => error,
        };
        let passes = matches!(Outage::of_sqlx(&error), Some(Outage::Starting | Outage::Connections));
        if !passes || begun.elapsed() > STARTING {
            return Err(Error::NoConnection { place: place(options), error });
        }
        sleep(Duration::from_millis(500)).await;
    }
}

async fn attempt(options: &PgConnectOptions, limit: Duration) -> sqlx::Result<PgConnection> {
    timeout(limit, PgConnection::connect_with(options)).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// Returns the error of a pool that gave no connection. A pool whose connections are all in use says nothing about the server. One more
/// attempt finds out why a server cannot be reached.
pub(super) async fn no_connection(pool: &PgPool, error: sqlx::Error) -> Error {
    let options = pool.connect_options();
    let error = match error {
        sqlx::Error::PoolTimedOut => match super::super::no_connection(pool, error) {
            Error::Database(error) => match attempt(&options, LOOK).await {
                Ok(_) => error,
                Err(cause) => cause,
            },
            busy => return busy,
        },
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) => error,
        error => return error.into(),
    };
    Error::NoConnection { place: place(&options), error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_without_its_password() {
        for (url, named) in [
            (
                "postgres://sview:hunter2@db.example:5433/sentinel",
                "PostgreSQL at db.example:5433, database sentinel, user sview",
            ),
            ("postgres://sview@[::1]/x", "PostgreSQL at [::1]:5432, database x, user sview"),
            (
                "postgres:///x?host=/run/postgresql&user=a",
                "PostgreSQL at /run/postgresql, port 5432, database x, user a",
            ),
        ] {
            assert_eq!(url.parse().map(|options| place(&options)).unwrap_or_default(), named, "{url}");
        }
    }
}
