//! The job that deletes reports which are aggregated and older than they are to be kept.

use std::sync::Arc;

use apalis::prelude::Data;
use serde::{Deserialize, Serialize};
use sview_model::{Clock, Queue};
use sview_store::Deleted;

use super::{Job, JobError};
use crate::Statistics;

const UNSET: &str = "reports are to be deleted, but this worker keeps them for good: say the same SVIEW_KEEP_REPORTS_DAYS to schedulers and workers";

/// Deletes the reports that are older than they are to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgetReports {}

impl Job for ForgetReports {
    const NAME: &'static str = "forget-reports";

    /// The first time it may delete years, and nobody waits for it.
    fn queue(&self) -> Queue {
        Queue::SlowCache
    }

    fn key(&self) -> String {
        Self::NAME.to_owned()
    }

    fn words(&self) -> String {
        "deleting reports that are aggregated and old".to_owned()
    }
}

/// Deletes. If it is interrupted, committed deletions stay; the next run goes on from there.
pub(super) async fn handle(
    _: ForgetReports,
    statistics: Data<Arc<dyn Statistics>>,
    clock: Data<Clock>,
) -> Result<(), JobError> {
    if statistics.keep().is_none() {
        return Err(JobError::Final(UNSET.to_owned()));
    }
    let deleted = statistics.forget_reports(clock.now()).await?;
    if deleted != Deleted::default() {
        tracing::info!(rows = deleted.rows, chunks = deleted.chunks, "deleted old reports");
    }
    Ok(())
}
