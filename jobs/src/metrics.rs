//! The metrics of the jobs that this process runs, for Prometheus.

use std::sync::LazyLock;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::Outcome;
use crate::job::JOB_NAMES;

/// The label of all jobs in a ledger that are not sview's, so that labels stay few.
const UNKNOWN: &str = "unknown";

/// How attempts end.
const OUTCOMES: [&str; 7] = ["done", "retry", "snoozed", "dead", "release", "cancelled", "lost"];

/// Upper bounds of run and waiting times, in seconds: from a cheap caching to the slow queue's limit.
const SECONDS: [f64; 15] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    job: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct End {
    job: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfLoop {
    r#loop: String,
}

fn histogram() -> Histogram {
    Histogram::new(SECONDS)
}

struct Metrics {
    run: Family<Kind, Histogram, fn() -> Histogram>,
    wait: Family<Kind, Histogram, fn() -> Histogram>,
    attempts: Family<End, Counter>,
    restarts: Family<OfLoop, Counter>,
}

static METRICS: LazyLock<Metrics> = LazyLock::new(|| {
    let metrics = Metrics {
        run: Family::new_with_constructor(histogram),
        wait: Family::new_with_constructor(histogram),
        attempts: Family::default(),
        restarts: Family::default(),
    };
    // A series that is there from the beginning shows its first event as an increase.
    for job in JOB_NAMES.iter().copied().chain([UNKNOWN]) {
        drop(metrics.run.get_or_create(&Kind { job }));
        drop(metrics.wait.get_or_create(&Kind { job }));
        for outcome in OUTCOMES {
            drop(metrics.attempts.get_or_create(&End { job, outcome }));
        }
    }
    metrics
});

/// Adds these metrics to a registry.
pub fn register(registry: &mut Registry) {
    let help = "How long attempts at jobs took, by kind of job";
    registry.register_with_unit("sview_job_run", help, Unit::Seconds, METRICS.run.clone());
    let help = "How long jobs were ready before an attempt began, by kind of job";
    registry.register_with_unit("sview_job_wait", help, Unit::Seconds, METRICS.wait.clone());
    let help = "Attempts at jobs that ended, by kind of job and outcome";
    registry.register("sview_job_attempts", help, METRICS.attempts.clone());
    let help = "How often background loops were started again after a failure, by loop";
    registry.register("sview_loop_restarts", help, METRICS.restarts.clone());
}

fn known(name: &str) -> &'static str {
    JOB_NAMES.iter().find(|job| **job == name).copied().unwrap_or(UNKNOWN)
}

/// Notes that an attempt began.
pub(crate) fn began(name: &str, waited: Duration) {
    METRICS.wait.get_or_create(&Kind { job: known(name) }).observe(waited.as_secs_f64());
}

/// Notes how an attempt ended; `None`: its lease was lost.
pub(crate) fn ended(name: &str, outcome: Option<&Outcome>, ran: Duration) {
    let job = known(name);
    let outcome = outcome.map_or("lost", |outcome| outcome.as_str());
    METRICS.run.get_or_create(&Kind { job }).observe(ran.as_secs_f64());
    METRICS.attempts.get_or_create(&End { job, outcome }).inc();
}

/// How attempts ended in this process, as (kind of job, outcome, count).
pub(crate) fn attempts() -> Vec<(&'static str, &'static str, u64)> {
    let kinds = JOB_NAMES.iter().copied().chain([UNKNOWN]);
    let all = kinds.flat_map(|job| OUTCOMES.map(|outcome| (job, outcome)));
    all.map(|(job, outcome)| (job, outcome, METRICS.attempts.get_or_create(&End { job, outcome }).get())).collect()
}

/// Shows the restarts of a background loop from the first scrape on. Names of loops are few, and all in the program.
pub(crate) fn known_loop(name: &str) {
    drop(METRICS.restarts.get_or_create(&OfLoop { r#loop: name.to_owned() }));
}

/// Notes that a background loop was started again.
pub(crate) fn loop_restarted(name: &str) {
    METRICS.restarts.get_or_create(&OfLoop { r#loop: name.to_owned() }).inc();
}
