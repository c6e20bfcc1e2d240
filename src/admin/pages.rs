//! Pages of queues, workers, schedule, due work, the cache, and the log of actions.

use std::time::Duration;

use axum::extract::{Query, State as Extract};
use axum::http::Uri;
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use maud::Markup;
use serde::Deserialize;
use sview_jobs::{
    Cause, Filter, Hold, KEPT_ACTIONS, QueueCounts, Skip, State, Suggestion, Surroundings, Verdict, Work,
};
use sview_views::admin::{
    self, ActionRow, AggregationRow, Ask, CachePage, CacheRow, DuePage, OverviewPage, ProducerRow, RunningRow,
    ValueRow, WorkerRow, coarse,
};

use super::context::Viewer;
use super::problem::Problem;
use super::{Admin, rows};
use crate::http::html;

/// Cached values on a page.
const CACHED: usize = 200;

/// How many running and dead jobs the overview shows.
const FEW: usize = 8;

/// How long the first page waits for the database.
const ASKED: Duration = Duration::from_secs(2);

/// A lock that is held for less is nobody's trouble.
const PATIENCE: Duration = Duration::from_secs(10);

fn respond(page: Result<Markup, Problem>, viewer: &Viewer, uri: &Uri) -> Response {
    match page {
        Ok(markup) => html(markup),
        Err(problem) => problem.respond(&viewer.context(), uri),
    }
}

/// The overview of queues.
pub(super) async fn overview(Extract(admin): Extract<Admin>, viewer: Viewer, uri: Uri) -> Response {
    let page = async {
        let (jobs, context) = (&admin.services.jobs, viewer.context());
        // The ledger has the rest of the page. Without the database it is shown with the trouble that the database has.
        let obstacles = match tokio::time::timeout(ASKED, jobs.statistics.obstacles(PATIENCE)).await {
            Ok(Ok(obstacles)) => obstacles.len(),
            Ok(Err(_)) | Err(_) => 0,
        };
        let around = Surroundings::look(jobs).await?;
        let figures = admin.figures().await?;
        let dead = Filter { states: vec![State::Dead], limit: FEW, ..Filter::default() };
        let dead = jobs.queues.ledger().list(&dead).await?;
        let mut running: Vec<_> = around.running.values().collect();
        running.sort_by_key(|record| (record.started_at, record.id));
        let of = |queue| figures.queues.iter().find(|figures| figures.queue == queue);
        let queue = |counts: &QueueCounts| Some(rows::queue(counts, of(counts.queue)?, &around));
        let shown = OverviewPage {
            obstacles,
            troubles: admin.services.check().await.troubles(),
            queues: around.counts.iter().filter_map(queue).collect(),
            kinds: figures.kinds.iter().map(rows::kind).collect(),
            running: running.into_iter().take(FEW).map(|record| rows::job(record, None)).collect(),
            dead: dead.iter().map(|record| rows::job(record, None)).collect(),
        };
        Ok(admin::overview(&context, &shown))
    };
    respond(page.await, &viewer, &uri)
}

/// Shows the workers.
pub(super) async fn workers(Extract(admin): Extract<Admin>, viewer: Viewer, uri: Uri) -> Response {
    let page = async {
        let around = Surroundings::look(&admin.services.jobs).await?;
        let row = |(worker, heard): &(sview_jobs::WorkerInfo, DateTime<Utc>)| {
            // The ledger's record of running jobs is newer than a worker's last announcement.
            let mut running: Vec<_> =
                around.running.values().filter(|r| r.worker.as_deref() == Some(worker.name.as_str())).collect();
            running.sort_by_key(|record| (record.started_at, record.id));
            let running = running.into_iter().map(|record| RunningRow {
                id: record.id.to_string(),
                words: record.words.clone(),
                since: record.started_at,
            });
            WorkerRow {
                name: worker.name.clone(),
                place: rows::place(worker),
                queues: worker.queues.iter().map(|queue| queue.as_str()).collect(),
                slots: worker.slots,
                since: worker.since,
                heard: *heard,
                running: running.collect(),
            }
        };
        let shown: Vec<_> = around.workers.iter().map(row).collect();
        let lost: Vec<_> = rows::lost(&admin).await?.iter().map(rows::lost_row).collect();
        Ok(admin::workers(&viewer.context(), &shown, &lost))
    };
    respond(page.await, &viewer, &uri)
}

/// Shows the schedule.
pub(super) async fn schedule(Extract(admin): Extract<Admin>, viewer: Viewer, uri: Uri) -> Response {
    let page = async {
        let row = |ticking: sview_jobs::Ticking| ProducerRow {
            name: ticking.producer.name,
            cron: ticking.producer.schedule.to_string(),
            what: ticking.producer.what,
            last: ticking.last,
            next: ticking.next,
            asks: vec![Ask::one("Run now", "run", false, ("producer", ticking.producer.name.to_owned()))],
        };
        let shown: Vec<_> = sview_jobs::ticking(&admin.services.jobs).await?.into_iter().map(row).collect();
        Ok(admin::schedule(&viewer.context(), &shown))
    };
    respond(page.await, &viewer, &uri)
}

/// The job that a suggestion waits for, or that does it already.
fn job_of(suggestion: &Suggestion, around: &Surroundings) -> Option<(String, String)> {
    let (id, state, blocks) = match &suggestion.verdict {
        Verdict::Skip(Skip::SameJob { id, state }) => (id, state, false),
        Verdict::Skip(Skip::Aggregation { why: Hold::UnderWay { id, state }, .. }) => (id, state, true),
        _ => return None,
    };
    let told = around.blocker(*id).map_or_else(|| state.to_string(), |blocker| blocker.told(around.now));
    Some((id.to_string(), if blocks { format!("blocked by {told}") } else { told }))
}

/// Shows when aggregations and values are due: what a refresh would do now.
pub(super) async fn due(Extract(admin): Extract<Admin>, viewer: Viewer, uri: Uri) -> Response {
    let page = async {
        let jobs = &admin.services.jobs;
        let now = jobs.clock.now();
        let suggestions = sview_jobs::refresh(jobs, now, &Cause::Operator, true).await?;
        let coverage = jobs.statistics.coverage().await?;
        let around = Surroundings::look(jobs).await?;
        let mut shown = DuePage { now, aggregations: Vec::new(), obstacles: Vec::new(), values: Vec::new() };
        shown.obstacles.extend(jobs.statistics.obstacles(PATIENCE).await?.into_iter().map(rows::obstacle));
        for suggestion in &suggestions {
            let (verdict, job) = (suggestion.verdict.to_string(), job_of(suggestion, &around));
            if let Work::Aggregate(work) = &suggestion.work {
                let known = coverage.iter().find(|c| c.kind == work.kind && c.precision == work.precision);
                let watermark = known.and_then(|c| c.watermark);
                let behind = watermark.map(|at| work.precision.due_to(now) - at).filter(|lag| *lag > TimeDelta::zero());
                shown.aggregations.push(AggregationRow {
                    name: format!("{}/{}", work.kind, work.precision),
                    watermark,
                    lag: behind.map(coarse),
                    pending: known.map_or(0, |c| c.pending),
                    verdict,
                    job,
                });
            } else {
                let due = match &suggestion.verdict {
                    Verdict::Skip(Skip::UpToDate { until }) => Some(*until),
                    _ => None,
                };
                let (name, queue) = (suggestion.work.to_string(), suggestion.work.queue().as_str());
                shown.values.push(ValueRow { name, queue, due, verdict, job });
            }
        }
        Ok(admin::due(&viewer.context(), &shown))
    };
    respond(page.await, &viewer, &uri)
}

/// The query for cached values.
#[derive(Deserialize)]
pub(super) struct CacheQuery {
    text: Option<String>,
    after: Option<String>,
}

/// Shows the cache.
pub(super) async fn cache(
    Extract(admin): Extract<Admin>,
    viewer: Viewer,
    uri: Uri,
    Query(query): Query<CacheQuery>,
) -> Response {
    let page = async {
        let text = query.text.unwrap_or_default();
        let mut entries = admin.services.jobs.cache.list().await?;
        let wanted = text.to_lowercase();
        entries.retain(|entry| entry.key.to_lowercase().contains(&wanted));
        let (count, bytes) = (entries.len(), entries.iter().map(|entry| entry.bytes).sum());
        let after = query.after.unwrap_or_default();
        entries.retain(|entry| entry.key > after);
        let more = entries.get(CACHED).map(|_| entries[CACHED - 1].key.clone());
        entries.truncate(CACHED);
        let row = |entry: sview_store::EntryInfo| CacheRow {
            key: entry.key,
            bytes: entry.bytes,
            computed_at: entry.computed_at,
            refresh_at: entry.refresh_at,
            ttl: entry.ttl,
        };
        let now = admin.services.jobs.clock.now();
        let shown = CachePage { now, text, rows: entries.into_iter().map(row).collect(), count, bytes, more };
        Ok(admin::cache(&viewer.context(), &shown))
    };
    respond(page.await, &viewer, &uri)
}

/// The log of actions.
pub(super) async fn actions(Extract(admin): Extract<Admin>, viewer: Viewer, uri: Uri) -> Response {
    let page = async {
        let row = |action: sview_jobs::Action| ActionRow {
            at: action.at,
            who: action.who,
            peer: action.peer,
            what: action.what,
        };
        let shown: Vec<_> =
            admin.services.jobs.queues.ledger().actions(KEPT_ACTIONS).await?.into_iter().map(row).collect();
        Ok(admin::actions(&viewer.context(), &shown))
    };
    respond(page.await, &viewer, &uri)
}
