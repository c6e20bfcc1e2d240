//! The job that counts passwords, hashed, from the days that were aggregated: what the password checker knows of the reports.

use std::time::{Duration, Instant};

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
        // What is committed stays; the next tick goes on from there.
        let begun = Instant::now();
        while begun.elapsed() < LONGEST && context.statistics.count_passwords().await? {}
        Ok(())
    }
}

/// After this time a run ends though more is left to do.
const LONGEST: Duration = Duration::from_secs(30 * 60);
