//! An operator's order: read from a form or JSON, described, carried out.

use serde::{Deserialize, Serialize};
use sview_jobs::{Cause, Effect, JobId, PRODUCERS, Producer, Search, Steering, steer};
use sview_model::{Queue, counted};
use sview_views::admin::JobsFilter;
use utoipa::ToSchema;

use super::Admin;
use super::jobs::id as job_id;
use super::problem::Problem;
use super::query::JobsQuery;

/// The most jobs that one order is carried out on.
pub(super) const AT_ONCE: usize = 5_000;

/// How many of the jobs that something was done to are shown then: a page of the list.
const SHOWN: usize = 50;

/// An order as it was sent. A field that is unknown is refused: without it, the order could mean more jobs. Which of the fields are needed depends on the action.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Asked {
    /// retry, cancel, delete; pause, resume; run.
    action: String,
    /// The job of retry, cancel and delete.
    id: Option<String>,
    /// `yes`: all jobs that match the filter instead. Never implied by a missing id.
    all: Option<String>,
    /// The producer of run.
    producer: Option<String>,
    /// The queue of pause and resume; else a part of the filter.
    queue: Option<String>,
    state: Option<String>,
    job: Option<String>,
    text: Option<String>,
    from: Option<String>,
    until: Option<String>,
    error: Option<String>,
    ids: Option<String>,
}

/// An order that makes sense.
pub(super) enum Order {
    One(Steering, JobId),
    Matching { steering: Steering, search: Box<Search>, typed: Box<JobsFilter> },
    Pause(Queue, bool),
    Run(&'static Producer),
}

/// The result of an order.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Did {
    /// The result as a sentence.
    pub(super) said: String,
    /// Jobs that it changed.
    pub(super) changed: u64,
    /// Running jobs that were asked to end.
    pub(super) asked: u64,
    /// Jobs that it could do nothing to.
    pub(super) unchanged: u64,
    /// The page that shows the changed jobs, if the list's filter no longer matches them.
    #[serde(skip)]
    pub(super) shown_at: Option<String>,
}

/// How an action is called.
pub(super) const fn name(steering: Steering) -> &'static str {
    match steering {
        Steering::Retry => "retry",
        Steering::Cancel => "cancel",
        Steering::Delete => "delete",
    }
}

impl Asked {
    /// Returns the order, if its fields are complete.
    pub(super) fn order(self) -> Result<Order, Problem> {
        let steering = match self.action.as_str() {
            "retry" => Steering::Retry,
            "cancel" => Steering::Cancel,
            "delete" => Steering::Delete,
            "pause" | "resume" => {
                let queue = self.queue.as_deref().unwrap_or_default().parse();
                let queue = queue.map_err(|error| Problem::expected("There is no such queue", error))?;
                return Ok(Order::Pause(queue, self.action == "pause"));
            }
            "run" => {
                let found = PRODUCERS.iter().find(|producer| Some(producer.name) == self.producer.as_deref());
                let names: Vec<_> = PRODUCERS.iter().map(|producer| producer.name).collect();
                return found
                    .map(Order::Run)
                    .ok_or_else(|| Problem::expected("There is no such producer", names.join(", ")));
            }
            _ => {
                let all = "retry, cancel, delete, pause, resume, run";
                return Err(Problem::expected("There is no such action", all));
            }
        };
        match (self.id, self.all.as_deref()) {
            (Some(id), None) => Ok(Order::One(steering, job_id(&id)?)),
            (None, Some("yes")) => {
                let query = JobsQuery {
                    state: self.state,
                    queue: self.queue,
                    job: self.job,
                    text: self.text,
                    from: self.from,
                    until: self.until,
                    error: self.error,
                    ids: self.ids,
                    ..JobsQuery::default()
                };
                let search = Box::new(query.search(AT_ONCE)?);
                Ok(Order::Matching { steering, search, typed: Box::new(query.typed()) })
            }
            _ => Err(Problem::expected(
                "It is not said to which jobs",
                "id=… for one, or all=yes with a filter for many",
            )),
        }
    }
}

/// Describes the jobs that a filter selects, for the log of actions.
fn told(filter: &JobsFilter) -> String {
    let parts: Vec<String> = filter.fields().iter().map(|(name, value)| format!("{name}={value}")).collect();
    match filter {
        _ if parts.is_empty() => "all jobs".to_owned(),
        JobsFilter { until, .. } if parts.len() == 1 && !until.is_empty() => format!("all jobs queued before {until}"),
        _ => format!("all of {}", parts.join(", ")),
    }
}

impl Order {
    /// The page to go to when it is done.
    pub(super) fn back(&self) -> String {
        match self {
            Self::One(Steering::Delete, _) => "/jobs".to_owned(),
            Self::One(_, id) => format!("/jobs/{id}"),
            Self::Matching { typed, .. } => typed.address(),
            Self::Pause(..) => "/".to_owned(),
            Self::Run(_) => "/schedule".to_owned(),
        }
    }

    /// Writes it down by `note`, and does it.
    pub(super) async fn carry_out(
        self,
        admin: &Admin,
        note: impl AsyncFnOnce(String) -> Result<(), Problem>,
    ) -> Result<Did, Problem> {
        let (context, queues) = (&admin.services.jobs, &admin.services.jobs.queues);
        let plain = |said: String| Did { said, changed: 0, asked: 0, unchanged: 0, shown_at: None };
        match self {
            Self::One(steering, id) => {
                let record = queues.ledger().get(id).await?.ok_or_else(|| admin.no_such_job())?;
                note(format!("{} {id}: {}", name(steering), record.words)).await?;
                Ok(did(steering, steer(queues, steering, &[id]).await?))
            }
            Self::Matching { steering, search, typed } => {
                let matching = sview_jobs::matching(queues, steering, &search).await?;
                let ids: Vec<JobId> = matching.iter().map(|record| record.id).collect();
                note(format!("{} {}: {}", name(steering), told(&typed), counted(ids.len() as u64, "job"))).await?;
                let did = did(steering, steer(queues, steering, &ids).await?);
                Ok(Did { shown_at: shown_at(steering, &ids), ..did })
            }
            Self::Pause(queue, paused) => {
                let word = if paused { "pause" } else { "resume" };
                note(format!("{word} queue {queue}")).await?;
                queues.ledger().pause(queue.into(), paused).await?;
                Ok(plain(format!("{queue} is {}.", if paused { "paused" } else { "resumed" })))
            }
            Self::Run(producer) => {
                note(format!("run producer {}", producer.name)).await?;
                let done = sview_jobs::run_now(context, producer, Cause::Operator).await?;
                Ok(plain(format!("{}: {done}.", producer.name)))
            }
        }
    }
}

/// The page that shows the newest of the jobs that something was done to. They are in other states now than those that were asked for.
fn shown_at(steering: Steering, ids: &[JobId]) -> Option<String> {
    let ids: Vec<String> = ids.iter().take(SHOWN).map(ToString::to_string).collect();
    let stay = matches!(steering, Steering::Retry | Steering::Cancel) && !ids.is_empty();
    stay.then(|| JobsFilter { ids: ids.join(","), ..JobsFilter::default() }.address())
}

fn did(steering: Steering, effect: Effect) -> Did {
    let Effect { changed, asked, unchanged } = effect;
    let done = match steering {
        Steering::Retry => "queued to run at once",
        Steering::Cancel => "cancelled",
        Steering::Delete => "deleted",
    };
    let mut parts = Vec::new();
    if changed > 0 || asked + unchanged == 0 {
        parts.push(format!("{} {done}", counted(changed, "job")));
    }
    if asked > 0 {
        parts.push(format!("{} asked to end", counted(asked, "job")));
    }
    if unchanged > 0 {
        parts.push(format!(
            "{} left as it is: in another state by now, gone, or its like is under way",
            counted(unchanged, "job")
        ));
    }
    Did { said: format!("{}.", parts.join("; ")), changed, asked, unchanged, shown_at: None }
}
