//! The minute's refresh: what is due, what is skipped and why. [`decide`] decides and touches nothing; the functions here gather
//! what it looks at and queue what it says.

mod decide;
mod suggestion;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sview_model::{Kind, Period, Precision, Request};
use sview_store::Entry;

pub use self::decide::{Cached, HOLD_OFF, Scope, Situation, decide};
pub use self::suggestion::{Hold, Skip, Suggestion, Verdict, Work};
use crate::job::{Aggregate, Job as _};
use crate::{Cause, Pushed};
use crate::{Context, Error, Result, machine_now};

/// Refreshes everything as of `now`: decides what is due and queues it, or only says so in a `dry_run`. Every aggregation and every
/// precached resource is in the answer, with its verdict.
pub async fn refresh(context: &Context, now: DateTime<Utc>, cause: &Cause, dry_run: bool) -> Result<Vec<Suggestion>> {
    refresh_part(context, now, Part::All, cause, dry_run).await
}

/// A part of all that is refreshed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    All,
    /// The aggregations of all kinds into a precision.
    Into(Precision),
    /// The precached resources at a period.
    At(Period),
}

impl Part {
    fn includes(self, work: &Work) -> bool {
        match (self, work) {
            (Self::All, _) => true,
            (Self::Into(precision), Work::Aggregate(job)) => job.precision == precision,
            (Self::At(period), Work::CacheGroup(job)) => job.period == period,
            _ => false,
        }
    }
}

/// Like [`refresh`], for a part of it. The rest is looked at as well, since it may hold up the part, but is not queued and not in
/// the answer.
pub async fn refresh_part(
    context: &Context,
    now: DateTime<Utc>,
    part: Part,
    cause: &Cause,
    dry_run: bool,
) -> Result<Vec<Suggestion>> {
    run(context, now, Scope::All, part, cause, dry_run).await
}

/// The refresh of what rests on an aggregation that has just ended: the coarser aggregations of its kind, and the resources.
pub async fn after_aggregation(context: &Context, done: Aggregate) -> Result<Vec<Suggestion>> {
    run(context, context.clock.now(), Scope::After(done), Part::All, &Cause::After(done.words()), false).await
}

/// Queues the caching of one resource if it is due, for whoever wants to see it: the decision of [`consider`].
pub async fn suggest(context: &Context, request: &Request, cause: &Cause) -> Result<Suggestion> {
    let mut suggestion = consider(context, request).await?;
    queue(context, &mut suggestion, cause).await?;
    Ok(suggestion)
}

/// Decides whether the caching of one resource is due, and queues nothing: the same decision as the refresh's.
///
/// A request that is not precached has nobody else to suggest it later, so it is not held up by aggregations under way; its value
/// says until when it is complete, and is due again when the aggregation is.
pub async fn consider(context: &Context, request: &Request) -> Result<Suggestion> {
    let now = context.clock.now();
    let requests = std::slice::from_ref(request);
    let mut situation = gather(context, now, requests, false).await?;
    let mut suggestion = decide::decide_one(&situation, request);
    // Most askers can be answered without the database.
    let incomplete = situation.cached.values().any(|cached| cached.complete_to < cached.finish);
    if incomplete || (suggestion.verdict == Verdict::Queue && request.resource().precached()) {
        situation.coverage = context.statistics.coverage().await?;
        suggestion = decide::decide_one(&situation, request);
    }
    Ok(suggestion)
}

async fn run(
    context: &Context,
    now: DateTime<Utc>,
    scope: Scope,
    part: Part,
    cause: &Cause,
    dry_run: bool,
) -> Result<Vec<Suggestion>> {
    let requests: Vec<Request> = Request::precached().filter(|request| scope.includes(request)).collect();
    let mut situation = gather(context, now, &requests, true).await?;
    situation.eager = matches!(cause, Cause::Command(_));
    let mut suggestions = decide(&situation, scope, &requests);
    suggestions.retain(|suggestion| part.includes(&suggestion.work));
    if !dry_run {
        for suggestion in &mut suggestions {
            queue(context, suggestion, cause).await?;
        }
    }
    Ok(suggestions)
}

/// Everything that the decision looks at, in three round trips.
async fn gather(context: &Context, now: DateTime<Utc>, requests: &[Request], coverage: bool) -> Result<Situation> {
    let aggregations = Kind::ALL.iter().flat_map(|kind| {
        Precision::AGGREGATED.iter().map(|precision| Aggregate { kind: *kind, precision: *precision })
    });
    let mut keys: Vec<String> = aggregations.map(|job| job.key()).collect();
    keys.extend(requests.iter().map(|request| Work::caching(request).key()));
    keys.sort_unstable();
    keys.dedup(); // members of a group have one job
    let standing = context.queues.standing(&keys).await?;
    let cache_keys: Vec<_> = requests.iter().map(Request::key).collect();
    let entries = context.cache.get_many(&cache_keys).await?;
    let cached = cache_keys.into_iter().zip(entries).filter_map(|(key, entry)| {
        let entry = entry?;
        let Entry { finish, complete_to, computed_at, refresh_at, revision, .. } = entry;
        Some((key, Cached { finish, complete_to, refresh_at, computed_at, revision }))
    });
    Ok(Situation {
        now,
        machine_now: machine_now(),
        coverage: if coverage { context.statistics.coverage().await? } else { Vec::new() },
        cached: cached.collect(),
        standing: keys.into_iter().zip(standing).collect::<HashMap<_, _>>(),
        eager: false,
    })
}

/// Queues what is due. What somebody else queued meanwhile, or what has no room, becomes a skip.
async fn queue(context: &Context, suggestion: &mut Suggestion, cause: &Cause) -> Result<()> {
    if suggestion.verdict != Verdict::Queue {
        return Ok(());
    }
    let pushed = match &suggestion.work {
        Work::Aggregate(job) => context.queues.enqueue(job, cause).await,
        Work::CacheGroup(job) => context.queues.enqueue(job, cause).await,
        Work::CacheResource(job) => context.queues.enqueue(job, cause).await,
    };
    match pushed {
        Ok(Pushed::Queued(_)) => {}
        Ok(Pushed::Already { id, state }) => suggestion.verdict = Verdict::Skip(Skip::SameJob { id, state }),
        Err(Error::Full { waiting, .. }) => suggestion.verdict = Verdict::Skip(Skip::QueueFull { waiting }),
        Err(error) => return Err(error),
    }
    Ok(())
}
