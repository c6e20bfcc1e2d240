//! The same as JSON; [`answers`] says what is in it.

use axum::Json;
use axum::extract::{Path, Query, State as Extract};
use axum::http::Uri;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use sview_jobs::{KEPT_ACTIONS, Surroundings};

use super::answers::{
    self, Actions, Counts, Dead, DeadGroup, Error, Job, Jobs, LostWorker, Noted, Producer, Schedule, Worker, Workers,
};
use super::context::Viewer;
use super::problem::Problem;
use super::query::JobsQuery;
use super::{Admin, jobs, rows};

/// Jobs in an answer that asks for no number.
const PAGE: usize = 100;

fn respond(answer: Result<impl Serialize, Problem>, viewer: &Viewer, uri: &Uri) -> Response {
    match answer {
        Ok(value) => Json(value).into_response(),
        Err(problem) => problem.respond(&viewer.context(), uri),
    }
}

/// Jobs
///
/// Those that match a filter, newest first.
#[utoipa::path(
    get,
    path = "/api/jobs",
    params(JobsQuery),
    responses(
        (status = 200, description = "A page of them.", body = Jobs),
        (status = 400, description = "The filter cannot be read; error says what was expected.", body = Error),
        (status = 401, description = "A token is needed.", body = Error),
    )
)]
pub(super) async fn list(
    Extract(admin): Extract<Admin>,
    viewer: Viewer,
    uri: Uri,
    Query(query): Query<JobsQuery>,
) -> Response {
    let answer = async {
        let (records, more) = jobs::look(&admin, query.search(PAGE)?).await?;
        let around = Surroundings::look(&admin.services.jobs).await?;
        let before = records.last().filter(|_| more).map(|record| record.id.to_string());
        Ok(Jobs { jobs: records.iter().map(|record| Job::new(record, &around)).collect(), before })
    };
    respond(answer.await, &viewer, &uri)
}

/// A job
///
/// With the errors of its attempts, and why it waits.
#[utoipa::path(
    get,
    path = "/api/jobs/{id}",
    params(("id" = String, Path, description = "The id of a job, a ULID.")),
    responses(
        (status = 200, description = "The job.", body = Job),
        (status = 400, description = "That is no id.", body = Error),
        (status = 401, description = "A token is needed.", body = Error),
        (status = 404, description = "There is no such job, or none any more.", body = Error),
    )
)]
pub(super) async fn one(
    Extract(admin): Extract<Admin>,
    viewer: Viewer,
    uri: Uri,
    Path(text): Path<String>,
) -> Response {
    let answer = async {
        let record = admin.services.jobs.queues.ledger().get(jobs::id(&text)?).await?;
        let record = record.ok_or_else(|| admin.no_such_job())?;
        Ok(Job::new(&record, &Surroundings::look(&admin.services.jobs).await?))
    };
    respond(answer.await, &viewer, &uri)
}

/// Queues
///
/// How many jobs there are in each state, and figures of the last 24 hours, by queue and by kind of job.
#[utoipa::path(
    get,
    path = "/api/jobs/counts",
    responses(
        (status = 200, description = "The queues.", body = Counts),
        (status = 401, description = "A token is needed.", body = Error),
    )
)]
pub(super) async fn counts(Extract(admin): Extract<Admin>, viewer: Viewer, uri: Uri) -> Response {
    let answer = async {
        let counts = admin.services.jobs.queues.ledger().counts().await?;
        Ok(answers::counts(&counts, &*admin.figures().await?))
    };
    respond(answer.await, &viewer, &uri)
}

/// Workers
///
/// Those that were heard of in the last two minutes, and what they do; and those that vanished in the last seven days.
#[utoipa::path(
    get,
    path = "/api/jobs/workers",
    responses(
        (status = 200, description = "The workers.", body = Workers),
        (status = 401, description = "A token is needed.", body = Error),
    )
)]
pub(super) async fn workers(Extract(admin): Extract<Admin>, viewer: Viewer, uri: Uri) -> Response {
    let answer = async {
        let around = Surroundings::look(&admin.services.jobs).await?;
        let workers = around.workers.iter().map(|(worker, heard)| Worker::new(worker, *heard, &around));
        let lost = rows::lost(&admin).await?;
        Ok(Workers { workers: workers.collect(), lost: lost.iter().map(LostWorker::from).collect() })
    };
    respond(answer.await, &viewer, &uri)
}

/// Dead jobs by their errors
///
/// The newest 5,000, put together where the last errors differ in numbers and ids only; at most 5 seconds old. `error` of a group is a parameter of the list of
/// jobs and a field of actions.
#[utoipa::path(
    get,
    path = "/api/jobs/dead",
    responses(
        (status = 200, description = "The groups, the largest first.", body = Dead),
        (status = 401, description = "A token is needed.", body = Error),
    )
)]
pub(super) async fn dead(Extract(admin): Extract<Admin>, viewer: Viewer, uri: Uri) -> Response {
    let answer = async {
        let all = admin.dead().await?;
        Ok(Dead { groups: all.groups.iter().map(DeadGroup::from).collect(), looked_through: all.looked })
    };
    respond(answer.await, &viewer, &uri)
}

/// The schedule
///
/// What is done by the clock, with its last and next tick.
#[utoipa::path(
    get,
    path = "/api/jobs/schedule",
    responses(
        (status = 200, description = "The producers.", body = Schedule),
        (status = 401, description = "A token is needed.", body = Error),
    )
)]
pub(super) async fn schedule(Extract(admin): Extract<Admin>, viewer: Viewer, uri: Uri) -> Response {
    let answer = async {
        let ticking = sview_jobs::ticking(&admin.services.jobs).await?;
        Ok(Schedule { producers: ticking.iter().map(Producer::from).collect() })
    };
    respond(answer.await, &viewer, &uri)
}

/// The log of actions
///
/// What somebody did, on these pages, by this API or by a command; the last thousand.
#[utoipa::path(
    get,
    path = "/api/jobs/actions",
    responses(
        (status = 200, description = "The actions.", body = Actions),
        (status = 401, description = "A token is needed.", body = Error),
    )
)]
pub(super) async fn actions(Extract(admin): Extract<Admin>, viewer: Viewer, uri: Uri) -> Response {
    let answer = async {
        let actions = admin.services.jobs.queues.ledger().actions(KEPT_ACTIONS).await?;
        Ok(Actions { actions: actions.iter().map(Noted::from).collect() })
    };
    respond(answer.await, &viewer, &uri)
}
