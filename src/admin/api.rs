//! The same as JSON; its types are in [`answers`].

use axum::Json;
use axum::extract::{Path, Query, State as Extract};
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

/// An answer in JSON, or why there is none.
type Answer<T> = Result<Json<T>, Problem>;

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
pub(super) async fn list(Extract(admin): Extract<Admin>, _: Viewer, Query(query): Query<JobsQuery>) -> Answer<Jobs> {
    let (records, more) = jobs::look(&admin, query.search(PAGE)?).await?;
    let around = Surroundings::look(&admin.services.jobs).await?;
    let before = records.last().filter(|_| more).map(|record| record.id.to_string());
    Ok(Json(Jobs { jobs: records.iter().map(|record| Job::new(record, &around)).collect(), before }))
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
pub(super) async fn one(Extract(admin): Extract<Admin>, _: Viewer, Path(text): Path<String>) -> Answer<Job> {
    let record = admin.services.jobs.queues.ledger().get(jobs::id(&text)?).await?;
    let record = record.ok_or_else(|| admin.no_such_job())?;
    Ok(Json(Job::new(&record, &Surroundings::look(&admin.services.jobs).await?)))
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
pub(super) async fn counts(Extract(admin): Extract<Admin>, _: Viewer) -> Answer<Counts> {
    let counts = admin.services.jobs.queues.ledger().counts().await?;
    Ok(Json(answers::counts(&counts, &*admin.figures().await?)))
}

/// Workers
///
/// Workers heard of in the last two minutes, with their jobs; and those that vanished in the last seven days.
#[utoipa::path(
    get,
    path = "/api/jobs/workers",
    responses(
        (status = 200, description = "The workers.", body = Workers),
        (status = 401, description = "A token is needed.", body = Error),
    )
)]
pub(super) async fn workers(Extract(admin): Extract<Admin>, _: Viewer) -> Answer<Workers> {
    let around = Surroundings::look(&admin.services.jobs).await?;
    let workers = around.workers.iter().map(|(worker, heard)| Worker::new(worker, *heard, &around));
    let lost = rows::lost(&admin).await?;
    Ok(Json(Workers { workers: workers.collect(), lost: lost.iter().map(LostWorker::from).collect() }))
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
pub(super) async fn dead(Extract(admin): Extract<Admin>, _: Viewer) -> Answer<Dead> {
    let all = admin.dead().await?;
    Ok(Json(Dead { groups: all.groups.iter().map(DeadGroup::from).collect(), looked_through: all.looked }))
}

/// The schedule
///
/// The periodic jobs, with their last and next tick.
#[utoipa::path(
    get,
    path = "/api/jobs/schedule",
    responses(
        (status = 200, description = "The producers.", body = Schedule),
        (status = 401, description = "A token is needed.", body = Error),
    )
)]
pub(super) async fn schedule(Extract(admin): Extract<Admin>, _: Viewer) -> Answer<Schedule> {
    let ticking = sview_jobs::ticking(&admin.services.jobs).await?;
    Ok(Json(Schedule { producers: ticking.iter().map(Producer::from).collect() }))
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
pub(super) async fn actions(Extract(admin): Extract<Admin>, _: Viewer) -> Answer<Actions> {
    let actions = admin.services.jobs.queues.ledger().actions(KEPT_ACTIONS).await?;
    Ok(Json(Actions { actions: actions.iter().map(Noted::from).collect() }))
}
