//! The same as JSON. Times are RFC 3339 in UTC, spans are seconds. docs/ADMIN.md describes each.

use axum::Json;
use axum::extract::{Path, Query, State as Extract};
use axum::http::Uri;
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use sview_jobs::{Figures, KEPT_ACTIONS, Record, State, Surroundings, machine_now};

use super::context::Viewer;
use super::problem::Problem;
use super::query::JobsQuery;
use super::{Admin, jobs};

/// Jobs in an answer that asks for no number.
const PAGE: usize = 100;

fn respond(answer: Result<Value, Problem>, viewer: &Viewer, uri: &Uri) -> Response {
    match answer {
        Ok(value) => Json(value).into_response(),
        Err(problem) => problem.respond(viewer, uri),
    }
}

fn at(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn job(record: &Record, around: Option<&Surroundings>) -> Value {
    let errors = record.errors.iter().map(|e| json!({ "attempt": e.attempt, "at": at(e.at()), "message": e.message }));
    let waits = around.map(|around| around.reasons(record)).unwrap_or_default();
    let waits = waits.iter().map(|reason| {
        let blockers = match reason {
            sview_jobs::Reason::Busy { blockers, .. } => blockers.as_slice(),
            _ => &[],
        };
        let now = around.map_or_else(machine_now, |around| around.now);
        let told = blockers.iter().map(|blocker| json!({ "id": blocker.id.to_string(), "words": blocker.told(now) }));
        json!({ "words": reason.to_string(), "blocked_by": told.collect::<Vec<_>>() })
    });
    json!({
        "id": record.id.to_string(), "name": record.name, "queue": record.queue.as_str(), "state": record.state.as_str(),
        "key": record.key, "words": record.words, "cause": record.cause, "payload": record.payload,
        "attempts": record.attempts, "max_attempts": record.max_attempts, "created_at": at(record.created_at),
        "run_at": at(record.run_at), "started_at": record.started_at.map(at), "finished_at": record.finished_at.map(at),
        "worker": record.worker, "cancel_asked": record.cancel_asked,
        "ran_seconds": record.ran().map(|span| span.as_secs_f64()),
        "errors": errors.collect::<Vec<_>>(), "waits": waits.collect::<Vec<_>>(),
    })
}

/// Jobs by filter, newest first.
pub(super) async fn list(
    Extract(admin): Extract<Admin>,
    viewer: Viewer,
    uri: Uri,
    Query(query): Query<JobsQuery>,
) -> Response {
    let answer = async {
        let mut filter = query.filter(PAGE)?;
        let limit = filter.limit;
        filter.limit += 1;
        let mut records = admin.services.jobs.queues.list(&filter).await?;
        let more = records.len() > limit;
        records.truncate(limit);
        let around = Surroundings::look(&admin.services.jobs).await?;
        let older = records.last().filter(|_| more).map(|record| record.id.to_string());
        let all: Vec<Value> = records.iter().map(|record| job(record, Some(&around))).collect();
        Ok(json!({ "jobs": all, "before": older }))
    };
    respond(answer.await, &viewer, &uri)
}

/// One job.
pub(super) async fn one(
    Extract(admin): Extract<Admin>,
    viewer: Viewer,
    uri: Uri,
    Path(text): Path<String>,
) -> Response {
    let answer = async {
        let record = admin.services.jobs.queues.get(jobs::id(&text)?).await?;
        let record = record.ok_or_else(|| Problem::not_found("There is no such job"))?;
        Ok(job(&record, Some(&Surroundings::look(&admin.services.jobs).await?)))
    };
    respond(answer.await, &viewer, &uri)
}

/// How many jobs there are, and figures of the last day.
pub(super) async fn counts(Extract(admin): Extract<Admin>, viewer: Viewer, uri: Uri) -> Response {
    let answer = async {
        let (counts, ended) = (admin.services.jobs.queues.counts().await?, admin.ended().await?);
        let now = machine_now();
        let queue = |counts: &sview_jobs::QueueCounts| {
            let figures = Figures::of(counts.queue, &ended, now);
            let states: Map<String, Value> =
                State::ALL.iter().map(|state| (state.as_str().to_owned(), counts.of(*state).into())).collect();
            let runs = figures.run_times.map(|times| {
                json!({
                    "p50": times.p50.as_secs_f64(), "p95": times.p95.as_secs_f64(), "p99": times.p99.as_secs_f64(),
                })
            });
            let hours = figures.hours.iter().map(|h| json!({ "end": at(h.end), "done": h.done, "dead": h.dead }));
            json!({
                "queue": counts.queue.as_str(), "paused": counts.paused, "states": states,
                "oldest_waiting": counts.oldest_waiting.map(at), "failure_rate": figures.failure_rate(),
                "run_seconds": runs, "hours": hours.collect::<Vec<_>>(),
            })
        };
        Ok(json!({ "queues": counts.iter().map(queue).collect::<Vec<_>>() }))
    };
    respond(answer.await, &viewer, &uri)
}

/// The workers.
pub(super) async fn workers(Extract(admin): Extract<Admin>, viewer: Viewer, uri: Uri) -> Response {
    let answer = async {
        let workers = admin.services.jobs.queues.workers().await?;
        let worker = |(worker, heard): &(sview_jobs::WorkerInfo, DateTime<Utc>)| {
            let queues: Vec<_> = worker.queues.iter().map(|queue| queue.as_str()).collect();
            let running = worker.running.iter().map(|(id, words)| json!({ "id": id.to_string(), "words": words }));
            json!({
                "name": worker.name, "host": worker.host, "pid": worker.pid, "queues": queues, "slots": worker.slots,
                "since": at(worker.since), "heard": at(*heard), "running": running.collect::<Vec<_>>(),
            })
        };
        Ok(json!({ "workers": workers.iter().map(worker).collect::<Vec<_>>() }))
    };
    respond(answer.await, &viewer, &uri)
}

/// The schedule.
pub(super) async fn schedule(Extract(admin): Extract<Admin>, viewer: Viewer, uri: Uri) -> Response {
    let answer = async {
        let ticking = sview_jobs::ticking(&admin.services.jobs).await?;
        let producer = |ticking: &sview_jobs::Ticking| {
            let producer = ticking.producer;
            json!({
                "name": producer.name, "cron": producer.cron, "what": producer.what, "last": ticking.last.map(at),
                "next": ticking.next.map(at),
            })
        };
        Ok(json!({ "producers": ticking.iter().map(producer).collect::<Vec<_>>() }))
    };
    respond(answer.await, &viewer, &uri)
}

/// The log of actions.
pub(super) async fn actions(Extract(admin): Extract<Admin>, viewer: Viewer, uri: Uri) -> Response {
    let answer = async {
        let actions = admin.services.jobs.queues.actions(KEPT_ACTIONS).await?;
        let action = |a: &sview_jobs::Action| json!({ "at": at(a.at), "who": a.who, "peer": a.peer, "what": a.what });
        Ok(json!({ "actions": actions.iter().map(action).collect::<Vec<_>>() }))
    };
    respond(answer.await, &viewer, &uri)
}
