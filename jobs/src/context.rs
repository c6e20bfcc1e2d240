//! The services that jobs, the refresh and the schedule work with.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use sview_model::{Clock, Kind, Period, Precision, Request};
use sview_store::{Cache, Computed, Coverage, Deleted, Obstacle, Reports, Step};

use crate::{CacheGroup, Greylisting, Queues};

/// The interface of the store for jobs. [`Reports`] implements it for production. Tests use others, which panic, hang or fail.
#[async_trait]
pub trait Statistics: Send + Sync + 'static {
    /// One step of an aggregation: see [`sview_store::Rollup::aggregate`].
    async fn aggregate(&self, kind: Kind, precision: Precision, now: DateTime<Utc>) -> sview_store::Result<Step>;
    /// How far every aggregation has come: see [`sview_store::Rollup::coverage`].
    async fn coverage(&self) -> sview_store::Result<Vec<Coverage>>;
    /// Computes all precached resources of a kind at a period: see [`sview_store::Statistics::compute_group`]. One by one, where there is no
    /// better way.
    async fn compute_group(
        &self,
        kind: Kind,
        period: Period,
        now: DateTime<Utc>,
    ) -> sview_store::Result<Vec<(Request, Computed)>> {
        let mut group = Vec::new();
        for request in (CacheGroup { kind, period }).requests() {
            let computed = self.compute(&request, now).await?;
            group.push((request, computed));
        }
        Ok(group)
    }
    /// Computes a resource: see [`sview_store::Statistics::compute`].
    async fn compute(&self, request: &Request, now: DateTime<Utc>) -> sview_store::Result<Computed>;
    /// For how long reports are kept; `None`: for good. See [`sview_store::Settings::keep`].
    fn keep(&self) -> Option<TimeDelta> {
        None
    }
    /// Deletes the reports that are older than they are to be kept: see [`sview_store::Rollup::forget_reports`].
    async fn forget_reports(&self, now: DateTime<Utc>) -> sview_store::Result<Deleted> {
        let _ = now;
        Ok(Deleted::default())
    }
    /// Returns what keeps aggregations from being complete, and has done so for at least `patience`. See
    /// [`sview_store::Rollup::obstacles`].
    async fn obstacles(&self, patience: Duration) -> sview_store::Result<Vec<Obstacle>> {
        let _ = patience;
        Ok(Vec::new())
    }
    /// Counts the passwords of the days that are not counted as they are: see [`sview_store::Passwords::count`].
    async fn count_passwords(&self) -> sview_store::Result<u64> {
        Ok(0)
    }
}

#[async_trait]
impl Statistics for Reports {
    async fn aggregate(&self, kind: Kind, precision: Precision, now: DateTime<Utc>) -> sview_store::Result<Step> {
        self.rollup().aggregate(kind, precision, now).await
    }

    async fn coverage(&self) -> sview_store::Result<Vec<Coverage>> {
        self.rollup().coverage().await
    }

    async fn compute_group(
        &self,
        kind: Kind,
        period: Period,
        now: DateTime<Utc>,
    ) -> sview_store::Result<Vec<(Request, Computed)>> {
        self.statistics().compute_group(kind, period, now).await
    }

    async fn compute(&self, request: &Request, now: DateTime<Utc>) -> sview_store::Result<Computed> {
        self.statistics().compute(request, now).await
    }

    fn keep(&self) -> Option<TimeDelta> {
        self.settings().keep
    }

    async fn forget_reports(&self, now: DateTime<Utc>) -> sview_store::Result<Deleted> {
        self.rollup().forget_reports(now).await
    }

    async fn obstacles(&self, patience: Duration) -> sview_store::Result<Vec<Obstacle>> {
        self.rollup().obstacles(patience).await
    }

    async fn count_passwords(&self) -> sview_store::Result<u64> {
        self.passwords().count().await
    }
}

/// A deployment, as jobs see it. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// The statistics of the reports.
    pub statistics: Arc<dyn Statistics>,
    /// The cache of computed values.
    pub cache: Arc<dyn Cache>,
    /// The queues of jobs.
    pub queues: Queues,
    /// The sources and settings of the greylist.
    pub greylist: Greylisting,
    /// The clock for everything about statistics.
    pub clock: Clock,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("queues", &self.queues).field("clock", &self.clock).finish_non_exhaustive()
    }
}
