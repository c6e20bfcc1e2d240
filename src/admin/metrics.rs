//! Prometheus metrics in the OpenMetrics text format: this process' own, and those that ledger and store return at a request. No label
//! holds input of a visitor.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::extract::State as Extract;
use axum::http::{Uri, header};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, TimeDelta, Utc};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use sview_jobs::{Job as _, MakeGreylist, State};

use super::Admin;
use super::context::Viewer;
use super::problem::Problem;

type Seconds = Gauge<f64, AtomicU64>;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfQueue {
    queue: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfState {
    queue: &'static str,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfAggregation {
    kind: &'static str,
    precision: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfFamily {
    family: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfPart {
    part: &'static str,
}

/// Adds what this process measures, wherever it does.
pub(super) fn register(registry: &mut Registry) {
    sview_jobs::metrics::register(registry);
    sview_store::metrics::register(registry);
    crate::http::metrics::register(registry);
    crate::publish::metrics::register(registry);
}

fn seconds(span: TimeDelta) -> f64 {
    (span.num_milliseconds() as f64 / 1000.0).max(0.0)
}

/// Adds the ledger's metrics of queues and workers.
async fn queues(admin: &Admin, registry: &mut Registry) -> sview_jobs::Result<()> {
    let queues = &admin.services.jobs.queues;
    let (counts, workers, now) =
        (queues.ledger().counts().await?, queues.ledger().workers().await?, queues.ledger().time().await?);
    let (jobs, oldest) = (Family::<OfState, Gauge>::default(), Family::<OfQueue, Seconds>::default());
    let (paused, slots) = (Family::<OfQueue, Gauge>::default(), Family::<OfQueue, Gauge>::default());
    for queue in &counts {
        let of = OfQueue { queue: queue.queue.as_str() };
        for state in State::ALL {
            let count = i64::try_from(queue.of(state)).unwrap_or(i64::MAX);
            jobs.get_or_create(&OfState { queue: of.queue, state: state.as_str() }).set(count);
        }
        oldest.get_or_create(&of).set(queue.oldest_waiting.map_or(0.0, |at| seconds(now - at)));
        paused.get_or_create(&of).set(i64::from(queue.paused));
        let serving = workers.iter().filter(|(worker, _)| worker.queues.contains(&queue.queue));
        let sum: usize = serving.map(|(worker, _)| worker.slots).sum();
        slots.get_or_create(&of).set(i64::try_from(sum).unwrap_or(i64::MAX));
    }
    registry.register("sview_jobs", "Jobs in the ledger, by queue and state", jobs);
    let help = "For how long the oldest queued job of a queue could have run; 0 when none waits";
    registry.register_with_unit("sview_queue_oldest_waiting", help, Unit::Seconds, oldest);
    registry.register("sview_queue_paused", "Whether an operator paused the queue", paused);
    registry.register("sview_queue_slots", "Slots of living workers that serve the queue", slots);
    Ok(())
}

/// Adds the store's metrics.
async fn database(admin: &Admin, registry: &mut Registry) -> sview_store::Result<()> {
    aggregations(admin, registry).await?;
    greylist(admin, registry).await
}

/// Adds the store's metrics of aggregations.
async fn aggregations(admin: &Admin, registry: &mut Registry) -> sview_store::Result<()> {
    let jobs = &admin.services.jobs;
    let (coverage, now) = (jobs.statistics.coverage().await?, jobs.clock.now());
    let (lag, pending) = (Family::<OfAggregation, Seconds>::default(), Family::<OfAggregation, Gauge>::default());
    let failed = Family::<OfAggregation, Gauge>::default();
    for obstacle in jobs.statistics.obstacles(Duration::MAX).await? {
        let labels = OfAggregation { kind: obstacle.kind.as_str(), precision: obstacle.precision.as_str() };
        failed.get_or_create(&labels).inc();
    }
    for of in coverage {
        let labels = OfAggregation { kind: of.kind.as_str(), precision: of.precision.as_str() };
        // Before the first step there is nothing that the aggregation could be behind of.
        let behind = of.watermark.map_or(0.0, |at| seconds(of.precision.due_to(now) - at));
        lag.get_or_create(&labels).set(behind);
        let _ = failed.get_or_create(&labels); // 0 where none failed
        pending.get_or_create(&labels).set(i64::try_from(of.pending).unwrap_or(i64::MAX));
    }
    let help = "How far an aggregation is behind what is due, by kind of reports and precision";
    registry.register_with_unit("sview_aggregation_lag", help, Unit::Seconds, lag);
    let help = "Spans that an aggregation has to make, or to make anew, by kind of reports and precision";
    registry.register("sview_aggregation_pending_spans", help, pending);
    let help = "Buckets that could not be made and are tried again later, by kind of reports and precision";
    registry.register("sview_aggregation_failed_buckets", help, failed);
    Ok(())
}

/// Adds the store's metrics of the greylist. Moments are seconds since 1970, 0 where there is none.
async fn greylist(admin: &Admin, registry: &mut Registry) -> sview_store::Result<()> {
    let summary = admin.services.reports.greylist().summary().await?;
    let moment = |at: DateTime<Utc>| at.timestamp_millis() as f64 / 1000.0;
    let (addresses, made, took, next) =
        (Family::<OfFamily, Gauge>::default(), Seconds::default(), Seconds::default(), Seconds::default());
    let counts = summary.map_or([("ipv4", 0), ("ipv6", 0)], |list| [("ipv4", list.ipv4), ("ipv6", list.ipv6)]);
    for (family, count) in counts {
        addresses.get_or_create(&OfFamily { family }).set(i64::try_from(count).unwrap_or(i64::MAX));
    }
    made.set(summary.map_or(0.0, |list| moment(list.standing.as_of)));
    took.set(summary.and_then(|list| list.took).map_or(0.0, |took| took.as_seconds_f64()));
    next.set(sview_jobs::next_tick(MakeGreylist::NAME).map_or(0.0, moment));
    registry.register("sview_greylist_addresses", "Addresses on the greylist, by family", addresses);
    let help = "As of when the greylist is, in seconds since 1970; 0 before the first";
    registry.register_with_unit("sview_greylist_made", help, Unit::Seconds, made);
    let help = "How long weighing the reports took for the greylist that there is; 0 where that is not known";
    registry.register_with_unit("sview_greylist_making", help, Unit::Seconds, took);
    let help = "When schedulers queue the next making of the greylist, in seconds since 1970";
    registry.register_with_unit("sview_greylist_next", help, Unit::Seconds, next);
    Ok(())
}

/// All metrics. Metrics of a part that does not answer are missing, and `sview_part_up` says so.
#[utoipa::path(
    get,
    path = "/metrics",
    responses((status = 200, description = "The metrics.", content_type = "application/openmetrics-text"))
)]
pub(super) async fn scrape(Extract(admin): Extract<Admin>, viewer: Viewer, uri: Uri) -> Response {
    let mut asked = Registry::default();
    let up = Family::<OfPart, Gauge>::default();
    let answered = [
        ("queues", queues(&admin, &mut asked).await.map_err(|error| error.to_string())),
        ("database", database(&admin, &mut asked).await.map_err(|error| error.to_string())),
        ("cache", Ok(())),
    ];
    let readiness = admin.services.check().await;
    let fails = |name| readiness.parts.iter().any(|part| part.name == name && part.failure.is_some());
    for (part, answer) in answered {
        if let Err(error) = &answer {
            tracing::warn!(part, error, "left a part of the metrics out");
        }
        up.get_or_create(&OfPart { part }).set(i64::from(answer.is_ok() && !fails(part)));
    }
    for (component, is) in sview_jobs::health() {
        up.get_or_create(&OfPart { part: component.as_str() }).set(i64::from(is.is_ok()));
    }
    asked.register(
        "sview_part_up",
        "Whether a part of the deployment answers this process and takes writes, and whether a part of the process works",
        up,
    );
    crate::live::metrics::register(&mut asked);
    let mut text = String::new();
    let encoded = encode_registry(&mut text, &admin.registry)
        .and_then(|()| encode_registry(&mut text, &asked))
        .and_then(|()| encode_eof(&mut text));
    match encoded {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => Problem::unavailable(error).respond(&viewer.context(), &uri),
    }
}
