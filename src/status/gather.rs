//! Looks at all parts at once. A part that does not answer in time is missing, and keeps none of the others waiting.

use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sview_jobs::{ProcessInfo, disagreements, machine_now, sanitise_line};
use sview_store::{Arrivals, LastReport, MOST_DEVICES};
use tokio::time::{Instant, timeout};

use super::{Device, Disagreement, Disk, File, Held, Hour, KindHours, Process, Reports, Server, Source, Status, Tick};
use crate::Services;

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long the database may take to say what arrives.
const PATIENCE_FOR_REPORTS: Duration = Duration::from_secs(10);

/// The most characters of a text that another program or person chose.
const SHOWN: usize = 120;

/// An answer, how long it took, and when it was made, by this host's clock.
struct Answer<T> {
    value: T,
    took: Duration,
    at: DateTime<Utc>,
}

async fn ask<T, E: Display>(
    asked: impl Future<Output = Result<T, E>>,
    patience: Duration,
) -> Result<Answer<T>, String> {
    let (before, begun) = (machine_now(), Instant::now());
    match timeout(patience, asked).await {
        Ok(Ok(value)) => {
            let took = begun.elapsed();
            Ok(Answer { value, took, at: before + TimeDelta::from_std(took / 2).unwrap_or_default() })
        }
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", patience.as_secs())),
    }
}

/// How far a server's clock is ahead. A file has the clock of its host.
fn ahead(kind: &str, now: DateTime<Utc>, at: DateTime<Utc>) -> Option<f64> {
    (kind != "SQLite").then(|| (now - at).as_seconds_f64())
}

impl Status {
    /// Looks at a deployment.
    pub(crate) async fn gather(services: &Services) -> Self {
        let (jobs, now) = (&services.jobs, services.jobs.clock.now());
        let queues = &jobs.queues;
        let (arrivals, database, ledger, processes, ticks, readiness) = tokio::join!(
            ask(services.reports.arrivals(now), PATIENCE_FOR_REPORTS),
            ask(services.reports.server(), PATIENCE),
            ask(queues.ledger().server(), PATIENCE),
            ask(queues.ledger().processes(), PATIENCE),
            ask(sview_jobs::ticking(jobs), PATIENCE),
            services.check(),
        );
        let processes = processes.map(|answer| answer.value).unwrap_or_default();
        let infos: Vec<ProcessInfo> = processes.iter().map(|(process, _)| process.clone()).collect();
        let tick = |t: sview_jobs::Ticking| Tick { name: t.producer.name, last: t.last, next: t.next };
        let mut status = Self {
            at: machine_now(),
            warnings: readiness.troubles(),
            reports: arrivals.as_ref().ok().map(|answer| Reports::new(&answer.value, now)),
            database: match database {
                Ok(Answer { value, took, at }) => Server {
                    kind: value.kind,
                    version: Some(value.version),
                    bytes: Some(value.bytes),
                    answer_seconds: Some(took.as_secs_f64()),
                    clock_ahead_seconds: ahead(value.kind, value.now, at),
                    ..Server::default()
                },
                Err(error) => {
                    Server { kind: services.reports.kind_of_database(), error: Some(error), ..Server::default() }
                }
            },
            ledger: match ledger {
                Ok(Answer { value, took, at }) => Server {
                    kind: value.kind,
                    version: Some(value.version),
                    bytes: Some(value.bytes),
                    limit_bytes: value.limit,
                    policy: value.policy,
                    answer_seconds: Some(took.as_secs_f64()),
                    clock_ahead_seconds: ahead(value.kind, value.now, at),
                    error: None,
                },
                Err(error) => Server { kind: "the ledger", error: Some(error), ..Server::default() },
            },
            disk: disk(&services.data_dir),
            schedule: ticks.map(|answer| answer.value).unwrap_or_default().into_iter().map(tick).collect(),
            processes: processes.into_iter().map(Process::from).collect(),
            disagreements: disagreements(&infos).into_iter().map(Disagreement::from).collect(),
        };
        if let Err(error) = arrivals {
            status.warnings.push(format!("The database does not say whether reports arrive: {error}."));
        }
        status.warn();
        status
    }
}

impl Reports {
    fn new(arrivals: &Arrivals, as_of: DateTime<Utc>) -> Self {
        let hours = |hours: &Vec<sview_store::HourOfReports>| {
            hours.iter().map(|hour| Hour { end: hour.end, count: hour.count }).collect()
        };
        let source = |source: String, last: LastReport| {
            let (from, until) = match last {
                LastReport::At(at) => (Some(at), Some(at)),
                LastReport::Within(span) => (Some(span.start), Some(span.finish)),
                LastReport::None => (None, None),
            };
            Source { source, from, until }
        };
        let traps = arrivals.traps.iter().map(|(trap, last)| source(trap.to_string(), *last));
        let kinds = arrivals.kinds.iter().map(|(kind, last)| source(kind.to_string(), *last));
        Self {
            as_of,
            kinds: arrivals
                .hours
                .iter()
                .map(|(kind, all)| KindHours { kind: kind.as_str(), hours: hours(all) })
                .collect(),
            sources: traps.chain(kinds).collect(),
            devices: Some(arrivals.devices).filter(|devices| *devices <= MOST_DEVICES),
            devices_lately: arrivals.lately.map(|(devices, _)| devices),
            lately_since: arrivals.lately.map(|(_, since)| since),
            heard: arrivals.heard.iter().map(|d| Device { hash: d.hash.clone(), last: d.last }).collect(),
            files: arrivals
                .files
                .iter()
                .map(|file| File {
                    name: sanitise_line(&file.name, SHOWN),
                    format: file.format.clone(),
                    lines: file.lines,
                    finished: file.finished,
                    at: file.at,
                })
                .collect(),
        }
    }
}

impl From<(ProcessInfo, DateTime<Utc>)> for Process {
    fn from((process, heard): (ProcessInfo, DateTime<Utc>)) -> Self {
        let text = |text: &str| sanitise_line(text, SHOWN);
        Self {
            role: text(&process.role),
            host: text(&process.host),
            pid: process.pid,
            version: text(&process.version),
            since: process.since,
            heard,
        }
    }
}

impl From<sview_jobs::Disagreement> for Disagreement {
    fn from(found: sview_jobs::Disagreement) -> Self {
        let named = |process: &ProcessInfo| format!("{} on {}, process {}", process.role, process.host, process.pid);
        let held = |(value, of): (Option<String>, Vec<ProcessInfo>)| Held {
            value: value.map(|value| sanitise_line(&value, SHOWN)),
            processes: of.iter().map(|process| sanitise_line(&named(process), SHOWN)).collect(),
        };
        Self { setting: sanitise_line(&found.setting, SHOWN), values: found.values.into_iter().map(held).collect() }
    }
}

/// The least space that should be free: bytes, and a part of all.
const LOW: (u64, u64) = (1 << 30, 20);

#[cfg(unix)]
fn disk(directory: &Path) -> Option<Disk> {
    let known = rustix::fs::statvfs(directory).ok()?;
    let (free, all) = (known.f_bavail.saturating_mul(known.f_frsize), known.f_blocks.saturating_mul(known.f_frsize));
    let shown = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
    let low = free < LOW.0 || free < all / LOW.1;
    Some(Disk { directory: sanitise_line(&shown.display().to_string(), SHOWN), free_bytes: free, bytes: all, low })
}

#[cfg(not(unix))]
fn disk(_: &Path) -> Option<Disk> {
    None
}
