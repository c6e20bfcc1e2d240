//! The job that brings one aggregated precision of one kind of reports up to date.

use std::sync::Arc;
use std::time::{Duration, Instant};

use apalis::prelude::Data;
use apalis_ledger::Lease;
use serde::{Deserialize, Serialize};
use sview_model::{Clock, Kind, Precision, Queue};
use sview_store::Step;

use super::{CountPasswords, Job, JobError, after_done};
use crate::{Cause, Context, Statistics, refresh};

/// Aggregates the due buckets of a kind into a precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aggregate {
    /// The kind of the reports.
    pub kind: Kind,
    /// Into which buckets.
    pub precision: Precision,
}

impl Job for Aggregate {
    const NAME: &'static str = "aggregate";

    fn queue(&self) -> Queue {
        Queue::Aggregation
    }

    fn key(&self) -> String {
        format!("{}:{}:{}", Self::NAME, self.kind, self.precision)
    }

    fn words(&self) -> String {
        format!("aggregation {}/{}", self.kind, self.precision)
    }
}

/// Aggregates; then what rests on it is made at once, and not only at the next minute.
pub(super) async fn handle(
    job: Aggregate,
    statistics: Data<Arc<dyn Statistics>>,
    clock: Data<Clock>,
    context: Data<Context>,
    lease: Lease,
) -> Result<(), JobError> {
    aggregate(&**statistics, job, &clock).await?;
    after_done(&lease, async move {
        if (job.kind, job.precision) == (Kind::Passwords, Precision::Daily) {
            context.queues.send(CountPasswords {}, &Cause::After(job.words())).await?;
        }
        refresh::after_aggregation(&context, job).await?;
        Ok(())
    });
    Ok(())
}

/// After this time a run ends though more is left to do, so that it is not ended by its time limit.
const LONGEST: Duration = Duration::from_secs(7 * 60);

/// Runs step after step, each of them one transaction, until nothing is left that can be done now. Returns the number of written rows. If
/// it is stopped half-way, committed steps stay, and the next run goes on from there.
pub async fn aggregate(statistics: &dyn Statistics, job: Aggregate, clock: &Clock) -> Result<u64, JobError> {
    let Aggregate { kind, precision } = job;
    let (mut written, begun) = (0, Instant::now());
    loop {
        // Reports may come late faster than they are aggregated. Committed steps stay; the next refresh goes on from there.
        if begun.elapsed() > LONGEST {
            return Ok(written);
        }
        match statistics.aggregate(kind, precision, clock.now()).await? {
            Step::Built { span, rows } => {
                written += rows;
                tracing::debug!(%kind, %precision, %span, rows, "aggregated a span");
            }
            // The finer precision's own job ends with a refresh that suggests this one again.
            Step::Blocked => {
                tracing::debug!(%kind, %precision, "the rest of the span waits for the finer precision");
                return Ok(written);
            }
            Step::Idle => return Ok(written),
        }
    }
}
