//! The database of reports: how it is opened and kept up to date.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use chrono::TimeDelta;
use sqlx::postgres::PgConnectOptions;

use crate::compute::Minutes;
use crate::engine::{Engine, Postgres, Sqlite};
use crate::{Error, Greylist, Passwords, Result, Rollup, Statistics};

/// How reports are kept and aggregated.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How far back reports are read again whenever a new quarter is aggregated, for rows that another program wrote without
    /// noting them. Zero: never.
    pub reread: TimeDelta,
    /// For how long reports are kept after they happened; `None`: for good. See [`Rollup::forget_reports`].
    pub keep: Option<TimeDelta>,
    /// The most connections to the database.
    pub connections: u32,
    /// Whether counts from the reports are shown for passwords by SHA-1. `false` if another program counts the same reports into
    /// `passwords_pwned`: otherwise each would count twice.
    pub count_passwords: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { reread: TimeDelta::hours(24), keep: None, connections: 10, count_passwords: true }
    }
}

/// A database of reports, on PostgreSQL or SQLite. Cheap to clone.
#[derive(Clone)]
pub struct Reports {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) settings: Settings,
    pub(crate) minutes: Arc<Minutes>,
}

impl std::fmt::Debug for Reports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reports").field("dialect", &self.engine.dialect()).finish_non_exhaustive()
    }
}

impl Reports {
    /// Opens the database at `url`: `postgres://…` or `sqlite://path`. Connects when first used.
    pub fn open(url: &str, settings: Settings) -> Result<Self> {
        let engine: Arc<dyn Engine> = if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            if names_several(url) {
                return Err(Error::SeveralServers);
            }
            Arc::new(Postgres::new(PgConnectOptions::from_str(url)?, settings.connections))
        } else if let Some(path) = url.strip_prefix("sqlite://") {
            Arc::new(Sqlite::new(Path::new(path), settings.connections))
        } else {
            return Err(Error::Address { what: "the database's address", expected: "postgres:// or sqlite://" });
        };
        Ok(Self { engine, settings, minutes: Arc::default() })
    }

    /// How reports are kept and aggregated.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns the same database through other connections, `connections` at the most. Users of one set take none of the other. Writers of
    /// an SQLite file share one connection all the same.
    #[must_use]
    pub fn apart(&self, connections: u32) -> Self {
        let settings = Settings { connections, ..self.settings };
        Self { engine: self.engine.apart(connections), settings, minutes: self.minutes.clone() }
    }

    /// Returns aggregation: its steps, its obstacles, and its repair.
    #[must_use]
    pub fn rollup(&self) -> Rollup<'_> {
        Rollup { reports: self }
    }

    /// Computing resources.
    #[must_use]
    pub fn statistics(&self) -> Statistics<'_> {
        Statistics { reports: self }
    }

    /// The greylist: making it from reports, keeping it, and reading it.
    #[must_use]
    pub fn greylist(&self) -> Greylist<'_> {
        Greylist { reports: self }
    }

    /// The passwords that were seen, by their hashes.
    #[must_use]
    pub fn passwords(&self) -> Passwords<'_> {
        Passwords { reports: self }
    }

    /// Whether the database was used by sview before. Makes nothing.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn exists(&self) -> Result<bool> {
        self.engine.exists().await
    }

    /// Returns the database's location, for people: an absolute path, or a server and a database without the password.
    #[must_use]
    pub fn place(&self) -> String {
        self.engine.place()
    }

    /// Brings the schema up to date; only ever adds. Safe when several processes do it at once.
    pub async fn migrate(&self) -> Result<()> {
        self.engine.migrate().await
    }

    /// An error when the database cannot be reached, or takes no writes. It has a connection of its own.
    pub async fn ping(&self) -> Result<()> {
        self.engine.ping().await
    }
}

/// Whether the address of PostgreSQL names more than one server, as libpq allows: `postgres://one:5432,two:5432/sentinel`.
fn names_several(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (server, query) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = server.split('/').next().unwrap_or_default();
    let hosts = authority.rsplit('@').next().unwrap_or_default();
    let listed = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        ["host", "hostaddr", "port"].contains(&name)
            && (value.contains(',') || value.contains("%2C") || value.contains("%2c"))
    };
    hosts.contains(',') || query.split('&').any(listed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_of_several_servers_is_refused() {
        for (url, several) in [
            ("postgres://sview:a,b@one:5432,two:5432/sentinel?target_session_attrs=read-write", true),
            ("postgresql://one,two/sentinel", true),
            ("postgres:///sentinel?host=one,two", true),
            ("postgres:///sentinel?host=one%2Ctwo&user=sview", true),
            ("postgres://sview:a,b@one:5432/sentinel?options=-c%20search_path%3Da,b", false),
            ("postgres://[::1]/sentinel", false),
        ] {
            let refused = matches!(Reports::open(url, Settings::default()), Err(Error::SeveralServers));
            assert_eq!(refused, several, "{url}");
        }
    }
}
