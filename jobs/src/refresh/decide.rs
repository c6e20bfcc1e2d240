//! The decision: a pure function of the aggregated buckets, the cached values, the jobs under way, and the time.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use sview_model::{CacheKey, Kind, Precision, Queue, Request};
use sview_store::Coverage;

use super::suggestion::{Hold, Skip, Suggestion, Verdict, Work};
use crate::KeyStatus;
use crate::job::{Aggregate, Job as _};

/// The time for which a dead job is not suggested again.
pub const HOLD_OFF: TimeDelta = TimeDelta::minutes(10);

/// Returns the time when the last job of a key became dead, if that holds it off `now`, by the ledger's clock.
pub(super) fn failed_lately(standing: KeyStatus, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    // A time in the future is that of a clock which was set back since; it says nothing.
    standing.failed_at.filter(|at| *at <= now + TimeDelta::minutes(1) && *at + HOLD_OFF > now)
}

/// The time for which a value of a long period is not computed again for late reports.
const PATIENCE: TimeDelta = TimeDelta::minutes(15);

/// The times of a cached value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cached {
    /// The end of the span that the value covers.
    pub finish: DateTime<Utc>,
    /// Until when it is complete.
    pub complete_to: DateTime<Utc>,
    /// The time when the value is due again.
    pub refresh_at: DateTime<Utc>,
    /// The time when the value was computed.
    pub computed_at: DateTime<Utc>,
    /// The revision of the aggregates that it was made of.
    pub revision: i64,
}

/// Everything that the decision looks at.
#[derive(Clone, Debug, Default)]
pub struct Situation {
    /// The time for statistics.
    pub now: DateTime<Utc>,
    /// The time by the ledger's clock, which stamps dead jobs. It may differ from this host's, and never stands still.
    pub ledger_now: DateTime<Utc>,
    /// How far aggregations have come.
    pub coverage: Vec<Coverage>,
    /// The cached values.
    pub cached: HashMap<CacheKey, Cached>,
    /// How jobs stand, by their unique keys.
    pub standing: HashMap<String, KeyStatus>,
    /// Whether values of long periods are computed again for late reports at once: somebody waits for them, or the clock stands still.
    pub eager: bool,
}

/// The scope of a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every aggregation and every precached resource.
    All,
    /// Everything that rests on an aggregation that has just ended. That aggregation and finer ones are not suggested again and hold up
    /// nobody. That holds even if newer reports made them due. Otherwise a steady flow of late reports would hold up everything for ever.
    After(Aggregate),
}

impl Scope {
    /// Whether the caching of this request is in it.
    #[must_use]
    pub fn includes(self, request: &Request) -> bool {
        match self {
            Self::All => true,
            Self::After(done) => {
                request.resource().kind == done.kind && request.period().scale().source >= done.precision
            }
        }
    }

    fn suggests(self, job: Aggregate) -> bool {
        match self {
            Self::All => true,
            Self::After(done) => job.kind == done.kind && job.precision > done.precision,
        }
    }
}

/// Decides about the aggregations in the scope, finest first, and about the caching of these requests.
#[must_use]
pub fn decide(situation: &Situation, scope: Scope, requests: &[Request]) -> Vec<Suggestion> {
    let mut suggestions = Vec::new();
    let mut holds = Holds::new();
    for kind in Kind::ALL {
        for precision in Precision::AGGREGATED {
            let job = Aggregate { kind: *kind, precision: *precision };
            let verdict = situation.aggregation(job, &holds);
            let suggested = scope.suggests(job);
            if let Some(hold) = situation.hold(job, &verdict, suggested) {
                holds.insert((*kind, *precision), hold);
            }
            if suggested {
                suggestions.push(Suggestion { work: Work::Aggregate(job), verdict });
            }
        }
    }
    for request in requests {
        let suggestion = situation.caching(request, &holds);
        match suggestions.iter_mut().find(|s| s.work == suggestion.work) {
            // A group is due when one of its members is.
            Some(group) if suggestion.verdict == Verdict::Queue => group.verdict = Verdict::Queue,
            Some(_) => {}
            None => suggestions.push(suggestion),
        }
    }
    suggestions
}

/// Decides about the caching of one request. Without coverage, aggregations that are merely due do not count.
pub(super) fn decide_one(situation: &Situation, request: &Request) -> Suggestion {
    let mut holds = Holds::new();
    if request.resource().precached() {
        let kind = request.resource().kind;
        for precision in request.period().scale().source.built_on() {
            let job = Aggregate { kind, precision: *precision };
            let known = situation.coverage_of(job).is_some();
            let verdict = situation.aggregation(job, &holds);
            if let Some(hold) = situation.hold(job, &verdict, known) {
                holds.insert((kind, *precision), hold);
            }
        }
    }
    situation.caching(request, &holds)
}

/// The aggregations that hold up what rests on them.
type Holds = HashMap<(Kind, Precision), Hold>;

impl Situation {
    fn standing_of(&self, key: &str) -> KeyStatus {
        self.standing.get(key).copied().unwrap_or_default()
    }

    /// Returns the time when the last job of a key became dead, if that holds it off now.
    fn failed_lately(&self, standing: KeyStatus) -> Option<DateTime<Utc>> {
        failed_lately(standing, self.ledger_now)
    }

    fn coverage_of(&self, job: Aggregate) -> Option<&Coverage> {
        self.coverage.iter().find(|c| c.kind == job.kind && c.precision == job.precision)
    }

    fn aggregation(&self, job: Aggregate, holds: &Holds) -> Verdict {
        let standing = self.standing_of(&job.key());
        if let Some((id, state)) = standing.under_way {
            return Verdict::Skip(Skip::SameJob { id, state });
        }
        let due_to = job.precision.due_to(self.now);
        let coverage = self.coverage_of(job);
        let watermark = coverage.and_then(|c| c.watermark);
        let pending = coverage.map_or(0, |c| c.pending);
        if pending == 0 && watermark.is_some_and(|at| at >= due_to) {
            let until = due_to + job.precision.width() + job.precision.delay();
            return Verdict::Skip(Skip::UpToDate { until });
        }
        if let Some(at) = self.failed_lately(standing) {
            return Verdict::Skip(Skip::HeldOff { until: at + HOLD_OFF });
        }
        if let Some(finer) = job.precision.finer().filter(|finer| *finer != Precision::Native) {
            let built_on = |why| Verdict::Skip(Skip::Aggregation { kind: job.kind, precision: finer, why });
            let hold = holds.get(&(job.kind, finer)).copied();
            // While the finer one is about to come further, this one waits for it.
            if let Some(why @ (Hold::Due | Hold::UnderWay { .. })) = hold {
                return built_on(why);
            }
            // It can come as far as the finer one has.
            let finer_to = self.coverage_of(Aggregate { precision: finer, ..job }).and_then(|c| c.watermark);
            let reach = finer_to.map(|at| job.precision.floor(at).min(due_to));
            let advances = reach.is_some_and(|reach| watermark.is_none_or(|at| at < reach));
            if pending == 0 && !advances {
                return built_on(hold.unwrap_or(Hold::Due));
            }
        }
        Verdict::Queue
    }

    /// Whether an aggregation holds up what rests on it. One that is not suggested now holds up nobody by being due.
    fn hold(&self, job: Aggregate, verdict: &Verdict, suggested: bool) -> Option<Hold> {
        match verdict {
            Verdict::Queue => suggested.then_some(Hold::Due),
            Verdict::Skip(Skip::SameJob { id, state }) => Some(Hold::UnderWay { id: *id, state: *state }),
            Verdict::Skip(Skip::HeldOff { .. }) => self.standing_of(&job.key()).failed_at.map(|at| Hold::Failed { at }),
            // It waits for a finer one, so whatever rests on it does too.
            Verdict::Skip(Skip::Aggregation { why, .. }) => suggested.then_some(match why {
                Hold::UnderWay { .. } => Hold::Due,
                why => *why,
            }),
            Verdict::Skip(Skip::UpToDate { .. } | Skip::QueueFull { .. } | Skip::DatabaseAway) => None,
        }
    }

    fn caching(&self, request: &Request, holds: &Holds) -> Suggestion {
        let work = Work::caching(request);
        let standing = self.standing_of(&work.key());
        let skip = |skip| Some(Verdict::Skip(skip));
        let verdict = if let Some((id, state)) = standing.under_way {
            skip(Skip::SameJob { id, state })
        } else if let Some(until) = self.fresh_until(request) {
            skip(Skip::UpToDate { until })
        } else if let Some(at) = self.failed_lately(standing) {
            skip(Skip::HeldOff { until: at + HOLD_OFF })
        } else {
            let kind = request.resource().kind;
            let built_on = request.period().scale().source.built_on();
            let held = built_on.iter().find_map(|p| Some((*p, *holds.get(&(kind, *p))?)));
            held.and_then(|(precision, why)| skip(Skip::Aggregation { kind, precision, why }))
        };
        Suggestion { work, verdict: verdict.unwrap_or(Verdict::Queue) }
    }

    /// Until when the cached value will do; `None` when a new one is due.
    fn fresh_until(&self, request: &Request) -> Option<DateTime<Utc>> {
        let cached = self.cached.get(&request.key())?;
        let (kind, period) = (request.resource().kind, request.period());
        // A value of a later time than it is was computed under a clock that was set back since.
        let due = cached.refresh_at <= self.now
            || cached.finish < period.due_finish(self.now)
            || cached.finish > period.span(self.now).finish;
        // A value that was computed while buckets were still to be made (anew) can be completed once none is.
        let built_on = period.scale().source.built_on();
        let settled = |precision: &Precision| {
            self.coverage_of(Aggregate { kind, precision: *precision }).is_some_and(|c| c.pending == 0)
        };
        let completable = cached.complete_to < cached.finish && built_on.iter().all(settled);
        // Late reports have been aggregated since it was computed. They may come all the time: costly values wait a little.
        let revisions = built_on.iter().map(|p| self.coverage_of(Aggregate { kind, precision: *p })?.revision);
        let revision = revisions.sum::<Option<i64>>();
        let late = revision.is_some_and(|revision| revision != cached.revision)
            && (self.eager || period.scale().queue != Queue::SlowCache || cached.computed_at + PATIENCE <= self.now);
        (!due && !completable && !late).then_some(cached.refresh_at)
    }
}
