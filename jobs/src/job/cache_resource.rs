//! The job that computes one resource on demand and puts it into the cache: one about an attacker, a password or devices. Precached
//! resources come in groups.

use std::sync::Arc;
use std::time::Duration;

use apalis::prelude::Data;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sview_model::{Clock, Kind, Parameters, Period, Queue, Request};
use sview_store::{Cache, Computed, Entry};

use super::{Job, JobError};
use crate::Statistics;

/// Computes a resource and caches it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheResource(pub Request);

/// How long what belongs to device tokens is kept at the most.
pub const MAX_DEVICE_AGE: Duration = Duration::from_secs(10 * 60);

impl Job for CacheResource {
    const NAME: &'static str = "cache-resource";
    // Anybody can ask for these, for as many addresses and passwords as they can type: they must leave room for precached resources.
    const ROOM: u64 = 200;
    const ON_DEMAND: bool = true;

    fn queue(&self) -> Queue {
        self.0.period().scale().queue
    }

    fn key(&self) -> String {
        format!("{}:{}", Self::NAME, self.0.key())
    }

    fn words(&self) -> String {
        format!("caching {}", self.0)
    }
}

/// Computes the resource and caches it.
pub(super) async fn handle(
    job: CacheResource,
    statistics: Data<Arc<dyn Statistics>>,
    cache: Data<Arc<dyn Cache>>,
    clock: Data<Clock>,
) -> Result<(), JobError> {
    cache_resource(&**statistics, &**cache, &job.0, &clock).await.map(drop)
}

/// The result of caching a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caching {
    /// A new value is in the cache.
    Cached,
    /// The cached value is as fresh as can be; nothing was computed.
    Fresh,
    /// Another worker cached a later value meanwhile; this one was dropped.
    Overtaken,
}

/// Computes a resource and caches it, unless the cached value is as fresh as can be.
pub async fn cache_resource(
    statistics: &dyn Statistics,
    cache: &dyn Cache,
    request: &Request,
    clock: &Clock,
) -> Result<Caching, JobError> {
    let now = clock.now();
    let (kind, period) = (request.resource().kind, request.period());
    if let Some(entry) = cache.get(&request.key()).await?
        && is_fresh(&entry, period, now, revision(statistics, kind, period).await?)
    {
        return Ok(Caching::Fresh);
    }
    let computed = statistics.compute(request, now).await?;
    Ok(if put(cache, request, &computed, now).await? { Caching::Cached } else { Caching::Overtaken })
}

/// Whether a cached value is as fresh as can be. One of any revision is while the current one is not known.
pub(super) fn is_fresh(entry: &Entry, period: Period, now: DateTime<Utc>, revision: Option<i64>) -> bool {
    entry.finish == period.span(now).finish
        && entry.complete_to >= entry.finish
        && entry.refresh_at > now
        && revision.is_none_or(|revision| revision == entry.revision)
}

/// The revision of the aggregates that a period's values of a kind are made of; `None` while it is not known.
pub(super) async fn revision(statistics: &dyn Statistics, kind: Kind, period: Period) -> Result<Option<i64>, JobError> {
    let built_on = period.scale().source.built_on();
    let coverage = statistics.coverage().await?;
    Ok(coverage.iter().filter(|c| c.kind == kind && built_on.contains(&c.precision)).map(|c| c.revision).sum())
}

/// Caches a computed value; whether it was kept.
pub(super) async fn put(
    cache: &dyn Cache,
    request: &Request,
    computed: &Computed,
    now: DateTime<Utc>,
) -> Result<bool, JobError> {
    let period = request.period();
    let (mut ttl, mut refresh_at) = (period.scale().ttl, period.next_due(computed.span.finish));
    if matches!(request.parameters(), Parameters::Devices(_)) {
        ttl = ttl.min(MAX_DEVICE_AGE);
        refresh_at = refresh_at.min(now + TimeDelta::from_std(MAX_DEVICE_AGE).unwrap_or(TimeDelta::MAX));
    }
    let entry = Entry {
        json: computed.data.to_json().into(),
        supplement: computed.data.supplement().map(Into::into),
        finish: computed.span.finish,
        complete_to: computed.complete_to,
        computed_at: now,
        refresh_at,
        revision: computed.revision,
        reported: computed.reported.clone(),
    };
    Ok(cache.put(&request.key(), &entry, ttl, now).await?)
}
