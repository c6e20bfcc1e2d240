//! The job that computes all precached resources of a kind at a period and puts them into the cache. They are made of the same
//! rows, which are read once for all of them.

use std::sync::Arc;

use apalis::prelude::Data;
use serde::{Deserialize, Serialize};
use sview_model::{Clock, Kind, Period, Queue, Request};
use sview_store::Cache;

use super::cache_resource::{Caching, is_fresh, put, revision};
use super::{Job, JobError};
use crate::Statistics;

/// Computes the precached resources of a kind at a period and caches them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CacheGroup {
    /// The kind of the reports.
    pub kind: Kind,
    /// At which period.
    pub period: Period,
}

impl CacheGroup {
    /// The group's members.
    pub fn requests(self) -> impl Iterator<Item = Request> {
        Request::precached().filter(move |r| r.resource().kind == self.kind && r.period() == self.period)
    }
}

impl Job for CacheGroup {
    const NAME: &'static str = "cache-group";

    fn queue(&self) -> Queue {
        self.period.scale().queue
    }

    fn key(&self) -> String {
        format!("{}:{}:{}", Self::NAME, self.kind, self.period)
    }

    fn words(&self) -> String {
        format!("caching {} {}, all {} resources", self.kind, self.period, self.requests().count())
    }
}

/// Computes the group and caches it.
pub(super) async fn handle(
    job: CacheGroup,
    statistics: Data<Arc<dyn Statistics>>,
    cache: Data<Arc<dyn Cache>>,
    clock: Data<Clock>,
) -> Result<(), JobError> {
    cache_group(&**statistics, &**cache, job, &clock).await.map(drop)
}

/// Computes a group and caches it, unless all that is cached of it is as fresh as can be.
pub async fn cache_group(
    statistics: &dyn Statistics,
    cache: &dyn Cache,
    group: CacheGroup,
    clock: &Clock,
) -> Result<Caching, JobError> {
    let now = clock.now();
    let keys: Vec<_> = group.requests().map(|request| request.key()).collect();
    let entries = cache.get_many(&keys).await?;
    let revision = revision(statistics, group.kind, group.period).await?;
    if entries.iter().all(|entry| entry.as_ref().is_some_and(|entry| is_fresh(entry, group.period, now, revision))) {
        return Ok(Caching::Fresh);
    }
    let mut caching = Caching::Overtaken;
    for (request, computed) in statistics.compute_group(group.kind, group.period, now).await? {
        if put(cache, &request, &computed, now).await? {
            caching = Caching::Cached;
        }
    }
    Ok(caching)
}
