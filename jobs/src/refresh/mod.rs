//! The minute's refresh: which jobs are due, which are skipped and why. [`decide`] decides and touches nothing. The functions here gather
//! its input and queue the jobs that it suggests.

mod decide;
mod outlook;
mod suggestion;

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::try_join;
use sview_model::{Kind, Period, Precision, Request};
use sview_store::Entry;

pub use self::decide::{Cached, HOLD_OFF, Scope, Situation, decide};
pub use self::outlook::Outlook;
pub use self::suggestion::{Hold, Skip, Suggestion, Verdict, Work};
use crate::job::{Aggregate, Job as _};
use crate::{Cause, Pushed, Queues, State};
use crate::{Context, Error, Result};

/// Refreshes everything as of `now`: decides what is due and queues it. A `dry_run` only decides. Every aggregation and every precached
/// resource is in the answer, with its verdict.
pub async fn refresh(context: &Context, now: DateTime<Utc>, cause: &Cause, dry_run: bool) -> Result<Vec<Suggestion>> {
    refresh_part(context, now, Part::All, cause, dry_run).await
}

/// A part of all that is refreshed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All aggregations and all precached resources.
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

/// Refreshes whatever rests on an aggregation that has just ended: the coarser aggregations of its kind, and the resources.
pub async fn after_aggregation(context: &Context, done: Aggregate) -> Result<Vec<Suggestion>> {
    run(context, context.clock.now(), Scope::After(done), Part::All, &Cause::After(done.words()), false).await
}

/// Queues the caching of one resource if it is due: the decision of [`consider`].
pub async fn suggest(context: &Context, request: &Request, cause: &Cause) -> Result<Suggestion> {
    let mut suggestions = [consider(context, request, cause).await?];
    queue_all(context, &mut suggestions, cause).await?;
    let [suggestion] = suggestions;
    Ok(suggestion)
}

/// Decides whether the caching of one resource is due, and queues nothing. The decision is the same as the refresh's. A command is eager,
/// see [`Situation::eager`].
///
/// Nobody else suggests a request later that is not precached, so aggregations under way do not hold it up. Its value says until when it is
/// complete, and is due again when the aggregation is.
pub async fn consider(context: &Context, request: &Request, cause: &Cause) -> Result<Suggestion> {
    let considered = consider_all(context, std::slice::from_ref(request), cause).await?.pop();
    considered.ok_or_else(|| Error::Undecided(request.to_string()))
}

/// How long a decision waits for the database. Other suggestions wait behind it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Decides about many resources, in their order, with the same number of round trips as about one: see [`consider`]. While the database
/// is away, those that depend on aggregation are skipped, and the others are decided as ever.
pub async fn consider_all(context: &Context, requests: &[Request], cause: &Cause) -> Result<Vec<Suggestion>> {
    let now = context.clock.now();
    let mut situation = gather(context, now, requests, false).await?;
    situation.eager = is_eager(context, cause);
    let decide_all = |situation: &Situation| -> Vec<Suggestion> {
        requests.iter().map(|request| decide::decide_one(situation, request)).collect()
    };
    let mut suggestions = decide_all(&situation);
    let depends_on_aggregation = |(suggestion, request): (&Suggestion, &Request)| match &suggestion.verdict {
        Verdict::Queue => request.resource().precached(),
        // Late reports, or the end of an aggregation, may have made it due before its time.
        Verdict::Skip(Skip::UpToDate { .. }) => true,
        Verdict::Skip(_) => false,
    };
    // Missing and outdated values can be queued while the database is away.
    if !suggestions.iter().zip(requests).any(depends_on_aggregation) {
        return Ok(suggestions);
    }
    let why = match tokio::time::timeout(PATIENCE, context.statistics.coverage()).await {
        Ok(Ok(coverage)) => {
            situation.coverage = coverage;
            return Ok(decide_all(&situation));
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
    };
    tracing::warn!(why, "could not read the watermarks of aggregations; the next request queues what depends on them");
    for (suggestion, request) in suggestions.iter_mut().zip(requests) {
        if depends_on_aggregation((suggestion, request)) {
            suggestion.verdict = Verdict::Skip(Skip::DatabaseAway);
        }
    }
    Ok(suggestions)
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
    situation.eager = is_eager(context, cause);
    let mut suggestions = decide(&situation, scope, &requests);
    suggestions.retain(|suggestion| part.includes(&suggestion.work));
    if !dry_run {
        queue_all(context, &mut suggestions, cause).await?;
    }
    Ok(suggestions)
}

/// Whether somebody waits for the outcome. Under a clock that stands still no value grows old enough for late reports ever.
fn is_eager(context: &Context, cause: &Cause) -> bool {
    matches!(cause, Cause::Command(_)) || context.clock.is_frozen()
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
    let (standing, ledger_now) =
        try_join(context.queues.ledger().standing(&keys), context.queues.ledger().time()).await?;
    let cache_keys: Vec<_> = requests.iter().map(Request::key).collect();
    let entries = context.cache.get_many(&cache_keys).await?;
    let cached = cache_keys.into_iter().zip(entries).filter_map(|(key, entry)| {
        let entry = entry?;
        let Entry { finish, complete_to, computed_at, refresh_at, revision, .. } = entry;
        Some((key, Cached { finish, complete_to, refresh_at, computed_at, revision }))
    });
    Ok(Situation {
        now,
        ledger_now,
        coverage: if coverage { context.statistics.coverage().await? } else { Vec::new() },
        cached: cached.collect(),
        standing: keys.into_iter().zip(standing).collect::<HashMap<_, _>>(),
        eager: false,
    })
}

/// Queues the due jobs, in one round trip. A job that somebody else queued meanwhile, or that has no room, becomes a skip. If a job is
/// suggested several times, one suggestion queues it, and the others say that it is under way.
pub async fn queue_all(context: &Context, suggestions: &mut [Suggestion], cause: &Cause) -> Result<()> {
    let mut due: Vec<(usize, String)> = Vec::new();
    let mut jobs = Vec::new();
    for (at, suggestion) in suggestions.iter().enumerate().filter(|(_, s)| s.verdict == Verdict::Queue) {
        let key = suggestion.work.key();
        if due.iter().any(|(_, other)| *other == key) {
            continue;
        }
        due.push((at, key));
        jobs.push(match &suggestion.work {
            Work::Aggregate(job) => Queues::new_job(job, cause)?,
            Work::CacheGroup(job) => Queues::new_job(job, cause)?,
            Work::CacheResource(job) => Queues::new_job(job, cause)?,
        });
    }
    if jobs.is_empty() {
        return Ok(());
    }
    let pushed = context.queues.ledger().push_all(&jobs).await?;
    for ((first, key), pushed) in due.into_iter().zip(pushed) {
        let same = |id, state| Verdict::Skip(Skip::SameJob { id, state });
        let (verdict, others) = match pushed {
            Ok(Pushed::Queued(id)) => (Verdict::Queue, same(id, State::Queued)),
            Ok(Pushed::Already { id, state }) => (same(id, state), same(id, state)),
            Err(crate::LedgerError::Full { waiting, .. }) => {
                let full = Verdict::Skip(Skip::QueueFull { waiting });
                (full.clone(), full)
            }
            Err(error) => return Err(error.into()),
        };
        for (at, suggestion) in suggestions.iter_mut().enumerate().skip(first) {
            if at == first {
                suggestion.verdict = verdict.clone();
            } else if suggestion.verdict == Verdict::Queue && suggestion.work.key() == key {
                suggestion.verdict = others.clone();
            }
        }
    }
    Ok(())
}
