//! The job that counts passwords, hashed, from the days that were aggregated: what the password checker knows of the reports.

use serde::{Deserialize, Serialize};
use sview_model::Queue;

use super::{Failure, Job};
use crate::Context;

/// Counts the passwords of all days that are not counted as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountPasswords {}

impl Job for CountPasswords {
    type Context = Context;

    const NAME: &'static str = "count-passwords";

    /// A first count of years takes long, and nobody waits for it.
    fn queue(&self) -> Queue {
        Queue::SlowCache
    }

    fn key(&self) -> String {
        Self::NAME.to_owned()
    }

    fn words(&self) -> String {
        "counting passwords of days".to_owned()
    }

    async fn run(&self, context: &Context) -> Result<(), Failure> {
        // Whatever ends it, what is committed stays; the next run goes on from there.
        let days = context.statistics.count_passwords().await?;
        tracing::debug!(days, "passwords counted");
        Ok(())
    }
}
