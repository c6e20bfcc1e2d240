//! The status of a deployment: whether reports arrive, how its servers are, and whether its processes agree. One type an answer, from
//! which the operators' page, the JSON with its description, and `sview status` are made. Times are UTC, spans are seconds.

mod gather;
mod warnings;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

/// The status of a deployment, as one process sees it.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub(crate) struct Status {
    /// The time of the look, by the clock of the process' host.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) at: DateTime<Utc>,
    /// Warnings for operators, a sentence each.
    pub(crate) warnings: Vec<String>,
    /// Whether reports arrive; null when the database did not say in time.
    pub(crate) reports: Option<Reports>,
    /// The database of reports.
    pub(crate) database: Server,
    /// The ledger of jobs, and with Redis the cache.
    pub(crate) ledger: Server,
    /// The disk of the data directory; null if the system does not report it.
    pub(crate) disk: Option<Disk>,
    /// The periodic jobs.
    pub(crate) schedule: Vec<Tick>,
    /// The processes that keep running and were heard of in the last two minutes.
    pub(crate) processes: Vec<Process>,
    /// Settings that are not the same in all processes.
    pub(crate) disagreements: Vec<Disagreement>,
}

/// Whether reports arrive.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Reports {
    /// The time that it is for, by the clock of statistics.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) as_of: DateTime<Utc>,
    /// Reports of each kind by the hour.
    pub(crate) kinds: Vec<KindHours>,
    /// The newest report of each source: traps, passwords, ports.
    pub(crate) sources: Vec<Source>,
    /// How many devices ever reported an incident; null where there are more than 100,000.
    pub(crate) devices: Option<u64>,
    /// How many devices the 10,000 newest incidents are from.
    pub(crate) devices_lately: Option<u64>,
    /// The time since when these incidents are.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) lately_since: Option<DateTime<Utc>>,
    /// The devices that were heard of last, newest first.
    pub(crate) heard: Vec<Device>,
    /// The files that were read last, newest first.
    pub(crate) files: Vec<File>,
}

/// Reports of a kind by the hour.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct KindHours {
    /// incidents, passwords or ports.
    pub(crate) kind: &'static str,
    /// Oldest first; the last one is under way.
    pub(crate) hours: Vec<Hour>,
}

/// How many reports happened in an hour.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Hour {
    #[schema(value_type = String, format = DateTime)]
    pub(crate) end: DateTime<Utc>,
    /// null where they are not aggregated, and too old to be counted one by one.
    pub(crate) count: Option<u64>,
}

/// The last report of a source. A frequent source has the moment; a rarer one the hour or the day.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Source {
    /// A trap; passwords; ports.
    pub(crate) source: String,
    /// The earliest that its newest report may be; null where there is none in the last 31 days.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) from: Option<DateTime<Utc>>,
    /// The latest that it may be. The same as `from` where the moment is known.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) until: Option<DateTime<Utc>>,
}

/// A device that was heard of lately.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Device {
    /// The first ten hex digits of the SHA-256 of its token.
    pub(crate) hash: String,
    #[schema(value_type = String, format = DateTime)]
    pub(crate) last: DateTime<Utc>,
}

/// A file that was read.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) format: String,
    /// How many of its lines have been read.
    pub(crate) lines: u64,
    /// Whether that is all of them.
    pub(crate) finished: bool,
    /// The time when it was read last, by the database's clock.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) at: DateTime<Utc>,
}

/// A server that the deployment needs, or a file in its place.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub(crate) struct Server {
    /// PostgreSQL, Redis, Valkey or SQLite.
    pub(crate) kind: &'static str,
    /// null while it does not answer.
    pub(crate) version: Option<String>,
    /// The size of the database or file; of Redis, the memory that it uses.
    pub(crate) bytes: Option<u64>,
    /// How much memory Redis may use; null where there is no limit.
    pub(crate) limit_bytes: Option<u64>,
    /// `maxmemory-policy` of Redis.
    pub(crate) policy: Option<String>,
    /// How long its answer took.
    pub(crate) answer_seconds: Option<f64>,
    /// How far its clock is ahead of the host's, negative when behind; null for a file.
    pub(crate) clock_ahead_seconds: Option<f64>,
    /// The reason why it does not answer.
    pub(crate) error: Option<String>,
}

/// The disk of the data directory.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Disk {
    pub(crate) directory: String,
    pub(crate) free_bytes: u64,
    pub(crate) bytes: u64,
    /// Less than 1 GiB or 5 % is free.
    pub(crate) low: bool,
}

/// Something that is done by the clock.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Tick {
    pub(crate) name: &'static str,
    /// The last tick that some process acted on.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) last: Option<DateTime<Utc>>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) next: Option<DateTime<Utc>>,
}

/// A process.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Process {
    /// The command that it runs.
    pub(crate) role: String,
    pub(crate) host: String,
    pub(crate) pid: u32,
    pub(crate) version: String,
    #[schema(value_type = String, format = DateTime)]
    pub(crate) since: DateTime<Utc>,
    /// The time when it was last heard of, by the ledger's clock.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) heard: DateTime<Utc>,
}

/// A setting that is not the same in all processes.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Disagreement {
    /// The name of its variable.
    pub(crate) setting: String,
    /// Every value, that of most processes first.
    pub(crate) values: Vec<Held>,
}

/// A value of a setting.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Held {
    /// null: these processes do not know the setting.
    pub(crate) value: Option<String>,
    /// The processes that have it, like `worker on host a, process 7`.
    pub(crate) processes: Vec<String>,
}
