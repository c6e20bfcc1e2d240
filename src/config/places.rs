//! Settings of data and clock.

use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use clap::{ArgAction, Args};
use sview_jobs::RedisAddress;
use sview_model::Clock;

use super::{CacheSettings, GreylistSettings, LedgerSettings};

/// The directory of the embedded default's files where no setting names one.
pub const DEFAULT_DATA_DIR: &str = "sview-data";

/// Settings of places and time. Without any, everything is in SQLite files in a directory.
#[derive(Clone, Debug, Args)]
pub struct Places {
    /// Directory for everything that sview keeps in files; created when missing
    #[arg(
        long,
        env = "SVIEW_DATA_DIR",
        global = true,
        default_value = DEFAULT_DATA_DIR,
        value_name = "DIR",
        help_heading = "Data and time"
    )]
    pub data_dir: PathBuf,
    /// Database of reports: postgres://USER@HOST/NAME or sqlite://FILE. TLS is used where PostgreSQL offers it. Only
    /// ?sslmode=verify-full (or verify-ca) checks its certificate; ?sslmode=disable turns TLS off
    /// [default: reports.sqlite in the data directory]
    #[arg(long, env = "SVIEW_DATABASE_URL", global = true, value_name = "URL", hide_env_values = true, value_parser = database, help_heading = "Data and time")]
    pub database_url: Option<String>,
    /// Most connections of a process to PostgreSQL. Up to 8 of them are for pages and commands, the rest for jobs. A running job
    /// uses one  [default: 12, and one for each slot of the process' workers]
    #[arg(long, env = "SVIEW_DATABASE_CONNECTIONS", global = true, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=10_000), help_heading = "Data and time")]
    pub database_connections: Option<u32>,
    /// Redis for jobs and cache: redis://HOST:PORT/, more servers as redis://HOST:PORT,HOST:PORT/, or Sentinel as
    /// redis+sentinel://HOST:PORT,HOST:PORT/NAME. rediss and rediss+sentinel use TLS
    /// [default: none; jobs and cache are SQLite files in the data directory]
    #[arg(long, env = "SVIEW_REDIS_URL", global = true, value_name = "URL", hide_env_values = true, value_parser = redis, help_heading = "Data and time")]
    pub redis_url: Option<String>,
    /// Prefix of all keys in Redis, so that several deployments can share a Redis
    #[arg(long, env = "SVIEW_REDIS_PREFIX", global = true, default_value = "sview", value_name = "WORD", value_parser = prefix, help_heading = "Data and time")]
    pub redis_prefix: String,
    /// Freeze the clock at an RFC 3339 time like 2026-03-15T12:34:56Z, for tests and for old data
    #[arg(long, env = "SVIEW_NOW", global = true, value_name = "TIME", value_parser = moment, help_heading = "Data and time")]
    pub now: Option<DateTime<Utc>>,
    /// Hours of reports that each quarter of an hour reads again, to find rows that another program wrote late (0: none)
    #[arg(long, env = "SVIEW_REREAD_HOURS", global = true, default_value_t = 24, value_name = "HOURS", value_parser = clap::value_parser!(u16).range(0..=24 * 365), help_heading = "Data and time")]
    pub reread_hours: u16,
    /// Days that aggregated reports are kept (0: for good). Aggregates stay. A report that is older when it arrives does not
    /// count. Must be the same in all processes
    #[arg(long, env = "SVIEW_KEEP_REPORTS_DAYS", global = true, default_value_t = 0, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(0..=36_500), help_heading = "Data and time")]
    pub keep_reports_days: u32,
    /// Whether the password checker adds its own count of reports to the table passwords_pwned. Use false when another program
    /// counts the same reports into that table. NTLM counts and days come from its own count in both cases
    #[arg(long, env = "SVIEW_COUNT_PASSWORDS", global = true, default_value_t = true, action = ArgAction::Set, value_name = "BOOL", help_heading = "Data and time")]
    pub count_passwords: bool,
    /// How long jobs are remembered: every process that ends jobs or clears up must know.
    #[command(flatten)]
    pub ledger: LedgerSettings,
    /// How much is cached: every process that caches values must know.
    #[command(flatten)]
    pub cache: CacheSettings,
    /// The greylist: every process of a deployment must know the addresses that are never on it.
    #[command(flatten)]
    pub greylist: GreylistSettings,
}

impl Places {
    /// The clock that the settings ask for.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.now.map_or(Clock::System, Clock::Frozen)
    }

    /// The address of the database of reports.
    #[must_use]
    pub fn database(&self) -> String {
        let embedded = || format!("sqlite://{}", self.data_dir.join("reports.sqlite").display());
        self.database_url.clone().unwrap_or_else(embedded)
    }

    /// The data directory as an absolute path, for people.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        std::path::absolute(&self.data_dir).unwrap_or_else(|_| self.data_dir.clone())
    }

    /// Returns the directory with files of hashes of passwords.
    #[must_use]
    pub fn passwords(&self) -> PathBuf {
        self.data_dir.join("passwords")
    }

    /// The most connections to the database for pages and commands, and for jobs in so many slots.
    #[must_use]
    pub fn connections(&self, slots: usize) -> Connections {
        /// For the refresh and the other ticks of the schedule, which run beside the jobs.
        const TICKS: u32 = 4;
        const PAGES: u32 = 8;
        let needed = u32::try_from(slots).unwrap_or(u32::MAX).saturating_add(TICKS);
        match self.database_connections {
            None => Connections { pages: PAGES, jobs: needed },
            Some(all) => {
                let pages = PAGES.min(all / 2).max(1);
                Connections { pages, jobs: all.saturating_sub(pages).max(1) }
            }
        }
    }

    /// How reports are kept.
    #[must_use]
    pub fn store_settings(&self) -> sview_store::Settings {
        let reread = TimeDelta::hours(self.reread_hours.into());
        let keep = (self.keep_reports_days > 0).then(|| TimeDelta::days(self.keep_reports_days.into()));
        let count_passwords = self.count_passwords;
        sview_store::Settings { reread, keep, count_passwords, ..sview_store::Settings::default() }
    }
}

/// How many connections to the database there are, by use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// For pages, commands and the operators' pages.
    pub pages: u32,
    /// For jobs and the schedule.
    pub jobs: u32,
}

fn database(text: &str) -> Result<String, String> {
    let known = ["postgres://", "postgresql://", "sqlite://"].iter().any(|scheme| text.starts_with(scheme));
    if known { Ok(text.to_owned()) } else { Err("begins with postgres:// or sqlite://".to_owned()) }
}

fn redis(text: &str) -> Result<String, String> {
    text.parse::<RedisAddress>().map(|_| text.to_owned()).map_err(|error| error.to_string())
}

fn prefix(text: &str) -> Result<String, String> {
    let good = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if good { Ok(text.to_owned()) } else { Err("is letters, digits, - and _".to_owned()) }
}

fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    let time = DateTime::parse_from_rfc3339(text).map_err(|e| format!("{e}; write it like 2026-03-15T12:34:56Z"))?;
    Ok(time.to_utc())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::{Connections, Places};

    #[derive(clap::Parser)]
    struct Program {
        #[command(flatten)]
        places: Places,
    }

    #[test]
    fn each_slot_has_a_connection_and_pages_keep_some() {
        let places = |args: &[&str]| Program::parse_from([&["sview"], args].concat()).places;
        assert_eq!(places(&[]).connections(0), Connections { pages: 8, jobs: 4 });
        assert_eq!(places(&[]).connections(512), Connections { pages: 8, jobs: 516 });
        let few = |n| places(&["--database-connections", n]).connections(512);
        assert_eq!(few("100"), Connections { pages: 8, jobs: 92 });
        assert_eq!(few("10"), Connections { pages: 5, jobs: 5 });
        assert_eq!(few("2"), Connections { pages: 1, jobs: 1 });
    }
}
