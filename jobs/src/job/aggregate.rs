//! The job that brings one aggregated precision of one kind of reports up to date.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sview_model::{Clock, Kind, Precision, Queue};
use sview_store::Step;

use super::{CountPasswords, Failure, Job};
use crate::{Cause, Context, Statistics, refresh};

/// Aggregates what is due of a kind into a precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aggregate {
    /// Which reports.
    pub kind: Kind,
    /// Into which buckets.
    pub precision: Precision,
}

impl Job for Aggregate {
    type Context = Context;

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

    async fn run(&self, context: &Context) -> Result<(), Failure> {
        aggregate(&*context.statistics, *self, &context.clock).await.map(drop)
    }

    /// What rests on this aggregation is made at once, and not only at the next minute.
    async fn after_done(&self, context: &Context) -> Result<(), Failure> {
        if (self.kind, self.precision) == (Kind::Passwords, Precision::Daily) {
            context.queues.enqueue(&CountPasswords {}, &Cause::After(self.words())).await?;
        }
        refresh::after_aggregation(context, *self).await?;
        Ok(())
    }
}

/// After this time a run ends though more is left to do, so that it is not ended by its time limit.
const LONGEST: Duration = Duration::from_secs(7 * 60);

/// Does step after step, each of them one transaction, until nothing is left that can be done now; returns how many rows were
/// written. When it is stopped half-way, what was committed stays, and the next run goes on from there.
pub async fn aggregate(statistics: &dyn Statistics, job: Aggregate, clock: &Clock) -> Result<u64, Failure> {
    let Aggregate { kind, precision } = job;
    let (mut written, begun) = (0, Instant::now());
    loop {
        // Reports may come late faster than they are aggregated. What is committed stays; the next refresh goes on from there.
        if begun.elapsed() > LONGEST {
            return Ok(written);
        }
        match statistics.aggregate(kind, precision, clock.now()).await? {
            Step::Built { span, rows } => {
                written += rows;
                tracing::debug!(%kind, %precision, %span, rows, "aggregated");
            }
            // The finer precision's own job ends with a refresh that suggests this one again.
            Step::Blocked => {
                tracing::debug!(%kind, %precision, "the rest waits for the finer precision");
                return Ok(written);
            }
            Step::Idle => return Ok(written),
        }
    }
}
