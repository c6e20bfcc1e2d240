//! The list of jobs, and one job.

use axum::extract::{Path, Query, State as Extract};
use axum::http::Uri;
use axum::response::Response;
use sview_jobs::{JOB_NAMES, JobId, Order, Record, Search, State, Steering, Surroundings, shown_key, shown_payload};
use sview_model::Queue;
use sview_views::admin::{self, Ask, AttemptRow, JobPage, JobsPage};

use super::context::Viewer;
use super::problem::Problem;
use super::query::JobsQuery;
use super::{Admin, rows};
use crate::http::html;

/// Jobs on a page.
const PAGE: usize = 50;

/// Groups of dead jobs on a page.
const GROUPS: usize = 100;

/// Returns the actions for all matching jobs that apply to these states.
fn bulk(query: &JobsQuery, states: &[State]) -> Vec<Ask> {
    let all = [
        ("Retry", "retry", Steering::Retry),
        ("Cancel", "cancel", Steering::Cancel),
        ("Delete", "delete", Steering::Delete),
    ];
    let fits = |steering: Steering| states.is_empty() || states.iter().any(|s| steering.applies_to().contains(s));
    all.into_iter()
        .filter(|(.., steering)| fits(*steering))
        .map(|(label, action, _)| {
            let mut fields = vec![("action", action.to_owned()), ("all", "yes".to_owned())];
            fields.extend(query.typed().fields());
            Ask { label, asks: true, fields }
        })
        .collect()
}

/// Jobs, and whether there is another page of them.
pub(super) async fn look(admin: &Admin, mut search: Search) -> Result<(Vec<Record>, bool), Problem> {
    let limit = search.filter.limit;
    search.filter.limit += 1; // one more tells whether there is another page
    let mut records = sview_jobs::search(&admin.services.jobs.queues, &search).await?;
    // By run time there is but one page.
    let more = records.len() > limit && search.order == Order::Queued;
    records.truncate(limit);
    Ok((records, more))
}

/// Dead jobs by their errors.
pub(super) async fn dead(Extract(admin): Extract<Admin>, viewer: Viewer, uri: Uri) -> Response {
    match admin.dead().await {
        Ok(all) => {
            let rows: Vec<_> = all.groups.iter().take(GROUPS).map(rows::dead_group).collect();
            html(admin::dead(&viewer.context(), &rows, all.looked as u64))
        }
        Err(error) => Problem::from(error).respond(&viewer.context(), &uri),
    }
}

/// Lists jobs.
pub(super) async fn list(
    Extract(admin): Extract<Admin>,
    viewer: Viewer,
    uri: Uri,
    Query(query): Query<JobsQuery>,
) -> Response {
    let shown = async {
        let search = query.search(PAGE)?;
        let (paged, states) = (search.filter.before.is_some(), search.filter.states.clone());
        let (records, more) = look(&admin, search).await?;
        let any_waits = records.iter().any(|r| matches!(r.state, State::Queued | State::Scheduled));
        let around = if any_waits { Some(Surroundings::look(&admin.services.jobs).await?) } else { None };
        Ok::<_, Problem>(JobsPage {
            filter: query.typed(),
            states: State::ALL.iter().map(|state| state.as_str()).collect(),
            queues: Queue::ALL.iter().map(|queue| queue.as_str()).collect(),
            names: JOB_NAMES.to_vec(),
            rows: records.iter().map(|record| rows::job(record, around.as_ref())).collect(),
            older: records.last().filter(|_| more).map(|record| record.id.to_string()),
            paged,
            asks: bulk(&query, &states),
        })
    };
    match shown.await {
        Ok(shown) => html(admin::jobs(&viewer.context(), &shown)),
        Err(problem) => problem.respond(&viewer.context(), &uri),
    }
}

/// The id in an address.
pub(super) fn id(text: &str) -> Result<JobId, Problem> {
    text.parse()
        .map_err(|_| Problem::expected("That is no id of a job", "26 letters and digits, as lists of jobs show it"))
}

/// Shows one job.
pub(super) async fn one(
    Extract(admin): Extract<Admin>,
    viewer: Viewer,
    uri: Uri,
    Path(text): Path<String>,
) -> Response {
    let shown = async {
        // A text that cannot be the id of a job never was one.
        let id = text.parse().map_err(|_| Problem::not_found())?;
        let record = admin.services.jobs.queues.ledger().get(id).await?;
        let record = record.ok_or_else(|| admin.no_such_job())?;
        let waits = if record.state.is_under_way() {
            rows::waits(&record, &Surroundings::look(&admin.services.jobs).await?)
        } else {
            Vec::new()
        };
        let attempt = |error: &sview_jobs::AttemptError| AttemptRow {
            attempt: error.attempt,
            at: error.at(),
            message: error.message.clone(),
        };
        Ok::<_, Problem>(JobPage {
            row: rows::job(&record, None),
            waits,
            attempts: record.errors.iter().map(attempt).collect(),
            asks: rows::asks(&record),
            key: shown_key(&record),
            payload: shown_payload(&record),
            cause: record.cause,
            run_at: record.run_at,
            worker: record.worker,
        })
    };
    match shown.await {
        Ok(shown) => html(admin::job(&viewer.context(), &shown)),
        Err(problem) => problem.respond(&viewer.context(), &uri),
    }
}
